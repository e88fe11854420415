import base64
import json
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import given
from hypothesis import strategies as st

from schemas.coordinates import MARK_HEADER, ORIGIN_HEADER, Coordinate, Mark, Origin
from schemas.derived import (
    DeadLetter,
    LateRecord,
    LeadStats,
    LeadWindow,
    OrderStatus,
    StockPosition,
    encode,
)
from schemas.identifiers import findings
from schemas.times import rfc3339
from schemas.versions import content_hash
from sinks.rows import TOPICS, Record, Row, rows_of
from sinks.tables import TABLES
from sinks.writer import Batch
from tests.sinks.records import NOON, column, event, milestone, only, record, state, write

HOME = "home-store"


def placed(one: Record) -> dict[str, dict[str, Any]]:
    """The rows of a record as dicts, by table."""
    return {table: as_dict(table, row) for table, row in rows_of(one, HOME)}


def as_dict(table: str, row: Row) -> dict[str, Any]:
    return dict(zip(TABLES[table].names, row, strict=True))


def test_where_a_load_of_history_begins_and_ends_is_kept() -> None:
    marks = (Mark(begins=True, load="a/b").header(), Mark(begins=False, load="a/b").header())
    found = rows_of(milestone({}, partition=3, offset=17, headers=marks), HOME)
    here = {"epoch": 1, "topic": "shipment.events", "partition": 3, "offset": 17, "appended_at": NOON, "load": "a/b"}
    assert [as_dict(table, row) for table, row in found if table == "load_marks"] == [
        here | {"begins": True},
        here | {"begins": False},
    ]
    assert [table for table, _ in found][-1] == "shipment_events"
    assert set(placed(milestone({}, headers=((MARK_HEADER, b"middle/a"),)))) == {"shipment_events"}


def test_a_milestone_becomes_one_row_with_everything_it_says() -> None:
    one = milestone(
        {
            "occurred_at": "2026-11-22T13:00:00.1239+02:00",
            "leg": 2,
            "classifier": "estimated",
            "references": {"container": "MSKU1234565", "sscc": None},
            "attributes": {"vessel": "Ever Ü"},
            "precision": "day",
        },
        partition=3,
        offset=17,
    )
    assert placed(one) == {
        "shipment_events": {
            "epoch": 1,
            "partition": 3,
            "offset": 17,
            "appended_at": NOON,
            "source": "acme",
            "event_id": "e1",
            "type": "milestone",
            "occurred_at": NOON - 3_600_000 + 123,
            "recorded_at": NOON,
            "offset_minutes": 120,
            "retracted": False,
            "precision": "day",
            "zone_assumed": False,
            "content_hash": content_hash(one.value or b""),
            "references": {"container": "MSKU1234565"},
            "attributes": {"vessel": "Ever Ü"},
            "findings": (),
            "raw": one.value,
            "shipment_id": "S1",
            "milestone": "departed",
            "classifier": "estimated",
            "leg": 2,
        }
    }


def test_a_movement_is_stored_in_thousandths_with_its_direction() -> None:
    said = {"type": "moved", "direction": "out", "site": "BER", "item": "acme:a|b", "unit": "pack", "quantity": "1.125"}
    row = placed(event("warehouse.events", said))["warehouse_events"]
    assert (row["site"], row["item"], row["quantity_thousandths"], row["direction"]) == ("BER", "acme:a|b", 1125, "out")


def test_identifiers_that_do_not_check_are_findings() -> None:
    said = {"type": "received", "site": "BER", "item": "00012345678904", "unit": "pack", "quantity": "1"}
    ((_, row),) = rows_of(event("warehouse.events", said), HOME, findings)
    assert as_dict("warehouse_events", row)["findings"] == ("gtin_check_digit",)


def test_a_record_that_is_no_event_is_a_dead_letter_with_its_bytes() -> None:
    one = record("shipment.events", b'{"source": "acme", "type": "milestone"}', key=b"\xff", offset=5)
    row = placed(one)["dead_letter_records"]
    assert (row["cause"], row["source"], row["offset"], row["key"]) == ("invalid", "acme", 5, b"\xff")
    assert row["reason"].startswith("event_id is missing")
    assert row["value"] == one.value


def test_a_tombstone_on_a_fact_topic_is_a_dead_letter_and_on_a_view_topic_nothing() -> None:
    assert placed(record("shipment.events", None))["dead_letter_records"]["cause"] == "empty"
    assert placed(record("order.status", None)) == {}


def replayed(store_id: str, appended_at: int = NOON - 5_000) -> Record:
    origin = Origin(Coordinate(1, "shipment.events", 2, 40), appended_at, store_id)
    return milestone({}, epoch=7, partition=0, offset=3, headers=(origin.header(),))


def test_a_replayed_record_of_another_store_keeps_its_first_coordinate_and_append_time() -> None:
    rows = placed(replayed("other-store"))
    row = rows["shipment_events"]
    assert (row["epoch"], row["partition"], row["offset"]) == (1, 2, 40)
    assert row["appended_at"] == NOON - 5_000
    again = rows["replayed_records"]
    assert (again["epoch"], again["partition"], again["offset"]) == (7, 0, 3)
    assert (again["first_epoch"], again["first_partition"], again["first_offset"]) == (1, 2, 40)


def test_a_record_replayed_from_this_store_is_not_stored_again() -> None:
    assert set(placed(replayed(HOME))) == {"replayed_records"}


def test_a_replayed_record_is_judged_by_its_first_append_time() -> None:
    origin = Origin(Coordinate(1, "shipment.events", 2, 40), NOON - 2 * 86_400_000, "other-store")
    rows = placed(milestone({}, headers=(origin.header(),)))
    assert rows["dead_letter_records"]["cause"] == "recorded_in_future"
    assert rows["dead_letter_records"]["offset"] == 40


def test_an_origin_that_cannot_be_is_not_believed() -> None:
    for origin in (
        Origin(Coordinate(1, "supplier.events", 2, 40), NOON, HOME),
        Origin(Coordinate(1, "shipment.events", -2, 40), NOON, HOME),
        Origin(Coordinate(2**80, "shipment.events", 2, 40), NOON, HOME),
        Origin(Coordinate(1, "shipment.events", 2, 40), NOON + 1, HOME),
    ):
        rows = placed(milestone({}, offset=3, headers=(origin.header(),)))
        assert rows["shipment_events"]["offset"] == 3
    assert set(placed(milestone({}, headers=((ORIGIN_HEADER, None),)))) == {"shipment_events"}


def letter(one: Record, cause: str, reason: str, field: str) -> DeadLetter:
    return DeadLetter(
        epoch=one.epoch,
        topic=one.topic,
        partition=one.partition,
        offset=one.offset,
        appended_at=one.appended_at,
        cause=cause,
        reason=reason,
        field=field,
        key=one.key or b"",
        value=one.value or b"",
    )


def test_what_the_agents_report_of_a_dead_record_is_the_row_that_the_sink_finds() -> None:
    dead = milestone({"leg": 0})
    ((table, row),) = rows_of(dead, HOME)
    found = as_dict(table, row)
    reported = letter(dead, found["cause"], found["reason"], found["field"])
    assert rows_of(record("dead.letters", encode(reported)), HOME) == ((table, row),)


def test_a_late_record_tells_whose_event_it_was() -> None:
    event_of = milestone({})
    late = LateRecord(
        1, "shipment.events", 2, 9, NOON, "S1", "The period of 2026-11-01 has closed.", event_of.value or b""
    )
    row = placed(record("late.records", encode(late)))["late_event_records"]
    assert (row["entity"], row["source"], row["event_id"], row["offset"]) == ("S1", "acme", "e1", 9)


@pytest.mark.parametrize(
    "value",
    [
        b"{}",
        b"[[[",
        b"[" * 200_000,
        b'{"version":[1,-1],"state":{"order_id":"a","status":"placed"}}',
        b'{"version":[1,18446744073709551616],"state":{"order_id":"a","status":"placed"}}',
        b'{"version":[1,1],"state":{"order_id":"a","status":"placed","ordered_at":9223372036854775808}}',
        b'{"version":[1,1],"state":{"order_id":"\\ud800","status":"placed"}}',
    ],
)
def test_a_strange_record_on_a_view_topic_is_a_dead_letter(value: bytes) -> None:
    row = placed(record("order.status", value))["dead_letter_records"]
    assert row["cause"] == "invalid"
    assert row["reason"].startswith("The record is no OrderStatus")


@pytest.mark.parametrize("squares", ["", "x", "9" * 5_000, str(2**255)])
def test_squares_that_are_no_number_are_a_dead_letter(squares: str) -> None:
    window = LeadWindow(1, 0, 1, squares, 1, 1, 1)
    stats = state("lead.stats", LeadStats("transit", "A>B", 1, window, window))
    assert set(placed(stats)) == {"dead_letter_records"}


def test_a_batch_keeps_the_newest_state_of_each_entity_and_epoch() -> None:
    batch = Batch()
    for version, epoch in ((2, 1), (3, 1), (1, 1), (1, 2)):
        batch.add(rows_of(state("order.status", OrderStatus("PO1", f"v{version}"), version, epoch), HOME))
    statuses = batch.columns()["order_status"][TABLES["order_status"].names.index("status")]
    assert sorted(statuses) == ["v1", "v3"]
    assert len(batch) == 2


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
NAMES = ("version", "state", "source", "type", "offset", "epoch", "key", "value", "lines", "shipment_id")


@given(
    topic=st.sampled_from(TOPICS),
    value=st.none()
    | st.binary()
    | JSON.map(lambda said: json.dumps(said).encode("utf-8"))
    | st.dictionaries(st.sampled_from(NAMES), JSON).map(lambda said: json.dumps(said).encode("utf-8")),
    headers=st.lists(st.tuples(st.sampled_from([ORIGIN_HEADER, "x"]), st.none() | st.binary())),
)
def test_nothing_that_a_record_may_hold_stops_the_sink(
    topic: str, value: bytes | None, headers: list[tuple[str, bytes | None]]
) -> None:
    for table, row in rows_of(Record(1, topic, 0, 0, NOON, None, value, headers), HOME):
        assert len(row) == len(TABLES[table].columns)


def test_the_store_takes_the_strangest_rows(store: Client) -> None:
    huge = 2**63 - 1
    letters = DeadLetter(huge, "t\x00", 2**32 - 1, huge, huge, "c", "r", "f", b"\xff", base64.b64decode(b"/w=="), "o")
    write(
        store,
        record("shipment.events", b'{"source": "\\ud800"}'),
        record("shipment.events", b'{"source": "\xff"}'),
        record("shipment.events", None, key=None, appended_at=-1),
        milestone(
            {"occurred_at": "0001-01-01T00:00:00Z", "recorded_at": "0001-01-01T00:00:00+14:00"}, appended_at=huge
        ),
        milestone({"occurred_at": rfc3339(NOON)}, appended_at=NOON + 10**15),
        state(
            "stock.positions", StockPosition("BER", "acme:1", "pack", on_hand=huge, available=-huge, movements=1), huge
        ),
        record("dead.letters", encode(letters)),
    )
    assert store.query("SELECT count() FROM dead_letters").result_rows == [(4,)]
    store.command("INSERT INTO epochs (epoch, started_at, ended_at) VALUES (1, now(), now())")
    assert str(only(store, "SELECT on_hand FROM stock_now")["on_hand"]) == "9223372036854775.807"
    assert store.query("SELECT count() FROM shipment_events FINAL").result_rows == [(2,)]


def test_a_hundred_months_of_history_fit_one_batch(store: Client) -> None:
    write(
        store,
        *(
            milestone(
                {"recorded_at": "2000-01-01T00:00:00Z", "occurred_at": "2000-01-01T00:00:00Z"},
                appended_at=NOON - month * 30 * 86_400_000,
            )
            for month in range(120)
        ),
    )
    assert column(store, "SELECT uniqExact(_partition_id) > 100 FROM shipment_events") == [1]
