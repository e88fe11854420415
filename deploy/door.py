"""What our own door decides about lines of NDJSON, before anything is accepted.

The decision on a line is `schemas.wire.read`, the same that the agents and the sink make. Two things can be
checked here and nowhere else: that a type is one of ours at all, and that a correction keeps its Kafka key
(an event that moves to another order, shipment, site or item has to be retracted and sent anew).
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import msgspec
from clickhouse_connect.driver.client import Client

from deploy.gate_client import rows
from deploy.spool import Spooled
from schemas.derived import DeadLetter, encode
from schemas.event import Event
from schemas.wire import Rejection, event_types, read, topic_of

DOOR: Final = "publish"
_OFFSET_BYTES: Final = 7
_ASKED_AT_ONCE: Final = 200
"""So that a query of the longest names stays below what the engine takes (256 KiB)."""


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
        number = int.from_bytes(hashlib.sha256(self.line.raw).digest()[:_OFFSET_BYTES], "big")
        letter = DeadLetter(
            epoch=0,
            topic=DOOR,
            partition=0,
            offset=number,
            appended_at=arrived_at,
            cause=self.rejection.cause,
            reason=self.rejection.reason,
            field=self.rejection.field,
            key=b"",
            value=self.line.raw,
            origin=f"{name}:{self.line.number}",
        )
        return Spooled("dead.letters", DOOR.encode(), encode(letter))


@dataclass(slots=True)
class Decision:
    """What became of some lines."""

    accepted: list[Spooled] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


class Door:
    """Decides on lines. `store`: where earlier statements are looked up; None: only within this run."""

    def __init__(self, store: Client | None) -> None:
        self._store = store
        self._keys: dict[tuple[str, str, str], str] = {}

    def decide(self, lines: Iterable[Line], arrived_at: int) -> Decision:
        """Accept or refuse each line that is not blank; `arrived_at` in ms."""
        decision = Decision()
        events: list[tuple[Line, Event]] = []
        for line in lines:
            if not line.raw.strip():
                continue
            event = _event(line.raw, arrived_at)
            if isinstance(event, Rejection):
                decision.refused.append(Refused(line, event))
            else:
                events.append((line, event))
        self._look_up([event for _, event in events])
        for line, event in events:
            moved = self._moved(event)
            if moved is None:
                decision.accepted.append(Spooled(event.topic, event.entity_key().encode(), line.raw))
            else:
                decision.refused.append(Refused(line, moved))
        decision.refused.sort(key=lambda refused: refused.line.number)
        return decision

    def _moved(self, event: Event) -> Rejection | None:
        """Refuse a correction that changes its key; the first statement's key counts."""
        known = self._keys.setdefault((event.topic, event.source, event.event_id), event.entity_key())
        if known == event.entity_key():
            return None
        return Rejection(
            "invalid",
            f"event {event.event_id!r} of {event.source!r} was sent for {known!r} and is now sent for "
            f"{event.entity_key()!r}: a correction keeps its key; retract the first one and send a new event.",
        )

    def _look_up(self, events: Iterable[Event]) -> None:
        """Remember under which key the store has these events."""
        if self._store is None:
            return
        by_topic: dict[str, set[tuple[str, str]]] = {}
        for event in events:
            if (event.topic, event.source, event.event_id) not in self._keys:
                by_topic.setdefault(event.topic, set()).add((event.source, event.event_id))
        for topic, asked in by_topic.items():
            named = sorted(asked)
            for start in range(0, len(named), _ASKED_AT_ONCE):
                some = named[start : start + _ASKED_AT_ONCE]
                pairs = ", ".join(f"({_literal(source)}, {_literal(event_id)})" for source, event_id in some)
                sql = (
                    f"SELECT source, event_id, any(entity) FROM {topic.replace('.', '_')} "  # noqa: S608  # escaped
                    f"WHERE (source, event_id) IN ({pairs}) GROUP BY source, event_id"
                )
                for source, event_id, entity in rows(self._store, sql):
                    self._keys[topic, source, event_id] = entity


def _event(raw: bytes, arrived_at: int) -> Event | Rejection:
    try:
        said = _TYPE.decode(raw).type
    except msgspec.ValidationError:
        said = ""
    except (RecursionError, UnicodeDecodeError):
        reason = "The line is nested too deeply, or not UTF-8. Write an event as docs/events.md shows."
        return Rejection("not_json", reason)
    except msgspec.DecodeError as error:
        return Rejection("not_json", f"The line is not JSON: {error}. Write one JSON object per line, in UTF-8.")
    topic = topic_of(said)
    if topic is None:
        known = ", ".join(event_types())
        what = f"type {said!r} is not known" if said else "The line is no event: it has no `type` of ours"
        return Rejection("unknown_type", f"{what}; known are {known}.", "type")
    return read(topic, raw, arrived_at)


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


class _Typed(msgspec.Struct):
    type: str = ""


_TYPE: Final = msgspec.json.Decoder(_Typed)
