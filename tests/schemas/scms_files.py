"""SCMS files for tests: the real one, the committed sample of it, and files with planted dirt."""

import csv
import io
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import pytest

from schemas import wire
from schemas.event import Event
from schemas.scms import ScmsDelivery, read_scms

SAMPLE: Final = Path(__file__).parents[1] / "data" / "scms_sample.csv"
REAL: Final = Path(__file__).parents[3] / "shared" / "data" / "scms_delivery_history.csv"

SAMPLE_SEED: Final = 20_061
SAMPLE_ROWS: Final = 300

MUCH_LATER: Final = 1 << 42
"""A time of arrival (ms) after which nothing in these files is of the future."""

BOM: Final = b"\xef\xbb\xbf"


def real_file() -> Path:
    """The published file; the test is skipped where it is not at hand."""
    if not REAL.exists():
        pytest.skip("the SCMS delivery history (../shared/data) is not here")
    return REAL


def read_bytes(content: bytes) -> ScmsDelivery:
    """What the adapter makes of a file with this content."""
    stream = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8")
    return read_scms(stream)


def parsed(delivery: ScmsDelivery) -> list[Event]:
    """The events as every reader of the topics gets them."""
    events = []
    for topic, key, raw in delivery.events:
        event = wire.read(topic, raw, MUCH_LATER)
        assert isinstance(event, Event), event
        assert event.entity_key() == key
        events.append(event)
    return events


def take_sample(content: bytes, seed: int = SAMPLE_SEED, rows: int = SAMPLE_ROWS) -> bytes:
    """At least so many rows of the published file: whole shipments, in file order, byte for byte.

    In it are all shipments with something rare (two promises, a delivery before its order or after it was
    recorded, several manufacturing sites in a direct drop: three of these), the rest is drawn with the seed.
    """
    header, *lines = content.splitlines(keepends=True)
    shipments: defaultdict[str, list[int]] = defaultdict(list)
    cells = [next(csv.reader([line.decode()])) for line in lines]
    for place, row in enumerate(cells):
        shipments[row[4]].append(place)
    rare, mixed = [], []
    for shipment, places in shipments.items():
        members = [cells[place] for place in places]
        if len({row[12] for row in members}) > 1 or any(_backwards(row) for row in members):
            rare.append(shipment)
        elif members[0][7] == "Direct Drop" and len({row[28] for row in members}) > 1:
            mixed.append(shipment)
    chosen = [*rare, *mixed[:3]]
    others = sorted(set(shipments) - set(chosen))
    random.Random(seed).shuffle(others)
    while sum(len(shipments[shipment]) for shipment in chosen) < rows:
        chosen.append(others.pop())
    kept = sorted(place for shipment in chosen for place in shipments[shipment])
    return header + b"".join(lines[place] for place in kept)


def _backwards(row: list[str]) -> bool:
    delivered = datetime.strptime(row[13], "%d-%b-%y")  # noqa: DTZ007 - days without a zone are compared
    recorded = datetime.strptime(row[14], "%d-%b-%y")  # noqa: DTZ007 - as above
    if recorded < delivered:
        return True
    return "/2" in row[11] and delivered < datetime.strptime(row[11], "%m/%d/%Y")  # noqa: DTZ007 - as above


@dataclass
class Dirty:
    """A file with planted dirt, and what was planted."""

    content: bytes = b""
    unmapped: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(ID as the report has it, column to blame) of each row of which nothing can be made."""

    odd: defaultdict[str, set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))
    """Odd kind -> (ID, column) that must be reported."""

    groups: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Odd kind -> shipment or order that must be reported."""

    blank: int = 0


def plant(content: bytes, seed: int) -> Dirty:
    """Plant every sort of dirt into a clean file and shuffle its rows; all by the seed."""
    text = content.decode("utf-8-sig")
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    return _Planter(header, rows, random.Random(seed)).planted()


class _Planter:
    """Works on a copy of the rows, each row dirtied at most once."""

    def __init__(self, header: list[str], rows: list[list[str]], chance: random.Random) -> None:
        self._column = {name: place for place, name in enumerate(header)}
        self._header = header
        self._rows = [list(row) for row in rows]
        self._chance = chance
        self._dirty = Dirty()
        self._lines: list[bytes] = []
        self._by_shipment = Counter(self._cell(row, "ASN/DN #") for row in rows)
        self._by_order = Counter(self._cell(row, "PO / SO #") for row in rows)
        lonely = [row for row in self._rows if self._is_lonely(row)]
        chance.shuffle(lonely)
        self._victims = iter(lonely)

    def planted(self) -> Dirty:
        self._in_groups()
        self._unusable_cells()
        self._odd_cells()
        self._lines += [self._line(row) for row in self._rows]
        self._broken_rows()
        self._chance.shuffle(self._lines)
        for blank in (b"\n", b",,,,\n", b" \r\n", b"\n"):
            self._lines.insert(self._chance.randrange(len(self._lines)), blank)
            self._dirty.blank += 1
        self._dirty.content = BOM + self._line(self._header) + b"".join(self._lines)
        return self._dirty

    def _in_groups(self) -> None:
        shipment = self._group("ASN/DN #", self._by_shipment)
        self._set(shipment[0], "Delivered to Client Date", "1-Jan-16")
        self._set(shipment[0], "Delivery Recorded Date", "2-Jan-16")
        self._dirty.groups["two_deliveries_in_shipment"].add(self._cell(shipment[0], "ASN/DN #"))
        self._dirty.groups["rows_disagree"].add(self._cell(shipment[0], "ASN/DN #"))
        order = self._group("PO / SO #", self._by_order, dated=True, but=shipment)
        self._set(order[0], "PO Sent to Vendor Date", "1/2/2005")
        self._dirty.groups["two_order_dates"].add(self._cell(order[0], "PO / SO #"))

    def _unusable_cells(self) -> None:
        for column, values in {
            "ID": ("", "", "x" * 41),
            "Line Item Quantity": ("-5", "ten", "", "1.2345", "1e3", "1,000", "١٢"),
            "ASN/DN #": ("", "   "),
            "Item Description": ("",),
        }.items():
            for value in values:
                row = next(self._victims)
                self._set(row, column, value)
                self._dirty.unmapped[self._cell(row, "ID")[:40], column] += 1
        row = next(self._victims)
        for column in ("Scheduled Delivery Date", "Delivered to Client Date", "Delivery Recorded Date"):
            self._set(row, column, "Date Not Captured")
        self._set(row, "PO Sent to Vendor Date", "N/A - From RDC")
        self._dirty.unmapped[self._cell(row, "ID"), ""] += 1

    def _odd_cells(self) -> None:
        for kind, column, values in (
            ("date_unreadable", "Scheduled Delivery Date", ("32-Jan-11", "tbd")),
            ("date_unreadable", "Delivered to Client Date", ("2011-13-45", "29-Feb-11", "5-Foo-11")),
            ("recorded_date_assumed", "Delivery Recorded Date", ("0/0/0000", "")),
            ("date_missing", "Scheduled Delivery Date", ("",)),
            ("date_unreadable", "PO Sent to Vendor Date", ("13/13/2013", "soon")),
            ("cell_missing", "Vendor", ("",)),
            ("cell_missing", "PO / SO #", ("",)),
            ("cell_unusable", "Pack Price", ("free", "1.1234567")),
            ("name_replaced", "Vendor", ("Acme | Sons > Co",)),
            ("name_replaced", "Country", ("two\nlines",)),
            ("mode_unknown", "Shipment Mode", ("Donkey",)),
        ):
            for value in values:
                row = next(self._victims)
                self._set(row, column, value)
                self._dirty.odd[kind].add((self._cell(row, "ID"), column))

    def _broken_rows(self) -> None:
        for _ in range(3):  # exact repeats
            row = next(self._victims)
            self._lines.append(self._line(row))
            self._dirty.unmapped[self._cell(row, "ID"), "ID"] += 1
        row = next(self._victims)  # said again later, with another quantity
        self._dirty.unmapped[self._cell(row, "ID"), "ID"] += 1
        again = list(row)
        self._set(again, "Line Item Quantity", "123456")
        self._set(again, "Delivery Recorded Date", "31-Dec-19")
        self._lines.append(self._line(again))
        for row in self._take(2):  # too few cells
            self._replace(row, self._line(row[:-5]))
        for row in self._take(1):  # too many
            self._replace(row, self._line([*row, "?"]))
        for row in self._take(2):  # a stray quotation mark
            self._replace(row, b'"' + self._line(row))
        for row in self._take(2):  # not UTF-8
            country = "Côte d'Ivoire"
            clean = self._line(row)
            self._set(row, "Country", country)
            self._lines[self._lines.index(clean)] = self._line(row, "latin-1")
            self._dirty.odd["text_encoding"].add((self._cell(row, "ID"), "Country"))

    def _replace(self, row: list[str], line: bytes) -> None:
        """Put a line that cannot be read in the place of a row."""
        self._lines[self._lines.index(self._line(row))] = line
        self._dirty.unmapped["", ""] += 1

    def _take(self, count: int) -> Iterator[list[str]]:
        for _ in range(count):
            yield next(self._victims)

    def _group(
        self, column: str, sizes: Counter[str], *, dated: bool = False, but: Iterable[list[str]] = ()
    ) -> list[list[str]]:
        """The rows of a shipment or order that has several, all on one date and complete in the file."""
        names = sorted(name for name, size in sizes.items() if size > 1)
        self._chance.shuffle(names)
        taken = [id(row) for row in but]
        for name in names:
            rows = [row for row in self._rows if self._cell(row, column) == name]
            dates = ("PO Sent to Vendor Date",) if dated else ("Delivered to Client Date",)
            if any(id(row) in taken for row in rows) or (dated and "/2" not in self._cell(rows[0], dates[0])):
                continue
            if all(len({self._cell(row, date) for row in rows}) == 1 for date in dates):
                return rows
        raise AssertionError("the file is too small to plant in")

    def _is_lonely(self, row: list[str]) -> bool:
        alone = (
            self._by_shipment[self._cell(row, "ASN/DN #")] == 1 and self._by_order[self._cell(row, "PO / SO #")] == 1
        )
        return alone and ",".join(row).isascii()

    def _cell(self, row: list[str], column: str) -> str:
        return row[self._column[column]].strip()

    def _set(self, row: list[str], column: str, value: str) -> None:
        row[self._column[column]] = value

    def _line(self, row: list[str], encoding: str = "utf-8") -> bytes:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerow(row)
        return text.getvalue().encode(encoding)
