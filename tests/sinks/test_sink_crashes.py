"""The sink killed again and again while records come: nothing is lost, nothing is twice, the newest states stand."""

import asyncio
import json
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final, Self

import pytest
from aiokafka import AIOKafkaProducer

from schemas.derived import OrderStatus
from sinks.rows import Record
from streams.administration import create_topics
from tests.brokers import running_tansu
from tests.sinks.records import milestone, record, state

ROOT: Final = Path(__file__).parents[2]
SEED: Final = int(os.environ.get("QUAYSIDE_SEED", "1"))
KILLS: Final = 5
ORDERS: Final = 20
_LONGEST_S: Final = 0.25
_PAUSE_S: Final = 0.05


class Load:
    """Publishes events, states and garbage until told to stop, and remembers where the broker put them."""

    def __init__(self, bootstrap: str, seed: int) -> None:
        self.events: set[tuple[int, int, str]] = set()
        self.states: dict[str, int] = {}
        self.dead: set[tuple[str, int, int]] = set()
        self._bootstrap = bootstrap
        self._random = random.Random(seed)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="load")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    async def _run(self) -> None:
        version = 0
        async with AIOKafkaProducer(bootstrap_servers=self._bootstrap, acks="all") as producer:
            while not self._stop.is_set():
                records = [self._record(version := version + 1) for _ in range(30)]
                sent = [
                    await producer.send(one.topic, one.value, key=one.key, partition=one.partition) for one in records
                ]
                for one, told in zip(records, await asyncio.gather(*sent), strict=True):
                    self._remember(one, told)
                await asyncio.sleep(_PAUSE_S)

    def _record(self, number: int) -> Record:
        drawn = self._random.random()
        if drawn < 0.1:
            return record("shipment.events", b"garbage", partition=number % 4)
        if drawn < 0.4:
            order = f"PO{self._random.randrange(ORDERS)}"
            return state("order.status", OrderStatus(order, "placed"), version=number)._replace(key=order.encode())
        return milestone({"event_id": f"e{number}"}, partition=number % 4)

    def _remember(self, one: Record, told: Any) -> None:
        said = json.loads(one.value or b"") if one.value != b"garbage" else None
        if said is None:
            self.dead.add((told.topic, told.partition, told.offset))
        elif one.topic == "order.status":
            order = said["state"]["order_id"]
            self.states[order] = max(self.states.get(order, 0), said["version"][1])
        else:
            self.events.add((told.partition, told.offset, said["event_id"]))


@pytest.mark.tansu
def test_a_sink_killed_again_and_again_under_load_ends_as_the_oracle(tmp_path: Path) -> None:
    print(f"seed {SEED} (QUAYSIDE_SEED chooses another)")  # noqa: T201  # shown when the test fails
    moments = random.Random(SEED)
    with running_tansu(tmp_path) as broker:
        create_topics(broker.address)
        command = [sys.executable, "-m", "tests.sinks.sink_process", str(tmp_path / "store"), broker.address]
        with Load(broker.address, SEED) as load:
            for _ in range(KILLS):
                _work_and_kill(command, batches=moments.randint(1, 6), after_s=moments.uniform(0, _LONGEST_S))
        ended = subprocess.run([*command, "finish"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    told = json.loads(ended.stdout.splitlines()[-1])
    assert {tuple(row) for row in told["events"]} == load.events
    assert len(told["events"]) == len(load.events)
    assert {tuple(row) for row in told["dead"]} == load.dead
    assert len(told["dead"]) == len(load.dead)
    assert {order: version for order, version in told["states"]} == load.states  # noqa: C416  # lists, of JSON
    assert load.events
    assert load.dead
    assert load.states


def _work_and_kill(command: list[str], batches: int, after_s: float) -> None:
    """Let a sink store some batches, and kill it a moment later."""
    with subprocess.Popen([*command, "work"], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(batches):
            assert process.stdout.readline() == "stored\n"
        time.sleep(after_s)
        assert process.poll() is None
        process.kill()
