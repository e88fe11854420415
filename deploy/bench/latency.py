"""How long it takes from publishing an event until others can see what follows from it, at a set rate.

A stack runs as `quayside up` starts it, with the benchmark's Kafka as its own: worker, history sink, store and gate.
The demo's mix is published at the rate, and with every slice of it (20 ms) one probe: goods received at a site of its
own, an item never seen before. Of each probe three moments are noted:

- `view_record`: a consumer that reads committed has its stock position;
- `event_row`: a query through the gate finds the event in the history;
- `view_row`: a query through the gate finds its stock position.

The store is asked every 100 ms, so rows are seen up to that much late.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.bench.contenders import quayside_command
from deploy.bench.figures import delays
from deploy.bench.mix import NETWORKS, Told, mix
from deploy.bench.race import empty_stack, is_settled
from deploy.bench.watching import Watcher, await_, publish
from deploy.broker import last_line, launch, stop
from deploy.gate_client import gate_client, rows
from deploy.stackfile import StackFile, running
from schemas.errors import QuaysideError
from schemas.times import rfc3339, wall_clock
from schemas.topics import BY_NAME, TOPICS
from schemas.warehouse import TOPIC as WAREHOUSE
from schemas.warehouse import stock_key
from streams.sending import Record, Sender

RATES: Final = (1_000, 10_000)
SECONDS: Final = 20.0
STAGES: Final = ("view_record", "event_row", "view_row")

_WARMING: Final = 3_000
_SLICE_S: Final = 0.02
_ASK_S: Final = 0.1
_LAST_S: Final = 20.0
_GRACE_S: Final = 20.0
_VIEW: Final = "stock.positions"
_FIND: Final = (Path(__file__).parent / "probes.sql").read_text()


@dataclass(slots=True)
class Probes:
    """When each probe was published and seen, by the monotonic clock."""

    site: str
    published: dict[str, float] = field(default_factory=dict)
    seen: dict[str, dict[str, float]] = field(default_factory=lambda: {stage: {} for stage in STAGES})

    def see(self, stage: str, item: str, now: float) -> None:
        """Note the first time only."""
        self.seen[stage].setdefault(item, now)

    def are_all_seen(self) -> bool:
        """Whether nothing is waited for any more."""
        return all(len(seen) == len(self.published) for seen in self.seen.values())

    def delays(self) -> dict[str, Any]:
        """Per stage how long it took; `unseen`: how many probes were not seen at all."""
        told: dict[str, Any] = {}
        for stage, seen in self.seen.items():
            taken = [seen[item] - at for item, at in self.published.items() if item in seen]
            told[stage] = delays(taken) | {"unseen": len(self.published) - len(taken)}
        return told


def measure(watcher: Watcher, folder: Path, seed: int, rates: Sequence[int], seconds: float) -> list[dict[str, Any]]:
    """One stack, each rate in turn for so many seconds."""
    empty_stack(watcher)
    with _stack(watcher.bootstrap, folder) as stack:
        # The worker takes each partition over with its first records: that is not what is asked here.
        publish(watcher.bootstrap, mix(_WARMING, seed, wall_clock()))
        await_("the worker to have begun", lambda: is_settled(watcher))
        return [_at_rate(stack, rate, seconds, seed, number) for number, rate in enumerate(rates, 1)]


@contextlib.contextmanager
def _stack(bootstrap: str, folder: Path) -> Iterator[StackFile]:
    data = folder / "stack"
    data.mkdir()
    log = folder / "stack.log"
    process = launch(quayside_command(bootstrap, data, "up"), log)

    def is_ready() -> bool:
        if process.poll() is not None:
            raise QuaysideError(f"The stack of the latency benchmark did not come up: {last_line(log)}")
        told = running(data)
        return told is not None and told.ready

    try:
        await_("the stack to be ready", is_ready)
        told = running(data)
        if told is None:
            raise QuaysideError(f"The stack of the latency benchmark ended at once: {last_line(log)}")
        yield told
    finally:
        stop(process, _GRACE_S)


def _at_rate(stack: StackFile, rate: int, seconds: float, seed: int, number: int) -> dict[str, Any]:
    told = mix(round(rate * seconds), seed, wall_clock(), number * NETWORKS)
    probes = Probes(f"BENCH-PROBE-{rate}")
    done = threading.Event()
    asking = threading.Thread(target=_ask, args=(stack, probes, done), name="asking the store")
    asking.start()
    try:
        took = asyncio.run(_publish_and_read(stack.kafka, told, rate, probes))
    finally:
        done.set()
        asking.join()
    return {
        "rate": rate,
        "events": len(told),
        "published_per_s": round(len(told) / took),
        "probes": len(probes.published),
        **probes.delays(),
    }


def _ask(stack: StackFile, probes: Probes, done: threading.Event) -> None:
    """Ask the store which probes it has, until `done`."""
    with contextlib.closing(gate_client(stack)) as client:
        while not done.wait(_ASK_S):
            with contextlib.suppress(QuaysideError):  # a part is being restarted: those are seen late, as they are
                found = rows(client, _FIND, {"site": probes.site})
                now = time.monotonic()
                for stage, item in found:
                    probes.see(stage, item, now)


async def _publish_and_read(bootstrap: str, told: Sequence[Told], rate: int, probes: Probes) -> float:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        auto_offset_reset="latest",
        isolation_level="read_committed",
        enable_auto_commit=False,
        fetch_max_wait_ms=100,
    )
    await consumer.start()
    places = [TopicPartition(_VIEW, number) for number in range(BY_NAME[_VIEW].partitions)]
    consumer.assign(places)
    await consumer.seek_to_end(*places)
    reading = asyncio.create_task(_read(consumer, probes))
    try:
        took = await _publish(bootstrap, told, rate, probes)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(_await_all(probes), _LAST_S)
    finally:
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading
        await consumer.stop()
    return took


async def _await_all(probes: Probes) -> None:
    while not probes.are_all_seen():  # noqa: ASYNC110  # a thread notes what is seen
        await asyncio.sleep(_ASK_S)


async def _read(consumer: AIOKafkaConsumer, probes: Probes) -> None:
    """Note the views of probes as they come."""
    begins = f"{probes.site}|".encode()
    while True:
        fetched = await consumer.getmany(timeout_ms=1_000)
        now = time.monotonic()
        for records in fetched.values():
            for record in records:
                if record.key.startswith(begins):
                    probes.see("view_record", record.key[len(begins) :].decode(), now)


async def _publish(bootstrap: str, told: Sequence[Told], rate: int, probes: Probes) -> float:
    """Publish by the clock, a slice every 20 ms, each with a probe; how long it took."""
    sender = Sender(bootstrap, "quayside-bench", {topic.name: topic.partitions for topic in TOPICS})
    await sender.start()
    began = time.monotonic()
    sent = number = 0
    try:
        while sent < len(told):
            due = min(len(told), round((time.monotonic() - began) * rate) + 1)
            batch = [(one.topic, Record(one.key, one.value)) for one in told[sent:due]]
            item = f"probe:{number}"
            probes.published[item] = time.monotonic()
            await sender.send([*batch, (WAREHOUSE, _probe(probes.site, item))])
            sent, number = due, number + 1
            await asyncio.sleep(max(0.0, began + number * _SLICE_S - time.monotonic()))
        return time.monotonic() - began
    finally:
        await sender.stop()


def _probe(site: str, item: str) -> Record:
    now = rfc3339(wall_clock())
    event = {
        "event_id": f"{site}/{item}",
        "source": "quayside-bench",
        "type": "received",
        "occurred_at": now,
        "recorded_at": now,
        "site": site,
        "item": item,
        "quantity": 1,
        "unit": "pcs",
    }
    return Record(stock_key(site, item).encode(), msgspec.json.encode(event))
