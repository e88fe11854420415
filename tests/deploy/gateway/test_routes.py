"""The gateway's answers, status by status."""

import asyncio
import gzip
import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard

from deploy.gateway import routes
from deploy.gateway.app import make_app
from deploy.gateway.commits import QUEUE_RECORDS, BrokerCommits, SpoolCommits
from deploy.gateway.told import Rejected, Told
from deploy.spool import read_spool, spool_files
from schemas.derived import DeadLetter
from schemas.errors import Unreachable, WrongInput
from tests.deploy.gateway.gate import Answer, Gate, Noting, event, gate, until

Tried = Callable[[Gate], Awaitable[None]]


def on_a_gate(folder: Path, tried: Tried, **parts: Any) -> None:
    async def run() -> None:
        async with gate(folder, **parts) as one:
            await asyncio.wait_for(tried(one), 20)

    asyncio.run(run())


def problem(answer: Answer, status: int, kind: str) -> dict[str, Any]:
    """The problem document of an answer with this status."""
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "application/problem+json"
    told: dict[str, Any] = answer.json()
    assert told["type"] == f"urn:quayside:problem:{kind}"
    assert told["status"] == status
    assert told["detail"].endswith("."), told
    return told


def test_what_is_accepted_is_in_the_spool_before_it_is_told_and_with_the_broker_after(tmp_path: Path) -> None:
    async def tried(one: Gate) -> None:
        one.publisher.held = asyncio.Event()
        raw = event("a/1").replace(b", ", b" , ")
        answer = await one.post(raw)
        assert answer.status == 202
        assert answer.json() == {
            "accepted": 1,
            "refused": 0,
            "dry_run": False,
            "receipts": [
                {
                    "index": 0,
                    "status": "accepted",
                    "source": "acme",
                    "event_id": "a/1",
                    "topic": "warehouse.events",
                    "cause": "",
                    "field": "",
                    "reason": "",
                }
            ],
        }
        (file,) = spool_files(tmp_path / "spool")
        ((kept,),) = read_spool(file)
        assert (kept.topic, kept.key, kept.value) == ("warehouse.events", b"BER|acme:1", raw)
        assert one.publisher.records == []
        one.publisher.held.set()
        await one.all_sent()
        assert one.publisher.records == [kept]

    on_a_gate(tmp_path, tried)


def test_each_event_is_judged_by_itself_and_what_is_refused_is_kept(tmp_path: Path) -> None:
    async def tried(one: Gate) -> None:
        bad = event("a/2", quantity=-1)
        answer = await one.post(b"[" + b",".join([event("a/1"), bad, event("x", "other"), event("a/3")]) + b"]")
        assert answer.status == 207
        told = answer.json()
        assert (told["accepted"], told["refused"]) == (2, 2)
        found = [(receipt["index"], receipt["cause"], receipt["field"]) for receipt in told["receipts"]]
        assert found == [(0, "", ""), (1, "invalid", "quantity"), (2, "forbidden", "source"), (3, "", "")]
        await one.all_sent()
        letters = [msgspec.json.decode(kept.value, type=DeadLetter) for kept in one.publisher.records[2:]]
        assert [(letter.value, letter.origin, letter.cause) for letter in letters] == [(bad, "gateway:acme", "invalid")]

    on_a_gate(tmp_path, tried)


def test_nothing_accepted_is_422_and_nothing_allowed_is_403(tmp_path: Path) -> None:
    async def tried(one: Gate) -> None:
        refused = problem(await one.post(event("a/2", quantity=-1)), 422, "refused")
        assert refused["receipts"][0]["field"] == "quantity"
        forbidden = problem(await one.post(event("a/2", "other")), 403, "forbidden")
        assert forbidden["receipts"][0]["cause"] == "forbidden"
        for said in ({"source": "other", "type": "nonsense"}, {"source": "other", "type": "received"}):
            assert problem(await one.post(json.dumps(said).encode()), 403, "forbidden")["refused"] == 1
        reference = event("s/1", type="site_described")
        assert problem(await one.post(reference), 403, "forbidden")["receipts"][0]["field"] == "type"
        await one.all_sent()
        assert len(one.publisher.records) == 1, "only the first one is kept, as a dead letter"

    on_a_gate(tmp_path, tried)


def test_a_dry_run_decides_everything_and_keeps_nothing(tmp_path: Path) -> None:
    async def tried(one: Gate) -> None:
        body = b"[" + event("a/1") + b"," + event("a/2", quantity=-1) + b"]"
        answer = await one.post(body, "/v1/events?dry_run=true")
        assert answer.status == 207
        assert answer.json()["dry_run"] is True
        assert (await one.post(event("a/1", site="HAM"))).status == 202, "a dry run was taken for a statement"
        await one.all_sent()
        assert [kept.key for kept in one.publisher.records] == [b"HAM|acme:1"]
        twice = b"[" + event("b/1") + b"," + event("b/1", site="HAM") + b"]"
        assert (await one.post(twice, "/v1/events?dry_run=1")).status == 207
        problem(await one.post(body, "/v1/events?dry_run=perhaps"), 400, "bad-request")

    on_a_gate(tmp_path, tried)


@pytest.mark.parametrize("encoding", ["identity", "gzip", "zstd"])
def test_lines_come_compressed_or_not(tmp_path: Path, encoding: str) -> None:
    async def tried(one: Gate) -> None:
        body = b"\n".join([event("a/1"), b"", b"{broken", event("a/2")])
        packed = {"gzip": gzip.compress(body), "zstd": zstandard.compress(body), "identity": body}[encoding]
        answer = await one.post(packed, content_type="application/x-ndjson", content_encoding=encoding)
        assert answer.status == 207
        assert [receipt["cause"] for receipt in answer.json()["receipts"]] == ["", "not_json", ""]

    on_a_gate(tmp_path, tried)


def test_a_correction_keeps_its_place(tmp_path: Path) -> None:
    async def tried(one: Gate) -> None:
        assert (await one.post(event("a/1"))).status == 202
        assert (await one.post(event("a/1", quantity=2, recorded_at="2026-01-02T00:00:00Z"))).status == 202
        moved = problem(await one.post(event("a/1", site="HAM")), 422, "refused")
        assert "a correction keeps its key" in moved["receipts"][0]["reason"]

    on_a_gate(tmp_path, tried)


def test_without_a_good_token_everything_is_the_same_401(tmp_path: Path) -> None:
    async def tried(one: Gate) -> None:
        answers = [
            await one.post(event("a/1"), who=None),
            await one.post(event("a/1"), who="qs_" + "x" * 43),
            await one.post(event("a/1"), who=None, authorization="Basic YTpi"),
            await one.call("GET", "/v1/events/acme/1", who=None),
            await one.call("GET", "/v1/rejections", who="nonsense"),
        ]
        for answer in answers:
            problem(answer, 401, "unauthorized")
            assert answer.headers["www-authenticate"].startswith("Bearer")
            assert answer.body == answers[0].body

    on_a_gate(tmp_path, tried)


def test_a_body_that_cannot_be_read_is_refused_by_what_is_wrong_with_it(tmp_path: Path) -> None:
    async def tried(one: Gate) -> None:
        problem(await one.post(b"{"), 400, "bad-request")
        problem(await one.post(b""), 400, "bad-request")
        problem(await one.post(b"[" * 90_000), 400, "bad-request")
        problem(await one.post(event("a"), content_type="text/csv"), 415, "unsupported")
        problem(await one.post(event("a"), content_encoding="br"), 415, "unsupported")
        problem(await one.post([b" " * 30_000] * 5), 413, "too-large")
        problem(await one.post(event("a"), content_length="100001"), 413, "too-large")
        bomb = gzip.compress(b" " * 10_000_000)
        problem(await one.post(bomb, content_encoding="gzip"), 413, "too-large")
        problem(await one.post(b"[" + b"1," * 20_000 + b"1]"), 413, "too-large")
        assert one.parts.tally.bytes_in_hand == 0

    on_a_gate(tmp_path, tried, max_bytes=100_000)


@pytest.mark.parametrize(
    "bad",
    [
        event("a", quantity=0).replace(b'"quantity": 0', b'"quantity": ' + b"9" * 800_000),
        event("a", quantity=0).replace(b'"quantity": 0', b'"quantity": 1e999999999'),
        event("a", quantity=0).replace(b'"quantity": 0', b'"quantity": -' + b"1" * 5_000),
        event("a", attributes={"x": "y"}).replace(b'"y"', b"[" * 50_000 + b"]" * 50_000),
        event("a").replace(b"BER", b"B\xffR"),
        event("a").replace(b"BER", b"B\\ud800R"),
        event("a", text="x" * 1_000_000),
        b"{}",
        b'{"event_id": {"a": []}, "source": ["acme"], "type": 3}',
        b"[1]",
        b"[null, true, []]",
    ],
    ids=lambda bad: f"{len(bad)} bytes, {bad[-20:]!r}",
)
def test_whatever_is_in_an_event_costs_that_event_only(tmp_path: Path, bad: bytes) -> None:
    async def tried(one: Gate) -> None:
        answer = await one.post(bad)
        assert answer.status in {400, 422}, answer
        assert json.loads(answer.body)["detail"].endswith(".")
        answer = await one.post(b"\n".join([bad, event("good")]), content_type="application/x-ndjson")
        assert answer.status == 207, answer
        await one.all_sent()
        assert one.publisher.records[-1].topic in {"warehouse.events", "dead.letters"}

    on_a_gate(tmp_path, tried)


def test_a_body_that_does_not_come_is_408(tmp_path: Path) -> None:
    async def tried(one: Gate) -> None:
        problem(await one.post([]), 408, "timeout")

    on_a_gate(tmp_path, tried)


def test_too_fast_is_429_and_says_when_to_come_again(tmp_path: Path) -> None:
    async def tried(one: Gate) -> None:
        body = b"\n".join(event(f"a/{number}") for number in range(20))
        answer = await one.post(body, content_type="application/x-ndjson")
        assert answer.status == 202, "more than the burst goes at once when nothing went before"
        answer = await one.post(event("b"))
        problem(answer, 429, "too-fast")
        assert 1 <= int(answer.headers["retry-after"]) <= 20
        problem(await one.call("GET", "/v1/rejections"), 429, "too-fast")
        assert (await one.post(event("b"), who="any")).status == 202, "another token's rate is its own"

    on_a_gate(tmp_path, tried, events_per_s=1, burst=10)


def test_the_same_key_gets_the_same_answer(tmp_path: Path) -> None:
    async def tried(one: Gate) -> None:
        first = await one.post(event("a/1"), idempotency_key="k")
        again = await one.post(event("a/1"), idempotency_key="k")
        assert (first.status, again.status) == (202, 202)
        assert again.body == first.body
        assert again.headers["idempotent-replay"] == "true"
        assert "idempotent-replay" not in first.headers
        problem(await one.post(event("a/2"), idempotency_key="k"), 422, "refused")
        other = await one.post(event("a/2"), idempotency_key="k", who="any")
        assert other.status == 202, "a key is a token's own"
        refused = await one.post(event("a/3", quantity=-1), idempotency_key="r")
        replayed = await one.post(event("a/3", quantity=-1), idempotency_key="r")
        assert (refused.status, replayed.status, refused.body) == (422, 422, replayed.body)
        packed = await one.post(gzip.compress(event("a/1")), idempotency_key="k", content_encoding="gzip")
        assert packed.headers["idempotent-replay"] == "true", "how a body is packed says nothing else"
        problem(await one.post(event("a/1"), idempotency_key="x" * 256), 400, "bad-request")
        await one.all_sent()
        assert len([kept for kept in one.publisher.records if kept.topic == "warehouse.events"]) == 2

    on_a_gate(tmp_path, tried)


def test_a_key_under_way_is_409_and_one_without_an_answer_is_free_again(tmp_path: Path) -> None:
    publisher = Noting(held=asyncio.Event())

    async def tried(one: Gate) -> None:
        first = asyncio.create_task(one.post(event("a/1"), idempotency_key="k"))
        await until(lambda: publisher.sends)
        answer = await one.post(event("a/1"), idempotency_key="k")
        problem(answer, 409, "conflict")
        assert answer.headers["retry-after"] == "1"
        publisher.away = True
        assert publisher.held is not None
        publisher.held.set()
        problem(await first, 503, "busy")
        publisher.away = False
        await asyncio.sleep(0.02)
        assert (await one.post(event("a/1"), idempotency_key="k")).status == 202

    on_a_gate(tmp_path, tried, publisher=publisher, commits=BrokerCommits(publisher, lambda: None, away=0.01))


def test_a_kafka_that_is_away_is_503_and_heals_by_itself(tmp_path: Path) -> None:
    publisher = Noting(away=True)

    async def tried(one: Gate) -> None:
        answer = await one.post(event("a/1"))
        problem(answer, 503, "busy")
        assert answer.headers["retry-after"] == "1"
        sends = publisher.sends
        problem(await one.post(event("a/1")), 503, "busy")
        assert publisher.sends == sends, "for a moment nobody waits for what is not there"
        ready = await one.call("GET", "/ready", who=None)
        assert (ready.status, ready.json()["ready"]) == (503, False)
        publisher.away = False
        await asyncio.sleep(0.06)
        assert (await one.post(event("a/1", site="HAM"))).status == 202, "what was not kept was not said"
        assert (await one.call("GET", "/ready", who=None)).status == 200

    on_a_gate(tmp_path, tried, publisher=publisher, commits=BrokerCommits(publisher, lambda: None, away=0.05))


def test_a_spool_that_cannot_be_written_is_503_and_heals_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def tried(one: Gate) -> None:
        assert (await one.post(event("a/1"))).status == 202
        sync = os.fsync

        def full(_: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        problem(await one.post(event("a/2")), 503, "busy")
        assert (await one.call("GET", "/ready", who=None)).status == 503
        monkeypatch.setattr(os, "fsync", sync)
        assert (await one.post(event("a/3"))).status == 202
        await one.all_sent()
        (file,) = spool_files(tmp_path / "spool")
        kept = [json.loads(record.value)["event_id"] for batch in read_spool(file) for record in batch]
        assert kept == ["a/1", "a/3"], "half a frame hides what comes behind it"

    on_a_gate(tmp_path, tried)


def test_too_much_between_spool_and_broker_is_503(tmp_path: Path) -> None:
    publisher = Noting()
    commits = SpoolCommits(tmp_path / "spool", publisher)

    async def tried(one: Gate) -> None:
        commits.queued = QUEUE_RECORDS + 1
        answer = await one.post(event("a/1"))
        problem(answer, 503, "busy")
        assert answer.headers["retry-after"] == "2"
        assert (await one.post(event("a/1"), "/v1/events?dry_run=true")).status == 202
        commits.queued = 0
        assert (await one.post(event("a/1"))).status == 202

    on_a_gate(tmp_path, tried, publisher=publisher, commits=commits)


def test_a_broken_token_file_lets_nobody_in(tmp_path: Path) -> None:
    async def tried(one: Gate) -> None:
        (tmp_path / "tokens.json").write_text("{")
        problem(await one.post(event("a/1")), 503, "busy")

    on_a_gate(tmp_path, tried)


def told_of(event_id: str, arrived: int) -> Told:
    return Told("acme", event_id, "accepted", "warehouse.events", "BER|acme:1", "received", 1, 2, arrived, arrived, 1)


def test_an_event_is_pending_until_the_history_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []
    known: dict[str, Told] = {}

    def status_of(_: Any, source: str, event_id: str) -> Told | None:
        asked.append((source, event_id))
        return known.get(event_id)

    monkeypatch.setattr(routes, "status_of", status_of)

    async def tried(one: Gate) -> None:
        problem(await one.call("GET", "/v1/events/acme/a/1"), 404, "not-found")
        assert (await one.post(event("a/1"))).status == 202
        answer = await one.call("GET", "/v1/events/acme/a/1")
        assert (answer.status, answer.json()["state"], answer.json()["pending"]) == (200, "pending", True)
        known["a/1"] = told_of("a/1", 1)
        answer = await one.call("GET", "/v1/events/acme/a/1")
        assert (answer.json()["state"], answer.json()["pending"]) == ("accepted", True)
        known["a/1"] = told_of("a/1", 2**42)
        assert (await one.call("GET", "/v1/events/acme/a/1")).json()["pending"] is False

    on_a_gate(tmp_path, tried)
    assert asked[0] == ("acme", "a/1")


def test_nobody_is_told_of_another_source_whether_it_is_there_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "status_of", lambda _, source, event_id: told_of(event_id, 1) if source else None)

    async def tried(one: Gate) -> None:
        answers = [await one.call("GET", f"/v1/events/other/{event_id}") for event_id in ("a", "b")]
        for answer in answers:
            problem(answer, 403, "forbidden")
        assert answers[0].body == answers[1].body
        assert (await one.call("GET", "/v1/events/other/a", who="any")).status == 200
        slashed = await one.call("GET", "/v1/events/a%2Fb/c%2F/d", who="any")
        assert slashed.json()["event_id"] == "c//d", slashed
        problem(await one.call("GET", "/v1/events/%ff/a", who="any"), 400, "bad-request")

    on_a_gate(tmp_path, tried)


def test_rejections_are_those_of_the_tokens_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def rejections(_: Any, sources: Any, since: int, most: int, *, token: str) -> list[Rejected]:
        asked.append((sources, most, token))
        one = Rejected("dead", "1/x/0/1", since + 5, "x", "gateway:acme", "acme", "a", "invalid", "f", "Why.", None)
        return [one] if most == 1 else []

    monkeypatch.setattr(routes, "rejections", rejections)

    async def tried(one: Gate) -> None:
        answer = await one.call("GET", "/v1/rejections?since=2026-01-01T00:00:00Z&limit=1")
        assert answer.status == 200
        assert answer.json()["next_since"] == "2026-01-01T00:00:00.006Z"
        assert answer.json()["more"] is True
        assert answer.json()["rejections"][0]["cause"] == "invalid"
        answer = await one.call("GET", "/v1/rejections?since=2h", who="any")
        assert answer.json()["rejections"] == []
        assert asked == [(("acme",), 1, "acme"), (("*",), 100, "any")]
        for wrong in ("since=yesterday", "limit=0", "limit=1001", "limit=x", "limit=%C2%B2", "since=99999999999999d"):
            assert (await one.call("GET", f"/v1/rejections?{wrong}")).status in {200, 400}, wrong
        problem(await one.call("GET", "/v1/rejections?limit=0"), 400, "bad-request")

    on_a_gate(tmp_path, tried)


@pytest.mark.parametrize("failure", [Unreachable("The store is away."), WrongInput("The tables are not made.")])
def test_a_history_that_is_away_is_503(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise failure

    monkeypatch.setattr(routes, "status_of", away)
    monkeypatch.setattr(routes, "rejections", away)

    async def tried(one: Gate) -> None:
        for path in ("/v1/events/acme/a", "/v1/rejections"):
            answer = await one.call("GET", path)
            problem(answer, 503, "busy")
            assert int(answer.headers["retry-after"]) >= 1

    on_a_gate(tmp_path, tried)


def test_events_are_taken_unchecked_while_the_history_is_away(tmp_path: Path) -> None:
    class Away:
        def query(self, *_: Any, **__: Any) -> None:
            raise Unreachable("The store is away.")

    async def tried(one: Gate) -> None:
        assert (await one.post(event("a/1"))).status == 202
        assert one.parts.tally.unchecked == 1

    on_a_gate(tmp_path, tried, store=Away())


def test_metrics_name_sources_and_are_told_to_this_machine_only(tmp_path: Path) -> None:
    async def tried(one: Gate) -> None:
        one.app = make_app(replace(one.parts, among_us=False))
        told = await one.call("GET", "/metrics", who=None)
        assert (told.status, "on this machine only" in told.json()["detail"]) == (404, True)
        assert (await one.call("GET", "/health", who=None)).status == 200

    on_a_gate(tmp_path, tried)


def test_what_it_tells_of_itself_needs_no_token(tmp_path: Path) -> None:
    async def tried(one: Gate) -> None:
        await one.post(b"[" + event("a/1") + b"," + event("x", "other") + b"]")
        health = await one.call("GET", "/health", who=None)
        assert (health.status, health.json()["status"]) == (200, "ok")
        metrics = (await one.call("GET", "/metrics", who=None)).body.decode()
        assert 'quayside_gateway_events_total{outcome="accepted",source="acme"} 1.0' in metrics
        assert 'quayside_gateway_events_total{outcome="forbidden",source=""} 1.0' in metrics
        assert 'quayside_gateway_requests_total{route="/v1/events",status="207"} 1.0' in metrics
        problem(await one.call("GET", "/nothing", who=None), 404, "not-found")
        answer = await one.call("DELETE", "/v1/events")
        problem(answer, 405, "method-not-allowed")
        assert answer.headers["allow"] == "POST"

    on_a_gate(tmp_path, tried)


def test_a_mistake_of_ours_is_a_problem_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise KeyError("x")

    monkeypatch.setattr(routes, "status_of", broken)

    async def tried(one: Gate) -> None:
        with pytest.raises(KeyError):  # answered, and then raised for the log
            await one.call("GET", "/v1/events/acme/a")
        assert one.parts.tally.requests["/v1/events/{source}/{event_id:path}", 500] == 1

    on_a_gate(tmp_path, tried)
