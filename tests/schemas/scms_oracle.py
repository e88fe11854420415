"""The SCMS delivery history counted a second time: plain csv and datetime, nothing of ours."""

import csv
import io
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation


@dataclass(frozen=True)
class Told:
    """What a file tells of one line of goods."""

    order: str | None
    shipment: str
    item: str
    quantity: Decimal
    price: Decimal | None
    ordered: date | None
    scheduled: date | None
    delivered: date | None


@dataclass(frozen=True)
class Figures:
    """What is known of a file as a whole."""

    lines: int
    shipments: int
    late_lines: int
    late_by_more_than_a_week: int
    shipments_with_a_late_line: int
    without_date_of_order: int
    delivered_before_ordered: int
    order_to_delivery: int
    zero: int
    mean: float
    deviation: float


def lines_of(content: bytes) -> dict[str, Told]:
    """Every usable line by ID, of a file whose rows may be broken; the row recorded last counts."""
    text = content.decode("utf-8-sig", "replace")
    header = next(csv.reader([text.split("\n")[0]]))
    latest: dict[str, tuple[date, Told]] = {}
    for cells in _records(text, len(header)):
        if cells == header:
            continue
        row = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
        quantity = _decimal(row["Line Item Quantity"], 3)
        identifier = row["ID"]
        named = identifier and row["ASN/DN #"] and row["Item Description"]
        if not named or quantity is None or len(identifier) > 40:
            continue
        told = Told(
            order=row["PO / SO #"] or None,
            shipment=row["ASN/DN #"],
            item="scms:" + row["Item Description"],
            quantity=quantity,
            price=_decimal(row["Pack Price"], 6),
            ordered=_date(row["PO Sent to Vendor Date"]) if row["Vendor"] and row["PO / SO #"] else None,
            scheduled=_date(row["Scheduled Delivery Date"]),
            delivered=_date(row["Delivered to Client Date"]),
        )
        recorded = _date(row["Delivery Recorded Date"]) or told.delivered or told.scheduled
        if recorded is None and told.ordered is None:
            continue
        known = latest.get(identifier)
        if known is None or (recorded or date.min) > known[0]:
            latest[identifier] = (recorded or date.min, told)
    return {identifier: told for identifier, (_, told) in latest.items()}


def figures_of(lines: dict[str, Told]) -> Figures:
    """The figures of these lines."""
    late = [line for line in lines.values() if _days_late(line) > 0]
    waits = [(line.delivered - line.ordered).days for line in lines.values() if line.delivered and line.ordered]
    kept = [wait for wait in waits if wait >= 0]
    return Figures(
        lines=len(lines),
        shipments=len({line.shipment for line in lines.values()}),
        late_lines=len(late),
        late_by_more_than_a_week=sum(_days_late(line) > 7 for line in late),
        shipments_with_a_late_line=len({line.shipment for line in late}),
        without_date_of_order=sum(line.ordered is None for line in lines.values()),
        delivered_before_ordered=len(waits) - len(kept),
        order_to_delivery=len(kept),
        zero=kept.count(0),
        mean=round(statistics.mean(kept), 2),
        deviation=round(statistics.stdev(kept), 2),
    )


def _days_late(line: Told) -> int:
    return (line.delivered - line.scheduled).days if line.delivered and line.scheduled else 0


def _records(text: str, width: int) -> Iterator[list[str]]:
    """The rows that have as many cells as they should; a row may go on in the next line."""
    lines = text.split("\n")
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        halves = (line,) if line.count('"') % 2 == 0 else (line, following)
        cells = next(csv.reader(io.StringIO("\n".join(halves), newline="")), [])
        if len(cells) == width and any(cell.strip() for cell in cells):
            yield cells


def _date(cell: str) -> date | None:
    for form in ("%d-%b-%y", "%m/%d/%Y"):
        try:
            return datetime.strptime(cell, form).date()  # noqa: DTZ007 - days without a zone
        except ValueError:
            continue
    return None


def _decimal(cell: str, places: int) -> Decimal | None:
    """A plain number that is not negative."""
    if not cell.isascii() or not cell.replace(".", "").isdigit():
        return None
    try:
        value = Decimal(cell)
    except InvalidOperation:
        return None
    return value if value == round(value, places) else None
