"""DATA/replayed: that the history was replayed into an epoch's broker, and how the supervisor tells an epoch's end."""

from pathlib import Path
from typing import Final

EPOCH_ENDED: Final = "epoch-ended"
"""The line that tells the store process that an epoch's rebuild has ended: `epoch-ended N`."""

_NAME: Final = "replayed"


def replayed(data: Path, epoch: int) -> int | None:
    """How many records of the history were replayed into this epoch's broker; None while that goes on."""
    try:
        said = (data / _NAME).read_text().split()
    except FileNotFoundError:
        return None
    return int(said[1]) if int(said[0]) == epoch else None


def note_replayed(data: Path, epoch: int, count: int) -> None:
    """The history has been replayed into this epoch's broker."""
    fresh = data / f"{_NAME}.new"
    fresh.write_text(f"{epoch} {count}")
    fresh.replace(data / _NAME)
