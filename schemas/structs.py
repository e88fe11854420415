"""The contract a second time, as msgspec structs made from the pydantic models: the fast way to read events.

pydantic is the contract and has the last word; it takes 8-17 microseconds an event, a struct 2-3. So what the
structs accept is read by them, and what they refuse, for whatever reason, goes to pydantic, which accepts it
after all or tells why not. The structs may therefore be stricter than the contract, never laxer, and never
read another value: tests/schemas/test_structs.py holds that by property.

Three things they leave to pydantic without looking closer, by the bytes of the record: a backslash (escaped
characters), DEL, `|` and `>` (characters that some names refuse), and fractions of seven or more digits (of a
second, where rounding differs).
"""

import re
import types
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Final, Literal, Union, cast, get_args, get_origin

import msgspec
from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import AwareDatetime, BaseModel
from pydantic.fields import FieldInfo

from schemas.event import Event
from schemas.times import due_ms, to_ms

_REFUSED_BY_SOME: Final = b"\\\x7f|>"
_FINE_FRACTION: Final = re.compile(rb"\.[0-9]{7}")


class StructReader:
    """Reads the events of one topic: `models` are its event types by their `type`."""

    def __init__(self, models: Iterable[type[Event]]) -> None:
        structs = tuple(_event_struct(model) for model in models)
        self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(Union[structs]).decode  # noqa: UP007  # made at run time

    def read(self, raw: bytes) -> Event | None:
        """The event, with every attribute that its model has; None: ask pydantic."""
        if len(raw.translate(None, _REFUSED_BY_SOME)) != len(raw) or _FINE_FRACTION.search(raw) is not None:
            return None
        try:
            return cast("Event", self._decode(raw))
        except (msgspec.MsgspecError, ArithmeticError, ValueError, RecursionError):
            return None


class _EventStruct(msgspec.Struct, frozen=True):
    """What the structs of events share with `schemas.event.Event`."""

    by_day: ClassVar[bool]

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
    scaled: list[tuple[str, Any, Any, int]] = []
    for name, field in model.model_fields.items():
        if name == "type" and tag is not None:
            continue
        kind = _kind(field.annotation, field.metadata)
        bounds = _bounds(field)
        if bounds is not None:
            scaled.append((name, *bounds))
        fields.append((name, kind) if field.is_required() else (name, kind, _default(field, kind)))
    namespace = {**shared, **({"__post_init__": _checks(scaled)} if scaled else {})}
    return msgspec.defstruct(
        model.__name__,
        fields,
        bases=(base,),
        namespace=namespace,
        tag_field="type" if tag is not None else None,
        tag=tag,
        frozen=True,
        forbid_unknown_fields=True,
        kw_only=True,
    )


def _kind(annotation: Any, metadata: Iterable[Any]) -> Any:
    """The msgspec type of a field, with those of its constraints that msgspec knows."""
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
        kind = tuple[_kind(inner[0], ()), ...]  # type: ignore[misc]  # made at run time
    elif origin is dict:
        kind = dict[_kind(inner[0], ()), _kind(inner[1], ())]  # type: ignore[misc]  # made at run time
    elif isinstance(bare, type) and issubclass(bare, BaseModel):
        kind = _part(bare)
    else:
        kind = bare
    return _limited(kind, constraints)


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


class _Part(msgspec.Struct, frozen=True):
    """What the structs of parts are made from."""


_UNIONS: Final = {Union, types.UnionType}
_KNOWN: Final[dict[Any, Any]] = {
    Decimal: int | Decimal,
    datetime: Annotated[datetime, msgspec.Meta(tz=True)],
    AwareDatetime: Annotated[datetime, msgspec.Meta(tz=True)],
}
_PARTS: dict[type[BaseModel], type[msgspec.Struct]] = {}


def _limited(kind: Any, constraints: Iterable[Any]) -> Any:
    """The type with its limits. Patterns that only refuse certain characters are checked on the whole record."""
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
        elif pattern is not None and not _only_refuses_characters(pattern):
            meta["pattern"] = pattern.removesuffix("$") + r"\Z"
    return Annotated[kind, msgspec.Meta(**meta)] if meta else kind


def _only_refuses_characters(pattern: str) -> bool:
    """Whether the byte scan makes sure of the pattern: `^[^...]+$` with no character below but control ones."""
    found = re.fullmatch(r"\^\[\^(.*)\][+*]\$", pattern)
    return found is not None and r"\x20" not in found[1]


def _bounds(field: FieldInfo) -> tuple[Any, Any, int] | None:
    """Of a decimal field: least and greatest value, and the factor that makes it whole. None for other fields.

    Open limits become closed ones: the next value that has so many decimals.
    """
    annotation = field.annotation
    for arm in get_args(annotation) if get_origin(annotation) in _UNIONS else (annotation,):
        bare, more = _unwrapped(arm)
        if bare is Decimal:
            constraints = [*field.metadata, *more]
            places = next((one.decimal_places for one in constraints if getattr(one, "decimal_places", None)), 0)
            step = Decimal(1).scaleb(-places)
            least, most = Decimal("-Infinity"), Decimal("Infinity")
            for one in constraints:
                if isinstance(one, Ge | Gt):
                    least = Decimal(str(one.ge)) if isinstance(one, Ge) else Decimal(str(one.gt)) + step
                elif isinstance(one, Le | Lt):
                    most = Decimal(str(one.le)) if isinstance(one, Le) else Decimal(str(one.lt)) - step
            return least, most, 10**places
    return None


def _checks(scaled: list[tuple[str, Any, Any, int]]) -> Callable[[Any], None]:
    """A check of all decimal fields: within their limits, and no finer than they may be."""

    def check(said: Any) -> None:
        for name, least, most, factor in scaled:
            value = getattr(said, name)
            if value is None or (type(value) is int and least <= value <= most):
                continue
            if not least <= value <= most or _is_finer(value, factor):
                message = f"{name} is for pydantic to judge"
                raise ValueError(message)

    return check


def _is_finer(value: Any, factor: int) -> bool:
    """Whether a decimal has more places than the factor makes whole."""
    return type(value) is Decimal and 10 ** -int(value.as_tuple().exponent) > factor


def _default(field: FieldInfo, kind: Any) -> Any:
    """The field's default, as the struct has it."""
    if isinstance(field.default, BaseModel):
        return kind()
    if field.default == {}:
        return msgspec.field(default_factory=dict)
    return field.default
