"""One row, or a few, cell by cell; and the files that are none."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from schemas.derived import DeadLetter, encode
from schemas.errors import WrongInput
from schemas.scms import ScmsDelivery, read_scms
from schemas.scms_dates import read_date
from schemas.scms_events import MAX_LINES
from schemas.scms_report import KINDS
from schemas.supplier import OrderPlaced
from tests.schemas.scms_files import parsed, read_bytes

HEADER = (
    "ID,Project Code,PQ #,PO / SO #,ASN/DN #,Country,Managed By,Fulfill Via,Vendor INCO Term,Shipment Mode,"
    "PQ First Sent to Client Date,PO Sent to Vendor Date,Scheduled Delivery Date,Delivered to Client Date,"
    "Delivery Recorded Date,Product Group,Sub Classification,Vendor,Item Description,Molecule/Test Type,"
    "Brand,Dosage,Dosage Form,Unit of Measure (Per Pack),Line Item Quantity,Line Item Value,Pack Price,"
    "Unit Price,Manufacturing Site,First Line Designation,Weight (Kilograms),Freight Cost (USD),"
    "Line Item Insurance (USD)"
)
CELLS = {
    "ID": "1",
    "Project Code": "100-CI-T01",
    "PQ #": "FPQ-1",
    "PO / SO #": "SCMS-1",
    "ASN/DN #": "ASN-1",
    "Country": "Kenya",
    "Managed By": "PMO - US",
    "Fulfill Via": "Direct Drop",
    "Vendor INCO Term": "EXW",
    "Shipment Mode": "Ocean",
    "PQ First Sent to Client Date": "1/5/2010",
    "PO Sent to Vendor Date": "1/31/2010",
    "Scheduled Delivery Date": "4-Mar-10",
    "Delivered to Client Date": "5-Mar-10",
    "Delivery Recorded Date": "9-Mar-10",
    "Vendor": "Acme",
    "Item Description": "Kit A|B",
    "Line Item Quantity": "10",
    "Pack Price": "1.50",
    "Manufacturing Site": "Goa",
    "First Line Designation": "Yes",
    "Weight (Kilograms)": "7",
    "Freight Cost (USD)": "8.5",
    "Line Item Insurance (USD)": "0.1",
}


def file_of(*rows: dict[str, str]) -> ScmsDelivery:
    """A delivery history with these rows; each says only what is unlike CELLS."""
    columns = HEADER.split(",")
    lines = [",".join((CELLS | row).get(column, "") for column in columns) for row in rows]
    return read_bytes("\n".join([HEADER, *lines]).encode())


def documents(delivery: ScmsDelivery) -> dict[str, dict[str, Any]]:
    parsed(delivery)
    return {event["event_id"]: event for event in (json.loads(raw) for _, _, raw in delivery.events)}


def test_one_row_becomes_an_order_a_notice_a_plan_and_a_delivery() -> None:
    said = {"source": "scms", "precision": "day", "zone_assumed": True}
    line = {
        "line_id": "1",
        "item": "scms:Kit A|B",
        "quantity": "10",
        "unit": "pack",
        "promised_at": "2010-03-04T00:00:00Z",
    }
    ordered = {
        "project_code": "100-CI-T01",
        "pq_number": "FPQ-1",
        "pq_sent": "1/5/2010",
        "managed_by": "PMO - US",
        "fulfill_via": "Direct Drop",
        "inco_term": "EXW",
    }
    way = {"shipment_id": "ASN-1", "origin": "Goa", "destination": "Kenya"}
    milestone = (
        said
        | way
        | {
            "type": "milestone",
            "milestone": "delivered",
            "recorded_at": "2010-03-09T00:00:00Z",
            "mode": "ocean",
            "references": {"order_id": "SCMS-1"},
            "lines": [line | {"order_id": "SCMS-1"}],
        }
    )
    assert documents(file_of({})) == {
        "order/SCMS-1": said
        | {
            "event_id": "order/SCMS-1",
            "type": "order_placed",
            "occurred_at": "2010-01-31T00:00:00Z",
            "recorded_at": "2010-01-31T00:00:00Z",
            "order_id": "SCMS-1",
            "supplier": "Acme",
            "destination": "Kenya",
            "attributes": ordered,
            "lines": [line | {"unit_cost": "1.5", "currency": "USD"}],
        },
        "notice/ASN-1": said
        | way
        | {
            "event_id": "notice/ASN-1",
            "type": "advance_ship_notice",
            "occurred_at": "2010-03-09T00:00:00Z",
            "recorded_at": "2010-03-09T00:00:00Z",
            "order_id": "SCMS-1",
            "supplier": "Acme",
            "promised_at": "2010-03-04T00:00:00Z",
            "attributes": ordered | {"shipment_mode": "Ocean", "freight_usd": "8.5", "weight_kg": "7"},
            "lines": [line],
        },
        "planned/ASN-1/2010-03-04": milestone
        | {
            "event_id": "planned/ASN-1/2010-03-04",
            "classifier": "planned",
            "occurred_at": "2010-03-04T00:00:00Z",
            "promised_at": "2010-03-04T00:00:00Z",
        },
        "delivered/ASN-1/2010-03-05": milestone
        | {
            "event_id": "delivered/ASN-1/2010-03-05",
            "classifier": "actual",
            "occurred_at": "2010-03-05T00:00:00Z",
        },
    }


def test_goods_from_a_regional_store_have_no_order_date_and_come_from_rdc() -> None:
    found = documents(file_of({"Fulfill Via": "From RDC", "PO Sent to Vendor Date": "N/A - From RDC"}))
    assert set(found) == {"notice/ASN-1", "planned/ASN-1/2010-03-04", "delivered/ASN-1/2010-03-05"}
    assert {event["origin"] for event in found.values()} == {"RDC"}


@pytest.mark.parametrize(
    ("text", "mode"),
    [("Air", "air"), ("Air Charter", "air"), ("Truck", "road"), ("Ocean", "ocean"), ("N/A", None)],
)
def test_modes_are_those_of_the_contract(text: str, mode: str | None) -> None:
    delivery = file_of({"Shipment Mode": text})
    assert documents(delivery)["delivered/ASN-1/2010-03-05"].get("mode") == mode
    assert ("mode_unknown" in delivery.report.counts()) is (mode is None)


def test_two_promises_in_a_shipment_are_two_plans_and_one_delivery() -> None:
    delivery = file_of({}, {"ID": "2", "Scheduled Delivery Date": "6-Mar-10", "First Line Designation": "No"})
    found = documents(delivery)
    assert [line["line_id"] for line in found["planned/ASN-1/2010-03-04"]["lines"]] == ["1"]
    assert [line["line_id"] for line in found["planned/ASN-1/2010-03-06"]["lines"]] == ["2"]
    assert [line["line_id"] for line in found["delivered/ASN-1/2010-03-05"]["lines"]] == ["1", "2"]
    assert "promised_at" not in found["notice/ASN-1"]
    assert [line["promised_at"][:10] for line in found["notice/ASN-1"]["lines"]] == ["2010-03-04", "2010-03-06"]
    assert delivery.report.counts() == {"two_promises_in_shipment": 1}


def test_two_deliveries_in_a_shipment_are_two_events_each_with_its_lines() -> None:
    delivery = file_of({}, {"ID": "2", "Delivered to Client Date": "7-Mar-10", "First Line Designation": "No"})
    found = documents(delivery)
    assert [line["line_id"] for line in found["delivered/ASN-1/2010-03-05"]["lines"]] == ["1"]
    assert [line["line_id"] for line in found["delivered/ASN-1/2010-03-07"]["lines"]] == ["2"]
    assert delivery.report.counts() == {"two_deliveries_in_shipment": 1}


def test_two_dates_of_one_order_are_two_events_with_the_date_in_their_id() -> None:
    delivery = file_of({}, {"ID": "2", "ASN/DN #": "ASN-2", "PO Sent to Vendor Date": "2/1/2010"})
    found = documents(delivery)
    assert found["order/SCMS-1/2010-01-31"]["lines"][0]["line_id"] == "1"
    assert found["order/SCMS-1/2010-02-01"]["lines"][0]["line_id"] == "2"
    assert "order/SCMS-1" not in found
    assert delivery.report.odd["two_order_dates"][0].value == "SCMS-1: 1/31/2010 / 2/1/2010"


def test_two_orders_in_one_shipment_have_a_notice_each() -> None:
    delivery = file_of({}, {"ID": "2", "PO / SO #": "SCMS-2", "First Line Designation": "No"})
    found = documents(delivery)
    assert found["notice/ASN-1/SCMS-1"]["order_id"] == "SCMS-1"
    assert found["notice/ASN-1/SCMS-2"]["order_id"] == "SCMS-2"
    assert "references" not in found["delivered/ASN-1/2010-03-05"]
    assert delivery.report.counts() == {"two_orders_in_shipment": 1}


def test_what_the_rows_of_a_shipment_do_not_share_is_absent_and_reported() -> None:
    delivery = file_of(
        {},
        {
            "ID": "2",
            "Country": "Uganda",
            "Shipment Mode": "Truck",
            "Manufacturing Site": "Oslo",
            "Delivery Recorded Date": "11-Mar-10",
        },
    )
    found = documents(delivery)
    notice = found["notice/ASN-1"]
    assert {"origin", "destination"}.isdisjoint(notice)
    assert {"shipment_mode", "freight_usd", "weight_kg"}.isdisjoint(notice["attributes"])
    assert "mode" not in found["delivered/ASN-1/2010-03-05"]
    assert {event["recorded_at"][:10] for event in found.values()} == {"2010-01-31", "2010-03-11"}
    assert {odd.column for odd in delivery.report.odd["rows_disagree"]} == {
        "Country",
        "Shipment Mode",
        "Delivery Recorded Date",
        "First Line Designation",
    }
    assert delivery.report.counts()["origin_not_uniform"] == 1


def test_a_delivery_without_a_date_leaves_the_order_and_the_plan() -> None:
    delivery = file_of({"Delivered to Client Date": "Date Not Captured"})
    assert set(documents(delivery)) == {"order/SCMS-1", "notice/ASN-1", "planned/ASN-1/2010-03-04"}
    assert delivery.report.counts() == {"date_not_captured": 1}


@pytest.mark.parametrize(
    ("cells", "recorded"),
    [
        ({"Delivery Recorded Date": "?"}, "2010-03-05"),
        ({"Delivery Recorded Date": "", "Delivered to Client Date": ""}, "2010-03-04"),
    ],
)
def test_a_missing_recorded_date_is_the_day_of_what_was_recorded(cells: dict[str, str], recorded: str) -> None:
    delivery = file_of(cells)
    assert documents(delivery)["notice/ASN-1"]["recorded_at"][:10] == recorded
    assert delivery.report.counts()["recorded_date_assumed"] == 1


def test_a_line_without_any_date_of_its_own_is_in_the_notice_of_its_shipment() -> None:
    dates = ("Scheduled Delivery Date", "Delivered to Client Date", "Delivery Recorded Date")
    nothing = dict.fromkeys((*dates, "PO Sent to Vendor Date"), "Date Not Captured")
    delivery = file_of({}, nothing | {"ID": "2", "First Line Designation": "No"})
    found = documents(delivery)
    assert [line["line_id"] for line in found["notice/ASN-1"]["lines"]] == ["1", "2"]
    assert [line["line_id"] for line in found["delivered/ASN-1/2010-03-05"]["lines"]] == ["1"]
    assert delivery.unmapped == ()


def test_a_row_without_any_date_at_all_is_unmapped() -> None:
    dates = ("Scheduled Delivery Date", "Delivered to Client Date", "Delivery Recorded Date")
    delivery = file_of(dict.fromkeys((*dates, "PO Sent to Vendor Date"), ""))
    assert delivery.events == ()
    assert [row.reason.split(":")[0] for row in delivery.unmapped] == ["The row tells nothing that can be dated"]


def test_a_line_without_a_price_has_no_currency_either() -> None:
    line = documents(file_of({"Pack Price": "dear"}))["order/SCMS-1"]["lines"][0]
    assert {"unit_cost", "currency"}.isdisjoint(line)


def test_names_that_keys_cannot_hold_are_mended_and_reported() -> None:
    delivery = file_of({"Vendor": "A|B > C", "PO / SO #": "PO|1", "Manufacturing Site": "x>y"})
    order = documents(delivery)["order/PO|1"]
    assert (order["order_id"], order["supplier"]) == ("PO/1", "A/B / C")
    assert delivery.report.counts() == {"name_replaced": 3}


def test_names_with_slashes_never_share_an_event_id() -> None:
    delivery = file_of(
        {"PO / SO #": "A"},
        {"ID": "2", "PO / SO #": "A", "ASN/DN #": "ASN-2", "PO Sent to Vendor Date": "2/1/2010"},
        {"ID": "3", "PO / SO #": "A/2010-02-01", "ASN/DN #": "ASN-3"},
    )
    orders = [json.loads(raw)["event_id"] for topic, _, raw in delivery.events if b'"order_placed"' in raw]
    assert sorted(orders) == ["order/A/2010-01-31", "order/A/2010-02-01", "order/A|2010-02-01"]


def test_a_shipment_with_very_many_lines_is_told_in_parts() -> None:
    delivery = file_of(*({"ID": str(number)} for number in range(1, MAX_LINES + 2)))
    found = documents(delivery)
    assert len(found["notice/ASN-1"]["lines"]) == MAX_LINES
    assert [line["line_id"] for line in found["notice/ASN-1>2"]["lines"]] == [str(MAX_LINES + 1)]
    assert len(found) == 8


def test_the_row_recorded_last_counts_of_two_with_one_id() -> None:
    first: dict[str, str] = {}
    later = {"Line Item Quantity": "11", "Delivery Recorded Date": "1-Apr-10"}
    for rows in ((first, later), (later, first)):
        delivery = file_of(*rows)
        assert documents(delivery)["notice/ASN-1"]["lines"][0]["quantity"] == "11"
        (row,) = delivery.unmapped
        assert row.line == 2 + rows.index(first)
        assert f"also on line {2 + rows.index(later)}" in row.reason


def test_an_unmapped_row_is_a_dead_letter_that_stays_the_same() -> None:
    delivery = file_of({}, {"ID": ""})
    (row,) = delivery.unmapped
    letter = row.dead_letter(5)
    assert isinstance(letter, DeadLetter)
    assert (letter.cause, letter.field, letter.offset, letter.appended_at) == ("unmapped", "ID", 3, 5)
    assert letter.reason == "The row tells nothing: ID is empty."
    assert letter.origin == "stream:3"
    assert letter.value == row.value
    assert b'"cause":"unmapped"' in encode(letter)
    assert file_of({}, {"ID": ""}).unmapped[0].dead_letter(5) == letter
    assert file_of({"Country": "Mali"}, {"ID": ""}).unmapped[0].dead_letter(5).topic != letter.topic


def test_columns_that_are_not_known_are_named_in_the_report() -> None:
    content = (
        f"{HEADER},Notes\n".encode()
        + ",".join([CELLS.get(column, "") for column in HEADER.split(",")] + ["hm"]).encode()
    )
    delivery = read_bytes(content)
    assert delivery.report.ignored_columns == ("Notes",)
    assert len(delivery.events) == 4


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "f.csv is empty: give the SCMS delivery history as CSV."),
        (b"\xef\xbb\xbf\r\n\n", "f.csv is empty: give the SCMS delivery history as CSV."),
        (
            b"PK\x03\x04rest",
            "f.csv is a ZIP archive or an Excel workbook, not CSV text: save or unpack it as CSV in UTF-8.",
        ),
        (
            HEADER.encode("utf-16"),
            "f.csv is UTF-16 text, not CSV text: save or unpack it as CSV in UTF-8.",
        ),
        (
            b"\x7fELF\x00\x01",
            "f.csv is a binary file, not CSV text: give the SCMS delivery history as CSV.",
        ),
        (
            b"a,b,c\n1,2,3\n",
            (
                "f.csv is not an SCMS delivery history: its first line is 'a,b,c', "
                "where the columns ID, Project Code, PQ #, PO / SO #, ASN/DN #, ... should be named."
            ),
        ),
        (HEADER.replace(",", ";").encode(), "f.csv is separated by semicolons: save it with commas."),
        (HEADER.replace(",", "\t").encode(), "f.csv is separated by tabs: save it with commas."),
        (
            HEADER.replace("ASN/DN #", "Shipment").encode(),
            (
                "f.csv lacks the column 'ASN/DN #' (it has 'Shipment' instead?): "
                "name the columns as in the published file."
            ),
        ),
        (
            HEADER.replace("Vendor,", "").replace("Country,", "").encode(),
            "f.csv lacks the columns 'Country', 'Vendor': name the columns as in the published file.",
        ),
        (
            f"{HEADER},ID".encode(),
            "f.csv has more than one column 'ID': leave only the right one.",
        ),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_what_is_no_delivery_history_is_refused_in_one_sentence(content: bytes, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_bytes(content)
    with pytest.raises(WrongInput) as refused:
        read_scms(path)
    assert str(refused.value) == sentence


def test_a_file_that_is_not_there_or_a_directory_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(WrongInput, match=r"^There is no file '.*nowhere.csv': check the path\.$"):
        read_scms(tmp_path / "nowhere.csv")
    with pytest.raises(WrongInput, match=r"^'.*' is a directory: name the CSV file itself\.$"):
        read_scms(str(tmp_path))


def test_a_header_alone_is_a_history_without_rows() -> None:
    delivery = read_bytes(HEADER.encode())
    assert (delivery.events, delivery.unmapped, delivery.report.rows) == ((), (), 0)


@pytest.mark.parametrize(
    ("cell", "day"),
    [
        ("4-Aug-09", date(2009, 8, 4)),
        ("04-AUG-2009", date(2009, 8, 4)),
        ("8/4/2009", date(2009, 8, 4)),
        ("12/31/99", date(2099, 12, 31)),
        ("2009-08-04", date(2009, 8, 4)),
        ("29-Feb-12", date(2012, 2, 29)),
        ("29-Feb-11", None),
        ("13/1/2011", None),
        ("0-Jan-11", None),
        ("4-Aug-009", None),
        ("4 Aug 09", None),
        ("٤-Aug-09", None),
    ],
)
def test_dates_of_both_columns_are_read_month_first(cell: str, day: date | None) -> None:
    assert read_date(cell).day == day
    assert (read_date(cell).odd == "date_unreadable") is (day is None)


def test_each_odd_kind_is_explained_in_the_documentation() -> None:
    text = (Path(__file__).parents[2] / "docs" / "scms.md").read_text()
    missing = [kind for kind in KINDS if f"`{kind}`" not in text]
    assert missing == []
    assert [column for column in HEADER.split(",") if f"| {column} |" not in text] == []


def test_prices_keep_their_decimals() -> None:
    (order, *_) = parsed(file_of({"Pack Price": "0.123456", "Line Item Quantity": "2.500"}))
    assert isinstance(order, OrderPlaced)
    assert order.lines[0].unit_cost == Decimal("0.123456")
    assert order.lines[0].quantity == Decimal("2.5")


def test_bytes_that_are_not_utf_8_are_read_as_windows_1252() -> None:
    cells = [(CELLS | {"Country": "Côte d'Ivoire"}).get(column, "") for column in HEADER.split(",")]
    delivery = read_bytes(HEADER.encode() + b"\n" + ",".join(cells).encode("cp1252"))
    assert documents(delivery)["notice/ASN-1"]["destination"] == "Côte d'Ivoire"
    assert [tuple(odd) for odd in delivery.report.odd["text_encoding"]] == [(2, "1", "Country", "Côte d'Ivoire")]


def test_a_stray_quotation_mark_costs_only_its_own_line() -> None:
    rows = [
        ",".join((CELLS | {"ID": str(number)}).get(name, "") for name in HEADER.split(",")) for number in range(1, 5)
    ]
    rows[1] = '"' + rows[1]
    delivery = read_bytes("\n".join([HEADER, *rows]).encode())
    assert [row.line for row in delivery.unmapped] == [3]
    assert delivery.unmapped[0].value == (rows[1] + "\n").encode()
    assert [line["line_id"] for line in documents(delivery)["notice/ASN-1"]["lines"]] == ["1", "3", "4"]
