"""How fast the history sink takes events from Kafka into the store, beside clickhouse-connect alone.

The demo's mix is published; then a process of its own opens an embedded store and runs the sink until everything is
stored: `rows_per_s`. Beside it stands what the same store takes of the same rows, already made columns, from a bare
loop of clickhouse-connect's `insert`, a batch of the sink's size each: `bare_rows_per_s`. The ratio tells how much
of the driver's own pace is left when fetching, reading, checking and committing come on top.

Run as `python -m deploy.bench.sink BOOTSTRAP FOLDER EVENTS SEED`; its last line is the result as JSON.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from deploy.bench.figures import spread
from deploy.bench.mix import Fetched, mix
from deploy.bench.race import empty_stack
from deploy.bench.watching import Watcher, publish
from schemas.errors import QuaysideError
from schemas.identifiers import findings
from schemas.times import wall_clock
from sinks import epochs
from sinks.batch import Batch, Piece
from sinks.embedded import EmbeddedStore
from sinks.history import History
from sinks.migrate import migrate
from sinks.tables import FACTS, TABLES
from streams import collecting

BATCH: Final = 50_000
_EPOCH: Final = 1
_PATIENCE_S: Final = 600
_LOOK_S: Final = 0.02


def measure(watcher: Watcher, folder: Path, events: int, rounds: int, seed: int) -> dict[str, Any]:
    """The median of several rounds, each by a new process into a new store."""
    told = mix(events, seed, wall_clock())
    empty_stack(watcher)
    publish(watcher.bootstrap, told)
    runs = []
    for number in range(rounds):
        watcher.forget(_group(number))
        command = [sys.executable, "-m", "deploy.bench.sink", watcher.bootstrap, str(folder / f"sink-{number}")]
        command += [str(events), str(seed), _group(number)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
        if ended.returncode:
            said = ended.stderr.strip().splitlines()
            raise QuaysideError(f"The sink's benchmark failed: {said[-1] if said else 'it said nothing'}")
        runs.append(json.loads(ended.stdout.splitlines()[-1]))
    rows, bare = (spread([run[name] for run in runs]) for name in ("rows_per_s", "bare_rows_per_s"))
    return {
        "events": events,
        "rounds": rounds,
        "rows_per_s": round(rows.median),
        "least": round(rows.least),
        "most": round(rows.most),
        "bare_rows_per_s": round(bare.median),
        "ratio": round(rows.median / bare.median, 2),
        "runs": runs,
    }


def _group(number: int) -> str:
    return f"quayside-bench-sink-{number}"


async def _sink(client: Client, bootstrap: str, group: str, events: int) -> dict[str, Any]:
    history = History(client, bootstrap, _EPOCH, group=group)
    started = time.perf_counter()
    cpu = time.process_time()
    await history.start()
    began = time.perf_counter()
    while history.counters.rows < events:
        if history.counters.failures:
            raise QuaysideError(f"The sink failed: {history.counters.last_error}")
        await asyncio.sleep(_LOOK_S)
    ended = time.perf_counter()
    cpu = time.process_time() - cpu
    batches = history.counters.batches
    await history.stop()
    return {
        "rows_per_s": round(events / (ended - began)),
        "seconds": round(ended - began, 3),
        "start_seconds": round(began - started, 3),
        "cpu_seconds": round(cpu, 2),
        "batches": batches,
    }


def _bare(client: Client, events: int, seed: int) -> dict[str, Any]:
    """Insert columns that are ready, and nothing else."""
    pieces = _ready(events, seed)
    rows = sum(piece.count for piece in pieces)
    began = time.perf_counter()
    for piece in pieces:
        table = TABLES[piece.table]
        client.insert(
            piece.table,
            piece.columns,
            column_names=table.names,
            column_type_names=table.types,
            column_oriented=True,
            settings={"async_insert": 0, "max_partitions_per_insert_block": 0},
        )
    seconds = time.perf_counter() - began
    return {"bare_rows_per_s": round(rows / seconds), "bare_seconds": round(seconds, 3)}


def _ready(events: int, seed: int) -> list[Piece]:
    now = wall_clock()
    told = mix(events, seed, now)
    pieces = []
    for start in range(0, events, BATCH):
        records: dict[str, list[Fetched]] = defaultdict(list)
        for offset, one in enumerate(told[start : start + BATCH], start):
            records[one.topic].append(Fetched(offset, now, one.key, one.value))
        batch = Batch("", findings)
        for topic, several in records.items():
            batch.take(_EPOCH, topic, 0, several)
        pieces += batch.pieces()
    return pieces


def _run(bootstrap: str, folder: Path, events: int, seed: int, group: str) -> dict[str, Any]:
    collecting.begin()  # as the store's process does
    with EmbeddedStore(folder) as store:
        migrate(store.writer)
        epochs.begin(store.writer, _EPOCH)
        result = asyncio.run(_sink(store.writer, bootstrap, group, events))
        counts = " + ".join(f"(SELECT count() FROM {table.name} FINAL)" for table in FACTS.values())  # noqa: S608  # our names
        stored = int(store.writer.query(f"SELECT {counts}").result_rows[0][0])
        if stored != events:
            raise QuaysideError(f"The store has {stored} of {events} events after the sink's benchmark.")
        store.writer.command("CREATE DATABASE bare")
        store.writer.database = "bare"
        migrate(store.writer)
        return result | _bare(store.writer, events, seed)


if __name__ == "__main__":
    place, home, count, chosen, name = sys.argv[1:]
    print(json.dumps(_run(place, Path(home), int(count), int(chosen), name)))  # noqa: T201  # its result
