"""What came of an event after retention had dropped it: a correction or a repeat, which no figure may take.

What the event came to is kept, in an opening or in what an order or shipment ended as, and cannot be taken out again.
So retention notes what it drops by name (`retention_forgotten`), and whoever derives anything from the history leaves
out what was said of such an event later.
"""

from typing import Final

from clickhouse_connect.driver.client import Client

from schemas.coordinates import Coordinate
from sinks.retention.statements import DROPPED_FROM, rows, text

_AT_ONCE: Final = 4_000_000
"""Of so many names at most a question is asked: the engine holds them in memory, 64 MB."""

_NAMES: Final = 2**64


def left_out(client: Client, topic: str, entity: str | None = None, which: str = "1") -> frozenset[Coordinate]:
    """Where something stands that was said of a dropped event later.

    Args:
        client: Any client on the store's database.
        topic: Of this fact topic.
        entity: Only of this entity (the Kafka key).
        which: Only rows of the fact table for which this holds (SQL, without parameters).
    """
    if topic not in DROPPED_FROM:
        return frozenset()
    found: set[Coordinate] = set()
    if entity is not None:
        which = f"({which}) AND entity = {{entity:String}}"
        questions = [(text("left_out", topic, which), {"entity": entity})]
    else:
        forgotten = dict(rows(client, text("forgotten_counts"))).get(topic, 0)
        parts = -(-forgotten // _AT_ONCE)
        sql = _in_range(topic, which)
        questions = [
            (sql, {"first": _NAMES * part // parts, "last": _NAMES * (part + 1) // parts - 1}) for part in range(parts)
        ]
    for sql, about in questions:
        found.update(Coordinate(epoch, topic, *place) for epoch, *place in rows(client, sql, about))
    return frozenset(found)


def told(count: int) -> str:
    """A sentence about so many events that were left out."""
    return (
        f"{count} events were left out: they correct or repeat events that retention dropped, which are in an opening; "
        "send an adjusted event for what differs (docs/retention.md)."
    )


def _in_range(topic: str, which: str) -> str:
    """As left_out.sql, with all names of a range instead of those that are met."""
    of_range = text("forgotten_range", topic)
    return text("left_out", topic, which).replace(text("forgotten", topic, which), of_range)
