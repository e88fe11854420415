"""The SCMS delivery history as a file: is it one, and its rows one by one, none lost in silence.

A stray quotation mark must not swallow the lines after it: a row may span at most `MAX_SPAN` lines, and a
row that cannot be read ends with its own first line.
"""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Final, TextIO

from schemas.errors import WrongInput
from schemas.scms_report import Findings, Odd

COLUMNS: Final = (
    "ID",
    "Project Code",
    "PQ #",
    "PO / SO #",
    "ASN/DN #",
    "Country",
    "Managed By",
    "Fulfill Via",
    "Vendor INCO Term",
    "Shipment Mode",
    "PQ First Sent to Client Date",
    "PO Sent to Vendor Date",
    "Scheduled Delivery Date",
    "Delivered to Client Date",
    "Delivery Recorded Date",
    "Vendor",
    "Item Description",
    "Line Item Quantity",
    "Pack Price",
    "Manufacturing Site",
    "First Line Designation",
    "Weight (Kilograms)",
    "Freight Cost (USD)",
    "Line Item Insurance (USD)",
)
"""The columns that are read; a file without one of them is refused."""

KNOWN_COLUMNS: Final = frozenset(COLUMNS) | {
    "Product Group",
    "Sub Classification",
    "Molecule/Test Type",
    "Brand",
    "Dosage",
    "Dosage Form",
    "Unit of Measure (Per Pack)",
    "Line Item Value",
    "Unit Price",
}
"""All 33 columns of the published file."""

MAX_SPAN: Final = 50
"""How many lines a row with line ends inside quotation marks may span."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the line it starts on (from 1), its cells by column (stripped), and its bytes.

    `problem` says why there are no cells.
    """

    line: int
    cells: dict[str, str]
    raw: bytes
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ScmsFile:
    """A file that has the columns it should have. `rows` has all rows but blank ones, in file order."""

    name: str
    rows: tuple[Row, ...]
    blank: int
    ignored_columns: tuple[str, ...]


def load(source: str | PathLike[str] | TextIO) -> tuple[str, bytes]:
    """The name and the content of a file or text stream.

    Raises WrongInput if it cannot be read.
    """
    if not isinstance(source, (str, PathLike)):
        name = Path(str(getattr(source, "name", "") or "stream")).name
        binary = getattr(source, "buffer", None)
        try:
            return name, binary.read() if binary is not None else source.read().encode("utf-8", _ESCAPE)
        except UnicodeError as error:
            raise WrongInput(f"{name} is not UTF-8 text: save it as CSV in UTF-8.") from error
    path = Path(source)
    try:
        return path.name, path.read_bytes()
    except FileNotFoundError as error:
        raise WrongInput(f"There is no file {str(source)!r}: check the path.") from error
    except IsADirectoryError as error:
        raise WrongInput(f"{str(source)!r} is a directory: name the CSV file itself.") from error
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise WrongInput(f"{str(source)!r} cannot be read ({why}): check the file.") from error


def parse(name: str, content: bytes, findings: Findings) -> ScmsFile:
    """The file's rows. Raises WrongInput if this is no SCMS delivery history."""
    _refuse_other_formats(name, content)
    text = content.decode("utf-8-sig", _ESCAPE)
    lines = list(io.StringIO(text, newline=""))
    first = next(place for place, line in enumerate(lines) if not _is_blank(line))
    _, after, named, _ = next(_records(lines, first))
    header = [cell.strip() for cell in named]
    columns = _checked(name, header, lines[first])
    rows = []
    blank = first
    for start, end, cells, problem in _records(lines, after, len(header)):
        raw = "".join(lines[start:end])
        if _is_blank(raw):
            blank += 1
            continue
        told = {} if problem else {column: cells[place].strip() for column, place in columns.items()}
        if not raw.isascii():
            told = _decoded(start + 1, told, findings)
        rows.append(Row(start + 1, told, raw.encode("utf-8", _ESCAPE), problem))
    ignored = tuple(sorted(column for column in header if column not in KNOWN_COLUMNS))
    return ScmsFile(name, tuple(rows), blank, ignored)


def _refuse_other_formats(name: str, content: bytes) -> None:
    head = content[:4096]
    if not content.removeprefix(b"\xef\xbb\xbf").strip(b" \t\r\n,;"):
        raise WrongInput(f"{name} is empty: give the SCMS delivery history as CSV.")
    for magic, what in _MAGIC:
        if head.startswith(magic):
            raise WrongInput(f"{name} is {what}, not CSV text: save or unpack it as CSV in UTF-8.")
    if b"\x00" in head:
        raise WrongInput(f"{name} is a binary file, not CSV text: give the SCMS delivery history as CSV.")


def _is_blank(text: str) -> bool:
    """Whether there is nothing but separators, as spreadsheets write empty rows."""
    return not text.strip(" \t\r\n,;")


def _checked(name: str, header: list[str], line: str) -> dict[str, int]:
    """The place of each column that is read."""
    missing = [column for column in COLUMNS if column not in header]
    if len(missing) > len(COLUMNS) // 2:
        first = line.strip()
        shown = _readable(first if len(first) <= _SHOWN else first[:_SHOWN] + "...")
        separated = {";": "semicolons", "\t": "tabs"}
        for sign, word in separated.items():
            if all(column in first.split(sign) for column in COLUMNS[:5]):
                raise WrongInput(f"{name} is separated by {word}: save it with commas.")
        raise WrongInput(
            f"{name} is not an SCMS delivery history: its first line is {shown!r}, "
            f"where the columns {', '.join(COLUMNS[:5])}, ... should be named."
        )
    if missing:
        unknown = [_readable(column) for column in header if column not in KNOWN_COLUMNS]
        renamed = f" (it has {', '.join(map(repr, unknown))} instead?)" if unknown else ""
        names = ", ".join(map(repr, missing))
        raise WrongInput(
            f"{name} lacks the column{'s' if len(missing) > 1 else ''} {names}{renamed}: "
            "name the columns as in the published file."
        )
    doubled = sorted({column for column in COLUMNS if header.count(column) > 1})
    if doubled:
        raise WrongInput(f"{name} has more than one column {', '.join(map(repr, doubled))}: leave only the right one.")
    return {column: place for place, column in enumerate(header) if column in KNOWN_COLUMNS}


def _records(lines: list[str], start: int, width: int | None = None) -> Iterator[tuple[int, int, list[str], str]]:
    """Each record: its first line (from 0), the line after it, its cells, and what is wrong with it."""
    while start < len(lines):
        cells: list[str] = []
        problem, end = "", start + 1
        text = lines[start]
        while True:
            try:
                cells = next(csv.reader(io.StringIO(text, newline=""), strict=True), [])
                problem = ""
            except csv.Error as error:
                problem = f"its quotation marks or cells are not CSV ({error})"
                if _UNFINISHED in str(error) and end < min(len(lines), start + MAX_SPAN):
                    text += lines[end]
                    end += 1
                    continue
                end = start + 1
            break
        if not problem and width not in {None, len(cells)}:
            problem = f"it has {len(cells)} cells where the header has {width}"
            end = start + 1
        yield start, end, cells, problem
        start = end


def _decoded(line: int, cells: dict[str, str], findings: Findings) -> dict[str, str]:
    """The cells with bytes that are not UTF-8 read as Windows-1252; texts encoded twice are only noted."""
    told = {}
    for column, cell in cells.items():
        text = cell if cell.isascii() else _readable(cell)
        told[column] = text
        if text != cell or not (text.isascii() or _encoded_once(text)):
            findings.add("text_encoding", Odd(line, _readable(cells.get("ID", "")), column, text))
    return told


def _readable(text: str) -> str:
    """The text without surrogate escapes: each byte that was not UTF-8 is read as Windows-1252."""
    return _ESCAPED.sub(_windows_1252, text)


def _windows_1252(match: re.Match[str]) -> str:
    byte = bytes([ord(match[0]) - 0xDC00])
    try:
        return byte.decode("cp1252")
    except UnicodeDecodeError:  # five bytes have no character there
        return byte.decode("latin-1")


def _encoded_once(text: str) -> bool:
    """Whether the text is not UTF-8 that somebody read as Windows-1252 and encoded again."""
    try:
        return text.encode("cp1252").decode("utf-8") == text
    except UnicodeError:
        return True


_SHOWN: Final = 60
_ESCAPE: Final = "surrogateescape"
_ESCAPED: Final = re.compile("[\udc80-\udcff]")
_UNFINISHED: Final = "unexpected end of data"
_MAGIC: Final = (
    (b"PK\x03\x04", "a ZIP archive or an Excel workbook"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"%PDF", "a PDF document"),
    (b"PAR1", "a Parquet file"),
    (b"\xff\xfe", "UTF-16 text"),
    (b"\xfe\xff", "UTF-16 text"),
)
