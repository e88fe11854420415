"""Dead letters, read: which there are, each with its bytes, and what became of it when it was sent again.

They come from three places: records of Kafka topics (found by the sink and the agents), lines that `quayside publish`
refused, and rows of files that an adapter could make no event of.
"""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from clickhouse_connect.driver.client import Client

from deploy.gate_client import rows
from deploy.kept import ALWAYS, Place, place_of, sql
from schemas.coordinates import Coordinate
from schemas.errors import WrongInput
from schemas.times import rfc3339
from schemas.wire import Cause
from sinks.rows import UNSTORABLE

State = Literal["open", "resent", "all"]
"""`open`: never sent again."""

AT_ONCE: Final = 200_000
"""So many letters are sent again by one command; the next command takes the rest."""

_PIECE: Final = 1_000
_PIECE_BYTES: Final = 16 << 20
"""What is read from the store at once: so many letters, or so many bytes of them."""


@dataclass(frozen=True, slots=True)
class Which:
    """Which letters: all that fit every filter. Empty: no filter. `span`: arrival, in ms, the end not included."""

    sources: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    span: tuple[int, int] = ALWAYS
    reason: str = ""
    state: State = "open"

    def __post_init__(self) -> None:
        """Raises WrongInput for a cause that does not exist."""
        known = (*get_args(Cause), UNSTORABLE)
        for cause in self.causes:
            if cause not in known:
                raise WrongInput(f"There is no cause {cause!r}: causes are {', '.join(known)}.")

    def parameters(self) -> dict[str, Any]:
        """What deploy/sql/dead_letters_which.sql wants."""
        return {
            "sources": list(self.sources),
            "causes": list(self.causes),
            "topics": list(self.topics),
            "since": self.span[0],
            "until": self.span[1],
            "reason": self.reason,
            "state": self.state,
        }


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter without its bytes (`size` of them). Times in ms; `resent_at`: when it was last sent again."""

    place: Place
    arrived_at: int
    source: str
    cause: str
    reason: str
    field: str
    resent_at: int | None
    size: int

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON; the keys stand in docs/dead-letters.md."""
        where = self.place.coordinate
        return {
            "id": str(self.place),
            "arrived_at": rfc3339(self.arrived_at),
            "source": self.source,
            "cause": self.cause,
            "reason": self.reason,
            "field": self.field,
            "epoch": where.epoch,
            "topic": where.topic,
            "partition": where.partition,
            "offset": where.offset,
            "origin": self.place.origin,
            "bytes": self.size,
            "resent_at": None if self.resent_at is None else rfc3339(self.resent_at),
        }


@dataclass(frozen=True, slots=True)
class Group:
    """How many letters share cause, source and reason; `first` and `last` arrival in ms."""

    cause: str
    source: str
    reason: str
    count: int
    first: int
    last: int

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "cause": self.cause,
            "source": self.source,
            "reason": self.reason,
            "count": self.count,
            "first": rfc3339(self.first),
            "last": rfc3339(self.last),
        }


@dataclass(frozen=True, slots=True)
class Opened:
    """A letter with its bytes as they came."""

    letter: Letter
    key: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Sending:
    """One time that a letter was sent again: when (ms), where it stood then, and what it is there.

    `became`: `stored` (an event of the history), `late` (that, but it came too late to be applied), `dead` (refused
    again). `what`: the event's entity, source and event_id, or the reason.
    """

    at: int
    coordinate: Coordinate
    became: Literal["stored", "late", "dead"]
    what: str

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "at": rfc3339(self.at),
            "coordinate": str(Place(self.coordinate)),
            "became": self.became,
            "what": self.what,
        }


def count(store: Client, which: Which) -> int:
    """How many letters there are."""
    ((found,),) = rows(store, _COUNT, which.parameters())
    return int(found)


def newest(store: Client, which: Which, limit: int) -> list[Letter]:
    """The letters, newest first."""
    return [_letter(row) for row in rows(store, _NEWEST, which.parameters() | {"limit": limit})]


def summary(store: Client, which: Which, limit: int) -> list[Group]:
    """The letters counted by cause, source and reason, the most frequent first."""
    return [Group(*row) for row in rows(store, _SUMMARY, which.parameters() | {"limit": limit})]


def opened(store: Client, which: Which) -> Iterator[list[Opened]]:
    """The letters with their bytes, in pieces, in the order of their coordinates; at most AT_ONCE of them.

    Which they are is settled before the first piece: what dies meanwhile is not among them.
    """
    asked = which.parameters()
    found = [(_place(row[:5]), row[5]) for row in rows(store, _PLACES, asked | {"limit": AT_ONCE})]
    for places in _pieces(found):
        ends = _ends("from", places[0].coordinate) | _ends("to", places[-1].coordinate)
        wanted = frozenset(places)
        letters = [_opened(row) for row in rows(store, _BYTES, asked | ends)]
        yield [one for one in letters if one.letter.place in wanted]


def letter_of(store: Client, name: str) -> Opened:
    """The letter of an id. Raises WrongInput where there is none, or where several stand at the place."""
    place = place_of(name)
    where = place.coordinate
    found = [_opened(row) for row in rows(store, _AT, _parameters(where))]
    named = [one for one in found if one.letter.place.origin == place.origin] if place.origin else found
    if not named:
        raise WrongInput(
            f"There is no dead letter {name}: ids look like 3/warehouse.events/1/1234, with @FILE:LINE behind it for "
            "a line of a file; `quayside dlq list --all` has them."
        )
    if len(named) > 1:
        ids = ", ".join(str(one.letter.place) for one in named)
        raise WrongInput(f"Several dead letters stand at {name}: say which of {ids}.")
    return named[0]


def sendings(store: Client, letter: Letter) -> list[Sending]:
    """Each time that the letter was sent again, the first one first."""
    told = []
    found = rows(store, _FATE, _parameters(letter.place.coordinate))
    for epoch, topic, partition, offset, at, entity, source, event_id, dead, late in found:
        where = Coordinate(epoch, topic, partition, offset)
        event = f"{event_id} of {source} about {entity}"
        if dead:
            told.append(Sending(at, where, "dead", dead))
        elif late:
            told.append(Sending(at, where, "late", f"{event}: {late}"))
        else:
            told.append(Sending(at, where, "stored", event))
    return told


def _pieces(found: Sequence[tuple[Place, int]]) -> Iterator[list[Place]]:
    piece: list[Place] = []
    size = 0
    for place, length in found:
        if piece and (len(piece) >= _PIECE or size + length > _PIECE_BYTES):
            yield piece
            piece, size = [], 0
        piece.append(place)
        size += length
    if piece:
        yield piece


def _ends(name: str, where: Coordinate) -> dict[str, Any]:
    return {f"{name}_{key}": value for key, value in _parameters(where).items()}


def _parameters(where: Coordinate) -> dict[str, Any]:
    return {"topic": where.topic, "epoch": where.epoch, "partition": where.partition, "offset": where.offset}


def _place(row: Sequence[Any]) -> Place:
    epoch, topic, partition, offset, origin = row
    return Place(Coordinate(epoch, topic, partition, offset), origin)


def _letter(row: Sequence[Any]) -> Letter:
    return Letter(_place(row[:5]), *row[5:12])


def _opened(row: Sequence[Any]) -> Opened:
    return Opened(_letter(row), base64.b64decode(row[12]), base64.b64decode(row[13]))


_WHICH: Final = sql("dead_letters_which")
_COUNT: Final = _WHICH + sql("which_count")
_NEWEST: Final = _WHICH + sql("dead_letters_newest")
_SUMMARY: Final = _WHICH + sql("dead_letters_summary")
_PLACES: Final = _WHICH + sql("dead_letters_places")
_BYTES: Final = _WHICH + sql("dead_letters_bytes")
_AT: Final = sql("dead_letters_at")
_FATE: Final = sql("dead_letter_fate")
