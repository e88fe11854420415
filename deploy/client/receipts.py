"""What a sender is told: a receipt for each event, and the errors that carry receipts."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from schemas.errors import Unreachable

Status = Literal["accepted", "refused", "spooled"]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one event.

    `index`: its place in what was sent, from 0. `accepted`: the gateway has it on disk. `refused`: it will never be
    taken as it is; `cause` is a word to count by, `field` what to mend (`lines[0].quantity`; empty: the whole event),
    `reason` a sentence. `spooled`: it is on this machine's disk and goes out later; `reason` says why.
    """

    index: int
    status: Status
    source: str
    event_id: str
    topic: str = ""
    cause: str = ""
    field: str = ""
    reason: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Flushed:
    """What became of the spool. `refused`: receipts of events that had been promised as spooled."""

    accepted: int = 0
    refused: tuple[Receipt, ...] = ()


class Undelivered(Unreachable):
    """The gateway took nothing of some events, and there is no spool, or what was in the spool is still there.

    `receipts`: of the events that were decided on before. Sending all of them again is harmless: an event that comes
    twice counts once.
    """

    def __init__(self, message: str, receipts: Sequence[Receipt] = ()) -> None:
        super().__init__(message)
        self.receipts = tuple(receipts)


class SpoolFull(Undelivered):
    """The spool has no room: nothing of the last batch was kept. `receipts`: of what was kept or delivered before."""
