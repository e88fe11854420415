"""How long a store with a long history takes to answer: every view, panel, alert rule and statement of ours.

The store is opened as the store process opens it, and asked as its gate asks: read-only sessions with the gate's
limits. Each question is asked in a fresh process, once what is refreshed at its opening is refreshed, whose files are
not in the system's cache (cold, once), then so many times again (warm), on a store whose every partition is one part
(merged), and on one whose partitions have four parts more (unmerged).
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import msgspec
from clickhouse_connect.driver.client import Client

from deploy.bench import history_store
from deploy.bench.figures import TARGET_MS, percentile
from deploy.bench.history_questions import Question, every_question
from deploy.bench.history_store import Sizes
from schemas.errors import QuaysideError
from schemas.times import rfc3339, wall_clock
from sinks.embedded import EmbeddedStore, QueryError
from sinks.migrate import migrate
from sinks.readonly import Limits

RUNS: Final = 20
_LONGEST_S: Final = 1_800


class HistoryNotMeasured(QuaysideError):
    """The process that measures ended before it had answers."""


def run(events: int, runs: int, tell: Callable[[str], None], folder: Path | None = None) -> dict[str, Any]:
    """Make a store of so many events, measure, and delete it.

    Args:
        events: About how many events; a million take a minute and 100 MB, 50 million half an hour and 6 GB.
        runs: How often each question is asked warm.
        tell: Where to say how it goes.
        folder: Where the store is made; a temporary directory without it.

    Returns:
        at, events, runs, load (the load average of the last minute before and after); merged and unmerged: name ->
        cold_ms, median_ms, p95_ms, cpu_ms, rows_read, failed; tables_merged and tables_unmerged: name -> rows, bytes,
        parts.

    Raises:
        HistoryNotMeasured: a measuring process ended early; its own words stand on standard error.
    """
    sizes = Sizes.of(events, wall_clock())
    with tempfile.TemporaryDirectory(prefix="quayside-history-", dir=folder, ignore_cleanup_errors=True) as place:
        path = Path(place) / "store"
        with EmbeddedStore(path) as store:
            migrate(store.writer)
            history_store.fill(store.writer, sizes, tell)
            history_store.merge(store.writer, tell)
        return measure(path, sizes, runs, tell)


def measure(path: Path, sizes: Sizes, runs: int, tell: Callable[[str], None]) -> dict[str, Any]:
    """Measure a store that `history_store.fill` has made and that is merged; as `run`."""
    load = [os.getloadavg()[0]]
    result: dict[str, Any] = {"at": rfc3339(sizes.now_ms), "events": sizes.events, "runs": runs, "load": load}
    for state in _STATES:
        if state == "unmerged":
            with EmbeddedStore(path) as store:
                history_store.unmerge(store.writer, sizes, tell)
        tell(f"asking the {state} store")
        told = _child(path, sizes, runs)
        result |= {state: told["answers"], f"tables_{state}": told["tables"]}
    load.append(os.getloadavg()[0])
    return result


def as_text(result: Mapping[str, Any]) -> str:
    """A table of all questions, the slowest first, and what is over the target."""
    width = max(len(name) for name in result["merged"])
    rows = [
        f"{'question':<{width}}  {'merged ms':^33}  {'unmerged ms':^33}",
        _row("", ["cold", "median", "p95", "CPU"] * 2, width),
    ]
    slowest = sorted(result["merged"], key=lambda name: -_worst(result, name))
    for name in slowest:
        figures = [result[state][name][each] for state in _STATES for each in _FIGURES]
        rows.append(_row(name, [f"{figure:,.0f}" for figure in figures], width))
    above = [name for name in slowest if _worst(result, name) > TARGET_MS]
    load = " to ".join(f"{each:.2f}" for each in result["load"])
    told = f"{result['events']:,} events, {result['runs']} runs each, load {load}; "
    rows += ["", f"{told}p95 above {TARGET_MS} ms: {len(above)} of {len(slowest)}."]
    return "\n".join(rows)


def ask_all(store: EmbeddedStore, questions: Iterable[Question], runs: int) -> dict[str, dict[str, Any]]:
    """Ask every question once cold and `runs` times warm: name -> its figures.

    A question that is slow is asked less often, but three times. `cpu_ms`: the median of the processor time, of all
    cores, which the load of the machine changes least. `failed`: the engine's words where it refused or ran
    into a limit of the gate (the figures are then how long that took), else None.
    """
    return {question.name: _ask(store, question, runs) for question in questions}


def _ask(store: EmbeddedStore, question: Question, runs: int) -> dict[str, Any]:
    seconds: list[float] = []
    spent: list[float] = []
    rows, failed = 0, None
    while len(seconds) <= runs and failed is None and (len(seconds) < _LEAST or sum(seconds) < _ENOUGH_S):
        with store.session(Limits().settings({})) as session:
            began, used = time.perf_counter(), time.process_time()
            try:
                rows = session.ask(question.sql, "JSONCompact", question.parameters).rows_read
            except QueryError as error:
                failed = str(error)
            seconds.append(time.perf_counter() - began)
            spent.append(time.process_time() - used)
    cold, *warm = (round(each * 1_000, 1) for each in seconds)
    warm = warm or [cold]
    median, p95 = percentile(warm, 0.5), percentile(warm, 0.95)
    cpu = round(percentile(spent[1:] or spent, 0.5) * 1_000, 1)
    return {"cold_ms": cold, "median_ms": median, "p95_ms": p95, "cpu_ms": cpu, "rows_read": rows, "failed": failed}


_LEAST: Final = 4
_ENOUGH_S: Final = 6.0
_SETTLED_S: Final = 300
"""How long the refreshes at the opening are waited for; on 50 million events they take 40 s."""
_QUIET: Final = 3
"""For so many seconds nothing has been refreshed: then it has settled."""
_STATES: Final = ("merged", "unmerged")
_FIGURES: Final = ("cold_ms", "median_ms", "p95_ms", "cpu_ms")


def _worst(result: Mapping[str, Any], name: str) -> float:
    return float(max(result[state][name]["p95_ms"] for state in _STATES))


def _row(name: str, cells: list[str], width: int) -> str:
    return f"{name:<{width}}  " + "  ".join(f"{cell:>7}" for cell in cells)


def _settle(client: Client) -> None:
    """Wait until what is refreshed at the opening is refreshed, which keeps the cores busy; forget what that read."""
    until, quiet = time.monotonic() + _SETTLED_S, 0
    while quiet < _QUIET and time.monotonic() < until:
        time.sleep(1)
        running = client.query("SELECT count() FROM system.view_refreshes WHERE status = 'Running'").result_rows[0][0]
        quiet = 0 if running else quiet + 1
    for kept in ("MARK", "UNCOMPRESSED", "QUERY CONDITION"):
        client.command(f"SYSTEM DROP {kept} CACHE")


def _forget_cached(path: Path) -> None:
    """Have the system forget what it keeps of the store's files, so that the first answers come from the disk."""
    for folder, _, names in os.walk(path):
        for name in names:
            with suppress(FileNotFoundError), (Path(folder) / name).open("rb") as opened:  # the store is open: parts go
                os.fsync(opened.fileno())
                os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _child(path: Path, sizes: Sizes, runs: int) -> dict[str, Any]:
    task = msgspec.json.encode({"path": str(path), "sizes": asdict(sizes), "runs": runs})
    command = [sys.executable, "-m", "deploy.bench.history"]
    try:
        done = subprocess.run(command, input=task, stdout=subprocess.PIPE, check=True, timeout=_LONGEST_S)
    except subprocess.SubprocessError as error:
        raise HistoryNotMeasured(f"The process that asks the store did not end well: {error}.") from None
    found: dict[str, Any] = msgspec.json.decode(done.stdout)
    return found


def _main() -> None:
    """The fresh process: a task on standard input, the figures on standard output."""
    task = msgspec.json.decode(sys.stdin.buffer.read())
    path = Path(task["path"])
    with EmbeddedStore(path) as store:
        store.writer.command("SYSTEM STOP MERGES")
        _settle(store.writer)
        _forget_cached(path)
        tables = history_store.tables_of(store.writer)
        found = ask_all(store, every_question(Sizes(**task["sizes"])), task["runs"])
    sys.stdout.buffer.write(msgspec.json.encode({"answers": found, "tables": tables}))


if __name__ == "__main__":
    _main()
