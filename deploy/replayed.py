"""How the supervisor and the store process speak with each other about an epoch's rebuild.

The supervisor sends lines to the store's standard input, the store answers in DATA/replayed: the epoch, how many
records of the history went into its broker, and how far it is.
"""

from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import msgspec

EPOCH_ENDED: Final = "epoch-ended"
"""The line that tells the store process that an epoch's rebuild has ended: `epoch-ended N`."""

MOVE_TO: Final = "move-to"
"""The line that names the broker to go on in: `move-to` and a Move as JSON."""

FINISH: Final = "finish"
"""The line that says that the history has all of the old broker: `finish` and a Move, its ends as they were before."""

Stage = Literal["begun", "most", "whole", "shown"]
"""`most`: what the old broker had when the move began is in the new one. `whole`: all of the history is.
`shown`: the views show the epoch, and the old broker is not needed any more."""

_STAGES: Final[tuple[Stage, ...]] = ("begun", "most", "whole", "shown")
_NAME: Final = "replayed"


class Move(msgspec.Struct, frozen=True):
    """Where to go on: a broker and its epoch. `left`: the old broker's epoch.

    `ends`: by `topic/partition`, how far the new broker has, or will have at once, what the old one got; None: the old
    one is gone, and all that the history has is all there is.
    """

    kafka: str
    epoch: int
    left: int = 0
    ends: dict[str, int] | None = None

    def line(self, command: str) -> str:
        """As the store process is told it."""
        return f"{command} {msgspec.json.encode(self).decode()}"

    @classmethod
    def read(cls, said: str) -> "Move":
        """What a line says behind its first word."""
        return msgspec.json.decode(said, type=cls)

    def has(self, topic: str, partition: int, offset: int) -> bool:
        """Whether a record of the old broker is before the ends."""
        return self.ends is None or offset < self.ends.get(f"{topic}/{partition}", 0)


class Told(NamedTuple):
    """What the store says of an epoch: how many records went in, how far it is, and how often it was told to finish."""

    epoch: int
    records: int = 0
    stage: Stage = "begun"
    turn: int = 0

    def reached(self, stage: Stage, turn: int = 0) -> bool:
        """Whether the store is there, or further."""
        return self.turn >= turn and _STAGES.index(self.stage) >= _STAGES.index(stage)


def told(data: Path, epoch: int) -> Told:
    """What the store said last of this epoch."""
    try:
        said: Any = (data / _NAME).read_text().split()
        number, count, *rest = said
        stage, turn = rest or ("whole", "1")
        found = Told(int(number), int(count), stage if stage in _STAGES else "begun", int(turn))
    except (FileNotFoundError, ValueError):
        return Told(epoch)
    return found if found.epoch == epoch else Told(epoch)


def tell(data: Path, what: Told) -> None:
    """Say how far the store is."""
    fresh = data / f"{_NAME}.new"
    fresh.write_text(" ".join(map(str, what)))
    fresh.replace(data / _NAME)
