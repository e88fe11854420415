"""The history sink: every fact, view and account topic, from Kafka into the store.

It assigns itself all partitions (there is one sink; a group is only where it keeps its offsets) and repeats:

1. fetch what has come, up to a number of records or for a short time;
2. make rows of it (a thread, so that the event loop stays free);
3. insert them, one insert per table, durable when it returns (another thread, while 1 and 2 go on);
4. commit the offsets of what was inserted.

Killed between 3 and 4 it reads the same records again, and the tables keep one row of each coordinate.
While the store fails it tries again with growing pauses and drops nothing.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError, KafkaError
from clickhouse_connect.driver.client import Client

from schemas.errors import Unreachable, WrongInput
from schemas.identifiers import findings as identifier_findings
from sinks import epochs
from sinks.migrate import store_id
from sinks.rows import TOPICS, Findings, Record, rows_of
from sinks.tables import DEAD, LATE, REPLAYED
from sinks.writer import Batch, Writer
from streams.agents import HISTORY_GROUP
from streams.ends import last_records

_log: Final = logging.getLogger(__name__)

GROUP: Final = HISTORY_GROUP
"""The group under which the sink keeps its offsets."""


@dataclass(slots=True)
class Counters:
    """What the sink has done since it started. `last_error` is empty while all is well."""

    records: int = 0
    rows: int = 0
    dead: int = 0
    late: int = 0
    replayed: int = 0
    batches: int = 0
    failures: int = 0
    last_error: str = ""


class History:
    """Keeps the store up to date until it is stopped.

    Args:
        client: A client on the migrated database; the sink's own from `start` to `stop`.
        bootstrap: The broker's address.
        epoch: The epoch of the broker's present life; part of every coordinate.
        group: Under which name the offsets are kept.
        batch_records: A batch is written when it has so many records ...
        batch_ms: ... or so long after its first one.
        findings: Checks the identifiers of each event.
        security: aiokafka's own settings (security_protocol, ssl_context, sasl_mechanism, ...).
    """

    def __init__(
        self,
        client: Client,
        bootstrap: str,
        epoch: int,
        *,
        group: str = GROUP,
        batch_records: int = 20_000,
        batch_ms: int = 250,
        findings: Findings = identifier_findings,
        security: Mapping[str, Any] | None = None,
    ) -> None:
        self.counters = Counters()
        self.positions: dict[tuple[str, int], int] = {}
        """Per (topic, partition) the offset up to which, itself not included, everything is in the store."""
        self._client = client
        self._bootstrap = bootstrap
        self._epoch = epoch
        self._group = group
        self._batch_records = batch_records
        self._batch_ms = batch_ms
        self._findings = findings
        self._security = dict(security or {})
        self._store_id = ""
        self._consumer: Any = None
        self._work: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._uncommitted: dict[Any, int] = {}
        self._kept_at = 0.0
        self._readers = ThreadPoolExecutor(1, thread_name_prefix="history-rows")
        self._writers = ThreadPoolExecutor(1, thread_name_prefix="history-insert")

    async def start(self) -> None:
        """Connect, check the topics, and go on from the committed offsets (or the beginning).

        Raises:
            Unreachable: The broker does not answer.
            WrongInput: Topics are missing, or the store is not migrated.
        """
        self._store_id = await self._in(self._writers, store_id, self._client)
        partitions = await self._partitions()
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=self._group,
            client_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            fetch_max_wait_ms=100,
            max_partition_fetch_bytes=4 << 20,
            **self._security,
        )
        try:
            await self._consumer.start()
        except KafkaError as error:
            await self._consumer.stop()
            raise Unreachable(_unreachable(self._bootstrap, error)) from error
        self._consumer.assign(partitions)
        committed = await asyncio.gather(*map(self._consumer.committed, partitions))
        self.positions |= {
            (place.topic, place.partition): offset or 0 for place, offset in zip(partitions, committed, strict=True)
        }
        self._work = asyncio.create_task(self._loop(), name="history")

    async def stop(self) -> None:
        """Finish the batch in hand, commit, disconnect. While the store fails, its batch is left for next time."""
        self._stopping.set()
        if self._work is not None:
            await asyncio.wait([self._work])
        if self._consumer is not None:
            await self._consumer.stop()
        self._readers.shutdown()
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

    async def _partitions(self) -> list[Any]:
        """All partitions of the topics that the history keeps."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap, **self._security)
        try:
            await admin.start()
            existing = set(await admin.list_topics())
            missing = [topic for topic in TOPICS if topic not in existing]
            if missing:
                raise WrongInput(
                    f"The broker at {self._bootstrap} lacks the topics {', '.join(missing)}: "
                    "create them with `quayside topics create`."
                )
            described = await admin.describe_topics(list(TOPICS))
        except (KafkaConnectionError, KafkaError, OSError) as error:
            raise Unreachable(_unreachable(self._bootstrap, error)) from error
        finally:
            await admin.close()
        return [
            TopicPartition(topic["topic"], partition["partition"])
            for topic in described
            for partition in topic["partitions"]
        ]

    async def _loop(self) -> None:
        storing: asyncio.Task[bool] | None = None
        try:
            while not self._stopping.is_set():
                fetched = await self._fetch()
                if not fetched:
                    await self._keep_offsets()
                    continue
                batch, ends = await self._in(self._readers, self._batch, fetched)
                if storing is not None and not await storing:
                    break  # left for next time, and so is what comes after it
                storing = asyncio.create_task(self._store(batch, ends))
        finally:
            if storing is not None:
                await storing

    async def _fetch(self) -> list[tuple[Any, list[Any]]]:
        """What has come, by partition and in its order; nothing if nothing has within the batch time."""
        limit, wait = self._batch_records, self._batch_ms
        clock = asyncio.get_running_loop().time
        fetched: list[tuple[Any, list[Any]]] = []
        count, until = 0, 0.0
        while count < limit and not self._stopping.is_set():
            left = int((until - clock()) * 1_000) if fetched else wait
            if left <= 0:
                break
            try:
                found = await self._consumer.getmany(timeout_ms=left, max_records=limit - count)
            except KafkaError as error:
                if not error.retriable:
                    raise Unreachable(_unreachable(self._bootstrap, error)) from error
                self._failed(error)
                await self._pause(1.0)
                continue
            if found and not fetched:
                until = clock() + wait / 1_000
            fetched.extend(found.items())
            count += sum(map(len, found.values()))
        return fetched

    def _batch(self, fetched: Iterable[tuple[Any, Sequence[Any]]]) -> tuple[Batch, dict[Any, int]]:
        """Rows of what was fetched, and the offsets to commit once they are stored."""
        batch = Batch()
        ends: dict[Any, int] = {}
        epoch, home, findings = self._epoch, self._store_id, self._findings
        for place, records in fetched:
            for one in records:
                appended_at = one.timestamp or 0
                record = Record(
                    epoch, place.topic, place.partition, one.offset, appended_at, one.key, one.value, one.headers
                )
                batch.add(rows_of(record, home, findings))
            ends[place] = records[-1].offset + 1
            self.counters.records += len(records)
        return batch, ends

    async def _store(self, batch: Batch, ends: Mapping[Any, int]) -> bool:
        """Insert until it succeeds, then commit. Gives up (False), uncommitted, only when the sink is to stop."""
        writer, pause = Writer(self._client), _FIRST_PAUSE
        while True:
            try:
                await self._in(self._writers, writer.write, batch)
                break
            except Exception as error:  # noqa: BLE001  # whatever it is, the records must not be dropped
                self._failed(error)
                if await self._pause(pause):
                    return False
                pause = min(pause * 2, _LAST_PAUSE)
        rows = batch.rows()
        self.counters.rows += len(batch)
        self.counters.dead += rows.get(DEAD.name, 0)
        self.counters.late += rows.get(LATE.name, 0)
        self.counters.replayed += rows.get(REPLAYED.name, 0)
        self.counters.batches += 1
        self.counters.last_error = ""
        self.positions |= {(place.topic, place.partition): end for place, end in ends.items()}
        self._uncommitted |= ends
        await self._commit()
        return True

    async def _keep_offsets(self) -> None:
        """While nothing comes: commit what a failed commit left, and now and then everything.

        A group without members keeps an offset only for so long after its last commit (7 days by default).
        """
        clock = asyncio.get_running_loop().time()
        if clock - self._kept_at > _KEEP_S:
            self._kept_at = clock
            self._uncommitted |= {TopicPartition(*place): end for place, end in self.positions.items() if end}
        if self._uncommitted:
            await self._commit()

    async def _commit(self) -> None:
        """Commit what is stored. A commit that fails costs nothing but reading again: the next one covers it."""
        try:
            await self._consumer.commit(dict(self._uncommitted))
        except KafkaError as error:
            self._failed(error)
        else:
            self._uncommitted.clear()

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


_KEEP_S: Final = 3_600.0
_FIRST_PAUSE: Final = 0.1
_LAST_PAUSE: Final = 10.0
_SHOWN: Final = 500


def _unreachable(bootstrap: str, error: BaseException) -> str:
    return f"The broker at {bootstrap} does not answer ({error}): check that it runs and QUAYSIDE_KAFKA names it."
