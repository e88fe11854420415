"""What became of an event, and what of a source was refused or came too late: read from the history.

Whoever asks is told of its own sources only; the caller sees to that (`Grant.speaks_for`). A record's source is what
the record says: a gateway keeps nothing that its token may not say, but Kafka does not check it. What a gateway refused
and nobody can read a source in is told to the token that sent it.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final, Literal

from clickhouse_connect.driver.client import Client

from deploy.gate_client import rows
from deploy.kept import Place
from schemas.coordinates import Coordinate
from schemas.event import Event
from schemas.times import rfc3339
from schemas.wire import read

State = Literal["accepted", "corrected", "retracted", "late", "dead"]
"""What became of an event.

`accepted`: said once, and it counts. `corrected`: of several statements one counts. `retracted`: the statement that
counts withdraws it. `late`: the newest statement came after its period had closed and is in no figure. `dead`: nothing
that was said of it could be taken.
"""

_GATEWAY: Final = "gateway:"
_NO_ORIGIN: Final = "\x00"
_LATEST_MS: Final = 2**62


@dataclass(frozen=True, slots=True)
class TooLate:
    """Why a statement was not applied, and when (ms) it was after all; None: it is in no figure."""

    reason: str
    applied_at: int | None


@dataclass(frozen=True, slots=True)
class Dead:
    """Why a record was not taken: a cause to count by, a sentence, the field to mend. Times in ms."""

    arrived_at: int
    cause: str
    reason: str
    field: str
    resent_at: int | None


@dataclass(frozen=True, slots=True)
class Told:
    """What became of an event. Times in ms.

    `occurred_at`, `recorded_at`: of the statement that counts (where every one came too late: of the newest of those);
    None for a dead one. `statements`: how many different ones there are; the same bytes again are no new one.
    `first_arrived_at`, `last_arrived_at`: of all records of it that are in the history; of a dead one, of the last.
    `late`: of the newest statement that came too late, applied since or not. `dead`: of the last record that could not
    be taken, where it came after all the others. `also`: other (topic, entity) that this source uses the id for.
    """

    source: str
    event_id: str
    state: State
    topic: str
    entity: str
    type: str
    occurred_at: int | None
    recorded_at: int | None
    first_arrived_at: int
    last_arrived_at: int
    statements: int
    late: TooLate | None = None
    dead: Dead | None = None
    also: tuple[tuple[str, str], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON, times as RFC 3339 text; the keys stand in docs/publishing.md."""
        late, dead = self.late, self.dead
        return {
            "source": self.source,
            "event_id": self.event_id,
            "state": self.state,
            "topic": self.topic,
            "entity": self.entity,
            "type": self.type,
            "occurred_at": _time(self.occurred_at),
            "recorded_at": _time(self.recorded_at),
            "first_arrived_at": rfc3339(self.first_arrived_at),
            "last_arrived_at": rfc3339(self.last_arrived_at),
            "statements": self.statements,
            "late": late and {"reason": late.reason, "applied_at": _time(late.applied_at)},
            "dead": dead
            and {
                "arrived_at": rfc3339(dead.arrived_at),
                "cause": dead.cause,
                "reason": dead.reason,
                "field": dead.field,
                "resent_at": _time(dead.resent_at),
            },
            "also": [{"topic": topic, "entity": entity} for topic, entity in self.also],
        }


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that is in no figure. Times in ms.

    `kind`: `dead` (no event) or `late` (came after its period had closed). `id`: as `quayside dlq show` and `late show`
    take it. `source`, `event_id`: as far as they can be read. `cause`: of a late one `late`. `handled_at`: when it was
    sent again, or applied after all; None: never.
    """

    kind: Literal["dead", "late"]
    id: str
    arrived_at: int
    topic: str
    origin: str
    source: str
    event_id: str
    cause: str
    field: str
    reason: str
    handled_at: int | None

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON, times as RFC 3339 text; the keys stand in docs/publishing.md."""
        told = {name: getattr(self, name) for name in self.__slots__}
        return told | {"arrived_at": rfc3339(self.arrived_at), "handled_at": _time(self.handled_at)}


def status_of(store: Client, source: str, event_id: str, *, token: str = "") -> Told | None:
    """What became of an event; None where the history knows nothing of it (yet, or any more: docs/retention.md).

    `token`: the asking one's name; what it sent, and the gateway refused without finding a source in it, is told as
    well. Raises WrongInput or Unreachable where the store does not answer.
    """
    asked = {"source": source, "event_id": event_id}
    refused = _dead(store, asked | {"own": _own(token)})
    found = rows(store, _EVENT, asked)
    if found:
        return _told(source, event_id, found, refused)
    late = rows(store, _LATE, asked)
    if late:
        return _told_late(source, event_id, late[0])
    if refused is None:
        return None
    topic, dead = refused
    arrived = dead.arrived_at
    return Told(source, event_id, "dead", topic, "", "", None, None, arrived, arrived, 0, dead=dead)


def rejections(store: Client, sources: Sequence[str], since: int, most: int, *, token: str = "") -> list[Rejected]:
    """Dead letters and late records of some sources (ANY_SOURCE: of all) that arrived at `since` (ms) or later.

    The first `most` of them, in the order of arrival, and whatever arrived in the same ms as the last of those: to go
    on, ask from the next ms. `token`: the asking one's name; what it sent and the gateway refused is told as well,
    also where no source can be read in it.
    """
    asked = {
        "sources": list(sources),
        "since": max(-_LATEST_MS, min(since, _LATEST_MS)),
        "most": most,
        "own": _own(token),
    }
    found = []
    for kind, arrived, topic, epoch, partition, offset, origin, *rest in rows(store, _REJECTIONS, asked):
        place = Place(Coordinate(epoch, topic, partition, offset), origin)
        found.append(Rejected(kind, str(place), arrived, topic, origin, *rest))
    return sorted(found, key=lambda one: (one.arrived_at, one.kind, one.id))


def _own(token: str) -> str:
    """The origin of what the gateway refused of a token; without one, what no origin is."""
    return f"{_GATEWAY}{token}" if token else _NO_ORIGIN


def _told(source: str, event_id: str, found: Sequence[Sequence[Any]], refused: tuple[str, Dead] | None) -> Told:
    topic, entity, said, newest_counts, statements, first, last, late = found[0]
    kind, occurred, recorded, retracted = said
    if not newest_counts:
        state: State = "late"
    elif retracted:
        state = "retracted"
    else:
        state = "corrected" if statements > 1 else "accepted"
    was_late, applied, reason = late
    return Told(
        source=source,
        event_id=event_id,
        state=state,
        topic=topic,
        entity=entity,
        type=kind,
        occurred_at=occurred,
        recorded_at=recorded,
        first_arrived_at=first,
        last_arrived_at=last,
        statements=statements,
        late=TooLate(reason, applied or None) if was_late else None,
        dead=refused[1] if refused is not None and refused[1].arrived_at > last else None,
        also=tuple((row[0], row[1]) for row in found[1:]),
    )


def _told_late(source: str, event_id: str, row: Sequence[Any]) -> Told:
    """Of the late record alone: the history has the event a moment later."""
    topic, entity, arrived, reason, applied, value = row
    raw = base64.b64decode(value)
    event = read(topic, raw, arrived)
    known = isinstance(event, Event)
    return Told(
        source=source,
        event_id=event_id,
        state="late",
        topic=topic,
        entity=entity,
        type=str(getattr(event, "type", "")),
        occurred_at=event.occurred_ms if isinstance(event, Event) else None,
        recorded_at=event.recorded_ms if isinstance(event, Event) else None,
        first_arrived_at=arrived,
        last_arrived_at=arrived,
        statements=int(known),
        late=TooLate(reason, applied),
    )


def _dead(store: Client, asked: dict[str, Any]) -> tuple[str, Dead] | None:
    """The topic and the rest of the last record of the event that could not be taken."""
    for arrived, topic, cause, reason, field, resent in rows(store, _DEAD, asked):
        return topic, Dead(arrived, cause, reason, field, resent)
    return None


def _time(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else rfc3339(milliseconds)


def _sql(name: str) -> str:
    return files("deploy").joinpath(f"gateway/sql/{name}.sql").read_text(encoding="utf-8")


_EVENT: Final = _sql("told_event")
_LATE: Final = _sql("told_late")
_DEAD: Final = _sql("told_dead")
_REJECTIONS: Final = _sql("rejections")
