"""How accepted records reach Kafka: on disk first, then published, then remembered until the history has them."""

import logging
from collections.abc import Sequence
from pathlib import Path

from aiokafka.errors import KafkaError

from deploy.spool import Spooled, SpoolWriter
from schemas.errors import Unreachable
from schemas.topics import TOPICS
from streams.sending import Record, Sender

logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # its news reach people as our own sentences


class Publisher:
    """Publishes batches of records. `spool`: where they are kept first; None with a Kafka of your own."""

    def __init__(self, bootstrap: str, spool: Path | None) -> None:
        self._bootstrap = bootstrap
        self._spool = SpoolWriter(spool) if spool is not None else None
        self._unpublished = False
        self._sender = Sender(bootstrap, "quayside-publisher", {topic.name: topic.partitions for topic in TOPICS})

    async def accept(self, records: Sequence[Spooled]) -> None:
        """Accept records: when this returns they are safe on disk and acknowledged by the broker.

        Raises Unreachable where the broker does not answer. With a spool the records are accepted all the
        same, and published when the stack starts again.
        """
        if self._spool is not None:
            self._unpublished = True
            self._spool.append(records)
        await self.send(records)
        self._unpublished = False

    async def send(self, records: Sequence[Spooled], headers: Sequence[tuple[str, bytes]] = ()) -> None:
        """Publish without the spool."""
        try:
            await self._sender.send((told.topic, Record(told.key, told.value, headers)) for told in records)
        except KafkaError as error:
            kept = "They are in the spool and go out when the stack starts again." if self._spool else "Publish again."
            raise Unreachable(
                f"The broker at {self._bootstrap} did not take {len(records)} records ({type(error).__name__}). {kept}"
            ) from None

    async def close(self) -> None:
        """Stop; what was published may be trimmed from the spool once the history has it."""
        try:
            await self._sender.stop()
        finally:
            if self._spool is not None:
                self._spool.close(published=not self._unpublished)
