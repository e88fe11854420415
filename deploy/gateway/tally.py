"""What a gateway has done since it started, as plain numbers; a scrape reads them (deploy/gateway/measures.py)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from deploy.tokens import Grant
from streams.tally import Seconds

Outcome = Literal["accepted", "refused", "forbidden", "dry_run"]

OTHER: Final = "(other)"
_SOURCES: Final = 200
"""So many sources are counted each by itself."""

_BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""50 ms is what a single event may take at the 99th percentile."""


class _Receipt(Protocol):
    @property
    def status(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def cause(self) -> str: ...


@dataclass(slots=True)
class Tally:
    """The numbers. `durable`: from the judgement until it is safe; `unchecked`: not compared with earlier ones."""

    requests: Counter[tuple[str, int]] = field(default_factory=Counter)
    """By route and status."""
    seconds: Seconds = field(default_factory=lambda: Seconds(_BOUNDS_S))
    events: Counter[tuple[Outcome, str]] = field(default_factory=Counter)
    durable: Seconds = field(default_factory=lambda: Seconds(_BOUNDS_S))
    unchecked: int = 0
    under_way: int = 0
    bytes_in_hand: int = 0
    _sources: set[str] = field(default_factory=set)

    def took(self, grant: Grant, receipts: Sequence[_Receipt], *, dry_run: bool) -> None:
        """Count what became of the events of a request."""
        found = Counter((receipt.status, receipt.cause == "forbidden", receipt.source) for receipt in receipts)
        for (status, forbidden, source), count in found.items():
            outcome: Outcome = "dry_run" if dry_run else "accepted" if status == "accepted" else "refused"
            if forbidden:  # whose name stands there is not the sender's to say
                self.events["dry_run" if dry_run else "forbidden", ""] += count
            else:
                self.events[outcome, self._named(source) if grant.speaks_for(source) else ""] += count

    def _named(self, source: str) -> str:
        if source not in self._sources:
            if len(self._sources) >= _SOURCES:
                return OTHER
            self._sources.add(source)
        return source
