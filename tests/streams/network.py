"""The four agents in one thread and without Kafka, with everything going wrong that may.

Topics are lists of records. The agents are the real ones (`streams.agent.Agent`) over a sender that appends
to the lists; it can crash before any single write, append a record twice as a producer's retry does, and
deliver in any interleaving. After a crash every partition is recovered from its changelog, whose rows may
stand in any order, twice, or compacted. `Network.views` is what the world sees in the end, without versions.
"""

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random
from typing import Any, Final, NamedTuple, TypeVar
from unittest.mock import patch

import msgspec

from schemas.derived import (
    DeadLetter,
    ExceptionSet,
    ExceptionState,
    LateRecord,
    LeadStats,
    OrderStatus,
    Published,
    ShipmentStatus,
    StockPosition,
    encode,
)
from schemas.times import DAY_MS, to_ms
from schemas.topics import of_kind
from schemas.wire import Rejection, read
from streams import agent as agents
from streams.agent import Agent, Rules
from streams.agents import DERIVATIONS
from streams.clock import Clock
from streams.facts import CONTRIBUTION_MARK
from streams.rows import BEGUN, Codec
from streams.sending import Record, Sender, partition_of
from streams.table import Partition
from tests.strategies import START

ARRIVAL: Final = to_ms(START) + 400 * DAY_MS
"""The append time of every record: late enough that no event claims to be from the future."""

EPOCH: Final = 7
VIEWS: Final = frozenset(topic.name for topic in of_kind("view"))
CONTRIBUTIONS: Final = frozenset(topic.name for topic in of_kind("contribution"))

_State = TypeVar("_State")
_Stripped: Final = msgspec.json.Decoder(Published[msgspec.Raw])


class Place(NamedTuple):
    """A partition of a topic."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class FetchedRecord:
    """A record as aiokafka's consumer hands it over, as far as the agents look at it."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes | None
    timestamp: int = ARRIVAL
    headers: Sequence[tuple[str, bytes]] = ()
    timestamp_type: int = 1


@dataclass(frozen=True, slots=True)
class Views:
    """The state under each (topic, key), as bytes without version; decoded by kind.

    Asked for a key that it does not have, it tells what is derived where nothing is known.
    """

    states: Mapping[tuple[str, str], bytes]

    def order(self, order_id: str) -> OrderStatus:
        """An order's status."""
        return self._state("order.status", order_id, OrderStatus)

    def shipment(self, shipment_id: str) -> ShipmentStatus:
        """A shipment's status."""
        return self._state("shipment.status", shipment_id, ShipmentStatus)

    def stock(self, site: str, item: str) -> StockPosition:
        """A stock position."""
        return self._state("stock.positions", f"{site}|{item}", StockPosition)

    def lead(self, measure: str, route: str) -> LeadStats:
        """The statistic of a route."""
        return self._state("lead.stats", f"{measure}|{route}", LeadStats)

    def exceptions(self, entity: str) -> dict[str, ExceptionState]:
        """The open exceptions of an entity (`shipment/ID`, `stock/SITE|ITEM`), by kind."""
        complete = self._state("exceptions", entity, ExceptionSet).exceptions
        return {exception.kind: exception for exception in complete}

    def keys(self, topic: str) -> set[str]:
        """The keys that a view has states for."""
        return {key for name, key in self.states if name == topic}

    def _state(self, topic: str, key: str, kind: type[_State]) -> _State:
        return msgspec.json.decode(self.states.get((topic, key)) or _nothing(topic, key), type=kind)


class Crash(Exception):
    """The process ends here."""


class Wire(Sender):
    """What the agents send through: appends to the network's topics, as long as the fuse lasts."""

    def __init__(self, network: "Network") -> None:
        super().__init__("nowhere", "test", {})
        self._network = network
        self.fuse: int | None = None

    async def send_to(self, topic: str, partition: int, records: Iterable[Record]) -> list[int]:
        """Append in order; a retry appends all of it once more, and its offsets are those that count."""
        rows = list(records)
        offsets = [self._append(Place(topic, partition), row) for row in rows]
        if self._network.is_repeated():
            offsets = [self._append(Place(topic, partition), row) for row in rows]
        return offsets

    async def send(self, records: Iterable[tuple[str, Record]]) -> dict[tuple[str, int], int]:
        """Append each to its key's partition, in an order that nobody promised."""
        sent: dict[tuple[str, int], int] = {}
        for topic, record in self._network.shuffled(records):
            place = Place(topic, partition_of(record.key, self._network.partitions))
            sent[place] = self._append(place, record)
            if self._network.is_repeated():
                sent[place] = self._append(place, record)
        return sent

    def _append(self, place: Place, record: Record) -> int:
        if self.fuse is not None:
            if self.fuse == 0:
                raise Crash
            self.fuse -= 1
        return self._network.append(place, record.key, record.value, self._network.at, tuple(record.headers))


class _Steps:
    """Acknowledged steps over the wire: what was sent before a crash stays sent."""

    transactional = False

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def take_over(self, agent: str, partitions: Iterable[int]) -> None:
        """Nobody else is there."""

    @asynccontextmanager
    async def batch(self, *_: object) -> AsyncIterator[Sender]:
        """The wire."""
        yield self._wire

    async def give_up(self, agent: str, partition: int) -> None:
        """Nothing to do."""

    async def stop(self) -> None:
        """Nothing to do."""


@dataclass(slots=True)
class Network:
    """Topics, agents, and how far each has read. `chaos`: where all that is left to chance comes from.

    Without chaos nothing is repeated, shuffled or rebalanced. `horizon` in ms, wide enough that nothing closes;
    `now`: what time it is for ticks (ms).
    """

    partitions: int = 2
    chaos: Random | None = None
    horizon: int = 500 * DAY_MS
    stub_days: int = 400
    most_facts: int = 1_000_000
    now: int = ARRIVAL
    topics: dict[Place, list[FetchedRecord]] = field(default_factory=lambda: defaultdict(list))
    committed: dict[Place, int] = field(default_factory=lambda: defaultdict(int))
    writes: list[int] = field(default_factory=list)
    """How many records each batch that went through wrote."""

    at: int = ARRIVAL
    """When what the agents send is appended: with the last record of their batch."""

    _wire: Wire = field(init=False)
    _readers: dict[str, Agent] = field(init=False)

    def __post_init__(self) -> None:
        self._wire = Wire(self)
        self._start()

    def append(
        self,
        place: Place,
        key: bytes,
        value: bytes | None,
        at: int = ARRIVAL,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> int:
        """Append to a partition at this moment (ms); the offset."""
        log = self.topics[place]
        log.append(FetchedRecord(place.topic, place.partition, len(log), key, value, at, headers))
        return len(log) - 1

    def feed(
        self,
        records: Iterable[tuple[str, bytes]],
        at: int = ARRIVAL,
        *,
        astray: bool = False,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        """Append raw records as publishers do: each to the partition of its entity (unreadable ones: of its topic).

        `astray`: to the next partition instead, as a producer with another partitioner may.
        """
        for topic, raw in records:
            event = read(topic, raw, ARRIVAL)
            key = (topic if isinstance(event, Rejection) else event.entity_key()).encode()
            number = (partition_of(key, self.partitions) + astray) % self.partitions
            self.append(Place(topic, number), key, raw, at, headers)

    def tick(self, now: int, fuse: int | None = None) -> int:
        """Let it be this late (ms); how many deadlines passed. With a fuse that burns down the process ends."""
        self.now = now
        self._wire.fuse = fuse
        for place in self._inputs():
            self._readers[place.topic].assigned({place.partition})
        try:
            with patch.object(agents, "recover", self._recover):
                running = {id(agent): agent for agent in self._readers.values()}.values()
                return sum(_finish(agent.tick(number)) for agent in running for number in agent.owned)
        except Crash:
            self._start()
            return 0

    def run(self, fuses: Iterable[int | None] = (), most: int = 1_000) -> None:
        """Process until nothing is left. Each batch takes the next fuse; one that is no None ends the process.

        A fuse is after how many writes of the batch (changelog rows, then all the rest) the process dies;
        with more than the batch has, it dies before the acknowledgement.
        """
        burning: Iterator[int | None] = iter(fuses)
        while waiting := [place for place in self._inputs() if self.committed[place] < len(self.topics[place])]:
            place = self.chaos.choice(waiting) if self.chaos else waiting[0]
            size = self.chaos.randint(1, most) if self.chaos else most
            if self.chaos and self.chaos.random() < 0.1:
                _finish(self._readers[place.topic].revoke({place.partition}))
                self._readers[place.topic].assigned({place.partition})
            self.step(place, size, next(burning, None))

    def step(self, place: Place, size: int, fuse: int | None = None) -> None:
        """Process one batch; acknowledged if the fuse is None, otherwise everything in memory is gone.

        With chaos it sometimes holds what waits in the same partition of the agent's other inputs too.
        """
        agent = self._readers[place.topic]
        others = (Place(topic, place.partition) for topic in agent.inputs)
        joined = self.chaos is not None and self.chaos.random() < 0.5
        places = [other for other in others if other == place or joined]
        batches = {one.topic: self.topics[one][self.committed[one] : self.committed[one] + size] for one in places}
        batches = {topic: batch for topic, batch in batches.items() if batch}
        before = sum(map(len, self.topics.values()))
        self._wire.fuse = fuse
        self.at = max(batch[-1].timestamp for batch in batches.values())
        with patch.object(agents, "recover", self._recover), suppress(Crash):
            _finish(agent.process(place.partition, batches))
        if fuse is not None:
            self._start()
            return
        self.writes.append(sum(map(len, self.topics.values())) - before)
        for topic, batch in batches.items():
            self.committed[Place(topic, place.partition)] += len(batch)

    def restart(self) -> None:
        """Forget everything that is only in memory."""
        self._start()

    def rewind(self, place: Place, offset: int) -> None:
        """Read a partition again from an offset, as after a lost acknowledgement."""
        self.committed[place] = min(self.committed[place], offset)

    def rewind_somewhere(self) -> None:
        """Read some partitions again from somewhere; needs chaos."""
        assert self.chaos is not None
        for place in self._inputs():
            if self.chaos.random() < 0.5:
                self.rewind(place, self.chaos.randint(0, len(self.topics[place])))

    def views(self) -> Views:
        """Of each key of each view the state with the greatest version; without those that are gone."""
        greatest: dict[tuple[str, str], Published[msgspec.Raw]] = {}
        for record in self._records(VIEWS):
            published = _Stripped.decode(record.value or b"")
            known = greatest.setdefault((record.topic, record.key.decode()), published)
            if known.version < published.version:
                greatest[record.topic, record.key.decode()] = published
        return Views({name: bytes(told.state) for name, told in sorted(greatest.items()) if not told.gone})

    def facts(self) -> dict[tuple[str, str, str], Any]:
        """All live payloads by (agent, entity, identity), as the changelogs tell; versions of events stay."""
        found: dict[tuple[str, str, str], Any] = {}
        for derivation in DERIVATIONS:
            rules = derivation()
            for number in range(self.partitions):
                partition = Partition(rules, Codec(rules.payload, rules.base), Clock(self.horizon))
                self._recovered(f"{rules.name}.facts", number, partition)
                for entity, known in partition.entities.items():
                    for identity, fact in known.facts.items():
                        told_by_agent = identity.startswith(CONTRIBUTION_MARK)
                        if told_by_agent and not fact.payload:
                            continue
                        said = fact.payload if told_by_agent else fact
                        found[rules.name, entity, identity] = said
        return found

    def two_states_of_one_version(self) -> list[tuple[str, bytes, tuple[int, int]]]:
        """Whatever was published twice under one version with different states: (topic, key, version)."""
        seen: dict[tuple[str, bytes, str, tuple[int, int]], tuple[bytes, bool]] = {}
        found = []
        for record in self._records(VIEWS | CONTRIBUTIONS):
            published = _Stripped.decode(record.value or b"")
            told = (bytes(published.state), published.gone)
            who = json.loads(told[0]).get("contributor", "")
            if seen.setdefault((record.topic, record.key, who, published.version), told) != told:
                found.append((record.topic, record.key, published.version))
        return found

    def dead(self) -> list[DeadLetter]:
        """All dead letters, repeated ones once."""
        decode = msgspec.json.Decoder(DeadLetter).decode
        return list({decode(record.value or b""): None for record in self._records({"dead.letters"})})

    def late(self) -> list[LateRecord]:
        """All late records, repeated ones once."""
        decode = msgspec.json.Decoder(LateRecord).decode
        return list({decode(record.value or b""): None for record in self._records({"late.records"})})

    def partition(self, agent: str, number: int) -> Partition:
        """A partition as its agent holds it in memory."""
        (found,) = {id(one): one for one in self._readers.values() if one.derivation.name == agent}.values()
        return found._partitions[number]

    def partition_read_back(self, agent: str, number: int) -> Partition:
        """A partition as a new worker would read it back from its changelog."""
        (rules,) = (rules() for rules in DERIVATIONS if rules().name == agent)
        partition = Partition(rules, Codec(rules.payload, rules.base), Clock(self.horizon))
        self._recovered(f"{agent}.facts", number, partition)
        return partition

    def is_repeated(self) -> bool:
        """Whether chance has it that this is sent twice."""
        return self.chaos is not None and self.chaos.random() < 0.1

    def shuffled(self, records: Iterable[Any]) -> list[Any]:
        """The records, with chaos in any order."""
        listed = list(records)
        if self.chaos is not None:
            self.chaos.shuffle(listed)
        return listed

    def _start(self) -> None:
        rules = Rules(
            EPOCH,
            self.horizon,
            stub_days=self.stub_days,
            most_facts=self.most_facts,
            now=lambda: self.now,
            partitions=self.partitions,
        )
        running = [Agent(derivation(), _Steps(self._wire), "nowhere", rules) for derivation in DERIVATIONS]
        self._readers = {topic: agent for agent in running for topic in agent.inputs}

    def _inputs(self) -> list[Place]:
        return [Place(topic, number) for topic in self._readers for number in range(self.partitions)]

    def _records(self, topics: Collection[str]) -> Iterator[FetchedRecord]:
        for place in sorted(self.topics):
            if place.topic in topics:
                yield from self.topics[place]

    async def _recover(
        self, _: str, changelog: str, partitions: Mapping[int, Partition], inputs: Iterable[str]
    ) -> None:
        topics = tuple(inputs)
        for number, partition in partitions.items():
            self._recovered(changelog, number, partition)
            for topic in topics:
                end = len(self.topics[Place(topic, number)])
                if self.committed[Place(topic, number)] < end:
                    partition.goals[topic] = end

    def _recovered(self, changelog: str, number: int, partition: Partition) -> None:
        """Fill a partition with what its changelog tells, some of it compacted, in any order, with repetitions."""
        rows: Sequence[FetchedRecord] = self.topics[Place(changelog, number)]
        if self.chaos is not None:
            last = {row.key: row.offset for row in rows}
            rows = [row for row in rows if row.offset == last[row.key] or self.chaos.random() < 0.7]
            rows = [*rows, *(row for row in rows if self.chaos.random() < 0.3)]
            if any(BEGUN in row.key for row in rows):
                rows = sorted(rows, key=lambda row: row.offset)  # a rebuild says that what stands before it is void
            else:
                rows = self.shuffled(rows)
        for row in rows:
            partition.recover(row.key, row.value, row.offset)
        partition.recovered()


def play(*records: tuple[str, bytes]) -> Views:
    """What the world sees after these records, fed in this order and processed without any mishap."""
    network = Network()
    network.feed(records)
    network.run()
    return network.views()


def play_in_turn(*records: tuple[str, bytes]) -> Views:
    """What the world sees after these records, each one processed to its end before the next is fed."""
    network = Network()
    for record in records:
        network.feed([record])
        network.run()
    return network.views()


@lru_cache(maxsize=10_000)
def _nothing(topic: str, key: str) -> bytes:
    """What a view says under a key when no facts are behind it."""
    entities = (key, key.partition("/")[2])
    views = (view for rules in DERIVATIONS for entity in entities for view in rules().derive(entity, {}).views)
    return next(encode(view.state) for view in views if (view.topic, view.key) == (topic, key))


def _finish(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that never has to wait; what it returns."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    work.close()
    raise AssertionError("the agent waits for something that is not in this network")
