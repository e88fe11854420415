"""Where a record stands: (epoch, topic, partition, offset), and how a replayed record says where it stood.

`epoch` names one life of a broker or one rebuild. A replayed record carries its first coordinate and its
first append time in a header, so that it is stored once however often it is replayed. A record that an agent
passes on to the partition it belongs to carries the same header.

A dead letter that is sent again, and a late record that is applied after all, say in a header of their own what they
take up again, so that the history can tell what became of it.

The history of one entity that is replayed to derive it anew says so in another header (`Reopen`).

History that is loaded (a new supplier's backlog) stands between two marks in each partition: headers of its first and
of its last record there. Between them no period closes and nobody is paged (streams/clock.py). Where the load is
silent, which only a replay of the history into an empty broker is, nothing is published either.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import le
from typing import Final, Literal, NamedTuple, get_args
from urllib.parse import quote, unquote

ORIGIN_HEADER: Final = "quayside-origin"
MARK_HEADER: Final = "quayside-mark"
AGAIN_HEADER: Final = "quayside-again"
REOPEN_HEADER: Final = "quayside-reopen"

Headers = Iterable[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True, order=True)
class Coordinate:
    """A record's place. Unique for ever: no two records of a stack share one."""

    epoch: int
    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a replayed record first stood, when it was first appended (ms), and which store it came from."""

    coordinate: Coordinate
    appended_at: int
    store_id: str

    def header(self) -> tuple[str, bytes]:
        """The Kafka header that carries this."""
        where = self.coordinate
        place = (where.epoch, where.topic, where.partition, where.offset)
        return origin_header(*place, self.appended_at, self.store_id)


def origin_header(
    epoch: int, topic: str, partition: int, offset: int, appended_at: int, store_id: str
) -> tuple[str, bytes]:
    """The header of the origin with these parts."""
    return ORIGIN_HEADER, f"{epoch}/{topic}/{partition}/{offset}/{appended_at}/{store_id}".encode()


@dataclass(frozen=True, slots=True)
class Mark:
    """The beginning or the end of a load of history in a partition. `load` names the load."""

    begins: bool
    load: str

    @property
    def is_silent(self) -> bool:
        """Whether nothing is published of what the load touches before it has ended."""
        return is_silent(self.load)

    def header(self) -> tuple[str, bytes]:
        """The Kafka header by which the load's first record (last one) tells that it is that."""
        return MARK_HEADER, f"{'begin' if self.begins else 'end'}/{self.load}".encode()


def is_silent(load: str) -> bool:
    """Whether a load of this name is a silent one."""
    return load.startswith(SILENT)


SILENT: Final = "silent-"
"""How the names of silent loads begin."""


AgainKind = Literal["dead", "late"]
"""`dead`: a dead letter that was sent again. `late`: a late record that was applied after all."""


@dataclass(frozen=True, slots=True)
class Again:
    """What a record takes up again: the dead letter or the late record that first stood at this coordinate."""

    kind: AgainKind
    coordinate: Coordinate

    def header(self) -> tuple[str, bytes]:
        """The Kafka header that carries this."""
        where = self.coordinate
        # What was refused as a line of a file stands at a "topic" whose name may have a slash in it.
        topic = quote(where.topic, safe="")
        text = f"{self.kind}/{where.epoch}/{topic}/{where.partition}/{where.offset}"
        return AGAIN_HEADER, text.encode()


class Reopening(NamedTuple):
    """The first or the last record of one entity's whole history, replayed so that it is derived anew.

    Between the two the agent starts from nothing, also where the entity's periods had closed, and publishes nothing
    of it. `generation`: grows with every rebuild of the entity; a record of one that has been begun begins nothing.
    """

    entity: str
    generation: int
    ends: bool


@dataclass(frozen=True, slots=True)
class Reopen:
    """What a replayed record says of the rebuild of an entity that it belongs to: whether it begins it, or ends it."""

    generation: int
    begins: bool = False
    ends: bool = False

    def header(self) -> tuple[str, bytes]:
        """The Kafka header that carries this."""
        return REOPEN_HEADER, f"{self.generation}/{'begin' * self.begins}/{'end' * self.ends}".encode()


def reopen_of(headers: Headers) -> Reopen | None:
    """What the headers of a record say of a rebuild; None where they do not, or do not parse."""
    for name, value in headers:
        if name != REOPEN_HEADER:
            continue
        found = _REOPEN.fullmatch((value or b"").decode("utf-8", "replace"))
        if found is None or not 0 < int(found[1]) < _INT64:
            return None
        return Reopen(int(found[1]), bool(found[2]), bool(found[3]))
    return None


def marks_of(headers: Headers) -> tuple[Mark, ...]:
    """The marks that a record carries: none, one, or where it is the only one of its load in the partition, both."""
    found = []
    for name, value in headers:
        if name == MARK_HEADER:
            what, _, load = (value or b"").decode("utf-8", "replace").partition("/")
            if what in {"begin", "end"} and load:
                found.append(Mark(what == "begin", load))
    return tuple(found)


def origin_of(headers: Headers, appended_at: int, topic: str) -> Origin | None:
    """The origin that the headers of a record of this fact topic tell, or None for a record that is no replay.

    An append time later than the record's own (`appended_at`, ms) is not believed, nor is a header that
    does not parse, or that names another topic or a place that cannot be: the record then counts as new.
    """
    for name, value in headers:
        if name != ORIGIN_HEADER:
            continue
        parts = (value or b"").decode("utf-8", "replace").split("/")
        try:
            epoch, first_topic, partition, offset, first, store_id = parts
            origin = Origin(Coordinate(int(epoch), first_topic, int(partition), int(offset)), int(first), store_id)
        except ValueError:
            return None
        believed = first_topic == topic and is_possible(origin.coordinate, origin.appended_at)
        return origin if believed and origin.appended_at <= appended_at else None
    return None


class Origins(NamedTuple):
    """The origins of records of one fact topic, as columns: what `Origin` and its `Coordinate` have of each."""

    epochs: list[int]
    partitions: list[int]
    offsets: list[int]
    appended_at: list[int]
    stores: list[bytes]


def origins_of(headers: Sequence[Headers], appended_at: Sequence[int], topic: str) -> Origins | None:
    """What `origin_of` says of each of these records, whose only header it is; at a third of the price.

    None: one of them is not as simple as that, or not to be believed, and each has to be looked at by itself.
    """
    try:
        said = zip(*[_only_origin(several).split(b"/") for several in headers], strict=True)
        epochs, topics, partitions, offsets, appended, stores = said
        found = Origins(_few(epochs), _few(partitions), [*map(int, offsets)], [*map(int, appended)], [*stores])
    except ValueError:
        return None
    if topics.count(topic.encode()) < len(topics):
        return None
    for edge in (min, max):
        epoch, partition, offset, first = map(edge, found[:4])
        if not is_possible(Coordinate(epoch, topic, partition, offset), first):
            return None
    return found if all(map(le, found.appended_at, appended_at)) else None


def _only_origin(headers: Headers) -> bytes:
    ((name, value),) = headers
    if name != ORIGIN_HEADER or value is None:
        raise ValueError
    return value


def _few(texts: Sequence[bytes]) -> list[int]:
    """Numbers of which there are few different ones."""
    known = {text: int(text) for text in {*texts}}
    return [known[text] for text in texts]


def again_of(headers: Headers) -> Again | None:
    """What the headers of a record say it takes up again; None where they do not, or do not parse."""
    for name, value in headers:
        if name != AGAIN_HEADER:
            continue
        parts = (value or b"").decode("utf-8", "replace").split("/")
        try:
            kind, epoch, topic, partition, offset = parts
            place = Coordinate(int(epoch), unquote(topic), int(partition), int(offset))
        except ValueError:
            return None
        known: tuple[AgainKind, ...] = get_args(AgainKind)
        found = next((one for one in known if one == kind), None)
        return Again(found, place) if found is not None and is_possible(place, 0) else None
    return None


def is_possible(place: Coordinate, appended_at: int) -> bool:
    """Whether a place and a time (ms) are within what Kafka can count."""
    return (
        0 <= place.epoch < _INT64
        and 0 <= place.partition < 2**32
        and 0 <= place.offset < _INT64
        and -_INT64 <= appended_at < _INT64
    )


_REOPEN: Final = re.compile(r"([0-9]{1,19})/(begin)?/(end)?")
_INT64: Final = 2**63
