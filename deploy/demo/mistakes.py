"""The mistakes that real sources make, planted on purpose and counted.

What is planted never changes the truth: a duplicate repeats it, a late report tells it late, a correction or
a retraction puts right what was said wrong before, and a record that cannot be read is followed by the one
that the source meant. So the newest versions of the readable events are always the truth, and whoever
computes it from the emissions gets what the network knows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Final, NamedTuple

import msgspec

from deploy.demo import labels
from deploy.demo.tempo import Tempo
from deploy.demo.world import Source
from schemas.times import DAY_MS, HOUR_MS, MINUTE_MS
from schemas.wire import Cause

BAD: Final[dict[str, Cause]] = {
    "cut_off": "not_json",
    "not_an_object": "invalid",
    "missing_field": "invalid",
    "unknown_field": "invalid",
    "unknown_type": "unknown_type",
    "no_type": "unknown_type",
    "wrong_topic": "wrong_topic",
    "naive_time": "invalid",
    "wrong_type": "invalid",
    "negative_quantity": "invalid",
    "fast_clock": "recorded_in_future",
    "future_actual": "occurred_in_future",
}
"""The kinds of records that are no events, and the cause for which each is refused. They take turns."""

READABLE: Final = ("duplicate", "late", "out_of_order", "correction", "retraction", "check_digit")
"""The kinds of mistakes that an event survives. `late`: recorded half a day to three days after it
occurred. `out_of_order`: recorded in time, but sent hours later. `check_digit`: a container number or SSCC
whose check digit is wrong."""


@dataclass(frozen=True, slots=True)
class Shares:
    """How often each mistake is made, as a share of all statements; 0 switches it off.

    `check_digit` is a share of the statements that carry such a number.
    """

    duplicate: float = 0.004
    late: float = 0.004
    out_of_order: float = 0.006
    correction: float = 0.004
    retraction: float = 0.002
    bad: float = 0.003
    check_digit: float = 0.01


NO_MISTAKES: Final = Shares(0, 0, 0, 0, 0, 0, 0)


_LEFT_OUT: Final = {"missing_field": "source", "no_type": "type"}
_PUT_IN: Final = {
    "unknown_field": {"colour": "blue"},
    "unknown_type": {"type": "teleported"},
    "wrong_type": {"retracted": "no"},
}
_ZERO_TOO_MANY: Final = 0.3
"""The share of wrong quantities that are ten times the right one."""


class Statement(NamedTuple):
    """What a source says of one event; times are running ms (see tempo).

    `body`: the fields beside the common ones, ready to be encoded. `planned`: tells of what is to come.
    """

    topic: str
    key: str
    source: Source
    event_id: str
    kind: str
    occurred: int
    recorded: int
    body: dict[str, Any]
    planned: bool
    retracted: bool = False
    by_day: bool = False

    def encode(self, tempo: Tempo) -> dict[str, Any]:
        """The statement as a document, times written as its source writes them."""
        offset = self.source.offset
        document: dict[str, Any] = {
            "event_id": self.event_id,
            "source": self.source.name,
            "type": self.kind,
            "occurred_at": (tempo.day_text if self.by_day else tempo.text)(self.occurred, offset),
            "recorded_at": tempo.text(self.recorded, offset),
        }
        if self.retracted:
            document["retracted"] = True
        if self.by_day:
            document["precision"] = "day"
        document.update(self.body)
        return document


class Sending(NamedTuple):
    """A statement, sent at `at` (running ms), with the mistake it is, or none."""

    at: int
    statement: Statement
    mistake: str = ""


_Maker = Callable[[int, int, Statement], tuple[Sending, ...]]


class Mistakes:
    """Makes of one true statement the sendings in which it becomes known."""

    def __init__(self, rng: Random, shares: Shares, tempo: Tempo) -> None:
        """Mistakes by a random generator of their own, so that shares do not change the truth."""
        self._rng = rng
        self._tempo = tempo
        self._turns = list(BAD)
        self._makers: dict[str, _Maker] = {
            "duplicate": self._duplicate,
            "late": self._late,
            "out_of_order": self._out_of_order,
            "correction": self._correction,
            "retraction": self._retraction,
            "bad": self._bad,
        }
        total = 0.0
        self._bounds: list[tuple[float, str]] = []
        for kind in self._makers:
            total += getattr(shares, kind)
            self._bounds.append((total, kind))
        self._total = total
        self._check_digit = shares.check_digit

    def planted(self, now: int, at: int, statement: Statement) -> tuple[Sending, ...] | None:
        """The sendings of a statement made at natural `now` and sent at `at`; None: as it is, just once."""
        drawn = self._rng.random()
        if drawn >= self._total:
            return self._misprint(at, statement) if "references" in statement.body else None
        kind = next(kind for bound, kind in self._bounds if drawn < bound)
        return self._makers[kind](now, at, statement)

    def spoiled(self, kind: str, statement: Statement, at: int) -> bytes:
        """A record of this bad kind, made of a good statement that is sent at running time `at`."""
        ahead = max(at, self._tempo.start) + 2 * DAY_MS
        if kind == "fast_clock":
            statement = statement._replace(recorded=ahead)
        elif kind == "future_actual":
            statement = statement._replace(occurred=ahead)
        document = statement.encode(self._tempo)
        if kind == "cut_off":
            return msgspec.json.encode(document)[:-9]
        if kind == "not_an_object":
            return msgspec.json.encode([document])
        if kind in _LEFT_OUT:
            del document[_LEFT_OUT[kind]]
        elif kind in _PUT_IN:
            document.update(_PUT_IN[kind])
        elif kind == "wrong_topic":
            document["type"] = "received" if statement.topic == "supplier.events" else "order_closed"
        elif kind == "naive_time":
            document["occurred_at"] = document["occurred_at"][:23].rstrip("Z")
        elif kind == "negative_quantity":
            document["quantity"] = -document["quantity"]
        return msgspec.json.encode(document)

    def _duplicate(self, now: int, at: int, statement: Statement) -> tuple[Sending, ...]:
        again = self._later(now, at, MINUTE_MS, 8 * HOUR_MS)
        return Sending(at, statement), Sending(again, statement, "duplicate")

    def _late(self, now: int, at: int, statement: Statement) -> tuple[Sending, ...]:
        said = self._later(now, at, 12 * HOUR_MS, 3 * DAY_MS)
        return (Sending(said, statement._replace(recorded=said), "late"),)

    def _out_of_order(self, now: int, at: int, statement: Statement) -> tuple[Sending, ...]:
        return (Sending(self._later(now, at, 2 * HOUR_MS, 12 * HOUR_MS), statement, "out_of_order"),)

    def _correction(self, now: int, at: int, statement: Statement) -> tuple[Sending, ...]:
        said = self._later(now, at, 2 * HOUR_MS, 30 * HOUR_MS)
        right = statement._replace(recorded=said)
        return Sending(at, self._wrong(now, statement)), Sending(said, right, "correction")

    def _retraction(self, now: int, at: int, statement: Statement) -> tuple[Sending, ...]:
        said = self._later(now, at, 2 * HOUR_MS, 20 * HOUR_MS)
        phantom = self._phantom(statement)
        withdrawn = phantom._replace(recorded=said, retracted=True)
        return Sending(at, statement), Sending(at, phantom), Sending(said, withdrawn, "retraction")

    def _bad(self, now: int, at: int, statement: Statement) -> tuple[Sending, ...]:
        """The kind whose turn it is, of those that the statement can be spoiled to; then the statement."""
        kind = next(
            kind
            for kind in self._turns
            if (kind != "negative_quantity" or statement.body.get("quantity", 0) > 0)
            and (kind != "future_actual" or not statement.planned)
        )
        self._turns.remove(kind)
        self._turns.append(kind)
        resent = max(at + 1, self._tempo.run(now + 10 * MINUTE_MS))
        return Sending(at, statement, kind), Sending(resent, statement)

    def _later(self, now: int, at: int, least: int, most: int) -> int:
        """A running instant after `at`, between `least` and `most` natural ms from now."""
        return max(at + 1, self._tempo.run(now + least + int(self._rng.random() * (most - least))))

    def _wrong(self, now: int, statement: Statement) -> Statement:
        """The statement as it was first made: another quantity, or a time that is some hours off."""
        quantity = statement.body.get("quantity")
        if quantity is not None:
            slip = quantity + 1 + int(self._rng.random() * 6)
            if quantity and self._rng.random() < _ZERO_TOO_MANY:
                slip = quantity * 10
            return statement._replace(body={**statement.body, "quantity": round(slip, 3)})
        off = self._tempo.run(now - HOUR_MS - int(self._rng.random() * 5 * HOUR_MS)) - self._tempo.run(now)
        return statement._replace(occurred=statement.occurred + off)

    def _phantom(self, statement: Statement) -> Statement:
        """What never happened: the same thing booked twice, or a delivery of another shipment."""
        phantom = statement._replace(event_id=f"{statement.event_id}-B")
        body = statement.body
        if body.get("classifier") == "actual" and body["milestone"] in {"departed", "arrived", "discharged"}:
            phantom = phantom._replace(body={**body, "milestone": "delivered"})
        return phantom

    def _misprint(self, at: int, statement: Statement) -> tuple[Sending, ...] | None:
        references = statement.body["references"]
        for name in ("container", "sscc"):
            if name in references and self._rng.random() < self._check_digit:
                wrong = {**references, name: labels.misprinted(references[name])}
                return (Sending(at, statement._replace(body={**statement.body, "references": wrong}), "check_digit"),)
        return None
