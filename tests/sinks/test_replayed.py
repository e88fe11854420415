"""What comes back out of this very store is noted without a closer look, and anything else gets one."""

from typing import Any, Final

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.coordinates import MARK_HEADER, ORIGIN_HEADER, Coordinate, Origin
from sinks import batch
from sinks.batch import Batch
from sinks.rows import Record, rows_of
from sinks.slices import Slice
from sinks.writer import Writer, Writing
from tests.sinks.records import NOON, column, milestone
from tests.sinks.test_sink_faults import batch_of

HOME: Final = "home"


def replayed(number: int, store_id: str = HOME, **place: Any) -> Record:
    """A record that was replayed out of a store."""
    origin = Origin(Coordinate(3, "shipment.events", number % 5, 7 * number), NOON - 5_000 + number, store_id)
    said = {"event_id": f"e{number}", "shipment_id": f"S{number}"}
    return milestone(said, **({"headers": (origin.header(),), "offset": number} | place))


def in_tables(found: Batch) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of a batch, by table."""
    rows = {table: [*zip(*columns, strict=True)] for table, columns in found.columns().items()}
    return {table: sorted(several, key=str) for table, several in rows.items() if several}


def one_by_one(records: list[Record]) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of each record alone, by table."""
    rows: dict[str, list[tuple[Any, ...]]] = {}
    for one in records:
        for table, row in rows_of(one, HOME):
            rows.setdefault(table, []).append(row)
    return {table: sorted(several, key=str) for table, several in rows.items()}


def test_what_was_replayed_out_of_this_store_is_noted_without_a_look_at_its_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    records = [replayed(number) for number in range(50)]
    expected = one_by_one(records)
    assert [*expected] == ["replayed_records"]

    def closer(*_: object) -> Any:
        raise AssertionError

    monkeypatch.setattr(batch, "fact_of", closer)
    monkeypatch.setattr(batch, "read_all", closer)
    found = batch_of(records)
    assert in_tables(found) == expected
    assert found.bytes == sum(len(one.key or b"") + len(one.value or b"") for one in records)
    assert found.records == 50


def test_what_stands_beside_it_is_taken_as_ever() -> None:
    records = [
        *(replayed(number) for number in range(5)),
        replayed(5, "another"),
        replayed(6, headers=(*replayed(6).headers, (MARK_HEADER, b"end/replay"))),
        replayed(7, key=None),
        replayed(8)._replace(value=None),
        milestone({}, offset=9),
        milestone({"leg": 0}, offset=10),
        milestone({}, offset=11, headers=(("x", b"y"),)),
    ]
    assert in_tables(batch_of(records)) == one_by_one(records)
    ours = [one for one in records if one.offset != 5]
    assert in_tables(batch_of(ours)) == one_by_one(ours)


_NUMBERS: Final = st.sampled_from(
    ["0", "7", "-1", "+3", " 4", "1_0", "", "x", "1.5", "\u0661", str(2**32), str(2**63), str(NOON), str(NOON + 1)]
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["3", "3", "3", "1/3"]) | _NUMBERS,
            st.sampled_from(["shipment.events"] * 8 + ["supplier.events", "shipment.events/1"]),
            st.just("2") | _NUMBERS,
            st.integers(0, 99).map(str) | _NUMBERS,
            st.just(str(NOON - 1)) | _NUMBERS,
            st.sampled_from([HOME] * 8 + ["another", "home/", "hom\u00e9", ""]),
        ).map("/".join),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from([ORIGIN_HEADER] * 4 + ["x"]),
    st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_whatever_a_header_says_it_says_the_same_among_others(origins: list[str], name: str, twice: bool) -> None:
    headers = [((name, origin.encode()),) * (1 + twice) for origin in origins]
    records = [milestone({"event_id": f"e{n}"}, offset=n, headers=told) for n, told in enumerate(headers)]
    assert in_tables(batch_of(records)) == one_by_one(records)


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"\xff/shipment.events/2/40/1/home",
        b"3/shipment.events/2/40/1/home/",
        b"3/supplier.events/2/40/1/home",
        f"3/shipment.events/2/40/{NOON + 1}/home".encode(),
    ],
)
def test_a_header_that_is_none_is_none_among_others(value: bytes | None) -> None:
    records = [replayed(1), milestone({}, offset=9, headers=((ORIGIN_HEADER, value),)), replayed(2)]
    assert in_tables(batch_of(records)) == one_by_one(records)


def test_a_note_that_the_store_refuses_is_a_dead_letter_with_its_record(store: Client) -> None:
    store.command("ALTER TABLE replayed_records ADD CONSTRAINT none CHECK first_offset != 21")
    records = [replayed(number) for number in range(6)]
    writing = Writing(batch_of(records))
    Writer(store).write(writing)
    assert column(store, "SELECT count() FROM replayed_records FINAL") == [5]
    assert store.query("SELECT offset, cause, value FROM dead_letters").result_rows == [
        (3, "unstorable", (records[3].value or b"").decode())
    ]


def test_a_slice_gives_back_what_it_was_made_of() -> None:
    records = [replayed(1), milestone({}, offset=2), replayed(3, key=None)]

    class Fetched:
        def __init__(self, one: Record) -> None:
            self.offset, self.timestamp, self.key, self.value = one.offset, one.appended_at or None, one.key, one.value
            self.headers = one.headers

    told = Slice.of(1, "shipment.events", 0, [Fetched(one) for one in records])
    assert [*told.records()] == records
    assert [*told.only([True, False, True]).records()] == [records[0], records[2]]
    assert not told.is_plain
    assert told.only([False, True, False]).is_plain
    assert told.size == sum(len(one.key or b"") + len(one.value or b"") for one in records)
    assert Slice.of(1, "t", 0, [Fetched(records[1]._replace(appended_at=0))]).appended_at == [0]
