"""Files that are read by a mapping: what is in them, what is no such file, and what becomes of it."""

import asyncio
import csv
import io
import json
import os
import zipfile
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import msgspec
import openpyxl
import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from deploy import mapped, mapped_files
from deploy.command import publish as publish_command
from deploy.door import Door
from deploy.mapped import Mapped, dry_run, publish_mapped
from deploy.mapped_excel import excel_rows
from deploy.mapped_files import RowsRead, csv_rows, ndjson_rows
from deploy.settings import Settings
from deploy.spool import Spooled
from deploy.stackfile import StackFile
from schemas.derived import DeadLetter
from schemas.errors import WrongInput
from schemas.mapping import model
from schemas.mapping.cells import Cell
from tests.e2e.stack import ROOT

EXAMPLES: Final = ROOT / "docs/examples"
MAP: Final = """\
source: acme
zone: UTC
events:
  - type: received
    event_id: "in/{No}"
    occurred_at: {column: Time, formats: "%d.%m.%Y %H:%M"}
    fields: {site: BER, item: "acme:{Sku}", quantity: "{Qty}", unit: pcs}
"""
HEADER: Final = "No,Time,Sku,Qty"
WHEN: Final = datetime(2026, 3, 1, 10)  # noqa: DTZ001  # Excel knows no zones
ROW: Final = "1,01.03.2026 10:00,7,5"


@pytest.fixture
def looked(tmp_path: Path) -> Callable[..., Mapped]:
    """A dry run of a file of this content by MAP, with some more lines in it."""

    def look(content: str | bytes, name: str = "f.csv", more: str = "") -> Mapped:
        file, mapping = tmp_path / name, tmp_path / "m.yaml"
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        mapping.write_text(MAP + more)
        return dry_run(file, mapping)

    return look


def book_of(path: Path, rows: Sequence[Sequence[Any]], title: str = "Sheet") -> openpyxl.Workbook:
    """A workbook with these rows, saved there."""
    book = openpyxl.Workbook()
    sheet: Any = book.active
    sheet.title = title
    for row in rows:
        sheet.append(row)
    book.save(path)
    return book


def all_cells(read: RowsRead) -> list[dict[str, Cell]]:
    return [dict(row.cells) for row in read.rows]


def anything(_header: Sequence[str], _hint: str) -> None:
    """Every header will do."""


# The example.


def test_the_example_makes_what_its_page_says() -> None:
    told = dry_run(EXAMPLES / "purchase-orders.csv", EXAMPLES / "purchase-orders.map.yaml")
    assert (told.read, told.blank, told.accepted, told.refused) == (6, 1, 3, 1)
    assert told.skipped == {"orders made for tests": 1}
    assert [event["event_id"] for event in told.first] == ["order/4500001", "order/4500002", "order/4500003"]
    assert told.first[0]["lines"][0]["quantity"] == "1200"
    assert told.first[1]["supplier"] == "Muster & Söhne"
    assert [event.get("retracted", False) for event in told.first] == [False, False, True]
    (sentence,) = told.sentences
    assert "purchase-orders.csv:8: quantity: column Qty" in sentence


def test_every_key_of_a_mapping_is_on_its_page() -> None:
    page = (ROOT / "docs/mapping.md").read_text()
    for one in (
        model.Mapping,
        model.FileSettings,
        model.Numbers,
        model.Skip,
        model.EventRule,
        model.Said,
        model.Condition,
    ):
        for name, told in one.model_fields.items():
            assert f"`{told.alias or name}`" in page, name
    for key in Mapped().as_dict(dry_run=True):
        assert f"`{key}`" in page, key
    assert (EXAMPLES / "purchase-orders.map.yaml").read_text() in page


# Files that are wrong as a whole.


@pytest.mark.parametrize(
    ("name", "content", "more", "words"),
    [
        ("f.csv", b"", "", "f.csv is empty"),
        ("f.csv", b"\xef\xbb\xbf\r\n \n", "", "f.csv is empty"),
        (
            "f.csv",
            f"{HEADER}\n1,01.03.2026 10:00,".encode() + b"M\xfcller,5\n",
            "",
            "f.csv:2: The byte 0xfc is not utf-8 text",
        ),
        ("f.csv", HEADER.encode("utf-16"), "", "is UTF-16 text, not text: say its `format`"),
        ("f.csv", b"PK\x03\x04abc", "", "a ZIP archive or an Excel workbook"),
        ("f.csv", b"a\x00b", "", "is a binary file"),
        ("f.csv", b"\xef\xbb\xbfNo", "file: {encoding: cp1252}", "says that it is UTF-8"),
        ("f.csv", b"No\x81", "file: {encoding: cp1252}", "0x81 is not cp1252 text"),
        ("f.csv", "No,Time,SKU,Qty\n", "", 'no column "Sku" (for item): did you mean "SKU"?'.rstrip("?")),
        ("f.csv", "No;Time;Sku;Qty\n", "", 'separated by a semicolon: write `delimiter: ";"`'),
        ("f.csv", "No,Time,Sku,Qty,Qty\n", "", 'more than one column "Qty"'),
        ("f.csv", f"\n{HEADER}", "", "f.csv:1: The line that should name the columns is blank"),
        ("f.xlsx", b"", "", "is empty"),
        ("f.xlsx", b"No,Time", "", "is no Excel workbook that can be read (File is not a zip file)"),
        ("f.xlsx", b"\xd0\xcf\x11\xe0old", "", "an old Excel workbook"),
        ("f.ndjson", b"No,Time\n1,2\n", "", "is not NDJSON"),
        ("f.json", b'[\n{"No": 1},\n{"No": 2}]\n', "", "Write each object of the list on a line of its own"),
        ("f.csv", HEADER.encode(), "file: {sheet: A}", "`sheet` is not for csv files"),
        ("f.ndjson", b"{}", "file: {format: ndjson, delimiter: ';'}", "`delimiter` is not for ndjson files"),
        ("f.ndjson", b'{"No": 1, "Time": 2, "Sku": 3}\n', "", 'no column "Qty" (for quantity)'),
        ("f.dat", b"x", "", "write `format: csv`"),
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_one_sentence(
    looked: Callable[..., Mapped], name: str, content: str | bytes, more: str, words: str
) -> None:
    with pytest.raises(WrongInput) as told:
        looked(content, name, more)
    assert words in str(told.value)
    assert "\n" not in str(told.value)
    assert str(told.value).endswith((".", "?"))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(MAP)
    for file, mapping in ((tmp_path / "no.csv", tmp_path / "m.yaml"), (tmp_path / "m.yaml", tmp_path / "no.yaml")):
        with pytest.raises(WrongInput, match=r"no\.(csv|yaml) cannot be read"):
            dry_run(file, mapping)
    with pytest.raises(WrongInput, match="not stdin"):
        dry_run(Path("-"), tmp_path / "m.yaml")


# CSV.


@pytest.mark.parametrize(
    ("more", "encoding", "delimiter"),
    [
        ("", "utf-8-sig", ","),
        ("file: {encoding: cp1252, delimiter: tab}", "cp1252", "\t"),
        ("file: {encoding: latin-1, delimiter: '|'}", "latin-1", "|"),
    ],
)
def test_text_is_read_in_its_encoding_with_its_delimiter(
    looked: Callable[..., Mapped], more: str, encoding: str, delimiter: str
) -> None:
    text = f"{HEADER}\r\n{ROW.replace(',7,', ',Öl,')}\r\n".replace(",", delimiter)
    told = looked(text.encode(encoding), more=more)
    assert [event["item"] for event in told.first] == ["acme:Öl"]
    assert told.sentences == []


def test_umlauts_that_would_be_garbled_are_told(looked: Callable[..., Mapped]) -> None:
    told = looked(f"{HEADER}\n{ROW}ä\n", more="file: {encoding: latin-1}")
    assert "reads as UTF-8 without fault" in told.sentences[0]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("2,01.03.2026 10:00,7", "has 3 cells where the header has 4"),
        ("2,01.03.2026 10:00,7,1,5", "has 5 cells where the header has 4"),
        ('2,01.03.2026 10:00,"7,5', "are not CSV"),
        ("2,2026-03-01,7,5", '"2026-03-01" is no date of the form %d.%m.%Y %H:%M'),
        ("2,01.03.2026 10:00,#REF!,5", "it holds #REF!, the error of a formula"),
        ("2,01.03.2026 10:00," + "x" * 1_100_000 + ",5", "more than 1000000 bytes and was not read"),
        ("2,01.03.2026 10:00," + "x" * 500 + ",5", "item"),
        ("2,01.03.2199 10:00,7,5", "check the clock"),
    ],
)
def test_a_bad_row_costs_itself_only(looked: Callable[..., Mapped], row: str, words: str) -> None:
    told = looked(f"{HEADER}\n{ROW}\n{row}\n,,,\n{ROW.replace('1', '3', 1)}\n")
    assert (told.read, told.blank, told.accepted, told.refused) == (3, 1, 2, 1)
    (sentence,) = told.sentences
    assert "f.csv:3: " in sentence
    assert words in sentence
    assert len(sentence) < 1_000


def test_cells_may_hold_delimiters_quotes_and_line_ends(looked: Callable[..., Mapped]) -> None:
    told = looked(f'{HEADER}\n"in\n2",01.03.2026 10:00,"a ""b"", c",5,,\n{ROW}\n')
    assert told.refused == 1  # an item holds no line ends, but the row was read as one
    assert "f.csv:2: event_id" in told.sentences[0]
    assert told.accepted == 1


def test_the_header_may_stand_further_down(looked: Callable[..., Mapped]) -> None:
    assert looked(f"Report\n\n{HEADER}\n{ROW}\n", more="file: {header_row: 3}").accepted == 1


@given(
    st.lists(
        st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8), min_size=3, max_size=3),
        max_size=6,
    )
)
def test_what_a_csv_writer_writes_is_read(tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]) -> None:
    """Texts with more lines than a row may span apart, every cell comes back."""
    text = io.StringIO()
    csv.writer(text).writerows([["a", "b", "c"], *rows])
    path = tmp_path_factory.getbasetemp() / "written.csv"
    path.write_bytes(text.getvalue().encode())
    read = all_cells(csv_rows(path, "utf-8", ",", 1, anything))
    meant = [dict(zip("abc", (cell.strip() or None for cell in row), strict=True)) for row in rows]
    assert [row for row in read if any(row.values())] == [row for row in meant if any(row.values())]


def test_a_stray_quotation_mark_does_not_swallow_the_rows_behind_it(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text('a,b\n1,"x\n' + "".join(f"{number},y\n" for number in range(2, 80)))
    read = csv_rows(tmp_path / "f.csv", "utf-8", ",", 1, anything)
    rows = list(read.rows)
    assert [row.place for row in rows if row.problem] == ["2"]
    assert len(rows) == 79


# NDJSON.


def test_objects_are_rows_and_lists_in_them_may_be(tmp_path: Path) -> None:
    document = {
        "id": 10**20,
        "at": {"n": 0.10, "ok": True},
        "tags": ["a"],
        "lines": [{"sku": "x"}, {"sku": None}],
        "e": "",
    }
    (tmp_path / "f.ndjson").write_text(json.dumps(document) + '\n\n[1]\n{"id": NaN}\n{"id": 1}\n')
    read = ndjson_rows(tmp_path / "f.ndjson", "lines", anything)
    first, second, *bad = read.rows
    assert (first.place, second.place, first.number == second.number) == ("1 lines[0]", "1 lines[1]", False)
    assert {name: str(cell) for name, cell in first.cells.items()} == {
        "id": "100000000000000000000", "at.n": "0.1", "at.ok": "true", "tags[0]": "a", "lines.sku": "x", "e": "None",
    }  # fmt: skip
    assert second.cells["lines.sku"] is None
    assert [row.problem for row in bad] == [
        "the line is no JSON object",
        "the line is not JSON: NaN is no number",
        "its `lines` (file.each) is no list, or an empty one",
    ]


# Excel.


def test_a_sheet_gives_real_numbers_and_dates(tmp_path: Path, looked: Callable[..., Mapped]) -> None:
    rows: list[list[Any]] = [
        [*HEADER.split(",")],
        [1, WHEN, 4711.0, 0.1 + 0.2],
        [None],
        ["2", "01.03.2026 11:00", "7", "5"],
    ]
    book_of(tmp_path / "g.xlsx", rows, "Moves")
    told = looked((tmp_path / "g.xlsx").read_bytes(), "f.xlsx", "file: {sheet: Moves}")
    assert (told.read, told.blank, told.refused) == (2, 1, 0)
    assert [(event["occurred_at"], event["item"], event["quantity"]) for event in told.first] == [
        ("2026-03-01T10:00:00Z", "acme:4711", "0.3"),
        ("2026-03-01T11:00:00Z", "acme:7", "5"),
    ]


def test_merged_cells_errors_and_formulas_without_a_value_are_told(
    tmp_path: Path, looked: Callable[..., Mapped]
) -> None:
    row = ["01.03.2026 10:00", "7", 5]
    rows: list[list[Any]] = [
        [*HEADER.split(",")],
        [1, *row],
        [None, *row],
        [3, *row[:2], "#N/A"],
        [4, *row[:2], "=1+1"],
        [10**15, *row],
    ]
    book = book_of(tmp_path / "g.xlsx", rows)
    sheet: Any = book.active
    sheet.merge_cells("A2:A3")
    sheet["D4"].data_type = "e"
    book.save(tmp_path / "g.xlsx")
    told = looked((tmp_path / "g.xlsx").read_bytes(), "f.xlsx")
    assert (told.accepted, told.refused) == (1, 4)
    merged, *others = told.sentences
    assert "merged cells (A2:A3)" in merged
    for sentence, words in zip(
        others,
        [
            "f.xlsx:3: event_id cannot be made",
            "f.xlsx:4: quantity: column Qty: it holds #N/A",
            "cell D5 has a formula that was never",
            "Excel keeps 15 digits",
        ],
        strict=True,
    ):
        assert words in sentence


def test_a_formula_counts_by_what_was_calculated_last(tmp_path: Path) -> None:
    """The library writes no calculated values, so one is put into the sheet as Excel does."""
    book_of(tmp_path / "g.xlsx", [["a"], ["=2*3"]])
    with zipfile.ZipFile(tmp_path / "g.xlsx") as old, zipfile.ZipFile(tmp_path / "f.xlsx", "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(
                name,
                content.replace(b"<v />", b"<v>6</v>").replace(b"<v></v>", b"<v>6</v>").replace(b"<v/>", b"<v>6</v>"),
            )
    assert [str(row["a"]) for row in all_cells(excel_rows(tmp_path / "f.xlsx", None, 1, anything))] == ["6"]


def test_a_sheet_that_is_not_there_is_told_with_those_that_are(tmp_path: Path, looked: Callable[..., Mapped]) -> None:
    book_of(tmp_path / "g.xlsx", [["a"]], "Moves")
    with pytest.raises(WrongInput, match=r'has no sheet "moves": did you mean "Moves"\?'):
        looked((tmp_path / "g.xlsx").read_bytes(), "f.xlsx", "file: {sheet: moves}")
    with pytest.raises(WrongInput, match=r'no column "No".* Its sheet is "Moves"'):
        looked((tmp_path / "g.xlsx").read_bytes(), "f.xlsx")


# Publishing.


class _Taken:
    """Stands for the publisher: what it was given."""

    def __init__(self, *_: object) -> None:
        self.records: list[Spooled] = []
        self.closed = False
        _TAKEN.append(self)

    async def accept(self, records: Sequence[Spooled]) -> None:
        await asyncio.sleep(0)
        self.records.extend(records)

    async def close(self) -> None:
        await asyncio.sleep(0)
        self.closed = True


_TAKEN: Final[list[_Taken]] = []


class _NoStore:
    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def published(tmp_path: Path) -> Callable[[Path, Path], tuple[Mapped, _Taken]]:
    """Publishes without a stack; the store knows of nothing."""
    stack = StackFile(0, 1, "nowhere:1", "", "", "", embedded=False)

    def publish(file: Path, mapping: Path) -> tuple[Mapped, _Taken]:
        with (
            patch.object(mapped, "stack_of", lambda _: (Settings(data=tmp_path), stack)),
            patch.object(mapped, "gate_client", lambda _: _NoStore()),
            patch.object(mapped, "Door", lambda _: Door(None)),
            patch.object(mapped, "Publisher", _Taken),
        ):
            return publish_mapped(file, mapping, None, wait=False), _TAKEN[-1]

    return publish


def test_events_and_dead_letters_go_out_and_a_second_time_they_are_the_same(
    published: Callable[[Path, Path], tuple[Mapped, _Taken]],
) -> None:
    file = EXAMPLES / "purchase-orders.csv"
    outcome, taken = published(file, EXAMPLES / "purchase-orders.map.yaml")
    assert taken.closed
    assert (outcome.accepted, outcome.refused) == (3, 1)
    assert [record.key for record in taken.records[:3]] == [b"4500001", b"4500002", b"4500003"]
    (letter,) = [
        msgspec.json.decode(one.value, type=DeadLetter) for one in taken.records if one.topic == "dead.letters"
    ]
    assert (letter.cause, letter.origin, letter.field) == ("unmapped", f"{file}:8", "quantity")
    assert letter.value == file.read_bytes().splitlines()[7]
    _, again = published(file, EXAMPLES / "purchase-orders.map.yaml")
    assert [one.value for one in again.records[:3]] == [one.value for one in taken.records[:3]]
    second = msgspec.json.decode(again.records[3].value, type=DeadLetter)
    assert (second.topic, second.partition, second.offset) == (letter.topic, letter.partition, letter.offset)


def test_what_the_contract_refuses_is_a_dead_letter_with_the_row(
    tmp_path: Path, published: Callable[[Path, Path], tuple[Mapped, _Taken]]
) -> None:
    (tmp_path / "m.yaml").write_text(MAP)
    (tmp_path / "f.csv").write_text(f"{HEADER}\n{ROW}0.1234\n")
    outcome, taken = published(tmp_path / "f.csv", tmp_path / "m.yaml")
    assert (outcome.accepted, outcome.refused) == (0, 1)
    letter = msgspec.json.decode(taken.records[0].value, type=DeadLetter)
    assert (letter.cause, letter.field, letter.value) == ("unmapped", "quantity", f"{ROW}0.1234".encode())


def test_what_several_rules_say_of_a_row_is_one_dead_letter(
    tmp_path: Path, published: Callable[[Path, Path], tuple[Mapped, _Taken]]
) -> None:
    second = MAP[MAP.index("  - type") :].replace("in/", "away/").replace("received", "shipped")
    (tmp_path / "m.yaml").write_text(MAP + second)
    (tmp_path / "f.csv").write_text(f"{HEADER}\n{ROW}0.1234\n{ROW.replace('5', 'x')}\n")
    outcome, taken = published(tmp_path / "f.csv", tmp_path / "m.yaml")
    assert (outcome.read, outcome.accepted, outcome.refused, len(taken.records)) == (2, 0, 2, 2)
    for record in taken.records:
        assert msgspec.json.decode(record.value, type=DeadLetter).reason.count("quantity") == 2


def test_many_rows_go_out_in_batches_and_only_the_first_refusals_are_told(
    tmp_path: Path, published: Callable[[Path, Path], tuple[Mapped, _Taken]]
) -> None:
    (tmp_path / "m.yaml").write_text(MAP)
    bad = [f"b{number},01.03.2026 10:00,7,x" for number in range(30)]
    good = [f"{number},01.03.2026 10:00,7,5" for number in range(2_500)]
    (tmp_path / "f.csv").write_text("\n".join([HEADER, *bad, *good]))
    outcome, taken = published(tmp_path / "f.csv", tmp_path / "m.yaml")
    assert (outcome.accepted, outcome.refused, len(taken.records)) == (2_500, 30, 2_530)
    assert outcome.by_type == {"received": 2_500}
    assert len(outcome.sentences) == 21
    assert outcome.sentences[-1] == "... and 10 more refused: see dead_letters"


def test_recorded_at_is_the_time_of_the_file(tmp_path: Path, looked: Callable[..., Mapped]) -> None:
    looked(f"{HEADER}\n{ROW}\n")
    os.utime(tmp_path / "f.csv", (1_772_359_200, 1_772_359_200))
    assert dry_run(tmp_path / "f.csv", tmp_path / "m.yaml").first[0]["recorded_at"] == "2026-03-01T10:00:00.000Z"


# The command.


def test_a_dry_run_needs_no_stack_and_prints_one_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app = typer.Typer()
    publish_command.register(app)
    arguments = ["publish", str(EXAMPLES / "purchase-orders.csv"), "--map", str(EXAMPLES / "purchase-orders.map.yaml")]
    with pytest.raises(SystemExit) as ended:
        app([*arguments, "--dry-run", "--json", "--data", str(tmp_path)], standalone_mode=False)
    told = json.loads(capsys.readouterr().out)
    assert ended.value.code == 1
    assert (told["dry_run"], told["accepted"], len(told["events"])) == (True, 3, 3)
    with pytest.raises(SystemExit):
        app([*arguments, "--dry-run"], standalone_mode=False)
    *_, last = capsys.readouterr().out.splitlines()
    assert last == (
        "6 rows read, 1 skipped (orders made for tests): 3 events (3 order_placed) would be published, 1 rows refused; "
        "nothing was published"
    )
    with pytest.raises(WrongInput, match="--map"):
        app(["publish", "-", "--dry-run"], standalone_mode=False)


def test_the_limits_that_the_page_names_are_those_that_are_held() -> None:
    page = (ROOT / "docs/mapping.md").read_text()
    assert f"{mapped_files.MAX_ROW_BYTES:,} bytes" in page
    assert f"{mapped_files.MAX_SPAN} lines" in page
