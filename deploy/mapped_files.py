"""Files that are read by a mapping: which kind a file is, and the rows of CSV and NDJSON.

A file is looked at once as a whole before anything is made of it: for its digest, and whether its bytes are text in the
encoding that the mapping names. Then its rows are read one by one, so that its size does not matter.
"""

import codecs
import csv
import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO, Final

from schemas.errors import WrongInput
from schemas.mapping.cells import Cell, Row
from schemas.wording import shown

MAX_ROW_BYTES: Final = 1_000_000
"""A longer line is told as unmapped and not read."""

MAX_SPAN: Final = 50
"""How many lines a row with line ends inside quotation marks may span."""

_CHUNK: Final = 1 << 20
_DIGEST_DIGITS: Final = 12
_LOOKED_AT: Final = 1_000
_DELIMITERS: Final = {";": "a semicolon", "\t": "tab", "|": "a vertical bar", ",": "a comma"}
_ELEMENT: Final = 1 << 32
_BOM: Final = codecs.BOM_UTF8
_MAGIC: Final = (
    (b"PK\x03\x04", "a ZIP archive or an Excel workbook"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"%PDF", "a PDF document"),
    (b"PAR1", "a Parquet file"),
    (b"\xff\xfe", "UTF-16 text"),
    (b"\xfe\xff", "UTF-16 text"),
)

Require = Callable[[Sequence[str], str], None]
"""Takes the columns that there are and a hint; raises WrongInput where one is missing."""


@dataclass(slots=True)
class RowsRead:
    """The rows of a file, and what is told beside them: how many lines were blank, and sentences about the whole."""

    rows: Iterator[Row]
    blank: int = 0
    told: list[str] = field(default_factory=list)


def digest_of(path: Path) -> str:
    """Twelve hexadecimal digits that name the file's content. Raises WrongInput for a file that cannot be read."""
    digest = hashlib.sha256()
    with opened(path) as file:
        while piece := file.read(_CHUNK):
            digest.update(piece)
    return digest.hexdigest()[:_DIGEST_DIGITS]


def opened(path: Path) -> BinaryIO:
    """The file's bytes. Raises WrongInput."""
    try:
        return path.open("rb")
    except OSError as error:
        raise WrongInput(f"{path} cannot be read: {error.strerror}. Check the path.") from None


def refuse_no_text(path: Path, encoding: str) -> list[str]:
    """What is to be told of a file's encoding. Raises WrongInput for what is no text in it, or is empty."""
    with opened(path) as file:
        head = file.read(_CHUNK)
        for magic, what in _MAGIC:
            if head.startswith(magic):
                raise WrongInput(
                    f"{path} is {what}, not text: say its `format` in the mapping, or save it as UTF-8 text."
                )
        if b"\x00" in head:
            raise WrongInput(f"{path} is a binary file, not text: give CSV, NDJSON or an Excel workbook (.xlsx).")
        if not head.removeprefix(_BOM).strip():
            raise WrongInput(f"{path} is empty: there is nothing to publish.")
        if encoding != "utf-8" and head.startswith(_BOM):
            raise WrongInput(f"{path} says that it is UTF-8, but the mapping says {encoding}: write `encoding: utf-8`.")
        _refuse_undecodable(path, file, head, encoding)
    if encoding == "utf-8" or head.isascii():
        return []
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return []
    return [f"{path} reads as UTF-8 without fault, but the mapping says {encoding}: look at the umlauts and accents."]


def csv_rows(path: Path, encoding: str, delimiter: str, header_row: int, require: Require) -> RowsRead:
    """The rows of a CSV file, each with the line it begins on as its number. Raises WrongInput."""
    delimiter = "\t" if delimiter == "tab" else delimiter
    told = refuse_no_text(path, encoding)
    records = _Records(opened(path), "utf-8-sig" if encoding == "utf-8" else encoding, delimiter)
    for _ in range(header_row - 1):
        records.skip_line()
    line, raw, cells, problem = next(records, (header_row, b"", [], ""))
    header = [cell.strip() for cell in cells]
    if problem or not any(header):
        why = problem or "is blank"
        raise WrongInput(
            f"{path}:{line}: The line that should name the columns {why}: say with `header_row` where it is."
        )
    require(header, _hint(raw.decode(encoding, "replace"), delimiter))
    read = RowsRead(iter(()), told=told)
    read.rows = _csv_rows(records, header, delimiter, read)
    return read


def ndjson_rows(path: Path, each: str | None, require: Require) -> RowsRead:
    """The rows of a file with one JSON object a line: of each object one, or of each element of the list `each`.

    Columns are the paths into an object: `order.id`, `tags[0]`, `lines.sku`. Raises WrongInput.
    """
    told = refuse_no_text(path, "utf-8")
    read = RowsRead(iter(()), told=told)
    rows = _json_rows(_Lines(opened(path)), each, read)
    first = list(islice(rows, _LOOKED_AT))
    if not any(row.cells for row in first):
        better = "Write each object of the list on a line of its own" if _begins_a_list(path) else "Say its `format`"
        raise WrongInput(f"{path} is not NDJSON: its lines are no JSON objects. {better} (docs/mapping.md).")
    columns = dict.fromkeys(column for row in first for column in row.cells)
    require(
        tuple(columns), f" None of the first {len(first)} objects has it; say `optional: true` where it may be absent"
    )
    read.rows = chain(first, rows)
    return read


def _begins_a_list(path: Path) -> bool:
    with opened(path) as file:
        return file.read(_CHUNK).removeprefix(_BOM).lstrip().startswith(b"[")


def _refuse_undecodable(path: Path, file: BinaryIO, piece: bytes, encoding: str) -> None:
    decoder = codecs.getincrementaldecoder(encoding)()
    before = 1
    while True:
        try:
            decoder.decode(piece, final=not piece)
        except UnicodeDecodeError as error:
            line = before + error.object[: error.start].count(b"\n")
            byte = error.object[error.start]
            other = "cp1252" if encoding == "utf-8" else "latin-1"
            raise WrongInput(
                f"{path}:{line}: The byte 0x{byte:02x} is not {encoding} text: save the file as UTF-8, or name its "
                f"encoding in the mapping (such as `encoding: {other}`)."
            ) from None
        if not piece:
            return
        before += piece.count(b"\n")
        piece = file.read(_CHUNK)


def _hint(header: str, delimiter: str) -> str:
    """Where the first line looks as if it were separated by something else, a word of it."""
    counts = {sign: header.count(sign) for sign in _DELIMITERS if sign != delimiter}
    best = max(counts, key=lambda sign: counts[sign])
    if counts[best] == 0 or delimiter in header:
        return ""
    written = "tab" if best == "\t" else shown(best)
    return f" Its columns seem to be separated by {_DELIMITERS[best]}: write `delimiter: {written}`"


class _Lines:
    """The lines of a file, counted from 1; one that is too long comes cut, and is told to be."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._number = 0
        self._back: deque[tuple[int, bytes, bool]] = deque()

    def next(self) -> tuple[int, bytes, bool] | None:
        """Its number, its bytes with the line end, and whether it is too long."""
        if self._back:
            return self._back.popleft()
        if self._file.closed:
            return None
        line = self._file.readline(MAX_ROW_BYTES + 1)
        if not line:
            self._file.close()
            return None
        self._number += 1
        too_long = len(line) > MAX_ROW_BYTES
        rest = line
        while too_long and not rest.endswith(b"\n"):
            rest = self._file.readline(_CHUNK)
            if not rest:
                break
        return self._number, line, too_long

    def give_back(self, lines: Sequence[tuple[int, bytes, bool]]) -> None:
        """They come again."""
        self._back.extendleft(reversed(lines))


_TOO_LONG: Final = (
    f"the row has more than {MAX_ROW_BYTES} bytes and was not read: is a quotation mark or a line end missing"
)


class _Records:
    """The records of a CSV file: the line each begins on, its bytes, its cells, and what is wrong with it.

    A stray quotation mark must not swallow the lines after it: a record that does not end, or not within MAX_SPAN
    lines, ends with its own first line.
    """

    def __init__(self, file: BinaryIO, encoding: str, delimiter: str) -> None:
        self._lines = _Lines(file)
        self._encoding = encoding
        self._delimiter = delimiter

    def skip_line(self) -> None:
        self._lines.next()

    def __iter__(self) -> "_Records":
        return self

    def __next__(self) -> tuple[int, bytes, list[str], str]:
        first = self._lines.next()
        if first is None:
            raise StopIteration
        number, raw, too_long = first
        if too_long:
            return number, raw, [], _TOO_LONG
        taken: list[tuple[int, bytes, bool]] = []
        whole = raw
        while True:
            text = whole.decode(self._encoding if number == 1 else self._encoding.removesuffix("-sig"), "replace")
            try:
                cells = next(csv.reader([text], delimiter=self._delimiter, strict=True), [])
            except csv.Error as error:
                more = self._lines.next() if _UNFINISHED in str(error) and len(taken) < MAX_SPAN - 1 else None
                if more is not None and not more[2]:
                    taken.append(more)
                    whole += more[1]
                    continue
                self._lines.give_back([*taken, more] if more is not None else taken)
                return number, raw, [], f"its quotation marks or cells are not CSV ({error})"
            return number, whole, cells, ""


_UNFINISHED: Final = "unexpected end of data"


def _csv_rows(records: _Records, header: list[str], delimiter: str, read: RowsRead) -> Iterator[Row]:
    width = len(header)
    blanks = f" \t\r\n{delimiter}".encode()
    for line, raw, cells, problem in records:
        if not raw.strip(blanks):
            read.blank += 1
            continue
        wrong = problem
        if not wrong and len(cells) != width and (len(cells) < width or any(map(str.strip, cells[width:]))):
            wrong = (
                f"the row has {len(cells)} cells where the header has {width}: is a delimiter or a quotation mark wrong"
            )
        told: dict[str, Cell] = {}
        if not wrong:
            told = {name: cell.strip() or None for name, cell in zip(header, cells, strict=False)}
        yield Row(line, str(line), told, raw.rstrip(b"\r\n"), wrong)


def _json_rows(lines: _Lines, each: str | None, read: RowsRead) -> Iterator[Row]:
    while (line := lines.next()) is not None:
        number, raw, too_long = line
        raw = raw.removeprefix(_BOM).rstrip(b"\r\n") if number == 1 else raw.rstrip(b"\r\n")
        if not raw.strip():
            read.blank += 1
            continue
        if too_long:
            yield Row(number, str(number), {}, raw, _TOO_LONG)
            continue
        try:
            document = json.loads(raw, parse_float=Decimal, parse_int=Decimal, parse_constant=_no_number)
            if not isinstance(document, dict):
                yield Row(number, str(number), {}, raw, "the line is no JSON object")
                continue
            yield from _rows_of(number, raw, document, each)
        except (ValueError, ArithmeticError, RecursionError) as error:
            why = "nested too deeply" if isinstance(error, RecursionError) else error
            yield Row(number, str(number), {}, raw, f"the line is not JSON: {why}")


def _rows_of(number: int, raw: bytes, document: dict[str, Any], each: str | None) -> Iterator[Row]:
    if each is None:
        yield Row(number, str(number), _flat(document), raw)
        return
    holder: Any = document
    *way, last = each.split(".")
    for step in way:
        holder = holder.get(step) if isinstance(holder, dict) else None
    elements = holder.pop(last, None) if isinstance(holder, dict) else None
    shared = _flat(document)
    if not isinstance(elements, list) or not elements:
        yield Row(number, str(number), shared, raw, f"its `{each}` (file.each) is no list, or an empty one")
        return
    for at, element in enumerate(elements):
        cells = shared | _flat(element, each)
        yield Row(number + at * _ELEMENT, f"{number} {each}[{at}]", cells, raw)


def _flat(value: Any, path: str = "") -> dict[str, Cell]:
    """The scalars in a JSON value, by their paths."""
    cells: dict[str, Cell] = {}
    if isinstance(value, dict):
        for name, inner in value.items():
            cells |= _flat(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            cells |= _flat(inner, f"{path}[{at}]")
    elif isinstance(value, bool):
        cells[path] = "true" if value else "false"
    else:
        cells[path] = value.strip() or None if isinstance(value, str) else value
    return cells


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no number")
