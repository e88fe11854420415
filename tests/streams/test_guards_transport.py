"""What is acknowledged and what is handed over: the transport's and the worker's own guards, without a broker."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, Final
from unittest.mock import AsyncMock, patch

import faust
import pytest
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams import worker
from streams.inbox import Inbox
from streams.transport.driver import BatchConsumerThread

_PLACE: Final = TP("topic", 0)
_OFFSETS: Final = {_PLACE: 5}


def app() -> Any:
    """A Faust app on our transport; nothing of it connects anywhere."""
    made = faust.App("guards", broker="batched://127.0.0.1:1", store="memory://", autodiscover=False)
    made.finalize()
    made.consumer_generation_id = 3
    made.flow_control.resume()
    made.consumer.flow_active = True
    return made


def message(*, done: bool = True, generation: int = 3) -> Any:
    return SimpleNamespace(done=done, generation_id=generation, tp=_PLACE, offset=5, acked=False)


def record(offset: int) -> Any:
    return SimpleNamespace(
        topic=_PLACE.topic,
        partition=_PLACE.partition,
        offset=offset,
        timestamp=1_000,
        timestamp_type=1,
        headers=(),
        key=b"key",
        value=b"value",
        checksum=None,
        serialized_key_size=3,
        serialized_value_size=5,
    )


async def is_taken(given: Any) -> bool:
    """Whether the acknowledgement gets as far as Faust."""
    consumer = app().consumer
    with patch.object(driver.Consumer, "ack", return_value=True):
        return bool(consumer.ack(given))


async def test_a_batch_that_is_done_is_acknowledged() -> None:
    assert await is_taken(message())


async def test_a_batch_that_is_not_done_is_not_acknowledged() -> None:
    assert not await is_taken(message(done=False))
    assert not await is_taken(SimpleNamespace(generation_id=3)), "nobody has looked at it"


async def test_a_batch_of_an_earlier_assignment_is_not_acknowledged() -> None:
    assert not await is_taken(message(generation=2))


@pytest.mark.parametrize("in_transactions", [True, False])
async def test_offsets_that_were_part_of_transactions_are_not_committed_once_more(in_transactions: bool) -> None:
    made = app()
    made.offsets_in_transactions = in_transactions
    with patch.object(driver.Consumer, "_commit", AsyncMock(return_value=True)) as committed:
        assert await made.consumer._commit(_OFFSETS)
    assert committed.called is not in_transactions


async def handed_over(*fetches: Sequence[Any], read_offset: int | None = None) -> tuple[Any, list[Any]]:
    """The consumer, and the messages that it makes of these fetches, each one acknowledged as done."""
    made = app()
    consumer = made.consumer
    consumer._read_offset[_PLACE] = read_offset
    messages = []
    with (
        patch.object(consumer, "highwater", return_value=0),
        patch.object(consumer, "_wait_next_records", AsyncMock(side_effect=[({_PLACE: one}, None) for one in fetches])),
        patch.object(made.topics, "acks_enabled_for", lambda _topic: True),
    ):
        for _ in fetches:
            async for place, told in consumer.getmany(timeout=1.0):
                messages.append(told)
                await noted(consumer, place, told)
    return consumer, messages


async def noted(consumer: Any, place: TP, told: Any) -> None:
    """What Faust does with a message (Consumer._drain_messages), and the acknowledgement of the agent."""
    before = consumer._read_offset[place]
    if before is None or told.offset > before:
        gap = told.offset - (before or 0)
        if gap > 1 and before:
            await consumer._add_gap(place, before + 1, told.offset)
        consumer._read_offset[place] = told.offset
    told.done = True
    told.generation_id = consumer.app.consumer_generation_id
    consumer.ack(told)


async def test_a_fetch_is_one_message_with_all_its_records_and_the_last_ones_offset() -> None:
    batch = [record(offset) for offset in (1, 2, 7)]
    _, (told,) = await handed_over(batch)
    assert (told.value, told.offset) == (batch, 7)


async def test_an_acknowledged_batch_is_committed_past_as_a_whole() -> None:
    consumer, _ = await handed_over([record(offset) for offset in (1, 2, 3)], read_offset=None)
    consumer._committed_offset[_PLACE] = 1
    consumer, _ = await handed_over([record(2), record(3)], [record(offset) for offset in range(4, 30)], read_offset=1)
    consumer._committed_offset[_PLACE] = 2
    assert consumer._new_offset(_PLACE) == 30


async def test_what_comes_behind_offset_0_is_committed_past_too() -> None:
    consumer, _ = await handed_over([record(offset) for offset in range(1, 9)], read_offset=0)
    consumer._committed_offset[_PLACE] = 1
    assert consumer._new_offset(_PLACE) == 9


async def test_nothing_of_a_fetch_is_handed_over_once_the_assignment_has_changed() -> None:
    made = app()
    other = TP("topic", 1)
    fetched = {_PLACE: [record(1)], other: [record(1)]}
    taken = []
    with (
        patch.object(made.consumer, "highwater", return_value=0),
        patch.object(made.consumer, "_wait_next_records", AsyncMock(return_value=(fetched, None))),
    ):
        async for place, _ in made.consumer.getmany(timeout=1.0):
            taken.append(place)
            made.consumer_generation_id += 1
    assert taken == [_PLACE]


async def test_the_consumer_reads_what_was_committed_and_is_assigned_by_range() -> None:
    made = app()
    thread = made.consumer._new_consumer_thread()
    consumer = thread._create_worker_consumer(made.transport)
    assert consumer._isolation_level == "read_committed"
    assert not consumer._enable_auto_commit
    assert thread._assignor is RangePartitionAssignor


class _Agent:
    """An agent whose batches end as they are told to."""

    def __init__(self, outcome: Any) -> None:
        self.taken: list[list[int]] = []
        self._outcome = outcome

    async def process(self, _: int, batches: Mapping[str, Sequence[Any]]) -> bool:
        self.taken.append([one.offset for records in batches.values() for one in records])
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return bool(self._outcome)


class _Event:
    """An event as a stream brings it: a fetched batch, and its message."""

    def __init__(self, *offsets: int, generation: int = 3) -> None:
        self.value = [record(offset) for offset in offsets]
        self.message = message(done=False, generation=generation)
        self.message.topic, self.message.partition = _PLACE
        self.acknowledged = asyncio.Event()

    async def is_acknowledged(self) -> None:
        """Wait until it is."""
        await self.acknowledged.wait()

    def ack(self) -> None:
        """Noted."""
        self.acknowledged.set()


async def worked_on(agent: _Agent, *events: _Event) -> None:
    """Let a worker take these events, until it has acknowledged all of them or ends."""
    inbox = Inbox(1_000)
    for event in events:
        await inbox.put(event)
    told: Any = (SimpleNamespace(consumer_generation_id=3), agent, inbox)
    working = asyncio.create_task(worker._work(*told))
    for event in events:
        waiting = asyncio.create_task(event.is_acknowledged())
        await asyncio.wait([working, waiting], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
    working.cancel()
    await asyncio.wait([working])
    if not working.cancelled():
        working.result()


async def test_a_batch_is_done_when_all_of_its_steps_are() -> None:
    agent, event = _Agent(True), _Event(1, 2)
    await worked_on(agent, event)
    assert (agent.taken, event.message.done, event.acknowledged.is_set()) == ([[1, 2]], True, True)


async def test_a_batch_that_fails_is_neither_done_nor_acknowledged() -> None:
    event = _Event(1)
    with pytest.raises(ZeroDivisionError):
        await worked_on(_Agent(ZeroDivisionError()), event)
    assert (event.message.done, event.acknowledged.is_set()) == (False, False)


async def test_a_batch_of_a_partition_that_is_not_ours_any_more_is_not_done() -> None:
    event = _Event(1)
    await worked_on(_Agent(False), event)
    assert not event.message.done


async def test_a_batch_of_an_earlier_assignment_is_not_processed() -> None:
    agent, stale, present = _Agent(True), _Event(1, generation=2), _Event(5)
    await worked_on(agent, stale, present)
    assert (agent.taken, stale.message.done, present.message.done) == ([[5]], False, True)


async def test_whatever_a_batch_raises_ends_the_process() -> None:
    async def fails() -> None:
        raise ZeroDivisionError

    agent: Any = SimpleNamespace(derivation=SimpleNamespace(name="stock"))
    with patch.object(worker, "_die") as died:
        await worker._guarded(SimpleNamespace(should_stop=False), agent, fails())
    died.assert_called_once_with("", worker.FAILED)


async def test_a_request_that_the_client_cancels_ends_the_process_and_not_only_the_task() -> None:
    """The client cancels what waits for a connection that is lost; seen in a restart of the broker."""

    async def cancelled() -> None:
        raise asyncio.CancelledError

    agent: Any = SimpleNamespace(derivation=SimpleNamespace(name="stock"))
    with patch.object(worker, "_die") as died:
        await worker._guarded(SimpleNamespace(should_stop=False), agent, cancelled())
    assert died.call_args.args[1] == worker.FAILED
    with patch.object(worker, "_die") as died, pytest.raises(asyncio.CancelledError):
        await worker._guarded(SimpleNamespace(should_stop=True), agent, cancelled())
    died.assert_not_called()


async def test_the_stream_is_one_that_acknowledges_nothing_by_itself() -> None:
    class Stream:
        is_noack = False

        def noack(self) -> "Stream":
            self.is_noack = True
            return self

        async def events(self) -> AsyncIterator[Any]:
            nothing: tuple[Any, ...] = ()
            for event in nothing:
                yield event

    bodies: list[Any] = []
    made: Any = SimpleNamespace(topic=lambda *_, **__: None, agent=lambda *_, **__: bodies.append)
    agent: Any = SimpleNamespace(
        inputs=("topic",), derivation=SimpleNamespace(name="stock"), owned=[], tick=AsyncMock(return_value=0)
    )
    worker._attach(made, agent, 10)
    stream = Stream()
    await bodies[0](stream)
    assert stream.is_noack


async def test_after_a_rebalance_a_partition_without_a_commit_is_read_from_its_beginning() -> None:
    """The driver leaves it where it is, behind what the rebalance made it drop."""
    consumer = SimpleNamespace(
        seek_to_committed=AsyncMock(return_value={"committed": 5, "none": None, "zero": 0}),
        seek_to_beginning=AsyncMock(),
    )
    thread: Any = SimpleNamespace(_ensure_consumer=lambda: consumer)
    found = await BatchConsumerThread._seek_to_committed(thread)
    assert found == {"committed": 5, "none": None, "zero": 0}
    consumer.seek_to_beginning.assert_awaited_once_with("none", "zero")
