"""The runs of retention, as the store keeps them: how far each is, and what it dropped."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from schemas.times import rfc3339, wall_clock
from sinks.retention.statements import do, rows, text

FINISHED: Final = "finished"
ABANDONED: Final = "abandoned"
_STEPS: Final = {"begun": 1, "staged": 2, "visible": 3, FINISHED: 4, ABANDONED: 5}


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

    def changed(self, **changed: Any) -> "Run":
        """The same run, further on."""
        return Run(**({name: getattr(self, name) for name in self.__dataclass_fields__} | changed))

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON; times as RFC 3339."""
        times = {"run": rfc3339(self.run), "cutoff": rfc3339(self.cutoff)}
        return asdict(self) | times | {"ended_at": None if self.ended_at is None else rfc3339(self.ended_at)}


def runs(client: Client) -> tuple[Run, ...]:
    """All runs, the earliest first."""
    return tuple(
        Run(run, cutoff, stage, ended_at, positions, made, left, dict(zip(tables, counts, strict=True)), reason)
        for run, cutoff, stage, ended_at, positions, made, left, tables, counts, reason in rows(client, text("runs"))
    )


def note(client: Client, run: Run) -> Run:
    """Keep how far a run is."""
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
    do(client, text("note_run"), about)
    return run


def unused(client: Client) -> int:
    """A name for a new run."""
    known = runs(client)
    return max(wall_clock(), known[-1].run + 1 if known else 0)
