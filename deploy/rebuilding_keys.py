"""Single entities derived anew from their whole history, what came too late for them included.

An entity's records are replayed into its topic: the first one says that the agent is to begin from nothing, the last
one that it is complete, and in between the agent publishes nothing of it (schemas.coordinates.Reopen). Before the
last one everything is waited for that was there when the first one was taken, and what the history has got meanwhile
is replayed too, so that no event is lost between the reading of the history and the beginning.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from importlib.resources import files
from itertools import chain
from typing import Any, Final, NamedTuple

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from deploy.gate_client import gate_client, rows
from deploy.progress import progress, settled
from deploy.stackfile import StackFile
from schemas.coordinates import Again, Reopen
from schemas.errors import Unreachable, WrongInput
from schemas.times import wall_clock
from sinks.replay import Replayed, replay
from sinks.retention.forgotten import left_out
from streams.administration import partition_counts
from streams.sending import Record, Sender
from streams.settling import facts_of_agents

_SQL: Final = files("deploy").joinpath("sql")
_TOPICS_OF: Final = _SQL.joinpath("entity_topics.sql").read_text(encoding="utf-8")
_ORDERS_OF: Final = _SQL.joinpath("orders_of_shipments.sql").read_text(encoding="utf-8")
APPLIED: Final = frozenset(facts_of_agents())
"""The topics whose entities can be derived anew."""

_ORDERS: Final = "supplier.events"
_SHIPMENTS: Final = "shipment.events"


class Entity(NamedTuple):
    """An entity of an agent: the fact topic that tells of it, and its key there."""

    topic: str
    key: str


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What was derived anew: how many entities, from how many records, and how many of those had come too late.

    `left_out`: how many were not taken, since retention had dropped what they correct or repeat.
    """

    entities: int
    records: int
    applied: int
    left_out: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


def entities_of(client: Client, key: str) -> list[Entity]:
    """The entities with this key, one for each topic that tells of it.

    Raises WrongInput where the history has none.
    """
    found = [Entity(topic, key) for (topic,) in rows(client, _TOPICS_OF, {"entity": key})]
    if not found:
        raise WrongInput(
            f"The history holds nothing of {key!r}: give an order, a shipment, or SITE|ITEM, as events name it."
        )
    return found


def rebuild_entities(stack: StackFile, wanted: Iterable[Entity]) -> Rebuilt:
    """Derive entities anew, and with a shipment its orders, which may have closed: they take what follows for them.

    Returns when the figures can be queried. It may be repeated; one that was cut off is finished by the next.

    Raises:
        Unreachable: Broker or store do not answer, or nothing takes the records.
    """
    entities = set(wanted)
    with closing(gate_client(stack)) as client:
        shipments = sorted(entity.key for entity in entities if entity.topic == _SHIPMENTS)
        orders = {Entity(_ORDERS, order) for (order,) in rows(client, _ORDERS_OF, {"shipments": shipments})}
        entities |= orders
        # Orders first: a shipment's contribution to one that has closed would be late.
        first = sorted(entity for entity in entities if entity.topic != _SHIPMENTS)
        second = sorted(entity for entity in entities if entity.topic == _SHIPMENTS)
        done = [asyncio.run(_rebuild(stack, client, part)) for part in (first, second) if part]
        left = sum(len(left_out(client, entity.topic, entity.key)) for entity in entities)
    return Rebuilt(
        entities=sum(one.entities for one in done),
        records=sum(one.records for one in done),
        applied=sum(one.applied for one in done),
        left_out=left,
    )


async def _rebuild(stack: StackFile, client: Client, entities: Sequence[Entity]) -> Rebuilt:
    generation = wall_clock()
    sent: dict[Entity, list[Replayed]] = {}
    sender = Sender(stack.kafka, "quayside-rebuild", partition_counts(stack.kafka))
    try:
        with progress("replaying", len(entities)) as bar:
            for entity in entities:
                records = _history(client, entity)
                if records:
                    await sender.send(_begun(records, generation))
                    sent[entity] = records
                bar.advance(1)
        await asyncio.to_thread(settled, stack)
        for entity, records in sent.items():
            known = {record.place for record in records}
            missed = [record for record in _history(client, entity) if record.place not in known]
            records.extend(missed)
            await sender.send(_ended(missed, records[-1], generation))
        await asyncio.to_thread(settled, stack)
    finally:
        await sender.stop()
    replayed = list(chain.from_iterable(sent.values()))
    return Rebuilt(len(sent), len(replayed), sum(record.late for record in replayed))


def _history(client: Client, entity: Entity) -> list[Replayed]:
    try:
        return list(chain.from_iterable(replay(client, topics=[entity.topic], entity=entity.key, with_late=True)))
    except ClickHouseError as error:
        raise Unreachable(f"The store did not tell the history of {entity.key} ({error}): run it again.") from None


def _begun(records: Sequence[Replayed], generation: int) -> Iterator[tuple[str, Record]]:
    yield _addressed(records[0], Reopen(generation, begins=True))
    for record in records[1:]:
        yield _addressed(record, Reopen(generation))


def _ended(missed: Sequence[Replayed], last: Replayed, generation: int) -> Iterator[tuple[str, Record]]:
    """What is missing, and the last record once more: to repeat it changes nothing."""
    for record in missed:
        yield _addressed(record, Reopen(generation))
    yield _addressed(last, Reopen(generation, ends=True))


def _addressed(record: Replayed, reopen: Reopen) -> tuple[str, Record]:
    headers = [record.header, reopen.header()]
    if record.late:
        headers.append(Again("late", record.place.coordinate).header())
    return record.topic, Record(record.key, record.raw, tuple(headers))
