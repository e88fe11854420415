"""The events of a benchmark: the demo network's mix, of as many networks as it takes for some 5,000 stock keys.

One demo network has 144 stock keys, so up to 35 of them with different seeds are put together in the order in which
their records are sent, each with names of its own. Their first days are squeezed into the last 22 hours before
`now_ms`: nothing but plans and estimates lies in the future, and nothing is so old that its period has closed
(times of sources that know days only fall back to the start of their day). The mistakes of the demo are in it but
for those that make a record unreadable: at one of these a tutorial's program would end.
"""

import heapq
import math
import re
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any, Final, NamedTuple

import msgspec

from deploy.demo.mistakes import Shares
from deploy.demo.network import Network
from deploy.demo.reports import Emission
from schemas.times import HOUR_MS, MINUTE_MS, from_ms, offset_minutes, to_ms
from schemas.topics import of_kind
from schemas.warehouse import TOPIC as WAREHOUSE
from schemas.warehouse import stock_key
from streams.agents import DERIVATIONS

TOPICS: Final = tuple(
    topic.name for topic in of_kind("fact") if any(topic.name in rule().events for rule in DERIVATIONS)
)
"""The fact topics that agents read, in registry order."""

NETWORKS: Final = 35
_EVENTS_A_NETWORK: Final = 5_700  # 200,000 events have all networks
_SPAN_MS: Final = 22 * HOUR_MS
_RENAMED: Final = frozenset(
    {"source", "order_id", "shipment_id", "site", "origin", "destination", "location", "buyer", "supplier"}
)
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT")
_READABLE: Final = Shares(bad=0)


class Told(NamedTuple):
    """A record to publish."""

    topic: str
    key: bytes
    value: bytes


def mix(events: int, seed: int, now_ms: int, first: int = 0) -> list[Told]:
    """So many records, the same for the same arguments, byte for byte.

    `first`: the number of the first network. Numbers are part of all names, so mixes of other networks tell of other
    orders, shipments and positions.
    """
    networks = min(NETWORKS, max(1, round(events / _EVENTS_A_NETWORK)))
    streams = (_numbered(first + number, seed * 1_000 + number, now_ms) for number in range(networks))
    taken = list(islice(heapq.merge(*streams, key=lambda pair: (pair[1].at_ms, pair[0])), events))
    first, last = taken[0][1].at_ms, taken[-1][1].at_ms
    squeeze = _Squeeze(now_ms, last, max(1, math.ceil((last - first) / _SPAN_MS)))
    return [squeeze.told(number, emission) for number, emission in taken]


class Fetched(NamedTuple):
    """A record as the sink wants it."""

    offset: int
    timestamp: int
    key: bytes
    value: bytes
    headers: tuple[()] = ()


def fetched(told: list[Told], now_ms: int) -> dict[str, list[Fetched]]:
    """Records by topic, as they come out of the one partition of each, appended at this moment (ms)."""
    found: dict[str, list[Fetched]] = {}
    for one in told:
        records = found.setdefault(one.topic, [])
        records.append(Fetched(len(records), now_ms, one.key, one.value))
    return found


def stock_keys(told: list[Told]) -> int:
    """How many stock keys the records are about."""
    return len({record.key for record in told if record.topic == WAREHOUSE})


def _numbered(number: int, seed: int, start_ms: int) -> Iterator[tuple[int, Emission]]:
    for emission in Network(seed, start_ms, shares=_READABLE):
        if emission.topic in TOPICS:
            yield number, emission


class _Squeeze:
    """Renames a record's parties and moves its times: `last` to `now`, and all closer together by `factor`."""

    def __init__(self, now_ms: int, last_ms: int, factor: int) -> None:
        self._now = now_ms
        self._last = last_ms
        self._factor = factor

    def told(self, number: int, emission: Emission) -> Told:
        """The record of a network."""
        document = msgspec.json.decode(emission.value)
        document = self._moved(document, f"-{number:02d}", by_day=document.get("precision") == "day")
        if emission.topic == WAREHOUSE:
            key = stock_key(document["site"], document["item"])
        else:
            key = f"{emission.key.decode()}-{number:02d}"
        return Told(emission.topic, key.encode(), msgspec.json.encode(document))

    def _moved(self, part: Any, suffix: str, *, by_day: bool, name: str = "") -> Any:
        if isinstance(part, dict):
            return {field: self._moved(value, suffix, by_day=by_day, name=field) for field, value in part.items()}
        if isinstance(part, list):
            return [self._moved(value, suffix, by_day=by_day) for value in part]
        if not isinstance(part, str):
            return part
        if name in _RENAMED:
            return part + suffix
        return self._moment(part, by_day=by_day and name != "recorded_at") if _MOMENT.match(part) else part

    def _moment(self, text: str, *, by_day: bool) -> str:
        said = datetime.fromisoformat(text)
        moved = self._now - (self._last - to_ms(said)) // self._factor
        local = from_ms(moved + offset_minutes(said) * MINUTE_MS).replace(tzinfo=None)
        if by_day:
            local = local.replace(hour=0, minute=0, second=0, microsecond=0)
        return local.isoformat(timespec="milliseconds") + text[23:]
