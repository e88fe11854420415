"""What Faust's consumer does that the transport stands in for, and why keys are bytes."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import faust
import pytest
from faust.serializers.codecs import dumps
from faust.transport.consumer import Consumer
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import Message
from intervaltree import IntervalTree  # type: ignore[import-untyped]  # it has no types

from tests.canaries.fingerprints import fingerprint

_PLACE = TP("topic", 0)


def _message(offset: int) -> Message:
    return Message(_PLACE.topic, _PLACE.partition, offset, 0.0, 0, {}, None, b"value", None, tp=_PLACE)


async def test_a_gap_counts_the_offset_that_has_just_arrived() -> None:
    consumer = SimpleNamespace(_committed_offset={_PLACE: None}, _gap={_PLACE: IntervalTree()})
    await Consumer._add_gap(consumer, _PLACE, 1, 3)
    assert consumer._gap[_PLACE].overlaps(3), (
        "the gap ends before the offset that arrived: streams/transport/driver.py need not override _add_gap"
    )


def test_keys_as_text_are_quoted_as_json() -> None:
    assert dumps("json", "order-1") == b'"order-1"', "keys may be text: they hash as the source's now"
    assert dumps("raw", b"order-1") == b"order-1"


async def test_a_body_that_raises_acknowledges_its_message() -> None:
    app = faust.App("canary", broker="kafka://127.0.0.1:1", store="memory://", autodiscover=False)
    app.flow_control.resume()
    channel = app.channel()
    message = _message(5)
    message.generation_id = app.consumer_generation_id
    message.incref()
    stream = app.stream(channel)
    await channel.put(app.create_event(None, b"value", {}, message))
    values = aiter(stream)
    await anext(values)
    assert not message.acked
    with pytest.raises(ZeroDivisionError):
        await values.athrow(ZeroDivisionError)
    await stream.stop()
    assert message.acked, "a body may raise now: its message is not lost (streams/worker.py ends the process)"


@pytest.mark.parametrize(
    ("theirs", "noted"),
    [
        (driver.AIOKafkaConsumerThread._create_worker_consumer, "c2701bfc3e6f"),
        (driver.Consumer._new_consumer_thread, "0870ec53dea7"),
        (Consumer.getmany, "4b168d84882a"),
        (Consumer._wait_next_records, "6218e1969a63"),
        (Consumer._drain_messages, "44a2500309e8"),
        (Consumer._add_gap, "4df2573ded7c"),
        (Consumer._new_offset, "1d2c7ea89a7a"),
        (Consumer.ack, "5fcf41cf4515"),
    ],
    ids=lambda value: getattr(value, "__qualname__", ""),
)
def test_what_the_transport_stands_in_for_is_as_it_was(theirs: Callable[..., Any], noted: str) -> None:
    found = fingerprint(theirs)
    assert found == noted, (
        f"{theirs.__qualname__} has changed: compare it with streams/transport/driver.py, then note {found}"
    )
