"""Changelog rows: how an agent's facts, targets and header are written, and read back.

Key: entity, NUL, a byte for the kind of row, identity. Value: msgpack, its first element the format's
number, so that a value of a newer version is refused and never misread.

    header   key `NUL h`          [format, epoch]
    fact     key `ENTITY NUL f ID`  [format, major, minor, content, payload or nil]
    targets  key `ENTITY NUL t`     [format, [[topic, key], ...]]
"""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import msgspec

from schemas.errors import QuaysideError
from schemas.versions import Version
from streams.facts import Fact, Target

FORMAT: Final = 1
"""Raised whenever the layout of a row changes; older formats stay readable."""

HEADER_KEY: Final = b"\x00h"
_FACT: Final = b"\x00f"
_TARGETS: Final = b"\x00t"


class Row(NamedTuple):
    """One changelog record. A value of None removes the row (a tombstone)."""

    key: bytes
    value: bytes | None


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


class Codec:
    """Writes and reads the rows of one agent, whose payloads are of the given type."""

    def __init__(self, payload: Any) -> None:
        fact = tuple[int, int, int, bytes, payload | None]
        self._facts: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(fact)
        self._targets = msgspec.msgpack.Decoder(tuple[int, tuple[tuple[str, str], ...]])
        self._header = msgspec.msgpack.Decoder(tuple[int, int])
        self._encode = msgspec.msgpack.Encoder().encode

    def header(self, epoch: int) -> Row:
        """The header row."""
        return Row(HEADER_KEY, self._encode((FORMAT, epoch)))

    def fact(self, entity: str, identity: str, fact: Fact) -> Row:
        """The row of a fact."""
        (major, minor, content), payload = fact
        value = self._encode((FORMAT, major, minor, content, payload))
        return Row(entity.encode() + _FACT + identity.encode(), value)

    def targets(self, entity: str, targets: Iterable[Target]) -> Row:
        """The row of an entity's targets."""
        return Row(entity.encode() + _TARGETS, self._encode((FORMAT, tuple(targets))))

    def read(self, key: bytes, value: bytes) -> Header | FactRow | TargetsRow:
        """What a row says. Raises ForeignRow for a format that this version does not know."""
        try:
            if key == HEADER_KEY:
                return Header(self._known(self._header.decode(value))[1])
            entity, kind, identity = _parts(key)
            if kind == _FACT[1:]:
                _, major, minor, content, payload = self._known(self._facts.decode(value))
                return FactRow(entity, identity, Fact(Version(major, minor, content), payload))
            if kind == _TARGETS[1:]:
                _, targets = self._known(self._targets.decode(value))
                return TargetsRow(entity, tuple(Target(*target) for target in targets))
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
            raise ForeignRow(_unreadable(key, value)) from error
        raise ForeignRow(_unreadable(key, value))

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
