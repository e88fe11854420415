"""Asking the store through its gate, or a ClickHouse server, over HTTP."""

import logging
from collections.abc import Mapping
from typing import Any, Final
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError

from deploy.stackfile import StackFile
from schemas.errors import Unreachable, WrongInput

logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)  # its news reach people as our own sentences

_PATIENCE_S: Final = 60


def gate_client(stack: StackFile) -> Client:
    """A client of the stack's store. Raises Unreachable where it does not answer."""
    place = urlsplit(stack.gate)
    try:
        return clickhouse_connect.get_client(
            host=place.hostname or "",
            port=place.port or 0,
            secure=place.scheme == "https",
            username=stack.gate_user,
            password=stack.gate_password,
            database=stack.database,
            autogenerate_session_id=False,
            connect_timeout=5,
            send_receive_timeout=60,
        )
    except ClickHouseError as error:
        raise _unreachable(stack, error) from None


def rows(client: Client, sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
    """The rows of a query. Raises WrongInput with the engine's own words."""
    try:
        return [tuple(row) for row in client.query(sql, parameters=dict(parameters or {})).result_rows]
    except OperationalError:
        raise Unreachable("The store's gate does not answer: it is being restarted, or see logs/store.log.") from None
    except ClickHouseError as error:
        if "(UNKNOWN_TABLE)" in str(error) or "(UNKNOWN_DATABASE)" in str(error):
            raise WrongInput(
                "The store's tables are not made, or not up to date: run `quayside migrate`, or start the sink."
            ) from None
        raise WrongInput(f"The store refused the query: {_first_line(error)}") from None


def raw(stack: StackFile, sql: str, output: str) -> bytes:
    """The answer in a ClickHouse output format, unless the query has a FORMAT of its own.

    Raises WrongInput with the engine's own words, Unreachable where the gate does not answer.
    """
    address = f"{stack.gate}/?" + urlencode({"database": stack.database, "default_format": output})
    credentials = {"X-ClickHouse-User": stack.gate_user, "X-ClickHouse-Key": stack.gate_password}
    request = Request(address, sql.encode(), credentials)  # noqa: S310  # our own gate
    try:
        with urlopen(request, timeout=_PATIENCE_S) as answer:  # noqa: S310  # our own gate
            return bytes(answer.read())
    except HTTPError as error:
        said = error.read().decode(errors="replace").strip()
        raise WrongInput(f"The store refused the query: {said}") from None
    except OSError as error:
        raise _unreachable(stack, error) from None


def _unreachable(stack: StackFile, error: Exception) -> Unreachable:
    return Unreachable(
        f"The store's gate at {stack.gate} does not answer ({_first_line(error)}): it is being restarted, "
        "or see logs/store.log."
    )


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines and lines[-1].startswith("Code:") else lines[0] if lines else type(error).__name__
