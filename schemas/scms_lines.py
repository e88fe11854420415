"""From a row of the SCMS delivery history to a line: one item of one order in one shipment.

Cells are checked here, one row at a time; what needs several rows is in `schemas.scms_events`.
"""

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from schemas.scms_dates import read_date
from schemas.scms_file import Row
from schemas.scms_report import Odd
from schemas.shipment import Mode

OWNER: Final = "scms"
"""The owner of the item codes, which are the item descriptions of the programme's item master."""

RDC: Final = "RDC"
"""The origin of goods `From RDC`: some regional distribution centre; the file does not name which."""

MODES: Final[dict[str, Mode]] = {"Air": "air", "Air Charter": "air", "Truck": "road", "Ocean": "ocean"}

ATTRIBUTES: Final = {
    "Project Code": "project_code",
    "PQ #": "pq_number",
    "PQ First Sent to Client Date": "pq_sent",
    "Managed By": "managed_by",
    "Fulfill Via": "fulfill_via",
    "Vendor INCO Term": "inco_term",
    "Shipment Mode": "shipment_mode",
}
"""Columns that are carried as text, and the attribute each becomes."""

MAX_ID: Final = 40
MAX_NAME: Final = 100
MAX_CODE: Final = 250
MAX_TEXT: Final = 2_000


@dataclass(frozen=True, slots=True)
class Line:
    """One usable row. What is None was not told, or not so that it can be used.

    `recorded` is the day on which the delivery was recorded or, where the file has none, the delivered
    day, else the scheduled one. Quantity and price are decimal text. `noted` has the row's odd cells.
    """

    row: Row
    id: str
    shipment: str
    item: str
    quantity: str
    order: str | None
    vendor: str | None
    country: str | None
    site: str | None
    fulfilment: str | None
    mode: Mode | None
    price: str | None
    ordered: date | None
    scheduled: date | None
    delivered: date | None
    recorded: date | None
    first: bool
    freight: str
    weight: str
    attributes: dict[str, str]
    noted: tuple[tuple[str, Odd], ...]

    def odd(self, column: str, value: str | None = None) -> Odd:
        """An oddity of this row; the value is the cell's text unless told otherwise."""
        return Odd(self.row.line, self.id, column, self.row.cells[column] if value is None else value)

    def place(self) -> tuple[int, str]:
        """Sorts lines by ID: numbers by value, others after them by text."""
        number = self.id.isascii() and self.id.isdigit()
        return (int(self.id), self.id) if number else (_LAST, self.id)


@dataclass(frozen=True, slots=True)
class Unusable:
    """A row of which no line can be made: why, in one sentence, and the column that is to blame."""

    row: Row
    id: str
    reason: str
    column: str


def read_line(row: Row) -> Line | Unusable:
    """The line in a row, or why there is none."""
    if row.problem:
        return Unusable(row, "", f"The row cannot be read: {row.problem}.", "")
    cells = _Cells(row)
    identifier = cells.name("ID", MAX_ID)
    shipment = cells.name("ASN/DN #", MAX_ID)
    code = cells.text("Item Description", MAX_CODE)
    quantity = cells.number("Line Item Quantity", _QUANTITY_DECIMALS)
    if identifier is None or shipment is None or code is None or quantity is None:
        needed = zip(_NEEDED, (identifier, shipment, code, quantity), strict=True)
        column = next(column for column, told in needed if told is None)
        said = row.cells[column]
        fault = f"{column} {_short(said)!r} cannot be used" if said else f"{column} is empty"
        return Unusable(row, row.cells["ID"][:MAX_ID], f"The row tells nothing: {fault}.", column)
    scheduled, delivered, recorded, ordered = (cells.day(column) for column in _DATES)
    _note_dates(cells, ordered, scheduled, delivered, recorded)
    mode = _mode_and_costs(cells)
    return Line(
        row=row,
        id=identifier,
        shipment=shipment,
        item=f"{OWNER}:{code}",
        quantity=quantity,
        order=cells.name("PO / SO #", MAX_ID),
        vendor=cells.name("Vendor", MAX_NAME),
        country=cells.name("Country", MAX_NAME),
        site=cells.name("Manufacturing Site", MAX_NAME),
        fulfilment=cells.name("Fulfill Via", MAX_NAME),
        mode=mode,
        price=cells.number("Pack Price", _PRICE_DECIMALS),
        ordered=ordered,
        scheduled=scheduled,
        delivered=delivered,
        recorded=recorded or delivered or scheduled,
        first=row.cells["First Line Designation"] == "Yes",
        freight=cells.attribute("Freight Cost (USD)"),
        weight=cells.attribute("Weight (Kilograms)"),
        attributes={name: text for column, name in ATTRIBUTES.items() if (text := cells.attribute(column))},
        noted=cells.noted(),
    )


def _note_dates(
    cells: "_Cells",
    ordered: date | None,
    scheduled: date | None,
    delivered: date | None,
    recorded: date | None,
) -> None:
    """Note what the dates of a row say against each other."""
    cells.day("PQ First Sent to Client Date")
    if cells.cell("PQ #") == _NO_QUOTE:
        cells.note("pre_pq_process", "PQ #")
    if recorded is None and (delivered or scheduled):
        cells.note("recorded_date_assumed", "Delivery Recorded Date")
    if ordered and delivered and delivered < ordered:
        cells.note("delivered_before_ordered", "Delivered to Client Date")
    if recorded and delivered and recorded < delivered:
        cells.note("recorded_before_delivered", "Delivery Recorded Date")


def _mode_and_costs(cells: "_Cells") -> Mode | None:
    """The mode; it and the costs are noted where they are words or nothing."""
    mode = MODES.get(cells.cell("Shipment Mode"))
    if mode is None:
        cells.note("mode_unknown", "Shipment Mode")
    for column, kind in _AMOUNTS.items():
        if not _NUMBER.fullmatch(cells.cell(column)):
            cells.note(kind, column)
    if not cells.cell("Line Item Insurance (USD)"):
        cells.note("insurance_empty", "Line Item Insurance (USD)")
    return mode


class _Cells:
    """Reads the cells of one row and notes what is odd."""

    def __init__(self, row: Row) -> None:
        self._row = row
        self._noted: dict[tuple[str, Odd], None] = {}

    def cell(self, column: str) -> str:
        """The cell's text."""
        return self._row.cells[column]

    def note(self, kind: str, column: str) -> None:
        """Note an oddity of this cell, once."""
        self._noted[kind, Odd(self._row.line, self.cell("ID"), column, self.cell(column))] = None

    def noted(self) -> tuple[tuple[str, Odd], ...]:
        """What was noted so far: kind and oddity."""
        return tuple(self._noted)

    def name(self, column: str, longest: int) -> str | None:
        """A name that may be part of a key."""
        return self._cleaned(column, longest, _NOT_IN_NAMES)

    def text(self, column: str, longest: int) -> str | None:
        """A text without control characters."""
        return self._cleaned(column, longest, _CONTROL)

    def attribute(self, column: str) -> str:
        """A text that may be empty."""
        return (self.text(column, MAX_TEXT) or "") if self.cell(column) else ""

    def _cleaned(self, column: str, longest: int, refused: re.Pattern[str]) -> str | None:
        """The cell with each refused character replaced by `/`; None if it is empty or too long."""
        cell = self.cell(column)
        if not cell:
            self.note("cell_missing", column)
            return None
        if len(cell) > longest:
            self.note("cell_unusable", column)
            return None
        text = refused.sub("/", cell)
        if text != cell:
            self.note("name_replaced", column)
        return text

    def number(self, column: str, decimals: int) -> str | None:
        """A number of at most so many decimals as decimal text without needless zeros."""
        cell = self.cell(column)
        match = _PLAIN.fullmatch(cell)
        if match is None or len((match[1] or "").rstrip("0")) > decimals:
            self.note("cell_unusable" if cell else "cell_missing", column)
            return None
        return f"{Decimal(cell).normalize():f}"

    def day(self, column: str) -> date | None:
        """A day; the reason why there is none is noted."""
        told = read_date(self.cell(column))
        if told.odd is not None:
            self.note(told.odd, column)
        return told.day


def _short(text: str) -> str:
    return text if len(text) <= MAX_ID else text[:MAX_ID] + "..."


_NEEDED: Final = ("ID", "ASN/DN #", "Item Description", "Line Item Quantity")
_DATES: Final = (
    "Scheduled Delivery Date",
    "Delivered to Client Date",
    "Delivery Recorded Date",
    "PO Sent to Vendor Date",
)
_AMOUNTS: Final = {
    "Freight Cost (USD)": "freight_given_elsewhere",
    "Weight (Kilograms)": "weight_given_elsewhere",
}
_NO_QUOTE: Final = "Pre-PQ Process"
_LAST: Final = 10**50
_CONTROL: Final = re.compile("[\x00-\x1f\x7f]")
_NOT_IN_NAMES: Final = re.compile("[\x00-\x1f\x7f|>]")
_QUANTITY_DECIMALS: Final = 3
_PRICE_DECIMALS: Final = 6
_PLAIN: Final = re.compile(r"[0-9]{1,12}(?:\.([0-9]{1,15}))?")
_NUMBER: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?")
