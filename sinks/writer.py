"""Batches of rows, and writing them to the store: one columnar insert per table, durable when it returns."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from sinks.rows import Placed, Row
from sinks.tables import STATES, TABLES

_STATE_KEYS: Final = {table.name: table.keys for table in STATES.values()}

_SETTINGS: Final = {
    # Offsets are committed after the insert, so it must be durable on return; newer engines default to 1.
    "async_insert": 0,
    # A replay brings months of history at once, and one forged append time must not stop the sink.
    "max_partitions_per_insert_block": 0,
}


class Batch:
    """Rows on their way to the store, by table. Of several states of one entity it keeps the newest."""

    def __init__(self) -> None:
        self._rows: defaultdict[str, _Columns] = defaultdict(_Columns)
        self._states: defaultdict[str, dict[Row, Row]] = defaultdict(dict)

    def add(self, placed: Iterable[Placed]) -> None:
        """Take rows in."""
        for table, row in placed:
            keys = _STATE_KEYS.get(table)
            if keys is None:
                self._rows[table].append(row)
                continue
            states = self._states[table]
            key = (row[0], *row[2 : 2 + keys])
            known = states.get(key)
            if known is None or known[1] <= row[1]:
                states[key] = row

    def rows(self) -> dict[str, int]:
        """How many rows there are for each table that has any."""
        counts = {table: len(columns) for table, columns in self._rows.items()}
        return counts | {table: len(states) for table, states in self._states.items()}

    def __len__(self) -> int:
        return sum(self.rows().values())

    def columns(self) -> dict[str, list[list[Any]]]:
        """The columns of each table that has rows, in the order in which tables are written."""
        found = {table: columns.turned() for table, columns in self._rows.items()}
        for table, states in self._states.items():
            columns = _Columns()
            for row in states.values():
                columns.append(row)
            found[table] = columns.turned()
        return {name: found[name] for name in TABLES if name in found}


class Writer:
    """Writes batches through one client, whose current database has the tables."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def write(self, batch: Batch) -> None:
        """Insert all rows; they are durable when it returns.

        A batch that failed half-way may be written again: the tables keep one row of each. Errors are those
        of clickhouse-connect.
        """
        for name, columns in batch.columns().items():
            table = TABLES[name]
            self._client.insert(
                name,
                columns,
                column_names=table.names,
                column_type_names=table.types,
                column_oriented=True,
                settings=_SETTINGS,
            )


_BLOCK: Final = 1_000
"""Rows turned into columns at a time. Turning 25,000 at once takes three times as long, and rows that stay
tuples until the insert cost the garbage collector as much again (measured)."""


class _Columns:
    """Rows of one table, turned into columns block by block."""

    __slots__ = ("_columns", "_count", "_pending")

    def __init__(self) -> None:
        self._columns: list[list[Any]] = []
        self._pending: list[Row] = []
        self._count = 0

    def append(self, row: Row) -> None:
        self._pending.append(row)
        self._count += 1
        if len(self._pending) == _BLOCK:
            self.turned()

    def __len__(self) -> int:
        return self._count

    def turned(self) -> list[list[Any]]:
        """All rows so far, as columns."""
        if self._pending:
            self._columns = self._columns or [[] for _ in self._pending[0]]
            for column, part in zip(self._columns, zip(*self._pending, strict=True), strict=True):
                column.extend(part)
            self._pending.clear()
        return self._columns
