"""DATA/gateway/captures.sqlite: captured EPCIS events as they came, the jobs that brought them, and what was said.

A job is on disk before its 202 is told. Its events, and what follows from them (of theirs and of others whose
contents they tell), are kept in one transaction; then that is published, and when it is durable the job is finished. A
job that a kill interrupts goes on where it was: what follows is written down before it is published, byte for byte,
so that saying it twice is a repeat. For several threads and processes; one of these works off the jobs (`hold`).
"""

import fcntl
import logging
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from deploy.tokens import Grant
from schemas.epcis.deriving import Captured, Link, links_of
from schemas.epcis.document import loads, read_event
from schemas.epcis.mapping import Key
from schemas.errors import WrongInput
from schemas.times import rfc3339

_SCHEMA: Final = Path(__file__).with_name("captures.sql")
_encode: Final = msgspec.json.Encoder(decimal_format="number").encode
_log: Final = logging.getLogger("quayside.gateway")


class Job(NamedTuple):
    """One capture job. `state`: new, staged or finished. Times in ms."""

    capture_id: str
    source: str
    grant: Grant
    behaviour: str
    document: bytes
    created_ms: int
    finished_ms: int | None = None
    state: str = "new"
    errors: tuple[dict[str, Any], ...] = ()
    warnings: tuple[dict[str, Any], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """As `GET /v1/epcis/capture/ID` tells it."""
        return {
            "captureID": self.capture_id,
            "createdAt": rfc3339(self.created_ms),
            "finishedAt": None if self.finished_ms is None else rfc3339(self.finished_ms),
            "running": self.finished_ms is None,
            "success": self.finished_ms is not None and not self.errors,
            "captureErrorBehaviour": self.behaviour,
            "errors": list(self.errors),
            "warnings": list(self.warnings),
        }


class New(NamedTuple):
    """An event to be kept: checked, and as it came."""

    captured: Captured
    document: dict[str, Any]
    digest: bytes


class Saying(NamedTuple):
    """An event of ours: what is to be said, of which EPCIS event, and under which grant."""

    key: Key
    our_id: str
    body: bytes
    recorded_ms: int
    is_retracted: bool
    grant: Grant

    @property
    def raw(self) -> bytes:
        """Its bytes: the same whenever it is said."""
        document = msgspec.json.decode(self.body)
        document["recorded_at"] = rfc3339(self.recorded_ms)
        if self.is_retracted:
            document["retracted"] = True
        return msgspec.json.encode(document)


class Captures:
    """The store of captures."""

    def __init__(self, path: Path) -> None:
        """Open it; it is made where there is none. Raises WrongInput where it cannot be."""
        self._lock: Final = threading.RLock()
        self._path: Final = path
        self._held: int | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db: Final = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(_SCHEMA.read_text())
        except (OSError, sqlite3.Error) as error:
            raise WrongInput(f"The store of captures {path} cannot be opened: {error}. Mend or move it.") from None

    def close(self) -> None:
        """Close it."""
        with self._lock:
            self._db.close()
            if self._held is not None:
                os.close(self._held)
                self._held = None

    def hold(self) -> bool:
        """Whether this is the one who works off the jobs, from now on until it is closed. Raises OSError."""
        with self._lock:
            if self._held is None:
                file = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    os.close(file)
                    return False
                except OSError:
                    os.close(file)
                    raise
                self._held = file
            return True

    def add(self, job: Job) -> None:
        """Keep a new job; it is on disk when this returns."""
        row = (job.capture_id, job.grant.name, job.source, _encode(job.grant).decode(), job.behaviour)
        with self._transaction() as db:
            db.execute(
                "INSERT INTO jobs (capture_id, token, source, may, behaviour, document, created_ms, state)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, 'new')",
                (*row, job.document, job.created_ms),
            )

    def job(self, capture_id: str) -> Job | None:
        """A job, or None where there is none of that name."""
        with self._lock:
            row = self._db.execute(f"SELECT {_JOB} FROM jobs WHERE capture_id = ?", (capture_id,)).fetchone()  # noqa: S608  # our own names
        return None if row is None else _job(row)

    def unfinished(self) -> list[str]:
        """The jobs that are not finished, the oldest first."""
        with self._lock:
            rows = self._db.execute(
                "SELECT capture_id FROM jobs WHERE state <> 'finished' ORDER BY created_ms, rowid"
            ).fetchall()
        return [capture_id for (capture_id,) in rows]

    def linked(self, link: Link) -> list[int]:
        """The numbers of all events kept that have a link."""
        with self._lock:
            rows = self._db.execute("SELECT number FROM links WHERE kind = ? AND name = ?", link).fetchall()
        return [number for (number,) in rows]

    def numbered(self, number: int) -> Captured | None:
        """The event of this number; None where it cannot be read (any more): it then counts for nothing."""
        with self._lock:
            row = self._db.execute(
                "SELECT number, source, event_id, content FROM events WHERE number = ?", (number,)
            ).fetchone()
        try:
            return None if row is None else _captured(*row)
        except (ValueError, RecursionError):
            _log.exception("the captured event %s cannot be read and counts for nothing", row[1:3])
            return None

    def digest(self, key: Key, *, is_declaration: bool) -> bytes | None:
        """The digest of an event that is kept; None where it is not."""
        with self._lock:
            row = self._db.execute(
                "SELECT digest FROM events WHERE source = ? AND event_id = ? AND is_declaration = ?",
                (*key, int(is_declaration)),
            ).fetchone()
        return None if row is None else bytes(row[0])

    def event(self, token: str, event_id: str) -> bytes | None:
        """An event as this token sent it, as JSON-LD; as it was declared wrong, where it was. None: there is none."""
        with self._lock:
            row = self._db.execute(
                "SELECT content FROM events WHERE event_id = ? AND token = ?"
                " ORDER BY is_declaration DESC, number LIMIT 1",
                (event_id, token),
            ).fetchone()
        return None if row is None else row[0].encode()

    def said_of(self, key: Key) -> list[Saying]:
        """What was last said of an EPCIS event, retracted or not."""
        with self._lock:
            rows = self._db.execute(
                f"SELECT {_SAID} FROM said WHERE source = ? AND event_id = ?",  # noqa: S608  # our own names
                (key.source, key.event_id),
            ).fetchall()
        return [_saying(row) for row in rows]

    def grant_of(self, key: Key) -> Grant | None:
        """The grant under which an event came."""
        with self._lock:
            row = self._db.execute(
                "SELECT j.may FROM events e JOIN jobs j USING (capture_id) WHERE e.source = ? AND e.event_id = ?"
                " ORDER BY e.is_declaration, e.number LIMIT 1",
                tuple(key),
            ).fetchone()
        return None if row is None else _grant(row[0])

    def stage(
        self,
        job: Job,
        events: Iterable[New],
        sayings: Iterable[Saying],
        errors: Sequence[dict[str, Any]],
        warnings: Sequence[dict[str, Any]],
    ) -> None:
        """Keep a job's events, and what is to be said because of them, all or nothing."""
        with self._transaction() as db:
            for new in events:
                key, event = new.captured
                cursor = db.execute(
                    "INSERT INTO events (source, event_id, is_declaration, token, capture_id, content, digest)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (
                        *key,
                        int(new.captured.is_declaration),
                        job.grant.name,
                        job.capture_id,
                        _encode(new.document).decode(),
                        new.digest,
                    ),
                )
                links = [(kind, name, cursor.lastrowid) for kind, name in sorted(links_of(key, event))]
                db.executemany("INSERT INTO links (kind, name, number) VALUES (?, ?, ?)", links)
            for saying in sayings:
                db.execute(
                    "INSERT OR REPLACE INTO said"
                    " (source, our_id, event_id, body, recorded_ms, is_retracted, may, capture_id, is_sent)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)",
                    (
                        saying.key.source,
                        saying.our_id,
                        saying.key.event_id,
                        saying.body,
                        saying.recorded_ms,
                        int(saying.is_retracted),
                        _encode(saying.grant).decode(),
                        job.capture_id,
                    ),
                )
            db.execute(
                "UPDATE jobs SET state = 'staged', errors = ?, warnings = ? WHERE capture_id = ?",
                (_encode(errors).decode(), _encode(warnings).decode(), job.capture_id),
            )

    def unsaid(self, capture_id: str) -> list[Saying]:
        """What a job has still to say."""
        with self._lock:
            rows = self._db.execute(
                f"SELECT {_SAID} FROM said WHERE capture_id = ? AND is_sent = 0 ORDER BY source, our_id",  # noqa: S608  # our own names
                (capture_id,),
            ).fetchall()
        return [_saying(row) for row in rows]

    def sent(self, sayings: Iterable[Saying]) -> None:
        """Note that this was said, and is durable."""
        with self._transaction() as db:
            db.executemany(
                "UPDATE said SET is_sent = 1 WHERE source = ? AND our_id = ? AND recorded_ms = ?",
                [(one.key.source, one.our_id, one.recorded_ms) for one in sayings],
            )

    def finish(
        self, job: Job, now_ms: int, errors: Sequence[dict[str, Any]], warnings: Sequence[dict[str, Any]]
    ) -> None:
        """A job has ended; what it brought is no longer needed."""
        with self._transaction() as db:
            db.execute(
                "UPDATE jobs SET state = 'finished', finished_ms = ?, errors = ?, warnings = ?, document = NULL"
                " WHERE capture_id = ?",
                (now_ms, _encode(errors).decode(), _encode(warnings).decode(), job.capture_id),
            )

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # a full disk may have ended it
                    with suppress(sqlite3.Error):
                        self._db.execute("ROLLBACK")
                raise


_JOB: Final = "capture_id, source, may, behaviour, document, created_ms, finished_ms, state, errors, warnings"
_SAID: Final = "source, our_id, event_id, body, recorded_ms, is_retracted, may"


def _job(row: tuple[Any, ...]) -> Job:
    capture_id, source, may, behaviour, document, created_ms, finished_ms, state, errors, warnings = row
    told = (tuple(msgspec.json.decode(errors)), tuple(msgspec.json.decode(warnings)))
    return Job(capture_id, source, _grant(may), behaviour, document or b"", created_ms, finished_ms, state, *told)


def _saying(row: tuple[Any, ...]) -> Saying:
    source, our_id, event_id, body, recorded_ms, is_retracted, may = row
    return Saying(Key(source, event_id), our_id, body, recorded_ms, bool(is_retracted), _grant(may))


@lru_cache(maxsize=1_000)
def _grant(may: str) -> Grant:
    return msgspec.json.decode(may, type=Grant)


@lru_cache(maxsize=10_000)
def _captured(_number: int, source: str, event_id: str, content: str) -> Captured:
    """An event that is kept never changes, so reading it once will do."""
    return Captured(Key(source, event_id), read_event(loads(content)))
