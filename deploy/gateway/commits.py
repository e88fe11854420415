"""How accepted records become durable: together with those of other requests, and in order.

With the embedded broker a commit is one append to the spool and one fsync for all who wait; the records go to the
broker behind the answer, in their order, again and again until it has them. A Kafka of one's own keeps them itself: a
commit is one send, acknowledged by all in-sync replicas. Either way nobody is told "accepted" before.
"""

import asyncio
import contextlib
import logging
import os
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from deploy.gateway.limits import Busy
from deploy.spool import MAX_FILE_BYTES, Spooled, SpoolWriter
from schemas.errors import QuaysideError, Unreachable

QUEUE_BYTES: Final = 64 << 20
QUEUE_RECORDS: Final = 200_000
"""So much may wait between spool and broker; beyond that nothing is taken in until the broker has some of it."""

FILE_AGE_S: Final = 30.0
"""A spool file is closed after so long, so that it can be trimmed once the history has it."""

_AT_ONCE: Final = 5_000
_PAUSE_S: Final = 0.25
_LONGEST_PAUSE_S: Final = 5.0
_PATIENCE_S: Final = 10.0
_PROBE_S: Final = 3.0
_AWAY_S: Final = 1.0
_SLACK: Final = 200
"""What a record weighs beside its value and key, in bytes."""

_log: Final = logging.getLogger("quayside.gateway")


class Sends(Protocol):
    """The part of deploy.publisher.Publisher that is used here."""

    async def send(self, records: Sequence[Spooled]) -> None:
        """Publish; raises Unreachable where no broker takes it."""

    async def close(self) -> None:
        """Stop."""


class Commits(Protocol):
    """Keeps records."""

    def admit(self) -> None:
        """Raises Unreachable where it is known that nothing can be kept just now."""

    async def commit(self, records: Sequence[Spooled]) -> None:
        """Keep the records; when this returns they are durable. Raises Unreachable where they could not be kept."""

    async def close(self, grace: float) -> None:
        """Bring what is kept to the broker, for at most so many seconds, and stop."""

    async def probe(self) -> None:
        """Look whether something can be kept again. Raises Unreachable where it cannot."""

    @property
    def queued(self) -> int:
        """How many records are kept and not yet with the broker."""

    @property
    def queued_bytes(self) -> int:
        """And how many bytes they have."""

    @property
    def sent(self) -> int:
        """How many records the broker has acknowledged."""

    @property
    def refuses(self) -> str:
        """Why nothing can be kept just now; empty while it can."""


@dataclass(slots=True)
class _Waiting:
    records: Sequence[Spooled]
    done: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class _Together:
    """Who waits at the same time shares one write; writes come one after the other."""

    def __init__(self, write: Callable[[list[Spooled]], Awaitable[None]]) -> None:
        self._write: Final = write
        self._waiting: deque[_Waiting] = deque()
        self.writing: asyncio.Task[None] | None = None

    async def commit(self, records: Sequence[Spooled]) -> None:
        if not records:
            return
        mine = _Waiting(records)
        self._waiting.append(mine)
        if self.writing is None:
            self.writing = asyncio.create_task(self._write_all())
        await mine.done

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                group = list(self._waiting)
                self._waiting.clear()
                failure: BaseException | None = None
                try:
                    await self._write([record for one in group for record in one.records])
                except BaseException as error:  # noqa: BLE001  # whoever waits is told
                    failure = error
                for one in group:
                    if one.done.done():
                        continue  # nobody waits for it any more
                    if failure is None:
                        one.done.set_result(None)
                    else:
                        one.done.set_exception(failure)
                if failure is not None and not isinstance(failure, Exception):
                    raise failure
        finally:
            self.writing = None


class SpoolCommits:
    """Into the spool first, then to a broker that keeps nothing itself."""

    def __init__(self, spool: Path, publisher: Sends, file_age: float = FILE_AGE_S) -> None:
        self._spool: Final = spool
        self._publisher: Final = publisher
        self._file_age: Final = file_age
        self._together: Final = _Together(self._write)
        self._thread: Final = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._writer = SpoolWriter(spool)
        self._opened_at: float | None = None
        self._out: deque[list[Spooled] | SpoolWriter] = deque()
        self._wake: Final = asyncio.Event()
        self._sent_all: Final = asyncio.Event()
        self._sent_all.set()
        self._sender: asyncio.Task[None] | None = None
        self.queued = 0
        self.queued_bytes = 0
        self.sent = 0
        self.refuses = ""

    def admit(self) -> None:
        """Raises Busy while too much waits for the broker."""
        if self.queued_bytes > QUEUE_BYTES or self.queued > QUEUE_RECORDS:
            raise Busy(
                f"{self.queued} accepted events wait for the broker, which does not take them fast enough: send these "
                "again a little later.",
                2,
            )

    async def commit(self, records: Sequence[Spooled]) -> None:
        """On disk when this returns."""
        await self._together.commit(records)

    async def close(self, grace: float) -> None:
        """Send what waits; what the broker does not take in time stays in the spool and goes out again."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                if self._together.writing is not None:
                    await asyncio.wait({self._together.writing})
                await self._sent_all.wait()
        if self._sender is not None:
            self._sender.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sender
        for one in self._out:
            if isinstance(one, SpoolWriter):
                one.close(published=False)
        self._writer.close(published=not self.queued)
        self._thread.shutdown(wait=True)
        await self._publisher.close()

    async def probe(self) -> None:
        """Write a byte beside the spool's files."""

        def write() -> None:
            path = self._spool / f".probe-{os.getpid()}"
            try:
                with path.open("wb") as file:
                    file.write(b".")
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as error:
                raise Unreachable(f"The spool {self._spool} cannot be written ({error.strerror}).") from None
            finally:
                path.unlink(missing_ok=True)

        await asyncio.get_running_loop().run_in_executor(self._thread, write)
        self.refuses = ""

    async def _write(self, records: list[Spooled]) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._thread, self._writer.append, records)
        except QuaysideError as error:
            self.refuses = str(error)
            self._forget_a_closed_file()
            raise
        except OSError as error:
            self._forget_a_closed_file()
            self.refuses = f"The spool {self._spool} cannot be written ({error.strerror})."
            raise Unreachable(f"{self.refuses} Nothing was accepted; send it again when there is room.") from None
        self.refuses = ""
        self._opened_at = self._opened_at or loop.time()
        self._out.append(records)
        self._sent_all.clear()
        self.queued += len(records)
        self.queued_bytes += _weight(records)
        self._retire_if_due()
        if self._sender is None:
            self._sender = asyncio.create_task(self._send_all())
        self._wake.set()

    def _forget_a_closed_file(self) -> None:
        """A file that could not be cut off was closed: the next one has an age of its own."""
        if not self._writer.size:
            self._opened_at = None

    def _retire_if_due(self) -> None:
        """Go on in another file; this one is closed when the broker has all of it."""
        if self._opened_at is None or not self._writer.size:
            return
        age = asyncio.get_running_loop().time() - self._opened_at
        if age >= self._file_age or self._writer.size >= MAX_FILE_BYTES:
            self._out.append(self._writer)
            self._writer = SpoolWriter(self._spool)
            self._opened_at = None

    async def _send_all(self) -> None:
        while True:
            left = None
            if self._opened_at is not None:
                left = max(0.0, self._opened_at + self._file_age - asyncio.get_running_loop().time())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._wake.wait()
            self._wake.clear()
            while self._out:
                first = self._out[0]
                if isinstance(first, SpoolWriter):
                    self._out.popleft()
                    first.close()
                    continue
                await self._send(self._next())
            self._sent_all.set()
            if self._together.writing is None:
                self._retire_if_due()
                if self._out:
                    self._wake.set()

    def _next(self) -> list[Spooled]:
        """The next records to send, of one file."""
        records: list[Spooled] = []
        while self._out and not isinstance(self._out[0], SpoolWriter) and len(records) < _AT_ONCE:
            batch = self._out.popleft()
            assert isinstance(batch, list)  # noqa: S101  # the loop's condition
            records += batch
        return records

    async def _send(self, records: list[Spooled]) -> None:
        """Send until the broker has them; they are on disk."""
        pause = _PAUSE_S
        while True:
            try:
                await self._publisher.send(records)
            except Exception as error:  # noqa: BLE001  # whatever it is, they are accepted and have to go out
                if isinstance(error, QuaysideError) and not isinstance(error, Unreachable):
                    _log.error("the broker refuses %d accepted records: %s", len(records), error)
                    break
                _log.warning("accepted records wait for the broker: %s", error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)
            else:
                break
        self.queued -= len(records)
        self.queued_bytes -= _weight(records)
        self.sent += len(records)


class BrokerCommits:
    """Into a Kafka of one's own, which keeps what it has acknowledged.

    `reach`: asks the broker for something, in a thread; raises Unreachable where it does not answer.
    """

    def __init__(
        self,
        publisher: Sends,
        reach: Callable[[], object],
        patience: float = _PATIENCE_S,
        away: float = _AWAY_S,
    ) -> None:
        self._publisher: Final = publisher
        self._reach: Final = reach
        self._patience: Final = patience
        self._away: Final = away
        self._together: Final = _Together(self._write)
        self._not_before = 0.0
        self.queued = 0
        self.queued_bytes = 0
        self.sent = 0
        self.refuses = ""

    def admit(self) -> None:
        """Raises Busy for a moment after the broker was not there."""
        wait = self._not_before - time.monotonic()
        if wait > 0:
            raise Busy(self.refuses, wait)

    async def commit(self, records: Sequence[Spooled]) -> None:
        """Acknowledged when this returns."""
        await self._together.commit(records)

    async def close(self, grace: float) -> None:
        """Wait for what is on its way, and stop."""
        writing = self._together.writing
        if writing is not None:
            await asyncio.wait({writing}, timeout=grace)
        await self._publisher.close()

    async def probe(self) -> None:
        """Ask the broker whether it is there again."""
        try:
            await asyncio.to_thread(self._reach)
        except QuaysideError as error:
            self.refuses = str(error)
            raise
        self.refuses = ""

    async def _write(self, records: list[Spooled]) -> None:
        self.admit()
        patience = min(_PROBE_S, self._patience) if self.refuses else self._patience
        self.queued, self.queued_bytes = len(records), _weight(records)
        try:
            async with asyncio.timeout(patience):
                await self._publisher.send(records)
        except (TimeoutError, Unreachable) as error:
            why = (
                str(error) or f"The broker did not acknowledge within {patience:g} s: send these again a little later."
            )
            self.refuses = why
            self._not_before = time.monotonic() + self._away
            raise Busy(why, self._away) from None
        finally:
            self.queued = self.queued_bytes = 0
        self.refuses = ""
        self.sent += len(records)


def _weight(records: Sequence[Spooled]) -> int:
    return sum(len(record.value) + len(record.key) + _SLACK for record in records)
