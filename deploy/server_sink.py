"""The history sink as a process of its own, into a ClickHouse server."""

import asyncio
import signal

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from deploy.gate_client import gate_client
from deploy.stackfile import StackFile
from schemas.errors import Unreachable
from sinks import epochs
from sinks.history import History
from sinks.migrate import migrate


def run(stack: StackFile) -> None:
    """Migrate the store, then keep it up to date until a signal. Raises Unreachable, WrongInput."""
    client = gate_client(stack)
    try:
        _prepare(client, stack.epoch)
    except ClickHouseError as error:
        raise Unreachable(f"The ClickHouse at {stack.gate} refused the migrations: {error}") from None
    asyncio.run(_run(History(client, stack.kafka, stack.epoch)))


def _prepare(client: Client, epoch: int) -> None:
    """A Kafka of one's own keeps its records, so its epoch has nothing to rebuild: it is shown at once."""
    migrate(client)
    epochs.begin(client, epoch)
    epochs.end(client, epoch)


async def _run(history: History) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await history.start()
    stop = asyncio.create_task(stopping.wait())
    failed = asyncio.create_task(history.wait())
    try:
        await asyncio.wait({stop, failed}, return_when=asyncio.FIRST_COMPLETED)
        if failed.done():
            failed.result()
    finally:
        await history.stop()
