"""The version order is the same in Python and in SQL: both take the same statement of every event.

In Python the greatest `schemas.versions.Version` counts, in SQL the first row by
(recorded_at DESC, retracted DESC, content_hash DESC). The proof is by example: statements with few distinct
versions, stored as the sink stores them, in any order and repeated, seen by every view of a fact topic. What the
columns' types do to the order (times far from 1970, hashes with zeros at their ends) is tried on the types alone.
"""

import json
from collections import Counter
from typing import Any, Final

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.times import to_ms
from schemas.versions import CONTENT_HASH_BYTES, Version
from sinks.migrate import migrate
from sinks.rows import Record
from sinks.tables import FACTS
from tests.proofs.standing import standing
from tests.sinks.records import record, write
from tests.strategies import START, events, raw

_MOMENTS: Final = (
    "2026-03-20T00:00:00Z",
    "2026-03-20T02:00:00+02:00",  # the same instant
    "2026-03-20T00:00:00.000999Z",  # the same millisecond
    "2026-03-20T00:00:00.001Z",
    "2026-03-19T23:59:59.999Z",
)
_TYPES: Final = "recorded_at DateTime64(3, 'UTC'), retracted UInt8, content_hash FixedString(16)"
_FIRST_MS: Final = -62_135_596_800_000
_LAST_MS: Final = 253_402_300_799_999
_ORDER: Final = "recorded_at DESC, retracted DESC, content_hash DESC"


@pytest.fixture(scope="module")
def store(engine: Any) -> Client:
    """A migrated database for all examples of the module."""
    client: Client = engine()
    client.command("CREATE DATABASE proofs")
    client.database = "proofs"
    migrate(client)
    client.command(f"CREATE TABLE versions (number UInt32, {_TYPES}) ENGINE = MergeTree ORDER BY number")
    return client


def _statements(topic: str) -> st.SearchStrategy[list[bytes]]:
    """Raw statements of few events, so that most of them compete with another one."""
    said = st.builds(
        lambda event, number, moment, retracted: json.dumps(
            json.loads(raw(event))
            | {"event_id": f"e{number}", "source": "acme", "recorded_at": moment, "retracted": retracted}
        ).encode(),
        events(topic),
        st.integers(1, 2),
        st.sampled_from(_MOMENTS),
        st.booleans(),
    )
    return st.lists(said, min_size=1, max_size=12)


def _stored(client: Client, topic: str, batches: list[list[Record]]) -> None:
    client.command(f"TRUNCATE TABLE {FACTS[topic].name}")
    for batch in batches:
        write(client, *batch)


def _shown(client: Client, topic: str) -> Counter[bytes]:
    rows = client.query(f"SELECT raw FROM {FACTS[topic].name}_now").result_rows  # noqa: S608  # a table of ours
    return Counter(text.encode() for (text,) in rows)


@pytest.mark.parametrize("topic", list(FACTS))
def test_sql_takes_the_statement_that_python_takes(store: Client, topic: str) -> None:
    @settings(max_examples=15, deadline=None)
    @given(said=_statements(topic), data=st.data())
    def holds(said: list[bytes], data: st.DataObject) -> None:
        records = [record(topic, value, appended_at=to_ms(START) + 400 * 86_400_000) for value in said]
        repeated = [one._replace(offset=one.offset + 1_000_000_000) for one in records[:3]]
        disordered = data.draw(st.permutations([*records, *repeated, *records[-2:]]))
        cut = data.draw(st.integers(1, len(disordered)))
        _stored(store, topic, [part for part in (disordered[:cut], disordered[cut:]) if part])
        assert _shown(store, topic) == Counter(one.raw for one in standing((topic, value) for value in said))

    holds()


_versions = st.builds(
    Version,
    st.sampled_from((_FIRST_MS, _FIRST_MS + 1, -1, 0, 1, 2**31, 2**32, _LAST_MS)) | st.integers(_FIRST_MS, _LAST_MS),
    st.integers(0, 1),
    st.binary(min_size=CONTENT_HASH_BYTES, max_size=CONTENT_HASH_BYTES)
    | st.lists(st.sampled_from((b"\x00", b"\x01", b"\x7f", b"\x80", b"\xff")), min_size=16, max_size=16).map(b"".join),
)


def _sorted_by_sql(client: Client, versions: list[Version], order: str = _ORDER) -> list[Version]:
    """The versions in the order in which SQL has them, greatest first."""
    client.command("TRUNCATE TABLE versions")
    columns = [list(range(len(versions))), *(list(column) for column in zip(*versions, strict=True))]
    types = ["UInt32", "DateTime64(3, 'UTC')", "UInt8", "FixedString(16)"]
    names = ["number", "recorded_at", "retracted", "content_hash"]
    client.insert("versions", columns, column_names=names, column_type_names=types, column_oriented=True)
    found = client.query(f"SELECT number FROM versions ORDER BY {order}").result_rows  # noqa: S608  # the tests' own
    return [versions[number] for (number,) in found]


@settings(max_examples=120, deadline=None)
@given(versions=st.lists(_versions, min_size=1, max_size=12))
def test_the_columns_have_the_order_of_the_tuple(store: Client, versions: list[Version]) -> None:
    assert _sorted_by_sql(store, versions) == sorted(versions, reverse=True)


@pytest.mark.parametrize(
    "order",
    [
        "recorded_at DESC, content_hash DESC, retracted DESC",
        "recorded_at DESC, retracted, content_hash DESC",
        "recorded_at DESC, retracted DESC, content_hash",
        "retracted DESC, recorded_at DESC, content_hash DESC",
        "recorded_at DESC, retracted DESC, reinterpretAsInt128(content_hash) DESC",
    ],
)
def test_another_order_is_told_apart(store: Client, order: str) -> None:
    hashes = (b"\x00" * 16, b"\xff" * 16, b"\x00" * 15 + b"\x01", b"\x01" + b"\x00" * 15)
    versions = [Version(at, retracted, content) for at in (-5, 0, 9) for retracted in (0, 1) for content in hashes]
    assert _sorted_by_sql(store, versions) == sorted(versions, reverse=True)
    assert _sorted_by_sql(store, versions, order) != sorted(versions, reverse=True)
