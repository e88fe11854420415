"""What stands in a cell of a file, and the rows that cells stand in."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal
from typing import Final, NamedTuple

ERRORS: Final = frozenset(
    {"#N/A", "#REF!", "#DIV/0!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!", "#SPILL!", "#CALC!", "#GETTING_DATA", "#####"}
)
"""What a spreadsheet shows where a formula failed, and exports as text."""


class Fault(NamedTuple):
    """A cell that tells nothing that can be used: how it looks, and why."""

    shown: str
    reason: str


Cell = str | Decimal | datetime | Fault | None
"""Text without blanks around it; a real number; a real date with time, of no zone; None: nothing."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row. `number`: unique in its file; `place`: as a person finds it there (`12`); `raw`: its bytes.

    `problem` says why there are no cells.
    """

    number: int
    place: str
    cells: Mapping[str, Cell]
    raw: bytes
    problem: str = ""


class Unreadable(Exception):
    """Why a row makes no event of a rule. `field`: of the event; `row`: where it stands, if it is one of several."""

    def __init__(self, reason: str, field: str = "", row: Row | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.field = field
        self.row = row


def text_of(cell: Cell) -> str | None:
    """The cell as text: numbers without an exponent or trailing zeros, midnights as dates alone.

    Raises Unreadable for a fault.
    """
    if cell is None or isinstance(cell, str):
        return cell or None
    if isinstance(cell, Fault):
        raise Unreadable(cell.reason)
    if isinstance(cell, Decimal):
        return plain(cell)
    return cell.date().isoformat() if cell.time() == time() else cell.isoformat()


def plain(number: Decimal) -> str:
    """A number as a person writes it: `12`, `0.5`, `-1200`."""
    text = f"{number:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text
