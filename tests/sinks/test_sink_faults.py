"""What the sink does with rows that the store refuses, and with a store that is slow, down, full or lying."""

import asyncio
import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError, DataError, OperationalError

from schemas.derived import OrderStatus
from schemas.event import References
from sinks import epochs
from sinks.batch import Batch
from sinks.blame import Blame, blame_of
from sinks.history import History
from sinks.migrate import migrate
from sinks.rows import Record, rows_of
from sinks.tables import TABLES
from sinks.writer import STORM, TableRefuses, Writer, Writing
from streams.administration import create_topics
from tests.brokers import running_tansu
from tests.sinks.clickhouse_server import Server, running_server
from tests.sinks.records import NOON, column, event, milestone, record, rows, state
from tests.sinks.test_history import done, failed, publish, running

MB: Final = 1 << 20
FULL_DISK: Final = DatabaseError("Code: 243. DB::Exception: Cannot reserve 1.00 MiB (NOT_ENOUGH_SPACE)", code=243)


class Door:
    """A client in front of a real one: counts inserts, and fails them as `verdict` says of a table and its columns."""

    def __init__(
        self, client: Client, verdict: Callable[[str, Any], Exception | None] = lambda _table, _columns: None
    ) -> None:
        self.client = client
        self.verdict = verdict
        self.inserts = 0

    def insert(self, table: str, columns: Any, **options: Any) -> Any:
        """Fail, or insert."""
        self.inserts += 1
        error = self.verdict(table, columns)
        if error is not None:
            raise error
        return self.client.insert(table, columns, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)


def writer(client: Any) -> Writer:
    return Writer(client)


def batch_of(records: list[Record], **options: Any) -> Batch:
    """A batch, filled as the sink fills it: by partition."""
    batch = Batch("home", **options)
    places = sorted({(one.topic, one.partition) for one in records})
    for topic, partition in places:
        batch.take(
            1, topic, partition, [_Fetched(one) for one in records if (one.topic, one.partition) == (topic, partition)]
        )
    return batch


class _Fetched:
    """A record as aiokafka hands it out."""

    def __init__(self, one: Record) -> None:
        self.offset, self.timestamp, self.key, self.value = one.offset, one.appended_at, one.key, one.value
        self.headers = tuple(one.headers)


def moves(count: int, poison: set[int] = frozenset()) -> list[Record]:  # type: ignore[assignment]  # read only
    return [
        milestone(
            {"event_id": f"e{number}", "shipment_id": "POISON" if number in poison else f"S{number}"},
            offset=number,
            key=f"k{number}".encode(),
        )
        for number in range(count)
    ]


def refuse_poison(store: Client) -> None:
    """Have the engine itself refuse some rows."""
    store.command("ALTER TABLE shipment_events ADD CONSTRAINT no_poison CHECK shipment_id != 'POISON'")


@pytest.mark.parametrize(
    ("error", "blame"),
    [
        (FULL_DISK, "store"),
        (
            DatabaseError("Code: 75. DB::ErrnoException: Cannot write to file: No space left on device", code=None),
            "store",
        ),
        (DatabaseError("Code: 33. DB::Exception: Cannot read all data", code=33), "store"),
        (DatabaseError("Code: 252. DB::Exception: Too many parts", code=252), "store"),
        (DatabaseError("Code: 60. DB::Exception: Unknown table", code=60), "store"),
        (DatabaseError("Code: 1001. std::exception", code=1001), "store"),
        (OperationalError("Connection refused"), "store"),
        (OSError(28, "No space left on device"), "store"),
        (ValueError("of a bug somewhere"), "store"),
        (DatabaseError("Code: 241. DB::Exception: Memory limit exceeded", code=241), "size"),
        (MemoryError(), "size"),
        (DatabaseError("Code: 469. DB::Exception: Constraint is violated", code=469), "data"),
        (DatabaseError("Code: 321. DB::Exception: Value is out of range", code=None), "data"),
        (DataError("Unable to create native array: value out of range"), "data"),
    ],
)
def test_only_what_is_certain_is_the_rows_fault(error: Exception, blame: Blame) -> None:
    assert blame_of(error) == blame


def test_the_fast_way_of_a_batch_makes_the_rows_of_each_record_alone() -> None:
    everything = dict.fromkeys(References.model_fields, "7")
    placed = {"type": "order_placed", "order_id": "PO1", "supplier": "a", "lines": []}
    moved = {"type": "moved", "direction": "in", "site": "B", "item": "a:1", "unit": "kg", "quantity": "1.125"}
    records = [
        milestone({"references": everything, "attributes": {"a": "b"}, "occurred_at": "2026-11-22T10:00:00.5-03:30"}),
        milestone({"type": "position", "latitude": 1.5, "longitude": 2}),
        milestone({"type": "nothing"}),
        milestone({}, key=None),
        milestone({}, headers=(("x", b"y"),)),
        record("shipment.events", None),
        event("supplier.events", placed | {"lines": [{"line_id": "1", "item": "a:1", "quantity": 1, "unit": "kg"}]}),
        event("supplier.events", placed),
        *(
            event("warehouse.events", moved | {"type": kind, "event_id": kind})
            for kind in ("moved", "received", "lost")
        ),
        event("reference.events", {"type": "site_described", "site": "BER"}),
        event("operator.events", {"type": "unacknowledged", "exception_id": "x", "by": "kim"}),
        state("order.status", OrderStatus("PO1", "placed")),
        record("order.status", b"nonsense"),
    ]
    expected: dict[str, list[Any]] = {}
    for one in records:
        for table, row in rows_of(one, "home"):
            expected.setdefault(table, []).append(row)
    found = {table: list(zip(*columns, strict=True)) for table, columns in batch_of(records).columns().items()}
    assert {table: sorted(several, key=str) for table, several in found.items()} == {
        table: sorted(several, key=str) for table, several in expected.items()
    }
    assert everything in [row[TABLES["shipment_events"].names.index("references")] for row in found["shipment_events"]]


def test_a_row_that_the_store_refuses_is_found_and_kept_as_a_dead_letter(store: Client) -> None:
    refuse_poison(store)
    door = Door(store)
    records = moves(300, {0, 150, 299})
    writing = Writing(batch_of(records))
    writer(door).write(writing)
    assert column(store, "SELECT count() FROM shipment_events FINAL") == [297]
    letters = rows(
        store,
        "SELECT offset, epoch, topic, cause, reason, key, value, source, toUnixTimestamp64Milli(arrived_at) AS at "
        "FROM dead_letters ORDER BY offset",
    )
    assert [letter["offset"] for letter in letters] == [0, 150, 299]
    for letter in letters:
        one = records[letter["offset"]]
        assert (letter["epoch"], letter["topic"], letter["cause"], letter["at"]) == (1, one.topic, "unstorable", NOON)
        assert letter["value"].encode() == one.value
        assert letter["key"].encode() == one.key
        assert letter["source"] == "acme"
        assert "VIOLATED_CONSTRAINT" in letter["reason"]
    assert writing.done
    assert writing.unstorable == 3
    assert door.inserts < 60  # not one insert per row


def test_a_value_that_the_driver_cannot_send_costs_its_own_row_only(store: Client) -> None:
    def findings(said: Any) -> Any:
        return [object()] if said.event_id == "e3" else ()

    writer(store).write(batch_of(moves(10), findings=findings))
    assert column(store, "SELECT count() FROM shipment_events FINAL") == [9]
    assert column(store, "SELECT offset FROM dead_letters WHERE cause = 'unstorable'") == [3]


def test_an_event_that_no_row_can_be_made_of_costs_itself_only(store: Client) -> None:
    def findings(said: Any) -> Any:
        if said.event_id == "e3":
            raise ZeroDivisionError("of a bug")
        return ()

    batch = batch_of(moves(10), findings=findings)
    writer(store).write(batch)
    assert column(store, "SELECT count() FROM shipment_events FINAL") == [9]
    assert rows(store, "SELECT offset, cause, reason FROM dead_letters") == [
        {"offset": 3, "cause": "unstorable", "reason": "ZeroDivisionError: of a bug"}
    ]


def test_a_table_that_refuses_every_row_is_not_a_storm_of_dead_letters(store: Client) -> None:
    refuse_poison(store)
    writing = Writing(batch_of(moves(STORM * 3, set(range(STORM * 3)))))
    ours = writer(store)
    for _ in range(2):
        with pytest.raises(TableRefuses, match=r"The table shipment_events refuses every row .*VIOLATED_CONSTRAINT"):
            ours.write(writing)
    assert column(store, "SELECT count() FROM dead_letters") == [0]
    store.command("ALTER TABLE shipment_events DROP CONSTRAINT no_poison")
    ours.write(writing)
    assert column(store, "SELECT count() FROM shipment_events FINAL") == [STORM * 3]
    assert column(store, "SELECT count() FROM dead_letters") == [0]
    assert writing.unstorable == 0


@pytest.mark.parametrize("error", [FULL_DISK, OperationalError("Connection refused"), OSError(28, "No space left")])
def test_a_full_disk_or_a_dead_server_is_never_taken_for_poison(store: Client, error: Exception) -> None:
    door = Door(store, lambda _table, _columns: error)
    records = [*moves(5), record("order.status", b"nonsense", offset=9)]
    writing = Writing(batch_of(records))
    ours = writer(door)
    for _ in range(3):
        with pytest.raises(type(error)):
            ours.write(writing)
    assert door.inserts == 3  # neither split nor gone on to the next table
    door.verdict = lambda _table, _columns: None
    ours.write(writing)
    assert column(store, "SELECT count() FROM shipment_events FINAL") == [5]
    assert column(store, "SELECT cause FROM dead_letters") == ["invalid"]


def test_an_insert_that_is_too_large_is_cut_and_nothing_is_buried(store: Client) -> None:
    too_much = DatabaseError("Code: 241. DB::Exception: Memory limit exceeded (MEMORY_LIMIT_EXCEEDED)", code=241)
    door = Door(store, lambda _table, columns: too_much if len(columns[0]) > 10 else None)
    writer(door).write(batch_of(moves(100)))
    assert column(store, "SELECT count() FROM shipment_events FINAL") == [100]
    assert column(store, "SELECT count() FROM dead_letters") == [0]
    door.verdict = lambda _table, _columns: too_much
    writing = Writing(batch_of(moves(2)))
    with pytest.raises(DatabaseError, match="Memory limit"):
        writer(door).write(writing)
    assert not writing.done


def test_what_failed_half_way_is_gone_on_with_where_it_stopped(store: Client) -> None:
    written: list[str] = []

    def verdict(table: str, _columns: Any) -> Exception | None:
        written.append(table)
        return FULL_DISK if table == "warehouse_events" and written.count(table) == 1 else None

    received = {"type": "received", "site": "B", "item": "a:1", "unit": "kg", "quantity": 1}
    writing = Writing(batch_of([*moves(3), event("warehouse.events", received), event("warehouse.events", received)]))
    ours = writer(Door(store, verdict))
    with pytest.raises(DatabaseError):
        ours.write(writing)
    ours.write(writing)
    assert written == ["shipment_events", "warehouse_events", "warehouse_events"]


@pytest.mark.tansu
def test_large_records_stay_within_the_limit_of_bytes(store: Client, tmp_path: Path) -> None:
    limit, large, count = 4 * MB, 900_000, 40
    door = Door(store, lambda _table, _columns: FULL_DISK)
    peak = 0

    async def story(bootstrap: str) -> History:
        nonlocal peak
        garbage = [record("shipment.events", bytes([48 + number]) * large) for number in range(count)]
        await publish(bootstrap, *garbage)
        history = History(door, bootstrap, 1, batch_bytes=limit)  # type: ignore[arg-type]  # fails
        async with running(history):
            while history.counters.failures < 3 or history.counters.bytes_in_hand < limit:
                await asyncio.sleep(0.01)
                peak = max(peak, history.counters.bytes_in_hand)
            assert history.counters.state == "waiting_for_store"
            door.verdict = lambda _table, _columns: None
            while await history.lag():
                await asyncio.sleep(0.01)
                peak = max(peak, history.counters.bytes_in_hand)
            assert (history.counters.bytes_in_hand, history.counters.records_in_hand) == (0, 0)
        return history

    with running_tansu(tmp_path) as broker:
        create_topics(broker.address)
        history = asyncio.run(story(broker.address))
    assert history.counters.dead == count
    assert limit < peak <= 2 * (limit + MB)  # two batches, each full with its last record
    assert column(store, "SELECT uniqExact(offset), sum(length(value)) FROM dead_letters") == [count]


async def waiting(history: History) -> None:
    """Until the sink waits for the store."""
    while history.counters.state != "waiting_for_store":  # noqa: ASYNC110  # nothing tells
        await asyncio.sleep(0.01)


@pytest.mark.tansu
def test_over_http_no_fault_of_the_server_loses_or_doubles_anything(tmp_path: Path) -> None:
    """Slow, refusing, failing, cutting the connection after the insert, killed and started anew."""
    with running_server(tmp_path / "store") as server, running_tansu(tmp_path) as broker:
        create_topics(broker.address)
        server.client().command("CREATE DATABASE quayside")
        client = server.client("quayside")
        migrate(client)
        history = asyncio.run(_over_http(server, client, broker.address, tmp_path / "store"))
        told = "SELECT count(), uniqExact(event_id), max(toUInt32(substring(event_id, 2))) FROM shipment_events FINAL"
        assert client.query(told).result_rows == [(60, 60, 59)]
        assert column(client, "SELECT count() FROM dead_letters") == [0]
        assert column(client, "SELECT status FROM orders_now") == ["placed"]
        client.close()
    counters = history.counters
    assert (counters.records, counters.rows, counters.unstorable) == (61, 61, 0)
    assert counters.failures >= 4
    assert (counters.state, counters.reason) == ("stopped", "It was told to stop.")


async def _over_http(server: Server, client: Client, bootstrap: str, folder: Path) -> History:
    epochs.begin(client, 1)
    epochs.end(client, 1)
    history = History(client, bootstrap, 1)
    counters = history.counters
    async with running(history):
        number = 0
        faults: list[dict[str, Any]] = [
            {"kind": "slow", "seconds": 0.3, "times": 1},
            {"kind": "refuse"},
            {"kind": "error", "code": 243, "name": "NOT_ENOUGH_SPACE"},
            {"kind": "error", "code": 241, "name": "MEMORY_LIMIT_EXCEEDED"},
            {"kind": "drop"},
        ]
        for fault in faults:
            await asyncio.to_thread(server.fault, **fault)
            await publish(bootstrap, *_ten(number))
            number += 10
            if fault["kind"] != "slow":
                await waiting(history)
                assert counters.reason
                assert counters.store_refuses_since is not None
                assert counters.bytes_in_hand > 0
                await asyncio.to_thread(server.fault)
            await done(history)
            assert (counters.state, counters.reason, counters.store_refuses_since) == ("working", "", None)
            assert counters.seconds_since_success is not None
        await asyncio.to_thread(server.kill)
        await publish(bootstrap, *_ten(number), state("order.status", OrderStatus("PO1", "placed")))
        await waiting(history)
        again = await asyncio.to_thread(Server, folder, server.port)
        server._process = again._process  # it goes on under the same port
        await done(history)
    return history


def _ten(start: int) -> list[Record]:
    return [milestone({"event_id": f"e{number}"}, partition=number % 4) for number in range(start, start + 10)]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 96 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"NOT TESTED ON A FULL DISK: no file system can be mounted here ({mounted.stderr.strip()})")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(os.urandom(64 << 10))


@pytest.mark.tansu
def test_a_full_disk_is_waited_for(small_disk: Path, tmp_path: Path) -> None:
    """A real file system without space, and the engine's own words for it."""

    async def story(client: Client, bootstrap: str) -> History:
        async with running(History(client, bootstrap, 1)) as history:
            await publish(bootstrap, *_ten(0))
            await done(history)
            await asyncio.to_thread(fill, small_disk / "ballast")
            await publish(bootstrap, *_ten(10))
            await failed(history, 3)
            assert history.counters.state == "waiting_for_store"
            print(f"a full disk: {history.counters.reason}")  # noqa: T201  # for whoever reads the run
            (small_disk / "ballast").unlink()
            await done(history)
        return history

    with running_server(small_disk / "store") as server, running_tansu(tmp_path) as broker:
        create_topics(broker.address)
        server.client().command("CREATE DATABASE quayside")
        client = server.client("quayside")
        migrate(client)
        history = asyncio.run(story(client, broker.address))
        assert column(client, "SELECT count() FROM shipment_events FINAL") == [20]
        assert column(client, "SELECT count() FROM dead_letters") == [0]
        client.close()
    assert history.counters.unstorable == 0


@pytest.mark.tansu
def test_two_sinks_on_one_store_are_harmless(store: Client, engine: Callable[[], Client], tmp_path: Path) -> None:
    other = engine()
    other.database = store.database

    async def story(bootstrap: str) -> None:
        await publish(bootstrap, *_ten(0))
        async with running(History(store, bootstrap, 1)) as first, running(History(other, bootstrap, 1)) as second:
            await publish(bootstrap, *_ten(10))
            await done(first)
            await done(second)

    with running_tansu(tmp_path) as broker:
        create_topics(broker.address)
        asyncio.run(story(broker.address))
    assert column(store, "SELECT count() FROM shipment_events FINAL") == [20]


@pytest.mark.tansu
def test_a_quiet_stream_is_written_at_once(store: Client, tmp_path: Path) -> None:
    """With pauses of an hour between inserts, the first record does not wait for one."""

    async def story(bootstrap: str) -> None:
        async with running(History(store, bootstrap, 1, batch_ms=3_600_000)) as history:
            began = time.monotonic()
            await publish(bootstrap, *_ten(0)[:1])
            await done(history)
            assert time.monotonic() - began < 3_600

    with running_tansu(tmp_path) as broker:
        create_topics(broker.address)
        asyncio.run(story(broker.address))
    assert column(store, "SELECT count() FROM shipment_events") == [1]
