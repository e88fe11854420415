"""Batches: what has been fetched, as columns by table, with what it takes to make a dead letter of any row.

A batch knows how many records and bytes it holds, so that the sink can stop in time. Of several states of one entity
it keeps the newest.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress, repeat
from operator import not_
from typing import Any, Final, cast

from schemas.coordinates import ORIGIN_HEADER, origins_of
from schemas.wire import Rejection, read_all
from sinks.facts import BLOCK, Columns, FactColumns, Findings
from sinks.rows import UNSTORABLE, Placed, Record, Row, dead, fact_of, no_findings, place_of, rows_of
from sinks.slices import Slice
from sinks.tables import DEAD, FACTS, REPLAYED, STATES, TABLES

_STATE_KEYS: Final = {table.name: table.keys for table in STATES.values()}


class Batch:
    """Rows on their way to the store, by table.

    Args:
        store_id: The id of the store that is written to: what was replayed out of it is there already.
        findings: Checks the identifiers of each event.
    """

    def __init__(self, store_id: str = "", findings: Findings = no_findings) -> None:
        self.records = 0
        """How many Kafka records were taken in."""
        self.bytes = 0
        """Their keys and values together."""
        self.ends: dict[tuple[str, int], int] = {}
        """Per (topic, partition) the offset after the last record taken in."""
        self._store_id = store_id
        self._findings = findings
        self._facts: dict[str, FactColumns] = {}
        self._rows: defaultdict[str, _Rows] = defaultdict(_Rows)
        self._states: defaultdict[str, dict[Row, tuple[Row, Record | None]]] = defaultdict(dict)

    def take(self, epoch: int, topic: str, partition: int, records: Sequence[Any]) -> None:
        """Take in Kafka records of one partition, in their order.

        They have what aiokafka's records have: offset, timestamp, key, value, headers.
        """
        told = Slice.of(epoch, topic, partition, records)
        if topic in FACTS:
            self._take_facts(told)
        else:
            for record in told.records():
                self.add(rows_of(record, self._store_id, self._findings), record)
        self.records += len(records)
        self.ends[topic, partition] = records[-1].offset + 1

    def add(self, placed: Iterable[Placed], record: Record | None = None) -> None:
        """Take rows in, and the record they were made from."""
        if record is not None:
            self.bytes += len(record.value or b"") + len(record.key or b"")
        for table, row in placed:
            keys = _STATE_KEYS.get(table)
            if keys is None:
                self._rows[table].append(row, record)
                continue
            states = self._states[table]
            key = (row[0], *row[2 : 2 + keys])
            known = states.get(key)
            if known is None or known[0][1] <= row[1]:
                states[key] = (row, record)

    def rows(self) -> dict[str, int]:
        """How many rows there are for each table that has any."""
        counts = {table: len(rows) for table, rows in self._rows.items()}
        for topic, facts in self._facts.items():
            table = FACTS[topic].name
            counts[table] = counts.get(table, 0) + len(facts)
        return counts | {table: len(states) for table, states in self._states.items()}

    def __len__(self) -> int:
        return sum(self.rows().values())

    def pieces(self) -> list["Piece"]:
        """All rows, in the order in which tables are written. Nothing is to be added to the batch after that."""
        found = [*self._pieces()]
        order = {name: number for number, name in enumerate(TABLES)}
        return sorted(found, key=lambda piece: order[piece.table])

    def columns(self) -> dict[str, Columns]:
        """The columns of each table that has rows, in the order in which tables are written."""
        found: dict[str, Columns] = {}
        for piece in self.pieces():
            known = found.setdefault(piece.table, [[] for _ in piece.columns])
            for column, more in zip(known, piece.columns, strict=True):
                column.extend(more)
        return found

    def _take_facts(self, told: Slice) -> None:
        facts = self._facts.get(told.topic)
        if facts is None:
            facts = self._facts[told.topic] = FactColumns(told.topic, self._findings)
        if not told.is_plain:
            odd = [bool(headers) or not (key and value) for *_, key, value, headers in told.parts()]
            self._take_odd(facts, self._without_ours(told.only(odd)))
            told = told.only(map(not_, odd))
        if told:
            self._take_plain(facts, told)

    def _take_plain(self, facts: FactColumns, told: Slice) -> None:
        """Take in records that have an event and its key, and nothing else."""
        events = read_all(told.topic, cast("Sequence[bytes]", told.values), told.appended_at)
        if Rejection in map(type, events):
            for record, why in zip(told.records(), events, strict=True):
                if isinstance(why, Rejection):
                    self.add((dead(record, why.cause, why.reason, why.field),), record)
            good = [type(event) is not Rejection for event in events]
            told, events = told.only(good), [*compress(events, good)]
        here = (repeat(told.epoch, len(told)), repeat(told.partition, len(told)))
        facts.extend((*here, told.offsets, told.appended_at, told.keys, told.values), events)
        self.bytes += told.size

    def _without_ours(self, told: Slice) -> Slice:
        """Take in what was replayed out of this very store, as it is at each start, and return everything else."""
        replayed = [len(headers) == 1 and headers[0][0] == ORIGIN_HEADER for headers in told.headers]
        ours = told.only(replayed)
        if not ours:
            return told
        first = origins_of(ours.headers, ours.appended_at, told.topic)
        if first is None or {*first.stores} != {self._store_id.encode()}:
            return told
        here = ([said] * len(ours) for said in (told.epoch, told.topic, told.partition))
        self._rows[REPLAYED.name].extend(
            (*here, ours.offsets, first.epochs, first.partitions, first.offsets), ours.parts()
        )
        self.bytes += ours.size
        return told.only(map(not_, replayed))

    def _take_odd(self, facts: FactColumns, told: Slice) -> None:
        """Take in records that need a closer look, as few do: they have headers, or lack a key or a value."""
        for record in told.records():
            others, stored, event = fact_of(record, self._store_id)
            self.add(others, record)
            if event is not None:
                facts.add((place_of(stored),), (event,))

    def _pieces(self) -> Iterator["Piece"]:
        for topic, facts in self._facts.items():
            columns = facts.turned()
            for (epoch, partition, offset, appended_at, key, raw), reason in facts.spoiled:
                spoiled = Record(epoch, topic, partition, offset, appended_at, key, raw)
                self._rows[DEAD.name].append(dead(spoiled, UNSTORABLE, reason)[1], spoiled)
            facts.spoiled.clear()
            if len(facts):
                yield Piece(FACTS[topic].name, columns, len(facts), _Facts(topic, columns, facts.keys))
        for name, rows in self._rows.items():
            yield Piece(name, rows.turned(), len(rows), rows.records)
        for name, states in self._states.items():
            turned = _Rows()
            for row, record in states.values():
                turned.append(row, record)
            yield Piece(name, turned.turned(), len(turned), turned.records)


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows of one table that are inserted together: `count` of them, from `start` on."""

    table: str
    columns: Columns
    count: int
    records: Any
    """By the number of a row the record it was made from, or None where that is not known."""
    start: int = 0

    def cut(self) -> Columns:
        """Its columns."""
        if self.start == 0 and self.count == len(self.columns[0]):
            return self.columns
        return [column[self.start : self.start + self.count] for column in self.columns]

    def halves(self) -> tuple["Piece", "Piece"]:
        """Two pieces of a half each."""
        half = self.count // 2
        return (
            Piece(self.table, self.columns, half, self.records, self.start),
            Piece(self.table, self.columns, self.count - half, self.records, self.start + half),
        )

    def record(self) -> Record | None:
        """The record that its only row was made from."""
        found = self.records[self.start]
        return None if found is None else Record(*found)


def piece_of(placed: Sequence[Placed]) -> Piece:
    """Rows of one table as a piece of their own."""
    columns = [list(column) for column in zip(*(row for _, row in placed), strict=True)]
    return Piece(placed[0][0], columns, len(placed), [None] * len(placed))


class _Rows:
    """Rows of one table, turned into columns block by block."""

    __slots__ = ("_columns", "_pending", "records")

    def __init__(self) -> None:
        self.records: list[tuple[Any, ...] | None] = []
        self._columns: Columns = []
        self._pending: list[Row] = []

    def append(self, row: Row, record: Record | None) -> None:
        self._pending.append(row)
        self.records.append(record)
        if len(self._pending) == BLOCK:
            self.turned()

    def extend(self, columns: Iterable[Sequence[Any]], records: Iterable[tuple[Any, ...]]) -> None:
        """Many rows as columns, each row with the parts of its record."""
        if not self.turned():
            self._columns = [[] for _ in columns]
        for column, values in zip(self._columns, columns, strict=True):
            column.extend(values)
        self.records.extend(records)

    def __len__(self) -> int:
        return len(self.records)

    def turned(self) -> Columns:
        """All rows so far, as columns."""
        if self._pending:
            self._columns = self._columns or [[] for _ in self._pending[0]]
            for column, part in zip(self._columns, zip(*self._pending, strict=True), strict=True):
                column.extend(part)
            self._pending.clear()
        return self._columns


class _Facts:
    """The records of a fact table's rows, made from its columns when they are asked for."""

    __slots__ = ("_keys", "_places", "_topic")

    def __init__(self, topic: str, columns: Columns, keys: list[bytes | None]) -> None:
        names = FACTS[topic].names
        self._topic = topic
        self._keys = keys
        self._places = [columns[names.index(name)] for name in ("epoch", "partition", "offset", "appended_at", "raw")]

    def __getitem__(self, row: int) -> Record:
        epoch, partition, offset, appended_at, raw = (column[row] for column in self._places)
        return Record(epoch, self._topic, partition, offset, appended_at, self._keys[row], raw)
