"""Connections that nobody can hold for nothing: the head of a request comes soon and is not large, and not too many."""

import asyncio
import resource
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

HEAD_S: Final = 15.0
"""The head of a request has to be here by then, from its first byte or from the connection's beginning."""

HEAD_BYTES: Final = 64 << 10
"""A head, or what stands between two pieces of a body, has no more than this."""

MOST: Final = 4_000
"""At the same time; fewer where the process may have fewer files open."""

_OTHER_FILES: Final = 200


def most() -> int:
    """How many connections there may be."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if files == resource.RLIM_INFINITY else max(1, min(MOST, files - _OTHER_FILES))


class Connection(HttpToolsProtocol):
    """uvicorn's connection, which by itself waits for ever for a head, of any size."""

    _most = most()
    _timer: asyncio.TimerHandle | None = None
    _unread = 0
    _is_within = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin; one too many is closed."""
        super().connection_made(transport)
        if len(self.connections) > self._most:
            transport.abort()
            return
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Read on; what is no head by its time or size is closed."""
        self._unread += len(data)
        super().data_received(data)
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request
        if self._unread > HEAD_BYTES:
            self.transport.abort()
        elif (self._unread or self._is_within) and (cycle is None or cycle.response_complete):
            self._await_head()  # also where the rest of a body comes that nobody reads any more

    def connection_lost(self, exc: Exception | None) -> None:
        """The end."""
        self._head_is_here()
        super().connection_lost(exc)

    def on_headers_complete(self) -> None:
        """A request begins."""
        self._head_is_here()
        self._unread, self._is_within = 0, True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Its body goes on."""
        self._unread = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """It is here."""
        self._unread, self._is_within = 0, False
        super().on_message_complete()

    def _await_head(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(HEAD_S, self.transport.abort)

    def _head_is_here(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
