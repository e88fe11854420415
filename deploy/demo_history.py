"""The demo network's history in a store of its own: what dashboards and alert rules are tried on without a stack.

Two weeks and a few minutes of the demo, told up to now. Every record becomes the rows that the history sink makes of
it; the states follow from the facts in one pass through the same pure rules that the workers run, agent by agent
(shipments contribute to orders, stock and lead times; orders and stock to lead times). What depends on the time
passing is computed by the views, as always.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from deploy.demo.network import network
from deploy.demo.reports import Emission
from schemas.derived import Published, encode
from schemas.identifiers import findings
from schemas.times import MINUTE_MS
from schemas.versions import Version
from schemas.wire import Rejection, read
from sinks import epochs
from sinks.batch import Batch
from sinks.embedded import EmbeddedStore
from sinks.migrate import migrate, store_id
from sinks.rows import Record, rows_of
from sinks.writer import Writer
from streams.derivation import Derivation
from streams.facts import Fact, contributor_identity, is_gone, is_newer
from streams.leads.derive import LeadTimes
from streams.orders.derive import Orders
from streams.shipments.derive import Shipments
from streams.stock.derive import Stock

SEED: Final = 1
LIVE_MS: Final = 3 * MINUTE_MS
"""How much of the lively present there is: three of its days, a minute each."""

_DOWNSTREAM: Final[tuple[type[Derivation], ...]] = (Shipments, Orders, Stock, LeadTimes)
"""The agents, each behind all that contribute to it."""

_EPOCH: Final = 1
_CHUNK: Final = 50_000

Facts = dict[str, dict[str, Fact]]
"""By entity and identity."""


class History(NamedTuple):
    """A filled store, and what it was filled with. `now_ms`: up to when the demo was told."""

    store: EmbeddedStore
    emissions: Sequence[Emission]
    now_ms: int


def told_until(now_ms: int, seed: int = SEED) -> list[Emission]:
    """The records of the demo whose present began three minutes before this moment, up to it."""
    return list(takewhile(lambda told: told.at_ms <= now_ms, network(seed, now_ms - LIVE_MS)))


@contextmanager
def demo_history(folder: Path, now_ms: int, seed: int = SEED) -> Iterator[History]:
    """A store in `folder` that holds the demo's history up to `now_ms`; closed at the end, and not deleted."""
    emissions = told_until(now_ms, seed)
    with EmbeddedStore(folder) as store:
        migrate(store.writer)
        fill(store, emissions)
        yield History(store, emissions, now_ms)


def fill(store: EmbeddedStore, emissions: Iterable[Emission]) -> None:
    """Write records and all that follows from them into a migrated, empty store, as its epoch 1."""
    epochs.begin(store.writer, _EPOCH)
    records = [
        Record(_EPOCH, told.topic, 0, offset, told.at_ms, told.key, told.value) for offset, told in enumerate(emissions)
    ]
    writer, home = Writer(store.writer), store_id(store.writer)
    for chunk in _chunks([*records, *states(records)]):
        batch = Batch(home, findings)
        for record in chunk:
            batch.add(rows_of(record, home, findings), record)
        writer.write(batch)
    epochs.end(store.writer, _EPOCH)
    store.writer.command("TRUNCATE TABLE backlog_read")  # it was no backlog that waited in a broker
    _refresh(store)


def states(records: Iterable[Record]) -> Iterator[Record]:
    """The states that the agents publish once they have seen all of these records of fact topics."""
    events = [(record, read(record.topic, record.value, record.appended_at)) for record in records]
    contributed: dict[str, list[Any]] = defaultdict(list)
    for version, agent in enumerate(_DOWNSTREAM, 1):
        rules = agent()
        facts: Facts = defaultdict(dict)
        for record, event in events:
            if record.topic in rules.events and not isinstance(event, Rejection):
                statement = rules.statement(event, record.value or b"")
                _merge(facts, statement.entity, statement.identity, statement.fact)
        for topic in rules.contributions:
            for state in contributed[topic]:
                entity, contributor, payload = rules.contributed(state)
                fact = Fact(Version(_EPOCH, version, b""), payload)
                _merge(facts, entity, contributor_identity(contributor), fact)
        yield from _published(rules, facts, contributed)


def _refresh(store: EmbeddedStore) -> None:
    """Have what is worked out every few minutes worked out now; twice, since one of them may read another."""
    views = store.writer.query("SELECT view FROM system.view_refreshes WHERE database = currentDatabase()").result_rows
    for (view,) in (*views, *views):
        store.writer.command(f"SYSTEM REFRESH VIEW {view}")
        store.writer.command(f"SYSTEM WAIT VIEW {view}")


def _published(rules: Derivation, facts: Facts, contributed: dict[str, list[Any]]) -> Iterator[Record]:
    for entity, known in facts.items():
        derived = rules.derive(entity, known)
        for target, state in derived.contributions.items():
            contributed[target.topic].append(state)
        for view in derived.views:
            told = Published((_EPOCH, 1), msgspec.Raw(encode(view.state)), is_gone(known))
            yield Record(_EPOCH, view.topic, 0, 0, 0, view.key.encode(), encode(told))


def _merge(facts: Facts, entity: str, identity: str, told: Fact) -> None:
    known: Mapping[str, Fact] = facts[entity]
    if is_newer(known.get(identity), told):
        facts[entity][identity] = told


def _chunks(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    for start in range(0, len(records), _CHUNK):
        yield records[start : start + _CHUNK]
