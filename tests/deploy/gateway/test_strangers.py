"""What is somebody's own: another token reads nothing of it, and cannot guess it from how it is refused."""

import asyncio
import json
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final

import pytest

from deploy.gateway import routes
from deploy.gateway.told import Told
from deploy.tokens import TokenFile
from tests.deploy.gateway.gate import Gate, event, gate
from tests.deploy.gateway.serving import Served, serving
from tests.schemas.epcis.making import DRILL, HERE, document, epcis

MADE: Final = epcis(
    "ObjectEvent", "made", 1, action="ADD", bizStep="commissioning", epcList=[f"{DRILL}1"], bizLocation={"id": HERE}
)


def test_of_anothers_event_the_answer_is_that_of_one_that_does_not_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def status_of(_: Any, source: str, event_id: str) -> Told | None:
        asked.append(source)
        if event_id != "there":
            return None
        return Told(source, event_id, "accepted", "warehouse.events", "BER|acme:1", "received", 1, 2, 3, 3, 1)

    monkeypatch.setattr(routes, "status_of", status_of)

    async def tried(one: Gate) -> None:
        assert (await one.post(event("there"))).status == 202
        stranger = TokenFile(tmp_path / "tokens.json").create("globex", ["globex"]).secret
        found = [await one.call("GET", f"/v1/events/acme/{name}", who=stranger) for name in ("there", "never")]
        assert {(answer.status, answer.body, *answer.headers.items()) for answer in found} == {
            (403, found[0].body, *found[0].headers.items())
        }
        assert not asked, "how long the history takes tells whether it is there"
        said = [await one.post(event(name), who=stranger) for name in ("there", "never")]
        assert [answer.status for answer in said] == [403, 403]
        assert said[0].body == said[1].body.replace(b"never", b"there")
        own = [await one.call("GET", f"/v1/events/globex/{name}", who=stranger) for name in ("never",)]
        assert own[0].status == 404
        assert (await one.call("GET", "/v1/events/acme/there")).status == 200

    async def run() -> None:
        async with gate(tmp_path) as one:
            await tried(one)

    asyncio.run(run())


def test_another_tokens_key_gets_no_answer_of_ours(tmp_path: Path) -> None:
    async def run() -> None:
        async with gate(tmp_path) as one:
            stranger = TokenFile(tmp_path / "tokens.json").create("globex", ["globex"]).secret
            assert (await one.post(event("a"), idempotency_key="k")).status == 202
            answer = await one.post(event("a"), idempotency_key="k", who=stranger)
            assert answer.status == 403
            assert "idempotent-replay" not in answer.headers
            assert [receipt["cause"] for receipt in answer.json()["receipts"]] == ["forbidden"]

    asyncio.run(run())


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("gateway")) as one:
        yield one


def ask(served: Served, method: str, path: str, token: str, body: bytes | None = None) -> tuple[int, bytes, str]:
    """Status, body and Location of an answer."""
    connection = HTTPConnection(served.address.removeprefix("http://"), timeout=30)
    try:
        headers = {**served.authorized(token), "Content-Type": "application/ld+json", "Quayside-Source": "acme"}
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers["Location"] or ""
    finally:
        connection.close()


def test_anothers_captures_and_their_events_do_not_exist(served: Served) -> None:
    status, _, job = ask(served, "POST", "/v1/epcis/capture", "acme", document(MADE))
    assert status == 202
    deadline = time.monotonic() + 30
    while (told := json.loads(ask(served, "GET", job, "acme")[1]))["running"]:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert told["success"], told
    never = "0" * 32
    there, not_there = (ask(served, "GET", f"/v1/epcis/capture/{one}", "any") for one in (job[-32:], never))
    assert there[0] == not_there[0] == 404
    assert there[1].replace(job[-32:].encode(), never.encode()) == not_there[1]
    assert ask(served, "GET", "/v1/epcis/events/made", "acme")[0] == 200
    there, not_there = (ask(served, "GET", f"/v1/epcis/events/{one}", "any") for one in ("made", "none"))
    assert there[0] == not_there[0] == 404
    assert there[1].replace(b"made", b"none") == not_there[1]
