"""How fast a worker gets its state back, and how much memory a fact takes.

A changelog is written with the worker's own codec: facts of the stock agent, made from the demo's warehouse events.
Then a process of its own reads it as a worker does that takes its partitions over, one after the other, and looks at
its resident memory before and after.

Run as `python -m deploy.bench.recovery BOOTSTRAP`; its last line is the result as JSON.
"""

import asyncio
import gc
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from deploy.bench.mix import mix
from deploy.bench.watching import Watcher
from schemas.errors import QuaysideError
from schemas.times import wall_clock
from schemas.topics import BY_NAME
from schemas.wire import Rejection, read
from streams.clock import HORIZON_MS, Clock
from streams.recovery import recover
from streams.rows import Codec
from streams.sending import Record, Sender, partition_of
from streams.stock.derive import Stock
from streams.table import Partition

CHANGELOG: Final = "stock.facts"

_EPOCH: Final = 1
_BATCH: Final = 20_000
_SAMPLED: Final = 20_000
_COPIES: Final = 9  # of the sample's 576 stock keys: about 5,000
_PATIENCE_S: Final = 600


def measure(watcher: Watcher, facts: int, seed: int) -> dict[str, Any]:
    """Write a changelog of so many facts and read it back in a process of its own."""
    watcher.make_anew([BY_NAME[CHANGELOG]])
    asyncio.run(_write(watcher.bootstrap, facts, seed))
    command = [sys.executable, "-m", "deploy.bench.recovery", watcher.bootstrap]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
    if ended.returncode:
        said = ended.stderr.strip().splitlines()
        raise QuaysideError(f"The recovery benchmark failed: {said[-1] if said else 'it said nothing'}")
    told: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    if told["facts"] != facts:
        raise QuaysideError(f"The recovery benchmark read {told['facts']} facts back, but {facts} were written.")
    return told | {"changelog_bytes_per_fact": round(watcher.size([CHANGELOG]) / facts, 1)}


async def _write(bootstrap: str, facts: int, seed: int) -> None:
    codec = _codec()
    topic = BY_NAME[CHANGELOG]
    sender = Sender(bootstrap, "quayside-bench", {topic.name: topic.partitions})
    try:
        for number in range(topic.partitions):
            header = codec.header(_EPOCH)
            await sender.send_to(topic.name, number, [Record(header.key, header.value)])
        batches: dict[int, list[Record]] = defaultdict(list)
        for entity, row in _rows(codec, facts, seed):
            number = partition_of(entity, topic.partitions)
            batches[number].append(row)
            if len(batches[number]) == _BATCH:
                await sender.send_to(topic.name, number, batches.pop(number))
        for number, rows in batches.items():
            await sender.send_to(topic.name, number, rows)
    finally:
        await sender.stop()


def _rows(codec: Codec, facts: int, seed: int) -> Iterator[tuple[bytes, Record]]:
    """So many rows of different facts, each with its entity: those of a sample, again and again under new names."""
    rules = Stock()
    now = wall_clock()
    events = (
        (told, read(told.topic, told.value, now)) for told in mix(_SAMPLED, seed, now) if told.topic in rules.events
    )
    sample = {}
    for told, event in events:
        if not isinstance(event, Rejection):
            statement = rules.statement(event, told.value)
            sample[statement.entity, statement.identity] = statement
    statements = list(sample.values())
    for number in range(facts):
        copy, place = divmod(number, len(statements))
        one = statements[place]
        entity = f"{copy % _COPIES}-{one.entity}"
        row = codec.fact(entity, f"{one.identity}-{copy}", one.fact)
        yield entity.encode(), Record(row.key, row.value)


async def _read_back(bootstrap: str) -> dict[str, Any]:
    codec = _codec()
    topic = BY_NAME[CHANGELOG]
    gc.collect()
    before, began = _resident(), time.perf_counter()
    partitions = [Partition(Stock(), codec, Clock(HORIZON_MS)) for _ in range(topic.partitions)]
    for number, partition in enumerate(partitions):
        await recover(bootstrap, topic.name, {number: partition}, ())
    seconds = time.perf_counter() - began
    gc.collect()
    after = _resident()
    facts = sum(len(entity.facts) for one in partitions for entity in one.entities.values())
    return {
        "facts": facts,
        "entities": sum(len(one.entities) for one in partitions),
        "seconds": round(seconds, 3),
        "facts_per_s": round(facts / seconds),
        "bytes_per_fact": None if before is None or after is None else round((after - before) / facts),
    }


def _codec() -> Codec:
    rules = Stock()
    return Codec(rules.payload, rules.base)


def _resident() -> int | None:
    """This process's resident memory in bytes; None where /proc does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_read_back(sys.argv[1]))))  # noqa: T201  # its result
