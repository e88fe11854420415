"""How many records a consumer group has still to take, per partition, looked at again and again by one client.

As `streams.settling.lag`, and cheaper: it asks for ends every time, and reads the end of a partition (behind a
transaction stands a control record, which nobody is handed) only where that may make a difference.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.errors import Unreachable
from streams.connection import for_aiokafka
from streams.ends import last_records, true_ends

_PATIENCE_S: Final = 10.0
_MAY_BE_CONTROL: Final = 2
"""So few offsets at the end are often control records only."""

Behind = dict[tuple[str, int], int]


class LagLook:
    """Looks at the lag of a group in topics of ours; all calls from one event loop.

    `bootstrap`: where the broker is at the moment; another answer than before is another broker.
    """

    def __init__(self, bootstrap: Callable[[], str], group: str, topics: Iterable[str]) -> None:
        self._where: Final = bootstrap
        self._bootstrap = ""
        self._group: Final = group
        self._topics: Final = tuple(topics)
        self._consumer: Any = None
        self._seen: dict[Any, tuple[int, int]] = {}
        self._ends: dict[Any, tuple[int, int]] = {}
        """Per place an end that was read, and the offset behind the last record before it."""

    async def look(self) -> Behind:
        """The records not yet taken, by (topic, partition); partitions without any are left out.

        Raises:
            Unreachable: The broker does not answer within 10 s.
        """
        try:
            async with asyncio.timeout(_PATIENCE_S):
                return await self._look(await self._connected())
        except (KafkaError, OSError, TimeoutError, Unreachable, asyncio.CancelledError) as error:
            # aiokafka cancels what waits for a connection that is lost; that is not the caller's cancellation.
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise
            await self.close()
            raise Unreachable(
                f"The broker at {self._bootstrap} does not answer ({type(error).__name__}): check that it runs."
            ) from None

    async def close(self) -> None:
        """Disconnect; the next look connects again."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            with suppress(KafkaError, OSError, TimeoutError):
                async with asyncio.timeout(_PATIENCE_S):
                    await consumer.stop()

    async def _connected(self) -> Any:
        if self._where() != self._bootstrap:
            await self.close()
            self._bootstrap = self._where()
            self._seen, self._ends = {}, {}
        if self._consumer is None:
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self._bootstrap, group_id=self._group, enable_auto_commit=False, **for_aiokafka()
            )
            try:
                await consumer.start()
                await consumer._client.set_topics(self._topics)  # noqa: SLF001  # reads their partitions, follows none
            except BaseException:
                await consumer.stop()
                raise
            self._consumer = consumer
        return self._consumer

    async def _look(self, consumer: Any) -> Behind:
        found = {topic: consumer.partitions_for_topic(topic) or () for topic in self._topics}
        places = [TopicPartition(topic, number) for topic, numbers in found.items() for number in numbers]
        # Not `committed`, which asks for one partition at a time.
        told = await consumer._coordinator.fetch_committed_offsets(places)  # noqa: SLF001
        taken = {place: max(0, told[place].offset) if place in told else 0 for place in places}
        ends = await true_ends(consumer, places)
        missing = {place: end for place, end in ends.items() if end > taken[place]}
        await self._read_ends(consumer, missing, taken)
        self._seen = {place: (end, taken[place]) for place, end in missing.items()}
        behind: Behind = {}
        for place, end in missing.items():
            known, behind_last = self._ends.get(place, (-1, 0))
            left = (behind_last if known == end else end) - taken[place]
            if left > 0:
                behind[place.topic, place.partition] = left
        return behind

    async def _read_ends(self, consumer: Any, missing: dict[Any, int], taken: dict[Any, int]) -> None:
        """Where little is missing, or nothing has moved since the last look, see what is really there."""
        unsure = [
            place
            for place, end in missing.items()
            if self._ends.get(place, (-1, 0))[0] != end
            and (end - taken[place] <= _MAY_BE_CONTROL or self._seen.get(place) == (end, taken[place]))
        ]
        if unsure:
            found = await last_records(consumer, unsure)
            self._ends |= {place: (missing[place], last + 1) for place, last in found.items()}
