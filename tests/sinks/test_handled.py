"""What becomes of dead letters that are sent again and of late records that are applied, in the history."""

from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from schemas.coordinates import AGAIN_HEADER, Again, AgainKind, Coordinate, Origin
from schemas.derived import DeadLetter, LateRecord, encode
from sinks.rows import Record, rows_of
from sinks.tables import HANDLED
from tests.sinks.records import NOON, column, milestone, only, record, write

BROKEN = Coordinate(1, "shipment.events", 2, 7)


def again(place: Coordinate, kind: AgainKind = "dead", **said: Any) -> Record:
    """A good record that takes up this place again."""
    return milestone({})._replace(headers=(Again(kind, place).header(),), **said)


def broken(place: Coordinate = BROKEN) -> Record:
    """A record that cannot be read, at this place."""
    return record(place.topic, b"{", epoch=place.epoch, partition=place.partition, offset=place.offset)


def resent(store: Client) -> list[Any]:
    return column(store, "SELECT toUnixTimestamp64Milli(resent_at) FROM dead_letters ORDER BY epoch, offset, origin")


def test_a_record_that_takes_up_a_dead_letter_is_a_row_of_its_own_and_says_which(store: Client) -> None:
    one = again(BROKEN, epoch=3, partition=1, offset=40, appended_at=NOON + 5)
    placed = dict(rows_of(one, "home"))
    assert set(placed) == {"handled_records", "shipment_events"}
    told = dict(zip(HANDLED.names, placed["handled_records"], strict=True))
    assert told == {
        "kind": "dead",
        "first_epoch": 1,
        "first_topic": "shipment.events",
        "first_partition": 2,
        "first_offset": 7,
        "epoch": 3,
        "topic": "shipment.events",
        "partition": 1,
        "offset": 40,
        "handled_at": NOON + 5,
    }
    write(store, one)
    assert column(store, "SELECT count() FROM handled_records") == [1]


def test_a_dead_letter_stays_dead_and_shows_when_it_was_last_sent_again(store: Client) -> None:
    write(store, broken(), broken(Coordinate(1, "shipment.events", 2, 8)))
    assert resent(store) == [None, None]
    write(store, again(BROKEN, appended_at=NOON + 10))
    write(store, again(BROKEN, appended_at=NOON + 20))
    assert resent(store) == [NOON + 20, None]
    assert only(store, f"SELECT cause FROM dead_letters WHERE offset = {BROKEN.offset}")["cause"] == "not_json"  # noqa: S608  # a number of ours


def test_what_is_sent_again_and_still_broken_is_another_dead_letter(store: Client) -> None:
    write(store, broken())
    still = broken(Coordinate(1, "shipment.events", 0, 99))._replace(headers=(Again("dead", BROKEN).header(),))
    write(store, still)
    assert resent(store) == [NOON, None]


def test_a_record_that_was_read_twice_is_handled_once(store: Client) -> None:
    one = again(BROKEN)
    write(store, one)
    write(store, one)
    assert column(store, "SELECT count() FROM handled_records FINAL") == [1]


@pytest.mark.parametrize("topic", ["publish", "scms/4c2b"])
def test_a_refused_line_of_a_file_shows_that_it_was_sent_again_under_each_name_it_came_by(
    store: Client, topic: str
) -> None:
    for origin in ("a.ndjson:3", "b.ndjson:1"):
        letter = DeadLetter(0, topic, 0, 2**55, NOON, "invalid", "r", "", b"", b"{}", origin)
        write(store, record("dead.letters", encode(letter)))
    assert resent(store) == [None, None]
    write(store, again(Coordinate(0, topic, 0, 2**55), appended_at=NOON + 1))
    assert resent(store) == [NOON + 1, NOON + 1]
    assert only(store, "SELECT topic, first_topic FROM handled_records") == {
        "topic": "shipment.events",
        "first_topic": topic,
    }


def test_a_late_record_shows_that_it_was_applied_and_a_dead_letter_at_its_place_does_not(store: Client) -> None:
    late = LateRecord(1, BROKEN.topic, BROKEN.partition, BROKEN.offset, NOON, "S1", "late", milestone({}).value or b"")
    write(store, record("late.records", encode(late)), broken())
    at = "SELECT toUnixTimestamp64Milli(applied_at) FROM late_records"
    assert column(store, at) == [None]
    write(store, again(BROKEN, "late", appended_at=NOON + 3))
    assert column(store, at) == [NOON + 3]
    assert resent(store) == [None]


@pytest.mark.parametrize(
    "value",
    [None, b"", b"dead", b"dead/1/t/2", b"gone/1/t/2/3", b"dead/x/t/2/3", b"dead/1/t/-2/3", b"dead/1/t/2/%ff", b"\xff"],
)
def test_a_header_that_tells_no_place_costs_nothing_but_itself(value: bytes | None) -> None:
    one = milestone({})._replace(headers=((AGAIN_HEADER, value),))
    assert [table for table, _ in rows_of(one, "home")] == ["shipment_events"]


def test_stored_and_dead_and_replayed_are_the_records_also_where_letters_were_sent_again(store: Client) -> None:
    origin = Origin(Coordinate(1, "shipment.events", 0, 900), NOON, "another-store").header()
    told = [
        broken(),
        again(BROKEN, epoch=1, partition=0, offset=1),
        again(BROKEN, epoch=1, partition=0, offset=1),
        broken(Coordinate(1, "shipment.events", 0, 2))._replace(headers=(Again("dead", BROKEN).header(),)),
        milestone({}, partition=1, offset=3),
        milestone({"event_id": "e2"}, partition=1, offset=4)._replace(headers=(origin,)),
    ]
    write(store, *told)
    stored = "SELECT epoch, partition, offset FROM shipment_events"
    dead = "SELECT epoch, partition, offset FROM dead_letters WHERE topic = 'shipment.events'"
    replayed = "SELECT epoch, partition, offset FROM replayed_records"
    first = "SELECT first_epoch, first_partition, first_offset FROM replayed_records"
    sql = f"SELECT DISTINCT * FROM ({stored} UNION ALL {dead} UNION ALL {replayed}) EXCEPT {first}"  # noqa: S608  # our own names
    found = {tuple(row) for row in store.query(sql).result_rows}
    assert found == {(one.epoch, one.partition, one.offset) for one in told}
