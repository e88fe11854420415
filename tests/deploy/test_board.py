"""The live board's server: pages, dashboards, and questions that name a place in a dashboard and never SQL."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from dashboards.live.questions import Question, dashboards, statement
from deploy import board as served
from deploy.board import open_board
from schemas.errors import WrongInput
from tests.deploy.at_server import TOWER, question


def asked(
    monkeypatch: pytest.MonkeyPatch, work: Callable[[aiohttp.ClientSession, str], Coroutine[Any, Any, Any]]
) -> tuple[Any, list[str]]:
    """What the work returns, and the statements that reached the store."""
    statements: list[str] = []

    def answered(_: Path | None, sql: str) -> dict[str, Any]:
        statements.append(sql)
        return {"columns": [{"name": "late", "type": "UInt64"}], "rows": [[3]]}

    monkeypatch.setattr(served, "_asked", answered)

    async def run() -> Any:
        runner, port = await open_board(None, 0)
        try:
            async with aiohttp.ClientSession() as session:
                return await work(session, f"http://127.0.0.1:{port}")
        finally:
            await runner.cleanup()

    return asyncio.run(run()), statements


def test_every_panel_variable_and_annotation_of_every_dashboard_has_a_statement() -> None:
    count = 0
    for uid, board in dashboards().items():
        chosen = {one["name"]: ("$__all",) for one in board["templating"]["list"]}
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                told = statement(question(uid, "panel", str(panel["id"]), target["refId"], chosen))
                assert "$__" not in told
                count += 1
        for one in board["templating"]["list"]:
            if one["type"] == "query":
                assert statement(question(uid, "variable", one["name"], "A", chosen))
        for one in board["annotations"]["list"]:
            assert statement(question(uid, "annotation", one["name"], "A", chosen))
    assert count > 20


def test_what_is_chosen_reaches_the_statement_quoted() -> None:
    panel = next(
        (one["id"], target["refId"])
        for one in dashboards()[TOWER]["panels"]
        for target in one.get("targets", ())
        if "lane" in target["rawSql"] and "conditionalAll" in target["rawSql"]
    )
    chosen = {"lane": ("A>B", "C'>D"), "carrier": ("$__all",)}
    told = statement(question(TOWER, "panel", str(panel[0]), panel[1], chosen))
    assert "'A>B','C\\'>D'" in told


@pytest.mark.parametrize(
    ("uid", "kind", "name"), [("nowhere", "panel", "1"), (TOWER, "panel", "9999"), (TOWER, "variable", "nothing")]
)
def test_a_place_that_no_dashboard_has_is_refused_with_a_sentence(uid: str, kind: Any, name: str) -> None:
    with pytest.raises(WrongInput, match=r"no (dashboard|panel|variable)"):
        statement(question(uid, kind, name, "A", {}))


def test_pages_and_answers_come_over_http(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(session: aiohttp.ClientSession, url: str) -> Any:
        pages = {}
        for path in ("/", f"/d/{TOWER}", "/pages/board.js", "/pages/board.css", "/plotly.min.js"):
            async with session.get(url + path) as answer:
                assert answer.status == 200
                assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
                pages[path] = await answer.text()
        async with session.get(f"{url}/api/dashboards") as answer:
            listed = await answer.json()
        body = {"dashboard": TOWER, "kind": "panel", "name": "1", "from_ms": 0, "to_ms": 1}
        async with session.post(f"{url}/api/ask", json=body) as answer:
            return pages, listed, await answer.json()

    (pages, listed, answer), statements = asked(monkeypatch, work)
    assert "plotly" in pages["/plotly.min.js"]
    assert {one["uid"] for one in listed} == set(dashboards())
    assert answer["rows"] == [[3]]
    assert len(statements) == 1


def test_questions_with_sql_or_nonsense_or_from_elsewhere_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    good = {"dashboard": TOWER, "kind": "panel", "name": "1", "from_ms": 0, "to_ms": 1}
    bodies = [b"{", b"\xff", json.dumps(good | {"sql": "SELECT 1"}).encode(), json.dumps(good | {"name": "x"}).encode()]

    async def work(session: aiohttp.ClientSession, url: str) -> list[int]:
        found = []
        for body in bodies:
            async with session.post(f"{url}/api/ask", data=body) as answer:
                found.append(answer.status)
                assert (await answer.json())["error"].endswith(".")
        async with session.post(f"{url}/api/ask", json=good, headers={"Host": "evil.example"}) as answer:
            found.append(answer.status)
        for path in ("/pages/../questions.py", "/pages/nothing.js", "/d/x/y/z"):
            async with session.get(url + path) as answer:
                found.append(answer.status)
        return found

    found, statements = asked(monkeypatch, work)
    assert (found, statements) == ([400, 400, 400, 400, 403, 404, 404, 404], [])


def test_a_question_is_what_a_browser_sends() -> None:
    assert Question(TOWER, "panel", "1", 0, 1) == question(TOWER, "panel", "1", "A", {}, to_ms=1)
