"""Retention by the sink process into a ClickHouse of one's own: by itself, once a day, and nothing moves."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from schemas.coordinates import Coordinate, Origin
from schemas.topics import BY_NAME
from schemas.wire import Rejection, read
from streams.sending import partition_of
from streams.settling import settle
from tests.e2e.stack import Stack, await_
from tests.e2e.test_rebuild_servers import Servers
from tests.e2e.test_retention import NOW, SITES, STOCK, YOUNGER, at, history
from tests.sinks.clickhouse_server import running_server
from tests.streams.told import Told, movement

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

RUNS = "SELECT stage, positions FROM retention_runs FINAL ORDER BY run"


@pytest.fixture
def servers(tmp_path: Path, own_kafka: str) -> Iterator[Servers]:
    with running_server(tmp_path / "server") as store:
        yield Servers(tmp_path / "data", own_kafka, store)


async def _send(bootstrap: str, told: list[tuple[float, Told]]) -> None:
    """Records that came so many days ago, as another store's replay brings them: a broker stamps with its own time."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    try:
        for index, (days, (topic, raw)) in enumerate(told):
            arrived = int(NOW.timestamp() * 1_000 - days * 86_400_000)
            event = read(topic, raw, arrived)
            assert not isinstance(event, Rejection), event
            key = event.entity_key().encode()
            origin = Origin(Coordinate(1, topic, 9, index), arrived, "another-store")
            number = partition_of(key, BY_NAME[topic].partitions)
            await producer.send_and_wait(topic, raw, key=key, partition=number, headers=[origin.header()])
    finally:
        await producer.stop()


def figures(stack: Stack) -> list[str]:
    return [stack.run("query", sql, "--format", "TSV").done() for sql in STOCK]


def rows(stack: Stack) -> int:
    """Warehouse events in the history, without the retractions that a run leaves for an hour."""
    counted = "SELECT count() FROM warehouse_events FINAL WHERE epoch > 0 OR partition = 0"
    return int(stack.run("query", counted, "--format", "TSV").done())


def test_the_sinks_daily_run_lets_go_of_what_is_old_and_no_figure_changes(servers: Servers) -> None:
    servers.at(1).run("topics create").done()
    servers.at(1).run("migrate").done()
    recent = [at(movement("shipped", 100, 1, site=site), 0.05) for site in (*SITES, YOUNGER)]
    with servers.running(1) as stack:
        asyncio.run(_send(servers.kafka, [*history(), *recent]))
        assert settle(servers.kafka)
        before, was = figures(stack), rows(stack)
        assert stack.run("query", RUNS, "--format", "TSV").done() == ""
    with servers.running(1, QUAYSIDE_RETENTION="40d", QUAYSIDE_RETENTION_LOOK="0.2") as stack:
        await_("a run by itself has ended", lambda: "finished" in stack.run("query", RUNS, "--format", "TSV").out)
        assert stack.run("query", RUNS, "--format", "TSV").done().split() == ["finished", "4"]
        assert rows(stack) < was // 2
        assert settle(servers.kafka)
        assert figures(stack) == before
        told = stack.run("audit", "--json").last_json()
        assert (told["differences"], told["coordinates_missing"]) == (0, 0), told
