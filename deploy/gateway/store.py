"""The history, asked for by a process that outlives the store's own: it connects when it is asked, and again."""

import threading
from collections.abc import Callable
from typing import Any, Final, cast

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import OperationalError

from deploy.gate_client import gate_client
from deploy.stackfile import StackFile


class _Asked:
    """The part of a client that questions need."""

    def __init__(self, stack: Callable[[], StackFile]) -> None:
        self._stack: Final = stack
        self._client: Client | None = None
        self._connecting: Final = threading.Lock()

    def query(self, *arguments: Any, **named: Any) -> Any:
        """As a client's. Raises Unreachable where there is no connection yet and none can be made."""
        try:
            return self._connected().query(*arguments, **named)
        except OperationalError:
            self.close()  # the store may stand elsewhere when it is back
            raise

    def close(self) -> None:
        """Connect anew with the next question."""
        with self._connecting:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _connected(self) -> Client:
        with self._connecting:
            if self._client is None:
                self._client = gate_client(self._stack())
            return self._client


def store_of(stack: Callable[[], StackFile]) -> Client:
    """A client for questions; `stack` is asked where the store is whenever it connects."""
    return cast("Client", _Asked(stack))
