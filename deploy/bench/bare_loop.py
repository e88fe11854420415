"""A peer: the bare loop of an aiokafka consumer, which decodes, adds up in a dict, and keeps nothing.

It is what is left of any Python worker when all promises are taken away. Once with pydantic (`judge`, the contract
itself) and once with our decoder (`read`, structs first).

Run as `python -m deploy.bench.bare_loop BOOTSTRAP GROUP TOPICS EVENTS pydantic|structs`.
"""

import asyncio
import sys
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Final

from aiokafka import AIOKafkaConsumer

from deploy.bench.watching import COPY
from schemas.wire import judge, read

_DECODERS: Final[dict[str, Callable[[str, bytes, int], Any]]] = {
    "pydantic": lambda topic, raw, _: judge(topic, raw),
    "structs": read,
}
_SIGN: Final = {"received": 1, "returned": 1, "adjusted": 1, "shipped": -1, "scrapped": -1}


async def loop(bootstrap: str, group: str, topics: list[str], events: int, decoder: str) -> None:
    """Handle so many records, and stop in order, which commits."""
    consumer = AIOKafkaConsumer(
        *topics,
        bootstrap_servers=bootstrap,
        group_id=group,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=4 << 20,  # as our worker's
    )
    decode = _DECODERS[decoder]
    sums: defaultdict[bytes, Any] = defaultdict(int)
    handled = 0
    await consumer.start()
    try:
        while handled < events:
            for place, records in (await consumer.getmany(timeout_ms=500, max_records=5_000)).items():
                topic = place.topic.removeprefix(COPY)
                for record in records:
                    sums[record.key] += _change(decode(topic, record.value, record.timestamp))
                handled += len(records)
    finally:
        await consumer.stop()


def _change(event: Any) -> Any:
    """By how much an event changes what is on hand; events of orders and shipments are counted."""
    quantity = getattr(event, "quantity", None)
    if quantity is None:
        return 1
    if event.type == "moved":
        return quantity if event.direction == "in" else -quantity
    return _SIGN.get(event.type, 0) * quantity


if __name__ == "__main__":
    _, bootstrap_, group_, topics_, events_, decoder_ = sys.argv
    asyncio.run(loop(bootstrap_, group_, topics_.split(","), int(events_), decoder_))
