"""The spool: what was accepted, on disk before it is anywhere else.

`publish`, the demo network and the suppliers' door write each batch to a file of their own under
DATA/spool and sync it to disk before they call it accepted. A file whose records
were all published is closed under another name; it is removed once the history has committed past them. What
is left at the start of a stack, or by a process that died, is published again, which is harmless, since an
event that is merged twice is merged once.

A file is a run of frames: magic, length (4 bytes, big endian), CRC-32 of the body (4 bytes), body. The body is
msgpack [[topic, key, value], ...], with [[name, value], ...] behind a record that has headers. A frame that was cut
off by a crash was never accepted and is skipped.
"""

import contextlib
import os
import time
import uuid
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from schemas.errors import Unreachable, WrongInput

_MAGIC: Final = b"QSP1"
_HEAD: Final = len(_MAGIC) + 8
_SUFFIX: Final = ".spool"
MAX_FILE_BYTES: Final = 4 << 20
"""A writer goes on in a new file past this size, so that old ones can be trimmed."""


class Spooled(NamedTuple):
    """One accepted record. `headers`: those it goes out with, also when it is published again."""

    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


class SpoolWriter:
    """Appends accepted records to files of its own; not for several threads."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._file: int | None = None
        self._path: Path | None = None
        self._size = 0
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WrongInput(
                f"The spool {directory} cannot be written: {error.strerror}. Choose another --data."
            ) from None

    @property
    def size(self) -> int:
        """How many bytes its present file has; 0 where it has none."""
        return self._size if self._file is not None else 0

    def append(self, records: Sequence[Spooled]) -> None:
        """Write the records and sync them to disk; when this returns they are accepted."""
        if not records:
            return
        # Three fields where three tell all: a stack of an older version reads them too.
        body = msgspec.msgpack.encode([told if told.headers else told[:3] for told in records])
        frame = _MAGIC + len(body).to_bytes(4, "big") + zlib.crc32(body).to_bytes(4, "big") + body
        if self._file is None or self._size > MAX_FILE_BYTES:
            self._open()
        assert self._file is not None  # noqa: S101  # _open has set it
        view = memoryview(frame)
        try:
            while view:
                view = view[os.write(self._file, view) :]
            os.fsync(self._file)
        except OSError as error:
            self._cut_off()
            raise Unreachable(
                f"The spool {self._directory} cannot be written ({error.strerror}): nothing of this batch was "
                "accepted; make room and publish again."
            ) from None
        self._size += len(frame)

    def close(self, *, published: bool = True) -> None:
        """Close the file. `published`: the broker has acknowledged all of it; else it is published again."""
        if self._file is not None and self._path is not None:
            with contextlib.suppress(OSError):  # what is in it was synced
                os.close(self._file)
            if published:
                # Gone: the history had it. Not to be renamed (a full disk): it goes out again, which is harmless.
                with contextlib.suppress(OSError):
                    mark_published(self._path)
            self._file = self._path = None

    def _cut_off(self) -> None:
        """Take half a frame away again: what came behind it could not be read."""
        if self._file is not None:
            try:
                os.ftruncate(self._file, self._size)
            except OSError:
                self.close(published=False)

    def _open(self) -> None:
        self.close()
        name = f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}.{os.getpid()}-open"
        self._path = self._directory / name
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self._size = 0
        directory = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def spool_files(directory: Path) -> list[Path]:
    """All files of the spool, oldest first, those that are still written included."""
    if not directory.is_dir():
        return []
    return sorted(path for path in directory.iterdir() if path.suffix == _SUFFIX or path.name.endswith("-open"))


def published_files(directory: Path) -> list[Path]:
    """The files whose records have all been acknowledged by the broker."""
    return [path for path in spool_files(directory) if path.suffix == _SUFFIX]


def abandoned_files(directory: Path) -> list[Path]:
    """The files of processes that are gone: nobody knows whether all of their records were published."""
    return [path for path in spool_files(directory) if path.suffix != _SUFFIX and not _is_writing(path)]


def mark_published(path: Path) -> Path:
    """Rename a file whose records have all been acknowledged by the broker."""
    return path.rename(closed_name(path))


def closed_name(path: Path) -> Path:
    """What a file is called once it is closed."""
    return path.with_suffix(_SUFFIX)


def read_spool(path: Path) -> Iterator[list[Spooled]]:
    """The batches of a file; a cut-off or damaged frame ends it (it was never accepted)."""
    decoder = msgspec.msgpack.Decoder(list[Spooled])
    with path.open("rb") as file:
        while len(head := file.read(_HEAD)) == _HEAD and head.startswith(_MAGIC):
            length, crc = int.from_bytes(head[4:8], "big"), int.from_bytes(head[8:12], "big")
            body = file.read(length)
            if len(body) < length or zlib.crc32(body) != crc:
                return
            yield decoder.decode(body)


def spooled_count(paths: Iterable[Path]) -> int:
    """How many records the files hold."""
    return sum(len(batch) for path in paths for batch in read_spool(path))


def _is_writing(path: Path) -> bool:
    """Whether the process named in an open file's name lives."""
    pid = path.suffix.removeprefix(".").removesuffix("-open")
    if not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
