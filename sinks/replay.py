"""Reading the history back, for a rebuild: every record of the fact tables, in the order of arrival.

Each record comes once, with its bytes as they first came and where it first stood; repeats that the history
holds are repeated, dead letters are not, nor is what came too late to be applied (unless it was applied after all, or
is asked for), and never what was said of an event after retention had dropped it (sinks/retention/forgotten.py). The
engine sorts and, past a limit,
spills to disk; memory on our side is one chunk. One client runs the whole of it and can do nothing else meanwhile.
"""

from collections.abc import Generator, Iterable, Iterator
from typing import Any, Final, NamedTuple

from clickhouse_connect.driver.client import Client

from schemas.coordinates import Coordinate, origin_header
from schemas.errors import WrongInput
from sinks.migrate import store_id
from sinks.retention.forgotten import left_out
from sinks.tables import FACTS, LATE


class Place(NamedTuple):
    """Where a record stands in the order of a replay. `appended_at` in ms."""

    appended_at: int
    epoch: int
    partition: int
    offset: int
    topic: str

    @property
    def coordinate(self) -> Coordinate:
        """Where it first stood."""
        return Coordinate(self.epoch, self.topic, self.partition, self.offset)


class Replayed(NamedTuple):
    """One record of the history: what to send where, and the header that says where it first stood.

    `late`: it came too late, and has not been applied.
    """

    topic: str
    key: bytes
    raw: bytes
    place: Place
    header: tuple[str, bytes]
    late: bool = False


def replay(  # all of them say which records
    client: Client,
    *,
    topics: Iterable[str] = tuple(FACTS),
    entity: str | None = None,
    after: Place | None = None,
    with_late: bool = False,
    chunk: int = 5_000,
) -> Generator[tuple[Replayed, ...], None, None]:
    """The records of these fact topics, in chunks, ordered by (first append time, epoch, partition, offset).

    Args:
        client: Any client on the store's database; busy until the iterator ends or is closed.
        topics: Which fact topics.
        entity: Only this entity (the Kafka key: an order, a shipment, `site|item`, ...).
        after: Only what stands after this place, to go on where a replay was cut off.
        with_late: What came too late, too.
        chunk: How many records a chunk holds; the last one may hold fewer.

    Raises:
        WrongInput: A topic that is no fact topic, or a store that is not migrated.
    """
    wanted = tuple(topics)
    for topic in wanted:
        if topic not in FACTS:
            raise WrongInput(f"{topic!r} is no fact topic: the history of {', '.join(FACTS)} can be replayed.")
    home = store_id(client)
    gone = frozenset[Coordinate]().union(*(left_out(client, topic, entity) for topic in wanted))
    stream = client.query_row_block_stream(
        _query(wanted, entity, after, with_late=with_late),
        parameters=({} if entity is None else {"entity": entity}) | ({} if after is None else after._asdict()),
        settings={**(_SPILLING if entity is None else {}), "max_block_size": chunk},
        column_formats={"raw": "bytes", "appended": "int"},
    )
    last: Place | None = None
    ready: list[Replayed] = []
    with stream as blocks:
        for block in blocks:
            for record in _records(block, home):
                if record.place == last or (gone and record.place.coordinate in gone):
                    continue
                last = record.place
                ready.append(record)
                if len(ready) == chunk:
                    yield tuple(ready)
                    ready.clear()
    if ready:
        yield tuple(ready)


def count(client: Client, *, topics: Iterable[str] = tuple(FACTS)) -> int:
    """How many records `replay` will bring, without repeats of one coordinate."""
    wanted = tuple(topics)
    parts = (
        f"(SELECT count() FROM {FACTS[topic].name} FINAL WHERE {_in_time(topic)})"  # noqa: S608  # our own names
        for topic in wanted
    )
    kept = int(client.query(f"SELECT {' + '.join(parts) or '0'}").result_rows[0][0])
    return kept - passed_over(client, topics=wanted)


def passed_over(client: Client, *, topics: Iterable[str] = tuple(FACTS)) -> int:
    """How many records `replay` leaves out, since retention had dropped what they correct or repeat."""
    return sum(len(left_out(client, topic, which=_in_time(topic))) for topic in topics)


_SPILLING: Final = {
    # The order is not the tables' own; without a limit the sort would hold the whole history in memory.
    "max_bytes_before_external_sort": 200_000_000,
    "max_bytes_ratio_before_external_sort": 0,
    "max_threads": 2,
}


def _query(topics: Iterable[str], entity: str | None, after: Place | None, *, with_late: bool) -> str:
    # No FINAL: rows of one coordinate are equal, stand next to each other in this order, and are told apart
    # by it alone.
    which = "" if entity is None else " AND entity = {entity:String}"
    if after is not None:
        which += _AFTER
    tables = (
        f"SELECT '{topic}' AS topic, epoch, partition, offset, appended_at AS appended, entity, raw, "  # noqa: S608  # our own names
        f"NOT {_in_time(topic)} AS late FROM {FACTS[topic].name} WHERE {'1' if with_late else _in_time(topic)}{which}"
        for topic in topics
    )
    union = " UNION ALL ".join(tables)
    return f"SELECT * FROM ({union}) ORDER BY appended, epoch, partition, offset, topic"  # noqa: S608  # our own names


_AFTER: Final = (
    " AND appended_at >= fromUnixTimestamp64Milli({appended_at:Int64})"
    " AND (toUnixTimestamp64Milli(appended_at), epoch, partition, offset, topic)"
    " > ({appended_at:Int64}, {epoch:UInt64}, {partition:UInt32}, {offset:UInt64}, {topic:String})"
)


def _in_time(topic: str) -> str:
    """What was judged late stays late: whoever rebuilds all must not apply it in passing.

    What was applied after all, by the rebuild of its entity, is applied by every later rebuild.
    """
    applied = (
        "SELECT first_epoch, first_partition, first_offset FROM handled_records "  # noqa: S608  # our own names
        f"WHERE kind = 'late' AND topic = '{topic}'"  # our own names
    )
    late = (
        f"SELECT epoch, partition, offset FROM {LATE.name} "  # noqa: S608  # our own names
        f"WHERE topic = '{topic}' AND (epoch, partition, offset) NOT IN ({applied})"
    )
    return f"(epoch, partition, offset) NOT IN ({late})"


def _records(block: Iterable[Any], home: str) -> Iterator[Replayed]:
    for topic, epoch, partition, offset, appended, entity, raw, late in block:
        header = origin_header(epoch, topic, partition, offset, appended, home)
        yield Replayed(
            topic, entity.encode(), raw, Place(appended, epoch, partition, offset, topic), header, bool(late)
        )
