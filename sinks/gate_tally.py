"""What the gate has answered since it opened, as plain numbers, and what it tells of the process around it."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

from streams.tally import Seconds

Outcome = Literal["answered", "failed", "denied", "refused"]
"""`failed`: the engine or the rules refused the question; `denied`: wrong password; `refused`: too many at once."""

OUTCOMES: Final[tuple[Outcome, ...]] = ("answered", "failed", "denied", "refused")

_BOUNDS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""A panel's query is to take less than 300 ms; at 30 s a question is cut off."""


@dataclass(slots=True)
class GateTally:
    """The gate's numbers. `seconds`: of answered and failed questions, with their waiting for a reader."""

    questions: Counter[str] = field(default_factory=Counter)
    seconds: Seconds = field(default_factory=lambda: Seconds(_BOUNDS_S))
    rows_read: int = 0
    bytes_sent: int = 0
    under_way: int = 0

    def ended(self, outcome: Outcome, seconds: float | None = None) -> None:
        """A question has its answer; `seconds`: how long that took, None where it was turned away at the door."""
        self.questions[outcome] += 1
        if seconds is not None:
            self.seconds.add(seconds)


class Probes(Protocol):
    """What a process tells of itself to whoever looks after it; answers come at once."""

    def metrics(self) -> tuple[bytes, str]:
        """All metrics in Prometheus' text format, and its content type."""
        ...

    def health(self) -> tuple[bool, dict[str, Any]]:
        """Whether it makes progress or has nothing to do, and what to say."""
        ...

    def ready(self) -> tuple[bool, dict[str, Any]]:
        """Whether it has caught up since its start, and what to say."""
        ...
