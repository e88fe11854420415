"""What comes after its day has closed: kept, told to whoever published it, applied only where history is loaded."""

import json
import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.stack import ORPHANS_S, Stack, running_stack
from tests.streams.told import movement

OLD = (datetime.now(UTC) - timedelta(days=20)).isoformat()


def old(site: str, number: int = 1) -> bytes:
    return movement("received", number, 5, site=site, occurred_at=OLD, recorded_at=OLD).raw


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("late") / "data") as running:
        yield running


def on_hand(stack: Stack, site: str) -> list[int]:
    return [value for (value,) in stack.query(f"SELECT toInt64(on_hand) FROM stock_now WHERE site = '{site}'")]  # noqa: S608  # a name of ours


def test_an_event_for_a_closed_day_is_kept_and_whoever_sent_it_is_told(stack: Stack) -> None:
    told = stack.publish([old("CLOSED")], "--json")
    assert told.code == 0
    assert told.last_json()["late"] == 1
    assert "1 events came too late to be applied" in told.err
    assert "--history" in told.err
    assert on_hand(stack, "CLOSED") == []
    (row,) = stack.query("SELECT entity, reason, value FROM late_records WHERE entity = 'CLOSED|acme:4711'")
    assert row[1] == "It came too late: its day has closed."
    assert json.loads(row[2]) == json.loads(old("CLOSED"))
    assert stack.status()["late"] == 1


def test_a_backlog_is_applied_and_stays_so_through_a_restart_while_late_ones_stay_late(stack: Stack) -> None:
    told = stack.publish([old("BACKLOG", number) for number in range(3)], "--json", "--history")
    assert (told.code, told.last_json()["late"]) == (0, 0)
    assert on_hand(stack, "BACKLOG") == [15]
    stack.down()
    stack.up()
    assert on_hand(stack, "BACKLOG") == [15]
    assert on_hand(stack, "CLOSED") == []
    assert stack.status()["late"] == 1


@pytest.mark.slow
def test_what_was_judged_late_stays_late_when_everything_is_killed_before_the_spool_is_trimmed(
    tmp_path: Path,
) -> None:
    with running_stack(tmp_path / "data") as stack:
        recent = (datetime.now(UTC) - timedelta(hours=3)).isoformat()
        stack.publish([movement("received", 9, 7, site="CLOSED", occurred_at=recent, recorded_at=recent).raw]).done()
        for number in range(3):
            stack.publish([old("CLOSED", number)]).done()
            for pid in stack.note().values():
                os.kill(pid, signal.SIGKILL)
            stack.assert_gone(ORPHANS_S)
            stack.up()
            assert on_hand(stack, "CLOSED") == [7]
            assert stack.row("SELECT count() FROM late_records") == [number + 1]
        told = stack.run("audit", "--json")
        told.done()
        assert told.last_json()["differences"] == 0
