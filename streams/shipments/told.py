"""What was told of a shipment's milestones, taken one statement after the other, the oldest first.

Per (leg, milestone, classifier) and per field the last statement counts, so what was told is the same whether it is
taken from the beginning or goes on from where it was.
"""

from typing import Final

from schemas.shipment import MILESTONES, RANK
from streams.shipments.facts import ACTUAL, ESTIMATED, PLANNED, Line, MilestoneFact

RANKS: Final = len(MILESTONES)
"""A place is leg * RANKS + rank: one number, so that places sort as milestones do."""

_DELIVERED: Final = RANK["delivered"]
_RETURNED: Final = RANK["returned"]

LineKey = tuple[str, str, str]
"""What makes two statements speak of one line: order, line, item."""


class Told:
    """The last word on everything, after the statements taken so far.

    `planned`, `estimated`, `actual`: the milestones by place. `contents`: per line, what is in the shipment as last
    told before it was handed over. `handed`: per line, what was delivered and when (ms). `unnamed`: when (ms) all
    lines were delivered that no delivery names, as the last leg's delivery without lines tells.
    """

    __slots__ = (
        "_of_classifier",
        "_unnamed_leg",
        "actual",
        "carrier",
        "contents",
        "destination",
        "due_at",
        "estimated",
        "handed",
        "mode",
        "origin",
        "planned",
        "promised_at",
        "unnamed",
    )

    def __init__(self) -> None:
        self.planned: dict[int, MilestoneFact] = {}
        self.estimated: dict[int, MilestoneFact] = {}
        self.actual: dict[int, MilestoneFact] = {}
        self._of_classifier = {PLANNED: self.planned, ESTIMATED: self.estimated, ACTUAL: self.actual}
        self.carrier: str | None = None
        self.mode: str | None = None
        self.origin: str | None = None
        self.destination: str | None = None
        self.promised_at: int | None = None
        self.due_at: int | None = None
        self.contents: dict[LineKey, Line] = {}
        self.handed: dict[LineKey, tuple[Line, int]] = {}
        self.unnamed: int | None = None
        self._unnamed_leg = 0

    def take(self, fact: MilestoneFact) -> None:
        """The next statement."""
        rank = RANK[fact.milestone]
        self._of_classifier[fact.classifier][fact.leg * RANKS + rank] = fact
        self.carrier = fact.carrier or self.carrier
        self.mode = fact.mode or self.mode
        self.origin = fact.origin or self.origin
        self.destination = fact.destination or self.destination
        if fact.promised_at is not None:
            self.promised_at, self.due_at = fact.promised_at, fact.due_at
        if fact.classifier == ACTUAL and rank in {_DELIVERED, _RETURNED}:
            if rank == _DELIVERED:
                self._hand_over(fact)
        elif fact.lines:
            for line in fact.lines:
                self.contents[_key(line)] = line

    def _hand_over(self, fact: MilestoneFact) -> None:
        for line in fact.lines:
            self.handed[_key(line)] = (line, fact.occurred_at)
        if not fact.lines and fact.leg >= self._unnamed_leg:
            self.unnamed, self._unnamed_leg = fact.occurred_at, fact.leg


def _key(line: Line) -> LineKey:
    return line.order_id or "", line.line_id or "", line.item
