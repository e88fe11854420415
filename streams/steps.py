"""The steps of a batch as one thing: a transaction on Apache Kafka, acknowledged steps on Tansu.

Both give an agent a way to send for one partition, and take the source's offset last. On Kafka all of it is one
transaction by a producer whose transactional id is the agent's and the partition's: whoever takes the partition
over fences the one that held it before, and nothing of an unfinished batch can be read. Tansu has no
transactions: there each send is acknowledged before the next step, the offset is committed by Faust once the
batch is marked done, and the supervisor sees to it that there is one worker.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final, Protocol

from aiokafka import TopicPartition

from streams.agents import WORKER_GROUP
from streams.sending import Sender


class Steps(Protocol):
    """How batches of partitions are sent."""

    transactional: bool
    """Whether the source's offsets are part of it; else Faust commits what is marked done."""

    async def take_over(self, agent: str, partitions: Iterable[int]) -> None:
        """Make sure that nobody else can write for these partitions any more."""
        ...

    def batch(
        self, agent: str, partition: int, offsets: Mapping[tuple[str, int], int]
    ) -> AbstractAsyncContextManager[Sender]:
        """Send within; when it is left without an error, all of it and the sources' next offsets stand."""
        ...

    async def give_up(self, agent: str, partition: int) -> None:
        """The partition is another worker's now."""
        ...

    async def stop(self) -> None:
        """Stop all producers."""
        ...


class AcknowledgedSteps:
    """One producer for all; each send is acknowledged before the next step begins."""

    transactional = False

    def __init__(self, bootstrap: str, partitions: Mapping[str, int]) -> None:
        self._sender: Final = Sender(bootstrap, WORKER_GROUP, partitions)

    async def take_over(self, agent: str, partitions: Iterable[int]) -> None:
        """Nothing to do: the supervisor sees to it that there is one worker."""

    @asynccontextmanager
    async def batch(
        self,
        agent: str,  # noqa: ARG002  # as the protocol has it
        partition: int,  # noqa: ARG002
        offsets: Mapping[tuple[str, int], int],  # noqa: ARG002
    ) -> AsyncIterator[Sender]:
        """Send within; the offset is Faust's to commit."""
        yield self._sender

    async def give_up(self, agent: str, partition: int) -> None:
        """Nothing to do."""

    async def stop(self) -> None:
        """Stop the producer."""
        await self._sender.stop()


class Transactions:
    """A transactional producer per agent and partition, started when the partition is taken over."""

    transactional = True

    def __init__(self, bootstrap: str, partitions: Mapping[str, int]) -> None:
        self._bootstrap = bootstrap
        self._partitions = partitions
        self._senders: dict[tuple[str, int], Sender] = {}

    async def take_over(self, agent: str, partitions: Iterable[int]) -> None:
        """Start the partitions' producers, which fences the earlier owners' and aborts what they left open."""
        await asyncio.gather(*(self._take_over(agent, partition) for partition in partitions))

    @asynccontextmanager
    async def batch(self, agent: str, partition: int, offsets: Mapping[tuple[str, int], int]) -> AsyncIterator[Sender]:
        """One transaction; an error inside aborts it, a fenced producer raises ProducerFenced."""
        sender = self._senders[agent, partition]
        producer = await sender.start()
        async with producer.transaction():
            yield sender
            if offsets:
                taken = {TopicPartition(*place): offset for place, offset in offsets.items()}
                await producer.send_offsets_to_transaction(taken, WORKER_GROUP)

    async def give_up(self, agent: str, partition: int) -> None:
        """Stop the partition's producer."""
        sender = self._senders.pop((agent, partition), None)
        if sender is not None:
            await sender.stop()

    async def stop(self) -> None:
        """Stop all producers."""
        for agent, partition in list(self._senders):
            await self.give_up(agent, partition)

    async def _take_over(self, agent: str, partition: int) -> None:
        await self.give_up(agent, partition)
        name = f"{WORKER_GROUP}.{agent}.{partition}"
        sender = Sender(self._bootstrap, name, self._partitions, transactional_id=name)
        await sender.start()
        self._senders[agent, partition] = sender
