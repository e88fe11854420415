"""How accepted records reach Kafka: on disk first, then published, then remembered until the history has them."""

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from aiokafka.errors import KafkaError

from deploy.following import Following
from deploy.loading import Addressed, Load
from deploy.spool import Spooled, SpoolWriter
from schemas.errors import Unreachable
from streams.administration import partition_counts
from streams.connection import refusal
from streams.sending import Grouped, Record, Sender

logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # its news reach people as our own sentences

_STOP_S = 2.0


class Publisher:
    """Publishes batches of records. `spool`: where they are kept first; None with a Kafka of your own.

    With a spool it follows the stack from broker to broker (deploy.following); without one it stays with `bootstrap`.
    `load`: what history is loaded, if it is one (deploy.loading); some of its records go out at the end only.
    """

    def __init__(self, bootstrap: str, spool: Path | None, load: str | None = None) -> None:
        self._bootstrap = bootstrap
        self._spool = SpoolWriter(spool) if spool is not None else None
        self._load = Load(load, partition_counts(bootstrap)) if load is not None else None
        self._following = Following(spool.parent, loads=load is not None) if spool is not None else None
        self._unpublished = False
        self._sender = _sender(bootstrap)

    @property
    def loads(self) -> bool:
        """Whether what it publishes is a load of history."""
        return self._load is not None

    async def accept(self, records: Sequence[Spooled]) -> None:
        """Accept records: when this returns they are safe on disk and acknowledged by the broker.

        Where the broker gives way to another one meanwhile, what it had not acknowledged goes there. Raises
        Unreachable where none answers. With a spool the records are accepted all the same, and published when the
        stack starts again.
        """
        if self._spool is not None:
            self._unpublished = True
            self._spool.append(records)
        await self.send(records)
        self._unpublished = self._load is not None and self._load.holds_back

    async def send(self, records: Sequence[Spooled], headers: Sequence[tuple[str, bytes]] = ()) -> None:
        """Publish without the spool; each record with its own headers and these."""
        addressed: Iterable[Addressed] = (
            (told.topic, Record(told.key, told.value, (*told.headers, *headers) if told.headers else headers))
            for told in records
        )
        await self._send(list(addressed) if self._load is None else self._load.hold_back(addressed), len(records))

    async def close(self) -> None:
        """End the load, and stop; what was published may be trimmed from the spool once the history has it.

        Raises Unreachable where the broker did not take the end of a load.
        """
        try:
            if self._load is not None and self._load.holds_back:
                await self._send(self._load.rest(), 1)
                self._unpublished = False
        finally:
            await self.leave()

    async def leave(self) -> None:
        """Stop without ending the load, since the broker is gone."""
        await _stop(self._sender)
        if self._following is not None:
            self._following.close()
        if self._spool is not None:
            self._spool.close(published=not self._unpublished)

    async def _send(self, going: list[Addressed] | Grouped, count: int) -> None:
        kept = "They are in the spool and go out when the stack starts again." if self._spool else "Publish again."
        try:
            if self._following is None:
                await self._send_out(going)
                return
            while True:
                async with self._following.steady() as address:
                    await self._go_to(address)
                    if await self._following.sent(self._send_out(going), address):
                        return
        except KafkaError as error:
            refused = await asyncio.to_thread(refusal, self._bootstrap)
            raise Unreachable(
                f"{refused} {count} records were not published. {kept}"
                if refused
                else f"The broker at {self._bootstrap} did not take {count} records ({type(error).__name__}). {kept}"
            ) from None
        except Unreachable as error:
            raise Unreachable(f"{error} {count} records were not published. {kept}") from None

    async def _send_out(self, going: list[Addressed] | Grouped) -> dict[tuple[str, int], int]:
        if isinstance(going, list):
            return await self._sender.send(going)
        return await self._sender.send_grouped(going if self._load is None else self._load.begun(going))

    async def _go_to(self, address: str) -> None:
        if address == self._bootstrap:
            return
        left, self._sender, self._bootstrap = self._sender, _sender(address), address
        if self._load is not None:
            self._load.begin_anew()
        await _stop(left)


def _sender(bootstrap: str) -> Sender:
    return Sender(bootstrap, "quayside-publisher")


async def _stop(sender: Sender) -> None:
    """Stop it; one whose broker is gone would wait for what it will never get."""
    with contextlib.suppress(TimeoutError, KafkaError):
        await asyncio.wait_for(sender.stop(), _STOP_S)
