"""From a fetched batch of records to statements and marks; to dead letters for what cannot be read; and onwards.

A record that stands in another partition than its entity's (its producer has another partitioner) is passed on once,
with its coordinate, to the topic `schemas.topics.forward_topic` names; there every agent reads it as if it had come
right.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import msgspec

from schemas.coordinates import Coordinate, Mark, Origin, Reopen, Reopening, marks_of, origin_of, origins_of, reopen_of
from schemas.derived import DeadLetter, Published
from schemas.errors import QuaysideError
from schemas.times import wall_clock
from schemas.topics import BY_NAME, fact_topic, forward_topic
from schemas.versions import Version
from schemas.wire import Rejection, read_all
from streams.derivation import Derivation
from streams.facts import Fact, Statement, contributor_identity
from streams.sending import Record, partition_of

BAD_SHARE: Final = 0.5
"""With more than this share of unreadable records in the window, the worker stops instead of going on."""

STORM_WINDOW: Final = 1_000
"""Over so many of the latest records of a topic the share is taken."""

_CREATE_TIME: Final = 0


REPLAYED: Final = 0
"""The `clock_at` of what moves no clock: it was judged when it came first, or is no event of a source."""


class Entry(NamedTuple):
    """A record's statement. Times in ms: `clock_at` is what the partition's clock may pass, or REPLAYED."""

    clock_at: int
    statement: Statement
    record: Any
    appended_at: int


class Marked(NamedTuple):
    """A mark: when it was appended (ms), and what it begins or ends."""

    clock_at: int
    mark: Mark | Reopening


@dataclass(slots=True)
class Reading:
    """What a batch of records says. `entries`: Entry and Marked, in the records' order."""

    entries: list[Any] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    forwards: list[tuple[str, Record]] = field(default_factory=list)


class BadStorm(QuaysideError):
    """Too many of a topic's records cannot be read: going on would empty it into the dead letters."""

    exit_code = 2


class Reader:
    """Reads the records of one agent's inputs. `bad_share`: above it a storm of bad records is raised as BadStorm."""

    def __init__(
        self,
        derivation: Derivation,
        epoch: int,
        *,
        partitions: int | None = None,
        bad_share: float = BAD_SHARE,
        now: Callable[[], int] = wall_clock,
    ) -> None:
        self._derivation: Final = derivation
        self._epoch: Final = epoch
        self._partitions: Final = partitions
        self._bad_share: Final = bad_share
        self._now: Final = now
        self._recent: Final[dict[str, deque[tuple[int, int]]]] = {}
        self._decoders: Final[dict[str, msgspec.json.Decoder[Any]]] = {
            topic: msgspec.json.Decoder(Published[state])  # type: ignore[valid-type]  # a type made at run time
            for topic, state in derivation.contributions.items()
        }

    def read(self, records: Iterable[Any]) -> Reading:
        """What aiokafka's records of one partition say; each one that cannot be read costs itself only.

        Raises:
            BadStorm: More than the allowed share of the latest records could not be read.
        """
        reading = Reading()
        taken = list(records)
        if not taken:
            return reading
        topic = taken[0].topic
        if topic in self._decoders:
            for record in taken:
                self._contribution(record, reading)
        else:
            self._events(fact_topic(topic), taken, reading)
        if reading.dead_letters or topic in self._recent:
            self._watch(topic, len(taken), reading.dead_letters)
        return reading

    def _events(self, topic: str, records: Sequence[Any], reading: Reading) -> None:
        heard = self._heard(topic, records)
        events = read_all(topic, [record.value or b"" for record in records], heard.appended_at)
        entries = reading.entries
        for number, (record, event) in enumerate(zip(records, events, strict=True)):
            signs = heard.signs.get(number)
            if signs is not None:
                entries += signs.before
            if isinstance(event, Rejection):
                origin = origin_of(record.headers, heard.own[number], topic)
                reading.dead_letters.append(dead_letter(record, origin, event, self._epoch))
            else:
                statement = self._derivation.statement(event, record.value)
                if topic == record.topic and self._is_foreign(statement.entity, topic, record.partition):
                    origin = origin_of(record.headers, heard.own[number], topic)
                    forward = self._forward(record, origin, statement.entity)
                    reading.forwards.append((forward_topic(topic), forward))
                else:
                    entries.append(Entry(heard.clock_at[number], statement, record, heard.appended_at[number]))
            if signs is not None:
                entries += signs.after

    def _heard(self, topic: str, records: Sequence[Any]) -> "_Heard":
        """What records say besides their events."""
        now = self._now()  # what a producer said: nothing was appended in the future
        own = [
            min(record.timestamp, now) if record.timestamp_type == _CREATE_TIME else record.timestamp
            for record in records
        ]
        if not any(record.headers for record in records):
            return _Heard(own, own, own, {})
        replayed = origins_of([record.headers for record in records], own, topic)
        if replayed is not None and all(replayed.stores):
            return _Heard(own, [REPLAYED] * len(own), replayed.appended_at, {})
        return _looked_at(records, own, topic)

    def _is_foreign(self, entity: str, topic: str, partition: int) -> bool:
        partitions = self._partitions or BY_NAME[topic].partitions
        return partition_of(entity.encode(), partitions) != partition

    def _forward(self, record: Any, origin: Origin | None, entity: str) -> Record:
        if origin is None:
            origin = Origin(coordinate_of(record, None, self._epoch), record.timestamp, "")
        return Record(entity.encode(), record.value, (origin.header(),))

    def _contribution(self, record: Any, reading: Reading) -> None:
        try:
            published = self._decoders[record.topic].decode(record.value)
        except (msgspec.DecodeError, TypeError, RecursionError, UnicodeDecodeError) as error:
            reason = f"The contribution cannot be read ({error}): another version wrote it, or a stranger."
            letter = dead_letter(record, None, Rejection("invalid", reason), self._epoch)
            reading.dead_letters.append(letter)
            return
        entity, contributor, payload = self._derivation.contributed(published.state)
        version = Version(published.version[0], published.version[1], b"")
        statement = Statement(entity, contributor_identity(contributor), Fact(version, payload))
        reading.entries.append(Entry(REPLAYED, statement, record, record.timestamp))

    def _watch(self, topic: str, count: int, letters: list[DeadLetter]) -> None:
        recent = self._recent.setdefault(topic, deque())
        recent.append((count, len(letters)))
        total = sum(one for one, _ in recent)
        while total - recent[0][0] >= STORM_WINDOW:
            total -= recent.popleft()[0]
        bad = sum(one for _, one in recent)
        if total >= STORM_WINDOW and bad > self._bad_share * total:
            latest = f" The latest: {letters[-1].reason}" if letters else ""
            raise BadStorm(
                f"{bad} of the last {total} records of {topic} could not be read, more than the share of "
                f"{self._bad_share:g} that QUAYSIDE_BAD_SHARE allows.{latest} The worker stopped before it took them: "
                "mend what publishes there, or raise QUAYSIDE_BAD_SHARE, and start again."
            )


_NO_MARKS: Final[tuple[Mark, ...]] = ()


class _Signs(NamedTuple):
    """The marks that a record carries: those that begin something come before its event, those that end it after."""

    before: Sequence[Marked]
    after: Sequence[Marked]


class _Heard(NamedTuple):
    """What records say besides their events, by their number.

    `own`: when each was appended itself; `clock_at` and `appended_at` as `Entry` has them; `signs`: of those that have
    any.
    """

    own: Sequence[int]
    clock_at: Sequence[int]
    appended_at: Sequence[int]
    signs: Mapping[int, _Signs]


def _looked_at(records: Sequence[Any], own: Sequence[int], topic: str) -> _Heard:
    """Each record's headers by themselves."""
    clock_at, appended_at = [*own], [*own]
    signs: dict[int, _Signs] = {}
    for number, record in enumerate(records):
        if not record.headers:
            continue
        origin, marks, reopen = _headers(record, own[number], topic)
        if origin is not None:
            appended_at[number] = origin.appended_at
            if origin.store_id:
                clock_at[number] = REPLAYED
        if marks or reopen is not None:
            signs[number] = _signs(record, clock_at[number], marks, reopen)
    return _Heard(own, clock_at, appended_at, signs)


def _signs(record: Any, clock_at: int, marks: Sequence[Mark], reopen: Reopen | None) -> _Signs:
    before = [Marked(clock_at, mark) for mark in marks if mark.begins]
    after = [Marked(clock_at, mark) for mark in marks if not mark.begins]
    if reopen is not None and reopen.begins:
        before.append(_reopening(record, reopen, ends=False))
    if reopen is not None and reopen.ends:
        after.insert(0, _reopening(record, reopen, ends=True))
    return _Signs(before, after)


def _headers(record: Any, appended_at: int, topic: str) -> tuple[Origin | None, tuple[Mark, ...], Reopen | None]:
    """What the headers say. Only the history is believed when it is silent, or says that an entity begins anew."""
    origin = origin_of(record.headers, appended_at, topic)
    if len(record.headers) == (origin is not None):  # the origin only, as nearly everything has that is replayed
        return origin, _NO_MARKS, None
    marks = marks_of(record.headers)
    if origin is None or not origin.store_id:
        return origin, tuple(mark for mark in marks if not mark.is_silent), None
    return origin, marks, reopen_of(record.headers)


def _reopening(record: Any, reopen: Reopen, *, ends: bool) -> Marked:
    """The beginning or the end of a rebuild; its records are keyed by the entity, and one of them may be unreadable."""
    entity = (record.key or b"").decode(errors="replace")
    return Marked(REPLAYED, Reopening(entity, reopen.generation, ends))


def coordinate_of(record: Any, origin: Origin | None, epoch: int) -> Coordinate:
    """Where a record stood first."""
    return origin.coordinate if origin else Coordinate(epoch, record.topic, record.partition, record.offset)


def dead_letter(record: Any, origin: Origin | None, rejection: Rejection, epoch: int) -> DeadLetter:
    """The dead letter of a record; a replayed one keeps its first coordinate and append time."""
    where = coordinate_of(record, origin, epoch)
    return DeadLetter(
        epoch=where.epoch,
        topic=where.topic,
        partition=where.partition,
        offset=where.offset,
        appended_at=origin.appended_at if origin else record.timestamp,
        cause=rejection.cause,
        reason=rejection.reason,
        field=rejection.field,
        key=record.key or b"",
        value=record.value or b"",
    )
