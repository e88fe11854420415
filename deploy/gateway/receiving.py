"""Taking in the bodies of requests: for so long, of so many bytes each, and of so many bytes of all together."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Final

from starlette.requests import Request

from deploy.gateway.bodies import decoded, encoding_of, too_large
from deploy.gateway.limits import Busy
from deploy.gateway.problems import Problem
from deploy.gateway.tally import Tally

IN_HAND_BYTES: Final = 256 << 20
"""Of all bodies that are being read or judged."""

PATIENCE_S: Final = 30.0
"""A body has to be here by then."""


class Receiving:
    """Reads bodies. For one event loop."""

    def __init__(self, tally: Tally, in_hand: int = IN_HAND_BYTES, patience: float = PATIENCE_S) -> None:
        self._tally: Final = tally
        self._in_hand: Final = in_hand
        self._patience: Final = patience
        self._threads: Final = ThreadPoolExecutor(2, thread_name_prefix="bodies")

    @asynccontextmanager
    async def body(self, request: Request, most: int) -> AsyncIterator[bytes]:
        """The request's body, decoded; counted as in hand until the end of the block.

        Raises BodyRefused for one of more than `most` bytes (before or after decoding) or in an encoding that is not
        taken, Problem (408) for one that does not come, Busy where too much is in hand.
        """
        encoding = encoding_of(request.headers.get("content-encoding"))
        held = 0

        def hold(size: int) -> None:
            nonlocal held
            held += size
            self._tally.bytes_in_hand += size
            if self._tally.bytes_in_hand > self._in_hand:
                raise Busy("Too many large requests are being answered: send this one again a little later.", 1)

        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced[:_DIGITS]) > most:
            raise too_large(most)
        try:
            pieces: list[bytes] = []
            size = 0
            try:
                async with asyncio.timeout(self._patience):
                    async for piece in request.stream():
                        size += len(piece)
                        if size > most:
                            raise too_large(most)
                        hold(len(piece))
                        pieces.append(piece)
            except TimeoutError:
                raise Problem(408, f"The body did not come within {self._patience:g} s: send it again.") from None
            body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            if encoding != "identity":
                loop = asyncio.get_running_loop()
                body = await loop.run_in_executor(self._threads, decoded, body, encoding, most)
                hold(len(body))
            yield body
        finally:
            self._tally.bytes_in_hand -= held

    def close(self) -> None:
        """Decode no more."""
        self._threads.shutdown(wait=False, cancel_futures=True)


_DIGITS: Final = 19
