"""The thin shell around a derivation: one batch of one partition, in the order that makes it safe.

A batch is cut into segments, within each of which the partition's clock closes nothing (streams.clock). For each:

0. publish the last state of what closes now, and wait: a stub cannot be derived from any more;
1. let the clock pass, merge what the records state;
2. derive what follows for every touched entity, and address all targets it has ever contributed to;
3. write the changelog and wait for its acknowledgement;
4. send contributions, views, dead letters, late records and what is passed on, and wait;
5. the source's offset: in the transaction, or by acknowledging the batch.

While a silent load goes on, nothing is derived and published (streams/silence.py); all of it is before its end is
acknowledged.

A crash between any two steps is repeated in full: facts merge to the same, and what is published again has the same
or a greater version. Memory is changed in step 1 already: a batch that fails ends the process.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final

import msgspec

from schemas.coordinates import Mark, origin_of
from schemas.derived import LateRecord, Published, encode
from schemas.errors import QuaysideError
from schemas.times import wall_clock
from schemas.topics import fact_topic, forward_topic
from schemas.versions import Version
from streams.clock import HORIZON_MS, Clock, Segment, segments
from streams.derivation import Derivation, Derived
from streams.entity import Entity
from streams.facts import PASSED, Fact, Statement, TimePassed, is_gone
from streams.reading import BAD_SHARE, REPLAYED, Entry, Reader, Reading, coordinate_of
from streams.recovery import recover
from streams.rows import Codec
from streams.sending import Record, Sender
from streams.steps import Steps
from streams.table import MOST_FACTS, STUB_DAYS, Changes, Partition
from streams.tally import AgentTally

_log: Final = logging.getLogger("quayside.agent")

_EXAMINED: Final = 1_250
_TOLD_AT_ONCE: Final = 5_000
_CLOSED_EARLY: Final = 10_000

Passed = Callable[[str, int], None]
"""Told the agent's name and the number of each step that a batch has passed; the crash tests end the process there."""


class WrongEpoch(QuaysideError):
    """State of another life of the broker."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Rules:
    """What an agent has to know besides its derivation.

    Args:
        epoch: The epoch of the broker's present life.
        horizon: How long a period stays open after its end, in ms.
        stub_days: How long a stub is kept.
        most_facts: Above so many facts in memory, the oldest periods close early.
        bad_share: Above this share of unreadable records the worker stops.
        now: The time in ms; moves deadlines, never periods.
        partitions: How many each topic has; None: as the registry says.
    """

    epoch: int
    horizon: int = HORIZON_MS
    stub_days: int = STUB_DAYS
    most_facts: int = MOST_FACTS
    bad_share: float = BAD_SHARE
    now: Callable[[], int] = wall_clock
    partitions: int | None = None


class Agent:
    """One agent's partitions, and how a batch goes through them."""

    def __init__(
        self,
        derivation: Derivation,
        steps: Steps,
        bootstrap: str,
        rules: Rules,
        passed: Passed = lambda _agent, _step: None,
    ) -> None:
        self.derivation: Final = derivation
        self.changelog: Final = f"{derivation.name}.facts"
        self.codec: Final = Codec(derivation.payload, derivation.base)
        self._steps = steps
        self._bootstrap = bootstrap
        self._rules = rules
        self._epoch = rules.epoch
        self._passed = passed
        self._reader = Reader(
            derivation, rules.epoch, partitions=rules.partitions, bad_share=rules.bad_share, now=rules.now
        )
        self._partitions: dict[int, Partition] = {}
        self._owned: set[int] = set()
        self._revoked: set[int] = set()
        self._batches: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._bringing = asyncio.Lock()
        self._turns: defaultdict[int, int] = defaultdict(int)
        self.tally: Final = AgentTally()
        self.bringing: Mapping[int, Partition] = {}
        """What is being read back now."""
        self.was_assigned = False
        """Whether the group has told this worker its share, be it none."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """All topics that the agent reads."""
        forwards = (forward_topic(topic) for topic in self.derivation.events)
        return (*self.derivation.events, *forwards, *self.derivation.contributions)

    async def revoke(self, partitions: Iterable[int]) -> None:
        """Forget partitions that are another worker's now, once the batch in hand has ended."""
        numbers = set(partitions)
        self._revoked.update(numbers)
        self._owned.difference_update(numbers)
        for number in numbers:
            self._turns[number] += 1
        async with self._bringing:
            pass  # a takeover that is under way must not fence the next owner after we have given up
        for number in numbers:
            async with self._batches[number]:
                self._partitions.pop(number, None)
                await self._steps.give_up(self.derivation.name, number)

    def assigned(self, partitions: Iterable[int]) -> None:
        """These are this worker's from now on."""
        self._revoked.difference_update(partitions)
        self._owned.update(partitions)
        self.was_assigned = True

    async def process(self, number: int, batches: Mapping[str, Sequence[Any]]) -> bool:
        """Take records of one partition of some inputs, by topic, through all steps; raises if any of them fails.

        False, and nothing done, where the partition is not this worker's any more. Partitions do not wait for each
        other, batches of one do.
        """
        async with self._batches[number]:
            partition = None if number in self._revoked else await self._ready(number)
            if partition is None:
                return False
            began = time.perf_counter()
            readings = {topic: self._reader.read(records) for topic, records in batches.items()}
            others = [
                entry
                for topic, reading in readings.items()
                if topic not in self.derivation.events
                for entry in reading.entries
            ]
            events = [
                entry for topic in self.derivation.events if topic in readings for entry in readings[topic].entries
            ]
            offsets = {(topic, number): records[-1].offset + 1 for topic, records in batches.items()}
            if partition.clock.is_silent and any(map(_ends_silence, events)):
                await self._tell_kept_back(number, partition)
            async with self._steps.batch(self.derivation.name, number, offsets) as sender:
                for segment in segments(events, partition.clock):
                    joined = () if segment.mark is not None else others
                    await self._take(sender, number, partition, segment, joined)
                    others = others if segment.mark is not None else []
                if others or partition.epoch is None:
                    await self._take(sender, number, partition, Segment(partition.clock.now, None, ()), others)
                await self._account(sender, readings.values())
            self._passed(self.derivation.name, 5)
            taken = {topic: len(records) for topic, records in batches.items()}
            self.tally.batch_ended(taken, time.perf_counter() - began)
            for (topic, _), offset in offsets.items():
                if offset >= partition.goals.get(topic, 0):
                    partition.goals.pop(topic, None)
            return True

    @property
    def owned(self) -> list[int]:
        """The partitions that are this worker's."""
        return sorted((self._owned | self._partitions.keys()) - self._revoked)

    @property
    def partitions(self) -> dict[int, Partition]:
        """The partitions that it has in memory, by number."""
        return dict(self._partitions)

    async def tick(self, number: int) -> int:
        """Let time pass in a partition: what deadlines have passed becomes facts; how many.

        Nothing happens in one that has not caught up with what was there when it was taken over, or that is being
        loaded with history: half-restored state pages nobody.
        """
        passed = 0
        async with self._batches[number]:
            partition = None if number in self._revoked else await self._ready(number)
            if partition is None:
                return 0
            examined = {} if partition.clock.is_silent else partition.examine(_EXAMINED)
            if examined:
                async with self._steps.batch(self.derivation.name, number, {}) as sender:
                    await sender.send(self._all_told(partition, examined))
            while partition.is_caught_up and (due := partition.due(self._rules.now())):
                passed += len(due)
                self.tally.ticks += len(due)
                entries = [Entry(REPLAYED, Statement(name, PASSED, _deadline_passed(at)), None, 0) for name, at in due]
                async with self._steps.batch(self.derivation.name, number, {}) as sender:
                    await self._take(sender, number, partition, Segment(0, None, ()), entries)
        return passed

    async def _account(self, sender: Sender, readings: Iterable[Reading]) -> None:
        """Send dead letters, and pass on what stands on a foreign partition."""
        outgoing: list[tuple[str, Record]] = []
        for reading in readings:
            outgoing.extend(
                ("dead.letters", Record(letter.topic.encode(), encode(letter))) for letter in reading.dead_letters
            )
            outgoing.extend(reading.forwards)
            self.tally.dead.update(letter.cause for letter in reading.dead_letters)
            self.tally.forwarded += len(reading.forwards)
        if outgoing:
            await sender.send(outgoing)

    async def _take(
        self, sender: Sender, number: int, partition: Partition, segment: Segment, others: Sequence[Entry]
    ) -> None:
        """Take a segment of events through the steps, with others that move no clock."""
        # 0. The last word on what closes now.
        leaving = partition.leaving(segment)
        overfull = self._is_overfull() and not partition.clock.is_loading
        if overfull:
            leaving |= partition.oldest_finished(_CLOSED_EARLY)
        if leaving:
            await sender.send(self._published(partition, leaving))
        # 1. The clock, and what the records state.
        changes = Changes()
        partition.close(leaving, segment.at, changes)
        partition.advance(segment, changes)
        if overfull:
            self._make_room(number, partition, changes)
        partition.merge(segment.entries, changes)
        partition.merge(others, changes)
        partition.passed(segment.entries)
        self._passed(self.derivation.name, 1)
        await self._tell(sender, number, partition, changes, partition.to_tell(changes.touched))

    async def _tell_kept_back(self, number: int, partition: Partition) -> None:
        """Tell of all that a silent load has touched, before the end of it is taken; some at a time."""
        while kept := partition.kept_back.take(partition.entities, _TOLD_AT_ONCE):
            async with self._steps.batch(self.derivation.name, number, {}) as sender:
                await self._tell(sender, number, partition, Changes(), kept)

    async def _tell(
        self, sender: Sender, number: int, partition: Partition, changes: Changes, touched: Mapping[str, Entity]
    ) -> None:
        """Write what has changed, and publish what follows for the entities that were touched."""
        # 2. Derive and address.
        derived = {name: partition.derive(name, entity) for name, entity in touched.items()}
        for name, result in derived.items():
            partition.address(name, touched[name], result.contributions, changes)
        self._passed(self.derivation.name, 2)
        # 3. The changelog, acknowledged.
        await self._write(sender, number, partition, changes)
        self._passed(self.derivation.name, 3)
        # 4. What others see, acknowledged.
        outgoing = self._all_told(partition, derived)
        tally = self.tally
        tally.accepted += changes.accepted
        tally.repeated += changes.repeated
        tally.late += len(changes.late)
        tally.sent.update(map(_topic_of, outgoing))
        outgoing.extend(self._late_record(entry, reason) for entry, reason in changes.late)
        await sender.send(outgoing)
        self._passed(self.derivation.name, 4)

    def _published(self, partition: Partition, leaving: Mapping[str, Entity]) -> list[tuple[str, Record]]:
        """Everything that entities tell which are about to close, whether it was told before or not."""
        outgoing: list[tuple[str, Record]] = []
        for name, entity in leaving.items():
            entity.told = entity.contributed = None
            outgoing.extend(self._told(name, entity, partition.derive(name, entity)))
        return outgoing

    def _is_overfull(self) -> bool:
        return sum(one.held for one in self._partitions.values()) > self._rules.most_facts

    def _make_room(self, number: int, partition: Partition, changes: Changes) -> None:
        """Close the oldest days early, until there are no more facts than are allowed."""
        while self._is_overfull() and partition.close_early(changes):
            pass
        _log.warning(
            "%s partition %d closed periods early, since more than %d facts were held (QUAYSIDE_MAX_FACTS); it holds "
            "%d now, and what comes for the closed periods is late.",
            *(self.derivation.name, number, self._rules.most_facts, partition.held),
        )

    async def _ready(self, number: int) -> Partition | None:
        """The partition; None where it was revoked meanwhile.

        New ones are fenced first, then read, so that nothing an earlier owner wrote is missed.
        """
        if number not in self._partitions:
            async with self._bringing:
                if number not in self._partitions:
                    await self._bring({number, *self._owned} - self._revoked - self._partitions.keys())
        return self._partitions.get(number)

    async def _bring(self, numbers: Iterable[int]) -> None:
        """Take partitions over and read them back; what is revoked meanwhile is left."""
        fresh = {
            number: Partition(self.derivation, self.codec, Clock(self._rules.horizon), stub_days=self._rules.stub_days)
            for number in sorted(numbers)
        }
        turns = {number: self._turns[number] for number in fresh}
        began, self.bringing = time.perf_counter(), fresh
        await self._steps.take_over(self.derivation.name, fresh)
        await recover(self._bootstrap, self.changelog, fresh, self.inputs)
        self.tally.recovery_s, self.bringing = time.perf_counter() - began, {}
        for number, partition in fresh.items():
            if partition.epoch is not None and partition.epoch != self._epoch:
                raise WrongEpoch(
                    f"{self.changelog} partition {number} holds epoch {partition.epoch}, but the worker was "
                    f"started for epoch {self._epoch}: start it with the broker's own epoch, or rebuild."
                )
            if self._turns[number] == turns[number]:
                self._partitions[number] = partition

    async def _write(self, sender: Sender, number: int, partition: Partition, changes: Changes) -> None:
        """Write the rows; before anything else a partition gets its header."""
        rows = changes.rows
        headed = partition.epoch is not None
        if not headed:
            rows = [self.codec.header(self._epoch), *rows]
        if rows:
            written = await sender.send_to(self.changelog, number, rows)
            partition.wrote(changes, written if headed else written[1:])
        partition.epoch = self._epoch

    def _all_told(self, partition: Partition, derived: Mapping[str, Derived]) -> list[tuple[str, Record]]:
        told = (self._told(name, partition.entities[name], result) for name, result in derived.items())
        return [record for records in told for record in records]

    def _told(self, name: str, entity: Entity, result: Derived) -> Iterable[tuple[str, Record]]:
        """What is told of an entity, except what this process has told in the same words before.

        A hash of the words is kept, 64 bits with a secret of the process: two that differ are the same with a chance
        of one in 10^19.
        """
        if entity.reopening:
            return  # half of its history is not to be seen
        version = (self._epoch, entity.offset)
        told = entity.told
        if told is None:
            told = entity.told = {}
        targets = () if result.contributions is entity.contributed else entity.targets
        entity.contributed = result.contributions
        for target in targets:
            state: Any = result.contributions.get(target)
            if state is None:
                state = self.derivation.withdrawn(name, target)
            words = encode(state)
            said = hash(words)
            if told.get(target) != said:
                told[target] = said
                yield target.topic, Record(target.key.encode(), encode(Published(version, msgspec.Raw(words))))
        gone = entity.base is None and is_gone(entity.facts)
        for view in result.views:
            words = encode(view.state)
            place = (view.topic, view.key)
            said = hash((words, gone))
            if told.get(place) != said:
                told[place] = said
                yield view.topic, Record(view.key.encode(), encode(Published(version, msgspec.Raw(words), gone)))

    def _late_record(self, entry: Entry, reason: str) -> tuple[str, Record]:
        record = entry.record
        topic = fact_topic(record.topic)
        origin = origin_of(record.headers, record.timestamp, topic)
        where = coordinate_of(record, origin, self._epoch)
        late = LateRecord(
            epoch=where.epoch,
            topic=where.topic,
            partition=where.partition,
            offset=where.offset,
            appended_at=entry.appended_at,
            entity=entry.statement.entity,
            reason=f"It came too late: {reason}.",
            value=record.value or b"",
        )
        return "late.records", Record(where.topic.encode(), encode(late))


_topic_of: Final = itemgetter(0)


def _ends_silence(entry: Any) -> bool:
    mark = entry[1]
    return type(mark) is Mark and mark.is_silent and not mark.begins


def _deadline_passed(at: int) -> Fact:
    return Fact(Version(at, 0, b""), TimePassed(at))
