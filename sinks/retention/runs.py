"""Runs of retention: what is old leaves the history in steps, after each of which all figures are the same.

1. begun: what goes is noted beside the tables, the openings are made beside them too, and what they add up to is
   compared in SQL with what they stand for (sinks/retention/staging.py). If that differs nothing happens.
2. staged: from now on the run is gone through with, by whoever comes next if this process ends.
3. visible: the openings, and with them a retraction of each event that they stand for, enter the fact table by one
   ATTACH PARTITION, which is atomic. Whoever reads before sees the events, whoever reads afterwards the openings.
4. What goes is noted by coordinate and by name (sinks/retention/forgotten.py).
5. The rows go (ALTER TABLE ... DELETE). In between, the retractions hide what has not gone yet.
6. The retractions go an hour later (`tidy`): a rebuild that had read some of the events then still takes them back.

Every step may be repeated.
"""

from collections.abc import Callable
from typing import Final

from clickhouse_connect.driver.client import Client

from schemas.errors import QuaysideError, WrongInput
from schemas.times import DAY_MS, HOUR_MS, wall_clock
from schemas.topics import of_kind
from sinks import epochs
from sinks.retention.ledger import ABANDONED, FINISHED, Run, note, runs, unused
from sinks.retention.staging import TOPIC, clear, stage
from sinks.retention.statements import DROPPED_FROM, do, drop, number, numbers, rows, text
from sinks.tables import DEAD, FACTS, LATE, REPLAYED

REMEMBERED_MS: Final = 30 * DAY_MS
"""So long after their day has closed the agents still know the versions of events (streams.table)."""

SLICE_ROWS: Final = 500_000
"""Of so many rows at most one run decides: what it holds in memory goes with it."""

Step = Callable[[str], None]
"""Is told the name of each step that has just been taken."""


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
    slices = -(-max(1, number(client, "old_rows", {"cutoff": cutoff})) // most)
    for index in range(slices):
        run = note(client, Run(unused(client), cutoff))
        step("begun")
        try:
            run = stage(client, run, slices, index)
        except QuaysideError as error:
            note(client, run.changed(stage=ABANDONED, reason=str(error)))
            clear(client, run)
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
            if wall_clock() - run.run < idle_ms:
                continue
            left = run.changed(stage=ABANDONED, reason="The process ended before anything was dropped.")
            note(client, left)
            clear(client, left)
            done.append(left)
        else:
            done.append(_finish(client, run, step))
    return tuple(done)


def tidy(client: Client, idle_ms: int = HOUR_MS) -> bool:
    """Let the retractions of runs go that all ended so long ago; whether there were any to go."""
    known = runs(client)
    if not number(client, "next_retraction", {}) or any(run.stage not in {FINISHED, ABANDONED} for run in known):
        return False
    if wall_clock() - max((run.ended_at or 0 for run in known), default=0) < idle_ms:
        return False
    drop(client, FACTS[TOPIC].name, "epoch = 0 AND partition = 1")
    return True


def _finish(client: Client, run: Run, step: Step) -> Run:
    """All that is left to do of a run that was staged, or is to be."""
    if run.stage == "begun":
        run = note(client, run.changed(stage="staged"))
        step("staged")
    if run.stage == "staged":
        for (partition,) in rows(client, _PARTS):
            client.command(f"ALTER TABLE {FACTS[TOPIC].name} ATTACH PARTITION ID '{partition}' FROM retention_openings")
        step("attached")
        run = note(client, run.changed(stage="visible"))
    about = {"run": run.run, "cutoff": run.cutoff, "topics": [topic.name for topic in of_kind("fact")]}
    for name in ("note_dropped", "note_others", "forget_movements"):
        do(client, text(name), about)
    for topic in DROPPED_FROM:
        if topic != TOPIC:
            do(client, text("forget_others", topic), about)
    step("noted")
    for phase, tables in ((1, FACTS.values()), (2, FACTS.values()), (3, (LATE,))):
        for table in tables:
            _delete(client, run, table.name, phase)
            step(f"dropped {phase} {table.name}")
    drop(client, DEAD.name, f"appended_at < fromUnixTimestamp64Milli({run.cutoff})")
    drop(client, REPLAYED.name, f"epoch IN ({numbers(client, 'left_epochs', about)})")
    shown = epochs.current(client)
    if shown is not None:
        epochs.forget_before(client, shown)
    step("dropped others")
    run = note(client, run.changed(stage=FINISHED, ended_at=wall_clock()))
    clear(client, run)
    return run


def _delete(client: Client, run: Run, table: str, phase: int) -> None:
    """Let the rows go that are noted; returns when they have gone."""
    by_topic = "topic, " if table == LATE.name else ""
    place = f"{by_topic}epoch, partition, offset"
    noted = f"SELECT {place} FROM retention_dropping WHERE run = {run.run} AND of_table = '{table}' AND phase = {phase}"  # noqa: S608  # our own names
    if client.query(f"{noted} LIMIT 1").result_rows:
        drop(client, table, f"({place}) IN ({noted})")


_PARTS: Final = (
    "SELECT DISTINCT partition_id FROM system.parts "
    "WHERE active AND database = currentDatabase() AND table = 'retention_openings'"
)
