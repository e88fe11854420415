"""What our own door decides about lines of NDJSON, before anything is accepted.

The decision on a line is `schemas.wire.read`, the same that the agents and the sink make. Two things can be
checked here and nowhere else: that a type is one of ours at all, and that a correction keeps its Kafka key
(an event that moves to another order, shipment, site or item has to be retracted and sent anew).
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from clickhouse_connect.driver.client import Client

from deploy.dropped import Dropped
from deploy.gate_client import rows
from deploy.spool import Spooled
from schemas.derived import DeadLetter, encode
from schemas.event import Event
from schemas.wire import Rejection, read_any

DOOR: Final = "publish"
_OFFSET_BYTES: Final = 7
_QUERY_CHARACTERS: Final = 60_000
"""So that a query of the widest characters stays below what the engine takes (256 KiB)."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a file, counted from 1, without its line end."""

    number: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """A line that was refused, and what to mend."""

    line: Line
    rejection: Rejection

    def sentence(self, name: str) -> str:
        """`FILE:LINE: reason`."""
        return f"{name}:{self.line.number}: {self.rejection.reason}"

    def dead_letter(self, name: str, arrived_at: int) -> Spooled:
        """The line as a dead letter, so that it is not lost. The same line again is the same letter."""
        return letter_of(self.line.raw, self.rejection, f"{name}:{self.line.number}", arrived_at)


@dataclass(slots=True)
class Decision:
    """What became of some lines."""

    accepted: list[Spooled] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


class Door:
    """Decides on lines. `store`: where earlier statements are looked up; None: only within this run.

    `most`: of how many events it remembers the key at the most, the newest; None: of all.
    """

    def __init__(self, store: Client | None, most: int | None = None) -> None:
        self._store = store
        self._most = most
        self._keys: dict[tuple[str, str, str], str] = {}
        self._dropped = Dropped(store)

    def decide(self, lines: Iterable[Line], arrived_at: int) -> Decision:
        """Accept or refuse each line that is not blank; `arrived_at` in ms."""
        decision = Decision()
        events: list[tuple[Line, Event]] = []
        for line in lines:
            if not line.raw.strip():
                continue
            event = read_any(line.raw, arrived_at)
            if isinstance(event, Rejection):
                decision.refused.append(Refused(line, event))
            else:
                events.append((line, event))
        self.look_up([event for _, event in events])
        for line, event in events:
            moved = self.moved(event)
            if moved is None:
                decision.accepted.append(Spooled(event.topic, event.entity_key().encode(), line.raw))
            else:
                decision.refused.append(Refused(line, moved))
        decision.refused.sort(key=lambda refused: refused.line.number)
        return decision

    def moved(self, event: Event) -> Rejection | None:
        """Refuse a correction that changes its key; the first statement's key counts, and is remembered.

        Refuse also what retention has dropped.
        """
        if dropped := self._dropped.refusal(event):
            return dropped
        known = self._keys.setdefault((event.topic, event.source, event.event_id), event.entity_key())
        if known == event.entity_key():
            return None
        return Rejection(
            "invalid",
            f"event {event.event_id!r} of {event.source!r} was sent for {known!r} and is now sent for "
            f"{event.entity_key()!r}: a correction keeps its key; retract the first one and send a new event.",
        )

    def knows(self, event: Event) -> bool:
        """Whether it remembers the event's key, so that nobody needs to be asked."""
        return (event.topic, event.source, event.event_id) in self._keys

    def forget(self, events: Iterable[Event]) -> None:
        """Take back that these were said: they were not kept."""
        for event in events:
            self._keys.pop((event.topic, event.source, event.event_id), None)

    def trim(self) -> None:
        """Forget the oldest of what is more than `most`."""
        if self._most is not None and (excess := len(self._keys) - self._most) > 0:
            for identity in list(islice(self._keys, excess)):
                del self._keys[identity]

    def look_up(self, events: Iterable[Event]) -> None:
        """Remember under which key the store has these events. Raises Unreachable where it does not answer."""
        if self._store is None:
            return
        asked_about = [event for event in events if not self.knows(event)]
        self._dropped.look_up(asked_about)
        by_topic: dict[str, set[tuple[str, str]]] = {}
        for event in asked_about:
            by_topic.setdefault(event.topic, set()).add((event.source, event.event_id))
        found: dict[tuple[str, str, str], str] = {}
        for topic, asked in by_topic.items():
            for pairs in _pieces(sorted(asked)):
                sql = (
                    f"SELECT source, event_id, any(entity) FROM {topic.replace('.', '_')} "  # noqa: S608  # escaped
                    f"WHERE (source, event_id) IN ({pairs}) GROUP BY source, event_id"
                )
                found.update({(topic, source, event_id): entity for source, event_id, entity in rows(self._store, sql)})
        self._keys.update(found)


def letter_of(raw: bytes, rejection: Rejection, origin: str, arrived_at: int) -> Spooled:
    """What was refused at a door as a dead letter; `origin`: where it came from, `arrived_at` in ms."""
    number = int.from_bytes(hashlib.sha256(raw).digest()[:_OFFSET_BYTES], "big")
    letter = DeadLetter(
        epoch=0,
        topic=DOOR,
        partition=0,
        offset=number,
        appended_at=arrived_at,
        cause=rejection.cause,
        reason=rejection.reason,
        field=rejection.field,
        key=b"",
        value=raw,
        origin=origin,
    )
    return Spooled("dead.letters", DOOR.encode(), encode(letter))


def _pieces(identities: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Lists of (source, event_id) as a query has them, none too long."""
    piece: list[str] = []
    size = 0
    for source, event_id in identities:
        pair = f"({_literal(source)}, {_literal(event_id)})"
        if piece and size + len(pair) > _QUERY_CHARACTERS:
            yield ", ".join(piece)
            piece, size = [], 0
        piece.append(pair)
        size += len(pair) + 2
    if piece:
        yield ", ".join(piece)


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
