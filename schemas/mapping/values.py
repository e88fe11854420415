"""One value of an event out of the cells of a row: where it comes from, and how it is read."""

from collections.abc import Mapping as Cells
from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from schemas.mapping.cells import ERRORS, Cell, Fault, Unreadable, plain, text_of
from schemas.mapping.dates import ISO, Moment, Times
from schemas.mapping.model import EVERYTHING_ELSE, EventRule, Mapping, Said
from schemas.mapping.numbers import read_number
from schemas.mapping.targets import Target
from schemas.mapping.templates import Column, Template, template_of
from schemas.wording import shown

END_OF_DAY: Final = "end_of_day"
_LAST_MOMENT: Final = time(23, 59, 59, 999_000)
_YES: Final = frozenset({"true", "yes", "y", "1", "x"})
_NO: Final = frozenset({"false", "no", "n", "0"})


def template_in(said: Said) -> Template:
    """What a value is made of. Raises ValueError with a sentence."""
    if said.column is not None:
        return Template((Column(said.column),))
    if said.constant is not None:
        return Template((said.constant,))
    return template_of(said.template or "")


def time_of_day(text: str | None) -> time | None:
    """The time of day that `at` names; None for what is none."""
    if text == END_OF_DAY:
        return _LAST_MOMENT
    try:
        told = None if text is None else time.fromisoformat(text)
    except ValueError:
        return None
    return None if told is None or told.tzinfo is not None else told


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an event, and how it is read from a row."""

    name: str
    target: Target
    template: Template
    codes: Cells[str, str] | None
    map_name: str
    default: str | None
    empty: frozenset[str]
    times: Times
    decimal: str
    thousands: str
    strip: tuple[str, ...]
    factor: Decimal | None
    fixed: str | None = None
    """What it is on every row, where that is a text."""

    def read(self, cells: Cells[str, Cell], *, needed: bool = True) -> str | int | bool | Moment | None:
        """The value as it goes into the event's JSON (times: with what is to be told of them); None: not told.

        Raises Unreadable with a sentence that names the columns, also where there is nothing, but it is `needed` and
        required.
        """
        if self.fixed is not None:
            return self.fixed
        try:
            cell = self._cell(cells)
            value = None if cell is None else self._read(cell)
        except Unreadable as error:
            raise Unreadable(f"{self.name}: {self._from()}{error.reason}", self.name) from None
        if value is None and needed and self.target.required:
            raise Unreadable(f"{self.name} is missing: {self._from()}empty", self.name)
        return value

    def _from(self) -> str:
        columns = self.template.columns
        if not columns:
            return ""
        return f"column{'s' if len(columns) > 1 else ''} {', '.join(columns)}: "

    def _cell(self, cells: Cells[str, Cell]) -> str | Decimal | datetime | None:
        column = self.template.only_column
        cell: str | Decimal | datetime | None
        if column is not None:
            cell = _usable(cells.get(column), self.empty)
        else:
            cell = self.template.render(lambda name: text_of(_usable(cells.get(name), self.empty)))
        if self.codes is not None and cell is not None:
            cell = self._mapped(text_of(cell) or "")
        if cell is None or cell == "":
            return self.default
        return cell

    def _mapped(self, code: str) -> str:
        codes = self.codes or {}
        becomes = codes.get(code, codes.get(EVERYTHING_ELSE))
        if becomes is None:
            raise Unreadable(f"{shown(code)} is not in its map{self.map_name}")
        return becomes

    def _read(self, cell: str | Decimal | datetime) -> str | int | bool | Moment | None:
        kind = self.target.kind
        if kind == "time":
            return self.times.read(cell)
        if kind in {"number", "whole"}:
            number = self._number(cell)
            return int(number) if kind == "whole" and number == int(number) else plain(number)
        text = text_of(cell) or ""
        if kind == "flag":
            if text.casefold() in _YES | _NO:
                return text.casefold() in _YES
            raise Unreadable(f"{shown(text)} is neither yes nor no")
        return text

    def _number(self, cell: str | Decimal | datetime) -> Decimal:
        number = cell if isinstance(cell, Decimal) else None
        if isinstance(cell, str):
            ours = cell == self.default or (self.codes is not None) or not self.template.columns
            number = read_number(cell, ".", "") if ours else None
            number = read_number(cell, self.decimal, self.thousands, self.strip) if number is None else number
        if number is None:
            with_groups = f" and {shown(self.thousands)} between thousands" if self.thousands else ""
            raise Unreadable(f"{shown(cell)} is no number with decimal {shown(self.decimal)}{with_groups}")
        return number if self.factor is None else number * self.factor


def field_of(name: str, said: Said, target: Target, mapping: Mapping, rule: EventRule) -> Field:
    """How a value of a sound mapping is read."""
    zone = said.zone or rule.zone or mapping.zone
    return Field(
        name=name,
        target=target,
        template=template_in(said),
        codes=mapping.maps[said.map] if isinstance(said.map, str) else said.map,
        map_name=f" {said.map}" if isinstance(said.map, str) else "",
        default=said.default,
        empty=frozenset((*mapping.empty, *said.empty)),
        times=Times(
            formats=said.formats or (ISO,),
            zone=None if zone is None else ZoneInfo(zone),
            at=time_of_day(said.at),
            by_day=rule.precision == "day",
        ),
        decimal=said.decimal or mapping.numbers.decimal,
        thousands=mapping.numbers.thousands if said.thousands is None else said.thousands,
        strip=said.strip,
        factor=None if said.factor is None else Decimal(said.factor),
        fixed=_fixed(said, target),
    )


def _fixed(said: Said, target: Target) -> str | None:
    """A text that no column has a part in."""
    template = template_in(said)
    if target.kind != "text" or template.columns or said.map is not None or said.empty or said.default is not None:
        return None
    return template.render(lambda _: None) or None


def _usable(cell: Cell, empty: frozenset[str]) -> str | Decimal | datetime | None:
    """The cell without what means nothing. Raises Unreadable for a fault, or a formula's error."""
    if isinstance(cell, Fault):
        if cell.shown in empty:
            return None
        raise Unreadable(cell.reason)
    if not isinstance(cell, str):
        return cell
    if not cell or cell in empty:
        return None
    if cell in ERRORS:
        raise Unreadable(f"it holds {cell}, the error of a formula")
    return cell
