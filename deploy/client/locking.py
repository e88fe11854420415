"""One process per spool: a lock on a file, which the system drops when the process ends, however it ends."""

import os
import sys
from contextlib import suppress
from io import FileIO
from pathlib import Path

from schemas.errors import WrongInput


def locked(directory: Path) -> FileIO:
    """The locked file; closing it gives the lock back. Raises WrongInput while somebody else has it."""
    path = directory / "lock"
    file = FileIO(path, "a+")
    try:
        _lock(file)
    except OSError:
        file.seek(0)
        holder = file.read(20).decode("ascii", "replace").strip()
        file.close()
        who = f"process {holder}" if holder.isdigit() else "another process"
        raise WrongInput(
            f"The spool {directory} is in use by {who}: give each process a spool of its own, or end that one."
        ) from None
    with suppress(OSError):
        file.truncate(0)
        file.write(f"{os.getpid()}\n".encode())
    return file


if sys.platform == "win32":
    import msvcrt

    _FAR = 1 << 30
    """The byte that is locked: past the text, which others are to read."""

    def _lock(file: FileIO) -> None:
        file.seek(_FAR)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        file.seek(0)

else:
    import fcntl

    def _lock(file: FileIO) -> None:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
