"""From a Kafka record to an event, or to the reason why it is none.

The agents, the history sink and the suppliers' door all decide by `read`, so that a record is an event
for all of them or a dead letter for all of them. The decision depends on nothing but the record: its
topic, its bytes and the broker's append time.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any, Final, Literal

import msgspec
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from schemas.event import Event
from schemas.operator import OperatorEvent
from schemas.reference import ReferenceEvent
from schemas.shipment import ShipmentEvent
from schemas.structs import StructReader
from schemas.supplier import SupplierEvent
from schemas.times import DAY_MS, rfc3339
from schemas.warehouse import WarehouseEvent
from schemas.wording import instead

MAX_RECORD_BYTES: Final = 900_000
"""Larger records are refused; brokers take 1 MB with default settings."""

CLOCK_TOLERANCE_MS: Final = DAY_MS
"""How far ahead of the broker's append time a clock may be before its event is refused."""

_TOGETHER: Final = 256
"""So many records are read at once. Where one of them is out of the ordinary, they are halved ..."""

_FEW: Final = 8
"""... until there are so few that they are read one by one."""

Cause = Literal[
    "empty",
    "too_large",
    "not_json",
    "unknown_type",
    "wrong_topic",
    "invalid",
    "recorded_in_future",
    "occurred_in_future",
    "unmapped",
    "unstorable",
]
"""Why a record is no event. `unmapped` is for adapters: a row of a file that no event can be made of. `unstorable`: it
is one, but the store refused its row."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a record is no event: a cause to count by, and a sentence that tells what to mend."""

    cause: Cause
    reason: str
    field: str = ""


def read(topic: str, raw: bytes | None, appended_at: int) -> Event | Rejection:
    """The event in a record of a fact topic, or why there is none.

    `appended_at` is the broker's append time in ms (for a replayed record, its first one).
    """
    if not raw:
        return Rejection("empty", "The record has no value: an event is a JSON object.")
    if len(raw) > MAX_RECORD_BYTES:
        return Rejection(
            "too_large",
            f"The record has {len(raw)} bytes, more than {MAX_RECORD_BYTES}: send fewer lines in one event.",
        )
    event = _STRUCTS[topic].read(raw)
    if event is None:
        said = judge(topic, raw)
        if isinstance(said, Rejection):
            return said
        event = said
    latest = appended_at + CLOCK_TOLERANCE_MS
    if event.recorded_ms <= latest and event.occurred_ms <= latest:
        return event
    return _too_early(event, latest) or event


def read_all(topic: str, raws: Sequence[bytes], appended_at: Sequence[int]) -> list[Event | Rejection]:
    """What `read` says of each of these records of a fact topic, in their order, at less than it costs one by one."""
    found: list[Event | Rejection] = []
    for start in range(0, len(raws), _TOGETHER):
        found += _read_together(topic, raws[start : start + _TOGETHER], appended_at[start : start + _TOGETHER])
    return found


def _read_together(topic: str, raws: Sequence[bytes], appended_at: Sequence[int]) -> Iterable[Event | Rejection]:
    if len(raws) < _FEW:
        return map(read, repeat(topic), raws, appended_at)
    # So many bytes are no more than one record may have: none of them is too large.
    said = _STRUCTS[topic].read_all(raws) if sum(map(len, raws)) <= MAX_RECORD_BYTES else None
    if said is None:
        half = len(raws) // 2
        return chain(
            _read_together(topic, raws[:half], appended_at[:half]),
            _read_together(topic, raws[half:], appended_at[half:]),
        )
    events, last = said
    return events if last <= min(appended_at) + CLOCK_TOLERANCE_MS else map(_judged, events, appended_at)


def read_any(raw: bytes, arrived_at: int) -> Event | Rejection:
    """The event that some bytes are, whatever its topic, or why they are none; `arrived_at` in ms.

    For doors, where nothing but the event's `type` says which topic it belongs to.
    """
    try:
        said = _TYPE.decode(raw).type
    except msgspec.ValidationError:
        said = ""
    except (RecursionError, UnicodeDecodeError):
        reason = "The line is nested too deeply, or not UTF-8. Write an event as docs/events.md shows."
        return Rejection("not_json", reason)
    except msgspec.DecodeError as error:
        return Rejection("not_json", f"The line is not JSON: {error}. Write one JSON object per line, in UTF-8.")
    topic = topic_of(said)
    if topic is not None:
        return read(topic, raw, arrived_at)
    if len(said) > _SHOWN:
        said = said[:_SHOWN] + "..."
    what = f"type {said!r} is not known" if said else "The line is no event: it has no `type` of ours"
    return Rejection("unknown_type", f"{what}; {instead(said, event_types())}", "type")


def judge(topic: str, raw: bytes) -> Event | Rejection:
    """What the contract itself says of a record's bytes, without the fast way and without a clock."""
    try:
        event: Event = _BY_TOPIC[topic].validate_json(raw)
    except ValidationError as error:
        return _rejection(topic, raw, error)
    return event


def topic_of(event_type: str) -> str | None:
    """The fact topic that events of this type travel on, or None for a type that does not exist."""
    return _TOPIC_OF_TYPE.get(event_type)


def event_types() -> dict[str, type[Event]]:
    """Every event type's model, by its `type`, in the order of the contract."""
    return dict(_MODEL_OF_TYPE)


def _judged(event: Event, appended_at: int) -> Event | Rejection:
    """The event, unless it claims to be from the future."""
    latest = appended_at + CLOCK_TOLERANCE_MS
    return event if max(event.recorded_ms, event.occurred_ms) <= latest else _too_early(event, latest) or event


def _too_early(event: Event, latest: int) -> Rejection | None:
    """Refuse what claims to be from the future, after `latest` (ms): one fast clock would win for ever."""
    if event.recorded_ms > latest:
        return Rejection(
            "recorded_in_future",
            f"recorded_at {rfc3339(event.recorded_ms)} is more than 24 h after the record's arrival: "
            f"check the clock of {event.source!r}.",
            "recorded_at",
        )
    planned = getattr(event, "classifier", "actual") != "actual"
    if not planned and event.occurred_ms > latest:
        return Rejection(
            "occurred_in_future",
            f"occurred_at {rfc3339(event.occurred_ms)} is more than 24 h after the record's arrival, "
            f"but a {event.type} tells what has happened: "  # type: ignore[attr-defined]
            f"check the clock of {event.source!r}.",
            "occurred_at",
        )
    return None


def _rejection(topic: str, raw: bytes, error: ValidationError) -> Rejection:
    """One sentence out of pydantic's list: the first problem, and how many more there are."""
    problems = error.errors(include_url=False, include_context=True)
    first = problems[0]
    if first["type"] == "json_invalid":
        detail = str(first.get("ctx", {}).get("error", "not valid JSON"))
        return Rejection("not_json", f"The record is not JSON: {detail}. Send one JSON object in UTF-8 per record.")
    if first["type"] in {"union_tag_invalid", "union_tag_not_found"}:
        return _unknown_type(topic, raw)
    if first["type"] in {"model_type", "model_attributes_type", "dict_type"} and len(first["loc"]) <= 1:
        return Rejection("invalid", "The record is JSON, but not an object: an event is a JSON object.")
    return Rejection("invalid", _sentence(first, len(problems) - 1), _path(first))


def _unknown_type(topic: str, raw: bytes) -> Rejection:
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        document = None
    said = document.get("type") if isinstance(document, dict) else None
    if said is None:
        known = ", ".join(kind for kind, place in _TOPIC_OF_TYPE.items() if place == topic)
        return Rejection("unknown_type", f"The event has no `type`: {topic} takes {known}.", "type")
    if isinstance(said, str) and said in _TOPIC_OF_TYPE:
        return Rejection(
            "wrong_topic",
            f"type {said!r} belongs to {_TOPIC_OF_TYPE[said]}, not to {topic}: send it there.",
            "type",
        )
    known = ", ".join(kind for kind, place in _TOPIC_OF_TYPE.items() if place == topic)
    return Rejection("unknown_type", f"type {said!r} is not known: {topic} takes {known}.", "type")


def _path(problem: ErrorDetails) -> str:
    """The field, as a person would point to it: `lines[0].quantity`; the union's tag is left out."""
    parts = list(problem["loc"])
    if parts and parts[0] in _TOPIC_OF_TYPE:
        parts = parts[1:]
    path = ""
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path


def _sentence(problem: ErrorDetails, more: int) -> str:
    path, kind = _path(problem), problem["type"]
    value: Any = problem.get("input")
    shown = json.dumps(value, default=str, ensure_ascii=False)
    shown = shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "..."
    if kind == "missing":
        sentence = f"{path} is missing: it is required"
    elif kind == "extra_forbidden":
        sentence = f"{path} is not a field of this event: take it out, or put it under `attributes`"
    elif kind == "timezone_aware":
        sentence = f"{path} {shown} has no UTC offset: write it with one, as in 2026-11-22T10:00:00Z or ...+02:00"
    elif kind.startswith("datetime"):
        sentence = f"{path} {shown} is not an RFC 3339 time: write it as in 2026-11-22T10:00:00+02:00"
    elif kind == "string_pattern_mismatch" and path.endswith("item"):
        sentence = f"{path} {shown} is not an item: write a GTIN, or owner:code (such as acme:4711)"
    elif kind == "string_pattern_mismatch":
        sentence = f"{path} {shown} has a character or form that is not allowed here"
    else:
        message = problem["msg"]
        sentence = f"{path} {shown} is wrong: {message[:1].lower()}{message[1:]}"
    return sentence + (f" (and {more} more problem{'s' if more > 1 else ''})." if more else ".")


_SHOWN: Final = 80


class _Typed(msgspec.Struct):
    type: str = ""


_TYPE: Final = msgspec.json.Decoder(_Typed)
_BY_TOPIC: Final[dict[str, TypeAdapter[Any]]] = {
    "supplier.events": TypeAdapter(SupplierEvent),
    "shipment.events": TypeAdapter(ShipmentEvent),
    "warehouse.events": TypeAdapter(WarehouseEvent),
    "operator.events": TypeAdapter(OperatorEvent),
    "reference.events": TypeAdapter(ReferenceEvent),
}


def _models() -> dict[str, type[Event]]:
    """Each model by its `type`, read off the unions."""
    found: dict[str, type[Event]] = {}
    for adapter in _BY_TOPIC.values():
        for tag, choice in adapter.core_schema["choices"].items():
            schema = choice
            while "cls" not in schema:
                schema = schema["schema"]
            found[tag] = schema["cls"]
    return found


_MODEL_OF_TYPE: Final = _models()
_STRUCTS: Final = {
    topic: StructReader(model for model in _MODEL_OF_TYPE.values() if model.topic == topic) for topic in _BY_TOPIC
}
_TOPIC_OF_TYPE: Final = {kind: model.topic for kind, model in _MODEL_OF_TYPE.items()}
