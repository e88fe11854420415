"""Runs of retention: what is old leaves the history in steps, after each of which all figures are the same.

1. begun: what goes is noted beside the tables, the openings are made beside them too, and what they add up to is
   compared in SQL with what they stand for. If that differs nothing happens.
2. staged: from now on the run is gone through with, by whoever comes next if this process ends.
3. visible: the openings, and with them a retraction of each event that they stand for, enter the fact table by one
   ATTACH PARTITION, which is atomic. Whoever reads before sees the events, whoever reads afterwards the openings.
4. The rows go (ALTER TABLE ... DELETE). In between, the retractions hide what has not gone yet.
5. The retractions go an hour later (`tidy`): a rebuild that had read some of the events then still takes them back.

Every step may be repeated.
"""

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.resources import files
from itertools import groupby
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from schemas.errors import QuaysideError, WrongInput
from schemas.times import DAY_MS, HOUR_MS, from_ms, rfc3339
from schemas.topics import of_kind
from schemas.wire import Rejection, read
from sinks import epochs
from sinks.facts import FactColumns
from sinks.migrate import statements
from sinks.retention.openings import opening_raw, openings
from sinks.tables import DEAD, FACTS, LATE, REPLAYED
from streams.stock.facts import Movement

REMEMBERED_MS: Final = 30 * DAY_MS
"""So long after their day has closed the agents still know the versions of events (streams.table)."""

SLICE_ROWS: Final = 500_000
"""Of so many rows at most one run decides: what it holds in memory goes with it."""

FINISHED: Final = "finished"
ABANDONED: Final = "abandoned"
_STEPS: Final = {"begun": 1, "staged": 2, "visible": 3, FINISHED: 4, ABANDONED: 5}
_TOPIC: Final = "warehouse.events"
_CHUNK: Final = 20_000
_PART_ROWS: Final = 50_000
_NOW: Final = {"mutations_sync": 1}
_DURABLE: Final = {"async_insert": 0}

Step = Callable[[str], None]
"""Is told the name of each step that has just been taken."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run.

    Attributes:
        run: When it began, in ms since the epoch; its name.
        cutoff: What arrived before (ms) was old.
        stage: begun, staged, visible, finished or abandoned (then nothing was dropped, and `reason` says why).
        ended_at: In ms; None while it is under way.
        positions: Stock positions whose movements became openings.
        openings: How many those are.
        left_alone: Positions for which no fewer openings were found, so that their movements stay.
        dropped: Rows by table.
    """

    run: int
    cutoff: int
    stage: str = "begun"
    ended_at: int | None = None
    positions: int = 0
    openings: int = 0
    left_alone: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    reason: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON; times as RFC 3339."""
        times = {"run": rfc3339(self.run), "cutoff": rfc3339(self.cutoff)}
        return asdict(self) | times | {"ended_at": None if self.ended_at is None else rfc3339(self.ended_at)}


def cutoff_of(retention_ms: int, horizon_ms: int, now: int) -> int:
    """What arrived before this moment (ms) is old.

    Raises WrongInput for a retention in which the agents may still take corrections.
    """
    least = horizon_ms + REMEMBERED_MS
    if retention_ms < least:
        raise WrongInput(
            f"A retention of {retention_ms / DAY_MS:g}d is too short: days stay open for the horizon, and events are "
            f"known for 30 days more, so give {-(-least // DAY_MS)}d or more."
        )
    return now - retention_ms


def retain(
    client: Client, cutoff: int, step: Step = lambda _: None, *, most: int = SLICE_ROWS, idle_ms: int = 0
) -> tuple[Run, ...]:
    """Let go of what arrived before the cutoff (ms), in as many runs as it takes.

    `client` writes, and is busy meanwhile. A run that was cut off is finished first. `idle_ms`: as of `resume`.

    Raises:
        WrongInput: Another process is at work.
        QuaysideError: Openings do not add up to what they stand for; nothing of that run was dropped.
    """
    done = [*resume(client, step, idle_ms)]
    tidy(client)
    if any(run.stage == "begun" for run in runs(client)):
        raise WrongInput("Another run of retention is under way: wait for it (`quayside retention list`).")
    slices = -(-max(1, _number(client, "old_rows", {"cutoff": cutoff})) // most)
    for number in range(slices):
        run = Run(_unused(client), cutoff)
        _note(client, run)
        step("begun")
        try:
            run = _stage(client, run, slices, number)
        except QuaysideError as error:
            _note(client, _with(run, stage=ABANDONED, reason=str(error)))
            _clear(client, run)
            raise
        done.append(_finish(client, run, step))
    return tuple(done)


def resume(client: Client, step: Step = lambda _: None, idle_ms: int = 0) -> tuple[Run, ...]:
    """Finish what an earlier process left: what had been staged is gone through with, what had not is abandoned.

    `idle_ms`: what was not staged and began less than so long ago may be somebody else's work and is left alone.
    """
    done = []
    for run in runs(client):
        if run.stage in {FINISHED, ABANDONED}:
            continue
        if run.stage == "begun":
            if time.time_ns() // 1_000_000 - run.run < idle_ms:
                continue
            left = _with(run, stage=ABANDONED, reason="The process ended before anything was dropped.")
            _note(client, left)
            _clear(client, left)
            done.append(left)
        else:
            done.append(_finish(client, run, step))
    return tuple(done)


def tidy(client: Client, idle_ms: int = HOUR_MS) -> bool:
    """Let the retractions of runs go that all ended so long ago; whether there were any to go."""
    known = runs(client)
    if not _number(client, "next_retraction", {}) or any(run.stage not in {FINISHED, ABANDONED} for run in known):
        return False
    if time.time_ns() // 1_000_000 - max((run.ended_at or 0 for run in known), default=0) < idle_ms:
        return False
    _drop(client, FACTS[_TOPIC].name, "epoch = 0 AND partition = 1")
    return True


def preview(client: Client, cutoff: int) -> dict[str, int]:
    """How many rows of each table would go, at most, and of how many positions; changes nothing."""
    about = {"cutoff": cutoff, "behind": _behind(cutoff), "slices": 1, "slice": 0, "run": 0}
    found: dict[str, int] = {}
    for sql in _selections():
        for table, rows in _rows(client, f"SELECT of_table, count() FROM ({sql}) GROUP BY of_table", about):  # noqa: S608  # our own files
            found[str(table)] = found.get(str(table), 0) + int(rows)
    folded, places = _rows(
        client,
        f"SELECT sum(statements), uniqExact(site, item) FROM ({_sql('foldable')})",  # noqa: S608  # our own files
        about,
    )[0]
    found["warehouse_events"] = found.get("warehouse_events", 0) + int(folded)
    (others,) = _rows(client, _sql("others"), about)
    found |= {DEAD.name: int(others[0]), REPLAYED.name: int(others[1]), "positions": int(places)}
    return found


def runs(client: Client) -> tuple[Run, ...]:
    """All runs, the earliest first."""
    return tuple(
        Run(run, cutoff, stage, ended_at, positions, made, left, dict(zip(tables, rows, strict=True)), reason)
        for run, cutoff, stage, ended_at, positions, made, left, tables, rows, reason in _rows(client, _sql("runs"))
    )


def _stage(client: Client, run: Run, slices: int, number: int) -> Run:
    """Note what goes and make the openings, both beside the tables; compare them."""
    _clear(client, run)
    client.command(f"CREATE TABLE retention_openings AS {FACTS[_TOPIC].name}")
    about: dict[str, Any] = {
        "run": run.run,
        "cutoff": run.cutoff,
        "behind": _behind(run.cutoff),
        "slices": slices,
        "slice": number,
        "appended": run.cutoff - 1,
        "first": _number(client, "next_retraction", {}),
    }
    _do(client, _sql("fold"), about)
    run = _open(client, run)
    ((differing, one),) = _rows(client, _sql("differing"), about)
    if differing:
        raise QuaysideError(
            f"The openings of {differing} positions (one is {one}) do not add up to their events: nothing was dropped. "
            "Please report it with the events of that position."
        )
    for name in ("retractions", "drop_movements"):
        _do(client, _sql(name), about)
    for sql in _selections():
        _do(client, "INSERT INTO retention_dropping " + sql, about)
    dropped = {str(table): int(rows) for table, rows in _rows(client, _sql("dropping_counts"), about)}
    if not number:
        (others,) = _rows(client, _sql("others"), about)
        dropped |= {DEAD.name: int(others[0]), REPLAYED.name: int(others[1])}
    return _with(run, dropped={table: rows for table, rows in dropped.items() if rows})


def _finish(client: Client, run: Run, step: Step) -> Run:
    """All that is left to do of a run that was staged, or is to be."""
    if run.stage == "begun":
        run = _note(client, _with(run, stage="staged"))
        step("staged")
    if run.stage == "staged":
        for (partition,) in _rows(client, _PARTS):
            client.command(
                f"ALTER TABLE {FACTS[_TOPIC].name} ATTACH PARTITION ID '{partition}' FROM retention_openings"
            )
        step("attached")
        run = _note(client, _with(run, stage="visible"))
    about = {"run": run.run, "cutoff": run.cutoff, "topics": [topic.name for topic in of_kind("fact")]}
    for name in ("note_dropped", "note_others"):
        _do(client, _sql(name), about)
    step("noted")
    for phase, tables in ((1, FACTS.values()), (2, FACTS.values()), (3, (LATE,))):
        for table in tables:
            _delete(client, run, table.name, phase)
            step(f"dropped {phase} {table.name}")
    _drop(client, DEAD.name, f"appended_at < fromUnixTimestamp64Milli({run.cutoff})")
    _drop(client, REPLAYED.name, f"epoch IN ({_numbers(client, 'left_epochs', about)})")
    shown = epochs.current(client)
    if shown is not None:
        epochs.forget_before(client, shown)
    step("dropped others")
    run = _note(client, _with(run, stage=FINISHED, ended_at=time.time_ns() // 1_000_000))
    _clear(client, run)
    return run


def _open(client: Client, run: Run) -> Run:
    """Make the openings of all positions that become smaller by it."""
    columns = FactColumns(_TOPIC, lambda _: ())
    offset = _number(client, "next_offset", {})
    positions = made = left = 0
    for site, item, rows, moves in _positions(client, run):
        found = openings(moves)
        if found is None or len(found) >= rows:
            left += found is None
            continue
        positions += bool(found)
        entity = hashlib.sha256(f"{site}|{item}".encode()).hexdigest()[:16]
        day = from_ms(_behind(run.cutoff) - 1).date().isoformat()
        for number, move in enumerate(found):
            name = f"opening/{day}/{run.run}/{entity}"
            raw = opening_raw(move, number, name=name, site=site, item=item, day=day, recorded_at=run.cutoff - 1)
            event = read(_TOPIC, raw, run.cutoff - 1)
            if isinstance(event, Rejection):
                raise QuaysideError(
                    f"An opening of {site}|{item} cannot be said ({event.reason}): nothing was dropped."
                )
            columns.add(((0, 0, offset, run.cutoff - 1, f"{site}|{item}".encode(), raw),), (event,))
            offset += 1
            made += 1
        if len(columns) >= _CHUNK:
            columns = _insert(client, columns)
    _insert(client, columns)
    return _with(run, positions=positions, openings=made, left_alone=left)


def _positions(client: Client, run: Run) -> Iterator[tuple[str, str, int, list[Movement]]]:
    """Each position: site, item, how many events may go, and its movements in order."""
    rows = int(client.query(f"SELECT count() FROM retention_movements WHERE run = {run.run}").result_rows[0][0])  # noqa: S608  # our own names
    parts = rows // _PART_ROWS + 1
    for part in range(parts):
        found = _rows(client, _sql("movements"), {"run": run.run, "parts": parts, "part": part})
        for (site, item), events in groupby(found, key=lambda row: (row[0], row[1])):
            listed = list(events)
            moves = [
                Movement(kind, occurred, quantity, unit, shipment or None, lot or None)
                for _, _, _, _, occurred, kind, quantity, unit, shipment, lot, counts in listed
                if counts
            ]
            yield site, item, len(listed), moves


def _insert(client: Client, columns: FactColumns) -> FactColumns:
    turned = columns.turned()
    if columns.spoiled:
        raise QuaysideError(f"An opening cannot be stored ({columns.spoiled[0][1]}): nothing was dropped.")
    if len(columns):
        table = FACTS[_TOPIC]
        client.insert(
            "retention_openings",
            turned,
            column_names=table.names,
            column_type_names=table.types,
            column_oriented=True,
            settings=_DURABLE,
        )
    return FactColumns(_TOPIC, lambda _: ())


def _delete(client: Client, run: Run, table: str, phase: int) -> None:
    """Let the rows go that are noted; returns when they have gone."""
    by_topic = "topic, " if table == LATE.name else ""
    place = f"{by_topic}epoch, partition, offset"
    noted = f"SELECT {place} FROM retention_dropping WHERE run = {run.run} AND of_table = '{table}' AND phase = {phase}"  # noqa: S608  # our own names
    if client.query(f"{noted} LIMIT 1").result_rows:
        client.command(f"ALTER TABLE {table} DELETE WHERE ({place}) IN ({noted})", settings=_NOW)


def _drop(client: Client, table: str, which: str) -> None:
    """Let rows go; where there are none, nothing is rewritten."""
    if client.query(f"SELECT 1 FROM {table} WHERE {which} LIMIT 1").result_rows:  # noqa: S608  # our own names
        client.command(f"ALTER TABLE {table} DELETE WHERE {which}", settings=_NOW)


def _clear(client: Client, run: Run) -> None:
    """Forget what stands beside the tables."""
    client.command("DROP TABLE IF EXISTS retention_openings SYNC")
    for table in ("retention_movements", "retention_dropping"):
        _drop(client, table, f"run <= {run.run}")


def _note(client: Client, run: Run) -> Run:
    about = {
        "run": run.run,
        "cutoff": run.cutoff,
        "stage": run.stage,
        "step": _STEPS[run.stage],
        "positions": run.positions,
        "openings": run.openings,
        "left_alone": run.left_alone,
        "tables": list(run.dropped),
        "rows": list(run.dropped.values()),
        "reason": run.reason,
    }
    _do(client, _sql("note_run"), about)
    return run


def _with(run: Run, **changed: Any) -> Run:
    known = {name: getattr(run, name) for name in Run.__dataclass_fields__}
    return Run(**(known | changed))


def _unused(client: Client) -> int:
    """A name for a new run."""
    known = runs(client)
    return max(time.time_ns() // 1_000_000, known[-1].run + 1 if known else 0)


def _behind(cutoff: int) -> int:
    """The end (ms) of the last day whose movements may become openings: one that had ended at the cutoff."""
    return cutoff // DAY_MS * DAY_MS


def _selections() -> tuple[str, ...]:
    """What goes but for the movements behind openings: (run, table, phase, topic, epoch, partition, offset)."""
    late = (_sql("drop_late", topic, FACTS[topic].name) for topic in LATE_TOPICS)
    return (*late, _sql("thin_shipments"), _sql("thin_orders"))


LATE_TOPICS: Final = ("supplier.events", "shipment.events", _TOPIC)
"""The topics whose events may come too late to be applied."""

_PARTS: Final = (
    "SELECT DISTINCT partition_id FROM system.parts "
    "WHERE active AND database = currentDatabase() AND table = 'retention_openings'"
)
_REFERENCE: Final = re.compile(r"\{\{([\w.]+)(?::([\w.]+))?\}\}")


@cache
def _sql(name: str, topic: str = "", table: str = "") -> str:
    """A statement of sinks/retention/sql, with the files that it names in double braces put in."""
    (text,) = statements(files("sinks").joinpath("retention", "sql", f"{name}.sql").read_text(encoding="utf-8"))
    text = text.replace("{{topic}}", topic).replace("{{table}}", table)
    if name == "differing":
        sides = {side: _sql("figures").replace("{{movements}}", _sql(side)) for side in ("before", "after")}
        return text.replace("{{before}}", sides["before"]).replace("{{after}}", sides["after"])
    if name == "figures":
        return text
    return _REFERENCE.sub(lambda found: _sql(found[1], found[2] or ""), text)


def _rows(client: Client, sql: str, about: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in client.query(sql, parameters=dict(about or {})).result_rows]


def _number(client: Client, name: str, about: Mapping[str, Any]) -> int:
    return int(_rows(client, _sql(name), about)[0][0])


def _numbers(client: Client, name: str, about: Mapping[str, Any]) -> str:
    """Numbers as a list in SQL; one that is never met where there are none."""
    return ", ".join(str(int(number)) for (number,) in _rows(client, _sql(name), about)) or str(2**64 - 1)


def _do(client: Client, sql: str, about: Mapping[str, Any]) -> None:
    client.command(sql, parameters=dict(about), settings=_DURABLE)
