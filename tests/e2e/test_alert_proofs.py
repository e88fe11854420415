"""Alerts on a running stack whose processes stop, die and come again; a stand-in for Grafana asks the gate.

What the rules do with every kind of news is in tests/dashboards/test_alert_proofs.py. Here the clock of the evaluations
is simulated too, but for the one measurement in real time (slow).
"""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from dashboards.alerts import AlertSettings
from dashboards.checking import Answer
from dashboards.provisioning import write_provisioning
from dashboards.thresholds import Thresholds, shipped
from deploy.dashboard_addresses import gate_address
from deploy.dashboard_check import answer_of
from deploy.gate_client import raw
from deploy.stackfile import require_running
from tests.dashboards.alerting import Alerting
from tests.dashboards.notifying import Hook, listening
from tests.e2e.stack import Stack, await_, running_stack
from tests.schemas.scms_files import SAMPLE

PAGE: Final = "quayside-late-by-lane"
FRESH: Final = "quayside-data-not-fresh"
LATE_RULES: Final = (PAGE, "quayside-late-by-lane-warning", "quayside-newly-late", "quayside-late-shipment")
LIMIT_S: Final = 60


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("alerts") / "data") as running:
        yield running


@pytest.fixture
def hook() -> Iterator[Hook]:
    with listening() as called:
        yield called


def said(shipment_id: str, lane: str, milestone: str, at: datetime, **more: Any) -> bytes:
    """A milestone that was reached, and told, then."""
    origin, _, destination = lane.partition(">")
    event = {
        "event_id": f"{shipment_id}/{milestone}",
        "source": "carrier",
        "type": "milestone",
        "occurred_at": at.isoformat(),
        "recorded_at": at.isoformat(),
        "shipment_id": shipment_id,
        "milestone": milestone,
        "classifier": "actual",
        "origin": origin,
        "destination": destination,
        "carrier": "BLUE",
    }
    return json.dumps(event | more).encode()


def left(shipment_id: str, lane: str, due: datetime) -> bytes:
    """A shipment that left two hours ago."""
    return said(shipment_id, lane, "departed", datetime.now(UTC) - timedelta(hours=2), promised_at=due.isoformat())


def grafana(stack: Stack, folder: Path, hook: Hook, *rules: str, thresholds: Thresholds | None = None) -> Alerting:
    """A stand-in that is started now and watches the stack, whether that is up or not."""
    told = stack.file()
    assert told is not None
    write_provisioning(folder, gate_address(told), hook.url, AlertSettings(thresholds or shipped()))

    def ask(sql: str) -> Answer:
        return answer_of(raw(require_running(stack.data), sql, "JSONCompact"))

    return Alerting(folder, ask, time.time(), rules=rules)


@contextmanager
def watched(alerting: Alerting) -> Iterator[None]:
    """Meanwhile every rule is evaluated over and over, ten seconds of Grafana's time after each other."""
    over = threading.Event()

    def watch() -> None:
        clock = alerting.due()
        while not over.is_set():
            alerting.run(clock)
            clock += 10

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def wait_past(moment: datetime) -> None:
    """Until a moment has passed."""
    time.sleep(max((moment - datetime.now(UTC)).total_seconds(), 0) + 0.1)


def lanes(hook: Hook, severity: str = "page") -> set[str]:
    """The lanes of the alerts that were sent."""
    return {one["labels"].get("lane", one["labels"]["alertname"]) for one in hook.alerts(severity=severity)}


def test_the_scms_replay_pages_nobody(stack: Stack, hook: Hook, tmp_path: Path) -> None:
    alerting = grafana(stack, tmp_path, hook, *LATE_RULES)
    with watched(alerting):
        stack.run("replay scms", SAMPLE, "--json", "--shuffle", 1).done()
    assert alerting.rules[PAGE].evaluations > 3
    assert [rule.errors for rule in alerting.rules.values() if rule.errors] == []
    assert hook.calls == []
    assert stack.status()["late_now"] == 0


def test_a_dead_worker_does_not_silence_the_page(stack: Stack, hook: Hook, tmp_path: Path) -> None:
    due = datetime.now(UTC) + timedelta(seconds=4)
    stack.publish([left("DEAD-1", "DEAD>WORKER", due)]).done()
    alerting = grafana(stack, tmp_path, hook, PAGE)
    worker = stack.pids()["worker"]
    os.kill(worker, signal.SIGSTOP)
    try:
        stack.publish([left("DEAD-2", "DEAD>WORKER", due)], "--no-wait").done()
        wait_past(due)
        alerting.run(time.time() + LIMIT_S)
        assert stack.query("SELECT shipment_id FROM shipments_now WHERE shipment_id = 'DEAD-2'") == []  # it is dead
    finally:
        os.kill(worker, signal.SIGCONT)
    assert "DEAD>WORKER" in lanes(hook)


def test_a_pipeline_in_which_nothing_comes_any_more_raises_the_alert_on_freshness(
    stack: Stack, hook: Hook, tmp_path: Path
) -> None:
    changed = shipped().model_dump() | {"not_fresh": {"age_s": 1, "for_s": 60}}
    alerting = grafana(stack, tmp_path, hook, FRESH, thresholds=Thresholds.model_validate(changed))
    stack.settled()
    time.sleep(1.1)
    alerting.run(time.time() + 3 * LIMIT_S)
    assert {one["labels"].get("what") for one in hook.alerts(alertname="data not fresh")} == {"events"}


@pytest.mark.slow
def test_a_restart_with_a_backlog_pages_nobody_for_what_has_arrived(stack: Stack, hook: Hook, tmp_path: Path) -> None:
    """Everything is killed with a hundred deliveries stored and not worked out; their promises pass meanwhile."""
    due = datetime.now(UTC) + timedelta(seconds=8)
    names = [f"BACK-{number}" for number in range(100)]
    stack.publish([left(name, "BACK>LOG", due) for name in names]).done()
    stack.settled()
    alerting = grafana(stack, tmp_path, hook, PAGE, FRESH)
    pids = stack.note()
    os.kill(pids["worker"], signal.SIGSTOP)
    now = datetime.now(UTC)
    stack.publish([said(name, "BACK>LOG", "delivered", now) for name in names], "--no-wait").done()
    stored = "SELECT count() FROM shipment_events WHERE milestone = 'delivered' AND startsWith(shipment_id, 'BACK-')"
    await_("the deliveries are in the history", lambda: stack.row(stored) in ([100], ["100"]))
    for pid in pids.values():
        os.kill(pid, signal.SIGKILL)
    stack.assert_gone(10)
    wait_past(due)
    with watched(alerting):
        stack.up()
        stack.settled()
    late = "SELECT count() FROM late_shipments WHERE lane = 'BACK>LOG'"
    assert stack.row(late) in ([0], ["0"])
    assert "BACK>LOG" not in lanes(hook)
    assert alerting.rules[PAGE].errors  # it was asked while there was nobody to answer
    assert {one["labels"]["alertname"] for one in hook.alerts()} <= {"late shipments by lane", "data not fresh"}


@pytest.mark.slow
def test_from_a_broken_promise_to_the_webhook_in_real_time(stack: Stack, hook: Hook, tmp_path: Path) -> None:
    """With the shipped settings, all rules, real intervals and waits, at four places between two evaluations."""
    stack.settled()
    alerting = grafana(stack, tmp_path, hook)
    began = datetime.now(UTC)
    promises = {f"REAL>{number}": began + timedelta(seconds=seconds) for number, seconds in enumerate((5, 10, 12, 19))}
    stack.publish([left(lane.replace(">", "-"), lane, due) for lane, due in promises.items()]).done()
    alerting.run(time.time() + LIMIT_S + 20, sleep=time.sleep)
    took = {}
    for lane, due in promises.items():
        arrived = next(
            at
            for at, body in hook.calls
            if body["groupLabels"].get("lane") == lane and body["commonLabels"]["severity"] == "page"
        )
        took[lane] = arrived - due.timestamp()
    figures = ", ".join(f"{seconds:.1f}" for seconds in took.values())
    print(f"seconds from the promise to the webhook: {figures}")  # noqa: T201  # the measurement (pytest -s shows it)
    assert all(0 < seconds < LIMIT_S for seconds in took.values()), took
