import io
import json
import random
from collections import Counter, defaultdict
from dataclasses import asdict
from datetime import datetime
from typing import Any

import pytest

from schemas.event import Event
from schemas.scms import ScmsDelivery, read_scms
from schemas.scms_report import KINDS
from schemas.shipment import MilestoneReported
from schemas.supplier import AdvanceShipNotice, OrderPlaced
from tests.schemas.scms_files import REAL, SAMPLE, Dirty, parsed, plant, read_bytes, real_file, take_sample
from tests.schemas.scms_oracle import Figures, Told, figures_of, lines_of

SEEDS = (1, 2, 3)

REAL_FIGURES = Figures(
    lines=10_324,
    shipments=7_030,
    late_lines=1_186,
    late_by_more_than_a_week=766,
    shipments_with_a_late_line=805,
    without_date_of_order=5_732,
    delivered_before_ordered=5,
    order_to_delivery=4_587,
    zero=352,
    mean=105.80,
    deviation=79.29,
)


def told_by(events: list[Event]) -> dict[str, Told]:
    """What the events tell of each line, put together again."""
    lines: defaultdict[str, dict[str, Any]] = defaultdict(
        lambda: {"order": None, "price": None, "ordered": None, "scheduled": None, "delivered": None}
    )
    for event in events:
        assert isinstance(event, OrderPlaced | AdvanceShipNotice | MilestoneReported)
        for line in event.lines:
            assert line.line_id is not None
            known = lines[line.line_id]
            said: dict[str, Any] = {"item": line.item, "quantity": line.quantity}
            if isinstance(event, OrderPlaced):
                price = next(one.unit_cost for one in event.lines if one.line_id == line.line_id)
                said |= {"ordered": event.occurred_at.date(), "price": price}
            elif isinstance(event, AdvanceShipNotice):
                said |= {"order": event.order_id, "shipment": event.shipment_id}
            else:
                day = "delivered" if event.classifier == "actual" else "scheduled"
                said |= {day: event.occurred_at.date(), "shipment": event.shipment_id}
            assert all(known.get(name) in {None, value} for name, value in said.items()), (known, said)
            known |= said
    return {identifier: Told(**known) for identifier, known in lines.items()}


def comparable(lines: dict[str, Told]) -> dict[str, dict[str, Any]]:
    """The file's lines without what events cannot tell: the price of a line without a date of order."""
    return {identifier: asdict(line) | ({} if line.ordered else {"price": None}) for identifier, line in lines.items()}


@pytest.fixture(scope="module")
def real() -> ScmsDelivery:
    return read_scms(real_file())


@pytest.fixture(scope="module")
def sample() -> ScmsDelivery:
    return read_scms(SAMPLE)


def test_the_real_file_gives_the_figures_that_were_counted_independently(real: ScmsDelivery) -> None:
    assert figures_of(told_by(parsed(real))) == REAL_FIGURES
    assert figures_of(lines_of(REAL.read_bytes())) == REAL_FIGURES


def test_the_real_file_line_by_line(real: ScmsDelivery) -> None:
    assert comparable(told_by(parsed(real))) == comparable(lines_of(REAL.read_bytes()))


def test_the_account_of_the_real_file(real: ScmsDelivery) -> None:
    assert real.unmapped == ()
    assert (real.report.rows, real.report.mapped, real.report.blank) == (10_324, 10_324, 0)
    assert (real.report.orders, real.report.shipments) == (6_233, 7_030)
    assert real.report.events == {
        "order_placed": 2_694,
        "advance_ship_notice": 7_030,
        "delivered planned": 7_040,
        "delivered actual": 7_030,
    }
    assert real.report.published == len(real.events) == 23_794
    assert real.report.counts() == {
        "order_date_from_rdc": 5_404,
        "date_not_captured": 533,
        "pre_pq_process": 5_157,
        "delivered_before_ordered": 5,
        "recorded_before_delivered": 3,
        "two_promises_in_shipment": 10,
        "origin_not_uniform": 114,
        "mode_unknown": 360,
        "freight_given_elsewhere": 4_126,
        "weight_given_elsewhere": 3_952,
        "insurance_empty": 287,
        "text_encoding": 1,
    }


def test_each_odd_cell_of_the_real_file_is_where_the_report_says(real: ScmsDelivery) -> None:
    lines = REAL.read_text(encoding="utf-8-sig").split("\n")
    grouped = {"two_promises_in_shipment", "origin_not_uniform"}
    for kind, cells in real.report.odd.items():
        for odd in cells:
            assert lines[odd.line - 1].startswith(f"{odd.id},")
            assert kind in grouped or odd.value in lines[odd.line - 1]


def test_the_sample_is_what_the_seed_draws_from_the_real_file() -> None:
    assert SAMPLE.read_bytes() == take_sample(real_file().read_bytes())


def test_the_sample_gives_what_its_file_tells(sample: ScmsDelivery) -> None:
    oracle = lines_of(SAMPLE.read_bytes())
    told = told_by(parsed(sample))
    assert comparable(told) == comparable(oracle)
    assert figures_of(told) == figures_of(oracle)
    assert sample.unmapped == ()
    assert len(oracle) == sample.report.rows >= 300
    assert sample.report.counts()["two_promises_in_shipment"] == 10
    assert sample.report.counts()["delivered_before_ordered"] == 5
    assert sample.report.counts()["recorded_before_delivered"] == 3


@pytest.mark.parametrize("seed", SEEDS)
def test_a_dirty_file_gives_all_that_can_be_used_and_accounts_for_the_rest(seed: int) -> None:
    check_dirty(plant(SAMPLE.read_bytes(), seed))


def test_a_dirty_copy_of_the_whole_real_file_does_too() -> None:
    check_dirty(plant(real_file().read_bytes(), 4))


def check_dirty(dirty: Dirty) -> None:
    delivery = read_bytes(dirty.content)
    report = delivery.report
    oracle, told = lines_of(dirty.content), told_by(parsed(delivery))
    expected = comparable(oracle)
    for identifier, column in dirty.odd["cell_missing"]:
        if column == "Vendor":  # who has the order is not known, so no notice tells of the order
            expected[identifier]["order"] = None
    assert comparable(told) == expected
    assert figures_of(told) == figures_of(oracle)
    assert Counter((row.id, row.field) for row in delivery.unmapped) == dirty.unmapped
    assert report.rows == report.mapped + report.unmapped == len(told) + len(delivery.unmapped)
    assert report.blank == dirty.blank
    for kind, cells in dirty.odd.items():
        assert cells <= {(odd.id, odd.column) for odd in report.odd[kind]}, kind
    for kind, groups in dirty.groups.items():
        assert groups <= {odd.value.split(": ")[0] for odd in report.odd[kind]}, kind
    assert set(report.odd) <= set(KINDS)
    physical = dirty.content.split(b"\n")
    for row in delivery.unmapped:
        assert row.value.split(b"\n")[0] == physical[row.line - 1]
        assert row.reason.endswith(".")
        assert row.origin == f"{report.file}:{row.line}"


@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_of_rows_changes_no_byte(seed: int, sample: ScmsDelivery) -> None:
    header, *lines = SAMPLE.read_bytes().splitlines(keepends=True)
    random.Random(seed).shuffle(lines)
    assert read_bytes(header + b"".join(lines)).events == sample.events


@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_of_dirty_rows_changes_no_byte_either(seed: int) -> None:
    dirty = plant(SAMPLE.read_bytes(), seed)
    header, *lines = dirty.content.splitlines(keepends=True)
    whole = [line for line in lines if line.count(b'"') % 2 == 0]
    one = read_bytes(header + b"".join(whole))
    random.Random(seed).shuffle(whole)
    two = read_bytes(header + b"".join(whole))
    assert one.events == two.events
    assert Counter(row.value for row in one.unmapped) == Counter(row.value for row in two.unmapped)
    assert one.report.counts() == two.report.counts()


def test_the_order_of_columns_and_the_byte_order_mark_do_not_matter(sample: ScmsDelivery) -> None:
    import csv  # noqa: PLC0415 - only to write the file another way

    rows = list(csv.reader(io.StringIO(SAMPLE.read_text("utf-8-sig"), newline="")))
    turned = io.StringIO(newline="")
    csv.writer(turned, quoting=csv.QUOTE_ALL).writerows([row[::-1] for row in rows])
    assert read_bytes(turned.getvalue().encode()).events == sample.events


def test_every_event_id_is_there_once(sample: ScmsDelivery) -> None:
    identities = [(json.loads(raw)["source"], json.loads(raw)["event_id"]) for _, _, raw in sample.events]
    assert len(set(identities)) == len(identities)
    recorded = [json.loads(raw)["recorded_at"] for _, _, raw in sample.events]
    assert recorded == sorted(recorded)


def test_nothing_is_said_that_the_file_does_not_tell(sample: ScmsDelivery) -> None:
    for event in parsed(sample):
        assert event.source == "scms"
        assert event.precision == "day"
        assert event.zone_assumed
        assert not event.retracted
        assert getattr(event, "carrier", None) is None
        assert getattr(event, "buyer", None) is None
        assert getattr(event, "location", None) is None
        assert event.occurred_at.utcoffset() is not None
        assert event.occurred_at.time() == event.recorded_at.time() == datetime.min.time()


def test_the_report_can_be_written_as_json(sample: ScmsDelivery) -> None:
    written = json.loads(json.dumps(sample.report.as_dict()))
    assert written["rows"] == sample.report.rows
    assert {kind: part["count"] for kind, part in written["odd"].items()} == sample.report.counts()
    for part in written["odd"].values():
        assert sum(part["columns"].values()) == part["count"] == len(part["cells"])
        assert set(part["cells"][0]) == {"line", "id", "column", "value"}


def test_a_text_stream_without_bytes_behind_it_is_read_too(sample: ScmsDelivery) -> None:
    assert read_scms(io.StringIO(SAMPLE.read_text("utf-8-sig"))).events == sample.events
