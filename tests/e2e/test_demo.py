"""The demo as a person meets it: it starts, tells that it is ready, stops when asked, and goes on where it was."""

import json
import signal
from collections.abc import Iterator
from typing import Final

import pytest

from deploy.demo_feed import DemoProgress
from tests.e2e.stack import Stack, await_
from tests.e2e.truth import assert_whole, emitted, history

pytestmark = pytest.mark.tansu

KEYS: Final = {
    "ready", "epoch", "kafka", "store", "gateway", "grafana", "events", "accepted", "repeated", "late", "dead",
    "shipments_open", "late_now", "positions", "lag", "processes",
}  # fmt: skip
"""What `status --json` promises at least."""

STOPS_WITHIN_S: Final = 10
"""A promise to people: Ctrl-C stops everything within ten seconds."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A demo that each test of this module takes a step further, in the order in which they stand."""
    stack = Stack(tmp_path_factory.mktemp("demo") / "data")
    yield stack
    stack.close()


@pytest.fixture(scope="module")
def first_run(demo: Stack) -> list[str]:
    """What `up --demo --for 20 --json` printed."""
    process = demo.begin("up", "--demo", "--seed", 3, "--for", 20, "--json")
    try:
        await_("the stack is ready", demo.is_ready, 60)
        demo.note()
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, err.decode()
    assert err == b""
    return out.decode().splitlines()


def test_a_demo_for_some_seconds_says_when_it_is_ready_and_ends_by_itself(demo: Stack, first_run: list[str]) -> None:
    assert first_run[0].startswith("ready in ")
    demo.assert_gone()
    assert demo.file() is None


def test_its_last_line_is_the_status(first_run: list[str]) -> None:
    status = json.loads(first_run[-1])
    assert set(status) >= KEYS
    assert status["ready"]
    assert status["events"] >= status["accepted"] > 10_000
    assert min(status["positions"], status["shipments_open"], status["dead"], status["repeated"]) > 0
    assert {process["name"] for process in status["processes"]} == {
        "broker",
        "store",
        "worker",
        "gateway",
        "demo",
        "board",
    }
    assert all(process["alive"] and process["restarts"] == 0 for process in status["processes"])


def test_a_demo_that_is_started_again_goes_on_and_ctrl_c_stops_it(demo: Stack, first_run: list[str]) -> None:
    told = json.loads(first_run[-1])
    before = DemoProgress.load(demo.data)
    assert before is not None
    process = demo.begin("up", "--demo", "--seed", 3)
    try:
        await_("the stack is ready", demo.is_ready, 60)
        demo.note()
        status = demo.status()
        assert status["accepted"] >= told["accepted"]
        assert status["dead"] >= told["dead"]
        assert status["epoch"] == told["epoch"] + 1
        await_("the demo goes on", lambda: taken(demo) > before.taken, 60)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=STOPS_WITHIN_S)
    finally:
        process.kill()
        process.wait()
    assert process.returncode in {0, 130}, err.decode()
    assert err == b""
    assert out.decode().splitlines()[-1].startswith("stopping")
    demo.assert_gone()


def test_everything_that_was_emitted_is_kept_and_the_views_follow_from_it(demo: Stack, first_run: list[str]) -> None:
    demo.up()
    demo.settled()
    assert len(emitted(demo)) >= json.loads(first_run[-1])["events"]
    assert_whole(demo)


def test_no_event_of_the_demo_is_later_than_its_arrival(demo: Stack, first_run: list[str]) -> None:
    assert first_run
    sql = "SELECT count() FROM {} WHERE recorded_at > appended_at + toIntervalSecond(1)"
    tables = ("supplier_events", "shipment_events", "warehouse_events")
    assert [demo.row(sql.format(table)) for table in tables] == [[0], [0], [0]]


def test_the_pieces_of_status_fit_together(demo: Stack) -> None:
    kept = history(demo)
    # A deadline may pass at any moment: what is told of it is on its way to the history then.
    await_("nothing lags", lambda: demo.status()["lag"] == 0)
    status = demo.status()
    assert status["accepted"] + status["repeated"] == len(kept)
    assert status["lag"] == status["lag_worker"] + status["lag_history"]
    assert status["late_now"] <= demo.row("SELECT count() FROM late_shipments")[0]  # time passes in between


def taken(stack: Stack) -> int:
    """How many emissions the demo has taken."""
    progress = DemoProgress.load(stack.data)
    return progress.taken if progress else 0
