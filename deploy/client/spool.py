"""The client's spool: what was promised and not yet delivered, on disk and in order.

A directory with a lock and segments, `000000000001.seg` and so on; a process writes only segments that it has begun
itself. A segment is a run of frames: magic, length (4 bytes, big endian), CRC-32 of the body (4 bytes), body; the
body is msgpack [key, [line, ...]], one batch under one Idempotency-Key. `append` returns when the frame is on disk.
`cursor` says up to where everything is settled. It is replaced without a sync: an older one, after a power cut, means
that some batches go out again, and an event that comes twice counts once. Segment numbers are never used again, so
no cursor can ever cover what came after it.

A frame that a crash cut off was never promised, and is passed over. A damaged one is set aside in a file of its own,
and what stands behind it is still found.
"""

import logging
import os
import uuid
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from deploy.client.locking import locked
from deploy.client.receipts import Receipt, SpoolFull, Undelivered
from schemas.errors import WrongInput

SEGMENT_BYTES: Final = 4 << 20
"""A new segment is begun past this size, so that old ones can be removed."""

_LOG: Final = logging.getLogger(__name__)
_MAGIC: Final = b"QCS1"
_HEAD: Final = len(_MAGIC) + 8
_SUFFIX: Final = ".seg"


@dataclass(slots=True, eq=False)
class Entry:
    """One batch in the spool, and where its frame stands. `awaited`: its sender has not been told anything yet."""

    key: str
    count: int
    segment: int
    start: int
    end: int
    awaited: bool = False
    receipts: list[Receipt] | None = None


@dataclass(slots=True)
class _Segment:
    path: Path
    entries: int = 0
    damage: list[tuple[int, int]] = field(default_factory=list)


class Spool:
    """The spool in a directory, for one process. Not thread-safe: `append` and `settle` need a lock around them.

    Raises WrongInput for a directory that cannot be used or that another process uses.
    """

    def __init__(self, directory: Path, most_bytes: int) -> None:
        self.directory: Final = directory
        self._most: Final = most_bytes
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._lock: Final = locked(directory)
        except OSError as error:
            raise WrongInput(f"The spool {directory} cannot be used: {error.strerror}. Choose another.") from None
        self._pid: Final = os.getpid()
        self._segments: dict[int, _Segment] = {}
        self._waiting: deque[Entry] = deque()
        self._bytes = self._events = 0
        self._file: int | None = None
        self._size = 0
        self._cursor = self._read_cursor()
        self._last = self._cursor[0]
        self._restore()

    @property
    def events(self) -> int:
        """How many events wait."""
        return self._events

    @property
    def used_bytes(self) -> int:
        """How much of its bound the spool uses."""
        return self._bytes

    def has_room(self, raws: Sequence[bytes]) -> bool:
        """Whether so many lines would fit now."""
        return self._bytes + _frame_bytes(raws) <= self._most

    def append(self, raws: Sequence[bytes]) -> Entry:
        """Put a batch behind all others; on disk when this returns. Raises SpoolFull, Undelivered."""
        self._mine()
        if not self.has_room(raws):
            raise SpoolFull(
                f"The spool {self.directory} is full ({self._events} events, {self._bytes} of at most {self._most} "
                f"bytes): the last {len(raws)} events were not kept; send them again when the gateway takes events."
            )
        key = uuid.uuid4().hex
        frame = _frame(key, raws)
        try:
            if self._file is None or self._size > SEGMENT_BYTES:
                self._begin()
            self._write(frame)
        except OSError as error:
            self._give_up_segment()
            raise Undelivered(
                f"The spool {self.directory} cannot be written ({error.strerror}): the last {len(raws)} events were "
                "not kept; make room and send them again."
            ) from None
        entry = Entry(key, len(raws), self._last, self._size, self._size + len(frame), awaited=True)
        self._size = entry.end
        self._add(entry)
        return entry

    def head(self, most_events: int, most_bytes: int) -> list[Entry]:
        """The oldest batches, as many as go into one request, at least one; empty: nothing waits."""
        found: list[Entry] = []
        count = size = 0
        for entry in self._waiting:
            count += entry.count
            size += entry.end - entry.start
            if found and (count > most_events or size > most_bytes):
                break
            found.append(entry)
        return found

    def lines(self, entry: Entry) -> list[bytes]:
        """The lines of a batch. Raises WrongInput for what has been damaged since."""
        self._mine()
        try:
            with self._segments[entry.segment].path.open("rb") as file:
                file.seek(entry.start)
                batch = _batch(file.read(entry.end - entry.start))
        except OSError as error:
            raise WrongInput(f"The spool {self.directory} cannot be read: {error.strerror}. Mend it.") from None
        if batch is None:
            raise WrongInput(
                f"The spool {self.directory} was changed by somebody else: close this client and open it again; "
                "what is damaged is set aside."
            )
        return batch[1]

    def settle(self, entries: Sequence[Entry]) -> None:
        """The oldest batches have their receipts: forget them. `entries` as from `head`."""
        self._mine()
        for entry in entries:
            if self._waiting.popleft() is not entry:
                raise AssertionError("settled out of order")
            self._events -= entry.count
            self._bytes -= entry.end - entry.start
            self._segments[entry.segment].entries -= 1
        last = entries[-1]
        self._write_cursor(last.segment, last.end)
        self._clear()

    def set_aside(self, refused: Sequence[tuple[Receipt, bytes]]) -> None:
        """Write what the gateway refused after its sender had been promised it to `refused.ndjson`; on disk then."""
        told = [
            msgspec.json.encode({"receipt": receipt.as_dict(), "event": line.decode("utf-8", "replace")}) + b"\n"
            for receipt, line in refused
        ]
        with (self.directory / "refused.ndjson").open("ab+") as file:
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    told.insert(0, b"\n")  # a crash cut the last line off: it was refused again, or will be
            file.write(b"".join(told))
            file.flush()
            os.fsync(file.fileno())

    def close(self) -> None:
        """Give the directory back."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        self._clear()
        self._lock.close()

    def _mine(self) -> None:
        if os.getpid() != self._pid:
            raise WrongInput(f"The spool {self.directory} was opened before a fork: open a client in each process.")
        if self._lock.closed:
            raise WrongInput("This client is closed: open another one.")

    def _restore(self) -> None:
        """Find what waits, in the order in which it came."""
        for path in sorted(self.directory.glob(f"*{_SUFFIX}")):
            if not path.stem.isdigit():
                continue
            number = int(path.stem)
            self._last = max(self._last, number)
            self._segments[number] = _Segment(path)
            data = path.read_bytes()
            settled = self._cursor[1] if number == self._cursor[0] else len(data) if number < self._cursor[0] else 0
            for start, end, batch in _frames(data, settled):
                if batch is None:
                    self._set_aside_damage(path, start, data[start:end])
                else:
                    self._add(Entry(batch[0], len(batch[1]), number, start, end))
        self._clear()

    def _add(self, entry: Entry) -> None:
        self._waiting.append(entry)
        self._events += entry.count
        self._bytes += entry.end - entry.start
        self._segments[entry.segment].entries += 1

    def _begin(self) -> None:
        self._give_up_segment()
        self._last += 1
        path = self.directory / f"{self._last:012}{_SUFFIX}"
        self._file = os.open(
            path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o600
        )
        self._segments[self._last] = _Segment(path)
        self._size = 0
        _sync_directory(self.directory)

    def _give_up_segment(self) -> None:
        """Go on in a new one: what stands at the end of this one may be half a frame."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        self._clear()

    def _write(self, frame: bytes) -> None:
        assert self._file is not None  # noqa: S101  # _begin has set it
        view = memoryview(frame)
        try:
            while view:
                view = view[os.write(self._file, view) :]
            os.fsync(self._file)
        except OSError:
            # It was not kept, so it must not go out later either: its sender will say it again.
            with suppress(OSError):
                os.ftruncate(self._file, self._size)
            raise

    def _clear(self) -> None:
        """Remove segments with nothing that waits, but for the one that is written."""
        for number, segment in list(self._segments.items()):
            if not segment.entries and not (self._file is not None and number == self._last):
                with suppress(OSError):
                    segment.path.unlink(missing_ok=True)
                    del self._segments[number]

    def _set_aside_damage(self, path: Path, start: int, damaged: bytes) -> None:
        beside = path.with_name(f"{path.stem}-{start}.damaged")
        beside.write_bytes(damaged)
        _LOG.error(
            "%d bytes of the spool %s are damaged and were set aside in %s: send again what was said around then.",
            len(damaged),
            self.directory,
            beside.name,
        )

    def _read_cursor(self) -> tuple[int, int]:
        try:
            segment, end = (self.directory / "cursor").read_text(encoding="ascii").split()
            return int(segment), int(end)
        except (OSError, ValueError):
            return 0, 0

    def _write_cursor(self, segment: int, end: int) -> None:
        self._cursor = segment, end
        fresh = self.directory / "cursor.new"
        fresh.write_text(f"{segment} {end}\n", encoding="ascii")
        fresh.replace(self.directory / "cursor")


def _frame(key: str, raws: Sequence[bytes]) -> bytes:
    body = msgspec.msgpack.encode((key, raws))
    return _MAGIC + len(body).to_bytes(4, "big") + zlib.crc32(body).to_bytes(4, "big") + body


def _frame_bytes(raws: Sequence[bytes]) -> int:
    """The size of their frame, or a few bytes more."""
    return _HEAD + 48 + sum(len(raw) + 5 for raw in raws)


def _batch(frame: bytes) -> tuple[str, list[bytes]] | None:
    """What a whole frame holds; None: it is damaged."""
    body = frame[_HEAD:]
    if not frame.startswith(_MAGIC) or len(body) != int.from_bytes(frame[4:8], "big"):
        return None
    if zlib.crc32(body) != int.from_bytes(frame[8:12], "big"):
        return None
    return _DECODER.decode(body)


def _frames(data: bytes, start: int) -> Iterator[tuple[int, int, tuple[str, list[bytes]] | None]]:
    """Start, end and batch of each frame; None for damaged bytes. A frame cut off at the end is not told."""
    while start < len(data):
        end = start + _HEAD + int.from_bytes(data[start + 4 : start + 8], "big")
        batch = _batch(data[start:end])
        if batch is not None:
            yield start, end, batch
            start = end
            continue
        found = _next_frame(data, start + 1)
        torn = found is None and data[start : start + len(_MAGIC)] == _MAGIC[: len(data) - start] and end > len(data)
        if not torn:
            yield start, len(data) if found is None else found, None
        if found is None:
            return
        start = found


def _next_frame(data: bytes, start: int) -> int | None:
    while (start := data.find(_MAGIC, start)) >= 0:
        if _batch(data[start : start + _HEAD + int.from_bytes(data[start + 4 : start + 8], "big")]) is not None:
            return start
        start += 1
    return None


def _sync_directory(directory: Path) -> None:
    with suppress(OSError):  # Windows has no such thing
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


_DECODER: Final = msgspec.msgpack.Decoder(tuple[str, list[bytes]])
