"""Sending in batches: where a record goes, what fits, and the offsets that come back."""

import asyncio
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import pytest
from aiokafka.partitioner import murmur2
from aiokafka.producer.message_accumulator import BatchBuilder
from hypothesis import given
from hypothesis import strategies as st

from schemas.topics import BY_NAME
from schemas.wire import MAX_RECORD_BYTES
from streams.sending import MAX_BATCH_BYTES, Record, RecordTooLarge, Sender, fits, partition_of

LARGEST = 1_048_588


@dataclass
class _Acknowledged:
    offset: int


@dataclass
class _Producer:
    """Takes batches as aiokafka's producer does; acknowledges each in turn."""

    batches: list[tuple[str, int, int, int]] = field(default_factory=list)
    """(topic, partition, records, bytes) of each batch."""

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(MAX_BATCH_BYTES, 0)

    async def send_batch(self, batch: BatchBuilder, topic: str, *, partition: int) -> Any:
        first = sum(count for name, number, count, _ in self.batches if (name, number) == (topic, partition))
        self.batches.append((topic, partition, batch.record_count(), batch.size()))
        acknowledged: asyncio.Future[_Acknowledged] = asyncio.get_running_loop().create_future()
        acknowledged.set_result(_Acknowledged(100 + first))
        return acknowledged


def send_to(producer: _Producer, topic: str, *records: Record) -> list[int]:
    """Send through a sender over this producer."""

    async def send() -> list[int]:
        sender = Sender("nowhere", "test", {topic: 4})
        with patch.object(sender, "start", return_value=producer):
            return await sender.send_to(topic, 2, records)

    return asyncio.run(send())


@given(st.binary(max_size=60), st.integers(1, 64))
def test_a_key_goes_where_kafkas_own_clients_put_it(key: bytes, partitions: int) -> None:
    expected = (murmur2(key) & 0x7FFFFFFF) % partitions
    assert [partition_of(key, partitions) for _ in range(2)] == [expected, expected]


def test_a_known_key_goes_where_java_puts_it() -> None:
    assert murmur2(b"21") & 0xFFFFFFFF == 0xFFFFFFFF & -973932308, "from Kafka's own UtilsTest"
    assert partition_of(b"21", 1_000) == (-973932308 & 0x7FFFFFFF) % 1_000


def test_offsets_come_back_in_order_over_all_batches() -> None:
    producer = _Producer()
    offsets = send_to(producer, "order.status", *(Record(b"k", b"x" * 250_000) for _ in range(8)))
    assert offsets == list(range(100, 108))
    assert [count for _, _, count, _ in producer.batches] == [3, 3, 2]
    assert all(size <= MAX_BATCH_BYTES for *_, size in producer.batches)


def test_a_view_that_its_topic_does_not_take_is_told_in_one_sentence() -> None:
    producer = _Producer()
    with pytest.raises(RecordTooLarge, match=rf"1048588 bytes for order\.status \(key b'PO-1'\).*{LARGEST} bytes"):
        send_to(producer, "order.status", Record(b"PO-1", b"x" * LARGEST))
    assert producer.batches == []


@pytest.mark.parametrize("topic", ["order.status", "orders.facts", "elsewhere"])
def test_what_fits_is_never_larger_than_the_broker_takes(topic: str) -> None:
    sizes = range(LARGEST - 120, LARGEST + 1)
    taken = [size for size in sizes if fits(topic, Record(b"PO-1", b"x" * size))]
    assert taken, "all but the batch's own header fits"
    producer = _Producer()
    send_to(producer, topic, Record(b"PO-1", b"x" * taken[-1]))
    assert producer.batches[0][3] <= LARGEST
    assert taken[-1] < sizes[-1]


def test_the_largest_record_fits_into_its_dead_letter() -> None:
    producer = _Producer()
    letter = Record(b"shipment.events", b"x" * (MAX_RECORD_BYTES * 4 // 3 + 3_000))
    assert send_to(producer, "dead.letters", letter) == [100]
    assert producer.batches[0][3] <= int(BY_NAME["dead.letters"].config()["max.message.bytes"])
