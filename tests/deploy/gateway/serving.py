"""A gateway in this process that is reached over HTTP, as `quayside gateway` serves it."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import uvicorn

from deploy.gateway.connections import Connection
from tests.deploy.gateway.gate import Gate, gate


class Served(NamedTuple):
    """Where it is, and what it is made of."""

    address: str
    gate: Gate

    def authorized(self, who: str = "acme") -> dict[str, str]:
        """The header of somebody's token."""
        return {"Authorization": f"Bearer {self.gate.secrets[who]}"}


@contextmanager
def serving(folder: Path, **parts: Any) -> Iterator[Served]:
    """A gateway on a folder, in a thread with an event loop of its own; `parts` as `gate` has them."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    begun = threading.Event()
    made: list[tuple[Gate, uvicorn.Server]] = []

    async def run() -> None:
        async with gate(folder, **parts) as one:
            config = uvicorn.Config(one.app, http=Connection, ws="none", lifespan="on", log_config=None)
            server = uvicorn.Server(config)
            made.append((one, server))
            begun.set()
            await server.serve([listener])

    thread = threading.Thread(target=asyncio.run, args=(run(),), name="gateway")
    thread.start()
    assert begun.wait(30)
    one, server = made[0]
    try:
        yield Served(f"http://127.0.0.1:{listener.getsockname()[1]}", one)
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
