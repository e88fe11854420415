"""DATA/epoch: the last number that a life of the data directory's broker had."""

import os
from pathlib import Path

from schemas.errors import WrongInput


def next_epoch(data: Path) -> int:
    """A number that no earlier life of this data directory had; on disk before it is used."""
    epoch = last_epoch(data) + 1
    note_epoch(data, epoch)
    return epoch


def last_epoch(data: Path) -> int:
    """The last one; 0 if there was none. Raises WrongInput for a file that holds no number."""
    path = data / "epoch"
    try:
        return int(path.read_text()) if path.exists() else 0
    except ValueError:
        raise WrongInput(
            f"{path} holds no number: write one into it that is not below any epoch of the store."
        ) from None


def note_epoch(data: Path, epoch: int) -> None:
    """Write it down; it is on disk when this returns."""
    path = data / "epoch"
    fresh = path.with_suffix(".new")
    with fresh.open("w") as file:
        file.write(str(epoch))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
