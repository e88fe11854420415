"""The history on its way into an empty broker, within one load: nothing closes and nobody is paged until all is there.

Nor is anything published of it: nobody would see it (streams/silence.py).

Where the old broker still lives it comes in two parts: first what the old one had when the move began, and when
nobody publishes any more, the rest.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import Final

from clickhouse_connect.driver.client import Client

from deploy.loading import Load
from deploy.replayed import Move
from schemas.coordinates import Coordinate
from schemas.topics import of_kind
from sinks.embedded import EmbeddedStore
from sinks.replay import Place, Replayed, replay
from sinks.tables import FACTS
from streams.sending import Grouped, Record, Sender
from streams.settling import settle

_CHUNK: Final = 20_000
_FIRST: Final = ("shipment.events",)


class Replaying:
    """Sends the history into a broker; `count`: how many records so far."""

    def __init__(self, store: EmbeddedStore, move: Move) -> None:
        self.count = 0
        self._store = store
        self._move = move
        self._load = Load("replay", silent=True)
        self._sender = Sender(
            move.kafka, "quayside-replay", {topic.name: topic.partitions for topic in of_kind("fact")}
        )

    async def most(self) -> None:
        """Send what is known to have been judged: all but what the old broker got since the move began."""
        await self._send(lambda place: not self._is_new(place, self._move))
        if self._move.ends is not None:
            await self._end_silence()  # publishers go on in the old broker, and need not wait for that

    async def rest(self, move: Move) -> None:
        """Send what the history has beyond `move.ends`, and end the load."""
        applied = await asyncio.to_thread(self._applied_since, move)
        first = None if applied else await asyncio.to_thread(self._first_since, move)
        if applied or first is not None:
            await self._send(lambda place: self._is_new(place, move) or place.coordinate in applied, first)
        await self._end_silence()
        await self._send_out(self._load.rest())

    async def _end_silence(self) -> None:
        """Let the agents tell what follows: shipments first, since what they say is part of orders and positions."""
        if self._load.is_silent and self._load.holds_back:
            await self._send_out(self._load.end_silence(_FIRST))
            await asyncio.to_thread(settle, self._move.kafka, stored=False)
            await self._send_out(self._load.end_silence())

    async def stop(self) -> None:
        """Let go of the broker."""
        await self._sender.stop()

    async def _send(self, wanted: Callable[[Place], bool], after: Place | None = None) -> None:
        """Read and send, one chunk beside the next."""
        sending: asyncio.Task[object] | None = None
        with self._store.reader() as client:
            chunks = replay(client, after=after, chunk=_CHUNK)
            try:
                while chunk := await asyncio.to_thread(next, chunks, None):
                    if sending is not None:
                        await sending
                    sending = asyncio.create_task(self._send_out(self._held_back(chunk, wanted)))
                if sending is not None:
                    await sending
            finally:
                await asyncio.to_thread(chunks.close)

    def _held_back(self, chunk: tuple[Replayed, ...], wanted: Callable[[Place], bool]) -> Grouped:
        going = [told for told in chunk if wanted(told.place)]
        self.count += len(going)
        return self._load.hold_back((told.topic, Record(told.key, told.raw, (told.header,))) for told in going)

    async def _send_out(self, going: Grouped) -> None:
        await self._sender.send_grouped(self._load.begun(going))

    @staticmethod
    def _is_new(place: Place, move: Move) -> bool:
        return place.epoch == move.left and not move.has(place.topic, place.partition, place.offset)

    def _first_since(self, move: Move) -> Place | None:
        """Right before the earliest record beyond the ends; None if there is none."""
        earliest: list[int] = []
        with self._store.reader() as client:
            for topic in FACTS:
                sql = f"SELECT count(), toUnixTimestamp64Milli(min(appended_at)) FROM {FACTS[topic].name}"  # noqa: S608  # our own names
                count, first = client.query(f"{sql} WHERE {_beyond(topic, move)}").result_rows[0]
                if count:
                    earliest.append(first)
        return Place(min(earliest) - 1, 0, 0, 0, "") if earliest else None

    def _applied_since(self, move: Move) -> frozenset[Coordinate]:
        """What was late and has been applied after all since the move began: the first part left it out."""
        with self._store.reader() as client:
            return frozenset(_applied(client, move))


def _applied(client: Client, move: Move) -> Iterator[Coordinate]:
    for topic in FACTS:
        rows = client.query(
            "SELECT first_epoch, first_partition, first_offset FROM handled_records "  # noqa: S608  # our own names
            f"WHERE kind = 'late' AND topic = '{topic}' AND {_beyond(topic, move)}"
        ).result_rows
        for epoch, partition, offset in rows:
            yield Coordinate(epoch, topic, partition, offset)


def _beyond(topic: str, move: Move) -> str:
    """The condition for records of the old broker behind the ends."""
    places = (name.rpartition("/") for name in move.ends or {})
    known = [(int(number), (move.ends or {})[f"{of}/{number}"]) for of, _, number in places if of == topic]
    beyond = [f"(partition = {number} AND offset >= {end})" for number, end in known]
    others = f"partition NOT IN ({', '.join(str(number) for number, _ in known)})" if known else "1"
    return f"epoch = {move.left} AND ({' OR '.join([*beyond, others])})"
