"""Dead letters sent again: what would go out, what the history says of it, and one command at a time."""

import asyncio
import base64
import itertools
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import msgspec
import pytest
from clickhouse_connect.driver.client import Client

from deploy import resending
from deploy.deadletters import Letter, Opened, Which, count, letter_of, newest
from deploy.door import Door
from deploy.kept import Place
from deploy.publisher import Publisher
from deploy.resending import Judged, Order, again, judge, send_again
from deploy.settings import Settings
from deploy.spool import Spooled, SpoolWriter, read_spool, spool_files
from deploy.stackfile import StackFile
from schemas.coordinates import Again, Coordinate, again_of
from schemas.derived import DeadLetter, LateRecord, encode
from schemas.errors import WrongInput
from schemas.times import DAY_MS, rfc3339
from sinks.rows import rows_of
from streams.sending import Record as Sent
from streams.sending import Sender
from tests.deploy.letters import BROKEN, GOOD, NOW, MakeStore, emptied, fill, good, stores
from tests.sinks.records import NOON, milestone, record, write

STACK: Final = StackFile(0, 1, "nowhere:1", "", "", "", embedded=False)


@pytest.fixture(scope="module")
def new_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeStore]:
    """Makes clients of one embedded engine, each on a new, migrated database."""
    with stores(str(tmp_path_factory.mktemp("engine"))) as make:
        yield make


@pytest.fixture(scope="module")
def own(new_store: MakeStore) -> Client:
    """A database for all tests, one after the other."""
    return new_store()


@pytest.fixture
def mine(own: Client) -> Client:
    """It, with the letters and nothing else."""
    return fill(emptied(own))


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


# One command at a time.


def test_while_one_command_sends_letters_another_is_refused_in_a_sentence(sends: Sends) -> None:
    valid_but_dead(sends.store, 1, 2)
    refused: list[str] = []

    def second(_many: int) -> bool:
        with pytest.raises(WrongInput, match="is sending dead letters") as found:
            send_again(sends.store, sends.settings, STACK, Order(which=Which()), lambda _: True)
        refused.append(str(found.value))
        dry = Order(which=Which(reason="bug 12"), dry_run=True)
        assert send_again(sends.store, sends.settings, STACK, dry, lambda _: True).accepted == 2
        return False

    send_again(sends.store, sends.settings, STACK, Order(which=Which(reason="bug 12")), second)
    assert len(refused) == 1
    assert counts(sends.again(which=Which(reason="bug 12"))) == (2, 2, 2, 0, 0)


def test_what_a_command_that_did_not_wait_has_sent_is_waited_for_by_the_next(sends: Sends) -> None:
    valid_but_dead(sends.store, 1)
    kept: list[Any] = []
    real = sends.take

    async def slowly(records: Any) -> dict[tuple[str, int], int]:
        kept.extend(records)
        return {}

    def arrives(_stack: StackFile) -> None:
        waiting, kept[:] = list(kept), []
        asyncio.run(real(waiting))

    which = Which(reason="bug 12")
    with patch.object(sends, "take", slowly):
        assert counts(sends.again(which=which, wait=False)) == (1, 1, 1, 0, 0)
    with patch.object(Sender, "send", lambda _, records: slowly(records)), patch.object(resending, "settled", arrives):
        told = send_again(sends.store, sends.settings, STACK, Order(which=which), lambda _: True)
    assert (told.sent, told.already_resent) == (0, 1)
    with patch.object(resending, "settled") as waited:
        send_again(sends.store, sends.settings, STACK, Order(which=which), lambda _: True)
    waited.assert_not_called()
