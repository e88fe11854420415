"""The process that owns the embedded store: the history sink writes it, the gate lets others read it.

At the start of a broker's life it first replays the history into Kafka, and says so in DATA/replayed. Lines on
its standard input come from the supervisor: `epoch-ended N` when the rebuild of an epoch is done.
"""

import asyncio
import logging
import signal
from dataclasses import dataclass
from pathlib import Path

from clickhouse_connect.driver.client import Client

from deploy.processes import end_with_parent
from deploy.replayed import EPOCH_ENDED, note_replayed, replayed
from schemas.errors import WrongInput
from schemas.topics import of_kind
from sinks import epochs
from sinks.embedded import EmbeddedStore
from sinks.gate import gate, open_gate
from sinks.history import History
from sinks.migrate import migrate
from sinks.replay import replay
from streams.sending import Record, Sender

_log = logging.getLogger("quayside.store")


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """What the process has to know."""

    path: Path
    bootstrap: str
    epoch: int
    gate_port: int
    gate_user: str
    gate_password: str
    replay: bool
    """Whether the broker is an empty one, into which the history has to be replayed."""


def run(config: StoreConfig) -> None:
    """Open the store, serve it and write it until a signal or the supervisor's end."""
    asyncio.run(_run(config))


async def _run(config: StoreConfig) -> None:
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    ended: asyncio.Queue[int] = asyncio.Queue()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)

    def heard(line: str) -> None:
        command, _, epoch = line.partition(" ")
        if command == EPOCH_ENDED:
            loop.call_soon_threadsafe(ended.put_nowait, int(epoch))

    end_with_parent(heard)
    with EmbeddedStore(config.path) as store:
        applied = await asyncio.to_thread(migrate, store.writer)
        _log.info("applied %d migrations", len(applied))
        await asyncio.to_thread(_begin, store.writer, config.epoch)
        door = await open_gate(gate(store, config.gate_password, user=config.gate_user), config.gate_port)
        if config.replay:
            await _replay(store, config)
        history = History(store.writer, config.bootstrap, config.epoch)
        await history.start()
        try:
            await _serve(history, store.writer, ended, stopping)
        finally:
            await history.stop()
            await door.close()


async def _replay(store: EmbeddedStore, config: StoreConfig) -> None:
    """Replay the history into Kafka, once per epoch."""
    data = config.path.parent
    if replayed(data, config.epoch) is not None:
        return
    sender = Sender(config.bootstrap, "quayside-replay", {topic.name: topic.partitions for topic in of_kind("fact")})
    count = 0
    try:
        with store.reader() as client:
            chunks = replay(client)
            while chunk := await asyncio.to_thread(next, chunks, None):
                await sender.send((told.topic, Record(told.key, told.raw, (told.origin.header(),))) for told in chunk)
                count += len(chunk)
    finally:
        await sender.stop()
    note_replayed(data, config.epoch, count)


def _begin(client: Client, epoch: int) -> None:
    """Begin the epoch. Raises WrongInput where the store has a newer one: coordinates would be given twice."""
    latest = int(client.query("SELECT max(epoch) FROM epochs").result_rows[0][0])
    if latest > epoch:
        raise WrongInput(
            f"The store already holds epoch {latest}, but this broker was given epoch {epoch}: write {latest} into "
            "the file `epoch` of the data directory."
        )
    epochs.begin(client, epoch)


async def _end(history: History, client: Client, epoch: int) -> None:
    """The epoch's rebuild has ended: show it, and drop the states of those before it."""
    await history.end_epoch(epoch)
    await asyncio.to_thread(epochs.forget_before, client, epoch)


async def _serve(history: History, client: Client, ended: "asyncio.Queue[int]", stopping: asyncio.Event) -> None:
    stop = asyncio.create_task(stopping.wait())
    failed = asyncio.create_task(history.wait())
    while not stop.done():
        told = asyncio.create_task(ended.get())
        done, _ = await asyncio.wait({stop, failed, told}, return_when=asyncio.FIRST_COMPLETED)
        if failed in done:
            failed.result()
            return
        if told in done:
            await _end(history, client, told.result())
        else:
            told.cancel()
