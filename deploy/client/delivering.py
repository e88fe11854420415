"""Delivering one batch: tried again with backoff and full jitter where that can help, split where it is too large.

Every try of a batch bears the same Idempotency-Key, so that a gateway that took it and could not say so answers as it
would have. Waiting between two tries is a random time between nothing and a limit that doubles ("full jitter"), so
that many clients do not come back at once; a Retry-After of the gateway comes on top.
"""

import random
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import msgspec

from deploy.client.checking import named
from deploy.client.gateway import Answer, Gateway, NoAnswer
from deploy.client.receipts import Receipt
from schemas.errors import WrongInput

EVENTS: Final = "/v1/events"
_DECIDED: Final = {200, 202, 207, 403, 422}
"""Answers with a receipt for every event. 403: the token may say none of them; without receipts, nothing at all."""

_TOO_LARGE, _FORBIDDEN, _UNPROCESSABLE = 413, 403, 422
_AGAIN: Final = {408, 409, 425, 429, 500, 502, 503, 504}
"""409: an earlier try of the same key is still at work."""


@dataclass(frozen=True, slots=True)
class Retrying:
    """How long to go on: `tries` in all, the limit of the first wait and of the longest (seconds).

    A Retry-After above the longest wait ends the tries. A `send` with a spool tries less: twice, and once while the
    gateway is away.
    """

    tries: int = 8
    first_s: float = 0.25
    longest_s: float = 20.0


class NotDelivered(Exception):
    """Not now. `wait_s`: the gateway asked to be left alone for so long (0: it did not)."""

    def __init__(self, why: str, wait_s: float) -> None:
        super().__init__(why)
        self.wait_s = wait_s


class Delivery:
    """Delivers batches to one gateway; thread-safe. `rest`: waits so many seconds; True: stop trying."""

    def __init__(self, gateway: Gateway, retrying: Retrying, rest: Callable[[float], bool]) -> None:
        self._gateway: Final = gateway
        self._retrying: Final = retrying
        self._rest: Final = rest
        self._not_before = 0.0

    def deliver(
        self, key: str, raws: Sequence[bytes], *, tries: int | None = None, longest_s: float | None = None
    ) -> list[Receipt]:
        """A receipt for each line, in order; `tries` and `longest_s` where they are to be fewer and shorter.

        Raises NotDelivered, or WrongInput where trying again is no use.
        """
        most = self._retrying.tries if tries is None else tries
        longest = self._retrying.longest_s if longest_s is None else longest_s
        why = "it has asked to be left alone"
        for number in range(most):
            asked = max(0.0, self._not_before - time.monotonic())
            limit = min(longest, self._retrying.first_s * 2 ** (number - 1)) if number else 0.0
            if asked > longest:
                break
            if (number or asked) and self._rest(asked + random.uniform(0, limit)):  # noqa: S311  # a wait, no secret
                break
            try:
                answer = self._gateway.post(EVENTS, b"\n".join(raws) + b"\n", "application/x-ndjson", key)
            except NoAnswer as error:
                why = str(error)
                continue
            receipts = _receipts(answer, raws) if answer.status in _DECIDED else None
            if receipts is not None:
                return receipts
            if answer.status in _DECIDED - {_FORBIDDEN}:
                why = f"its answer {answer.status} has not a receipt for every event: {problem(answer)}"
                if answer.status == _UNPROCESSABLE:
                    key = uuid.uuid4().hex  # it may be the key that it does not like
            elif answer.status == _TOO_LARGE:
                return self._halves(key, raws, answer)
            elif answer.status in _AGAIN:
                why = f"{answer.status}: {problem(answer)}"
                self._not_before = time.monotonic() + retry_after(answer)
            else:
                raise unwelcome(self._gateway.url, answer)
        raise NotDelivered(why, max(0.0, self._not_before - time.monotonic()))

    def _halves(self, key: str, raws: Sequence[bytes], answer: Answer) -> list[Receipt]:
        """What is too large for one request goes in two; a single event that is, is refused."""
        if len(raws) == 1:
            return [_refused(0, raws[0], "too_large", problem(answer))]
        middle = len(raws) // 2
        first = self.deliver(f"{key}.0", raws[:middle])
        rest = self.deliver(f"{key}.1", raws[middle:])
        return [*first, *(replace(told, index=told.index + middle) for told in rest)]


def retry_after(answer: Answer) -> float:
    """The seconds that a gateway asks to wait: a number or a date; 0 where it says nothing that can be read."""
    said = answer.headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit():
        return float(said)
    try:
        when = parsedate_to_datetime(said)
    except ValueError:
        return 0.0
    return max(0.0, (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() - datetime.now(UTC).timestamp())


def problem(answer: Answer) -> str:
    """What a problem answer (RFC 9457) says, in one line."""
    try:
        said = _OBJECT.decode(answer.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        said = {}
    told = said.get("detail") or said.get("title") or ""
    return " ".join(str(told).split()) or "it gives no reason"


def unwelcome(url: str, answer: Answer) -> WrongInput:
    """The error for an answer that stays the same however often one asks."""
    said = f"{url} answers {answer.status}"
    if answer.status in {401, 403}:
        return WrongInput(f"{said}: {problem(answer)} Check the token, and what it may say.")
    location = answer.headers.get("location")
    if location:
        return WrongInput(f"{said}: it has moved to {location}. Give that address; a token is not sent on.")
    return WrongInput(f"{said}: {problem(answer)} Check that the address is a Quayside gateway's.")


def _receipts(answer: Answer, raws: Sequence[bytes]) -> list[Receipt] | None:
    """A receipt for every line; None where the answer leaves one out: then nobody knows."""
    try:
        said = _OBJECT.decode(answer.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    told = said.get("receipts")
    found: dict[int, Receipt] = {}
    for one in told if isinstance(told, list) else ():
        if isinstance(one, dict) and isinstance(one.get("index"), int) and 0 <= one["index"] < len(raws):
            found[one["index"]] = _receipt(one, raws[one["index"]])
    return [found[index] for index in range(len(raws))] if len(found) == len(raws) else None


def _receipt(told: dict[str, Any], raw: bytes) -> Receipt:
    source, event_id = named(raw)
    return Receipt(
        told["index"],
        "accepted" if told.get("status") == "accepted" else "refused",
        source,
        event_id,
        topic=str(told.get("topic") or ""),
        cause=str(told.get("cause") or ""),
        field=str(told.get("field") or ""),
        reason=str(told.get("reason") or ""),
    )


def _refused(index: int, raw: bytes, cause: str, reason: str) -> Receipt:
    source, event_id = named(raw)
    return Receipt(index, "refused", source, event_id, cause=cause, reason=reason)


_OBJECT: Final = msgspec.json.Decoder(dict[str, Any])
