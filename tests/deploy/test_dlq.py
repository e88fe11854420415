"""Dead letters and late records, read: which there are, what is shown, and what became of them."""

import json
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest
from clickhouse_connect.driver.client import Client

from deploy import deadletters
from deploy.deadletters import Which, count, letter_of, newest, opened, sendings, summary
from deploy.laterecords import WhichLate, count_late, late_of, newest_late
from schemas.coordinates import Again, Coordinate
from schemas.derived import LateRecord, encode
from schemas.errors import WrongInput
from schemas.times import rfc3339
from tests.deploy.letters import BROKEN, GOOD, NOW, MakeStore, dead, emptied, fill, line, resent, stores
from tests.sinks.records import NOON, milestone, record, write


@pytest.fixture(scope="module")
def new_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeStore]:
    """Makes clients of one embedded engine, each on a new, migrated database."""
    with stores(str(tmp_path_factory.mktemp("engine"))) as make:
        yield make


@pytest.fixture(scope="module")
def own(new_store: MakeStore) -> Client:
    """A database for tests that write, one after the other."""
    return new_store()


@pytest.fixture
def store(own: Client) -> Client:
    """It, empty."""
    return emptied(own)


@pytest.fixture(scope="module")
def filled(new_store: MakeStore) -> Client:
    """For tests that only read."""
    return fill(new_store())


@pytest.fixture
def mine(store: Client) -> Client:
    """For a test that writes."""
    return fill(store)


def offsets(store: Client, **filters: Any) -> list[int]:
    """The offsets of the letters that fit, newest first; the line's as 0."""
    found = newest(store, Which(**filters), 100)
    assert count(store, Which(**filters)) == len(found)
    assert sorted(str(one.letter.place) for piece in opened(store, Which(**filters)) for one in piece) == sorted(
        str(one.place) for one in found
    )
    return [one.place.coordinate.offset if not one.place.origin else 0 for one in found]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, [4, 3, 2, 0]),
        ({"state": "all"}, [4, 3, 2, 0, 1]),
        ({"state": "resent"}, [1]),
        ({"sources": ("acme",)}, [2]),
        ({"sources": ("acme", 'it\'s \\ "odd"')}, [3, 2]),
        ({"sources": ("' OR 1=1 --",)}, []),
        ({"causes": ("not_json",)}, [4]),
        ({"causes": ("not_json",), "state": "all"}, [4, 1]),
        ({"topics": ("publish",)}, [0]),
        ({"topics": ("shipment.events", "publish"), "causes": ("unknown_type", "not_json")}, [4, 0]),
        ({"span": (NOON + 3_600_000, NOON + 10_800_000)}, [3, 2]),
        ({"reason": "is NOT json"}, [4]),
        ({"reason": "%"}, []),
    ],
)
def test_filters_say_which(filled: Client, filters: dict[str, Any], expected: list[int]) -> None:
    assert offsets(filled, **filters) == expected


def test_a_cause_that_does_not_exist_is_told_with_those_that_do() -> None:
    with pytest.raises(WrongInput, match="not_json"):
        Which(causes=("nonsense",))


def test_the_newest_come_first_and_no_more_than_asked_for(filled: Client) -> None:
    assert [one.place.coordinate.offset for one in newest(filled, Which(), 2)] == [4, 3]


def test_the_summary_counts_by_cause_source_and_reason(mine: Client) -> None:
    write(mine, dead(9, BROKEN, appended_at=NOON + 9_000_000))
    first, *others = summary(mine, Which(), 100)
    assert (first.cause, first.source, first.count) == ("invalid", "acme", 2)
    assert (first.first, first.last) == (NOON + 3_600_000, NOON + 9_000_000)
    assert first.as_dict()["last"] == rfc3339(NOON + 9_000_000)
    assert sum(group.count for group in others) == 3
    assert len(summary(mine, Which(), 1)) == 1


def test_all_letters_are_opened_in_pieces_with_their_bytes(filled: Client) -> None:
    with patch.object(deadletters, "_PIECE", 2):
        pieces = list(opened(filled, Which(state="all")))
    assert [len(piece) for piece in pieces] == [2, 2, 1]
    found = {one.letter.place.coordinate.offset: one for piece in pieces for one in piece}
    assert (found[4].key, found[4].value, found[4].letter.size) == (b"\xfe", b"\xff\x00", 2)


def test_large_letters_are_opened_fewer_at_a_time(filled: Client) -> None:
    with patch.object(deadletters, "_PIECE_BYTES", len(BROKEN)):
        assert max(sum(len(one.value) for one in piece) for piece in opened(filled, Which())) <= 2 * len(BROKEN)


def test_a_letter_is_found_by_its_id_and_by_the_coordinate_alone(filled: Client) -> None:
    (refused,) = newest(filled, Which(topics=("publish",)), 1)
    name = str(refused.place)
    assert name.endswith("@in%20box/a.ndjson:3")
    for asked in (name, name.partition("@")[0]):
        assert letter_of(filled, asked).letter == refused
    assert letter_of(filled, "1/shipment.events/0/4").value == b"\xff\x00"


def test_an_id_that_nobody_has_is_told_how_ids_look(filled: Client) -> None:
    for name in ("1/shipment.events/0/77", "1/shipment.events/0/4@other.ndjson:1"):
        with pytest.raises(WrongInput, match=r"There is no dead letter .* ids look like"):
            letter_of(filled, name)


def test_where_one_line_came_by_two_names_the_coordinate_alone_is_not_enough(mine: Client) -> None:
    write(mine, line(b"{}", "b.ndjson", 1))
    one, other = newest(mine, Which(topics=("publish",)), 5)
    with pytest.raises(WrongInput, match=r"Several dead letters .*b\.ndjson:1"):
        letter_of(mine, str(one.place).partition("@")[0])
    assert letter_of(mine, str(other.place)).letter == other


def test_what_became_of_a_letter_is_told_each_time_it_was_sent(mine: Client) -> None:
    place = Coordinate(1, "shipment.events", 0, 2)
    late = LateRecord(1, "shipment.events", 2, 51, NOON, "S1", "Its day has closed.", GOOD)
    again_dead = dead(60, b"{", appended_at=NOON + 1)._replace(headers=(Again("dead", place).header(),))
    write(
        mine,
        again_dead,
        resent(place, NOON + 2, partition=2, offset=50),
        resent(place, NOON + 3, partition=2, offset=51),
        record("late.records", encode(late)),
    )
    told = sendings(mine, letter_of(mine, "1/shipment.events/0/2").letter)
    assert [(one.at, one.became) for one in told] == [(NOON + 1, "dead"), (NOON + 2, "stored"), (NOON + 3, "late")]
    assert told[1].as_dict()["coordinate"] == "1/shipment.events/2/50"
    assert told[1].what == "e1 of acme about S1"
    assert sendings(mine, letter_of(mine, "1/shipment.events/0/3").letter) == []


def test_the_keys_of_a_letter_are_the_documented_ones(filled: Client) -> None:
    (one,) = newest(filled, Which(sources=("acme",)), 1)
    assert one.as_dict() | {"reason": ""} == {
        "id": "1/shipment.events/0/2",
        "arrived_at": rfc3339(NOON + 3_600_000),
        "source": "acme",
        "cause": "invalid",
        "reason": "",
        "field": one.field,
        "epoch": 1,
        "topic": "shipment.events",
        "partition": 0,
        "offset": 2,
        "origin": "",
        "bytes": len(BROKEN),
        "resent_at": None,
    }
    json.dumps(one.as_dict())


# Late records.


def test_late_records_are_listed_by_entity_and_whether_they_were_applied(store: Client) -> None:
    for offset, entity in ((1, "S1"), (2, "S'2|x")):
        late = LateRecord(1, "shipment.events", 2, offset, NOON + offset, entity, "Its day has closed.", GOOD)
        write(store, record("late.records", encode(late)))
    place = Coordinate(1, "shipment.events", 2, 1)
    write(store, milestone({}, appended_at=NOW)._replace(headers=(Again("late", place).header(),)))
    (waiting,) = newest_late(store, WhichLate(), 10)
    assert (waiting.entity, waiting.applied_at, waiting.event_id) == ("S'2|x", None, "e1")
    (applied,) = newest_late(store, WhichLate(state="applied"), 10)
    assert applied.as_dict()["applied_at"] == rfc3339(NOW)
    assert [one.entity for one in newest_late(store, WhichLate(state="all"), 10)] == ["S'2|x", "S1"]
    assert count_late(store, WhichLate(entities=("S1",), state="all", sources=("acme",))) == 1
    assert count_late(store, WhichLate(topics=("supplier.events",))) == 0
    assert count_late(store, WhichLate(span=(0, NOON + 2), state="all")) == 1
    assert late_of(store, str(applied.place)) == (applied, GOOD)
    with pytest.raises(WrongInput, match=r"no late record .* ids look like"):
        late_of(store, "1/shipment.events/2/9")
