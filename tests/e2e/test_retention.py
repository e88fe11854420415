"""Retention on a running stack: what is old leaves the history, the figures stay, also through a restart."""

import asyncio
import json
import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from deploy.stackfile import require_running
from schemas.topics import BY_NAME
from schemas.wire import read
from streams.sending import partition_of
from tests.e2e.stack import Stack, await_, running_stack
from tests.streams.told import Told, line, milestone, movement, placed, retraction

NOW = datetime.now(UTC).replace(microsecond=0)
SITES = ("OLD-1", "OLD-2", "OLD-3")
YOUNGER = "AUTO"
STOCK = (
    "SELECT * EXCEPT (epoch, version, movements) FROM stock_now ORDER BY site, item",
    "SELECT * EXCEPT (epoch, version) FROM shipments_now ORDER BY shipment_id",
    "SELECT * FROM order_lines_now ORDER BY order_id, line_id",
    "SELECT * FROM shipment_milestones ORDER BY shipment_id, leg, milestone",
    "SELECT * FROM lead_time_stats ORDER BY measure, route, window",
)


def ago(days: float) -> str:
    return (NOW - timedelta(days=days)).isoformat()


def at(told: Told, days: float) -> tuple[float, Told]:
    """The event as it was said and happened so many days ago; when it arrived."""
    return days, Told(
        told.topic, json.dumps(json.loads(told.raw) | {"occurred_at": ago(days), "recorded_at": ago(days)}).encode()
    )


def history() -> list[tuple[float, Told]]:
    """Positions that moved 90 to 60 (one: 45) days ago, and the order and shipment that one got its goods by."""
    told = [at(placed("PO-OLD", 0, [line("1", 40)]), 90)]
    goods = [line("1", 40, order_id="PO-OLD")]
    told.append(at(milestone("S-OLD", "departed", 1, lines=goods, origin="NBO", destination="OLD-1"), 88))
    told.append(at(milestone("S-OLD", "delivered", 2), 80))
    for site in SITES:
        came = movement("received", 1, 40, "S-OLD" if site == "OLD-1" else None, site=site)
        told += [at(came, 79), at(movement("put_away", 2, 40, "S-OLD", site=site), 78.5)]
        told += [at(movement("shipped", 10 + hour, 1, site=site), 78 - hour / 2) for hour in range(20)]
        told.append(at(movement("counted", 40, 19, site=site), 66))
        wrong = movement("scrapped", 50, 5, site=site)
        told += [at(wrong, 65)]
        told += [
            (
                64,
                Told(
                    wrong.topic,
                    json.dumps(json.loads(at(retraction(wrong, 51), 65)[1].raw) | {"recorded_at": ago(64)}).encode(),
                ),
            )
        ]
    told.append(at(movement("received", 1, 40, site=YOUNGER), 45))
    told += [at(movement("shipped", 2 + hour, 1, site=YOUNGER), 44.9 - hour / 24) for hour in range(20)]
    return sorted(told, key=lambda one: -one[0])


async def _send(bootstrap: str, told: list[tuple[float, Told]]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=False)
    await producer.start()
    try:
        for days, (topic, raw) in told:
            arrived = int((NOW - timedelta(days=days)).timestamp() * 1_000)
            event: Any = read(topic, raw, arrived)
            key = event.entity_key().encode()
            number = partition_of(key, BY_NAME[topic].partitions)
            await producer.send_and_wait(topic, raw, key=key, partition=number, timestamp_ms=arrived)
    finally:
        await producer.stop()


def send(stack: Stack, told: list[tuple[float, Told]]) -> None:
    """Records as a program put them into Kafka so many days ago."""
    asyncio.run(_send(require_running(stack.data).kafka, told))
    stack.settled()


def figures(stack: Stack) -> list[Any]:
    return [stack.query(sql) for sql in STOCK]


def rows(stack: Stack) -> int:
    """Warehouse events in the history, without the retractions that a run leaves for an hour."""
    return int(stack.row("SELECT count() FROM warehouse_events FINAL WHERE epoch > 0 OR partition = 0")[0])


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("retention") / "data") as running:
        send(running, history())
        send(running, [at(movement("shipped", 100, 1, site=site), 0.05) for site in (*SITES, YOUNGER)])
        yield running


def test_by_default_nothing_ever_goes(stack: Stack) -> None:
    listed = stack.run("retention", "list", "--json")
    listed.done()
    assert listed.last_json() == {"retention_ms": None, "runs": []}
    assert "--older-than" in stack.run("retention", "run").complaint(2)
    assert "37d or more" in stack.run("retention", "run", "--older-than", "20d").complaint(2)


def test_the_figures_stay_while_the_history_shrinks_and_through_a_restart(stack: Stack) -> None:
    before, was = figures(stack), rows(stack)
    assert [row[3] for row in before[0]] == [19, 18, 18, 18]
    dry = stack.run("retention", "run", "--older-than", "50d", "--dry-run", "--json")
    dry.done()
    assert (dry.last_json()["positions"], rows(stack), figures(stack)) == (3, was, before)
    done = stack.run("retention", "run", "--older-than", "50d", "--json")
    done.done()
    told = done.last_json()
    assert (told["dry_run"], told["positions"], told["left_alone"]) == (False, 3, 0)
    assert told["dropped"] == dry.last_json()["dropped"]
    now = rows(stack)
    assert now == told["openings"] + len(SITES) + 22
    assert figures(stack) == before
    # From the next start on by itself, and at once: here while the history is still being replayed.
    stack.down()
    stack.settings.update(QUAYSIDE_RETENTION="40d", QUAYSIDE_RETENTION_LOOK="0.2")
    stack.up()
    assert figures(stack) == before
    await_("a run by itself has ended", lambda: runs(stack) == ["finished", "finished"])
    stack.settled()
    assert figures(stack) == before
    assert rows(stack) == now - 19  # of 21 old ones two openings are left: in and out
    listed = stack.run("retention", "list", "--json")
    listed.done()
    told = listed.last_json()
    assert (told["retention_ms"], [run["positions"] for run in told["runs"]]) == (40 * 86_400_000, [3, 1])


def runs(stack: Stack) -> list[str]:
    """How far each run is, the earliest first."""
    return [stage for (stage,) in stack.query("SELECT toString(stage) FROM retention_runs FINAL ORDER BY run")]


@pytest.mark.slow
def test_what_corrects_something_that_was_dropped_is_refused_at_our_door_and_left_out_where_it_came_by_kafka(
    stack: Stack,
) -> None:
    stack.run("retention", "run", "--older-than", "40d", "--json").done()  # where no other test here has done it
    before = figures(stack)
    (_, wrong) = at(movement("received", 1, 41, site=YOUNGER), 45)
    again = Told(wrong.topic, json.dumps(json.loads(wrong.raw) | {"recorded_at": ago(0.01)}).encode())
    refused = stack.publish([again.raw], "--history")
    assert (refused.code, refused.last_json()["refused"]) == (1, 1)
    assert "retention has dropped it" in refused.err
    send(stack, [(0.01, again)])
    (record,) = stack.run("late", "list", "--json").last_json()["records"]
    applied = stack.run("late apply", record["id"], "--json")
    told = applied.last_json()
    assert (told["selected"], told["entities"], told["applied"], told["left_out"]) == (1, 1, 0, 1)
    assert "1 events were left out" in applied.err
    assert figures(stack) == before


@pytest.mark.slow
def test_killed_on_the_way_a_run_goes_on_with_the_next_start(stack: Stack) -> None:
    before = figures(stack)
    send(stack, [at(movement("shipped", 200 + hour, 1, site="OLD-1"), 0.04) for hour in range(5)])
    figures_now = figures(stack)
    assert figures_now != before
    known = len(runs(stack))
    running = stack.begin("retention", "run", "--older-than", "38d", "--json")
    store = stack.note()["store"]
    while len(runs(stack)) == known:
        assert running.poll() is None
        time.sleep(0.02)
    os.kill(store, signal.SIGKILL)
    out, err = running.communicate(timeout=120)
    assert running.returncode == 0, (out, err)
    await_("the stack is ready again", stack.is_ready)
    stack.settled()
    assert figures(stack) == figures_now
    assert stack.row("SELECT countIf(stage NOT IN ('finished', 'abandoned')) FROM retention_runs FINAL") == [0]
