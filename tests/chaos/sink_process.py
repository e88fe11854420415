"""The history sink under test, in a process of its own: `sink_process.py STORE BOOTSTRAP EPOCH ASKED KEPT`.

Works until there is a file ASKED; then it takes what is left, and writes to KEPT, as JSON, what the store has:
`records`, of each record of a fact topic [topic, partition, offset, content hash in hex], once for each row;
`replayed`, how many records it knew as its own; `versions`, of each key of each view [topic, key, epoch, version].
"""

# ruff: noqa: S608  # the queries are put together from names of our own
import asyncio
import json
import sys
from pathlib import Path
from typing import Any, Final

from sinks import epochs
from sinks.embedded import EmbeddedStore
from sinks.history import History
from sinks.migrate import migrate
from sinks.tables import FACTS, REPLAYED, STATES

_BATCH: Final = 300  # small: many inserts, so that a kill often meets one


async def _run(path: Path, bootstrap: str, epoch: int, asked: Path, kept: Path) -> None:
    with EmbeddedStore(path) as store:
        migrate(store.writer)
        epochs.begin(store.writer, epoch)
        history = History(store.writer, bootstrap, epoch, batch_records=_BATCH)
        await history.start()
        working = asyncio.create_task(history.wait())
        while not working.done() and (not asked.exists() or await history.lag()):  # noqa: ASYNC240  # a test's process
            await asyncio.wait([working], timeout=0.1)
        if working.done():
            await working  # raises what ended it
        await history.stop()
        fresh = kept.with_suffix(".new")
        fresh.write_text(json.dumps(_kept(store.writer)))
        fresh.rename(kept)


def _kept(client: Any) -> dict[str, Any]:
    records = [
        (topic, *row)
        for topic, table in FACTS.items()
        for row in _rows(client, f"SELECT partition, offset, hex(content_hash) FROM {table.name} FINAL")
    ]
    topics = ", ".join(f"'{topic}'" for topic in FACTS)
    dead = "SELECT DISTINCT topic, partition, offset, hex(substring(SHA256(value), 1, 16)) FROM dead_letters"
    records += _rows(client, f"{dead} WHERE topic IN ({topics})")
    versions = []
    for topic, table in STATES.items():
        key = " || '|' || ".join(table.names[2 : 2 + table.keys])
        versions += [(topic, *row) for row in _rows(client, f"SELECT {key}, epoch, version FROM {table.name} FINAL")]
    replayed = _rows(client, f"SELECT count() FROM {REPLAYED.name} FINAL")[0][0]
    return {"records": records, "replayed": replayed, "versions": versions}


def _rows(client: Any, sql: str) -> list[Any]:
    rows: list[Any] = client.query(sql).result_rows
    return rows


if __name__ == "__main__":
    asyncio.run(_run(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]), Path(sys.argv[5])))
