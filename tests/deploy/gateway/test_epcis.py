"""The EPCIS capture interface over a stand-in for the intake: routes, jobs, corrections, and what a kill leaves."""

import asyncio
import json
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email.message import Message
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import pytest
import uvicorn
from fastapi import FastAPI, Request
from starlette.responses import Response

from deploy.gateway.captures import Captures, Job
from deploy.gateway.capturing import Capturing
from deploy.gateway.epcis import router
from deploy.gateway.intake import Receipt
from deploy.gateway.problems import Problem, unauthorized
from deploy.spool import Spooled
from deploy.tokens import Grant
from schemas.errors import Unreachable, WrongInput
from schemas.event import Event
from schemas.wire import Rejection, judge, topic_of
from tests.deploy.gateway.gate import gate
from tests.schemas.epcis.making import (
    CASE,
    DRILL,
    DRILL_ITEM,
    HERE,
    HERE_GLN,
    PALLET,
    THERE_GLN,
    World,
    document,
    epcis,
    put,
    received,
    seen,
    shipped,
)

ACME: Final = Grant("acme", ("acme",), (), 1_000, 10_000, 1_000_000)
WMS: Final = Grant("wms", ("wms", "wms-2"), (), 1_000, 10_000, 1_000_000)
TWO: Final = [f"{DRILL}1", f"{DRILL}2"]
MADE: Final = epcis(
    "ObjectEvent", "made", 1, action="ADD", bizStep="commissioning", epcList=TWO, bizLocation={"id": HERE}
)
JSON_LD: Final = "application/ld+json"


class Intake:
    """Keeps what it takes; the newest statement of each event counts, as in the history."""

    def __init__(self) -> None:
        self.raws: list[bytes] = []
        self.known: dict[tuple[str, str], Event] = {}
        self.refused: set[str] = set()
        self.failures = 0

    async def take(
        self, grant: Grant, raws: Sequence[bytes], *, dry_run: bool = False, keep_refused: bool = True
    ) -> list[Receipt]:
        """As the intake's."""
        assert not keep_refused
        await asyncio.sleep(0)
        if self.failures:
            self.failures -= 1
            raise Unreachable("The broker does not answer.")
        return [self._judge(grant, place, raw, dry_run=dry_run) for place, raw in enumerate(raws)]

    def live(self) -> list[Event]:
        """What counts, without what was retracted."""
        return [event for event in self.known.values() if not event.retracted]

    def _judge(self, grant: Grant, place: int, raw: bytes, *, dry_run: bool) -> Receipt:
        event = judge(str(topic_of(json.loads(raw)["type"])), raw)
        assert not isinstance(event, Rejection), event
        if event.event_id in self.refused or not grant.may_say(event.source, event.type):  # type: ignore[attr-defined]  # every event has one
            return Receipt(place, "refused", event.source, event.event_id, reason="It may not be said.")
        if not dry_run:
            self.raws.append(raw)
            before = self.known.get((event.source, event.event_id))
            assert before is None or before.entity_key() == event.entity_key()
            if before is None or before.recorded_at <= event.recorded_at:
                self.known[event.source, event.event_id] = event
        return Receipt(place, "accepted", event.source, event.event_id)


class Answer(NamedTuple):
    """An answer over HTTP."""

    status_code: int
    headers: Message
    body: bytes

    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


class Gateway:
    """A gateway's EPCIS routes, and a client that waits for its jobs."""

    def __init__(self, port: int) -> None:
        self.port = port

    def capture(self, *events: Any, who: str = "acme", **headers: str) -> dict[str, Any]:
        """What became of a document of these events."""
        answer = self.post(document(*events), who, **headers)
        assert answer.status_code == 202, answer.body
        return self.job(answer.headers["Location"], who)

    def post(self, body: bytes, who: str = "acme", **headers: str) -> Answer:
        """Send a document."""
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._ask("POST", "/v1/epcis/capture", body, {"Authorization": who, "Content-Type": JSON_LD, **said})

    def job(self, location: str, who: str) -> dict[str, Any]:
        """The job, when it has ended."""
        for _ in range(2_000):
            told: dict[str, Any] = self.get(location, who).json()
            if not told["running"]:
                return told
            time.sleep(0.005)
        raise AssertionError(told)

    def get(self, path: str, who: str = "acme") -> Answer:
        """Ask."""
        return self._ask("GET", path, None, {"Authorization": who})

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()


@contextmanager
def gateway(path: Path, intake: Intake) -> Iterator[Gateway]:
    """A gateway over a store in this folder."""

    def identify(request: Request) -> Grant:
        grants = {grant.name: grant for grant in (ACME, WMS)}
        found = grants.get(request.headers.get("Authorization", ""))
        if found is None:
            raise unauthorized()
        return found

    async def told(_: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return error.response()

    captures = Captures(path / "gateway" / "captures.sqlite")
    app = FastAPI()
    app.add_exception_handler(Problem, told)
    app.include_router(router(intake, captures, identify))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield Gateway(listener.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
        captures.close()


@pytest.fixture
def intake() -> Intake:
    return Intake()


@pytest.fixture
def site(tmp_path: Path, intake: Intake) -> Iterator[Gateway]:
    with gateway(tmp_path, intake) as found:
        yield found


def test_a_document_becomes_a_job_and_its_events_move_the_stock(site: Gateway, intake: Intake) -> None:
    answer = site.post(document(MADE, shipped("left", 3, TWO)))
    assert answer.status_code == 202
    assert answer.headers["GS1-EPCIS-Version"] == "2.0.0"
    job = site.job(answer.headers["Location"], "acme")
    assert answer.headers["Location"] == f"/v1/epcis/capture/{job['captureID']}"
    assert (job["success"], job["errors"], job["captureErrorBehaviour"]) == (True, [], "rollback")
    assert job["createdAt"] <= job["finishedAt"]
    assert World(intake.live()).in_transit(DRILL_ITEM) == 2_000
    assert {event.source for event in intake.live()} == {"acme"}


def test_one_wrong_event_rolls_all_back_and_is_named(site: Gateway, intake: Intake) -> None:
    job = site.capture(MADE, {**shipped("left", 3, TWO), "bizStep": "shiping"})
    assert not job["success"]
    (error,) = job["errors"]
    assert (error["index"], error["path"], error["eventID"]) == (1, "epcisBody.eventList[1].bizStep", "left")
    assert "no word of CBV" in error["detail"]
    assert intake.raws == []
    assert site.get("/v1/epcis/events/made").status_code == 404


def test_with_proceed_the_others_are_captured(site: Gateway, intake: Intake) -> None:
    job = site.capture(MADE, {**MADE, "eventTime": "yesterday"}, GS1_Capture_Error_Behaviour="proceed")
    assert not job["success"]
    assert [error["index"] for error in job["errors"]] == [1]
    assert World(intake.live()).on_hand(DRILL_ITEM, HERE_GLN) == 2_000


@pytest.mark.parametrize(("behaviour", "kept"), [("rollback", set()), ("proceed", {"made"})])
def test_what_the_intake_would_refuse_is_an_error_of_its_event(
    site: Gateway, intake: Intake, behaviour: str, kept: set[str]
) -> None:
    intake.refused = {f"held#quarantined/{DRILL_ITEM}/EA"}
    held = seen("held", 2, "holding", TWO, bizLocation={"id": HERE})
    job = site.capture(MADE, held, GS1_Capture_Error_Behaviour=behaviour)
    assert [(error["index"], error["eventID"]) for error in job["errors"]] == [(1, "held")]
    assert {event.attributes["epcis_event_id"] for event in intake.live()} == kept
    assert site.get("/v1/epcis/events/held").status_code == 404


def test_an_exact_repeat_changes_nothing_and_is_told(site: Gateway, intake: Intake) -> None:
    site.capture(MADE)
    before = list(intake.raws)
    job = site.capture(MADE, seen("e", 2, "holding", TWO, bizLocation={"id": HERE}))
    assert job["success"]
    assert [(told["status"], told["index"]) for told in job["warnings"]] == [(409, 0)]
    assert intake.raws[: len(before)] == before
    assert {event.attributes["epcis_event_id"] for event in intake.live()} == {"made", "e"}


def test_an_event_id_used_otherwise_is_refused(site: Gateway) -> None:
    site.capture(MADE)
    job = site.capture({**MADE, "epcList": TWO[:1]})
    assert [error["status"] for error in job["errors"]] == [409]
    assert "declare that event wrong" in job["errors"][0]["detail"]


def test_an_error_declaration_retracts_what_was_derived(site: Gateway, intake: Intake) -> None:
    left = shipped("left", 3, TWO)
    site.capture(MADE, left)
    declared = {
        **left,
        "errorDeclaration": {"declarationTime": "2026-11-03T00:00:00Z", "correctiveEventIDs": ["right"]},
    }
    job = site.capture(declared, shipped("right", 3, TWO[:1]))
    assert job["success"], job
    after = World(intake.live())
    assert (after.on_hand(DRILL_ITEM, HERE_GLN), after.in_transit(DRILL_ITEM)) == (1_000, 1_000)
    assert site.get("/v1/epcis/events/left").json()["errorDeclaration"]["correctiveEventIDs"] == ["right"]
    assert site.capture(declared)["success"]


def test_contents_told_later_correct_the_movement_of_the_pallet(site: Gateway, intake: Intake) -> None:
    left = site.capture(MADE, shipped("left", 3, [PALLET]))
    assert any("Nothing is known to be in" in told["detail"] for told in left["warnings"])
    assert World(intake.live()).on_hand(DRILL_ITEM, HERE_GLN) == 2_000
    site.capture(put("packed", 2, PALLET, [CASE]), put("cased", 1, CASE, TWO))
    assert World(intake.live()).in_transit(DRILL_ITEM) == 2_000
    site.capture(epcis("AggregationEvent", "out", 1.5, action="DELETE", parentID=CASE, childEPCs=TWO[:1]))
    after = World(intake.live())
    assert (after.in_transit(DRILL_ITEM), after.on_hand(DRILL_ITEM, HERE_GLN)) == (1_000, 1_000)
    site.capture(epcis("AggregationEvent", "all", 1.7, action="DELETE", parentID=CASE))
    assert World(intake.live()).on_hand(DRILL_ITEM, HERE_GLN) == 2_000


def test_contents_that_a_supplier_tells_follow_in_the_name_of_who_moved_them(site: Gateway, intake: Intake) -> None:
    site.capture(received("came", 9, [PALLET]), who="wms", Quayside_Source="wms")
    site.capture(put("packed", 2, PALLET, TWO))
    assert World(intake.live()).on_hand(DRILL_ITEM, THERE_GLN) == 2_000
    (movement,) = [event for event in intake.live() if event.topic == "warehouse.events"]
    assert (movement.source, movement.attributes["contents_told_by"]) == ("wms", "acme")


def test_a_missing_event_id_is_the_hash_and_the_event_comes_back_as_it_came(site: Gateway, intake: Intake) -> None:
    plain = {name: value for name, value in MADE.items() if name != "eventID"} | {"example:note": 1.50}
    site.capture(plain)
    event_id = intake.live()[0].attributes["epcis_event_id"]
    assert event_id.startswith("ni:///sha-256;")
    for path in (quote(event_id, safe=""), event_id.replace("?", "%3F"), event_id):
        answer = site.get(f"/v1/epcis/events/{path}")
        assert answer.status_code == 200, path
        told = answer.json()
    assert answer.headers["Content-Type"].startswith(JSON_LD)
    assert told.pop("@context")[1] == {"example": "https://ns.example.com/"}
    assert told == {**plain, "eventID": event_id}
    assert site.capture(plain)["warnings"][0]["status"] == 409


def test_another_tokens_jobs_and_events_are_not_there(site: Gateway) -> None:
    answer = site.post(document(MADE))
    site.job(answer.headers["Location"], "acme")
    assert site.get(answer.headers["Location"], "wms").status_code == 404
    assert site.get("/v1/epcis/events/made", "wms").status_code == 404
    assert site.get("/v1/epcis/events/made", "nobody").status_code == 401
    assert site.get(answer.headers["Location"], "nobody").status_code == 401


@pytest.mark.parametrize(
    ("body", "headers", "status", "words"),
    [
        (b"<x/>", {}, 400, "XML"),
        (b'{"type": "EPCISDocument"}', {}, 400, "epcisBody"),
        (document(MADE), {"Content_Type": "text/xml"}, 415, "XML"),
        (document(MADE), {"GS1_Capture_Error_Behaviour": "maybe"}, 400, "rollback or proceed"),
        (document(MADE), {"GS1_EPCIS_Version": "1.2"}, 400, "EPCIS 2.0"),
        (document(MADE), {"Quayside_Source": "wms"}, 403, "does not speak for"),
        (b" " * 1_000_001, {}, 413, "1000000 bytes"),
    ],
)
def test_what_is_no_capture_is_refused_with_a_reason(
    site: Gateway, body: bytes, headers: dict[str, str], status: int, words: str
) -> None:
    answer = site.post(body, **headers)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert words in answer.json()["detail"]


@pytest.mark.parametrize("note", ['"\\ud800"', "[" * 700 + "]" * 700])
def test_what_cannot_be_kept_costs_only_its_own_event(site: Gateway, intake: Intake, note: str) -> None:
    odd = json.dumps({**MADE, "eventID": "odd", "example:note": 0}).replace(
        '"example:note": 0', f'"example:note": {note}'
    )
    body = f'{{"eventList": [{odd}, {json.dumps(MADE)}]}}'.encode()
    job = site.job(site.post(body, GS1_Capture_Error_Behaviour="proceed").headers["Location"], "acme")
    assert [error["index"] for error in job["errors"]] in ([0], [])
    assert "made" in {event.attributes["epcis_event_id"] for event in intake.live()}
    assert (site.get("/v1/epcis/events/odd").status_code == 200) == (not job["errors"])


def test_a_token_of_several_sources_says_which(site: Gateway, intake: Intake) -> None:
    assert site.post(document(MADE), "wms").status_code == 400
    site.capture(MADE, who="wms", Quayside_Source="wms-2")
    assert {event.source for event in intake.live()} == {"wms-2"}


def test_a_job_waits_until_the_intake_answers(tmp_path: Path, intake: Intake) -> None:
    intake.failures = 3
    captures = Captures(tmp_path / "captures.sqlite")
    capturing = Capturing(intake, captures, first_wait=0.001)
    capturing.add(Job("j", "acme", ACME, "rollback", document(MADE), capturing.now()))
    asyncio.run(capturing.work("j"))
    job = captures.job("j")
    assert job is not None
    assert job.as_dict()["success"]
    assert World(intake.live()).on_hand(DRILL_ITEM, HERE_GLN) == 2_000
    captures.close()


class Killed(BaseException):
    """Ends a process at this very place."""


@pytest.mark.parametrize("step", ["prepare", "dry run", "stage", "publish", "sent", "finish"])
def test_a_kill_between_two_steps_leaves_a_job_that_goes_on(
    tmp_path: Path, intake: Intake, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "gateway" / "captures.sqlite"
    captures = Captures(path)
    capturing = Capturing(intake, captures)
    capturing.add(Job("j", "acme", ACME, "rollback", document(MADE, shipped("left", 3, TWO)), capturing.now()))

    def die(*_: Any, **__: Any) -> None:
        raise Killed

    take = intake.take

    async def die_at(grant: Grant, raws: Sequence[bytes], *, dry_run: bool = False, keep_refused: bool = True) -> Any:
        if dry_run == (step == "dry run"):
            await take(grant, raws, dry_run=dry_run, keep_refused=keep_refused)
            raise Killed
        return await take(grant, raws, dry_run=dry_run, keep_refused=keep_refused)

    with monkeypatch.context() as patched:
        if step in {"dry run", "publish"}:
            patched.setattr(intake, "take", die_at)
        else:
            owner = Capturing if step == "prepare" else Captures
            patched.setattr(owner, "_prepare" if step == "prepare" else step, die)
        with pytest.raises(Killed):
            asyncio.run(capturing.work("j"))
    captures.close()
    with gateway(tmp_path, intake) as site:
        job = site.job("/v1/epcis/capture/j", "acme")
        assert (job["success"], job["errors"]) == (True, [])
    assert World(intake.live()).in_transit(DRILL_ITEM) == 2_000
    assert len({(event.source, event.event_id) for event in intake.live()}) == len(set(intake.raws)) == 3


def test_the_gateway_itself_publishes_what_follows_and_its_corrections(tmp_path: Path) -> None:
    async def run() -> tuple[list[dict[str, Any]], list[Spooled]]:
        jobs = []
        async with gate(tmp_path) as found, found.app.router.lifespan_context(found.app):
            for events in (
                [MADE, shipped("left", 3, [PALLET])],
                [put("packed", 2, PALLET, TWO)],
                [put("more", 1, CASE, TWO)],
            ):
                answer = await found.post(document(*events), "/v1/epcis/capture", content_type=JSON_LD)
                assert answer.status == 202, answer.body
                while (job := (await found.call("GET", answer.headers["location"])).json())["running"]:  # noqa: ASYNC110  # over HTTP there is nothing to wait for
                    await asyncio.sleep(0.005)
                jobs.append(job)
            await found.all_sent()
            return jobs, found.publisher.records

    jobs, records = asyncio.run(run())
    assert [job["errors"] for job in jobs] == [[], [], []]
    events: dict[str, Event] = {}
    for record in records:
        event = judge(record.topic, record.value)
        assert not isinstance(event, Rejection)
        assert record.key == event.entity_key().encode()
        events[event.event_id] = event
    assert World(events.values()).in_transit(DRILL_ITEM) == 2_000
    assert len(records) == len(events) + 1  # the milestone was told again, with its lines


def test_a_store_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    (tmp_path / "captures.sqlite").write_bytes(b"no database" * 1_000)
    with pytest.raises(WrongInput, match=r"cannot be opened"):
        Captures(tmp_path / "captures.sqlite")


async def _until_it_ended(capturing: Capturing, captures: Captures) -> None:
    """Run the worker until the job has ended; fails where it never does."""
    work = asyncio.create_task(capturing.run())
    for _ in range(2_000):
        job = captures.job("j")
        assert job is not None
        if job.state == "finished" or work.done():
            break
        await asyncio.sleep(0.005)
    assert not work.done()
    work.cancel()


@pytest.mark.parametrize("step", ["unfinished", "job", "stage", "unsaid", "sent", "finish"])
@pytest.mark.parametrize("error", [sqlite3.OperationalError("database or disk is full"), OSError(28, "No space left")])
def test_a_store_that_fails_for_a_while_costs_no_job(
    tmp_path: Path, intake: Intake, step: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    captures = Captures(tmp_path / "captures.sqlite")
    capturing = Capturing(intake, captures, first_wait=0.001)
    capturing.add(Job("j", "acme", ACME, "rollback", document(MADE), capturing.now()))
    whole, failures = getattr(captures, step), [error] * 3

    def fails(*args: Any, **named: Any) -> Any:
        if failures and threading.current_thread() is not threading.main_thread():  # and not where the test asks
            raise failures.pop()
        return whole(*args, **named)

    monkeypatch.setattr(captures, step, fails)
    asyncio.run(_until_it_ended(capturing, captures))
    job = captures.job("j")
    assert job is not None
    assert (job.as_dict()["success"], failures) == (True, [])
    assert World(intake.live()).on_hand(DRILL_ITEM, HERE_GLN) == 2_000
    captures.close()


def test_a_full_disk_leaves_no_transaction_open(tmp_path: Path, intake: Intake) -> None:
    captures = Captures(tmp_path / "captures.sqlite")
    capturing = Capturing(intake, captures)
    pages = captures._db.execute("PRAGMA page_count").fetchone()[0]  # a disk that is full, and again is not
    captures._db.execute(f"PRAGMA max_page_count = {pages + 1}")
    job = Job("j", "acme", ACME, "rollback", b"x" * 100_000, capturing.now())
    with pytest.raises(sqlite3.OperationalError, match="full"):
        capturing.add(job)
    captures._db.execute("PRAGMA max_page_count = 100000")
    capturing.add(job)
    assert captures.unfinished() == ["j"]
    captures.close()


def test_a_store_that_cannot_be_used_is_told_as_503(site: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    for name in ("add", "event", "job"):
        monkeypatch.setattr(Captures, name, fails)
    answers = [site.post(document(MADE)), site.get("/v1/epcis/capture/j"), site.get("/v1/epcis/events/made")]
    assert [(answer.status_code, answer.headers["Retry-After"]) for answer in answers] == [(503, "5")] * 3


@pytest.mark.parametrize(
    "body",
    [
        b'{"type": "ObjectEvent", "example:note": 1e99999999999999999999}',
        b'{"type": "EPCISDocument", "schemaVersion": "\\ud800", "epcisBody": {"eventList": []}}',
        b'{"type": "\\ud800"}',
    ],
)
def test_numbers_and_texts_that_nobody_can_keep_are_a_400(site: Gateway, body: bytes) -> None:
    assert site.post(body).status_code == 400


@pytest.mark.parametrize(
    "odd",
    [
        {"type": "\ud800"},
        {"type": "ObjectEvent", "eventID": "\ud800"},
        {"type": "ObjectEvent", "\ud800": 1},
        {**MADE, "eventID": "odd", "bizLocation": {"id": "http://["}},
        {**MADE, "eventID": "odd", "bizTransactionList": [{"type": "po", "bizTransaction": "http://["}]},
        {**MADE, "eventID": "odd", "epcList": ["https://[x"]},
    ],
)
def test_odd_texts_of_one_event_cost_no_other(site: Gateway, intake: Intake, odd: dict[str, Any]) -> None:
    job = site.capture(odd, MADE, GS1_Capture_Error_Behaviour="proceed")
    assert "made" in {event.attributes["epcis_event_id"] for event in intake.live()}
    assert all(error["status"] == 400 for error in job["errors"])


def test_what_becomes_of_anothers_movement_is_not_told(site: Gateway, intake: Intake) -> None:
    site.capture(received("came", 9, [PALLET]), who="wms", Quayside_Source="wms")
    movement = f"came#received/{DRILL_ITEM}/EA"
    intake.refused = {movement}
    job = site.capture(put("packed", 2, PALLET, TWO))
    assert job["success"]
    assert "came" not in json.dumps(job["warnings"])
    assert movement not in {event.event_id for event in intake.live()}
    own = site.capture(put("again", 3, PALLET, TWO), who="wms", Quayside_Source="wms")
    assert movement in json.dumps(own["warnings"])


def test_one_gateway_works_off_the_jobs_and_the_next_one_after_it(tmp_path: Path, intake: Intake) -> None:
    async def run() -> list[str]:
        path = tmp_path / "captures.sqlite"
        first, second = Captures(path), Captures(path)
        assert first.hold()
        capturing = Capturing(intake, second, first_wait=0.001)
        work = asyncio.create_task(capturing.run())
        capturing.add(Job("j", "acme", ACME, "rollback", document(MADE), capturing.now()))
        capturing.wake()
        await asyncio.sleep(0.05)
        states = [job.state for job in [second.job("j")] if job]
        first.close()
        while (job := second.job("j")) is not None and job.state != "finished" and not work.done():  # noqa: ASYNC110  # it is asked as a client asks
            await asyncio.sleep(0.005)
        work.cancel()
        second.close()
        return [*states, job.state if job else ""]

    assert asyncio.run(run()) == ["new", "finished"]
