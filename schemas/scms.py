"""The adapter for the USAID SCMS delivery history: from its CSV file to events.

The file (public US government data) has one row per line of goods in a shipment. What comes of it, with
source `scms`, days as precision, and days taken as UTC since the file names no zone (`zone_assumed`):

* for each order (PO / SO #) with a date of order: one `order_placed`, `order/PO`;
* for each shipment (ASN/DN #): one `advance_ship_notice`, `notice/ASN`. The file has no date of the notice,
  so it is said, and happens, on the Delivery Recorded Date: the first moment at which the file knows of it;
* for each scheduled date of a shipment: one milestone delivered/planned, `planned/ASN/DATE`;
* for each delivered date of a shipment: one milestone delivered/actual, `delivered/ASN/DATE`.

Nothing is invented: what the file does not tell is absent, and there are no warehouse events. No row is
lost in silence: one that no event carries is in `unmapped` with the reason, and every odd cell is in the
report. docs/scms.md explains the mapping column by column. The file is held in memory (it has to be
grouped); its 10,324 rows take 1.3 s (measured, one core).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from os import PathLike
from typing import Final, TextIO

from schemas.scms_events import ScmsEvent, make_events
from schemas.scms_file import Row, load, parse
from schemas.scms_lines import Line, Unusable, read_line
from schemas.scms_report import Findings, Odd, ScmsReport, Unmapped, digest_of

__all__ = ["Odd", "ScmsDelivery", "ScmsEvent", "ScmsReport", "Unmapped", "read_scms"]

MAX_RAW_BYTES: Final = 500_000
"""More of an unmapped row is not kept, so that it fits into one dead letter."""


@dataclass(frozen=True, slots=True)
class ScmsDelivery:
    """What a file gave. `events` in order of recorded_at; `unmapped` in file order."""

    events: tuple[ScmsEvent, ...]
    unmapped: tuple[Unmapped, ...]
    report: ScmsReport


def read_scms(source: str | PathLike[str] | TextIO) -> ScmsDelivery:
    """Read the SCMS delivery history from a path or a text stream (UTF-8, with or without BOM).

    The same rows give the same events, byte for byte, in whatever order they stand in the file.
    Raises WrongInput for a file that cannot be read or is no SCMS delivery history.
    """
    name, content = load(source)
    findings = Findings()
    file = parse(name, content, findings)
    read = [read_line(row) for row in file.rows]
    faulty = [result for result in read if isinstance(result, Unusable)]
    lines, repeats = _one_per_id(result for result in read if isinstance(result, Line))
    for line in lines:
        for kind, odd in line.noted:
            findings.add(kind, odd)
    made = make_events(lines, findings)
    faulty += repeats
    faulty += [Unusable(line.row, line.id, _NOTHING_LEFT, "") for line in lines if line.id not in made.carried]
    digest = digest_of(content)
    unmapped = tuple(_unmapped(fault, name, digest) for fault in sorted(faulty, key=lambda fault: fault.row.line))
    report = ScmsReport(
        file=name,
        rows=len(file.rows),
        mapped=len(file.rows) - len(unmapped),
        unmapped=len(unmapped),
        blank=file.blank,
        orders=len({line.order for line in lines if line.order}),
        shipments=len({line.shipment for line in lines}),
        events=made.counts,
        odd=findings.collected(),
        ignored_columns=file.ignored_columns,
    )
    return ScmsDelivery(made.events, unmapped, report)


def _one_per_id(lines: Iterable[Line]) -> tuple[list[Line], list[Unusable]]:
    """One line per ID, and the others with the reason why they do not count.

    Of rows that differ, the one that was recorded last counts; of equals the greatest text, so that the
    choice does not hang on the order of the file.
    """
    counting: dict[str, Line] = {}
    repeats: list[tuple[Line, str]] = []
    for line in lines:
        other = counting.setdefault(line.id, line)
        if other is line:
            continue
        winner = max(other, line, key=_rank)  # the earlier one, if they are the same
        counting[line.id] = winner
        repeats.append((line if winner is other else other, line.id))
    told = [
        Unusable(
            line.row,
            line.id,
            f"The row repeats line {counting[identifier].row.line}."
            if line.row.cells == counting[identifier].row.cells
            else f"ID {identifier} is also on line {counting[identifier].row.line}, which says otherwise "
            "and counts, since it was recorded later or sorts after this one.",
            "ID",
        )
        for line, identifier in repeats
    ]
    return list(counting.values()), told


def _rank(line: Line) -> tuple[date, list[tuple[str, str]]]:
    return line.recorded or date.min, sorted(line.row.cells.items())


def _unmapped(fault: Unusable, name: str, digest: str) -> Unmapped:
    row: Row = fault.row
    reason = fault.reason
    if len(row.raw) > MAX_RAW_BYTES:
        reason += f" Only the first {MAX_RAW_BYTES} of its {len(row.raw)} bytes are kept."
    return Unmapped(row.line, fault.id, reason, fault.column, row.raw[:MAX_RAW_BYTES], name, digest)


_NOTHING_LEFT: Final = (
    "The row tells nothing that can be dated: it has no usable scheduled, delivered or recorded date, "
    "nor an order with a date and a vendor."
)
