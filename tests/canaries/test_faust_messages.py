"""What becomes of a message inside Faust: acknowledged, skipped, committed past, or left for ever."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final
from unittest.mock import patch

import faust
import pytest
from faust.app.base import App
from faust.streams import Stream, _CStreamIterator
from faust.tables.recovery import Recovery
from faust.transport import by_url
from faust.transport.consumer import Consumer
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from streams.transport.driver import Transport, Undecoded
from tests.canaries.fingerprints import fingerprint

_PLACE: Final = TP("topic", 0)
_COMPILED: Final = pytest.mark.skipif(_CStreamIterator is None, reason="Faust's compiled iterator is not installed")
_CHANGED: Final = "has changed: read it beside streams/worker.py and streams/transport/driver.py, then note"


def _app(**settings: Any) -> Any:
    app = faust.App("canary", broker="kafka://127.0.0.1:1", store="memory://", autodiscover=False, **settings)
    app.finalize()
    app.flow_control.resume()
    app.consumer.flow_active = True
    return app


def _message(offset: int, generation: int = 0) -> Any:
    return ConsumerMessage(
        _PLACE.topic, _PLACE.partition, offset, 0.0, 0, {}, None, b"value", None, tp=_PLACE, generation_id=generation
    )


def _acknowledge(message: Any) -> bool:
    message.acked = True
    return True


async def _committable(read_offset: int, committed: int | None, arriving: int) -> int | None:
    """What Faust would commit after one message at offset `arriving` came and was acknowledged."""
    app = _app()
    consumer = app.consumer
    consumer._read_offset[_PLACE] = read_offset
    consumer._committed_offset[_PLACE] = committed
    fetcher = SimpleNamespace(_stopped=SimpleNamespace(is_set=lambda: bool(consumer._acked[_PLACE])))

    async def getmany(timeout: float) -> AsyncIterator[tuple[TP, Any]]:  # noqa: ASYNC109, ARG001  # Faust's signature
        yield _PLACE, _message(arriving)

    async def callback(message: Any) -> None:
        consumer.ack(message)

    with (
        patch.object(app.topics, "acks_enabled_for", lambda _topic: True),
        patch.multiple(consumer, getmany=getmany, callback=callback, _commit_every=None),
        patch.object(consumer, "_add_gap", lambda tp, a, b: Consumer._add_gap(consumer, tp, a, b - 1)),
    ):
        await consumer._drain_messages(fetcher)
    found: int | None = consumer._new_offset(_PLACE)
    return found


async def test_what_lies_between_two_messages_is_committed_past() -> None:
    assert await _committable(read_offset=1, committed=2, arriving=9) == 10, (
        "offsets that no message brought are not taken as a gap any more: a batch as one message is not committed past"
    )


async def test_a_read_offset_of_nothing_counts_as_none() -> None:
    assert await _committable(read_offset=0, committed=1, arriving=9) is None, (
        "behind offset 0 there is a gap now: BatchConsumer.getmany need not add it"
    )


_ITERATORS = pytest.mark.parametrize(
    "iterate", [Stream._py_aiter, pytest.param(Stream._c_aiter, marks=_COMPILED)], ids=["python", "compiled"]
)


async def _streamed(app: Any, iterate: Any, messages: list[Any], *, acknowledging: bool) -> Any:
    """What an agent's body loops over, these messages waiting in it."""
    channel = app.channel()
    stream = app.stream(channel) if acknowledging else app.stream(channel).noack()
    for message in messages:
        message.incref()
        await channel.put(app.create_event(None, b"value", {}, message))
    return iterate(stream)


@_ITERATORS
@pytest.mark.parametrize("acknowledging", [True, False])
async def test_a_message_of_an_earlier_generation_is_skipped_and_perhaps_acknowledged(
    iterate: Any, acknowledging: bool
) -> None:
    app = _app()
    app.consumer_generation_id = 2
    stale, present = _message(5, generation=1), _message(6, generation=2)
    values = await _streamed(app, iterate, [stale, present], acknowledging=acknowledging)
    with patch.object(app.consumer, "ack", side_effect=_acknowledge) as asked:
        await anext(values)
    assert [call.args[0].offset for call in asked.call_args_list] == ([5] if iterate is Stream._py_aiter else []), (
        "Faust treats what it skips otherwise now: see whether BatchConsumer.ack still guards the commits"
    )
    assert stale.acked == (iterate is Stream._py_aiter)
    await values.aclose()


@_ITERATORS
async def test_a_stream_that_does_not_acknowledge_leaves_it_to_us(iterate: Any) -> None:
    app = _app()
    messages = [_message(5), _message(6)]
    values = await _streamed(app, iterate, messages, acknowledging=False)
    await anext(values)
    await anext(values)
    assert [message.acked for message in messages] == [False, False], "noack() acknowledges: a batch could be lost"
    with pytest.raises(ZeroDivisionError):
        await values.athrow(ZeroDivisionError)
    assert [message.acked for message in messages] == [False, False], "a body that raises acknowledges in spite of it"


@_COMPILED
async def test_a_stream_that_acknowledges_does_so_without_asking_the_consumer() -> None:
    app = _app()
    message = _message(5)
    values = await _streamed(app, Stream._c_aiter, [message, _message(6)], acknowledging=True)
    with patch.object(app.consumer, "ack", side_effect=_acknowledge) as asked:
        await anext(values)
        await anext(values)
    assert message.acked
    assert not asked.called, "the compiled iterator asks the consumer: agents need no noack() for its guard to hold"
    await values.aclose()


async def test_the_last_reference_to_a_message_asks_the_consumer() -> None:
    asked = []
    consumer = SimpleNamespace(ack=lambda message: asked.append(message.offset))
    app = _app()
    message = app.consumer._to_message(_PLACE, _record(7))
    message.done = True  # streams/worker.py marks what it has processed
    message.incref(2)
    message.ack(consumer)
    assert asked == []
    message.ack(consumer)
    assert asked == [7], "the consumer is not asked any more: BatchConsumer.ack does not guard the commits"
    assert message.done


async def test_a_message_carries_the_generation_in_which_it_was_fetched() -> None:
    app = _app()
    app.consumer_generation_id = 3
    message = app.consumer._to_message(_PLACE, _record(7))
    app.consumer_generation_id = 4
    assert message.generation_id == 3


async def test_the_generation_changes_with_an_assignment_only() -> None:
    app = SimpleNamespace(consumer_generation_id=1, on_rebalance_start=lambda: None)
    coordinator = SimpleNamespace(generation=2)

    async def told(*_: Any) -> None:
        pass

    thread = SimpleNamespace(
        app=app,
        on_partitions_revoked=told,
        on_partitions_assigned=told,
        _ensure_consumer=lambda: SimpleNamespace(_coordinator=coordinator),
    )
    listener = driver.ConsumerRebalanceListener(thread)
    await listener.on_partitions_revoked([_PLACE])
    assert app.consumer_generation_id == 1, "a revocation changes it: agents need not remember what was revoked"
    await listener.on_partitions_assigned([_PLACE])
    assert app.consumer_generation_id == 2
    package = Path(faust.__file__).parent
    setting = re.compile(r"consumer_generation_id\s*=[^=]")
    found = {
        str(file.relative_to(package)) for file in package.rglob("*.py") if setting.search(file.read_text("utf-8"))
    }
    assert found == {"transport/drivers/aiokafka.py"}


async def test_an_undecoded_batch_reaches_the_stream_as_it_is() -> None:
    app = _app()
    topic = app.topic("one", "two", schema=Undecoded(), key_type=bytes, value_type=bytes)
    message = app.consumer._to_message(_PLACE, _record(7))
    batch = [_record(6), _record(7)]
    message.value = batch
    event = await topic.decode(message)
    assert event.value is batch, "a schema is not asked for the value any more: Faust would decode the whole list"


def test_transports_are_found_by_the_scheme_of_the_brokers_address() -> None:
    assert by_url("batched://127.0.0.1:1") is Transport


@pytest.mark.parametrize(
    ("theirs", "noted"),
    [
        (App._on_partitions_revoked, "d5c895bbe57d"),
        (App._on_partitions_assigned, "de932b7927db"),
        (Recovery.on_rebalance, "aa4d997a1795"),
        (Recovery._resume_streams, "d986a6710c1a"),
        (Consumer._commit_offsets, "1a6979904118"),
        (Consumer.perform_seek, "0e8c130ff4b0"),
        (Consumer.on_partitions_revoked, "d04b7ae72c6f"),
    ],
    ids=lambda value: getattr(value, "__qualname__", ""),
)
def test_what_the_worker_relies_on_is_as_it_was(theirs: Any, noted: str) -> None:
    found = fingerprint(theirs)
    assert found == noted, f"{theirs.__qualname__} {_CHANGED} {found}"


def _record(offset: int) -> Any:
    return SimpleNamespace(
        topic=_PLACE.topic,
        partition=_PLACE.partition,
        offset=offset,
        timestamp=1_000,
        timestamp_type=0,
        headers=(),
        key=b"key",
        value=b"value",
        checksum=None,
        serialized_key_size=3,
        serialized_value_size=5,
    )
