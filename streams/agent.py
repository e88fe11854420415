"""The thin shell around a derivation: one batch of one partition, in the order that makes it safe.

A batch, step by step (the numbers stand in the code):

1. read the records, merge what they state into a scratch;
2. derive what follows for every touched entity, and address all targets it has ever contributed to;
3. write the changelog and wait for its acknowledgement;
4. send contributions, views and dead letters, versioned by (epoch, changelog offset), and wait;
5. put the scratch into memory.

Only then does the caller acknowledge the source. A crash between any two steps is repeated in full: facts
merge to the same, and what is published again has the same or a greater version.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from schemas.derived import Published, encode
from schemas.errors import QuaysideError
from streams.derivation import Derivation, Derived
from streams.facts import Target, is_gone
from streams.reading import Reader, Reading
from streams.recovery import recover
from streams.rows import Codec, Row
from streams.sending import Record, Sender
from streams.steps import Steps
from streams.table import Partition, Scratch


class WrongEpoch(QuaysideError):
    """State of another life of the broker."""

    exit_code = 2


Passed = Callable[[str, int], None]
"""Told the agent's name and the number of each step that a batch has passed; the crash tests end the process there."""


class Agent:
    """One agent's partitions, and how a batch goes through them."""

    def __init__(
        self,
        derivation: Derivation,
        steps: Steps,
        bootstrap: str,
        epoch: int,
        passed: Passed = lambda _agent, _step: None,
    ) -> None:
        self.derivation: Final = derivation
        self.changelog: Final = f"{derivation.name}.facts"
        self.codec: Final = Codec(derivation.payload)
        self.accepted = 0
        self.repeated = 0
        self._steps = steps
        self._bootstrap = bootstrap
        self._epoch = epoch
        self._passed = passed
        self._reader = Reader(derivation, epoch)
        self._partitions: dict[int, Partition] = {}
        self._revoked: set[int] = set()
        self._batch = asyncio.Lock()

    @property
    def inputs(self) -> tuple[str, ...]:
        """All topics that the agent reads."""
        return (*self.derivation.events, *self.derivation.contributions)

    async def revoke(self, partitions: Iterable[int]) -> None:
        """Forget partitions that are another worker's now, once the batch in hand has ended."""
        self._revoked.update(partitions)
        async with self._batch:
            for number in partitions:
                if self._partitions.pop(number, None) is not None:
                    await self._steps.give_up(self.derivation.name, number)

    def assigned(self, partitions: Iterable[int]) -> None:
        """These are this worker's from now on."""
        self._revoked.difference_update(partitions)

    async def process(self, number: int, records: Sequence[Any]) -> bool:
        """Take one batch of one partition of an input through all steps; raises if any of them fails.

        False, and nothing done, where the partition is not this worker's any more.
        """
        async with self._batch:
            if number in self._revoked:
                return False
            await self._process(number, records)
            return True

    async def _process(self, number: int, records: Sequence[Any]) -> None:
        partition = await self._ready(number)
        # 1. Read and merge.
        reading = self._reader.read(records)
        scratch = partition.merge(reading.statements, self.codec)
        self._passed(self.derivation.name, 1)
        # 2. Derive and address.
        derived = {entity: self.derivation.derive(entity, partition.facts(entity, scratch)) for entity in scratch.facts}
        targets = {
            entity: partition.address(entity, result.contributions, scratch, self.codec)
            for entity, result in derived.items()
        }
        self._passed(self.derivation.name, 2)
        last = records[-1]
        source = (last.topic, last.partition)
        async with self._steps.batch(self.derivation.name, number, source, last.offset + 1) as sender:
            # 3. The changelog, acknowledged.
            offsets = await self._write(sender, number, partition, scratch)
            self._passed(self.derivation.name, 3)
            # 4. What others see, acknowledged.
            outgoing = list(self._outgoing(partition, scratch, derived, targets, offsets))
            outgoing.extend(_letters(reading))
            await sender.send(outgoing)
            self._passed(self.derivation.name, 4)
        # 5. Memory.
        partition.epoch = self._epoch
        partition.take(scratch, offsets)
        self._passed(self.derivation.name, 5)
        self.accepted += scratch.accepted
        self.repeated += scratch.repeated

    async def _ready(self, number: int) -> Partition:
        """The partition; a new one is fenced first, then read, so that nothing an earlier owner wrote is missed."""
        partition = self._partitions.get(number)
        if partition is None:
            await self._steps.take_over(self.derivation.name, number)
            partition = await recover(self._bootstrap, self.changelog, number, self.codec, self.inputs)
            if partition.epoch is not None and partition.epoch != self._epoch:
                raise WrongEpoch(
                    f"{self.changelog} partition {number} holds epoch {partition.epoch}, but the worker was "
                    f"started for epoch {self._epoch}: start it with the broker's own epoch, or rebuild."
                )
            self._partitions[number] = partition
        return partition

    async def _write(self, sender: Sender, number: int, partition: Partition, scratch: Scratch) -> dict[str, int]:
        """Write the scratch's rows; the last offset behind each entity that got any."""
        rows: list[Row] = list(scratch.rows)
        headed = partition.epoch is not None
        if not headed:
            rows.insert(0, self.codec.header(self._epoch))
        if not rows:
            return {}
        written = await sender.send_to(self.changelog, number, (Record(row.key, row.value) for row in rows))
        return dict(zip(scratch.row_entities, written if headed else written[1:], strict=True))

    def _outgoing(
        self,
        partition: Partition,
        scratch: Scratch,
        derived: dict[str, Derived],
        targets: dict[str, tuple[Target, ...]],
        offsets: dict[str, int],
    ) -> Iterable[tuple[str, Record]]:
        for entity, result in derived.items():
            version = (self._epoch, offsets.get(entity, partition.version_offset(entity)))
            for target in targets[entity]:
                state = result.contributions.get(target)
                if state is None:
                    state = self.derivation.withdrawn(entity, target)
                yield target.topic, Record(target.key.encode(), encode(Published(version, state)))
            gone = is_gone(partition.facts(entity, scratch))
            for view in result.views:
                yield view.topic, Record(view.key.encode(), encode(Published(version, view.state, gone)))


def _letters(reading: Reading) -> Iterable[tuple[str, Record]]:
    for letter in reading.dead_letters:
        yield "dead.letters", Record(letter.topic.encode(), encode(letter))
