"""Sending dead letters again: what would be refused again is told and stays; the rest goes out as `publish` does it.

What is sent is a new record at a new coordinate, with a header that says which dead letter it takes up again, so the
history can tell (schemas/coordinates.py). The dead letter stays what it is. Whoever sends a letter twice does no harm,
since an event that is merged twice is merged once; one command at a time keeps it from happening.
"""

import asyncio
import fcntl
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import msgspec
from clickhouse_connect.driver.client import Client

from deploy.deadletters import AT_ONCE, Opened, Which, count, letter_of, opened
from deploy.door import Door, Line
from deploy.gate_client import rows
from deploy.kept import Place, sql
from deploy.progress import progress, settled
from deploy.publisher import Publisher
from deploy.settings import Settings, unwritable
from deploy.spool import Spooled
from deploy.stackfile import StackFile
from schemas.coordinates import Again, Coordinate
from schemas.errors import WrongInput
from schemas.times import DAY_MS, wall_clock
from schemas.topics import BY_NAME
from schemas.wire import Rejection, read, topic_of
from streams.sending import Record, fits

_SHOWN: Final = 20
_LOCK: Final = "dlq-replay.lock"


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be sent again: the letters of these ids, or where there are none, all that `which` tells.

    `value`: mended bytes instead, for one letter. `force`: also what is refused again, and of `ids` also what has
    been sent again already. `dry_run`: only look. `wait`: until it can be queried.
    """

    ids: tuple[str, ...] = ()
    which: Which = field(default_factory=Which)
    value: bytes | None = None
    force: bool = False
    dry_run: bool = False
    wait: bool = True


@dataclass(slots=True)
class Resent:
    """What became of the letters: selected = accepted + still_bad + already_resent.

    `sent`: records that went out (with a dry run none). `accepted`: letters that are events now, or would be.
    `still_bad`: letters that are refused again: they were not sent, or (forced, or refused by the history only, which
    is known where it was waited for) are dead again. `already_resent`: letters that were skipped, since they, or the
    same bytes under another name, were sent before. `late`: of those sent, events that came too late to be applied;
    known only where it was waited for. `left`: how many more fit than one command sends.
    `sentences`: the first refusals.
    """

    selected: int = 0
    sent: int = 0
    accepted: int = 0
    still_bad: int = 0
    already_resent: int = 0
    late: int = 0
    left: int = 0
    dry_run: bool = False
    agreed: bool = True
    sentences: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON; the keys stand in docs/dead-letters.md."""
        names = ("selected", "sent", "accepted", "still_bad", "already_resent", "late", "left", "dry_run", "sentences")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class Judged:
    """A letter, the record to send for it (None: no topic takes it), and why it is refused again, if it is."""

    letter: Opened
    record: Spooled | None
    rejection: Rejection | None


def send_again(
    store: Client, settings: Settings, stack: StackFile, order: Order, agree: Callable[[int], bool]
) -> Resent:
    """Send letters again. `agree` is asked with their number before several that a filter found are sent.

    Raises WrongInput for an id that nobody has, `value` with more than one letter, or while another command sends
    letters; Unreachable.
    """
    if order.value is not None and len(order.ids) != 1:
        raise WrongInput("Mended bytes are for one dead letter: name one id, and no filter, with --value.")
    if order.dry_run:
        return _send_all(store, settings, stack, order, agree)
    with _alone(settings.data, stack):
        return _send_all(store, settings, stack, order, agree)


@contextmanager
def _alone(data: Path, stack: StackFile) -> Iterator[None]:
    """Nobody else sends letters of this data directory meanwhile.

    While something has been sent that may not be in the history yet (a command ended early, or did not wait), the file
    is not empty; whoever comes next waits for it, so that what was sent shows.
    """
    try:
        data.mkdir(parents=True, exist_ok=True)
        file = os.open(data / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise unwritable(data, error) from None
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WrongInput(
                "Another `quayside dlq replay` is sending dead letters of this stack: wait until it has ended and run "
                "the command again, which then skips what that one sent."
            ) from None
        if os.fstat(file).st_size:
            settled(stack)
            os.ftruncate(file, 0)
        yield
    finally:
        os.close(file)


def _send_all(
    store: Client, settings: Settings, stack: StackFile, order: Order, agree: Callable[[int], bool]
) -> Resent:
    outcome = Resent(dry_run=order.dry_run)
    total, pieces = _selected(store, order, outcome)
    if not order.ids and total > 1 and not order.dry_run and not agree(total):
        outcome.agreed = False
        return outcome
    began = wall_clock()
    publisher = None if order.dry_run else Publisher(stack.kafka, settings.data / "spool" if stack.embedded else None)
    note = settings.data / _LOCK
    if publisher is not None:
        note.write_text("sending")
    going = asyncio.run(_send(pieces, Door(store), publisher, order, outcome, total))
    if outcome.sent and order.wait:
        settled(stack)
        _look_back(store, began, going, outcome)
    if publisher is not None and (order.wait or not outcome.sent):
        note.write_text("")
    _conclude(outcome)
    return outcome


def judge(letters: Sequence[Opened], door: Door, now: int) -> Iterator[Judged]:
    """What would become of letters that arrived now (ms): the door decides, as it does on lines of `publish`."""
    decision = door.decide([Line(number, one.value) for number, one in enumerate(letters, 1)], now)
    refused = {one.line.number: one.rejection for one in decision.refused}
    accepted = iter(decision.accepted)
    for number, one in enumerate(letters, 1):
        if not one.value.strip():
            yield Judged(one, None, Rejection("empty", "The record has no value: an event is a JSON object."))
        elif number in refused:
            yield Judged(one, _forced(one, now), refused[number])
        else:
            yield Judged(one, next(accepted)._replace(headers=(again(one),)), None)


def again(letter: Opened) -> tuple[str, bytes]:
    """The header that says which dead letter a record takes up again."""
    where = letter.letter.place.coordinate
    return Again("dead", where).header()


def _forced(letter: Opened, now: int) -> Spooled | None:
    """The record of a letter that is refused again; None where no topic takes it."""
    try:
        topic = topic_of(_TYPE.decode(letter.value).type)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        topic = None
    topic = topic or letter.letter.place.coordinate.topic
    if topic not in BY_NAME or BY_NAME[topic].kind != "fact":
        return None
    event = read(topic, letter.value, now)
    key = letter.key if isinstance(event, Rejection) else event.entity_key().encode()
    told = Spooled(topic, key, letter.value, (again(letter),))
    # What its topic does not take must not come into the spool: it would stand in the way of every start.
    return told if fits(topic, Record(told.key, told.value, told.headers)) else None


def _selected(store: Client, order: Order, outcome: Resent) -> tuple[int, Iterable[list[Opened]]]:
    """How many letters are to be looked at, and the letters in pieces; counts those that are skipped."""
    if order.ids:
        found = [letter_of(store, name) for name in dict.fromkeys(order.ids)]
        wanted = [one for one in found if order.force or one.letter.resent_at is None]
        if order.value is not None:
            wanted = [replace(one, value=order.value) for one in wanted]
        outcome.selected = len(found)
        outcome.already_resent = len(found) - len(wanted)
        if outcome.already_resent:
            outcome.sentences.append(
                f"{outcome.already_resent} skipped, since sent again before: --force sends them once more."
            )
        return len(wanted), [wanted] if wanted else []
    which = replace(order.which, state="open")
    fit = count(store, which)
    total = min(fit, AT_ONCE)
    outcome.left = fit - total
    outcome.already_resent = count(store, replace(order.which, state="resent"))
    outcome.selected = outcome.already_resent
    return total, _counted(opened(store, which), outcome)


def _counted(pieces: Iterable[list[Opened]], outcome: Resent) -> Iterator[list[Opened]]:
    for piece in pieces:
        outcome.selected += len(piece)
        yield piece


@dataclass(slots=True)
class _Going:
    """What went out: the letters' coordinates (those that were accepted), and the hashes of the values."""

    accepted: dict[Coordinate, Place] = field(default_factory=dict)
    values: set[int] = field(default_factory=set)


async def _send(
    pieces: Iterable[list[Opened]],
    door: Door,
    publisher: Publisher | None,
    order: Order,
    outcome: Resent,
    total: int,
) -> _Going:
    """Send what is accepted (forced: all)."""
    going = _Going()
    seen: set[Coordinate] = set()
    remaining = iter(pieces)
    try:
        with progress("looking" if order.dry_run else "sending again", total) as bar:
            while (piece := await asyncio.to_thread(next, remaining, None)) is not None:
                records = []
                for one in await asyncio.to_thread(_judged, piece, door):
                    place = one.letter.letter.place
                    if place.coordinate in seen:  # the same line of two files: one header speaks for both
                        outcome.already_resent += 1
                        continue
                    seen.add(place.coordinate)
                    if one.rejection is None:
                        outcome.accepted += 1
                        going.accepted[place.coordinate] = place
                    else:
                        _refused(outcome, place, one.rejection.reason)
                    if one.record is not None and (one.rejection is None or order.force):
                        records.append(one.record)
                if publisher is not None and records:
                    await publisher.accept(records)
                    outcome.sent += len(records)
                    going.values.update(hash(record.value) for record in records)
                bar.advance(len(piece))
    finally:
        if publisher is not None:
            await publisher.close()
    return going


def _judged(letters: Sequence[Opened], door: Door) -> list[Judged]:
    return list(judge(letters, door, wall_clock()))


def _look_back(store: Client, began: int, going: _Going, outcome: Resent) -> None:
    """What the history says became of what went out; it has the last word."""
    for epoch, topic, partition, offset, reason in rows(store, _DEAD_AGAIN, {"since": began - DAY_MS}):
        place = going.accepted.get(Coordinate(epoch, topic, partition, offset))
        if place is not None:
            outcome.accepted -= 1
            _refused(outcome, place, reason)
    told = rows(store, _LATE_SINCE, {"since": began})
    outcome.late = sum(hash(str(value).encode()) in going.values for (value,) in told)


def _refused(outcome: Resent, place: Place, reason: str) -> None:
    outcome.still_bad += 1
    if outcome.still_bad <= _SHOWN:
        outcome.sentences.append(f"{place}: {reason}")


def _conclude(outcome: Resent) -> None:
    if outcome.still_bad > _SHOWN:
        outcome.sentences.append(f"... and {outcome.still_bad - _SHOWN} more that are refused again.")
    if outcome.late:
        outcome.sentences.append(
            f"{outcome.late} events came too late to be applied, since their days have closed (QUAYSIDE_HORIZON): they "
            "are in late_records (`quayside late list`)."
        )
    if outcome.left:
        outcome.sentences.append(f"{outcome.left} more fit: run the command again for them.")


class _Typed(msgspec.Struct):
    type: str = ""


_TYPE: Final = msgspec.json.Decoder(_Typed)
_LATE_SINCE: Final = sql("late_since")
_DEAD_AGAIN: Final = sql("dead_again")
