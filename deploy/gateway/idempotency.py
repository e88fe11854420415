"""Answers by Idempotency-Key: who sends a request again with the same key is told what was told the first time.

Kept on disk for 24 h, by token. Events need no such key, since the same event twice is one event; it saves whoever
lost an answer from asking event by event.
"""

import asyncio
import sqlite3
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from schemas.errors import Unreachable, WrongInput
from schemas.times import wall_clock

KEPT_MS: Final = 24 * 3_600_000
MOST: Final = 1_000_000
"""More answers than these are not kept: the oldest go first."""

_SWEEP_MS: Final = 10 * 60_000
_Told = TypeVar("_Told")


class UsedOtherwise(WrongInput):
    """The key was sent before, with another request."""


class UnderWay(WrongInput):
    """The first request of the key is not answered yet."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was told: HTTP status, media type, body."""

    status: int
    kind: str
    body: bytes


class Answers:
    """The answers in a file; for one event loop. `clock` tells the time in ms."""

    def __init__(self, path: Path, clock: Callable[[], int] | None = None) -> None:
        """The file is made with the first key that comes."""
        self._path: Final = path
        self._clock: Final = clock or wall_clock
        self._thread: Final = ThreadPoolExecutor(1, thread_name_prefix="answers")
        self._database: sqlite3.Connection | None = None
        self._under_way: dict[tuple[str, str], bytes] = {}
        self._swept_at = 0

    async def begin(self, token: str, key: str, fingerprint: bytes) -> Answer | None:
        """What a request with this key was told; None: it is the first, and is under way now (`keep`, `drop`).

        `fingerprint`: made of all that the request says. Raises UsedOtherwise, UnderWay, and Unreachable where the
        file cannot be read or written.
        """
        mine = (token, key)
        if mine in self._under_way:
            self._compare(key, self._under_way[mine], fingerprint)
            raise UnderWay(f"The request with Idempotency-Key {key!r} is being answered: wait, and send it again.")
        self._under_way[mine] = fingerprint
        try:
            found = await self._run(lambda: self._find(token, key))
            if found is not None:
                self._compare(key, found[0], fingerprint)
        except BaseException:
            self.drop(token, key)
            raise
        if found is None:
            return None
        self.drop(token, key)
        return found[1]

    async def keep(self, token: str, key: str, answer: Answer) -> None:
        """Remember the answer of what `begin` began."""
        fingerprint = self._under_way[token, key]
        try:
            await self._run(lambda: self._insert(token, key, fingerprint, answer))
        finally:
            self.drop(token, key)

    def drop(self, token: str, key: str) -> None:
        """It got no answer worth keeping: the next one with this key is the first."""
        self._under_way.pop((token, key), None)

    def close(self) -> None:
        """Close the file."""
        self._thread.submit(self._close).result()
        self._thread.shutdown()

    @staticmethod
    def _compare(key: str, one: bytes, other: bytes) -> None:
        if one != other:
            raise UsedOtherwise(
                f"Idempotency-Key {key!r} was sent before with another request: take a new key for each new request."
            )

    async def _run(self, task: Callable[[], _Told]) -> _Told:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, task)
        except (sqlite3.Error, OSError) as error:
            raise Unreachable(
                f"{self._path} cannot be read or written ({error}): send the request again, or without Idempotency-Key."
            ) from None

    def _open(self) -> sqlite3.Connection:
        if self._database is None:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            database = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)
            database.executescript(_SCHEMA)
            self._database = database
        return self._database

    def _close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None

    def _find(self, token: str, key: str) -> tuple[bytes, Answer] | None:
        found = self._open().execute(_FIND, (token, key, self._clock() - KEPT_MS)).fetchone()
        if found is None:
            return None
        fingerprint, status, kind, body = found
        return fingerprint, Answer(status, kind, zlib.decompress(body))

    def _insert(self, token: str, key: str, fingerprint: bytes, answer: Answer) -> None:
        now = self._clock()
        row = (token, key, fingerprint, now, answer.status, answer.kind, zlib.compress(answer.body, 1))
        database = self._open()
        database.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        if now - self._swept_at > _SWEEP_MS:
            self._swept_at = now
            database.execute("DELETE FROM answers WHERE at <= ?", (now - KEPT_MS,))
            database.execute(_EXCESS, (MOST,))


_SCHEMA: Final = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS answers (
    token TEXT NOT NULL, key TEXT NOT NULL, fingerprint BLOB NOT NULL, at INTEGER NOT NULL,
    status INTEGER NOT NULL, kind TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (token, key)
);
CREATE INDEX IF NOT EXISTS answers_at ON answers (at);
"""
_FIND: Final = "SELECT fingerprint, status, kind, body FROM answers WHERE token = ? AND key = ? AND at > ?"
_EXCESS: Final = """
DELETE FROM answers WHERE at <= (SELECT at FROM answers ORDER BY at DESC LIMIT 1 OFFSET ?)
"""
