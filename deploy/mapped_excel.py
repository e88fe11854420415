"""The rows of an Excel workbook: real numbers and dates as they are, of formulas the values that were calculated last.

openpyxl reads the sheet in a stream (read_only), which does not tell merged cells, nor a formula that was never
calculated from an empty cell. Both are found in the sheet's XML, by a look of its own.
"""

import json
import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple
from warnings import catch_warnings, simplefilter

import openpyxl

from deploy.mapped_files import MAX_ROW_BYTES, Require, RowsRead, opened
from schemas.errors import WrongInput
from schemas.mapping.cells import Cell, Fault, text_of
from schemas.mapping.cells import Row as FileRow
from schemas.wording import instead, shown

_CHUNK: Final = 1 << 20
_OVERLAP: Final = 1 << 16
_TOLD: Final = 3
_EXACT: Final = Decimal(10) ** 15
_NEVER_CALCULATED: Final = re.compile(
    rb'<c r="([A-Z]{1,3}[0-9]{1,7})"[^>]*>\s*<f(?:\s[^>]*)?(?:/>|>[^<]*</f>)\s*(?:<v\s*/>|<v></v>)?\s*</c>'
)
_MERGED: Final = re.compile(rb'<mergeCell ref="([A-Z0-9:]+)"')
_OLD_EXCEL: Final = b"\xd0\xcf\x11\xe0"


class _Sheet(NamedTuple):
    """What the XML of a sheet tells beside its cells."""

    merged: tuple[str, ...]
    never_calculated: frozenset[str]


def excel_rows(path: Path, sheet: str | None, header_row: int, require: Require) -> RowsRead:
    """The rows of a sheet (None: the first), each with its number in it. Raises WrongInput."""
    with opened(path) as file:
        head = file.read(4)
    if not head:
        raise WrongInput(f"{path} is empty: there is nothing to publish.")
    if head.startswith(_OLD_EXCEL):
        raise WrongInput(f"{path} is an old Excel workbook, or one with a password: save it as .xlsx without one.")
    try:
        with catch_warnings():
            simplefilter("ignore")
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except Exception as error:  # noqa: BLE001  # openpyxl raises whatever its parsers raise
        why = type(error).__name__ if isinstance(error, (KeyError, AttributeError)) else error
        raise WrongInput(f"{path} is no Excel workbook that can be read ({why}): save it as .xlsx.") from None
    names = [told.title for told in book.worksheets]
    if sheet is not None and sheet not in names:
        raise WrongInput(f"{path} has no sheet {shown(sheet)}: {instead(sheet, names)}")
    if not names:
        raise WrongInput(f"{path} has no sheet with cells: save the rows as a worksheet.")
    worksheet: Any = book[sheet] if sheet is not None else book.worksheets[0]
    worksheet.reset_dimensions()  # what the file says of its size is often wrong
    looks = _look(path, str(worksheet._worksheet_path))  # noqa: SLF001  # openpyxl has no public name for it
    lines = _lines(path, book, worksheet)
    header: list[str] = []
    for number, cells in lines:
        if number == header_row:
            header = [text_of(_cell(told, looks)) or "" if _is_plain(told) else "" for told in cells]
            break
    if not any(header):
        raise WrongInput(
            f"{path}: Row {header_row} of sheet {shown(worksheet.title)} should name the columns and is blank: say "
            "with `header_row` or `sheet` where they are."
        )
    require(header, f" Its sheet is {shown(worksheet.title)}" + (f" of {', '.join(names)}" if len(names) > 1 else ""))
    read = RowsRead(iter(()), told=_of_merged(path, looks.merged, header_row))
    read.rows = _rows(lines, header, looks, read)
    return read


def _lines(path: Path, book: Any, worksheet: Any) -> Iterator[tuple[int, Sequence[Any]]]:
    with closing(book), catch_warnings():
        simplefilter("ignore")
        try:
            yield from enumerate(worksheet.iter_rows(), 1)
        except Exception as error:  # noqa: BLE001  # openpyxl raises whatever its parsers raise
            raise WrongInput(
                f"{path} is damaged ({type(error).__name__}: {error}): open it in Excel and save it again."
            ) from None


def _rows(
    lines: Iterator[tuple[int, Sequence[Any]]], header: list[str], looks: _Sheet, read: RowsRead
) -> Iterator[FileRow]:
    for number, told in lines:
        cells: dict[str, Cell] = {}
        beyond = False
        for at, cell in enumerate(told):
            value = _cell(cell, looks)
            if at >= len(header) or not header[at]:
                beyond |= value is not None and at >= len(header)
            else:
                cells[header[at]] = value
        if all(value is None for value in cells.values()) and not beyond:
            read.blank += 1
            continue
        raw = json.dumps({name: _shown(value) for name, value in cells.items()}, ensure_ascii=False).encode()
        problem = f"the row has more than {MAX_ROW_BYTES} bytes" if len(raw) > MAX_ROW_BYTES else ""
        if not cells or (beyond and all(value is None for value in cells.values())):
            problem = "all its cells are right of the last column that has a name"
        yield FileRow(number, str(number), {} if problem else cells, raw, problem)


def _cell(cell: Any, looks: _Sheet) -> Cell:
    value = cell.value
    if value is None:
        if looks.never_calculated and getattr(cell, "coordinate", "") in looks.never_calculated:
            return Fault(
                "", f"cell {cell.coordinate} has a formula that was never calculated: open and save the file in Excel"
            )
        return None
    if cell.data_type == "e":
        return Fault(str(value), f"it holds {value}, the error of a formula")
    return _plain(value, cell)


def _plain(value: Any, cell: Any) -> Cell:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        number = Decimal(value if isinstance(value, int) else format(value, ".15g"))
        if abs(number) >= _EXACT:
            where = f"cell {cell.coordinate} holds the number {number:f}"
            return Fault(str(value), f"{where}, of which Excel keeps 15 digits only: make the column text")
        return number
    if isinstance(value, date):
        return value if isinstance(value, datetime) else datetime.combine(value, time())
    return value.isoformat(timespec="seconds") if isinstance(value, time) else str(value).strip() or None


def _is_plain(cell: Any) -> bool:
    return cell.value is not None and cell.data_type != "e"


def _shown(value: Cell) -> str | None:
    return value.shown if isinstance(value, Fault) else text_of(value)


def _look(path: Path, member: str) -> _Sheet:
    """Merged cells and formulas without a value, straight from the XML."""
    merged: list[str] = []
    never: set[str] = set()
    with zipfile.ZipFile(path) as archive, archive.open(member.lstrip("/")) as sheet:
        rest = b""
        while piece := sheet.read(_CHUNK):
            text = rest + piece
            never.update(found.decode() for found in _NEVER_CALCULATED.findall(text))
            merged += [found.decode() for found in _MERGED.findall(text)]
            rest = text[-_OVERLAP:]
    return _Sheet(tuple(dict.fromkeys(merged)), frozenset(never))


def _of_merged(path: Path, merged: Sequence[str], header_row: int) -> list[str]:
    below = [told for told in merged if int(re.sub(r".*[A-Z]", "", told)) > header_row]
    if not below:
        return []
    more = f" and {len(below) - _TOLD} more" if len(below) > _TOLD else ""
    which = f"{', '.join(below[:_TOLD])}{more}"
    return [f"{path} has merged cells ({which}): only the first cell of each has the value, the others are empty."]
