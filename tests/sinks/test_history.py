import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from aiokafka import AIOKafkaProducer
from clickhouse_connect.driver.client import Client

from deploy.broker import free_port
from schemas.coordinates import Coordinate, Origin
from schemas.derived import OrderStatus
from schemas.errors import Unreachable, WrongInput
from schemas.topics import TOPICS
from sinks import epochs
from sinks.history import History
from sinks.migrate import store_id
from sinks.replay import replay
from sinks.rows import Record
from streams.administration import create_topics
from tests.brokers import NoKafka, running_kafka, running_tansu
from tests.sinks.records import NOON, column, event, milestone, record, state

ROOT: Final = Path(__file__).parents[2]


@pytest.fixture
def own_tansu(tmp_path: Path) -> Iterator[str]:
    """An embedded broker with our topics, empty."""
    with running_tansu(tmp_path) as broker:
        create_topics(broker.address)
        yield broker.address


@pytest.fixture
def own_kafka() -> Iterator[str]:
    """An Apache Kafka with our topics, empty."""
    try:
        with running_kafka() as broker:
            create_topics(broker.address)
            yield broker.address
    except NoKafka as reason:
        pytest.skip(f"NOT TESTED AGAINST APACHE KAFKA: {reason}")


async def send(producer: Any, records: Iterable[Record]) -> None:
    for one in records:
        await producer.send(
            one.topic,
            one.value,
            key=one.key,
            partition=one.partition,
            timestamp_ms=one.appended_at,
            headers=[(name, value or b"") for name, value in one.headers],
        )
    await producer.flush()


async def publish(bootstrap: str, *records: Record) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        await send(producer, records)


@asynccontextmanager
async def running(history: History) -> AsyncIterator[History]:
    await history.start()
    try:
        yield history
    finally:
        await history.stop()


async def done(history: History) -> None:
    """Until everything that can be read is stored."""
    while await history.lag():  # noqa: ASYNC110  # the store grows; nothing tells
        await asyncio.sleep(0.02)


async def failed(history: History, times: int) -> None:
    """Until so many inserts have failed."""
    while history.counters.failures < times:  # noqa: ASYNC110  # as above
        await asyncio.sleep(0.02)


def shipments(count: int, start: int = 0) -> list[Record]:
    return [
        milestone({"event_id": f"e{number}", "shipment_id": f"S{number % 7}"}, partition=number % 4)
        for number in range(start, start + count)
    ]


def facts(store: Client) -> list[Any]:
    return column(store, "SELECT event_id FROM shipment_events FINAL ORDER BY toUInt32(substring(event_id, 2))")


class Failing:
    """A client whose inserts fail until it is mended."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.broken = True
        self.tried = 0

    def insert(self, *arguments: Any, **options: Any) -> Any:
        """Fail, or insert."""
        self.tried += 1
        if self.broken:
            raise OSError("the disk is full")
        return self.client.insert(*arguments, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)


@pytest.mark.tansu
def test_every_topic_ends_up_in_its_table(store: Client, own_tansu: str) -> None:
    received = {"type": "received", "site": "BER", "item": "acme:1", "unit": "pack", "quantity": "1.5"}
    described = {"type": "site_described", "site": "BER"}
    placed = {
        "type": "order_placed",
        "order_id": "PO1",
        "supplier": "acme",
        "lines": [{"line_id": "1", "item": "acme:1", "quantity": "1", "unit": "pack"}],
    }
    taken = {"type": "acknowledged", "exception_id": "x", "by": "kim", "until": "2026-12-01T00:00:00Z"}

    async def story() -> History:
        async with running(History(store, own_tansu, 1)) as history:
            await publish(
                own_tansu,
                milestone({}, partition=2),
                milestone({"leg": 0}, partition=2),
                event("warehouse.events", received),
                event("reference.events", described),
                event("supplier.events", placed),
                event("operator.events", taken),
                state("order.status", OrderStatus("PO1", "placed")),
                record("order.status", b"nonsense"),
                record("order.status", None),
            )
            await done(history)
            await history.end_epoch(epochs.begin(store, 1))
            return history

    history = asyncio.run(story())
    for table in ("shipment_events", "warehouse_events", "reference_events", "supplier_events", "operator_events"):
        assert column(store, f"SELECT count() FROM {table} FINAL") == [1]  # noqa: S608
    where = store.query("SELECT epoch, partition, offset, toUnixTimestamp64Milli(appended_at) FROM shipment_events")
    assert where.result_rows == [(1, 2, 0, NOON)]
    assert column(store, "SELECT topic FROM dead_letters ORDER BY topic") == ["order.status", "shipment.events"]
    assert column(store, "SELECT status FROM orders_now") == ["placed"]
    assert (history.counters.records, history.counters.rows, history.counters.dead) == (9, 8, 2)
    assert history.positions["shipment.events", 2] == 2


@pytest.mark.tansu
def test_a_new_sink_goes_on_where_the_last_one_stopped(store: Client, own_tansu: str) -> None:
    async def story() -> tuple[int, int]:
        await publish(own_tansu, *shipments(50))
        async with running(History(store, own_tansu, 1)) as first:
            await done(first)
        await publish(own_tansu, *shipments(30, start=50))
        async with running(History(store, own_tansu, 1)) as second:
            await done(second)
        return first.counters.records, second.counters.records

    assert asyncio.run(story()) == (50, 30)
    assert facts(store) == [f"e{number}" for number in range(80)]


@pytest.mark.tansu
def test_while_the_store_fails_nothing_is_dropped(store: Client, own_tansu: str) -> None:
    failing = Failing(store)

    async def story() -> History:
        async with running(History(failing, own_tansu, 1, batch_records=10)) as history:  # type: ignore[arg-type]  # fails
            await publish(own_tansu, *shipments(50))
            await failed(history, 2)
            assert "the disk is full" in history.counters.last_error
            assert set(history.positions.values()) == {0}
            failing.broken = False
            await done(history)
        return history

    history = asyncio.run(story())
    assert facts(store) == [f"e{number}" for number in range(50)]
    assert history.counters.last_error == ""


@pytest.mark.tansu
def test_a_sink_that_is_stopped_while_the_store_fails_leaves_its_records_for_the_next(
    store: Client, own_tansu: str
) -> None:
    failing = Failing(store)

    async def story() -> History:
        async with running(History(failing, own_tansu, 1, batch_records=10)) as history:  # type: ignore[arg-type]  # fails
            await publish(own_tansu, *shipments(50))
            await failed(history, 1)
            failing.broken = False  # too late: what was given up must not be overtaken by what came after it
        async with running(History(store, own_tansu, 1)) as second:
            await done(second)
        return second

    assert asyncio.run(story()).counters.records == 50
    assert facts(store) == [f"e{number}" for number in range(50)]


@pytest.mark.tansu
def test_topics_that_are_missing_are_named(store: Client, tmp_path: Path) -> None:
    with running_tansu(tmp_path) as broker:
        create_topics(broker.address, [topic for topic in TOPICS if topic.name != "exceptions"])
        with pytest.raises(WrongInput, match=r"lacks the topics exceptions: .*quayside topics create"):
            asyncio.run(History(store, broker.address, 1).run())


def test_a_broker_that_does_not_answer_is_a_sentence(store: Client) -> None:
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(Unreachable, match=f"broker at {address} does not answer"):
        asyncio.run(History(store, address, 1).run())


@pytest.mark.tansu
@pytest.mark.chaos
def test_a_sink_killed_between_insert_and_commit_leaves_nothing_twice(own_tansu: str, tmp_path: Path) -> None:
    asyncio.run(publish(own_tansu, *shipments(500)))
    command = [sys.executable, "-m", "tests.sinks.sink_process", str(tmp_path / "store"), own_tansu]
    with subprocess.Popen([*command, "hang"], cwd=ROOT, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == "inserted\n"
        killed.kill()
    finished = subprocess.run([*command, "finish"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    told = json.loads(finished.stdout.splitlines()[-1])
    assert told["read"] == told["final"] == 500
    assert told["raw"] > 500


@pytest.mark.tansu
def test_what_is_replayed_into_kafka_is_not_stored_again(store: Client, own_tansu: str) -> None:
    async def story() -> History:
        async with running(History(store, own_tansu, 1)) as history:
            await publish(own_tansu, *shipments(20))
            await done(history)
            again = [
                record(one.topic, one.raw, key=one.key, headers=(one.header,), appended_at=NOON + 1)
                for chunk in replay(store)
                for one in chunk
            ]
            other = Origin(Coordinate(9, "shipment.events", 1, 7), NOON - 1, "another-store")
            foreign = milestone({"event_id": "e20"}, headers=(other.header(),))
            await publish(own_tansu, *again, foreign)
            await done(history)
        return history

    history = asyncio.run(story())
    assert history.counters.replayed == 21
    assert facts(store) == [f"e{number}" for number in range(21)]
    assert store_id(store)
    # Promise 4: stored here + dead + replayed = records in the topic, by distinct coordinates.
    stored, again = (
        column(store, f"SELECT uniqExact(partition, offset) FROM {table} WHERE epoch = 1")[0]  # noqa: S608
        for table in ("shipment_events", "replayed_records")
    )
    ends = sum(end for (topic, _), end in history.positions.items() if topic == "shipment.events")
    assert stored + again == ends


@pytest.mark.kafka
def test_only_what_was_committed_is_stored(store: Client, own_kafka: str) -> None:
    async def transaction(records: list[Record], *, keep: bool) -> None:
        async with AIOKafkaProducer(bootstrap_servers=own_kafka, transactional_id="t") as producer:
            await producer.begin_transaction()
            await send(producer, records)
            await (producer.commit_transaction() if keep else producer.abort_transaction())

    async def story() -> History:
        await transaction(shipments(20), keep=True)
        await transaction(shipments(20, start=20), keep=False)
        await transaction(shipments(20, start=40), keep=True)
        await transaction(shipments(20, start=60), keep=False)
        async with running(History(store, own_kafka, 1)) as history:
            await done(history)
        return history

    assert asyncio.run(story()).counters.records == 40
    assert facts(store) == [f"e{number}" for number in (*range(20), *range(40, 60))]
    appended = column(store, "SELECT min(toUnixTimestamp64Milli(appended_at)) FROM shipment_events")[0]
    assert appended != NOON  # the broker's clock, not the producer's
