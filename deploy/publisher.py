"""How accepted records reach Kafka: on disk first, then published, then remembered until the history has them."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from aiokafka.errors import KafkaError

from deploy.loading import Addressed, Load
from deploy.spool import Spooled, SpoolWriter
from schemas.errors import Unreachable
from schemas.topics import TOPICS
from streams.sending import Record, Sender

logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # its news reach people as our own sentences


class Publisher:
    """Publishes batches of records. `spool`: where they are kept first; None with a Kafka of your own.

    `load`: what history is loaded, if it is one (deploy.loading); some of its records go out at the end only.
    """

    def __init__(self, bootstrap: str, spool: Path | None, load: str | None = None) -> None:
        self._bootstrap = bootstrap
        self._spool = SpoolWriter(spool) if spool is not None else None
        self._load = Load(load) if load is not None else None
        self._unpublished = False
        self._sender = Sender(bootstrap, "quayside-publisher", {topic.name: topic.partitions for topic in TOPICS})

    @property
    def loads(self) -> bool:
        """Whether what it publishes is a load of history."""
        return self._load is not None

    async def accept(self, records: Sequence[Spooled]) -> None:
        """Accept records: when this returns they are safe on disk and acknowledged by the broker.

        Raises Unreachable where the broker does not answer. With a spool the records are accepted all the
        same, and published when the stack starts again.
        """
        if self._spool is not None:
            self._unpublished = True
            self._spool.append(records)
        await self.send(records)
        self._unpublished = self._load is not None and self._load.holds_back

    async def send(self, records: Sequence[Spooled], headers: Sequence[tuple[str, bytes]] = ()) -> None:
        """Publish without the spool."""
        addressed: Iterable[Addressed] = ((told.topic, Record(told.key, told.value, headers)) for told in records)
        await self._send(addressed if self._load is None else self._load.marked(addressed), len(records))

    async def close(self) -> None:
        """End the load, and stop; what was published may be trimmed from the spool once the history has it.

        Raises Unreachable where the broker did not take the end of a load.
        """
        try:
            if self._load is not None and self._load.holds_back:
                await self._send(list(self._load.rest()), 1)
                self._unpublished = False
            await self._sender.stop()
        finally:
            if self._spool is not None:
                self._spool.close(published=not self._unpublished)

    async def _send(self, addressed: Iterable[Addressed], count: int) -> None:
        try:
            await self._sender.send(addressed)
        except KafkaError as error:
            kept = "They are in the spool and go out when the stack starts again." if self._spool else "Publish again."
            raise Unreachable(
                f"The broker at {self._bootstrap} did not take {count} records ({type(error).__name__}). {kept}"
            ) from None
