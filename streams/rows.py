"""Changelog rows: how an agent's facts, targets and header are written, and read back.

Key: entity, NUL, a byte for the kind of row, identity. Value: msgpack, its first element the format's
number, so that a value of a newer version is refused and never misread.

    header   key `NUL h`            [format, epoch]
    clock    key `NUL c`            [format, changes, now, closed day, [[load, begun], ...]]
    fact     key `ENTITY NUL f ID`  [format, major, minor, content, payload or nil, period]
    targets  key `ENTITY NUL t`     [format, [[topic, key], ...]]
    base     key `ENTITY NUL b`     [format, day, day of folding, what the facts of all days up to it have become]
    stub     key `ENTITY NUL s`     [format, clock when it closed]
    begun    key `ENTITY NUL g`     [format, generation of the rebuild of this entity that begins here, clock then]
    ended    key `ENTITY NUL e`     [format, generation of the rebuild that ends here]

Rows are read back in the order in which they were written, which compaction keeps. A rebuild of one entity begins and
ends with rows of different keys, so that its beginning stays where it stood.
"""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import msgspec

from schemas.errors import QuaysideError
from schemas.versions import Version
from streams.clock import ClockState
from streams.facts import Fact, Target
from streams.sending import Record

FORMAT: Final = 1
"""Raised whenever the layout of a row changes; older formats stay readable."""

HEADER_KEY: Final = b"\x00h"
CLOCK_KEY: Final = b"\x00c"
_FACT: Final = b"\x00f"
_TARGETS: Final = b"\x00t"
_BASE: Final = b"\x00b"
_STUB: Final = b"\x00s"
BEGUN: Final = b"\x00g"
"""In the key of the row that begins the rebuild of an entity."""

_ENDED: Final = b"\x00e"


Row = Record
"""One changelog record. A value of None removes the row (a tombstone)."""


class ForeignRow(QuaysideError):
    """A changelog row that this version cannot read."""

    exit_code = 2


class Header(NamedTuple):
    """The first row of each changelog partition: which epoch the state belongs to."""

    epoch: int


class FactRow(NamedTuple):
    """A fact of an entity, as read back."""

    entity: str
    identity: str
    fact: Fact


class TargetsRow(NamedTuple):
    """All targets of an entity, as read back."""

    entity: str
    targets: tuple[Target, ...]


class BaseRow(NamedTuple):
    """What an entity's facts of all days up to `day` have become, as read back; `folded_on`: the clock's day then."""

    entity: str
    day: int
    folded_on: int
    base: Any


class StubRow(NamedTuple):
    """That an entity has closed, as read back; `closed_at`: the partition's clock then (ms)."""

    entity: str
    closed_at: int


class BegunRow(NamedTuple):
    """That the rebuild of an entity begins: what was read of it before counts no more. `at`: the clock then (ms)."""

    entity: str
    generation: int
    at: int


class EndedRow(NamedTuple):
    """That the rebuild of an entity has ended."""

    entity: str
    generation: int


class Codec:
    """Writes and reads the rows of one agent, whose payloads (and bases) are of the given types."""

    def __init__(self, payload: Any, base: Any = None) -> None:
        fact = tuple[int, int, int, bytes, payload | None, int]
        self._facts: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(fact)
        self._targets = msgspec.msgpack.Decoder(tuple[int, tuple[tuple[str, str], ...]])
        self._header = msgspec.msgpack.Decoder(tuple[int, int])
        self._clock = msgspec.msgpack.Decoder(tuple[int, int, int, int, tuple[tuple[str, int], ...]])
        self._base = msgspec.msgpack.Decoder(tuple[int, int, int, base])
        self._stub = msgspec.msgpack.Decoder(tuple[int, int])
        self._begun = msgspec.msgpack.Decoder(tuple[int, int, int])
        self._ended = msgspec.msgpack.Decoder(tuple[int, int])
        self._encode = msgspec.msgpack.Encoder().encode

    def header(self, epoch: int) -> Row:
        """The header row."""
        return Row(HEADER_KEY, self._encode((FORMAT, epoch)))

    def fact(self, entity: str, identity: str, fact: Fact) -> Row:
        """The row of a fact."""
        (major, minor, content), payload, period = fact
        value = self._encode((FORMAT, major, minor, content, payload, period))
        return Row(entity.encode() + _FACT + identity.encode(), value)

    def forgotten(self, entity: str, identity: str) -> Row:
        """The tombstone of a fact."""
        return Row(entity.encode() + _FACT + identity.encode(), None)

    def targets(self, entity: str, targets: Iterable[Target]) -> Row:
        """The row of an entity's targets."""
        return Row(entity.encode() + _TARGETS, self._encode((FORMAT, tuple(targets))))

    def clock(self, state: ClockState) -> Row:
        """The row of a partition's clock."""
        return Row(CLOCK_KEY, self._encode((FORMAT, *state)))

    def base(self, entity: str, day: int, folded_on: int, base: Any) -> Row:
        """The row of an entity's base."""
        return Row(entity.encode() + _BASE, self._encode((FORMAT, day, folded_on, base)))

    def stub(self, entity: str, closed_at: int) -> Row:
        """The row of an entity that has closed."""
        return Row(entity.encode() + _STUB, self._encode((FORMAT, closed_at)))

    def begun(self, entity: str, generation: int, at: int) -> Row:
        """The row of the beginning of an entity's rebuild."""
        return Row(entity.encode() + BEGUN, self._encode((FORMAT, generation, at)))

    def ended(self, entity: str, generation: int) -> Row:
        """The row of the end of an entity's rebuild."""
        return Row(entity.encode() + _ENDED, self._encode((FORMAT, generation)))

    def dropped(self, entity: str, *, rebuilt: bool) -> tuple[Row, ...]:
        """The tombstones of a stub; `rebuilt`: it has been, once."""
        kinds = (_STUB, _TARGETS, BEGUN, _ENDED) if rebuilt else (_STUB, _TARGETS)
        return tuple(Row(entity.encode() + kind, None) for kind in kinds)

    def read(self, key: bytes, value: bytes) -> Any:
        """What a row says: a Header or ClockState, or one of the rows of an entity.

        Raises ForeignRow for a format that this version does not know.
        """
        try:
            entity, kind, identity = _parts(key)
            if kind == _FACT[1:]:
                _, major, minor, content, payload, period = self._known(self._facts.decode(value))
                return FactRow(entity, identity, Fact(Version(major, minor, content), payload, period))
            if key == HEADER_KEY:
                return Header(self._known(self._header.decode(value))[1])
            if key == CLOCK_KEY:
                return ClockState(*self._known(self._clock.decode(value))[1:])
            return self._of_entity(entity, kind, value)
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
            raise ForeignRow(_unreadable(key, value)) from error

    def _of_entity(self, entity: str, kind: bytes, value: bytes) -> Any:
        if kind == _TARGETS[1:]:
            _, targets = self._known(self._targets.decode(value))
            return TargetsRow(entity, tuple(Target(*target) for target in targets))
        if kind == _BASE[1:]:
            return BaseRow(entity, *self._known(self._base.decode(value))[1:])
        if kind == _STUB[1:]:
            return StubRow(entity, self._known(self._stub.decode(value))[1])
        if kind == BEGUN[1:]:
            return BegunRow(entity, *self._known(self._begun.decode(value))[1:])
        if kind == _ENDED[1:]:
            return EndedRow(entity, self._known(self._ended.decode(value))[1])
        raise ValueError(kind)

    @staticmethod
    def _known(decoded: Any) -> Any:
        if decoded[0] != FORMAT:
            raise ValueError
        return decoded


def _parts(key: bytes) -> tuple[str, bytes, str]:
    entity, _, rest = key.partition(b"\x00")
    return entity.decode(), rest[:1], rest[1:].decode()


def _unreadable(key: bytes, value: bytes) -> str:
    try:
        said = msgspec.msgpack.decode(value)[0]
    except (msgspec.DecodeError, IndexError, TypeError, KeyError):
        said = "none"
    return (
        f"The changelog row {key!r} has format {said}, this version reads format {FORMAT}: start the version "
        "that wrote it, or rebuild the state from the history."
    )
