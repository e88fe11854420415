"""What a stack has to hold, computed a second time: from the demo's own emissions, and from the history.

`recomputed` takes the records of the history in one thread through the pure agents, without Kafka, Faust or
ClickHouse between; `on_hand` adds up movements with other code altogether.
"""

# ruff: noqa: S608  # the queries are put together from names of our own
import base64
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import msgspec

from deploy.demo.feed import Feed
from deploy.demo.mistakes import BAD
from deploy.demo.reports import Emission
from deploy.demo_feed import DemoProgress
from schemas.derived import LeadStats, OrderStatus, ShipmentStatus, StockPosition
from schemas.topics import of_kind
from schemas.versions import content_hash
from schemas.wire import read
from streams.sending import partition_of
from tests.deploy.demo_oracle import Told, books, standing
from tests.e2e.stack import Stack
from tests.streams.network import FetchedRecord, Network, Place

FACTS: Final = tuple(topic.name for topic in of_kind("fact"))
_BATCH: Final = 5_000
_FOREVER_MS: Final = 1 << 60

Figures = dict[str, tuple[Any, ...]]
"""Of each thing, named by one text, what is said of it."""


class Kept(NamedTuple):
    """A record as the history keeps it. `appended_at` in ms."""

    topic: str
    entity: str
    appended_at: int
    raw: bytes


def history(stack: Stack) -> list[Kept]:
    """Every record of the history, in the order of arrival."""
    parts = [
        f"SELECT '{topic}' AS topic, entity, toUnixTimestamp64Milli(appended_at) AS at, base64Encode(raw) AS bytes, "
        f"epoch, partition, offset FROM {topic.replace('.', '_')} FINAL"
        for topic in FACTS
    ]
    rows = stack.query(f"SELECT * FROM ({' UNION ALL '.join(parts)}) ORDER BY at, epoch, partition, offset")
    return [Kept(topic, entity, at, base64.b64decode(raw)) for topic, entity, at, raw, *_ in rows]


def emitted(stack: Stack) -> list[tuple[Emission, ...]]:
    """What the stack's demo has taken so far, made anew from its seed: each emission as any of its lives made it.

    A promise of what is to come is told by the pauses known at that time, so it depends on the life that told it.
    """
    progress = DemoProgress.load(stack.data)
    assert progress is not None
    lives: list[list[Emission]] = []
    for pauses in range(len(progress.pauses) + 1):
        feed = Feed(progress.seed, progress.start_ms, pace=progress.pace, pauses=progress.pauses[:pauses])
        lives.append(feed.take(_FOREVER_MS, progress.taken))
        assert len(lives[-1]) == progress.taken
    return list(zip(*lives, strict=True))


def missing(
    emissions: Iterable[tuple[Emission, ...]], kept: Iterable[Kept], dead: Iterable[bytes]
) -> list[tuple[Emission, ...]]:
    """The emissions that are neither in the history (events) nor in the dead letters (what was planted as bad)."""
    there = {(record.topic, content_hash(record.raw)) for record in kept}
    letters = {content_hash(raw) for raw in dead}

    def is_there(emission: Emission) -> bool:
        content = content_hash(emission.value)
        return content in letters if emission.mistake in BAD else (emission.topic, content) in there

    return [variants for variants in emissions if not any(map(is_there, variants))]


def dead_letters(stack: Stack) -> list[bytes]:
    """The bytes of all records that became dead letters."""
    return [base64.b64decode(value) for (value,) in stack.query("SELECT base64Encode(value) FROM dead_letters")]


def recomputed(kept: Iterable[Kept]) -> dict[str, Figures]:
    """What the views have to show, by view: the pure agents over these records, each taken once."""
    network = Network(partitions=1)
    for record in kept:
        place = Place(record.topic, partition_of(record.entity.encode(), 1))
        log = network.topics[place]
        log.append(FetchedRecord(*place, len(log), record.entity.encode(), record.raw, record.appended_at))
    network.run(most=_BATCH)
    figures: dict[str, Figures] = {"order_lines_now": {}, "shipments_now": {}, "stock_now": {}, "lead_time_stats": {}}
    for (topic, key), state in network.views().states.items():
        if topic == "order.status":
            figures["order_lines_now"] |= _of_order(msgspec.json.decode(state, type=OrderStatus))
        elif topic == "shipment.status":
            figures["shipments_now"][key] = _of_shipment(msgspec.json.decode(state, type=ShipmentStatus))
        elif topic == "stock.positions":
            figures["stock_now"] |= _of_position(msgspec.json.decode(state, type=StockPosition))
        elif topic == "lead.stats":
            figures["lead_time_stats"] |= _of_lead(msgspec.json.decode(state, type=LeadStats))
    return figures


def shown(stack: Stack) -> dict[str, Figures]:
    """The same figures as the views show them."""
    return {view: {row[0]: tuple(row[1:]) for row in stack.query(sql)} for view, sql in _SHOWN.items()}


def on_hand(kept: Iterable[Kept]) -> dict[str, int]:
    """What is on hand by `site|item`, in thousandths: movements added up by the demo's own oracle."""
    told = [
        Told(Emission(0, record.topic, record.entity.encode(), record.raw), read(record.topic, record.raw, _FOREVER_MS))
        for record in kept
        if record.topic == "warehouse.events"
    ]
    return {f"{site}|{item}": book.on_hand for (site, item), book in books(standing(told)).items()}


def differences(expected: dict[str, Figures], found: dict[str, Figures]) -> list[str]:
    """Where two sets of figures differ, one line each; the first few of each view, and how many there are."""
    lines: list[str] = []
    for view, figures in expected.items():
        names = [name for name in figures | found[view] if figures.get(name) != found[view].get(name)]
        lines += [f"{view} {name}: {figures.get(name)} != {found[view].get(name)}" for name in sorted(names)[:5]]
        if len(names) > 5:
            lines.append(f"{view}: {len(names)} differences among {len(figures)}")
    return lines


def assert_whole(stack: Stack, published: Iterable[bytes] = ()) -> None:
    """Nothing that was accepted is missing, and the views are what follows from the history.

    `published`: what `quayside publish` accepted beside the demo. For a stack that nobody writes to any more.
    """
    kept = history(stack)
    lost = missing(emitted(stack), kept, dead_letters(stack))
    assert not lost, f"{len(lost)} emissions are lost: {Counter(one[0].topic for one in lost)}, such as {lost[:3]}"
    there = {record.raw for record in kept}
    gone = [raw for raw in published if raw not in there]
    assert not gone, f"{len(gone)} published events are lost, such as {gone[:3]}"
    assert_follows(stack, kept)


def assert_follows(stack: Stack, kept: list[Kept]) -> None:
    """The views are what follows from the history."""
    found = shown(stack)
    assert not differences(recomputed(kept), found)
    assert {name: figures[0] for name, figures in found["stock_now"].items() if figures[-1]} == on_hand(kept)


def _of_order(order: OrderStatus) -> Figures:
    return {
        f"{order.order_id}#{line.line_id}": (
            line.status, line.ordered, line.shipped, line.delivered, line.delivered_at or 0, int(line.late),
            sorted(line.shipments), sorted(line.findings),
        )
        for line in order.lines
    }  # fmt: skip


def _of_shipment(state: ShipmentStatus) -> tuple[Any, ...]:
    return (
        state.status, state.leg, int(state.final), state.carrier or "", state.lane, state.promised_at or 0,
        state.departed_at or 0, state.delivered_at or 0, int(state.late), len(state.lines), sorted(state.orders),
    )  # fmt: skip


def _of_position(state: StockPosition) -> Figures:
    if not (state.movements or state.in_transit or state.mismatch):
        return {}
    figures = (
        state.on_hand, state.reserved, state.quarantined, state.available, state.in_transit, state.received,
        state.returned, state.moved_in, state.adjusted, state.count_variance, state.shipped, state.moved_out,
        state.scrapped, state.mismatch, state.movements,
    )  # fmt: skip
    return {f"{state.site}|{state.item}": figures}


def _of_lead(state: LeadStats) -> Figures:
    if not (state.all.count or state.all.negative):
        return {}
    return {f"{state.measure}|{state.route}": (state.all.count, state.all.negative, state.all.total)}


def _ms(column: str) -> str:
    return f"toUnixTimestamp64Milli(ifNull({column}, toDateTime64(0, 3, 'UTC')))"


def _thousandths(*columns: str) -> str:
    return ", ".join(f"toInt64({column} * 1000)" for column in columns)


_SHOWN: Final = {
    "order_lines_now": "SELECT concat(order_id, '#', line_id), status, "
    f"{_thousandths('ordered', 'shipped', 'delivered')}, {_ms('delivered_at')}, delivered_late, "
    "arraySort(shipments), arraySort(findings) FROM order_lines_now",
    "shipments_now": "SELECT shipment_id, status, leg, final, carrier, lane, "
    f"{_ms('promised_at')}, {_ms('departed_at')}, {_ms('delivered_at')}, delivered_late, lines, arraySort(orders) "
    "FROM shipments_now",
    "stock_now": "SELECT concat(site, '|', item), "
    + _thousandths(
        "on_hand", "reserved", "quarantined", "available", "in_transit", "received", "returned", "moved_in",
        "adjusted", "count_variance", "shipped", "moved_out", "scrapped", "mismatch",
    )
    + ", movements FROM stock_now",
    "lead_time_stats": "SELECT concat(measure, '|', route), n, negative, "
    "toInt64(round(ifNull(mean_days, 0) * n * 86400000)) FROM lead_time_stats WHERE window = 'all' AND route != 'all'",
}  # fmt: skip
