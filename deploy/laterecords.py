"""Late records, read: events that came after their period had closed, and whether they were applied after all."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from clickhouse_connect.driver.client import Client

from deploy.gate_client import rows
from deploy.kept import ALWAYS, Place, place_of, sql
from schemas.coordinates import Coordinate
from schemas.errors import WrongInput
from schemas.times import rfc3339

State = Literal["open", "applied", "all"]
"""`open`: in no figure."""


@dataclass(frozen=True, slots=True)
class WhichLate:
    """Which records: all that fit every filter. Empty: no filter. `span`: arrival, in ms, the end not included."""

    topics: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    span: tuple[int, int] = ALWAYS
    state: State = "open"

    def parameters(self) -> dict[str, Any]:
        """What deploy/sql/late_records_which.sql wants."""
        return {
            "topics": list(self.topics),
            "sources": list(self.sources),
            "entities": list(self.entities),
            "since": self.span[0],
            "until": self.span[1],
            "state": self.state,
        }


@dataclass(frozen=True, slots=True)
class Late:
    """A late record without its bytes (`size` of them). Times in ms."""

    place: Place
    arrived_at: int
    entity: str
    source: str
    event_id: str
    reason: str
    applied_at: int | None
    size: int

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON; the keys stand in docs/dead-letters.md."""
        where = self.place.coordinate
        return {
            "id": str(self.place),
            "arrived_at": rfc3339(self.arrived_at),
            "entity": self.entity,
            "source": self.source,
            "event_id": self.event_id,
            "reason": self.reason,
            "epoch": where.epoch,
            "topic": where.topic,
            "partition": where.partition,
            "offset": where.offset,
            "bytes": self.size,
            "applied_at": None if self.applied_at is None else rfc3339(self.applied_at),
        }


def count_late(store: Client, which: WhichLate) -> int:
    """How many records there are."""
    ((found,),) = rows(store, _COUNT, which.parameters())
    return int(found)


def newest_late(store: Client, which: WhichLate, limit: int) -> list[Late]:
    """The records, newest first."""
    return [_late(row) for row in rows(store, _NEWEST, which.parameters() | {"limit": limit})]


def late_of(store: Client, name: str) -> tuple[Late, bytes]:
    """The record of an id, and its bytes. Raises WrongInput where there is none."""
    where = place_of(name).coordinate
    asked = {"topic": where.topic, "epoch": where.epoch, "partition": where.partition, "offset": where.offset}
    for row in rows(store, _AT, asked):
        return _late(row[:11]), base64.b64decode(row[11])
    raise WrongInput(
        f"There is no late record {name}: ids look like 3/warehouse.events/1/1234; `quayside late list --all` has them."
    )


def _late(row: Sequence[Any]) -> Late:
    epoch, topic, partition, offset, *rest = row
    return Late(Place(Coordinate(epoch, topic, partition, offset)), *rest)


_WHICH: Final = sql("late_records_which")
_COUNT: Final = _WHICH + sql("which_count")
_NEWEST: Final = _WHICH + sql("late_records_newest")
_AT: Final = sql("late_records_at")
