"""From a Kafka record to the rows that the history keeps of it. Pure: no I/O and no clock.

A record of a fact topic becomes a row of its fact table, or a dead letter where `schemas.wire.read` finds
no event in it. A replayed record is stored under its first coordinate and first append time; one that came
out of this very store is there already, so only the place where it stood again is noted. A record of a
view topic becomes a state; what the agents report on dead.letters and late.records becomes a row there.
Nothing a record may hold makes `rows_of` raise.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from schemas.coordinates import Coordinate, again_of, is_possible, marks_of, origin_of
from schemas.derived import DeadLetter, LateRecord, Published
from schemas.event import Event
from schemas.wire import Rejection, read
from sinks.facts import FactColumns, Findings, Place
from sinks.states import state_row
from sinks.tables import DEAD, FACTS, HANDLED, LATE, MARKS, REPLAYED, STATES

Row = tuple[Any, ...]
Placed = tuple[str, Row]
"""A table's name and a row for it, in the order of the table's columns in sinks/tables.py."""

UNSTORABLE: Final = "unstorable"
"""The cause of dead letters that are events, but cannot be stored as such."""


class Record(NamedTuple):
    """A Kafka record as the sink takes it. `appended_at`: the broker's append time in ms."""

    epoch: int
    topic: str
    partition: int
    offset: int
    appended_at: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()


def no_findings(_event: Event) -> Sequence[str]:
    """Checks nothing."""
    return ()


def rows_of(record: Record, store_id: str, findings: Findings = no_findings) -> tuple[Placed, ...]:
    """The rows that this record becomes; none for the tombstone of a view.

    `store_id` is the id of the store that is written to. Records of topics that are not kept raise KeyError.
    """
    topic = record.topic
    if topic in FACTS:
        return _fact(record, store_id, findings)
    if topic in STATES:
        return _state(record)
    return _ACCOUNTS[topic](record)


def fact_of(record: Record, store_id: str) -> tuple[tuple[Placed, ...], Record, Event | None]:
    """What a record of a fact topic is, headers and all.

    Rows of other tables, the record as it is to be stored (a replayed one under its first coordinate), and its event.
    None: there is no event to be stored, because it is
    none (the dead letter is among the rows), or because this store has it.
    """
    again = (*_handled(record), *_marks(record)) if record.headers else ()
    origin = origin_of(record.headers, record.appended_at, record.topic) if record.headers else None
    if origin is not None:
        first = origin.coordinate
        place = (first.epoch, first.partition, first.offset)
        again = (*again, (REPLAYED.name, (record.epoch, record.topic, record.partition, record.offset, *place)))
        if origin.store_id == store_id:
            return again, record, None
        record = record._replace(
            epoch=first.epoch, partition=first.partition, offset=first.offset, appended_at=origin.appended_at
        )
    event = read(record.topic, record.value, record.appended_at)
    if type(event) is Rejection:
        return (*again, dead(record, event.cause, event.reason, event.field)), record, None
    return again, record, event  # type: ignore[return-value]  # type() is quicker than isinstance, but mypy is slower


def place_of(record: Record) -> Place:
    """The record as the columns of its table want it."""
    return (record.epoch, record.partition, record.offset, record.appended_at, record.key, record.value or b"")


def _fact(record: Record, store_id: str, findings: Findings) -> tuple[Placed, ...]:
    others, record, event = fact_of(record, store_id)
    if event is None:
        return others
    columns = FactColumns(record.topic, findings)
    columns.add((place_of(record),), (event,))
    turned = columns.turned()
    if columns.spoiled:
        return (*others, dead(record, UNSTORABLE, columns.spoiled[0][1]))
    return (*others, (FACTS[record.topic].name, tuple(value for (value,) in turned)))


def _handled(record: Record) -> tuple[Placed, ...]:
    """That a dead letter or a late record was taken up again here."""
    found = again_of(record.headers)
    if found is None:
        return ()
    first = found.coordinate
    here = (record.epoch, record.topic, record.partition, record.offset, record.appended_at)
    return ((HANDLED.name, (found.kind, first.epoch, first.topic, first.partition, first.offset, *here)),)


def _marks(record: Record) -> tuple[Placed, ...]:
    """That a load of history begins or ends here."""
    here = (record.epoch, record.topic, record.partition, record.offset, record.appended_at)
    return tuple((MARKS.name, (*here, mark.load, mark.begins)) for mark in marks_of(record.headers))


def dead(record: Record, cause: str, reason: str, field: str = "", origin: str = "") -> Placed:
    """The row of a record that is a dead letter, with its bytes as they came."""
    value = record.value or b""
    row = (
        *(record.epoch, record.topic, record.partition, record.offset, record.appended_at),
        *(origin, _source(value), cause, reason, field),
        *(record.key or b"", value),
    )
    return (DEAD.name, row)


def _state(record: Record) -> tuple[Placed, ...]:
    if record.value is None:
        return ()
    row = state_row(record.topic, record.value)
    if isinstance(row, Rejection):
        return (_rejected(record, row),)
    return ((STATES[record.topic].name, row),)


def _dead_letter(record: Record) -> tuple[Placed, ...]:
    found = _account(record, DeadLetter)
    if isinstance(found, Rejection):
        return (_rejected(record, found),)
    first = Record(found.epoch, found.topic, found.partition, found.offset, found.appended_at, found.key, found.value)
    return (dead(first, found.cause, found.reason, found.field, found.origin),)


def _late_record(record: Record) -> tuple[Placed, ...]:
    found = _account(record, LateRecord)
    if isinstance(found, Rejection):
        return (_rejected(record, found),)
    event = read(found.topic, found.value, found.appended_at) if found.topic in FACTS else None
    source, event_id = (event.source, event.event_id) if isinstance(event, Event) else ("", "")
    row = (
        *(found.epoch, found.topic, found.partition, found.offset, found.appended_at),
        *(found.entity, source, event_id, found.reason, found.value),
    )
    return ((LATE.name, row),)


_ACCOUNTS: Final[dict[str, Callable[[Record], tuple[Placed, ...]]]] = {
    "dead.letters": _dead_letter,
    "late.records": _late_record,
}

TOPICS: Final[tuple[str, ...]] = (*FACTS, *STATES, *_ACCOUNTS)
"""The topics that the history keeps."""


def _account(record: Record, form: type[Any]) -> Any:
    """What the agents report, plain or with a version around it; a Rejection for what is neither."""
    for decode, inner in _DECODERS[form]:
        try:
            found = decode(record.value or b"")
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue
        said = found.state if inner else found
        place = Coordinate(said.epoch, said.topic, said.partition, said.offset)
        if is_possible(place, said.appended_at):
            return said
    return Rejection("invalid", f"The record is no {form.__name__}: only our agents write to {record.topic}.")


_DECODERS: Final[dict[type[Any], tuple[tuple[Callable[[bytes], Any], bool], ...]]] = {
    form: (
        (msgspec.json.Decoder(form).decode, False),
        (msgspec.json.Decoder(Published[form]).decode, True),  # type: ignore[valid-type]  # built at run time
    )
    for form in (DeadLetter, LateRecord)
}


def _rejected(record: Record, why: Rejection) -> Placed:
    return dead(record, why.cause, why.reason, why.field)


class _Sender(msgspec.Struct):
    source: str = ""


_sender: Final = msgspec.json.Decoder(_Sender).decode


def _source(value: bytes) -> str:
    """Who sent it, as far as it can be read; empty if it cannot."""
    try:
        return _sender(value).source
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
