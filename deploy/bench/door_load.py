"""Who sends events to a door: plain HTTP/1.1 over connections that are kept, with as little work as can be.

Either as fast as the door takes them (each connection sends again when it is answered), or at a rate (each request has
a moment at which it is due, whatever became of those before; how long it took counts from that moment).

Run as `python -m deploy.bench.door_load`, with a Task as JSON on standard input; its last line is a Heard as JSON.
"""

import asyncio
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, cast

import msgspec
import uvloop

from schemas.errors import QuaysideError

PATH: Final = "/v1/events"
_HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"
_PATIENCE_S: Final = 60.0


class Task(msgspec.Struct, frozen=True):
    """What to send: `count` lines of the file `events` from line `first` on, `batch` in a request.

    `rate`: requests a second; 0: as fast as they are taken.
    """

    port: int
    secret: str
    events: str
    first: int
    count: int
    batch: int
    connections: int
    rate: float = 0.0


class Heard(msgspec.Struct, frozen=True):
    """How long it took in all, from the first byte to the last answer, and each request, in seconds."""

    seconds: float
    requests: list[float]


class DoorFailed(QuaysideError):
    """An answer that is not 202."""


async def send(task: Task, lines: Sequence[bytes]) -> Heard:
    """Send the events. Raises DoorFailed for the first answer that is not 202."""
    requests = [_request(task, lines[start : start + task.batch]) for start in range(0, len(lines), task.batch)]
    loop = asyncio.get_running_loop()
    connections = [
        (await loop.create_connection(_Connection, "127.0.0.1", task.port))[1] for _ in range(task.connections)
    ]
    try:
        async with asyncio.timeout(_PATIENCE_S + (len(requests) / task.rate if task.rate else 0)):
            return await (_at_rate(connections, requests, task.rate) if task.rate else _at_once(connections, requests))
    finally:
        for connection in connections:
            connection.close()


async def _at_once(connections: Sequence["_Connection"], requests: Sequence[bytes]) -> Heard:
    waiting, took = iter(requests), []

    async def one(connection: "_Connection") -> None:
        for request in waiting:
            began = time.perf_counter()
            await connection.ask(request)
            took.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*map(one, connections))
    return Heard(time.perf_counter() - began, took)


async def _at_rate(connections: Sequence["_Connection"], requests: Sequence[bytes], rate: float) -> Heard:
    """Whoever is due goes on the connection that has been free for longest, or waits for one."""
    free, due, took = deque(connections), deque[tuple[float, bytes]](), list[float]()
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def go() -> None:
        while free and due:
            at, request = due.popleft()
            connection = free.popleft()
            connection.begin(request, partial(answered, connection, at))

    def answered(connection: "_Connection", at: float, failure: Exception | None) -> None:
        took.append(time.perf_counter() - at)
        if done.done():
            return
        if failure is not None:
            done.set_exception(failure)
        elif len(took) == len(requests):
            done.set_result(None)
        else:
            free.append(connection)
            go()

    began = time.perf_counter()
    for number, request in enumerate(requests):
        at = began + number / rate
        if (wait := at - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        due.append((at, request))
        go()
        if done.done():
            break
    await done
    return Heard(time.perf_counter() - began, took)


class _Connection(asyncio.Protocol):
    """One request after the other."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._heard = b""
        self._told: Callable[[Exception | None], None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # TCP's is one

    def begin(self, request: bytes, told: Callable[[Exception | None], None]) -> None:
        """Send a request; `told` is called with its answer: None for 202."""
        assert self._transport is not None  # noqa: S101  # it is connected
        self._told = told
        self._transport.write(request)

    async def ask(self, request: bytes) -> None:
        """Send a request and wait for its answer."""
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def told(failure: Exception | None) -> None:
            if answer.done():
                return
            if failure is None:
                answer.set_result(None)
            else:
                answer.set_exception(failure)

        self.begin(request, told)
        await answer

    def data_received(self, data: bytes) -> None:
        self._heard += data
        head, end, body = self._heard.partition(_HEAD_END)
        if not end or len(body) < _length(head):
            return
        self._heard = b""
        failed = head.split(b" ", 2)[1] != b"202"
        self._tell(DoorFailed(f"The door answered {(head + b' ' + body)[:_SHOWN]!r}.") if failed else None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._tell(DoorFailed(f"The door closed a connection before it had answered ({exc})."))

    def close(self) -> None:
        """Disconnect."""
        self._told = None
        if self._transport is not None:
            self._transport.close()

    def _tell(self, failure: Exception | None) -> None:
        told, self._told = self._told, None
        if told is not None:
            told(failure)


def _length(head: bytes) -> int:
    """The length of the body that a head announces; 0 where it announces none."""
    _, found, rest = head.lower().partition(_LENGTH)
    return int(rest.partition(b"\r\n")[0]) if found else 0


def _request(task: Task, events: Sequence[bytes]) -> bytes:
    body = b"[" + b",".join(events) + b"]"
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{task.port}\r\nAuthorization: Bearer {task.secret}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


_SHOWN: Final = 500

if __name__ == "__main__":
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Task)
    told = Path(asked.events).read_bytes().split(b"\n")[asked.first : asked.first + asked.count]
    print(msgspec.json.encode(uvloop.run(send(asked, told))).decode())  # noqa: T201  # its result
