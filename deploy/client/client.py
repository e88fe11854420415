"""The client: `send`, and what belongs to it."""

import logging
import random
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote, urlencode

import msgspec

from deploy.client.checking import Sendable, encoded, named, refusal
from deploy.client.delivering import EVENTS, Delivery, NotDelivered, Retrying, problem, unwelcome
from deploy.client.gateway import Answer, Gateway, NoAnswer
from deploy.client.receipts import Flushed, Receipt, Undelivered
from deploy.client.spool import Entry, Spool
from schemas.errors import Unreachable, WrongInput
from schemas.event import Event
from schemas.times import rfc3339, to_ms, wall_clock
from schemas.wire import Rejection, read_any

MAX_BODY_BYTES: Final = 1 << 20
"""One request carries at most so much, before compression; a single event always goes."""

SPOOL_BYTES: Final = 256 << 20
BATCH: Final = 500
_PAGE: Final = 1_000
_HURRIED_S: Final = 1.0
"""A `send` with a spool waits no longer than this between two tries."""

_LOG: Final = logging.getLogger(__name__)
_OK, _MISSING = 200, 404


class Client:
    """Sends events to a gateway. Thread-safe; one process per spool.

    Without a spool `send` returns when every event has its receipt, or raises Undelivered. With one, `send` keeps
    events on disk before it tries to deliver them, in the order in which they were given: what cannot be delivered
    now is `spooled`, and goes out before anything later, with the next `send` or `flush`, also of another process.

    Args:
        url: The gateway: `https://host[:port][/prefix]`.
        token: The secret, or the path of the file that holds it (read again when the gateway no longer takes it).
        spool: A directory of this client's own.
        timeout_s: For connecting and for each answer.
        retrying: How often to try, and how long to wait in between.
        batch: At most so many events in one request.
        spool_bytes: The spool takes no more than this; beyond it `send` raises SpoolFull.
        ca: A PEM file of certificates to trust instead of the system's.
        plain_http: Allow `http://` to another machine, which tells the token to whoever listens.

    Raises:
        WrongInput: A URL, token, file or directory that cannot be used.
    """

    def __init__(
        self,
        url: str,
        token: str | Path,
        *,
        spool: Path | None = None,
        timeout_s: float = 10,
        retrying: Retrying | None = None,
        batch: int = BATCH,
        spool_bytes: int = SPOOL_BYTES,
        ca: Path | None = None,
        plain_http: bool = False,
    ) -> None:
        self._gateway: Final = Gateway(url, token, timeout_s, ca=ca, plain_http=plain_http)
        self._retrying: Final = retrying or Retrying()
        self._ended: Final = threading.Event()
        self._delivery: Final = Delivery(self._gateway, self._retrying, self._ended.wait)
        self._batch: Final = max(1, batch)
        self._spool: Final = None if spool is None else Spool(Path(spool), spool_bytes)
        self._spooling: Final = threading.Lock()
        self._delivering: Final = threading.Lock()
        self._failures = 0
        self._quiet_until = 0.0
        self._why = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End waits of other threads, close connections, give the spool back. What is in the spool stays there."""
        self._ended.set()
        self._gateway.close()
        if self._spool is not None:
            with self._delivering, self._spooling:
                self._spool.close()

    @property
    def waiting(self) -> int:
        """How many events are in the spool."""
        return 0 if self._spool is None else self._spool.events

    def send(self, events: Sendable | Iterable[Sendable]) -> list[Receipt]:
        """Check events, send what is right, and tell what became of each, in the order given.

        An event is a model of the contract, a mapping, or the JSON object as bytes or text. What the
        contract refuses is not sent, and the rest is. An iterable is taken a batch at a time.

        Raises:
            Undelivered: Without a spool: the gateway did not take all of it. With one: the disk did not.
            SpoolFull: The spool has no room, and the gateway takes nothing. What has no receipt was not kept.
            WrongInput: The gateway does not know the token, or is none; the spool, if any, has kept the events.
        """
        self._open()
        remaining = iter([events] if isinstance(events, (Event, Mapping, bytes, str)) else events)
        receipts: list[Receipt] = []
        while some := list(islice(remaining, self._batch)):
            try:
                receipts.extend(self._send_some(some, len(receipts)))
            except Undelivered as error:
                error.receipts = (*receipts, *error.receipts)
                raise
        return receipts

    def flush(self) -> Flushed:
        """Deliver all that is in the spool, now.

        Raises Undelivered while the gateway does not take it (the rest stays), WrongInput as `send`.
        """
        self._open()
        if self._spool is None:
            return Flushed()
        with self._delivering:
            told = self._drain(self._spool, None, patient=True)
            if self._spool.events:
                left = f"{self._spool.events} events stay in {self._spool.directory}; flush it later."
                raise Undelivered(f"{self._why}: {left}", told.refused)
        return told

    def status(self, source: str, event_id: str) -> dict[str, Any] | None:
        """What the gateway knows of an event; None: it has not seen it. Raises Unreachable, WrongInput."""
        answer = self._ask(f"{EVENTS}/{quote(source, safe='')}/{quote(event_id, safe='')}")
        return None if answer is None else _object(answer)

    def rejections(self, since: datetime | int | str = "24h") -> list[dict[str, Any]]:
        """What was refused or came too late, of the token's sources, in the order of arrival.

        `since`: when it arrived at the earliest: an aware datetime, ms since the epoch, or as the gateway takes it
        (`2h`, `2026-11-22`, an RFC 3339 time). Raises Unreachable, WrongInput.
        """
        at = since if isinstance(since, str) else rfc3339(to_ms(since) if isinstance(since, datetime) else since)
        found: list[dict[str, Any]] = []
        while True:
            answer = self._ask("/v1/rejections?" + urlencode({"since": at, "limit": _PAGE}))
            told = {} if answer is None else _object(answer)
            found.extend(told.get("rejections", []))
            following = str(told.get("next_since", at))
            if not told.get("more") or following == at:
                return found
            at = following

    def _send_some(self, some: Sequence[Sendable], base: int) -> list[Receipt]:
        """One batch: receipts in order."""
        found: dict[int, Receipt] = {}
        right: list[tuple[int, bytes, str]] = []
        now = wall_clock()
        for index, said in enumerate(some, base):
            raw = encoded(said)
            event = raw if isinstance(raw, Rejection) else read_any(raw, now)
            if isinstance(event, Rejection):
                found[index] = refusal(index, raw if isinstance(raw, bytes) else b"", event)
            else:
                assert isinstance(raw, bytes)  # noqa: S101  # only bytes are checked
                right.append((index, raw, event.topic))
        for group in _groups(right):
            raws = [raw for _, raw, _ in group]
            try:
                told = self._directly(raws) if self._spool is None else self._by_spool(self._spool, raws)
            except Undelivered as error:
                error.receipts = tuple(found[index] for index in sorted(found))
                raise
            for (index, _, topic), receipt in zip(group, told, strict=True):
                found[index] = replace(receipt, index=index, topic=receipt.topic or topic)
        return [found[index] for index in sorted(found)]

    def _directly(self, raws: Sequence[bytes]) -> list[Receipt]:
        try:
            return self._delivery.deliver(uuid.uuid4().hex, raws)
        except NotDelivered as error:
            raise Undelivered(
                f"{self._gateway.url} took nothing of the last {len(raws)} events ({error}): send them again later, "
                "or give the client a spool."
            ) from None

    def _by_spool(self, spool: Spool, raws: Sequence[bytes]) -> list[Receipt]:
        entry = self._kept(spool, raws)
        with self._delivering:
            try:
                if entry.receipts is None:
                    self._drain(spool, entry, patient=False)
            except WrongInput as error:
                raise WrongInput(f"{error} The events are kept in {spool.directory}.") from None
            finally:
                entry.awaited = False
        if entry.receipts is not None:
            return entry.receipts
        why = f"kept in {spool.directory}: {self._why}"
        return [Receipt(index, "spooled", *named(raw), reason=why) for index, raw in enumerate(raws)]

    def _kept(self, spool: Spool, raws: Sequence[bytes]) -> Entry:
        """Put a batch into the spool; where there is no room, deliver what is in it first."""
        with self._spooling:
            if spool.has_room(raws):
                return spool.append(raws)
        with self._delivering:
            self._drain(spool, None, patient=False)
            with self._spooling:
                return spool.append(raws)

    def _drain(self, spool: Spool, until: Entry | None, *, patient: bool) -> Flushed:
        """Deliver from the head of the spool up to and with a batch (None: all). Needs the delivering lock.

        After a failure, sends (not `patient`) leave the gateway alone for a while, which doubles with each one more.
        """
        accepted = 0
        refused: list[Receipt] = []
        while until is None or until.receipts is None:
            with self._spooling:
                entries = spool.head(self._batch, MAX_BODY_BYTES)
            if not entries or (not patient and time.monotonic() < self._quiet_until):
                break
            try:
                for told in self._deliver(spool, entries, accepted + len(refused), patient=patient):
                    if told.status == "refused":
                        refused.append(told)
                    else:
                        accepted += 1
            except NotDelivered as error:
                limit = min(self._retrying.longest_s, self._retrying.first_s * 2**self._failures)
                self._failures = min(self._failures + 1, 30)
                pause = error.wait_s + random.uniform(0, limit)  # noqa: S311  # a wait, no secret
                self._quiet_until = time.monotonic() + pause
                self._why = f"{self._gateway.url} takes nothing now ({error})"
                break
            self._failures, self._quiet_until = 0, 0.0
        return Flushed(accepted, tuple(refused))

    def _deliver(self, spool: Spool, entries: Sequence[Entry], base: int, *, patient: bool) -> list[Receipt]:
        """One request with some batches of the spool, and its outcome written down."""
        lines = [spool.lines(entry) for entry in entries]
        raws = [raw for some in lines for raw in some]
        # As long as the same batches go together, the key stays, also in the next process.
        key = entries[0].key if len(entries) == 1 else f"{entries[0].key}-{entries[-1].key}"
        receipts = self._delivery.deliver(
            key,
            raws,
            tries=None if patient else 1 if self._failures else 2,
            longest_s=None if patient else min(_HURRIED_S, self._retrying.longest_s),
        )
        start = 0
        late: list[tuple[Receipt, bytes]] = []
        for entry, some in zip(entries, lines, strict=True):
            entry.receipts = receipts[start : start + entry.count]
            if not entry.awaited:
                late.extend((told, raw) for told, raw in zip(entry.receipts, some, strict=True) if _refused(told))
            start += entry.count
        if late:
            spool.set_aside(late)
            _LOG.warning(
                "%d events that were spooled have been refused: see %s.", len(late), spool.directory / "refused.ndjson"
            )
        with self._spooling:
            spool.settle(entries)
        return [replace(told, index=base + told.index) for told in receipts]

    def _ask(self, path: str) -> Answer | None:
        """A question's answer; None where there is none of it."""
        self._open()
        try:
            answer = self._gateway.ask(path)
        except NoAnswer as error:
            raise Unreachable(f"{self._gateway.url} does not answer: {error}. Try again later.") from None
        if answer.status == _OK:
            return answer
        if answer.status == _MISSING:
            return None
        if answer.status >= 500 or answer.status == 429:  # noqa: PLR2004  # HTTP's own numbers
            raise Unreachable(f"{self._gateway.url} answers {answer.status}: {problem(answer)} Try again later.")
        raise unwelcome(self._gateway.url, answer)

    def _open(self) -> None:
        if self._ended.is_set():
            raise WrongInput("This client is closed: open another one.")


def _groups(right: Sequence[tuple[int, bytes, str]]) -> Iterator[list[tuple[int, bytes, str]]]:
    """Those that go into one request together, by their bytes."""
    group: list[tuple[int, bytes, str]] = []
    size = 0
    for told in right:
        if group and size + len(told[1]) > MAX_BODY_BYTES:
            yield group
            group, size = [], 0
        group.append(told)
        size += len(told[1]) + 1
    if group:
        yield group


def _refused(receipt: Receipt) -> bool:
    return receipt.status == "refused"


def _object(answer: Answer) -> dict[str, Any]:
    try:
        return msgspec.json.decode(answer.body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Unreachable("The gateway's answer could not be read: is there a proxy in between?") from None
