"""The embedded store: ClickHouse in this process (chDB), on disk, opened by one process at a time.

Limits that come from the engine, not from us: one path per process, one process per path, no async
client. A client serialises its calls, several clients run in parallel; so there is one for the writer,
a small pool for readers, and throw-away sessions for strangers' SQL (the gate).

Every connection speaks UTC, whatever the machine's zone: times without a zone are read and shown as UTC.
"""

from __future__ import annotations

import fcntl
import os
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import chdb
import clickhouse_connect
from clickhouse_connect.driver.binding import quote_identifier
from clickhouse_connect.driver.exceptions import ClickHouseError

from schemas.errors import Unreachable, WrongInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clickhouse_connect.driver.client import Client

DATABASE = "quayside"

_UTC = {"session_timezone": "UTC"}
_CODE = re.compile(r"Code: (\d+)\. ")
_UNKNOWN_EXCEPTION = 1002


class QueryError(WrongInput):
    """A statement that was refused. `code` is ClickHouse's number for the reason.

    The message is ClickHouse's own: `Code: 60. DB::Exception: ... (UNKNOWN_TABLE)`.
    """

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        found = _CODE.search(message)
        self.code = code if code is not None else int(found[1]) if found else _UNKNOWN_EXCEPTION


@dataclass(frozen=True, slots=True)
class Answer:
    """A result as bytes in the format asked for, and what it took to make it."""

    body: bytes
    rows_read: int
    bytes_read: int
    seconds: float


class Session:
    """A read-only conversation with the engine; made by `EmbeddedStore.session`, for one thread."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def ask(self, sql: str | bytes, fmt: str = "TabSeparated", parameters: Mapping[str, str] | None = None) -> Answer:
        """Run one statement and return its whole result.

        Args:
            sql: The statement, as bytes where it may not be UTF-8; its own `FORMAT` clause wins over `fmt`.
            fmt: The name of a ClickHouse output format.
            parameters: Values for `{name:Type}`, written as ClickHouse's HTTP interface takes them (TSV
                escapes: a tab is backslash and t, NULL is backslash and N).

        Raises:
            QueryError: The engine refused it, or it ran into a limit.
        """
        try:
            result = self._connection.query(sql, fmt, params=dict(parameters or {}))
        except RuntimeError as error:  # chdb.ChdbError is one
            raise QueryError(_message(error)) from error
        return Answer(result.bytes() or b"", result.rows_read(), result.bytes_read(), result.elapsed())


class EmbeddedStore:
    """A directory opened with the embedded engine. Use it as a context manager, or call `close`.

    Args:
        path: The directory; made if it is missing.
        readers: How many reading clients there are at most (each runs one query at a time).

    Raises:
        WrongInput: The directory cannot be made or written, or this process has another one open.
        Unreachable: Another process has the directory open, or the engine does not start on it.
    """

    def __init__(self, path: Path, *, readers: int = 4) -> None:
        self.path = Path(os.path.realpath(path))  # the engine compares paths letter by letter
        _prepare(self.path)
        self._anchor = _open(self.path)  # keeps the engine up while clients come and go
        self._closed = False
        self._lock = threading.Lock()
        self._free: list[Client] = []
        self._seats = threading.BoundedSemaphore(readers)
        try:
            self._anchor.query(f"CREATE DATABASE IF NOT EXISTS {DATABASE}")
            self._writer = self._client(async_insert=0)  # else an insert returns before it is on disk
        except (RuntimeError, ClickHouseError) as error:
            self._anchor.close()
            raise Unreachable(f"The store at {self.path} opens but does not answer: {_message(error)}") from error

    @property
    def writer(self) -> Client:
        """The one client that writes: an insert is on disk when it returns. For one thread at a time."""
        self._refuse_closed()
        return self._writer

    @contextmanager
    def reader(self) -> Iterator[Client]:
        """Borrow a client that cannot write; waits while all are lent. Safe from any thread."""
        self._refuse_closed()
        with self._seats:
            with self._lock:
                client = self._free.pop() if self._free else None
            if client is None:
                # 2, not 1: our own queries may carry settings.
                client = self._client(readonly=2)
            try:
                yield client
            finally:
                with self._lock:
                    keep = not self._closed
                    if keep:
                        self._free.append(client)
                if not keep:
                    client.close()

    @contextmanager
    def session(self, settings: Mapping[str, str | float] | None = None, database: str = DATABASE) -> Iterator[Session]:
        """Open a session of its own with `readonly=1`: no writes, and no setting can be changed from inside.

        Takes about 1 ms, so that nothing one question sets is there for the next. Safe from any thread.

        Args:
            settings: ClickHouse settings of this session; the names must be trusted, the values need not be.
            database: What unqualified table names are looked up in.

        Raises:
            QueryError: A setting has an impossible value, or there is no such database.
        """
        self._refuse_closed()
        connection = _open(self.path)
        try:
            session = Session(connection)
            session.ask(f"USE {quote_identifier(database)}")
            wanted = {**_UTC, **(settings or {}), "readonly": 1}
            session.ask("SET " + ", ".join(f"{name} = {_literal(value)}" for name, value in wanted.items()))
            yield session
        finally:
            connection.close()

    def close(self) -> None:
        """Close every client and let go of the directory; what is lent out closes when it comes back."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            idle, self._free = self._free, []
        for client in (*idle, self._writer):
            client.close()
        self._anchor.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _client(self, **settings: int) -> Client:
        return clickhouse_connect.get_client(
            interface="chdb",
            path=str(self.path),
            database=DATABASE,
            settings=settings,
            chdb_options=_UTC,  # not in settings: the client asks for the zone before it applies those
        )

    def _refuse_closed(self) -> None:
        if self._closed:
            raise Unreachable(f"The store at {self.path} is closed; open it again to use it.")


def _prepare(path: Path) -> None:
    if "?" in str(path):
        raise WrongInput(f"The store's directory {path} has a question mark in its name; choose another.")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WrongInput(f"The store's directory {path} cannot be made ({error.strerror}); choose another.") from error
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise WrongInput(f"The store's directory {path} cannot be written; mend its permissions or choose another.")
    _refuse_held(path)


def _refuse_held(path: Path) -> None:
    """The engine says only on stderr that another process has the directory: ask its lock file first."""
    status = path / "status"
    try:
        with status.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                found = re.search(rb"PID: (\d+)", file.read(200))
                holder = int(found[1]) if found else None
                if holder != os.getpid():
                    raise _held(path, holder) from None
    except OSError:
        return  # no lock file yet, or none to be read: the engine has the last word


def _held(path: Path, holder: int | None) -> Unreachable:
    who = f"process {holder}" if holder else "another process"
    return Unreachable(
        f"The store at {path} is held by {who}; stop that, ask it through its gate, or use another directory."
    )


def _open(path: Path) -> Any:
    try:
        return chdb.connect(str(path))
    except RuntimeError as error:
        text = str(error)
        if "already initialized with path" in text:
            raise WrongInput(
                f"This process has another store open and can have only one; close it before opening {path}."
            ) from error
        if "EmbeddedServer: . " in text:  # the reason went to stderr; it is the lock
            raise _held(path, None) from error
        raise Unreachable(f"The engine does not start on {path}: {_message(error)}") from error


def _message(error: Exception) -> str:
    """The engine's own words without its stack trace."""
    text = str(error)
    start = text.find("Code: ")
    return text[max(start, 0) :].split("Stack trace", 1)[0].strip(" ,\n")


def _literal(value: str | float) -> str:
    # Quoted always: the engine reads numbers from strings, and strings only from strings.
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"
