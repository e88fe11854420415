"""Dead letters and late records: ids, filters, what is shown, and what would go out again."""

import asyncio
import base64
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from unittest.mock import Mock, patch

import clickhouse_connect
import msgspec
import pytest
import typer
from clickhouse_connect.driver.client import Client
from hypothesis import given
from hypothesis import strategies as st

from deploy import deadletters, resending
from deploy.command import dlq
from deploy.command.kept_listing import described, exactly_one, read_value, table, value_keys
from deploy.deadletters import Letter, Opened, Which, count, letter_of, newest, opened, sendings, summary
from deploy.door import Door, Line
from deploy.kept import ALWAYS, Place, moment_of, place_of, shown_bytes, span_of
from deploy.laterecords import WhichLate, count_late, late_of, newest_late
from deploy.publisher import Publisher
from deploy.resending import Judged, Order, again, judge, send_again
from deploy.settings import Settings
from deploy.spool import Spooled, SpoolWriter, read_spool, spool_files
from deploy.stackfile import StackFile
from schemas.coordinates import Again, Coordinate, again_of
from schemas.derived import DeadLetter, LateRecord, encode
from schemas.errors import WrongInput
from schemas.times import DAY_MS, rfc3339
from sinks.migrate import migrate
from sinks.rows import Record, rows_of
from streams.sending import Record as Sent
from streams.sending import Sender
from tests.sinks.records import NOON, milestone, record, write

NOW: Final = NOON + DAY_MS
LONG_AGO: Final = {"occurred_at": "2020-01-01T00:00:00Z", "recorded_at": "2020-01-01T00:00:00Z"}


def good(**said: str) -> bytes:
    """A departure that every clock has behind it."""
    return milestone(LONG_AGO | said).value or b""


GOOD: Final = good()
STACK: Final = StackFile(0, 1, "nowhere:1", "", "", "", embedded=False)


# Ids, times, bytes.


@given(
    st.builds(
        Place,
        st.builds(
            Coordinate,
            st.integers(0, 2**63 - 1),
            st.sampled_from(["warehouse.events", "publish", "scms/12ab"]),
            st.integers(0, 2**32 - 1),
            st.integers(0, 2**63 - 1),
        ),
        st.text(),
    )
)
def test_an_id_is_one_word_for_a_shell_and_tells_the_place(place: Place) -> None:
    name = str(place)
    assert place_of(name) == place
    assert not set(name) & set(" \t\n'\"\\$`;&|<>()*?[]{}!#~") - {"~"}


@pytest.mark.parametrize("name", ["", "x", "1/t/2", "1/t/x/3", "-1/t/2/3", "1/t/2/3@", "99999999999999999999/t/2/3"])
def test_what_is_no_id_is_told_how_ids_look(name: str) -> None:
    with pytest.raises(WrongInput, match="EPOCH/TOPIC/PARTITION/OFFSET"):
        place_of(name)


def test_times_are_so_long_ago_or_a_day_or_with_an_offset() -> None:
    assert moment_of("2h", NOON) == NOON - 7_200_000
    assert moment_of("2026-11-22", 0) == NOON - DAY_MS // 2
    assert moment_of("2026-11-22T13:00:00+01:00", 0) == NOON
    for wrong in ("yesterday", "2026-11-22T12:00:00", "5"):
        with pytest.raises(WrongInput, match="is no time"):
            moment_of(wrong, NOON)


def test_a_span_that_holds_nothing_is_refused() -> None:
    assert span_of(None, None, NOON) == ALWAYS
    assert span_of("2h", "1h", NOON) == (NOON - 7_200_000, NOON - 3_600_000)
    with pytest.raises(WrongInput, match="exchange them"):
        span_of("1h", "2h", NOON)


def test_json_is_shown_indented_with_its_figures_as_they_came() -> None:
    assert list(shown_bytes(b'{"a":1.10,"b":[1e400]}')) == ["{", '  "a": 1.10,', '  "b": [', "    1e400", "  ]", "}"]


def test_other_text_is_shown_as_it_is_and_cannot_command_the_terminal() -> None:
    assert list(shown_bytes("{broken\nÜ \x1b[2J\u009b1m".encode())) == ["{broken", "Ü \\x1b[2J\\x9b1m"]


def test_what_is_no_text_is_a_hex_dump() -> None:
    assert list(shown_bytes(b"\xff" * 16 + b"a\n")) == [
        "00000000  " + " ".join(["ff"] * 16) + "  " + "." * 16,
        f"00000010  {'61 0a':47}  a.",
    ]


def test_columns_stand_under_each_other() -> None:
    assert list(table(("id", "why"), [("1", "x\ny"), ("22", "")])) == ["id  why", "1   x\\ny", "22  "]
    assert list(table(("id",), [])) == []


def test_a_record_is_described_line_by_line() -> None:
    told = {"id": "1", "source": "", "epoch": 3, "count": 0, "became": ("dead", "stored")}
    lines = list(described(told, ("epoch",), b"text"))
    assert lines == ["id          1", "count       0", "became      dead", "became      stored", "", "text"]


def test_json_has_the_text_where_there_is_one_and_always_the_bytes() -> None:
    assert value_keys(b"\xff") == {"text": None, "base64": "/w=="}
    assert value_keys(b"a")["text"] == "a"


def test_one_flag_or_none() -> None:
    assert exactly_one((("open", False), ("all", True)), "open") == "all"
    assert exactly_one((("open", False), ("all", False)), "open") == "open"
    with pytest.raises(WrongInput, match="--open and --all"):
        exactly_one((("open", True), ("all", True)), "open")


def test_mended_bytes_come_without_the_line_end(tmp_path: Path) -> None:
    file = tmp_path / "mended.json"
    file.write_bytes(b' {"a": 1}\r\n')
    assert read_value(str(file)) == b' {"a": 1}'
    file.write_bytes(b"\n")
    with pytest.raises(WrongInput, match="is empty"):
        read_value(str(file))
    with pytest.raises(WrongInput, match="cannot be read"):
        read_value(str(tmp_path / "none"))


@pytest.mark.parametrize(("sits_there", "says"), [(True, False), (True, True), (False, None)])
def test_a_person_is_asked_and_a_script_is_not(*, sits_there: bool, says: bool | None) -> None:
    with (
        patch.object(sys, "stdin", Mock(isatty=lambda: sits_there)),
        patch.object(typer, "confirm", return_value=says) as asked,
    ):
        assert dlq._agreed(7) is (says is not False)
    assert asked.call_count == sits_there


# The store: which letters there are.


MakeStore = Callable[[], Client]


@pytest.fixture(scope="module")
def new_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeStore]:
    """Makes clients of one embedded engine, each on a new, migrated database."""
    path = str(tmp_path_factory.mktemp("engine"))
    clients: list[Client] = []

    def make() -> Client:
        client = clickhouse_connect.get_client(interface="chdb", path=path)
        clients.append(client)
        name = f"dlq_{len(clients)}"
        client.command(f"CREATE DATABASE {name}")
        client.database = name
        migrate(client)
        return client

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def store(new_store: MakeStore) -> Client:
    return new_store()


def dead(offset: int, value: bytes | None, **said: Any) -> Record:
    """A record of shipment.events; broken if its value is."""
    return record("shipment.events", value, offset=offset, **said)


def line(raw: bytes, name: str, number: int = 1, arrived_at: int = NOON) -> Record:
    """The record by which `publish` tells that it refused a line of a file."""
    (refused,) = Door(None).decide([Line(number, raw)], arrived_at).refused
    told = refused.dead_letter(name, arrived_at)
    return record(told.topic, told.value)


def resent(place: Coordinate, at: int = NOON, **where: Any) -> Record:
    """A record that takes up a dead letter again."""
    return milestone({}, appended_at=at, **where)._replace(headers=(Again("dead", place).header(),))


BROKEN: Final = b'{"source":"acme","type":"milestone"}'
"""Acme's, with much missing."""


def fill(store: Client) -> Client:
    """Letters 1 to 4 of shipment.events, one an hour; a line of a file; letter 1 was sent again."""
    write(
        store,
        dead(1, b"{"),
        dead(2, BROKEN, appended_at=NOON + 3_600_000),
        dead(3, BROKEN.replace(b"acme", b'it\'s \\\\ \\"odd\\"'), appended_at=NOON + 7_200_000),
        dead(4, b"\xff\x00", appended_at=NOON + 10_800_000, key=b"\xfe"),
        line(b"{}", "in box/a.ndjson", 3),
        resent(Coordinate(1, "shipment.events", 0, 1), NOON + 5, partition=3),
    )
    return store


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


# Sending again.

_NUMBERS = itertools.count()


def letter(value: bytes, topic: str = "shipment.events", key: bytes = b"k", origin: str = "") -> Opened:
    """A letter as the store has it."""
    place = Place(Coordinate(1, topic, 0, next(_NUMBERS)), origin)
    return Opened(Letter(place, NOON, "acme", "invalid", "r", "", None, len(value)), key, value)


def judged(*values: bytes, topic: str = "shipment.events") -> list[Judged]:
    return list(judge([letter(value, topic) for value in values], Door(None), NOW))


def test_a_letter_that_is_an_event_now_goes_out_under_its_entity_with_the_header() -> None:
    (one,) = judged(GOOD)
    assert one.rejection is None
    assert one.record == Spooled("shipment.events", b"S1", GOOD, (again(one.letter),))
    taken = again_of(one.record.headers)
    assert taken == Again("dead", one.letter.letter.place.coordinate)


@pytest.mark.parametrize("topic", ["warehouse.events", "publish", "scms/ab"])
def test_the_type_says_the_topic_wherever_the_letter_stood(topic: str) -> None:
    (one,) = judged(GOOD, topic=topic)
    assert one.record is not None
    assert (one.record.topic, one.record.key) == ("shipment.events", b"S1")


def test_each_letter_gets_its_own_judgement_whatever_stands_between() -> None:
    other = good(event_id="e2", shipment_id="S2")
    told = judged(GOOD, b"", BROKEN, b"  ", other, b"\xff")
    assert [one.rejection.cause if one.rejection else None for one in told] == [
        *(None, "empty", "invalid", "empty", None, "not_json")
    ]
    assert [one.record.key for one in told if one.record is not None and one.rejection is None] == [b"S1", b"S2"]


def test_the_judgement_is_made_by_the_clock_of_now() -> None:
    early = letter(milestone({"recorded_at": rfc3339(NOON + 2 * DAY_MS)}).value or b"")
    (then,) = judge([early], Door(None), NOON)
    (now,) = judge([early], Door(None), NOON + DAY_MS)
    assert then.rejection is not None
    assert then.rejection.cause == "recorded_in_future"
    assert now.rejection is None


def test_a_refused_letter_can_be_forced_only_to_a_topic_that_takes_it() -> None:
    broken, nowhere, huge = judged(BROKEN)[0], judged(b"{", topic="publish")[0], judged(b"x" * 1_100_000)[0]
    assert broken.record is not None
    assert (broken.record.topic, broken.record.key) == ("shipment.events", b"k")
    assert nowhere.record is None
    assert huge.record is None


class Sends:
    """Takes what goes out, in place of a broker; the sink then writes it as the real one does."""

    def __init__(self, store: Client, folder: Path) -> None:
        self.store = store
        self.settings = Settings(data=folder)
        self.sent: list[tuple[str, Sent]] = []
        self.asked: list[int] = []
        self.garbled = b""
        self.is_late = False

    async def take(self, records: Any) -> dict[tuple[str, int], int]:
        """In place of Sender.send."""
        for topic, one in records:
            self.sent.append((topic, one))
            now = time.time_ns() // 1_000_000
            taken = record(topic, self.garbled or one.value, key=one.key, epoch=2, appended_at=now)
            write(self.store, taken._replace(headers=tuple(one.headers)))
            if self.is_late:
                late = LateRecord(2, topic, 0, taken.offset, now, "S1", "r", one.value)
                write(self.store, record("late.records", encode(late)))
        return {}

    def again(self, *, agrees: bool = True, **order: Any) -> dict[str, Any]:
        """Send letters again; the counts."""
        self.sent.clear()
        self.asked.clear()

        def agree(many: int) -> bool:
            self.asked.append(many)
            return agrees

        with patch.object(Sender, "send", lambda _, records: self.take(records)), patch.object(resending, "settled"):
            return send_again(self.store, self.settings, STACK, Order(**order), agree).as_dict()


@pytest.fixture
def sends(mine: Client, tmp_path: Path) -> Sends:
    return Sends(mine, tmp_path)


def counts(told: dict[str, Any]) -> tuple[int, ...]:
    assert told["selected"] == told["accepted"] + told["still_bad"] + told["already_resent"]
    return tuple(told[name] for name in ("selected", "sent", "accepted", "still_bad", "already_resent"))


def valid_but_dead(store: Client, *numbers: int) -> None:
    """Letters whose bytes the present schema takes: they died of a mistake of ours that is mended."""
    for number in numbers:
        value = good(event_id=f"mended-{number}")
        told = DeadLetter(1, "shipment.events", 1, number, NOON, "invalid", "bug 12", "", b"S1", value)
        write(store, record("dead.letters", encode(told)))


def test_what_died_of_a_mistake_of_ours_is_sent_again_by_a_filter_once(sends: Sends) -> None:
    valid_but_dead(sends.store, *range(5))
    which = Which(reason="bug 12")
    assert counts(sends.again(which=which)) == (5, 5, 5, 0, 0)
    assert sends.asked == [5]
    assert {one.key for _, one in sends.sent} == {b"S1"}
    sql = "SELECT uniqExact(event_id) FROM shipment_events WHERE startsWith(event_id, 'mended-')"
    assert sends.store.query(sql).result_rows == [(5,)]
    assert count(sends.store, Which(reason="bug 12", state="resent")) == 5
    assert counts(sends.again(which=which)) == (5, 0, 0, 0, 5)
    assert sends.asked == []


def test_what_is_still_bad_is_told_and_not_sent(sends: Sends) -> None:
    valid_but_dead(sends.store, 1)
    told = sends.again(which=Which())
    assert counts(told) == (6, 1, 1, 4, 1)
    assert any(said.startswith("1/shipment.events/0/2: ") for said in told["sentences"])
    assert counts(sends.again(which=Which())) == (6, 0, 0, 4, 2)


def test_the_history_has_the_last_word_on_what_is_accepted(sends: Sends) -> None:
    valid_but_dead(sends.store, 1, 2)
    sends.garbled = b"{"
    told = sends.again(which=Which(reason="bug 12"))
    assert counts(told) == (2, 2, 0, 2, 0)
    assert told["sentences"][0].startswith("1/shipment.events/1/1: The record is not JSON")
    sends.garbled = b""
    assert counts(sends.again(ids=("1/shipment.events/1/1",), force=True)) == (1, 1, 1, 0, 0)


def test_what_came_too_late_is_told(sends: Sends) -> None:
    valid_but_dead(sends.store, 1, 2)
    sends.is_late = True
    told = sends.again(which=Which(reason="bug 12"))
    assert (counts(told), told["late"]) == ((2, 2, 2, 0, 0), 2)
    assert "2 events came too late" in told["sentences"][-1]
    assert sends.again(which=Which(reason="bug 12"), wait=False)["late"] == 0


def test_a_dry_run_sends_nothing_and_asks_nobody(sends: Sends) -> None:
    valid_but_dead(sends.store, 1, 2)
    told = sends.again(which=Which(), dry_run=True)
    assert counts(told) == (7, 0, 2, 4, 1)
    assert (sends.sent, sends.asked) == ([], [])


def test_who_does_not_agree_sends_nothing(sends: Sends) -> None:
    valid_but_dead(sends.store, 1, 2)
    assert sends.again(which=Which(reason="bug 12"), agrees=False)["sent"] == 0
    assert (sends.sent, sends.asked) == ([], [2])


def test_a_forced_letter_dies_again_and_ends(sends: Sends) -> None:
    which = Which(sources=("acme",))
    assert counts(sends.again(which=which, force=True)) == (1, 1, 0, 1, 0)
    (still,) = newest(sends.store, which, 9)
    assert still.place.coordinate.epoch == 2
    assert count(sends.store, replace(which, state="all")) == 2


def test_a_mended_letter_goes_out_with_other_bytes_and_once(sends: Sends) -> None:
    name = "1/shipment.events/0/2"
    assert counts(sends.again(ids=(name,), value=GOOD)) == (1, 1, 1, 0, 0)
    assert [one.value for _, one in sends.sent] == [GOOD]
    assert letter_of(sends.store, name).value == BROKEN
    told = sends.again(ids=(name,), value=GOOD)
    assert counts(told) == (1, 0, 0, 0, 1)
    assert "--force" in told["sentences"][0]
    assert counts(sends.again(ids=(name,), value=GOOD, force=True)) == (1, 1, 1, 0, 0)
    with pytest.raises(WrongInput, match="for one dead letter"):
        sends.again(ids=(name, "1/shipment.events/0/3"), value=GOOD)


def test_a_line_that_came_by_two_names_goes_out_once_and_is_sent_for_both(sends: Sends) -> None:
    for name in ("b.ndjson", "c.ndjson"):
        told = DeadLetter(0, "publish", 0, 77, NOON, "invalid", "bug 12", "", b"", GOOD, f"{name}:1")
        write(sends.store, record("dead.letters", encode(told)))
    assert counts(sends.again(which=Which(reason="bug 12"))) == (2, 1, 1, 0, 1)
    assert count(sends.store, Which(reason="bug 12", state="resent")) == 2


def test_a_row_of_an_adapters_file_shows_that_it_was_mended(sends: Sends) -> None:
    told = DeadLetter(0, "scms/4c2b", 0, 12, NOON, "unmapped", "no item", "", b"12", b"a,b", "scms.csv:12")
    write(sends.store, record("dead.letters", encode(told)))
    assert counts(sends.again(ids=("0/scms/4c2b/0/12",))) == (1, 0, 0, 1, 0)
    assert counts(sends.again(ids=("0/scms/4c2b/0/12@scms.csv:12",), value=GOOD)) == (1, 1, 1, 0, 0)
    assert letter_of(sends.store, "0/scms/4c2b/0/12").letter.resent_at is not None


# The spool keeps the header.

HEADERS: Final = (("quayside-again", b"dead/1/t/2/3"), ("other", b"\xff"))


def test_headers_come_back_from_the_spool_and_files_without_them_are_as_they_were(tmp_path: Path) -> None:
    told = [Spooled("t", b"k", b"v"), Spooled("t", b"k", b"v", HEADERS)]
    writer = SpoolWriter(tmp_path)
    writer.append(told)
    writer.close()
    (path,) = spool_files(tmp_path)
    assert list(read_spool(path)) == [told]
    body = path.read_bytes()[12:]
    assert msgspec.msgpack.decode(body)[0] == ["t", b"k", b"v"]


def test_what_the_spool_publishes_again_carries_its_headers() -> None:
    publisher = Publisher("nowhere:1", None)
    found: list[Sent] = []

    async def take(_: Sender, records: Any) -> dict[tuple[str, int], int]:
        found.extend(one for _, one in records)
        return {}

    told = [Spooled("publish", b"k", b"v", HEADERS), Spooled("publish", b"k", b"w")]
    with patch.object(Sender, "send", take):
        asyncio.run(publisher.send(told, [("all", b"1")]))
    assert [tuple(one.headers) for one in found] == [(*HEADERS, ("all", b"1")), (("all", b"1"),)]


def test_a_resent_record_is_handled_as_the_sink_reads_it() -> None:
    (one,) = judged(GOOD, topic="scms/ab")
    assert one.record is not None
    place = one.letter.letter.place.coordinate
    taken = record(one.record.topic, one.record.value, key=one.record.key)._replace(headers=one.record.headers)
    placed = dict(rows_of(taken, "home"))
    assert placed["handled_records"][:5] == ("dead", place.epoch, "scms/ab", place.partition, place.offset)
    assert base64.b64encode(one.record.value)
