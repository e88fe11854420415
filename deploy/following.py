"""Publishing to an embedded stack whose broker may be another one tomorrow.

A stack goes on in a new broker when the old one holds too much, or has died (deploy/rotation.py). Whoever publishes
holds DATA/publishing shared while a batch is on its way, and takes the address from stack.json only then; the
supervisor holds it alone while it takes over what the old broker has. So a batch that was acknowledged was either
acknowledged before the old broker was emptied, or by the new one; what was not acknowledged is published again.
Whoever loads history holds DATA/loading until the load has ended, and the supervisor waits for that too, since the
marks of a load (deploy/loading.py) stay in the old broker.
"""

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

from aiokafka.errors import KafkaError

from deploy.stackfile import StackFile, running
from schemas.errors import Unreachable

_PAUSE_S: Final = 0.02
_LOOK_S: Final = 0.2
_PATIENCE_S: Final = 15.0
"""How long a broker that does not answer may take to be another one: the supervisor looks several times a second."""


class Following:
    """The broker of a data directory's stack, whichever it is. `loads`: history is loaded until `close`."""

    def __init__(self, data: Path, *, loads: bool = False) -> None:
        self._data = data
        self._loading = _opened(data / _LOADING) if loads else None
        if self._loading is not None:
            fcntl.flock(self._loading, fcntl.LOCK_SH)

    @asynccontextmanager
    async def steady(self) -> AsyncIterator[str]:
        """The broker's address; as long as that broker lives, nothing is moved away from it within.

        Waits while the stack is moving. Raises Unreachable where no stack runs.
        """
        lock = _opened(self._data / _PUBLISHING)
        try:
            while True:
                if _is_taken(lock, fcntl.LOCK_SH):
                    told = self._told()
                    if not told.moving:
                        break
                    fcntl.flock(lock, fcntl.LOCK_UN)
                await asyncio.sleep(_PAUSE_S)
            yield told.kafka
        finally:
            os.close(lock)

    async def sent(self, sending: Coroutine[Any, Any, Any], address: str) -> bool:
        """Wait for a send to this broker; False where the stack has left it before all was acknowledged.

        Raises KafkaError where the stack stays with a broker that does not take it, Unreachable where it stopped.
        """
        task = asyncio.create_task(sending)
        try:
            while not (await asyncio.wait({task}, timeout=_LOOK_S))[0]:
                if self._told().kafka != address:
                    return False
            try:
                task.result()
            except KafkaError:
                if await self._leaves(address):
                    return False
                raise
            return True
        finally:
            task.cancel()

    def close(self) -> None:
        """The load, if it was one, has ended."""
        if self._loading is not None:
            os.close(self._loading)
            self._loading = None

    async def _leaves(self, address: str) -> bool:
        """Whether the stack goes on in another broker soon."""
        deadline = asyncio.get_running_loop().time() + _PATIENCE_S
        while self._told().kafka == address:
            if asyncio.get_running_loop().time() > deadline:
                return False
            await asyncio.sleep(_LOOK_S)
        return True

    def _told(self) -> StackFile:
        told = running(self._data)
        if told is None:
            raise Unreachable(f"The stack on {self._data} has stopped.")
        return told


def moved_on(stack: StackFile) -> StackFile | None:
    """The same stack in another broker, once it has arrived there; None if it stays or has stopped."""
    deadline = time.monotonic() + _PATIENCE_S
    while stack.data and (told := running(Path(stack.data))) is not None:
        if told.kafka != stack.kafka and not told.moving:
            return told
        if told.kafka == stack.kafka and time.monotonic() > deadline:
            return None
        time.sleep(_LOOK_S)
    return None


@contextmanager
def nobody_publishes(data: Path) -> Iterator[bool]:
    """Hold back whoever publishes; False where somebody has a batch on its way at this moment."""
    with _alone(data / _PUBLISHING) as held:
        yield held


def somebody_loads(data: Path) -> bool:
    """Whether history is being loaded."""
    with _alone(data / _LOADING) as held:
        return not held


_PUBLISHING: Final = "publishing"
_LOADING: Final = "loading"


@contextmanager
def _alone(path: Path) -> Iterator[bool]:
    lock = _opened(path)
    try:
        yield _is_taken(lock, fcntl.LOCK_EX)
    finally:
        os.close(lock)


def _opened(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _is_taken(lock: int, how: int) -> bool:
    try:
        fcntl.flock(lock, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
