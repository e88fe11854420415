"""The process that owns the embedded store: the history sink writes it, the gate lets others read it.

At the start of a broker's life it replays the history into Kafka. Lines on its standard input come from the
supervisor (deploy/replayed.py): that an epoch's rebuild has ended, and where to go on when the broker gives way to
another one. While it moves there is a sink for either broker; the gate knows nothing of it.
"""

import asyncio
import logging
import signal
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

from clickhouse_connect.driver.client import Client

from deploy.processes import end_with_parent
from deploy.replayed import EPOCH_ENDED, FINISH, MOVE_TO, Move, Told, tell, told
from deploy.replaying import Replaying
from deploy.retaining import Retaining
from deploy.settings import Settings, load
from deploy.watching import Watch, note, sink_watched
from schemas.errors import Unreachable, WrongInput
from sinks import epochs
from sinks.embedded import EmbeddedStore
from sinks.gate import gate, open_gate
from sinks.gate_tally import GateTally
from sinks.history import History
from sinks.migrate import migrate
from streams import collecting

_log: Final = logging.getLogger("quayside.store")
_LEAVE_S: Final = 5.0
_ORPHAN_S: Final = 30.0


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

    stuck_after_s: float = 60.0


def run(config: StoreConfig) -> None:
    """Open the store, serve it and write it until a signal or the supervisor's end."""
    collecting.begin()
    asyncio.run(_run(config))


async def _run(config: StoreConfig) -> None:
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    orders: asyncio.Queue[str] = asyncio.Queue()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)

    def heard(line: str) -> None:
        loop.call_soon_threadsafe(orders.put_nowait, line)

    end_with_parent(heard)
    with EmbeddedStore(config.path) as store:
        writer = in_turns(store.writer)
        applied = await asyncio.to_thread(migrate, writer)
        _log.info("applied %d migrations", len(applied))
        await asyncio.to_thread(_begin, writer, config.epoch)
        keeper = _Keeper(store, writer, config)
        tally = GateTally()
        watch = Watch(sink_watched(lambda: keeper.history, tally), config.stuck_after_s)
        application = gate(store, config.gate_password, user=config.gate_user, tally=tally, probes=watch)
        door = await open_gate(application, config.gate_port)
        watch.start()
        note(config.path.parent, "store", door.port)
        try:
            await keeper.begin()
            keeper.retain(load(data=config.path.parent))
            await _serve(keeper, orders, stopping)
        finally:
            await keeper.stop()
            await door.close()


async def _serve(keeper: "_Keeper", orders: "asyncio.Queue[str]", stopping: asyncio.Event) -> None:
    """Do what is ordered, one after the other, until the end or a failure."""
    stop = asyncio.create_task(stopping.wait())
    ordered = asyncio.create_task(orders.get())
    try:
        while not stop.done():
            done, _ = await asyncio.wait({stop, ordered, *keeper.working}, return_when=asyncio.FIRST_COMPLETED)
            if ordered in done:
                keeper.order(ordered.result())
                ordered = asyncio.create_task(orders.get())
            for task in done & keeper.working:
                keeper.working.discard(task)
                task.result()
    finally:
        stop.cancel()
        ordered.cancel()


class _Keeper:
    """The sink of the present broker, and while the stack moves, that of the next one."""

    def __init__(self, store: EmbeddedStore, writer: Client, config: StoreConfig) -> None:
        self.working: Final[set[asyncio.Task[None]]] = set()
        """What is under way; a failure in it is the end of the process."""
        self._store = store
        self._writer = writer
        self._data = config.path.parent
        self._config = config
        self._history = History(writer, config.bootstrap, config.epoch)
        self._epoch = config.epoch
        self._left: History | None = None
        self._replaying: Replaying | None = None
        self._turn = asyncio.Lock()

    @property
    def history(self) -> History:
        """The sink of the present broker."""
        return self._history

    async def begin(self) -> None:
        """Start the sink; an empty broker is filled beside it."""
        await self._history.start()
        self._do(self._watch(self._history))
        if self._config.replay and not told(self._data, self._epoch).reached("whole"):
            self._do(self._fill(Move(self._config.bootstrap, self._epoch)))

    def retain(self, settings: Settings) -> None:
        """Look after retention, with a client of its own: it may be busy for long."""
        client = partial(self._store._client, async_insert=0)  # noqa: SLF001  # the one other writer there is
        self._do(Retaining(client, settings, self._data).run())

    def order(self, line: str) -> None:
        """Take a line from the supervisor."""
        command, _, said = line.partition(" ")
        if command == EPOCH_ENDED:
            self._do(self._end(int(said)))
        elif command == MOVE_TO:
            self._do(self._move(Move.read(said)))
        elif command == FINISH:
            self._do(self._finish(Move.read(said)))

    async def stop(self) -> None:
        """Finish what the sinks have in hand."""
        for task in self.working:
            task.cancel()
        await asyncio.gather(*self.working, return_exceptions=True)
        for history in filter(None, (self._left, self._history)):
            await _leave(history)
        if self._replaying is not None:
            await self._replaying.stop()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        self.working.add(asyncio.create_task(work))

    async def _watch(self, history: History) -> None:
        """Raise what ends a sink, unless the supervisor tells soon that its broker is gone."""
        try:
            await history.wait()
        except Unreachable:
            await asyncio.sleep(_ORPHAN_S)
            if history is self._history:
                raise
        except asyncio.CancelledError:
            if history is self._history:
                raise

    async def _move(self, move: Move) -> None:
        """Go on in another broker. As long as the old one lives, its sink does too."""
        async with self._turn:
            await asyncio.to_thread(_begin, self._writer, move.epoch)
            self._left, self._history, self._epoch = (
                self._history,
                History(self._writer, move.kafka, move.epoch),
                move.epoch,
            )
            if move.ends is None:
                await _leave(self._left)
                self._left = None
            await self._history.start()
            self._do(self._watch(self._history))
            await self._fill(move)

    async def _fill(self, move: Move) -> None:
        """Replay the history, as far as it is known to be whole."""
        self._replaying = Replaying(self._store, move)
        collecting.pause()
        tell(self._data, Told(move.epoch))
        await self._replaying.most()
        if move.ends is None:
            await self._whole(move)
        else:
            tell(self._data, Told(move.epoch, self._replaying.count, "most"))

    async def _finish(self, move: Move) -> None:
        """What the old broker got beyond the ends is in the history by now: replay that too."""
        async with self._turn:
            await self._whole(move)

    async def _whole(self, move: Move) -> None:
        assert self._replaying is not None  # noqa: S101  # nothing is finished that was not begun
        await self._replaying.rest(move)
        turn = told(self._data, move.epoch).turn + 1
        tell(self._data, Told(move.epoch, self._replaying.count, "whole", turn))

    async def _end(self, epoch: int) -> None:
        """The epoch's rebuild has ended: show it, leave the old broker, and drop the states of epochs before."""
        async with self._turn:
            await self._history.end_epoch(epoch)
            if self._left is not None:
                await _leave(self._left)
                self._left = None
            if self._replaying is not None:
                await self._replaying.stop()
                self._replaying = None
                collecting.resume()
            if (said := told(self._data, epoch)).reached("whole"):
                tell(self._data, said._replace(stage="shown"))
        await asyncio.to_thread(epochs.forget_before, self._writer, epoch)


async def _leave(history: History) -> None:
    """Stop a sink, also one whose broker is gone: that one would wait for it for ever."""
    stopping = asyncio.create_task(history.stop())
    done, _ = await asyncio.wait({stopping}, timeout=_LEAVE_S)
    if not done:
        work = history._work  # noqa: SLF001  # stop() waits for it, and it for the broker
        if work is not None:
            work.cancel()
        await asyncio.wait({stopping}, timeout=_LEAVE_S)
    stopping.cancel()


def _begin(client: Client, epoch: int) -> None:
    """Begin the epoch. Raises WrongInput where the store has a newer one: coordinates would be given twice."""
    latest = int(client.query("SELECT max(epoch) FROM epochs").result_rows[0][0])
    if latest > epoch:
        raise WrongInput(
            f"The store already holds epoch {latest}, but this broker was given epoch {epoch}: write {latest} into "
            "the file `epoch` of the data directory."
        )
    epochs.begin(client, epoch)


class _InTurns:
    """A client that several threads may use: what one asks waits for what another asked."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if not callable(found):
            return found

        def waited(*arguments: Any, **named: Any) -> Any:
            with self._lock:
                return found(*arguments, **named)

        return waited


def in_turns(client: Client) -> Client:
    """The client for several threads: two sinks while the stack moves, and what is ordered meanwhile.

    Only for calls that have ended when they return; no streams.
    """
    return cast("Client", _InTurns(client))
