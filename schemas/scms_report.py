"""What a reading of the SCMS delivery history accounts for: odd cells, rows left over, and the sums."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from schemas.derived import DeadLetter

KINDS: Final[Mapping[str, str]] = {
    "order_date_from_rdc": "The goods came from a regional store, so the file has no date of order.",
    "date_not_captured": "The date was not captured; it is absent.",
    "pre_pq_process": "The line is older than the price quote process; it has no quote, or no date of it.",
    "date_missing": "The date cell is empty; the date is absent.",
    "date_unreadable": "The date cell holds neither a date nor a known word; the date is absent.",
    "recorded_date_assumed": "No recorded date; the delivered date (else the scheduled one) stands for it.",
    "delivered_before_ordered": "The line was delivered before the date of its order.",
    "recorded_before_delivered": "The delivery was recorded before the day on which it happened.",
    "two_promises_in_shipment": "Lines of one shipment have different scheduled dates.",
    "two_deliveries_in_shipment": "Lines of one shipment have different delivered dates.",
    "two_orders_in_shipment": "Lines of one shipment belong to different orders.",
    "two_order_dates": "Lines of one order have different dates of order.",
    "origin_not_uniform": "Lines of one shipment come from different manufacturing sites; origin is absent.",
    "rows_disagree": "Rows of one shipment or order differ in what they should share; see docs/scms.md.",
    "mode_unknown": "The shipment mode is `N/A` or none that we know; the mode is absent.",
    "freight_given_elsewhere": "The freight cell is words: it refers to another line or another bill.",
    "weight_given_elsewhere": "The weight cell is words: it refers to another line or was kept elsewhere.",
    "insurance_empty": "The insurance cell is empty.",
    "cell_missing": "A cell that should name something is empty; what needs it is left out.",
    "cell_unusable": "A cell cannot be used (no number, too long); what needs it is left out.",
    "name_replaced": "Characters that names may not hold were replaced by `/`.",
    "text_encoding": "The text was not UTF-8 (read as Windows-1252), or was encoded twice (kept as it is).",
}
"""Every odd kind, and what it means for the events."""


class Odd(NamedTuple):
    """Something odd in the file: the line it is on (from 1), the row's ID, the column and the cell."""

    line: int
    id: str
    column: str
    value: str


@dataclass(frozen=True, slots=True)
class Unmapped:
    """A row from which no event could be made. `value` is the row's bytes as they stand in the file."""

    line: int
    id: str
    reason: str
    field: str
    value: bytes
    file: str
    digest: str

    @property
    def origin(self) -> str:
        """Where the row stands: `file:line`."""
        return f"{self.file}:{self.line}"

    def dead_letter(self, appended_at: int) -> DeadLetter:
        """The row as a dead letter that arrived at `appended_at` (ms).

        Its coordinate is epoch 0, topic `scms/DIGEST` (of the file's content), partition 0, offset = line:
        the same row of the same file is the same dead letter however often the file is replayed.
        """
        return DeadLetter(
            epoch=0,
            topic=f"scms/{self.digest}",
            partition=0,
            offset=self.line,
            appended_at=appended_at,
            cause="unmapped",
            reason=self.reason,
            field=self.field,
            key=self.id.encode(),
            value=self.value,
            origin=self.origin,
        )


@dataclass(frozen=True, slots=True)
class ScmsReport:
    """The sums of one reading. rows = mapped + unmapped; blank lines are no rows."""

    file: str
    rows: int
    mapped: int
    unmapped: int
    blank: int
    orders: int
    shipments: int
    events: Mapping[str, int]
    odd: Mapping[str, tuple[Odd, ...]]
    ignored_columns: tuple[str, ...]

    @property
    def published(self) -> int:
        """How many events there are in all."""
        return sum(self.events.values())

    def counts(self) -> dict[str, int]:
        """How many oddities there are of each kind, in the order of KINDS; kinds without any left out."""
        return {kind: len(self.odd[kind]) for kind in KINDS if kind in self.odd}

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain data, ready for JSON; each oddity as an object with line, id, column, value."""
        return {
            "file": self.file,
            "rows": self.rows,
            "mapped": self.mapped,
            "unmapped": self.unmapped,
            "blank": self.blank,
            "orders": self.orders,
            "shipments": self.shipments,
            "events": dict(self.events),
            "odd": {
                kind: {
                    "count": len(self.odd[kind]),
                    "meaning": KINDS[kind],
                    "columns": dict(sorted(Counter(odd.column for odd in self.odd[kind]).items())),
                    "cells": [odd._asdict() for odd in self.odd[kind]],
                }
                for kind in self.counts()
            },
            "ignored_columns": list(self.ignored_columns),
        }


class Findings:
    """Collects oddities while a file is read."""

    def __init__(self) -> None:
        self._odd: dict[str, list[Odd]] = {}

    def add(self, kind: str, odd: Odd) -> None:
        """Note one oddity of this kind."""
        self._odd.setdefault(kind, []).append(odd)

    def collected(self) -> dict[str, tuple[Odd, ...]]:
        """All that was noted: kinds in the order of KINDS, oddities by line and column."""
        return {kind: tuple(sorted(self._odd[kind])) for kind in KINDS if kind in self._odd}


def digest_of(content: bytes) -> str:
    """Twelve hexadecimal digits that name a file's content."""
    return hashlib.sha256(content).hexdigest()[:12]
