"""The history sink as a process of its own, into a ClickHouse server."""

import asyncio
import logging
import signal
from collections.abc import Callable

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from deploy.gate_client import gate_client
from deploy.retaining import Retaining
from deploy.settings import load
from deploy.stackfile import StackFile
from schemas.errors import Unreachable, WrongInput
from sinks import epochs
from sinks.history import History
from sinks.migrate import migrate

_log = logging.getLogger("quayside.sink")


def run(stack: StackFile, watched: Callable[[History], None] = lambda _: None) -> None:
    """Migrate the store, then keep it up to date until a signal; `watched` is given the sink before it starts.

    Raises Unreachable, WrongInput.
    """
    client = gate_client(stack)
    try:
        _prepare(client, stack.epoch)
    except ClickHouseError as error:
        raise Unreachable(f"The ClickHouse at {stack.gate} refused the migrations: {error}") from None
    history = History(client, stack.kafka, stack.epoch)
    watched(history)
    asyncio.run(_run(history, Retaining(lambda: gate_client(stack), load())))


def _prepare(client: Client, epoch: int) -> None:
    """Begin the epoch. The first one of a store has nothing to rebuild, so it is shown at once.

    Raises WrongInput where the store has a newer one: coordinates would be given twice.
    """
    migrate(client)
    latest = int(client.query("SELECT max(epoch) FROM epochs").result_rows[0][0])
    if latest > epoch:
        raise WrongInput(
            f"The store already holds epoch {latest}, but QUAYSIDE_EPOCH is {epoch}: set it to {latest} here and for "
            "the workers."
        )
    epochs.begin(client, epoch)
    before = client.query("SELECT count() FROM epochs WHERE epoch < {epoch:UInt64}", {"epoch": epoch}).result_rows
    if not before[0][0]:
        epochs.end(client, epoch)
    elif epochs.current(client) != epoch:
        _log.warning("epoch %d is not complete: views show the one before until `quayside rebuild` has ended", epoch)


async def _run(history: History, retaining: Retaining) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await history.start()
    stop = asyncio.create_task(stopping.wait())
    failed = asyncio.create_task(history.wait())
    beside = asyncio.create_task(retaining.run())
    try:
        await asyncio.wait({stop, failed}, return_when=asyncio.FIRST_COMPLETED)
        if failed.done():
            failed.result()
    finally:
        beside.cancel()
        await history.stop()
