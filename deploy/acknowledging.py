"""Acknowledging an exception: an event on operator.events, accepted as `publish` accepts, and waited for.

The event's bytes are made once: where they are published again out of the spool, nothing changes.
"""

import asyncio
import json
import time
import uuid
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from deploy.command.reach import stack_of
from deploy.door import Door, Line
from deploy.gate_client import gate_client, rows
from deploy.kept import sql
from deploy.publisher import Publisher
from deploy.settings import Settings, duration_ms
from deploy.stackfile import StackFile, is_alive
from schemas.errors import Unreachable, WrongInput
from schemas.times import rfc3339, to_ms, wall_clock

SOURCE: Final = "quayside-ack"
"""The source of the events: this command."""

_LOOK_S: Final = 0.1
_PATIENCE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What was said of an exception. `until` in ms; None: it was withdrawn."""

    exception_id: str
    by: str
    until: int | None

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON: exception_id, until (RFC 3339, null where it was withdrawn), by, acknowledged."""
        return {
            "exception_id": self.exception_id,
            "until": None if self.until is None else rfc3339(self.until),
            "by": self.by,
            "acknowledged": self.until is not None,
        }


def until_of(text: str, now: int) -> int:
    """The time (ms) that is meant by `4h` or `2d` (so long from now) or an RFC 3339 time.

    Raises WrongInput for what is neither, and for a time that is over. `now` in ms.
    """
    try:
        return now + int(duration_ms(text))
    except ValueError:
        pass
    try:
        said = datetime.fromisoformat(text.strip())
    except ValueError:
        said = None
    if said is None or said.tzinfo is None:
        raise WrongInput(
            f"--until {text!r} is no time: write a duration such as 4h or 2d, or a time with its offset such as "
            "2026-11-22T18:00:00Z."
        )
    until = to_ms(said)
    if until <= now:
        raise WrongInput(f"--until {text} is over: name a time to come, or take it back with --withdraw.")
    return until


def acknowledge(
    data: Path | None, exception_id: str, by: str, note: str, until: str | None, *, force: bool
) -> Acknowledgement:
    """Say of an open exception that somebody has it in hand until then (None: that nobody has, any more).

    When this returns, it can be queried. `force`: also where no such exception is open, or nobody has it in hand.

    Raises:
        WrongInput: There is no such exception open, nobody has it in hand (to withdraw), or a text that no event takes.
        Unreachable: No stack, or it stopped before it could be queried; the event is in the spool then.
    """
    settings, stack = stack_of(data)
    now = wall_clock()
    end = None if until is None else until_of(until, now)
    with closing(gate_client(stack)) as store:
        if not force:
            (_refuse_unless_in_hand if end is None else _refuse_unless_open)(store, exception_id)
        event_id = str(uuid.uuid4())
        asyncio.run(_publish(_event(event_id, exception_id, by, note, end, now), now, settings, stack))
        _await(store, stack, exception_id, event_id)
    return Acknowledgement(exception_id, by, end)


def _event(event_id: str, exception_id: str, by: str, note: str, until: int | None, now: int) -> bytes:
    said = {
        "event_id": event_id,
        "source": SOURCE,
        "type": "unacknowledged" if until is None else "acknowledged",
        "occurred_at": rfc3339(now),
        "recorded_at": rfc3339(now),
        "exception_id": exception_id,
        "by": by,
        "note": note,
    }
    if until is not None:
        said["until"] = rfc3339(until)
    return json.dumps(said, ensure_ascii=False).encode()


async def _publish(raw: bytes, now: int, settings: Settings, stack: StackFile) -> None:
    decision = Door(None).decide([Line(1, raw)], now)
    for refused in decision.refused:
        raise WrongInput(f"It cannot be said so: {refused.rejection.reason.rstrip('.')}.")
    publisher = Publisher(stack.kafka, settings.data / "spool" if stack.embedded else None)
    try:
        await publisher.accept(decision.accepted)
    finally:
        await publisher.close()


def _await(store: Client, stack: StackFile, exception_id: str, event_id: str) -> None:
    """Wait until the history has it."""
    asked = {"id": exception_id, "source": SOURCE, "event": event_id}
    deadline = time.monotonic() + _PATIENCE_S
    while not _count(store, _SAID, asked):
        if not is_alive(stack.pid) or time.monotonic() > deadline:
            raise Unreachable(
                f"It was published, but the history does not have it after {_PATIENCE_S:g} s: see `quayside status`."
            )
        time.sleep(_LOOK_S)


def _refuse_unless_open(store: Client, exception_id: str) -> None:
    if _count(store, _IS_OPEN, {"id": exception_id}):
        return
    entity = exception_id.split("/", 2)[-1]
    alike = [str(found) for (found,) in rows(store, _ALIKE, {"id": exception_id, "entity": entity})]
    hint = f"did you mean {' or '.join(alike)}?" if alike else "`quayside exceptions list --all` has those that are."
    raise WrongInput(f"No exception {exception_id} is open: {hint} It is said all the same with --force.")


def _refuse_unless_in_hand(store: Client, exception_id: str) -> None:
    if not _count(store, _IN_HAND, {"id": exception_id}):
        raise WrongInput(
            f"Nobody has {exception_id} in hand, so nothing can be withdrawn: `quayside exceptions list "
            "--acknowledged` has what somebody has."
        )


def _count(store: Client, question: str, asked: dict[str, Any]) -> int:
    ((found,),) = rows(store, question, asked)
    return int(found)


_IS_OPEN: Final = sql("exceptions_is_open")
_IN_HAND: Final = sql("exceptions_in_hand")
_ALIKE: Final = sql("exceptions_alike")
_SAID: Final = sql("exceptions_said")
