"""The contract, before anything leaves this machine: the same decision, in the same words, as the gateway's.

What only the gateway can know is left to it: whether the token may speak for the source, and whether a correction
keeps its key.
"""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import msgspec

from deploy.client.receipts import Receipt
from schemas.event import Event
from schemas.wire import Rejection

Sendable: TypeAlias = Event | Mapping[str, Any] | bytes | str
"""An event: a model of the contract, a mapping as its JSON object, or that object as the bytes (text) that go out."""


def encoded(said: Sendable) -> bytes | Rejection:
    """The one line that goes out. Bytes stay as they are, but for line ends, which become spaces."""
    if isinstance(said, str):
        said = said.encode("utf-8", "surrogatepass")  # a lone surrogate is then refused as no UTF-8
    if isinstance(said, bytes):
        # JSON has line ends only between its tokens.
        return said.strip().replace(b"\r", b" ").replace(b"\n", b" ")
    if isinstance(said, Event):
        # Without defaults, so that the same event is the same bytes, however it was made.
        return said.model_dump_json(exclude_defaults=True).encode()
    try:
        return msgspec.json.encode(dict(said))
    except (TypeError, ValueError, RecursionError) as error:
        return Rejection("not_json", f"The event cannot be written as JSON: {error}. Use texts, numbers and lists.")


def named(raw: bytes) -> tuple[str, str]:
    """The source and event_id that a line bears, as far as it bears them."""
    try:
        said = _NAMED.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return "", ""
    return str(said.source or ""), str(said.event_id or "")


def refusal(index: int, raw: bytes, rejection: Rejection) -> Receipt:
    """The receipt of an event that the contract refuses."""
    source, event_id = named(raw)
    return Receipt(
        index,
        "refused",
        source,
        event_id,
        cause=rejection.cause,
        field=rejection.field,
        reason=rejection.reason,
    )


class _Named(msgspec.Struct):
    source: Any = None
    event_id: Any = None


_NAMED: Final = msgspec.json.Decoder(_Named)
