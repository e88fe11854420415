"""From the rows of a file to events, or to the reason why a row makes none.

Pure: what comes out depends on the mapping, the rows and the time of the file. The same rows give the same bytes. No
row is passed over in silence: it makes events, or is skipped for a reason that is counted, or is told as unmapped.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

from schemas.derived import DeadLetter
from schemas.errors import WrongInput
from schemas.mapping.cells import Row, Unreadable
from schemas.mapping.model import Mapping as MappingFile
from schemas.mapping.model import Said
from schemas.mapping.rules import Rule, all_hold
from schemas.mapping.templates import template_of
from schemas.mapping.values import template_in
from schemas.times import to_ms
from schemas.wording import instead, shown

MAX_RAW_BYTES: Final = 500_000
"""More of an unmapped row is not kept, so that it fits into one dead letter."""

_EXAMPLES: Final = 3
_WORD: Final = 2**64

NOTES: Final[Mapping[str, str]] = {
    "time_in_gap": "local times that do not exist, since the clocks went over them",
    "time_twice": "local times that were there twice; the earlier is taken",
    "two_formats": "dates that two of the formats read differently; the first format counts",
    "line_repeated": "rows that repeat a line of their order",
    "event_repeated": "events that the file makes twice with the same content",
    "said_again": "events that the file makes again with another recorded_at; the latest counts",
}
"""What is told of rows though they make events."""


class Made(NamedTuple):
    """An event, and the rows that it was made of."""

    event_id: str
    type: str
    raw: bytes
    rows: Sequence[Row]


class Unmapped(NamedTuple):
    """A row of which an event that was meant could not be made, with a whole sentence why."""

    row: Row
    reason: str
    field: str = ""
    grouped: bool = False

    def dead_letter(self, name: str, digest: str, arrived_at: int) -> DeadLetter:
        """The row as a dead letter that arrived then (ms).

        Its coordinate is epoch 0, topic `map/DIGEST` (of the file's content), the row's number as offset, partition 1
        for a row whose event was to be made of several: the same row of the same file is the same dead letter.
        """
        raw, reason = self.row.raw, self.reason
        if len(raw) > MAX_RAW_BYTES:
            reason += f" Only the first {MAX_RAW_BYTES} of its {len(raw)} bytes are kept."
        return DeadLetter(
            epoch=0,
            topic=f"map/{digest}",
            partition=int(self.grouped),
            offset=self.row.number,
            appended_at=arrived_at,
            cause="unmapped",
            reason=reason,
            field=self.field,
            key=b"",
            value=raw[:MAX_RAW_BYTES],
            origin=f"{name}:{self.row.place}",
        )


@dataclass(slots=True)
class Sums:
    """What became of the rows so far. `notes`: by kind how many there are, and the first of them in words."""

    rows: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    notes: dict[str, tuple[int, list[str]]] = field(default_factory=dict)

    def tell(self, kind: str, sentence: str) -> None:
        """Count something that is to be told."""
        count, first = self.notes.get(kind, (0, []))
        self.notes[kind] = count + 1, [*first, sentence] if len(first) < _EXAMPLES else first


class Mapper:
    """Makes events of rows by a mapping. `file_time`: when the file was last written, in ms."""

    def __init__(self, mapping: MappingFile, file_time: int) -> None:
        self.sums: Final = Sums()
        self._mapping: Final = mapping
        self._rules: Final = tuple(Rule(mapping, rule, file_time) for rule in mapping.events)
        self._waiting: Final[dict[tuple[int, tuple[str, ...]], list[Row]]] = {}
        self._said: Final[dict[int, int]] = {}

    def take(self, row: Row) -> Iterator[Made | Unmapped]:
        """What one row makes at once; what it makes together with others comes from `finish`."""
        self.sums.rows += 1
        if row.problem:
            yield Unmapped(row, _sentence(row.problem))
            return
        for skip in self._mapping.skip:
            if all_hold(skip.when, row):
                self.sums.skipped[skip.reason] += 1
                return
        applying = [number for number, rule in enumerate(self._rules) if rule.applies(row)]
        faults: list[Unreadable] = []
        for number in applying:
            try:
                made = self._taken_by(number, row)
            except Unreadable as error:
                faults.append(error)
            else:
                if made is not None:
                    yield made
        if not applying:
            yield Unmapped(row, "No rule under `events` is for this row, and no `skip` is: add one to the mapping.")
        elif faults:
            yield Unmapped(row, " ".join(_sentence(fault.reason) for fault in faults), faults[0].field)

    def finish(self) -> Iterator[Made | Unmapped]:
        """What rows make together, in the order of their first rows."""
        faults: dict[int, list[tuple[Row, Unreadable]]] = {}
        for (number, _), rows in sorted(self._waiting.items(), key=lambda pair: (pair[1][0].number, pair[0][0])):
            try:
                made = self._made(self._rules[number], rows)
            except Unreadable as error:
                for row in rows:
                    faults.setdefault(row.number, []).append((row, error))
                continue
            if made is not None:
                yield made
        for told in faults.values():
            yield Unmapped(
                told[0][0],
                " ".join(_of_a_group(row, error) for row, error in told),
                told[0][1].field,
                grouped=True,
            )

    def _taken_by(self, number: int, row: Row) -> Made | None:
        """The event that the row makes of a rule at once; where others may belong to it, it waits for them."""
        rule = self._rules[number]
        if not rule.group_by:
            return self._made(rule, [row])
        self._waiting.setdefault((number, rule.group_of(row)), []).append(row)
        return None

    def _made(self, rule: Rule, rows: Sequence[Row]) -> Made | None:
        """The event of these rows; None where it was made before. Raises Unreadable."""
        document = rule.event(rows, self.sums.tell)
        raw = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        event_id = str(document["event_id"])
        key, digest, recorded = _hash(event_id.encode()), _hash(raw), _recorded(document)
        before = self._said.get(key)
        if before is None:
            self._said[key] = recorded * _WORD + digest
        elif before == recorded * _WORD + digest:
            self.sums.tell("event_repeated", f"row {rows[0].place} makes {shown(event_id)} again")
            return None
        elif before // _WORD == recorded:
            raise Unreadable(
                f"event_id {shown(event_id)} was made before in this file, of something else with the same "
                "recorded_at: name in event_id what tells the two apart, or group_by what makes them one",
                "event_id",
            )
        else:
            self._said[key] = max(before, recorded * _WORD + digest)
            self.sums.tell("said_again", f"row {rows[0].place} makes {shown(event_id)} again")
        return Made(event_id, str(document["type"]), raw, rows)


def columns_of(mapping: MappingFile) -> dict[str, str]:
    """The columns that the mapping reads and that have to be there, and for what."""
    needed: dict[str, str] = {}

    def named(names: Iterable[str], what: str) -> None:
        for name in names:
            needed.setdefault(name, what)

    def said(value: Said, what: str) -> None:
        if not value.optional:
            named(template_in(value).columns, what)

    for skip in mapping.skip:
        named((condition.column for condition in skip.when), "skip")
    for rule in mapping.events:
        said(rule.type, "type")
        named((condition.column for condition in (*rule.when, *rule.retracted)), "when")
        named(template_of(rule.event_id).columns, "event_id")
        named(rule.group_by, "group_by")
        said(rule.occurred_at, "occurred_at")
        said(rule.recorded_at or mapping.recorded_at, "recorded_at")
        for values in (rule.fields, rule.references, rule.attributes, rule.lines):
            for name, value in values.items():
                said(value, name)
    return needed


def require_columns(name: str, mapping: MappingFile, header: Sequence[str], hint: str = "") -> None:
    """Raise WrongInput where the file has not every column that the mapping reads, or one of them twice."""
    needed = columns_of(mapping)
    missing = [column for column in needed if column not in header]
    if missing:
        known = [column for column in dict.fromkeys(header) if column]
        told = "; ".join(f"{shown(column)} (for {needed[column]}): {instead(column, known)}" for column in missing[:5])
        more = f" (and {len(missing) - 5} more)" if len(missing) > 5 else ""  # noqa: PLR2004  # as many as are told
        raise WrongInput(f"{name} has no column {told.rstrip('.')}{more}{hint}.")
    twice = sorted({column for column in needed if header.count(column) > 1})
    if twice:
        raise WrongInput(
            f"{name} has more than one column {', '.join(map(shown, twice))}: it cannot be told which is meant; rename "
            "or delete one in the header."
        )


def _of_a_group(row: Row, error: Unreadable) -> str:
    if error.row is None or error.row is row:
        return _sentence(error.reason)
    return f"Its event is made of several rows, and row {error.row.place} cannot be read: {_sentence(error.reason)}"


def _sentence(reason: str) -> str:
    reason = reason.rstrip()
    return reason if reason.endswith((".", "?")) else reason + "."


def _hash(text: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")


def _recorded(document: dict[str, Any]) -> int:
    return to_ms(datetime.fromisoformat(document["recorded_at"]))
