"""State made anew on servers of one's own: Apache Kafka, and a stand-in that speaks ClickHouse's HTTP interface."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sinks import epochs
from streams.administration import partition_counts
from tests.e2e.recent import movement
from tests.e2e.stack import Stack, await_
from tests.sinks.clickhouse_server import Server, running_server
from tests.streams.told import Told

pytestmark = pytest.mark.kafka

FIGURES = "SELECT site, item, on_hand, received, shipped, count_variance, movements FROM stock_now ORDER BY site, item"


def moves(first: int, count: int) -> list[Told]:
    kinds = ("received", "received", "shipped", "counted")
    return [
        movement(kinds[n % 4], n % 24, 1 + n % 7, site=f"S{n % 5}", event_id=str(n))
        for n in range(first, first + count)
    ]


class Servers:
    """Commands on the two servers, under an epoch."""

    def __init__(self, folder: Path, kafka: str, store: Server) -> None:
        self.folder = folder
        self.kafka = kafka
        self.store = store
        client = store.client()
        client.command("CREATE DATABASE quayside")
        client.close()

    def at(self, epoch: int) -> Stack:
        """The commands under this epoch."""
        return Stack(
            self.folder,
            QUAYSIDE_KAFKA=self.kafka,
            QUAYSIDE_CLICKHOUSE=f"http://default@127.0.0.1:{self.store.port}/quayside",
            QUAYSIDE_EPOCH=str(epoch),
        )

    @contextmanager
    def running(self, epoch: int, **settings: str) -> Iterator[Stack]:
        """Worker and sink of an epoch, with more settings of theirs."""
        stack = self.at(epoch)
        stack.settings.update(settings)
        processes = [stack.begin(name) for name in ("worker", "sink")]
        try:
            yield stack
        finally:
            for process in processes:
                process.send_signal(signal.SIGTERM)
            codes = [process.wait(30) for process in processes]
            assert set(codes) <= {0, -signal.SIGTERM}, codes

    def figures(self) -> str:
        """The positions that the views show."""
        told = self.at(1).run("query", FIGURES, "--format", "TSV")
        return told.done()

    def epoch(self) -> int | None:
        """The epoch that the views show."""
        client = self.store.client("quayside")
        try:
            return epochs.current(client)
        finally:
            client.close()


@pytest.fixture
def servers(tmp_path: Path, own_kafka: str) -> Iterator[Servers]:
    with running_server(tmp_path / "server") as store:
        yield Servers(tmp_path / "data", own_kafka, store)


def publish(stack: Stack, told: list[Told]) -> None:
    said = stack.publish([one.raw for one in told])
    assert said.code == 0, said


def test_a_rebuild_on_the_same_broker_with_more_partitions_changes_no_figure_and_goes_on_when_killed(
    servers: Servers,
) -> None:
    servers.at(1).run("topics create", "--partitions", "2").done()
    assert "quayside migrate" in servers.at(1).publish([moves(0, 1)[0].raw]).complaint(2)
    servers.at(1).run("migrate").done()
    with servers.running(1) as stack:
        publish(stack, moves(0, 400))
        before = servers.figures()
        assert before.count("\n") == 5
        assert "Workers are running" in servers.at(2).run("rebuild").complaint(2)
    assert "Epoch 1 of the store is complete" in servers.at(1).run("rebuild").complaint(2)
    cut_off = servers.at(2).begin("rebuild", "--partitions", "3")
    await_("the rebuild has noted how far it is", (servers.folder / "rebuild.json").exists)
    time.sleep(2)
    assert servers.epoch() == 1
    cut_off.send_signal(signal.SIGKILL)
    cut_off.wait()
    _await_orphans(servers.folder)
    assert servers.figures() == before
    told = servers.at(2).run("rebuild", "--json")
    told.done()
    said = told.last_json()
    assert (said["epoch"], said["partitions"], said["records"]) == (2, 3, 400)
    assert servers.epoch() == 2
    assert servers.figures() == before
    assert {count for topic, count in partition_counts(servers.kafka).items() if topic.endswith(".facts")} == {3}
    assert "QUAYSIDE_EPOCH is 1" in servers.at(1).run("sink").complaint(2)
    with servers.running(2) as stack:
        publish(stack, moves(400, 100))
        told = stack.run("audit", "--json")
        assert told.last_json()["differences"] == 0, told
        assert told.last_json()["coordinates_missing"] == 0, told
    assert servers.figures() != before


def _await_orphans(data: Path) -> None:
    """The worker and the sink of a rebuild that was killed end by themselves."""

    def gone() -> bool:
        listed = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
        return not [
            line for line in listed.splitlines() if str(data) in line and str(os.getpid()) not in line.split()[0]
        ]

    await_("the processes of the rebuild end", gone, 30)
