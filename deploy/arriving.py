"""Lines as they arrive: from a file at once, from a pipe as somebody writes them."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from typing import Final

from deploy.door import Line

_READ_BYTES: Final = 1 << 20
_AHEAD: Final = 4
"""So many pieces are read ahead of what is being published."""


async def arriving(descriptor: int, most: int) -> AsyncIterator[list[Line]]:
    """What has come of a file's or a pipe's lines, at most so many at a time, as soon as any has.

    A thread of its own reads the descriptor without Python's buffers, so that an interrupted command can end while
    the thread still waits for the pipe.
    """
    loop = asyncio.get_running_loop()
    pieces: asyncio.Queue[bytes] = asyncio.Queue()
    room = threading.Semaphore(_AHEAD)

    def read() -> None:
        while room.acquire():
            try:
                piece = os.read(descriptor, _READ_BYTES)
                loop.call_soon_threadsafe(pieces.put_nowait, piece)
            except (OSError, RuntimeError):
                return  # the command has ended
            if not piece:
                return

    threading.Thread(target=read, name="lines", daemon=True).start()
    number = 0
    rest = b""
    while piece := await pieces.get():
        room.release()
        *whole, rest = (rest + piece).split(b"\n")
        for start in range(0, len(whole), most):
            lines = [Line(number + at, raw.rstrip(b"\r")) for at, raw in enumerate(whole[start : start + most], 1)]
            number += len(lines)
            yield lines
    if rest:
        yield [Line(number + 1, rest.rstrip(b"\r"))]
