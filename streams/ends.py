"""Where partitions truly begin and end: the one place that lag, recovery and "read to the end" ask.

Two answers of brokers cannot be taken as they are. Tansu's ListOffsets "latest" is the first offset of the
last batch plus one, so whoever reads up to it loses the last batch. On Apache Kafka the end is right, but
after a transaction a control record stands there, so the last record that can be read is not at end - 1.
What is right on both is the high watermark of a fetch. One raw fetch per broker, of a byte, brings it for all
partitions: 60 partitions took 1.5 ms on Tansu and 4 ms on Apache Kafka (a consumer that seeks and polls took
800 ms and 140 ms). A fetch with a maximum wait of 0 is answered by Tansu with no partitions at all.

The asynchronous functions take a started aiokafka consumer or client and disturb neither its positions nor
its fetches: they ask on a connection of their own. All places may be given as any (topic, partition) pairs
and are answered as aiokafka's TopicPartition, which equals any other pair of the same two values.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import kafka.errors
from aiokafka import AIOKafkaClient, AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, READ_UNCOMMITTED, PartitionRecords
from aiokafka.errors import KafkaError
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.record.memory_records import MemoryRecords
from kafka import KafkaAdminClient
from kafka.admin import OffsetSpec
from kafka.protocol.consumer import FetchRequest as SyncFetchRequest
from kafka.structs import TopicPartition as SyncTopicPartition

from schemas.errors import Unreachable
from streams.connection import for_kafka_python, prove

_EARLIEST: Final = -2
_LATEST: Final = -1
_OWN_CONNECTION: Final = 2  # beside aiokafka's groups 0 and 1: a long poll would hold ours up by 500 ms
_PATIENCE_S: Final = 10.0  # a leader election or a new topic's first moments
_WAIT_MS: Final = 25  # doubles with each repetition: a loaded Tansu leaves out what it had no time for
_LONGEST_WAIT_MS: Final = 1_000
_WINDOW_BYTES: Final = 1 << 20
_ANSWER_BYTES: Final = 50 << 20
_FIRST_WINDOW: Final = 2  # a control record and the data record before it
_WINDOW_GROWTH: Final = 8
_VERSION_WITH_REPLICA: Final = 11  # fetch answers have one more field before the records from this version on

_Answer = TypeVar("_Answer")
_Asked = list[TopicPartition]
_Read = Iterable[tuple[TopicPartition, int, _Answer | None]]


async def true_ends(
    consumer: AIOKafkaConsumer | AIOKafkaClient, places: Iterable[tuple[str, int]]
) -> dict[TopicPartition, int]:
    """The offset that the next record of each partition will get; 0 where nothing was ever written.

    Raises:
        Unreachable: a partition does not exist, or its leader did not answer within 10 s.
    """
    watermarks = await _watermarks(_client(consumer), _distinct(places))
    return {place: high for place, (high, _) in watermarks.items()}


async def true_beginnings(
    consumer: AIOKafkaConsumer | AIOKafkaClient, places: Iterable[tuple[str, int]]
) -> dict[TopicPartition, int]:
    """The first offset that each partition still holds (equal to its end where it holds nothing).

    Raises:
        Unreachable: as `true_ends`.
    """
    return await _listed(_client(consumer), _distinct(places), _EARLIEST)


async def last_records(
    consumer: AIOKafkaConsumer | AIOKafkaClient, places: Iterable[tuple[str, int]]
) -> dict[TopicPartition, int]:
    """The offset of each partition's last record that a read-committed consumer gets; -1 if there is none.

    Control records, aborted and still open transactions do not count. Walks back from the end in windows of
    2, 16, 128, ... offsets, for all partitions together, and no further than the first window with a record.

    Raises:
        Unreachable: as `true_ends`.
    """
    client = _client(consumer)
    wanted = _distinct(places)
    watermarks = await _watermarks(client, wanted)
    beginnings = await _listed(client, wanted, _EARLIEST)
    found: dict[TopicPartition, int] = dict.fromkeys(wanted, -1)
    searches: dict[TopicPartition, _Search] = {}
    for place in wanted:
        high, stable = watermarks[place]
        end = stable if 0 <= stable < high else high
        if end > beginnings[place]:
            searches[place] = _Search(beginnings[place], end)
    while searches:
        windows = await _fetched(client, {place: search.cursor for place, search in searches.items()})
        for place, window in windows.items():
            searches[place].take(window)
            if searches[place].done:
                found[place] = searches.pop(place).best
    return found


def true_ends_sync(
    bootstrap: str | KafkaAdminClient, wanted: Iterable[str | tuple[str, int]], **connection: Any
) -> dict[TopicPartition, int]:
    """As `true_ends`, by kafka-python, for whole topics (their names) and single partitions (pairs).

    Args:
        bootstrap: the brokers' addresses, or an admin client that is connected already (and stays so).
        wanted: topic names, standing for all their partitions, and (topic, partition) pairs.
        connection: further settings of kafka-python's administration client.

    Raises:
        Unreachable: the brokers cannot be reached, a topic or partition does not exist, or its leader did not
            answer.
    """
    asked = tuple(wanted)
    try:
        if isinstance(bootstrap, KafkaAdminClient):
            return _ends_by(bootstrap, asked)
        prove(bootstrap)
        settings = {"bootstrap_timeout_ms": int(_PATIENCE_S * 1000), **for_kafka_python(), **connection}
        admin = KafkaAdminClient(bootstrap_servers=bootstrap, **settings)
        try:
            return _ends_by(admin, asked)
        finally:
            admin.close()
    except kafka.errors.KafkaError as error:
        raise Unreachable(
            f"Kafka did not tell the ends of {', '.join(map(str, asked))}: {error!r}; check that the broker "
            "runs and that the topics exist."
        ) from error


@dataclass(slots=True)
class _Search:
    """A search for a partition's last readable record: the window [start, stop) and how far it was read."""

    beginning: int
    stop: int
    width: int = _FIRST_WINDOW
    start: int = field(init=False)
    cursor: int = field(init=False)
    best: int = -1
    done: bool = False

    def __post_init__(self) -> None:
        self.cursor = self.start = max(self.beginning, self.stop - self.width)

    def take(self, window: PartitionRecords) -> None:
        """Note what a fetch at the cursor brought; move the window back once it was read in vain."""
        for record in window:
            if record.offset < self.stop:
                self.best = record.offset
        self.cursor = window.next_fetch_offset
        if self.cursor < self.stop:
            return
        if self.best >= 0 or self.start == self.beginning:
            self.done = True
            return
        self.stop = self.start
        self.width *= _WINDOW_GROWTH
        self.cursor = self.start = max(self.beginning, self.stop - self.width)


def _client(consumer: AIOKafkaConsumer | AIOKafkaClient) -> AIOKafkaClient:
    return consumer if isinstance(consumer, AIOKafkaClient) else consumer._client  # noqa: SLF001  # no other way


def _distinct(places: Iterable[tuple[str, int]]) -> tuple[TopicPartition, ...]:
    return tuple(dict.fromkeys(TopicPartition(topic, partition) for topic, partition in places))


async def _listed(
    client: AIOKafkaClient, places: Iterable[TopicPartition], timestamp: int
) -> dict[TopicPartition, int]:
    """ListOffsets for a time (-2 earliest, -1 latest), as the broker answers it."""

    def request(asked: _Asked, _wait_ms: int) -> OffsetRequest:
        return OffsetRequest(-1, READ_UNCOMMITTED, _by_topic((place, (timestamp,)) for place in asked))

    def read(response: Any) -> _Read[int]:
        for topic, partitions in response.topics:
            for partition, error, *_, offset in partitions:
                yield TopicPartition(topic, partition), error, offset

    return await _answers(client, places, request, read)


async def _watermarks(
    client: AIOKafkaClient, places: Iterable[TopicPartition]
) -> dict[TopicPartition, tuple[int, int]]:
    """The high watermark and the last stable offset (-1 if not told) of each partition."""
    # Fetched at the answered "latest", which lies in every log or at its end; 0 does not, after retention.
    answered = await _listed(client, places, _LATEST)

    def request(asked: _Asked, wait_ms: int) -> FetchRequest:
        where = _by_topic((place, (answered[place], 1)) for place in asked)
        return FetchRequest(wait_ms, 0, 1, READ_COMMITTED, where)

    def read(response: Any) -> _Read[tuple[int, int]]:
        for topic, partitions in response.topics:
            for partition, error, high, stable, *_ in partitions:
                yield TopicPartition(topic, partition), error, (high, stable)

    return await _answers(client, places, request, read)


async def _fetched(
    client: AIOKafkaClient, offsets: Mapping[TopicPartition, int]
) -> dict[TopicPartition, PartitionRecords]:
    """The records from each offset on, as a read-committed consumer sees them."""

    def request(asked: _Asked, wait_ms: int) -> FetchRequest:
        where = _by_topic((place, (offsets[place], _WINDOW_BYTES)) for place in asked)
        return FetchRequest(wait_ms, 1, _ANSWER_BYTES, READ_COMMITTED, where)

    def read(response: Any) -> _Read[PartitionRecords]:
        aborted = -3 if response.API_VERSION >= _VERSION_WITH_REPLICA else -2
        for topic, partitions in response.topics:
            for partition in partitions:
                place = TopicPartition(topic, partition[0])
                batches = MemoryRecords(partition[-1] or b"")
                window = (
                    PartitionRecords(
                        place, batches, partition[aborted], offsets[place], None, None, False, READ_COMMITTED
                    )
                    if batches.has_next()
                    else None  # the answer was full before this partition's turn: ask again
                )
                yield place, partition[1], window

    return await _answers(client, offsets, request, read)


async def _answers(
    client: AIOKafkaClient,
    places: Iterable[TopicPartition],
    request: Callable[[_Asked, int], Any],
    read: Callable[[Any], _Read[_Answer]],
) -> dict[TopicPartition, _Answer]:
    """Ask the leader of each partition, and ask again for those that got no answer or an error."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _PATIENCE_S
    left = dict.fromkeys(places)
    got: dict[TopicPartition, _Answer] = {}
    wait_ms = _WAIT_MS
    why = "no leader is known"
    while left:
        progress = False
        for response in await _asked(client, left, wait_ms, request):
            if isinstance(response, KafkaError):
                why = repr(response)
                continue
            for place, error, answer in read(response):
                if error:
                    why = f"Kafka error {error}"
                elif answer is not None:
                    got[place] = answer
                    left.pop(place, None)
                    progress = True
        if not left or progress:
            continue
        if loop.time() > deadline:
            some = ", ".join(f"{place.topic}[{place.partition}]" for place in list(left)[:3])
            raise Unreachable(
                f"Kafka did not answer for {len(left)} partitions in {_PATIENCE_S:g} s ({some}; {why}); "
                "check that the topics exist and that all brokers run."
            )
        wait_ms = min(2 * wait_ms, _LONGEST_WAIT_MS)
        for topic in {place.topic for place in left}:
            client.add_topic(topic)
        await client.force_metadata_update()
        await asyncio.sleep(wait_ms / 1000)
    return got


async def _asked(
    client: AIOKafkaClient,
    places: Iterable[TopicPartition],
    wait_ms: int,
    request: Callable[[_Asked, int], Any],
) -> list[Any]:
    """Each leader's response, or the KafkaError instead of it; partitions without a leader are left out."""
    by_leader = defaultdict(list)
    for place in places:
        leader = client.cluster.leader_for_partition(place)
        if leader is not None and leader != -1:
            by_leader[leader].append(place)
    responses = await asyncio.gather(
        *(client.send(leader, request(asked, wait_ms), group=_OWN_CONNECTION) for leader, asked in by_leader.items()),
        return_exceptions=True,
    )
    for response in responses:
        if isinstance(response, BaseException) and not isinstance(response, KafkaError):
            raise response
    return responses


def _by_topic(rows: Iterable[tuple[TopicPartition, tuple[int, ...]]]) -> list[Any]:
    """Rows grouped by topic, as requests want them: [(topic, [(partition, ...), ...]), ...]."""
    grouped = defaultdict(list)
    for place, values in rows:
        grouped[place.topic].append((place.partition, *values))
    return list(grouped.items())


def _ends_by(admin: KafkaAdminClient, wanted: tuple[str | tuple[str, int], ...]) -> dict[TopicPartition, int]:
    names = [one for one in wanted if isinstance(one, str)]
    places = {SyncTopicPartition(*one) for one in wanted if not isinstance(one, str)}
    for topic in admin.describe_topics(names) if names else ():
        if topic["error_code"]:
            raise kafka.errors.for_code(topic["error_code"])(topic["name"])
        places |= {SyncTopicPartition(topic["name"], part["partition_index"]) for part in topic["partitions"]}
    if not places:
        return {}
    answered = {
        place: told.offset
        for place, told in admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.LATEST)).items()
    }
    manager = admin._manager  # noqa: SLF001  # kafka-python has no public way to send a request
    return manager.run(_high_watermarks, admin, answered)  # type: ignore[no-any-return]  # kafka-python is untyped


async def _high_watermarks(
    admin: KafkaAdminClient, answered: Mapping[SyncTopicPartition, int]
) -> dict[TopicPartition, int]:
    """As `_watermarks`, in kafka-python's own event loop."""
    ends: dict[TopicPartition, int] = {}
    wait_ms = _WAIT_MS
    while len(ends) < len(answered):
        left = [place for place in answered if place not in ends]
        leaders = await admin._async_get_leader_for_partitions(left)  # noqa: SLF001  # as above
        error = None
        for leader, asked in leaders.items():
            topics = [
                SyncFetchRequest.FetchTopic(
                    topic=topic,
                    partitions=[
                        SyncFetchRequest.FetchTopic.FetchPartition(
                            partition=partition, fetch_offset=offset, partition_max_bytes=1
                        )
                        for partition, offset in rows
                    ],
                )
                for topic, rows in _by_topic((place, (answered[place],)) for place in asked)
            ]
            # Version 12 is the last that names topics; later ones know them by id only.
            request = SyncFetchRequest(
                max_wait_ms=wait_ms, min_bytes=0, max_bytes=1, topics=topics, min_version=4, max_version=12
            )
            response = await admin._manager.send(request, node_id=leader)  # noqa: SLF001  # as above
            for topic in response.responses:
                for part in topic.partitions:
                    if part.error_code:
                        error = kafka.errors.for_code(part.error_code)
                    else:
                        ends[TopicPartition(topic.topic, part.partition_index)] = part.high_watermark
        if len(ends) < len(answered):
            if wait_ms >= _LONGEST_WAIT_MS:
                raise error or kafka.errors.KafkaTimeoutError()
            wait_ms *= 2
            await admin._net.sleep(wait_ms / 1000)  # noqa: SLF001  # as above
    return ends
