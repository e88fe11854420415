"""The contract a second time, as msgspec structs made from the pydantic models: the fast way to read events.

pydantic is the contract and has the last word; it takes 8-17 microseconds an event, a struct 2-3. So what the
structs accept is read by them, and what they refuse, for whatever reason, goes to pydantic, which accepts it
after all or tells why not. The structs may therefore be stricter than the contract, never laxer, and never
read another value: tests/schemas/test_structs.py holds that by property.

Three things they leave to pydantic without looking closer, by the bytes of the record: a backslash (escaped
characters), DEL, `|` and `>` (characters that some names refuse), and fractions of seven or more digits (of a
second, where rounding differs). Items, units and the like come again and again: whether one has the form that its
pattern asks for is remembered.
"""

import re
import types
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Context, Decimal, Inexact, InvalidOperation
from functools import lru_cache
from math import ceil, floor
from operator import attrgetter, call
from typing import Annotated, Any, ClassVar, Final, Literal, Union, cast, get_args, get_origin

import msgspec
from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import AwareDatetime, BaseModel
from pydantic.fields import FieldInfo

from schemas.event import Event
from schemas.times import due_ms, to_ms

_BACKSLASH, _DEL, _BAR, _GREATER = b"\\\x7f|>"
_FINE_FRACTION: Final = re.compile(rb"\.[0-9]{7}").search
_FLOAT_DIGITS: Final = 15
_REMEMBERED: Final = 16_384
"""Of so many texts per pattern it is remembered whether they have its form."""


class StructReader:
    """Reads the events of one topic: `models` are its event types by their `type`."""

    def __init__(self, models: Iterable[type[Event]]) -> None:
        structs = tuple(_event_struct(model) for model in models)
        self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(Union[structs]).decode  # noqa: UP007  # made at run time

    def read(self, raw: bytes) -> Event | None:
        """The event, with every attribute that its model has; None: ask pydantic."""
        # Four searches for a byte: each is one memchr, so that together they cost less than any single scan.
        if _BACKSLASH in raw or _DEL in raw or _BAR in raw or _GREATER in raw or _FINE_FRACTION(raw):
            return None
        try:
            event = self._decode(raw)
        except (msgspec.MsgspecError, ArithmeticError, ValueError, RecursionError):
            return None
        event.occurred_ms = to_ms(event.occurred_at)
        event.recorded_ms = to_ms(event.recorded_at)
        return cast("Event", event)


class _EventStruct(msgspec.Struct, gc=False):
    """What the structs of events share with `schemas.event.Event`.

    The two times in ms are worked out once, by the reader. No record can set them: their names on the wire have a
    bar, and records with a bar are not read by structs.
    """

    by_day: ClassVar[bool]
    occurred_ms: int = msgspec.field(default=0, name="|occurred_ms")
    recorded_ms: int = msgspec.field(default=0, name="|recorded_ms")

    def due(self, promised: datetime | None) -> int | None:
        """As Event.due."""
        return None if promised is None else due_ms(to_ms(promised), day_precision=self.by_day)


def _event_struct(model: type[Event]) -> type[msgspec.Struct]:
    """The struct of one event type, with the model's own entity_key."""
    kind = get_args(model.model_fields["type"].annotation)[0]
    shared = {
        "type": kind,
        "topic": model.topic,
        "entity_key": model.entity_key,
        "by_day": property(lambda said: said.precision == "day"),
        # isinstance(event, Received) is true of the struct too; pydantic's own looks for the second one first.
        "__class__": property(lambda _: model),
        "__pydantic_decorators__": model.__pydantic_decorators__,
    }
    return _struct(model, _EventStruct, shared, tag=kind)


def _struct(
    model: type[BaseModel], base: type[msgspec.Struct], shared: dict[str, Any], tag: str | None = None
) -> type[msgspec.Struct]:
    fields: list[Any] = []
    checks: list[tuple[str, Callable[[Any], bool]]] = []
    for name, field in model.model_fields.items():
        if name == "type" and tag is not None:
            continue
        kind = _kind(field.annotation, field.metadata)
        check = _check(field)
        if check is not None:
            checks.append((name, check))
        fields.append((name, kind) if field.is_required() else (name, kind, _default(field, kind)))
    namespace = {**shared, **({"__post_init__": _checked(checks)} if checks else {})}
    return msgspec.defstruct(
        model.__name__,
        fields,
        bases=(base,),
        namespace=namespace,
        tag_field="type" if tag is not None else None,
        tag=tag,
        frozen=tag is None,
        gc=False,
        forbid_unknown_fields=True,
        kw_only=True,
    )


def _kind(annotation: Any, metadata: Iterable[Any], *, element: bool = False) -> Any:
    """The msgspec type of a field, or of an element of one, with those of its constraints that msgspec knows."""
    bare, more = _unwrapped(annotation)
    constraints = [*metadata, *more]
    origin, inner = get_origin(bare), get_args(bare)
    if bare in _KNOWN:
        kind = _KNOWN[bare]
    elif origin is Literal:
        kind = bare
    elif origin in _UNIONS:
        kind = Union[tuple(None if arm is type(None) else _kind(arm, ()) for arm in inner)]  # noqa: UP007  # made at run time
    elif origin is tuple:
        kind = tuple[_kind(inner[0], (), element=True), ...]  # type: ignore[misc]  # made at run time
    elif origin is dict:
        kind = dict[_kind(inner[0], (), element=True), _kind(inner[1], (), element=True)]  # type: ignore[misc]  # made at run time
    elif isinstance(bare, type) and issubclass(bare, BaseModel):
        kind = _part(bare)
    else:
        kind = bare
    return _limited(kind, constraints, element=element)


def _unwrapped(annotation: Any) -> tuple[Any, list[Any]]:
    """An annotation without its Annotated, and what stood in it."""
    constraints: list[Any] = []
    while get_origin(annotation) is Annotated:
        annotation, *more = get_args(annotation)
        for one in more:
            constraints += one.metadata if isinstance(one, FieldInfo) else [one]
    return annotation, constraints


def _part(model: type[BaseModel]) -> type[msgspec.Struct]:
    """The struct of a part; one per model, so that all events share it."""
    if model not in _PARTS:
        _PARTS[model] = _struct(model, _Part, {})
    return _PARTS[model]


class _Part(msgspec.Struct, frozen=True, gc=False):
    """What the structs of parts are made from."""


_UNIONS: Final = {Union, types.UnionType}
_KNOWN: Final[dict[Any, Any]] = {
    Decimal: int | Decimal,
    datetime: Annotated[datetime, msgspec.Meta(tz=True)],
    AwareDatetime: Annotated[datetime, msgspec.Meta(tz=True)],
}
_PARTS: dict[type[BaseModel], type[msgspec.Struct]] = {}


def _limited(kind: Any, constraints: Iterable[Any], *, element: bool) -> Any:
    """The type with its limits. The patterns of fields are for `_check`, those of elements are here."""
    meta: dict[str, Any] = {}
    for one in constraints:
        pattern = getattr(one, "pattern", None)
        if isinstance(one, MinLen):
            meta["min_length"] = one.min_length
        elif isinstance(one, MaxLen):
            meta["max_length"] = one.max_length
        elif isinstance(one, Ge) and kind is int:
            meta["ge"] = one.ge
        elif isinstance(one, Le) and kind is int:
            meta["le"] = one.le
        elif element and pattern is not None and not _only_refuses_characters(pattern):
            meta["pattern"] = _closed(pattern)
    return Annotated[kind, msgspec.Meta(**meta)] if meta else kind


def _check(field: FieldInfo) -> Callable[[Any], bool] | None:
    """What msgspec does not check of a field, as a test of its value; None: nothing."""
    annotation = field.annotation
    optional = get_origin(annotation) in _UNIONS
    for arm in get_args(annotation) if optional else (annotation,):
        bare, more = _unwrapped(arm)
        constraints = [*field.metadata, *more]
        patterns = [pattern for one in constraints if (pattern := getattr(one, "pattern", None)) is not None]
        if bare is Decimal:
            return _number_check(constraints)
        if bare is str and patterns and not _only_refuses_characters(patterns[0]):
            return _text_check(patterns[0])
    return None


def _only_refuses_characters(pattern: str) -> bool:
    """Whether the byte scan makes sure of the pattern: `^[^...]+$` with no character below but control ones."""
    found = re.fullmatch(r"\^\[\^(.*)\][+*]\$", pattern)
    return found is not None and r"\x20" not in found[1]


def _closed(pattern: str) -> str:
    """The pattern as Python reads it as pydantic does: `$` is the end, not a line's."""
    return pattern.removesuffix("$") + r"\Z"


def _text_check(pattern: str) -> Callable[[Any], bool]:
    """Whether a text has the form; None has any."""
    matches = re.compile(_closed(pattern)).match

    @lru_cache(maxsize=_REMEMBERED)
    def fits(text: str | None) -> bool:
        return text is None or matches(text) is not None

    return fits


def _number_check(constraints: Iterable[Any]) -> Callable[[Any], bool]:
    """Whether a number is within its limits and no finer than it may be; None is. May raise ArithmeticError if not.

    Open limits become closed ones: the next value that has so many decimals.
    """
    places = next((one.decimal_places for one in constraints if getattr(one, "decimal_places", None)), 0)
    step = Decimal(1).scaleb(-places)
    # pydantic reads a number (not one in quotes) as a float, whose first 15 digits are what was written.
    most = Decimal(10) ** (_FLOAT_DIGITS - places) - step
    least = -most
    for one in constraints:
        if isinstance(one, Ge | Gt):
            least = max(least, Decimal(str(one.ge)) if isinstance(one, Ge) else Decimal(str(one.gt)) + step)
        elif isinstance(one, Le | Lt):
            most = min(most, Decimal(str(one.le)) if isinstance(one, Le) else Decimal(str(one.lt)) - step)
    whole = range(ceil(least), floor(most) + 1)
    rounded = Context(traps=[Inexact, InvalidOperation]).quantize

    def fits(value: int | Decimal | None) -> bool:
        if type(value) is Decimal:
            return least <= rounded(value, step) <= most
        return value is None or value in whole

    return fits


def _checked(checks: Iterable[tuple[str, Callable[[Any], bool]]]) -> Callable[[Any], None]:
    """A check of these fields when a struct has been read."""
    names, tests = zip(*checks, strict=True)
    values_of = attrgetter(*names) if len(names) > 1 else lambda said: (getattr(said, names[0]),)

    def check(said: Any) -> None:
        if not all(map(call, tests, values_of(said))):
            message = "for pydantic to judge"
            raise ValueError(message)

    return check


def _default(field: FieldInfo, kind: Any) -> Any:
    """The field's default, as the struct has it."""
    if isinstance(field.default, BaseModel):
        return kind()
    if field.default == {}:
        return msgspec.field(default_factory=dict)
    return field.default
