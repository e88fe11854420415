"""How large the batches are that the sink stores."""

import asyncio
from types import SimpleNamespace
from typing import Any, Final

import pytest
from aiokafka import TopicPartition

from sinks.history import History
from tests.sinks.records import NOON, milestone

PLACE: Final = TopicPartition("shipment.events", 0)


class Broker:
    """A consumer before which so many records wait, and then some more come in each fetch, as long as it is asked."""

    def __init__(self, waiting: int, then: int = 0) -> None:
        self._fetcher = SimpleNamespace(_records={})
        self.committed = 0
        self._left = waiting
        self._then = then
        self._next = 0
        self._value = milestone({}).value

    async def getmany(self, *, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Any]]:
        """As aiokafka's."""
        count = min(self._left, max_records)
        self._left += self._then - count
        if not count:
            await asyncio.sleep(timeout_ms / 1_000)
            return {}
        await asyncio.sleep(0)
        start, self._next = self._next, self._next + count
        said = {"timestamp": NOON, "key": b"S1", "value": self._value, "headers": ()}
        return {PLACE: [SimpleNamespace(offset=offset, **said) for offset in range(start, self._next)]}

    async def commit(self, offsets: dict[Any, int]) -> None:
        """Note it."""
        self.committed = offsets[PLACE]


class Store:
    """A client that notes how many rows come at once."""

    def __init__(self) -> None:
        self.inserts: list[int] = []

    def insert(self, _table: str, columns: Any, **_: Any) -> None:
        """Take them."""
        self.inserts.append(len(columns[0]))


async def stored(broker: Broker, rows: int, **limits: Any) -> list[int]:
    """How many rows each insert has had when so many are stored."""
    store = Store()
    client: Any = store
    history = History(client, "nowhere", 1, batch_ms=0, **limits)
    history._consumer = broker  # instead of `start`, which would connect
    work = asyncio.create_task(history._loop())
    while history.counters.rows < rows:  # noqa: ASYNC110  # the sink tells nobody
        await asyncio.sleep(0.005)
    history._stopping.set()
    await work
    assert broker.committed == sum(store.inserts) == history.counters.records
    return store.inserts


def test_where_much_is_waiting_the_first_insert_is_a_large_one() -> None:
    inserts = asyncio.run(stored(Broker(waiting=30_000), 30_000))
    assert inserts[0] >= 20_000
    assert sum(inserts) == 30_000


def test_what_comes_now_and_then_is_not_waited_for() -> None:
    inserts = asyncio.run(stored(Broker(waiting=3, then=1), 30))
    assert inserts[0] == 3


@pytest.mark.parametrize("limits", [{"batch_records": 100}, {"batch_bytes": 20_000}])
def test_a_full_batch_waits_for_nothing(limits: dict[str, int]) -> None:
    inserts = asyncio.run(stored(Broker(waiting=1_000), 1_000, **limits))
    assert max(inserts) <= 101
    assert sum(inserts) == 1_000


def test_the_rest_of_a_backlog_is_stored_when_nothing_more_comes() -> None:
    inserts = asyncio.run(stored(Broker(waiting=5_000), 5_000))
    assert inserts == [5_000]
