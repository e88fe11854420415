"""What a release leaves behind, packed for the releases after it: `python -m tests.upgrade.make_fixture CHECKOUT NAME`.

CHECKOUT is a tree of the release, run by this interpreter. Its stack takes the story (tests/upgrade/story.py); noted
are what its views show, what its agents publish, and its changelogs. Then a last batch is accepted and everything is
killed, so that the spool is not empty. fixtures/NAME.tar.gz holds:

    data/            the data directory: store, spool, epoch, replayed, gate-password
    changelog.jsonl  the rows of the agents' changelogs: topic, partition, offset, key and value in base64
    views.jsonl      the newest state per topic and key as the agents published it: topic, key, state, gone
    figures.json     by view: its columns and its rows, in order
"""

import asyncio
import base64
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any, Final
from urllib.request import Request, urlopen

from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.stackfile import is_alive
from streams.ends import true_ends
from tests.upgrade.story import Story

FIXTURES: Final = Path(__file__).parent / "fixtures"

VIEWS: Final = (
    "orders_now", "order_lines_now", "shipments_now", "late_shipments", "shipment_milestones", "stock_now",
    "lead_time_stats", "exceptions_open", "on_time_daily", "dead_letters", "late_records", "acknowledgements_now",
    "supplier_events_now", "shipment_events_now", "warehouse_events_now", "reference_events_now", "operator_events_now",
)  # fmt: skip

CHANGING: Final = frozenset({"epoch", "version", "late_days", "late_hours", "inserted_at"})
"""Columns that say when they are asked, or in which life of the broker."""

CHANGELOGS: Final = ("orders.facts", "shipments.facts", "stock.facts", "leads.facts")
STATES: Final = ("order.status", "shipment.status", "stock.positions", "lead.stats")
_PARTITIONS: Final = 4
_KEPT: Final = ("store", "spool", "epoch", "replayed", "gate-password")
_PATIENCE_S: Final = 30.0


def main(checkout: Path, name: str) -> None:
    """Make one fixture."""
    story = Story()
    with tempfile.TemporaryDirectory(prefix="quayside-fixture-") as folder:
        data = Path(folder) / "data"

        def run(*arguments: str, told: bytes = b"", codes: tuple[int, ...] = (0,)) -> None:
            command = [sys.executable, "-m", "deploy.command.main", *arguments, "--data", str(data)]
            done = subprocess.run(
                command, cwd=checkout, input=told, capture_output=True, check=False, env=_environment()
            )
            if done.returncode not in codes:
                sys.exit(f"{' '.join(arguments)} ended with {done.returncode}: {done.stdout!r} {done.stderr!r}")

        run("up", "--detach")
        stack = json.loads((data / "stack.json").read_text())
        try:
            run("publish", "-", "--history", told=story.lines(story.old))
            run("publish", "-", told=story.lines(story.fresh))
            run("publish", "-", told=b"\n".join(story.bad) + b"\n", codes=(1,))
            run("publish", "-", told=story.lines([*story.late, *story.acknowledged]))
            files = {
                "figures.json": _json({view: figures(stack, view) for view in VIEWS}),
                **asyncio.run(_records(stack["kafka"])),
            }
            _await_trimmed(data / "spool")
            run("publish", "-", "--no-wait", told=story.lines(story.fresh[-10:]))
        finally:
            _kill(stack)
        FIXTURES.mkdir(exist_ok=True)
        _pack(FIXTURES / f"{name}.tar.gz", data, files)


def figures(stack: dict[str, Any], view: str, columns: list[str] | None = None) -> dict[str, Any]:
    """A view's columns (all but those that change, or these) and its rows, sorted."""
    if columns is None:
        described = _ask(stack, f"DESCRIBE TABLE {view}")
        columns = [row[0] for row in described if row[0] not in CHANGING]
    return {"columns": columns, "rows": _ask(stack, question(view, columns))}


def question(view: str, columns: list[str]) -> str:
    """The query of a view's rows in a fixed order."""
    shown = ", ".join(f"toString({name}) AS {name}" for name in columns)
    return f"SELECT {shown} FROM (SELECT * FROM {view}) ORDER BY ALL"  # noqa: S608  # names of our own


def _ask(stack: dict[str, Any], sql: str) -> list[list[Any]]:
    credentials = {"X-ClickHouse-User": stack["gate_user"], "X-ClickHouse-Key": stack["gate_password"]}
    address = f"{stack['gate']}/?database={stack['database']}&default_format=JSONCompact"
    with urlopen(Request(address, sql.encode(), credentials)) as answer:  # noqa: S310  # our own gate
        rows: list[list[Any]] = json.loads(answer.read().decode(errors="replace"))["data"]
        return rows


async def _records(bootstrap: str) -> dict[str, bytes]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        places = [TopicPartition(topic, number) for topic in (*CHANGELOGS, *STATES) for number in range(_PARTITIONS)]
        consumer.assign(places)
        missing = {place: end for place, end in (await true_ends(consumer, places)).items() if end}
        await consumer.seek_to_beginning(*places)
        rows: list[Any] = []
        while missing:
            for place, records in (await consumer.getmany(timeout_ms=500)).items():
                rows += records
                if records[-1].offset + 1 >= missing.get(place, 0):
                    missing.pop(place, None)
    finally:
        await consumer.stop()
    kept = [
        {"topic": row.topic, "partition": row.partition, "offset": row.offset,
         "key": _text(row.key), "value": _text(row.value)}
        for row in rows if row.topic in CHANGELOGS
    ]  # fmt: skip
    newest = {}
    for row in rows:
        if row.topic in STATES:
            told = json.loads(row.value)
            newest[row.topic, row.key] = {
                "topic": row.topic, "key": row.key.decode(), "state": told["state"], "gone": told.get("gone", False),
            }  # fmt: skip
    states = [newest[place] for place in sorted(newest)]
    return {"changelog.jsonl": b"\n".join(map(_json, kept)), "views.jsonl": b"\n".join(map(_json, states))}


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else base64.b64encode(raw).decode()


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _await_trimmed(spool: Path) -> None:
    """Until the history has all that the spool holds: what is left there shall be the last batch only."""
    deadline = time.monotonic() + _PATIENCE_S
    while any(spool.iterdir()):
        if time.monotonic() > deadline:
            sys.exit(f"{spool} still holds {[path.name for path in spool.iterdir()]}")
        time.sleep(0.1)


def _kill(stack: dict[str, Any]) -> None:
    """End the stack as a power cut does, without a chance to tidy up."""
    pids = [stack["pid"], *(told["pid"] for told in stack["processes"].values())]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + _PATIENCE_S
    while any(map(is_alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.1)


def _pack(path: Path, data: Path, files: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz", compresslevel=9) as archive:
        for name in _KEPT:
            if (data / name).exists():
                archive.add(data / name, f"data/{name}", filter=_anonymous)
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("QUAYSIDE_")}


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2])
