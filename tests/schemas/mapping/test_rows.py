"""From rows to events, or to the reason why there is none."""

import itertools
import json
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import pytest

from schemas.errors import WrongInput
from schemas.mapping.cells import Cell, Fault, Row
from schemas.mapping.model import Mapping
from schemas.mapping.reading import read_mapping
from schemas.mapping.rows import Made, Mapper, Unmapped, require_columns
from schemas.wire import judge, topic_of

MOVES = """\
source: acme
zone: UTC
empty: ["-"]
skip:
  - {when: {column: No, equals: T}, reason: tests}
  - {when: [{column: No, empty: true}, {column: Sku, matches: "^Sum"}], reason: sums}
events:
  - type: {column: Move, map: {"101": received, "601": shipped, "*": adjusted}}
    when: {column: Move, not_in: [X]}
    event_id: "m/{No}"
    occurred_at: {column: Time, formats: ["%d.%m.%Y %H:%M", iso]}
    recorded_at: {column: Said, default: "2026-03-05T00:00:00Z", optional: true}
    retracted: {column: Void, equals: "1"}
    fields:
      site: BER
      item: "acme:{Sku}"
      quantity: {column: Qty, factor: 0.5}
      unit: {column: Unit, default: pcs}
    references: {order_id: "{PO}"}
    attributes: {shift: "{Shift}"}
"""
CELLS: dict[str, Cell] = {"No": "1", "Move": "101", "Time": "01.03.2026 10:00", "Sku": "7", "Qty": "8", "Void": "0"}
ORDERS = """\
source: acme
events:
  - type: order_placed
    group_by: PO
    event_id: "order/{PO}"
    occurred_at: "{Time}"
    fields: {order_id: "{PO}", supplier: "{Supplier}"}
    lines: {line_id: "{Line}", item: "acme:{Sku}", quantity: "{Qty}", unit: pcs}
  - type: order_cancelled
    when: {column: Void, equals: "1"}
    group_by: [PO]
    event_id: "void/{PO}"
    occurred_at: "{Time}"
    fields: {order_id: "{PO}", line_ids: "{Line}"}
"""
LINE: dict[str, Cell] = {
    "PO": "9", "Line": "1", "Sku": "7", "Qty": "8", "Supplier": "S", "Time": "2026-03-01T10:00:00Z", "Void": None,
}  # fmt: skip


def mapping_of(text: str) -> Mapping:
    return read_mapping("m.yaml", text.encode())


def run(text: str, rows: Iterable[dict[str, Cell]], base: dict[str, Cell]) -> tuple[Mapper, list[Made], list[Unmapped]]:
    """What these rows make; each says only what is unlike `base`."""
    mapper = Mapper(mapping_of(text), 1_772_000_000_000)
    read = [Row(number, str(number), base | row, b"raw") for number, row in enumerate(rows, 2)]
    told = [*itertools.chain.from_iterable(map(mapper.take, read)), *mapper.finish()]
    return mapper, [one for one in told if isinstance(one, Made)], [one for one in told if isinstance(one, Unmapped)]


def documents(made: Sequence[Made]) -> list[dict[str, Any]]:
    """The events, each of which the contract takes."""
    found = [json.loads(one.raw) for one in made]
    for one, document in zip(made, found, strict=True):
        topic = topic_of(document["type"])
        assert topic is not None
        assert getattr(judge(topic, one.raw), "event_id", one.raw) == document["event_id"]
    return found


def test_a_row_becomes_an_event() -> None:
    _, made, unmapped = run(MOVES, [{"PO": "4", "Shift": "-"}], CELLS)
    assert unmapped == []
    assert documents(made) == [
        {
            "event_id": "m/1",
            "source": "acme",
            "type": "received",
            "occurred_at": "2026-03-01T10:00:00Z",
            "recorded_at": "2026-03-05T00:00:00Z",
            "site": "BER",
            "item": "acme:7",
            "quantity": "4",
            "unit": "pcs",
            "references": {"order_id": "4"},
            "zone_assumed": True,
        }
    ]


def test_codes_choose_the_type_and_conditions_retract() -> None:
    rows: list[dict[str, Cell]] = [{"No": "2", "Move": "601"}, {"No": "3", "Move": "?", "Void": "1", "Qty": "-2"}]
    told = documents(run(MOVES, rows, CELLS)[1])
    assert [one["type"] for one in told] == ["shipped", "adjusted"]
    assert [one.get("retracted", False) for one in told] == [False, True]
    assert told[1]["quantity"] == "-1"


def test_real_numbers_are_taken_as_they_are_and_as_text_where_text_is_meant() -> None:
    (told,) = documents(run(MOVES, [{"No": Decimal("1E+1"), "Sku": Decimal("7.0"), "Qty": Decimal("0.250")}], CELLS)[1])
    assert (told["event_id"], told["item"], told["quantity"]) == ("m/10", "acme:7", "0.125")


@pytest.mark.parametrize(
    ("row", "reason", "field"),
    [
        ({"Qty": "many"}, 'quantity: column Qty: "many" is no number with decimal ".".', "quantity"),
        ({"Qty": "-"}, "quantity is missing: column Qty: empty.", "quantity"),
        ({"Qty": "#N/A"}, "quantity: column Qty: it holds #N/A, the error of a formula.", "quantity"),
        (
            {"Qty": Fault("#REF!", "it holds #REF!, the error of a formula")},
            "quantity: column Qty: it holds #REF!",
            "quantity",
        ),
        (
            {"Time": "03/01/2026"},
            'column Time: "03/01/2026" is no date of the form %d.%m.%Y %H:%M or iso.',
            "occurred_at",
        ),
        ({"Sku": None}, "item is missing: column Sku: empty.", "item"),
        ({"No": None}, "event_id cannot be made: one of the columns No is empty.", "event_id"),
        ({"Move": "X"}, "No rule under `events` is for this row", ""),
        ({"Move": None}, "type is missing: column Move: empty.", "type"),
    ],
)
def test_a_row_that_makes_no_event_says_why(row: dict[str, Cell], reason: str, field: str) -> None:
    _, made, (told,) = run(MOVES, [row], CELLS)
    assert made == []
    assert reason in told.reason
    assert told.field == field
    letter = told.dead_letter("f.csv", "d1", 5)
    assert (letter.cause, letter.origin, letter.value, letter.topic) == ("unmapped", "f.csv:2", b"raw", "map/d1")


def test_rows_that_are_skipped_are_counted_by_their_reason() -> None:
    rows: list[dict[str, Cell]] = [{"No": "T"}, {"No": None, "Sku": "Sum of it"}, {"No": None, "Sku": "Sum"}]
    mapper, made, unmapped = run(MOVES, rows, CELLS)
    assert (made, unmapped) == ([], [])
    assert mapper.sums.skipped == {"tests": 1, "sums": 2}


def test_a_long_row_is_cut_in_its_letter_and_that_is_told() -> None:
    told = Unmapped(Row(3, "3", {}, b"x" * 600_000, "p"), "It is long.").dead_letter("f", "d", 0)
    assert len(told.value) == 500_000
    assert told.reason == "It is long. Only the first 500000 of its 600000 bytes are kept."


def test_rows_of_one_order_become_one_event_wherever_they_stand() -> None:
    rows: list[dict[str, Cell]] = [{}, {"PO": "8"}, {"Line": "2", "Supplier": None}]
    _, made, unmapped = run(ORDERS, rows, LINE)
    assert unmapped == []
    first, second = documents(made)
    assert [line["line_id"] for line in first["lines"]] == ["1", "2"]
    assert (first["supplier"], first["event_id"], second["event_id"]) == ("S", "order/9", "order/8")
    assert first["recorded_at"] == "2026-02-25T06:13:20.000Z"  # the file's


def test_lists_of_names_are_gathered_from_the_rows() -> None:
    _, made, _ = run(ORDERS, [{"Void": "1"}, {"Void": "1", "Line": "2"}, {"Line": "3"}], LINE)
    assert documents(made)[1]["line_ids"] == ["1", "2"]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"Line": "2", "Supplier": "T"}, 'supplier is "S" on row 2 and "T" on row 3'),
        ({"Line": "2", "Qty": "x"}, "row 3 cannot be read: quantity: column Qty"),
        ({"Qty": "9"}, 'line_id "1" is on row 2 and, with other content, on row 3'),
    ],
)
def test_an_order_of_which_a_row_cannot_be_read_is_not_made_in_part(row: dict[str, Cell], words: str) -> None:
    _, made, unmapped = run(ORDERS, [{}, row], LINE)
    assert made == []
    assert [one.row.number for one in unmapped] == [2, 3]
    assert words in unmapped[0].reason
    assert all(one.grouped for one in unmapped)


def test_a_row_that_repeats_a_line_is_told_and_counts_once() -> None:
    mapper, made, _ = run(ORDERS, [{}, {}], LINE)
    assert len(documents(made)[0]["lines"]) == 1
    assert mapper.sums.notes["line_repeated"] == (1, ["row 3 repeats line 1 of row 2"])


def test_an_event_id_that_is_no_id_is_refused_and_a_repeat_or_a_correction_told() -> None:
    later: dict[str, Cell] = {"Said": "2026-03-06T00:00:00Z", "Qty": "6"}
    mapper, made, (told,) = run(MOVES, [{}, {}, {"Qty": "6"}, later], CELLS)
    assert [json.loads(one.raw)["quantity"] for one in made] == ["4", "3"]
    assert 'event_id "m/1" was made before in this file' in told.reason
    assert told.row.number == 4
    assert {kind: count for kind, (count, _) in mapper.sums.notes.items()} == {"event_repeated": 1, "said_again": 1}


def test_doubtful_times_are_told_with_their_row() -> None:
    text = MOVES.replace("zone: UTC", "zone: Europe/Berlin")
    mapper, made, _ = run(text, [{"Time": "29.03.2026 02:30"}], CELLS)
    assert documents(made)[0]["occurred_at"] == "2026-03-29T03:30:00+02:00"
    ((kind, (count, (first,))),) = mapper.sums.notes.items()
    assert (kind, count) == ("time_in_gap", 1)
    assert first.startswith("row 2: occurred_at: ")


def test_the_same_rows_make_the_same_bytes() -> None:
    rows: list[dict[str, Cell]] = [{"No": str(number)} for number in range(5)]
    assert [one.raw for one in run(MOVES, rows, CELLS)[1]] == [one.raw for one in run(MOVES, rows, CELLS)[1]]


def test_missing_and_doubled_columns_are_told_by_name() -> None:
    mapping = mapping_of(MOVES)
    all_of_them = ["No", "Sku", "Move", "Void", "Time", "Qty", "Unit", "PO", "Shift"]
    require_columns("f.csv", mapping, all_of_them)
    with pytest.raises(WrongInput, match=r'f.csv has no column "Qty" \(for quantity\): did you mean "qty\."\?'):
        require_columns("f.csv", mapping, [name.replace("Qty", "qty.") for name in all_of_them])
    with pytest.raises(WrongInput, match='more than one column "Qty"'):
        require_columns("f.csv", mapping, [*all_of_them, "Qty", "other", "other"])
