"""What became of an event, and what of a source was refused: asked of a real store."""

import asyncio
import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final, NamedTuple

import pytest
from clickhouse_connect.driver.client import Client

from deploy.gate_client import gate_client, rows
from deploy.gateway import told
from deploy.gateway.told import Dead, Rejected, TooLate, rejections, status_of
from deploy.kept import place_of
from deploy.stackfile import StackFile
from schemas.coordinates import Again, Coordinate
from schemas.derived import DeadLetter, LateRecord, encode
from schemas.times import HOUR_MS, rfc3339
from schemas.versions import Version, event_version
from sinks.embedded import EmbeddedStore
from sinks.gate import OpenGate, gate, open_gate
from sinks.migrate import migrate
from sinks.rows import Record
from tests.sinks.records import NOON, event, milestone, record, write

WMS: Final = "acme-wms"
PASSWORD: Final = "harbour"  # noqa: S105  # of a test
FACTS: Final = ("supplier", "shipment", "warehouse", "reference", "operator")
AWKWARD: Final = "it's \\N, \\ and 'ü' {event_id:String} %s"


class Store(NamedTuple):
    """A store: written to as the sink does, asked through the gate as the gateway does."""

    writer: Client
    asked: Client


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    loop = asyncio.new_event_loop()
    serving = threading.Thread(target=loop.run_forever, daemon=True)
    serving.start()
    with EmbeddedStore(tmp_path_factory.mktemp("engine") / "store") as store:
        migrate(store.writer)
        door = asyncio.run_coroutine_threadsafe(_opened(store), loop).result()
        stack = StackFile(0, 1, "nowhere:1", f"http://127.0.0.1:{door.port}", "default", PASSWORD, embedded=True)
        with closing(gate_client(stack)) as asked:
            yield Store(store.writer, asked)
        asyncio.run_coroutine_threadsafe(door.close(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    serving.join()
    loop.close()


async def _opened(store: EmbeddedStore) -> OpenGate:
    return await open_gate(gate(store, PASSWORD))


@pytest.fixture
def store(opened: Store) -> Store:
    """A migrated store without any record."""
    for name in ("dead_letter_records", "late_event_records", "handled_records", *(f"{one}_events" for one in FACTS)):
        opened.writer.command(f"TRUNCATE TABLE {name}")
    return opened


def departure(event_id: str, at: int = 0, **said: Any) -> Record:
    """A departure of S1, said by acme `at` ms after noon and arrived then, at an offset of its own."""
    place = {
        name: said.pop(name) for name in ("epoch", "partition", "offset", "appended_at", "headers") if name in said
    }
    body = {"event_id": event_id, "recorded_at": rfc3339(NOON + at)}
    return milestone(body | said, **({"appended_at": NOON + at} | place))


def late(one: Record, reason: str = "Its day has closed.", entity: str = "S1") -> Record:
    """That this record came too late."""
    where = (one.epoch, one.topic, one.partition, one.offset, one.appended_at)
    return record("late.records", encode(LateRecord(*where, entity, reason, one.value or b"")))


def applied(one: Record, at: int) -> Record:
    """That this late record was applied after all, `at` ms after noon: the record of a rebuild."""
    again = Again("late", Coordinate(one.epoch, one.topic, one.partition, one.offset)).header()
    return milestone({"event_id": "a rebuild's"}, appended_at=NOON + at)._replace(headers=(again,))


def letter(value: dict[str, Any] | bytes, at: int = 0, origin: str = "", topic: str = "shipment.events") -> Record:
    """A dead letter as an agent, or a gateway with an origin, reports it."""
    raw = value if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False).encode()
    offset = next(_OFFSETS)
    said = DeadLetter(1, topic, 0, offset, NOON + at, "invalid", "unit is missing.", "unit", b"", raw, origin)
    return record("dead.letters", encode(said))


_OFFSETS: Final = itertools.count(5_000_000)


def test_an_event_that_was_said_once_is_accepted(store: Store) -> None:
    assert status_of(store.asked, "acme", "e1") is None
    write(store.writer, departure("e1", occurred_at=rfc3339(NOON - HOUR_MS)))
    found = status_of(store.asked, "acme", "e1")
    assert found is not None
    assert found.as_dict() == {
        "source": "acme",
        "event_id": "e1",
        "state": "accepted",
        "topic": "shipment.events",
        "entity": "S1",
        "type": "milestone",
        "occurred_at": rfc3339(NOON - HOUR_MS),
        "recorded_at": rfc3339(NOON),
        "first_arrived_at": rfc3339(NOON),
        "last_arrived_at": rfc3339(NOON),
        "statements": 1,
        "late": None,
        "dead": None,
        "also": [],
    }


@pytest.mark.parametrize(
    ("topic", "body", "entity"),
    [
        ("supplier.events", {"type": "order_cancelled", "order_id": "PO-1"}, "PO-1"),
        (
            "warehouse.events",
            {"type": "packed", "site": "BER", "item": "acme:1|2", "unit": "pack", "quantity": 1},
            "BER|acme:1|2",
        ),
        ("reference.events", {"type": "site_described", "site": "BER"}, "site|BER"),
        (
            "operator.events",
            {"type": "unacknowledged", "exception_id": "stockout/stock/BER|acme:1", "by": "ada"},
            "stockout/stock/BER|acme:1",
        ),
    ],
)
def test_events_of_every_topic_are_found(store: Store, topic: str, body: dict[str, Any], entity: str) -> None:
    write(store.writer, event(topic, {"event_id": "e9"} | body))
    found = status_of(store.asked, "acme", "e9")
    assert found is not None
    assert (found.state, found.topic, found.entity, found.type) == ("accepted", topic, entity, body["type"])


def test_the_same_bytes_again_are_no_correction(store: Store) -> None:
    one = departure("e1")
    write(store.writer, one, one._replace(offset=one.offset + 100_000, appended_at=NOON + 5))
    write(store.writer, one)
    found = status_of(store.asked, "acme", "e1")
    assert found is not None
    assert (found.state, found.statements) == ("accepted", 1)
    assert (found.first_arrived_at, found.last_arrived_at) == (NOON, NOON + 5)


def test_of_a_corrected_event_the_statement_that_counts_is_told_whenever_it_came(store: Store) -> None:
    write(store.writer, departure("e1", 2, occurred_at=rfc3339(NOON - 2)))
    write(store.writer, departure("e1", 1, occurred_at=rfc3339(NOON - 1), appended_at=NOON + 9))
    found = status_of(store.asked, "acme", "e1")
    assert found is not None
    assert (found.state, found.statements) == ("corrected", 2)
    assert (found.recorded_at, found.occurred_at) == (NOON + 2, NOON - 2)
    assert (found.first_arrived_at, found.last_arrived_at) == (NOON + 2, NOON + 9)


def test_a_retracted_event_says_so_until_it_is_said_anew(store: Store) -> None:
    write(store.writer, departure("e1", 1), departure("e1", 2, retracted=True))
    found = status_of(store.asked, "acme", "e1")
    assert found is not None
    assert (found.state, found.statements, found.recorded_at) == ("retracted", 2, NOON + 2)
    write(store.writer, departure("e1", 3))
    found = status_of(store.asked, "acme", "e1")
    assert found is not None
    assert (found.state, found.statements, found.recorded_at) == ("corrected", 3, NOON + 3)


def test_the_version_order_is_pythons(store: Store) -> None:
    """Every two of eight statements: two times, retracted or not, two texts; each set is an event of its own."""
    choices = list(itertools.product((0, 1), (False, True), ("a", "b")))
    said: dict[str, list[tuple[Version, int, Record]]] = {}
    for number, picked in enumerate(itertools.combinations(choices, 2)):
        for place, (at, retracted, note) in enumerate(picked):
            more = {"retracted": retracted, "attributes": {"note": note}, "occurred_at": rfc3339(NOON - place)}
            one = departure(f"v{number}", at, **more)
            version = event_version(NOON + at, one.value or b"", retracted=retracted)
            said.setdefault(f"v{number}", []).append((version, NOON - place, one))
    write(store.writer, *(one for statements in said.values() for _, _, one in statements))
    counts = {event_id for (event_id,) in store.writer.query("SELECT event_id FROM shipment_events_now").result_rows}
    for event_id, statements in said.items():
        version, occurred, _ = max(statements)
        found = status_of(store.asked, "acme", event_id)
        assert found is not None
        assert found.state == ("retracted" if version.minor else "corrected"), event_id
        assert (found.recorded_at, found.occurred_at, found.statements) == (version.major, occurred, 2), event_id
        assert (event_id in counts) == (found.state == "corrected"), event_id


def test_an_event_that_came_too_late_is_late_until_it_is_applied(store: Store) -> None:
    one = departure("e1")
    write(store.writer, one, late(one))
    found = status_of(store.asked, "acme", "e1")
    assert found is not None
    assert (found.state, found.recorded_at, found.late) == ("late", NOON, TooLate("Its day has closed.", None))
    write(store.writer, applied(one, 7))
    found = status_of(store.asked, "acme", "e1")
    assert found is not None
    assert (found.state, found.late) == ("accepted", TooLate("Its day has closed.", NOON + 7))


def test_of_a_correction_that_came_too_late_the_statement_before_it_counts(store: Store) -> None:
    correction = departure("e1", 1, occurred_at=rfc3339(NOON - 5))
    write(store.writer, departure("e1"), correction, late(correction))
    found = status_of(store.asked, "acme", "e1")
    assert found is not None
    assert (found.state, found.statements) == ("late", 2)
    assert (found.recorded_at, found.occurred_at) == (NOON, NOON)
    assert found.late == TooLate("Its day has closed.", None)


def test_a_repeat_that_came_too_late_takes_nothing_back(store: Store) -> None:
    one = departure("e1")
    repeat = one._replace(offset=one.offset + 100_000, appended_at=NOON + 5)
    write(store.writer, one, repeat, late(repeat))
    found = status_of(store.asked, "acme", "e1")
    assert found is not None
    assert (found.state, found.statements) == ("accepted", 1)


def test_what_is_late_of_old_is_told_as_late_and_the_newer_one_counts(store: Store) -> None:
    old = departure("e1")
    write(store.writer, old, late(old), departure("e1", 1))
    found = status_of(store.asked, "acme", "e1")
    assert found is not None
    assert (found.state, found.recorded_at) == ("corrected", NOON + 1)
    assert found.late == TooLate("Its day has closed.", None)


def test_a_late_record_is_told_before_the_history_has_its_event(store: Store) -> None:
    write(store.writer, late(departure("e1", retracted=True)))
    found = status_of(store.asked, "acme", "e1")
    assert found is not None
    assert (found.state, found.topic, found.entity, found.type) == ("late", "shipment.events", "S1", "milestone")
    assert (found.recorded_at, found.statements) == (NOON, 1)


def test_an_event_that_could_not_be_taken_is_dead_and_says_what_to_mend(store: Store) -> None:
    write(store.writer, letter({"source": "acme", "event_id": "e1", "type": "received"}, 3))
    found = status_of(store.asked, "acme", "e1")
    assert found is not None
    assert (found.state, found.topic, found.occurred_at, found.recorded_at) == ("dead", "shipment.events", None, None)
    assert (found.first_arrived_at, found.last_arrived_at, found.statements) == (NOON + 3, NOON + 3, 0)
    assert found.dead == Dead(NOON + 3, "invalid", "unit is missing.", "unit", None)
    assert found.as_dict()["dead"] == {
        "arrived_at": rfc3339(NOON + 3),
        "cause": "invalid",
        "reason": "unit is missing.",
        "field": "unit",
        "resent_at": None,
    }


def test_of_several_dead_letters_the_last_one_is_told_and_when_it_was_sent_again(store: Store) -> None:
    body = {"source": "acme", "event_id": "e1"}
    write(store.writer, letter(body, 3), letter(body, 9), letter(body, 5))
    found = status_of(store.asked, "acme", "e1")
    assert found is not None
    assert found.dead is not None
    assert (found.dead.arrived_at, found.dead.resent_at) == (NOON + 9, None)
    ((offset,),) = rows(store.asked, "SELECT argMax(offset, arrived_at) FROM dead_letters")
    header = Again("dead", Coordinate(1, "shipment.events", 0, offset)).header()
    write(store.writer, milestone({"event_id": "mended"}, appended_at=NOON + 20)._replace(headers=(header,)))
    found = status_of(store.asked, "acme", "e1")
    assert found is not None
    assert found.dead is not None
    assert found.dead.resent_at == NOON + 20


def test_a_dead_letter_is_told_beside_the_event_only_where_it_came_last(store: Store) -> None:
    write(store.writer, letter({"source": "acme", "event_id": "e1"}, 3), departure("e1", 5))
    found = status_of(store.asked, "acme", "e1")
    assert found is not None
    assert (found.state, found.dead) == ("accepted", None)
    write(store.writer, letter({"source": "acme", "event_id": "e1"}, 7))
    found = status_of(store.asked, "acme", "e1")
    assert found is not None
    assert found.state == "accepted"
    assert found.dead is not None
    assert found.dead.arrived_at == NOON + 7


def test_an_id_that_a_source_uses_twice_is_told_of_where_it_was_said_last_and_the_other_is_named(store: Store) -> None:
    write(
        store.writer,
        departure("e1", 1),
        departure("e1", 2, shipment_id="S2"),
        event("supplier.events", {"type": "order_cancelled", "order_id": "PO-1"}),
    )
    found = status_of(store.asked, "acme", "e1")
    assert found is not None
    assert (found.state, found.entity, found.statements) == ("accepted", "S2", 1)
    assert found.also == (("shipment.events", "S1"), ("supplier.events", "PO-1"))


def test_what_retention_folded_is_not_told_as_retracted(store: Store) -> None:
    said = {"event_id": "e1", "type": "packed", "site": "BER", "item": "acme:1", "unit": "pack", "quantity": 1}
    write(store.writer, event("warehouse.events", said))
    later = {"recorded_at": rfc3339(NOON + 1), "retracted": True}
    write(store.writer, event("warehouse.events", said | later, epoch=0, partition=1))
    found = status_of(store.asked, "acme", "e1")
    assert found is not None
    assert (found.state, found.statements) == ("accepted", 1)


def test_nobody_is_told_of_another_sources_events(store: Store) -> None:
    theirs = departure("e1", source="globex")
    write(store.writer, theirs, late(theirs), letter({"source": "globex", "event_id": "e2"}), departure("mine"))
    for event_id in ("e1", "e2"):
        assert status_of(store.asked, "acme", event_id) is None
        assert status_of(store.asked, "", event_id) is None
        assert status_of(store.asked, "globex", event_id) is not None
        assert status_of(store.asked, "acme' OR 1 OR '", event_id) is None
    assert rejections(store.asked, ["acme"], 0, 100) == []
    assert rejections(store.asked, [], 0, 100) == []
    assert len(rejections(store.asked, ["globex"], 0, 100)) == 2


def test_what_a_gateway_refused_and_nobody_can_read_is_told_to_the_token_that_sent_it(store: Store) -> None:
    write(store.writer, letter({"source": "acme", "event_id": "e1"}, origin="gateway:acme-wms", topic="gateway"))
    write(store.writer, letter(b"not even json", 1, origin="gateway:acme-wms", topic="gateway"))
    write(store.writer, letter({"event_id": "e2"}, 1, origin="gateway:acme-wms", topic="gateway"))
    write(store.writer, letter(b"nor this", 2, origin="acme-wms.ndjson:1", topic="publish"))
    for name in ("", "acme-wms2", "acme", "acme-wms.ndjson:1"):
        assert [one.event_id for one in rejections(store.asked, ["acme"], 0, 100, token=name)] == ["e1"], name
        assert rejections(store.asked, ["globex"], 0, 100, token=name) == []
    found = rejections(store.asked, ["acme"], 0, 100, token=WMS)
    assert sorted((one.source, one.event_id, one.origin) for one in found) == [
        ("", "", "gateway:acme-wms"),
        ("", "e2", "gateway:acme-wms"),
        ("acme", "e1", "gateway:acme-wms"),
    ]
    assert len(rejections(store.asked, ["*"], 0, 100)) == 4
    for name in ("", "acme", "acme-wms2"):
        assert status_of(store.asked, "acme", "e2", token=name) is None
    without_source = status_of(store.asked, "acme", "e2", token=WMS)
    assert without_source is not None
    assert without_source.state == "dead"


@pytest.mark.parametrize("name", [AWKWARD, "\\", "日本"])
def test_names_are_values_and_never_part_of_a_question(store: Store, name: str) -> None:
    write(store.writer, departure(name, source=name), letter({"source": name, "event_id": "dead " + name}))
    write(store.writer, departure("another"))
    found = status_of(store.asked, name, name)
    assert found is not None
    assert (found.state, found.source, found.event_id) == ("accepted", name, name)
    refused = status_of(store.asked, name, "dead " + name)
    assert refused is not None
    assert refused.state == "dead"
    (one,) = rejections(store.asked, ["acme", name], 0, 10)
    assert (one.source, one.event_id) == (name, "dead " + name)


def test_rejections_are_dead_letters_and_late_records_in_the_order_of_arrival(store: Store) -> None:
    old, new = departure("e1", 1), departure("e3", 5)
    body = {"source": "acme", "event_id": "e2"}
    write(store.writer, old, new, late(new, "Too late by far."), late(old), letter(body, 3), letter(body, 3))
    write(store.writer, applied(old, 50))
    found = rejections(store.asked, ["acme", "globex"], NOON, 100)
    assert [(one.kind, one.arrived_at - NOON, one.event_id) for one in found] == [
        ("late", 1, "e1"),
        ("dead", 3, "e2"),
        ("dead", 3, "e2"),
        ("late", 5, "e3"),
    ]
    first, second, *_, last = found
    assert (first.handled_at, first.cause, first.topic) == (NOON + 50, "late", "shipment.events")
    assert (last.handled_at, last.reason) == (None, "Too late by far.")
    assert (second.cause, second.field, second.reason) == ("invalid", "unit", "unit is missing.")
    assert place_of(last.id).coordinate == Coordinate(new.epoch, new.topic, new.partition, new.offset)
    assert last == Rejected(
        "late", last.id, NOON + 5, "shipment.events", "", "acme", "e3", "late", "", "Too late by far.", None
    )
    assert last.as_dict()["arrived_at"] == rfc3339(NOON + 5)


def test_whoever_asks_on_from_the_next_ms_misses_nothing(store: Store) -> None:
    told_late = [departure(f"l{number}", number % 4) for number in range(8)]
    body = {"source": "acme"}
    write(store.writer, *told_late, *(late(one) for one in told_late))
    write(store.writer, *(letter(body | {"event_id": f"d{number}"}, number % 5) for number in range(10)))
    seen: list[Rejected] = []
    since, pages = NOON - 10, 0
    while page := rejections(store.asked, ["acme"], since, 3):
        assert all(one.arrived_at >= since for one in page)
        seen += page
        since, pages = page[-1].arrived_at + 1, pages + 1
    assert pages > 1
    assert sorted(one.event_id for one in seen) == sorted([f"d{n}" for n in range(10)] + [f"l{n}" for n in range(8)])
    assert rejections(store.asked, ["acme"], 2**80, 3) == []
    assert len(rejections(store.asked, ["acme"], -(2**80), 3)) >= 3


def test_an_event_is_looked_for_through_the_index_of_ids(store: Store) -> None:
    write(store.writer, departure("e1"))
    found = rows(store.asked, f"EXPLAIN indexes = 1 {told._EVENT}", {"source": "acme", "event_id": "e1"})
    assert "by_event_id" in str(found)
