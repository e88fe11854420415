import hashlib

import pytest
from clickhouse_connect.driver.client import Client

from schemas.coordinates import Again, Coordinate, Origin
from schemas.derived import LateRecord, encode
from schemas.errors import WrongInput
from sinks.migrate import store_id
from sinks.replay import count, replay
from sinks.rows import Record
from tests.sinks.records import NOON, event, milestone, record, write

RECEIVED = {"type": "received", "site": "BER", "item": "acme:a|b", "unit": "pack", "quantity": "1"}


def test_every_record_comes_back_in_order_of_arrival_with_its_bytes_and_its_origin(store: Client) -> None:
    records = [
        event("warehouse.events", RECEIVED, partition=1, offset=5, appended_at=NOON + 2),
        milestone({"attributes": {"note": "Straße\u2028"}}, partition=3, offset=9, appended_at=NOON),
        milestone({}, partition=0, offset=3, appended_at=NOON + 2),
        milestone({}, partition=0, offset=2, appended_at=NOON + 1),
        event("warehouse.events", RECEIVED, partition=0, offset=3, appended_at=NOON + 2),
        record("shipment.events", b"no event", offset=1),
    ]
    write(store, *records[3:])
    write(store, *records[:4])
    (chunk,) = replay(store)
    assert [(one.topic, one.place.partition, one.place.offset) for one in chunk] == [
        ("shipment.events", 3, 9),
        ("shipment.events", 0, 2),
        ("shipment.events", 0, 3),
        ("warehouse.events", 0, 3),
        ("warehouse.events", 1, 5),
    ]
    assert {one.key for one in chunk} == {b"S1", b"BER|acme:a|b"}
    first = chunk[0]
    assert first.raw == records[1].value
    assert first.place.coordinate == Coordinate(1, "shipment.events", 3, 9)
    assert first.header == Origin(first.place.coordinate, NOON, store_id(store)).header()
    assert count(store) == 5


def test_chunks_are_small_and_nothing_is_lost_or_doubled_between_them(store: Client) -> None:
    for _ in range(2):
        write(store, *(milestone({"event_id": f"e{n}"}, offset=n, appended_at=NOON + n // 7) for n in range(500)))
    chunks = list(replay(store, chunk=64))
    assert max(map(len, chunks)) <= 64
    offsets = [one.place.offset for chunk in chunks for one in chunk]
    assert offsets == list(range(500))


def test_bytes_come_back_exactly(store: Client) -> None:
    wanted = [
        milestone({"event_id": f"e{n}", "attributes": {"text": text}}, offset=n)
        for n, text in enumerate(["\u00e9", "\\", "'", "\U0001f6a2", "\t\n"])
    ]
    odd = record("shipment.events", b" \r\n" + (wanted[0].value or b"") + b"\n ", offset=9)
    write(store, *wanted, odd)
    found = {hashlib.sha256(one.raw).digest() for chunk in replay(store) for one in chunk}
    assert found == {hashlib.sha256(one.value or b"").digest() for one in (*wanted, odd)}


def test_one_entity_or_one_topic_can_be_replayed(store: Client) -> None:
    write(store, milestone({"shipment_id": "S'1"}), milestone({}), event("warehouse.events", RECEIVED))
    (chunk,) = replay(store, entity="S'1")
    assert [one.key for one in chunk] == [b"S'1"]
    (chunk,) = replay(store, topics=["warehouse.events"])
    assert [one.topic for one in chunk] == ["warehouse.events"]
    assert list(replay(store, topics=["reference.events"])) == []
    assert count(store, topics=["shipment.events"]) == 2


def test_only_fact_topics_can_be_replayed(store: Client) -> None:
    with pytest.raises(WrongInput, match=r"'order\.status' is no fact topic"):
        next(replay(store, topics=["order.status"]))


def test_the_client_is_free_again_when_a_replay_is_left_early(store: Client) -> None:
    write(store, *(milestone({}, offset=n) for n in range(10)))
    reading = replay(store, chunk=2)
    assert len(next(reading)) == 2
    reading.close()
    assert count(store) == 10


def test_a_replay_goes_on_after_the_place_where_it_was_cut_off(store: Client) -> None:
    write(store, *(milestone({"event_id": f"e{n}"}, offset=n, appended_at=NOON + n // 7) for n in range(60)))
    write(store, *(event("warehouse.events", RECEIVED, offset=n, appended_at=NOON + n // 7) for n in range(60)))
    whole = [one for chunk in replay(store) for one in chunk]
    for cut in (0, 13, 14, 118, 119):
        rest = [one for chunk in replay(store, after=whole[cut].place) for one in chunk]
        assert rest == whole[cut + 1 :]


def test_what_came_too_late_comes_back_only_if_asked_for_or_applied_since(store: Client) -> None:
    first, late, other = (event("warehouse.events", RECEIVED | {"event_id": f"e{n}"}, offset=n) for n in range(3))
    write(store, first, late, other, *map(_judged_late, (late, other)))
    assert [one.place.offset for chunk in replay(store) for one in chunk] == [0]
    both = [one for chunk in replay(store, with_late=True) for one in chunk]
    assert [(one.place.offset, one.late) for one in both] == [(0, False), (1, True), (2, True)]
    again = (both[1].header, Again("late", both[1].place.coordinate).header())
    write(store, late._replace(offset=50, headers=again))
    assert [one.place.offset for chunk in replay(store) for one in chunk] == [0, 1]
    assert count(store) == 2
    both = [one for chunk in replay(store, with_late=True) for one in chunk]
    assert [(one.place.offset, one.late) for one in both] == [(0, False), (1, False), (2, True)]
    assert [
        applied is None for (applied,) in store.query("SELECT applied_at FROM late_records ORDER BY offset").result_rows
    ] == [
        False,
        True,
    ]


def _judged_late(one: Record) -> Record:
    said = LateRecord(
        one.epoch, one.topic, one.partition, one.offset, one.appended_at, "BER|acme:a|b", "too late", one.value or b""
    )
    return record("late.records", encode(said))
