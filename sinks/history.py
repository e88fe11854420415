"""The history sink: every fact, view and account topic, from Kafka into the store.

It assigns itself all partitions (there is one sink; a group is only where it keeps its offsets). Three things go on at
the same time, each at its own pace:

1. what comes is fetched and made columns of (sinks/batch.py): the batch that gathers;
2. the batch before it is inserted, one insert per table, durable when it returns (sinks/writer.py, in a thread);
3. the offsets of what was inserted are committed.

While nothing is being inserted, what comes is inserted at once, but not more than a few times a second; while something
is, the next batch gathers. Where more is waiting in the broker than one fetch brings, a batch waits for a good part of
it: an insert of few rows costs as much as one of thousands. A batch has a limit of records and of bytes, and when it is
full nothing more is fetched: so the sink holds two batches at most, and what one fetch brought.

Killed between 2 and 3 it reads the same records again, and the tables keep one row of each coordinate. While the store
fails it tries again with growing pauses, keeps what it has, says so in its counters, and drops nothing.
"""

import asyncio
import logging
import math
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from clickhouse_connect.driver.client import Client

from schemas.errors import Unreachable
from schemas.identifiers import findings as identifier_findings
from sinks import epochs
from sinks.batch import Batch
from sinks.consuming import lighten, partitions_of, refused, unreachable
from sinks.counters import Counters
from sinks.facts import Findings
from sinks.migrate import store_id
from sinks.rows import TOPICS
from sinks.tables import DEAD, LATE, REPLAYED
from sinks.writer import Writer, Writing
from streams.agents import HISTORY_GROUP
from streams.connection import for_aiokafka
from streams.ends import last_records

__all__ = ["FETCH_BYTES", "GROUP", "Counters", "History"]

_log: Final = logging.getLogger(__name__)

GROUP: Final = HISTORY_GROUP
"""The group under which the sink keeps its offsets."""


class History:
    """Keeps the store up to date until it is stopped.

    Args:
        client: A client on the migrated database; the sink's own from `start` to `stop`.
        bootstrap: The broker's address.
        epoch: The epoch of the broker's present life; part of every coordinate.
        group: Under which name the offsets are kept.
        batch_records: A batch is full when it has so many records ...
        batch_bytes: ... or their keys and values so many bytes (one fetch more may come on top).
        batch_ms: Inserts of batches that are not full begin at least so long after each other.
        findings: Checks the identifiers of each event.
    """

    def __init__(
        self,
        client: Client,
        bootstrap: str,
        epoch: int,
        *,
        group: str = GROUP,
        batch_records: int = 50_000,
        batch_bytes: int = 32 << 20,
        batch_ms: int = 200,
        findings: Findings = identifier_findings,
    ) -> None:
        self.counters = Counters()
        self.positions: dict[tuple[str, int], int] = {}
        """Per (topic, partition) the offset up to which, itself not included, everything is in the store."""
        self._client = client
        self._bootstrap = bootstrap
        self._epoch = epoch
        self._group = group
        self._batch_records = batch_records
        self._batch_bytes = batch_bytes
        self._batch_s = batch_ms / 1_000
        self._findings = findings
        self._store_id = ""
        self._consumer: Any = None
        self._work: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._writer = Writer(client)
        self._gathering = Batch()
        self._begun_at = -math.inf
        self._behind = False
        self._fetching: asyncio.Task[Any] | None = None
        self._storing: asyncio.Task[bool] | None = None
        self._stop: asyncio.Task[Any] | None = None
        self._committing: asyncio.Task[None] | None = None
        self._uncommitted: dict[Any, int] = {}
        self._kept_at = 0.0
        self._record_bytes = 1 << 20  # until the first ones have come
        self._writers = ThreadPoolExecutor(1, thread_name_prefix="history-insert")

    @property
    def bootstrap(self) -> str:
        """The address of the broker that it reads."""
        return self._bootstrap

    async def start(self) -> None:
        """Connect, check the topics, and go on from the committed offsets (or the beginning).

        Raises:
            Unreachable: The broker does not answer.
            WrongInput: Topics are missing, or the store is not migrated.
        """
        self._store_id = await self._in(self._writers, store_id, self._client)
        partitions = await partitions_of(self._bootstrap, TOPICS)
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=self._group,
            client_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            fetch_max_wait_ms=100,
            max_partition_fetch_bytes=4 << 20,
            fetch_max_bytes=FETCH_BYTES,
            **for_aiokafka(),
        )
        try:
            await self._consumer.start()
        except KafkaError as error:
            await self._consumer.stop()
            raise Unreachable(await refused(self._bootstrap, error)) from error
        self._consumer.assign(partitions)
        committed = await asyncio.gather(*map(self._consumer.committed, partitions))
        known = dict(zip(partitions, committed, strict=True))
        # From where these offsets say, not from where the consumer looks later: another sink may commit in between.
        for place, offset in known.items():
            if offset is not None:
                self._consumer.seek(place, offset)
        fresh = [place for place, offset in known.items() if offset is None]
        if fresh:
            await self._consumer.seek_to_beginning(*fresh)
        self.positions |= {(place.topic, place.partition): offset or 0 for place, offset in known.items()}
        self.counters.state, self.counters.reason = "working", ""
        self._work = asyncio.create_task(self._loop(), name="history")

    async def stop(self) -> None:
        """Finish the batch in hand, commit, disconnect. While the store fails, its batch is left for next time."""
        self._stopping.set()
        if self._work is not None:
            await asyncio.wait([self._work])
        if self._consumer is not None:
            await self._consumer.stop()
        self._writers.shutdown()

    async def wait(self) -> None:
        """Return when the sink has been stopped; raise what ended it if it ended by itself."""
        if self._work is not None:
            await asyncio.shield(self._work)

    async def run(self) -> None:
        """`start`, then work until cancelled, then `stop`."""
        try:
            await self.start()
            await self.wait()
        finally:
            await self.stop()

    async def end_epoch(self, epoch: int) -> None:
        """End an epoch between two inserts: from now on the views show it.

        Raises:
            WrongInput: The store has no such epoch.
        """
        await self._in(self._writers, epochs.end, self._client, epoch)

    async def lag(self) -> int:
        """How many offsets lie between what is stored and the last record that can be read.

        Raises:
            Unreachable: The broker does not answer.
        """
        last = await last_records(self._consumer, self.positions)
        return sum(max(0, last[TopicPartition(*place)] + 1 - stored) for place, stored in self.positions.items())

    async def _loop(self) -> None:
        stop = self._stop = asyncio.create_task(self._stopping.wait())
        self._gathering = self._new_batch()
        try:
            await self._gather_and_store()
        except BaseException as error:
            self.counters.reason = f"{type(error).__name__}: {error}"[:_SHOWN]
            raise
        finally:
            stop.cancel()
            self.counters.state = "stopped"
            self.counters.reason = self.counters.reason or "It was told to stop."

    async def _gather_and_store(self) -> None:
        try:
            while not self._stopping.is_set() and self._store_if_due():
                if self._fetching is None and not self._is_full(self._gathering):
                    self._fetching = asyncio.create_task(self._fetch())
                tasks = [task for task in (self._fetching, self._storing, self._stop) if task is not None]
                await asyncio.wait(tasks, timeout=self._early(), return_when=asyncio.FIRST_COMPLETED)
                if self._fetching is not None and self._fetching.done():
                    fetched, self._fetching = self._fetching.result(), None
                    await self._take(fetched)
            if self._gathering.records and (self._storing is None or await self._storing):
                self._storing = asyncio.create_task(self._store(self._gathering))
        finally:
            if self._fetching is not None:
                self._fetching.cancel()
                await asyncio.wait([self._fetching])
            if self._storing is not None:
                await self._storing
            if self._committing is not None:
                await asyncio.wait([self._committing], timeout=_LAST_COMMIT_S)
                self._committing.cancel()

    def _store_if_due(self) -> bool:
        """Begin to store what has gathered, if nothing is being stored. False: the sink is to stop."""
        if self._storing is not None and self._storing.done():
            stored, self._storing = self._storing.result(), None
            if not stored:
                return False  # left for next time, and so is what comes after it
        if self._gathering.records and self._storing is None and not self._early():
            self._begun_at = time.monotonic()
            self._storing = asyncio.create_task(self._store(self._gathering))
            self._gathering = self._new_batch()
        return True

    def _early(self) -> float | None:
        """For how many seconds what has gathered is not to be stored yet; None: it is, or nothing has gathered."""
        if not self._gathering.records or self._storing is not None or self._is_full(self._gathering):
            return None
        if self._behind and self._gathering.records < _WORTHWHILE:
            return _IDLE_MS / 1_000
        left = self._begun_at + self._batch_s - time.monotonic()
        return left if left > 0 else None

    def _new_batch(self) -> Batch:
        return Batch(self._store_id, self._findings)

    def _is_full(self, batch: Batch) -> bool:
        return batch.records >= self._batch_records or batch.bytes >= self._batch_bytes

    async def _fetch(self) -> Mapping[Any, Sequence[Any]]:
        """What has come, by partition and in its order; nothing if nothing comes for a while."""
        gathering = self._gathering
        # One record may be as large as a thousand others: ask for no more than there is room for, by the last ones.
        room = max(1, (self._batch_bytes - gathering.bytes) // self._record_bytes)
        most = max(1, min(self._batch_records - gathering.records, room, _FETCH_RECORDS))
        lighten(self._consumer)
        try:
            found: Mapping[Any, Sequence[Any]] = await self._consumer.getmany(timeout_ms=_IDLE_MS, max_records=most)
        except KafkaError as error:
            if not error.retriable:
                raise Unreachable(unreachable(self._bootstrap, error)) from error
            self._failed(error)
            self._behind = False
            await self._pause(1.0)
            return {}
        self._behind = sum(map(len, found.values())) == most
        if not found:
            self._keep_offsets()
        return found

    async def _take(self, fetched: Mapping[Any, Sequence[Any]]) -> None:
        """Make columns of what was fetched, with pauses for whatever else goes on in the event loop."""
        batch, counters = self._gathering, self.counters
        for place, records in fetched.items():
            for start in range(0, len(records), _SLICE):
                part = records[start : start + _SLICE]
                before = batch.bytes
                batch.take(self._epoch, place.topic, place.partition, part)
                counters.records += len(part)
                counters.records_in_hand += len(part)
                counters.bytes_in_hand += batch.bytes - before
                self._record_bytes = max((batch.bytes - before) // len(part), 1)
                await asyncio.sleep(0)

    async def _store(self, batch: Batch) -> bool:
        """Insert until it succeeds, then commit. Gives up (False), uncommitted, only when the sink is to stop."""
        pause, counters, clock = _FIRST_PAUSE, self.counters, time.monotonic
        begun_at = clock()
        rows = batch.rows()
        writing: Writing | None = None
        while True:
            try:
                writing = writing or await self._in(self._writers, Writing, batch)
                await self._in(self._writers, self._writer.write, writing)
                break
            except Exception as error:  # noqa: BLE001  # whatever it is, the records must not be dropped
                self._failed(error)
                counters.state, counters.reason = "waiting_for_store", counters.last_error
                counters.store_refuses_since = counters.store_refuses_since or time.time()
                if await self._pause(pause):
                    return False
                pause = min(pause * 2, _LAST_PAUSE)
        counters.state, counters.reason, counters.last_error = "working", "", ""
        counters.store_refuses_since = None
        counters.seconds.add(clock() - begun_at)
        counters.tables.update(rows)
        counters.rows += sum(rows.values())
        counters.dead += rows.get(DEAD.name, 0)
        counters.late += rows.get(LATE.name, 0)
        counters.replayed += rows.get(REPLAYED.name, 0)
        counters.unstorable += writing.unstorable
        counters.batches += 1
        counters.records_in_hand -= batch.records
        counters.bytes_in_hand -= batch.bytes
        counters.stored_at = time.time()
        self.positions |= batch.ends
        self._uncommitted |= {TopicPartition(*place): end for place, end in batch.ends.items()}
        self._commit_soon()
        return True

    def _keep_offsets(self) -> None:
        """While nothing comes: commit what a failed commit left, and now and then everything.

        A group without members keeps an offset only for so long after its last commit (7 days by default).
        """
        clock = asyncio.get_running_loop().time()
        if clock - self._kept_at > _KEEP_S:
            self._kept_at = clock
            self._uncommitted |= {TopicPartition(*place): end for place, end in self.positions.items() if end}
        if self._uncommitted:
            self._commit_soon()

    def _commit_soon(self) -> None:
        """Commit while the next batch is being stored, but one commit after the other."""
        if self._committing is None or self._committing.done():
            self._committing = asyncio.create_task(self._commit())

    async def _commit(self) -> None:
        """Commit what is stored. A commit that fails costs nothing but reading again: the next one covers it."""
        while self._uncommitted:
            offsets = dict(self._uncommitted)
            try:
                await self._consumer.commit(offsets)
            except KafkaError as error:
                self._failed(error)
                return
            self._uncommitted = {place: end for place, end in self._uncommitted.items() if offsets.get(place) != end}

    def _failed(self, error: BaseException) -> None:
        self.counters.failures += 1
        self.counters.last_error = f"{type(error).__name__}: {error}"[:_SHOWN]
        _log.warning("the history sink goes on trying: %s", self.counters.last_error)

    async def _pause(self, seconds: float) -> bool:
        """Wait; whether the sink is to stop."""
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return False
        return True

    @staticmethod
    async def _in(executor: ThreadPoolExecutor, function: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(executor, function, *arguments)


FETCH_BYTES: Final = 16 << 20
"""The most that one fetch brings (and at least one record)."""

_SLICE: Final = 500
"""Records made columns of at a time: some 5 ms, in which nothing else of the process's event loop goes on."""

_FETCH_RECORDS: Final = 5_000

_WORTHWHILE: Final = 20_000
"""Records of a batch that is inserted while more is waiting: one costs 50 ms, and 5 us a record (measured)."""

_IDLE_MS: Final = 250
_LAST_COMMIT_S: Final = 3.0
"""So long the last commit may take when the sink stops: its broker may be gone."""
_KEEP_S: Final = 3_600.0
_FIRST_PAUSE: Final = 0.1
_LAST_PAUSE: Final = 10.0
_SHOWN: Final = 500
