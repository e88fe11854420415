"""One rule of a mapping: from a row, or from rows that belong together, to the document of an event."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from schemas.mapping.cells import Cell, Row, Unreadable, text_of
from schemas.mapping.checking import types_of
from schemas.mapping.dates import Moment
from schemas.mapping.model import FILE_TIME, Condition, EventRule, Mapping
from schemas.mapping.targets import Target, reference_targets, targets_of
from schemas.mapping.templates import template_of
from schemas.mapping.values import Field, field_of
from schemas.times import rfc3339, to_ms
from schemas.wire import topic_of
from schemas.wording import shown

Tell = Callable[[str, str], None]
"""Takes what is to be told of a row though it makes an event: its kind, and a sentence."""

_TYPE: Final = Target("type", "text", required=True)
_OCCURRED: Final = Target("occurred_at", "time", required=True)
_RECORDED: Final = Target("recorded_at", "time", required=True)
_ORDERS: Final = "supplier.events"
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class _Shape:
    """The fields of one type of event, as a rule fills them."""

    fields: tuple[Field, ...]
    lines: tuple[Field, ...]
    one_line_per_id: bool


class Rule:
    """A rule that is ready for rows. `file_time`: when the file was last written, in ms."""

    def __init__(self, mapping: Mapping, rule: EventRule, file_time: int) -> None:
        self._source: Final = mapping.source
        self._rule: Final = rule
        self.group_by: Final = rule.group_by
        self._type: Final = field_of("type", rule.type, _TYPE, mapping, rule)
        self._event_id: Final = template_of(rule.event_id)
        self._occurred: Final = field_of("occurred_at", rule.occurred_at, _OCCURRED, mapping, rule)
        recorded = rule.recorded_at or mapping.recorded_at
        self._file_time: Final = Moment(rfc3339(file_time), assumed=False) if recorded.template == FILE_TIME else None
        self._recorded: Final = (
            None if self._file_time is not None else field_of("recorded_at", recorded, _RECORDED, mapping, rule)
        )
        self._references: Final = tuple(
            field_of(f"references.{name}", said, reference_targets()[name], mapping, rule)
            for name, said in rule.references.items()
        )
        self._attributes: Final = tuple(
            field_of(f"attributes.{name}", said, Target(name, "text", required=False), mapping, rule)
            for name, said in rule.attributes.items()
        )
        self._shapes: Final = {kind: _shape(mapping, rule, kind) for kind in types_of(mapping, rule)}

    def applies(self, row: Row) -> bool:
        """Whether the row is one of those that this rule is for."""
        return all_hold(self._rule.when, row)

    def group_of(self, row: Row) -> tuple[str, ...]:
        """What the row's event is grouped by. Raises Unreadable where a column of it is empty."""
        texts = [(name, text_of(row.cells.get(name))) for name in self.group_by]
        for name, text in texts:
            if text is None:
                raise Unreadable(f"column {name} is empty, so it cannot be told which event the row belongs to", name)
        return tuple(text or "" for _, text in texts)

    def event(self, rows: Sequence[Row], tell: Tell) -> dict[str, Any]:
        """The event that these rows make together. Raises Unreadable."""
        one = _Event(rows, tell)
        kind = one.shared(self._type)
        shape = self._shapes[kind]
        event_id = one.agreed("event_id", [self._event_id.render(_texts(row)) for row in rows])
        if event_id is None:
            columns = ", ".join(self._event_id.columns)
            raise Unreadable(f"event_id cannot be made: one of the columns {columns} is empty", "event_id")
        document: dict[str, Any] = {"event_id": event_id, "source": self._source, "type": kind}
        document["occurred_at"] = one.shared(self._occurred)
        document["recorded_at"] = self._file_time.text if self._file_time else one.latest(self._recorded)
        withdrawn = [bool(self._rule.retracted) and all_hold(self._rule.retracted, row) for row in rows]
        if one.agreed("retracted", withdrawn):
            document["retracted"] = True
        for field in shape.fields:
            value = one.each(field) if field.target.kind == "texts" else one.shared(field)
            if value is not None:
                document[field.name] = value
        if shape.lines:
            document["lines"] = one.lines(shape.lines, one_per_id=shape.one_line_per_id)
        for name, fields in (("references", self._references), ("attributes", self._attributes)):
            said = {field.target.name: value for field in fields if (value := one.shared(field)) is not None}
            if said:
                document[name] = said
        if self._rule.precision == "day":
            document["precision"] = "day"
        if one.assumed:
            document["zone_assumed"] = True
        return document


def all_hold(conditions: Iterable[Condition], row: Row) -> bool:
    """Whether the row is as all these conditions say."""
    return all(_holds(condition, row.cells.get(condition.column)) for condition in conditions)


def _holds(condition: Condition, cell: Cell) -> bool:
    try:
        text = text_of(cell) or ""
    except Unreadable:
        text = getattr(cell, "shown", "")
    if condition.equals is not None:
        return text == condition.equals
    if condition.not_equals is not None:
        return text != condition.not_equals
    if condition.among is not None:
        return text in condition.among
    if condition.not_among is not None:
        return text not in condition.not_among
    if condition.matches is not None:
        return condition.matches.search(text) is not None
    return (not text) == condition.empty


def _shape(mapping: Mapping, rule: EventRule, kind: str) -> _Shape:
    targets = targets_of(kind)
    parts = targets["lines"].parts if "lines" in targets else {}
    return _Shape(
        fields=tuple(field_of(name, said, targets[name], mapping, rule) for name, said in rule.fields.items()),
        lines=tuple(field_of(name, said, parts[name], mapping, rule) for name, said in rule.lines.items()),
        one_line_per_id=topic_of(kind) == _ORDERS,
    )


def _texts(row: Row) -> Callable[[str], str | None]:
    return lambda name: text_of(row.cells.get(name))


class _Event:
    """The rows of one event, and what of their times is to be told."""

    def __init__(self, rows: Sequence[Row], tell: Tell) -> None:
        self._rows = rows
        self._tell = tell
        self.assumed = False

    def shared(self, field: Field) -> Any:
        """What all rows say of the event itself; rows that say nothing do not count, if any says something."""
        if len(self._rows) == 1 or not field.template.columns:
            return self._read(field, self._rows[0])
        value = self.agreed(field.name, [self._read(field, row, needed=False) for row in self._rows])
        return self._read(field, self._rows[0]) if value is None else value

    def agreed(self, name: str, values: list[_Value]) -> _Value | None:
        """The one value of all rows. Raises Unreadable where two differ."""
        found: tuple[_Value, Row] | None = None
        if len(values) == 1:
            return values[0]
        for value, row in zip(values, self._rows, strict=True):
            if value is None:
                continue
            if found is None:
                found = value, row
            elif value != found[0]:
                raise Unreadable(
                    f"{name} is {shown(found[0])} on row {found[1].place} and {shown(value)} on row {row.place}, but "
                    "they make one event together (group_by)",
                    name,
                    row,
                )
        return None if found is None else found[0]

    def latest(self, field: Field | None) -> str:
        """The last of the rows' times."""
        texts = [] if field is None else [self._read(field, row) for row in self._rows]
        return str(max(texts, key=_instant))

    def each(self, field: Field) -> list[Any]:
        """What each row says, each once."""
        return list(dict.fromkeys(value for row in self._rows if (value := self._read(field, row)) is not None))

    def lines(self, fields: Sequence[Field], *, one_per_id: bool) -> list[dict[str, Any]]:
        """A line of each row. `one_per_id`: two rows with one line_id are a repeat, or a contradiction."""
        found: list[dict[str, Any]] = []
        first: dict[str, tuple[dict[str, Any], Row]] = {}
        for row in self._rows:
            line = {field.name: value for field in fields if (value := self._read(field, row)) is not None}
            line_id = line.get("line_id") if one_per_id else None
            before = first.setdefault(line_id, (line, row)) if line_id is not None else (line, row)
            if before[1] is row:
                found.append(line)
            elif before[0] == line:
                self._tell("line_repeated", f"row {row.place} repeats line {line_id} of row {before[1].place}")
            else:
                raise Unreadable(
                    f"line_id {shown(line_id)} is on row {before[1].place} and, with other content, on row {row.place}",
                    "lines.line_id",
                    row,
                )
        return found

    def _read(self, field: Field, row: Row, *, needed: bool = True) -> Any:
        try:
            value = field.read(row.cells, needed=needed)
        except Unreadable as error:
            raise Unreadable(error.reason, error.field, row) from None
        if isinstance(value, Moment):
            self.assumed |= value.assumed
            if value.doubt is not None:
                self._tell(value.doubt, f"row {row.place}: {field.name}: {value.why}")
            return value.text
        return value


def _instant(text: str) -> tuple[int, str]:
    return to_ms(datetime.fromisoformat(text)), text
