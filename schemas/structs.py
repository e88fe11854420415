"""The contract a second time, as msgspec structs made from the pydantic models: the fast way to read events.

pydantic is the contract and has the last word; it takes 8-17 microseconds an event, a struct 2-3. So what the
structs accept is read by them, and what they refuse, for whatever reason, goes to pydantic, which accepts it
after all or tells why not. The structs may therefore be stricter than the contract, never laxer, and never
read another value: tests/schemas/test_structs.py holds that by property. Records that come together are read
together, as lines of one text, at two thirds of the price.

Three things they leave to pydantic without looking closer, by the bytes of the record: a backslash (escaped
characters), DEL, `|` and `>` (characters that some names refuse), and fractions of seven or more digits (of a
second, where rounding differs). Items, units and the like come again and again: whether one has the form that its
pattern asks for is remembered.
"""

import re
import types
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from operator import attrgetter, call, itemgetter
from typing import Annotated, Any, ClassVar, Final, Literal, Union, cast, get_args, get_origin

import msgspec
from annotated_types import Ge, Le, MaxLen, MinLen
from pydantic import AwareDatetime, BaseModel
from pydantic.fields import FieldInfo

from schemas.event import Event
from schemas.rules import NONE, Check, Numbers, Rules, closed, rules_of, texts
from schemas.times import all_ms, due_ms, to_ms

_BACKSLASH, _DEL, _BAR, _GREATER = b"\\\x7f|>"
_FINE_FRACTION: Final = re.compile(rb"\.[0-9]{7}").search


class StructReader:
    """Reads the events of one topic: `models` are its event types by their `type`."""

    def __init__(self, models: Iterable[type[Event]]) -> None:
        self._models = tuple(models)
        structs = tuple(_event_struct(model, "checked") for model in self._models)
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

    def read_all(self, raws: Sequence[bytes]) -> tuple[list[Event], int] | None:
        """The events of several records, as `read` has them, and the last moment that one of them tells (ms).

        None: they have to be read one by one. They are decoded as the lines of one text, which nothing can make
        another reading of: each begins with `{` and ends with `}`. JSON has no line ends in its texts, and nowhere a
        `{` right after a `}` but between two whole values; so each record holds one whole object or more, and where
        there are as many objects as records, each holds its own and no more.
        """
        if {*map(_FIRST, raws)} != {b"{"} or {*map(_LAST, raws)} != {b"}"}:
            return None
        lines = b"\n".join(raws)
        if _BACKSLASH in lines or _DEL in lines or _BAR in lines or _GREATER in lines or _FINE_FRACTION(lines):
            return None
        decode, rules = self._together
        try:
            events = decode(lines)
            if len(events) != len(raws) or not _hold(events, rules):
                return None
            occurred, recorded = (all_ms(map(moment, events)) for moment in _MOMENTS)
        except (msgspec.MsgspecError, ArithmeticError, ValueError, RecursionError):
            return None
        for event, occurred_ms, recorded_ms in zip(events, occurred, recorded, strict=True):
            event.occurred_ms = occurred_ms
            event.recorded_ms = recorded_ms
        return cast("list[Event]", events), max(*occurred, *recorded)

    @cached_property
    def _together(self) -> tuple[Callable[[bytes], list[Any]], dict[type, Rules]]:
        """What decodes lines, and what has to hold of each type: of events that come together it is asked together."""
        structs = {_event_struct(model, "bare"): _RULES[model] for model in self._models}
        decoder: Any = msgspec.json.Decoder(Union[tuple(structs)])  # noqa: UP007  # made at run time
        return decoder.decode_lines, structs


def _hold(events: Sequence[Any], rules: dict[type, Rules]) -> bool:
    """Whether all of them are within their rules, which several types of event may share."""
    theirs = [rules[kind] for kind in map(type, events)]
    for one in {*theirs}:
        if not one.all_hold([event for event, its in zip(events, theirs, strict=True) if its is one]):
            return False
    return True


_FIRST: Final = itemgetter(slice(0, 1))
_LAST: Final = itemgetter(slice(-1, None))
_MOMENTS: Final = (attrgetter("occurred_at"), attrgetter("recorded_at"))


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


def _event_struct(model: type[Event], how: "_How") -> type[msgspec.Struct]:
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
    return _struct(model, _EventStruct, shared, how, tag=kind)


def _struct(
    model: type[BaseModel], base: type[msgspec.Struct], shared: dict[str, Any], how: "_How", tag: str | None = None
) -> type[msgspec.Struct]:
    fields: list[Any] = []
    checks: list[tuple[str, Check]] = []
    parts: list[tuple[str, Rules]] = []
    for name, field in model.model_fields.items():
        if name == "type" and tag is not None:
            continue
        kind = _kind(field.annotation, field.metadata, how)
        check = _check(field)
        if check is not None:
            checks.append((name, check))
        parts += _rules_of_parts(name, field.annotation)
        fields.append((name, kind) if field.is_required() else (name, kind, _default(field, kind)))
    _RULES[model] = rules_of(tuple(checks), tuple(parts))
    namespace = {**shared, **({"__post_init__": _checked(checks)} if checks and how == "checked" else {})}
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


def _kind(annotation: Any, metadata: Iterable[Any], how: "_How", *, element: bool = False) -> Any:
    """The msgspec type of a field, or of an element of one, with those of its constraints that msgspec knows."""
    bare, more = _unwrapped(annotation)
    constraints = [*metadata, *more]
    origin, inner = get_origin(bare), get_args(bare)
    if bare in _KNOWN:
        kind = _KNOWN[bare]
    elif origin is Literal:
        kind = bare
    elif origin in _UNIONS:
        kind = Union[tuple(None if arm is type(None) else _kind(arm, (), how) for arm in inner)]  # noqa: UP007  # made at run time
    elif origin is tuple:
        kind = tuple[_kind(inner[0], (), how, element=True), ...]  # type: ignore[misc]  # made at run time
    elif origin is dict:
        kind = dict[_kind(inner[0], (), how, element=True), _kind(inner[1], (), how, element=True)]  # type: ignore[misc]  # made at run time
    elif isinstance(bare, type) and issubclass(bare, BaseModel):
        kind = _part(bare, how)
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


def _part(model: type[BaseModel], how: "_How") -> type[msgspec.Struct]:
    """The struct of a part; one per model, so that all events share it."""
    if (model, how) not in _PARTS:
        _PARTS[model, how] = _struct(model, _Part, {}, how)
    return _PARTS[model, how]


class _Part(msgspec.Struct, frozen=True, gc=False):
    """What the structs of parts are made from."""


_UNIONS: Final = {Union, types.UnionType}
_KNOWN: Final[dict[Any, Any]] = {
    Decimal: int | Decimal,
    datetime: Annotated[datetime, msgspec.Meta(tz=True)],
    AwareDatetime: Annotated[datetime, msgspec.Meta(tz=True)],
}
_How = Literal["checked", "bare"]
"""`checked`: a struct that is read looks after its own values. `bare`: whoever reads it does (schemas/rules.py)."""

_PARTS: dict[tuple[type[BaseModel], _How], type[msgspec.Struct]] = {}


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
            meta["pattern"] = closed(pattern)
    return Annotated[kind, msgspec.Meta(**meta)] if meta else kind


def _check(field: FieldInfo) -> Check | None:
    """What msgspec does not check of a field, as a test of its values; None: nothing."""
    annotation = field.annotation
    optional = get_origin(annotation) in _UNIONS
    for arm in get_args(annotation) if optional else (annotation,):
        bare, more = _unwrapped(arm)
        constraints = [*field.metadata, *more]
        patterns = [pattern for one in constraints if (pattern := getattr(one, "pattern", None)) is not None]
        if bare is Decimal:
            return Numbers.within(constraints)
        if bare is str and patterns and not _only_refuses_characters(patterns[0]):
            return texts(patterns[0])
    return None


def _only_refuses_characters(pattern: str) -> bool:
    """Whether the byte scan makes sure of the pattern: `^[^...]+$` with no character below but control ones."""
    found = re.fullmatch(r"\^\[\^(.*)\][+*]\$", pattern)
    return found is not None and r"\x20" not in found[1]


def _checked(checks: Iterable[tuple[str, Check]]) -> Callable[[Any], None]:
    """A check of these fields when a struct has been read."""
    names, tests = zip(*((name, check.fits) for name, check in checks), strict=True)
    values_of = attrgetter(*names) if len(names) > 1 else lambda said: (getattr(said, names[0]),)

    def check(said: Any) -> None:
        if not all(map(call, tests, values_of(said))):
            message = "for pydantic to judge"
            raise ValueError(message)

    return check


_RULES: Final[dict[type[BaseModel], Rules]] = {}


def _rules_of_parts(name: str, annotation: Any) -> list[tuple[str, Rules]]:
    """The rules of the parts in a field, where it has any."""
    bare, _ = _unwrapped(annotation)
    several = get_origin(bare) is tuple
    part = _unwrapped(get_args(bare)[0])[0] if several else bare
    found = [model for model in _models_in(bare) if _RULES[model] is not NONE]
    if found and not (several and found == [part]):
        message = f"the parts of {name} have rules that nobody would look at: they are looked for in tuples only"
        raise TypeError(message)
    return [(name, _RULES[model]) for model in found]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """The models in an annotation, wherever they stand."""
    if isinstance(annotation, type) and not get_args(annotation) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models_in(inner)]


def _default(field: FieldInfo, kind: Any) -> Any:
    """The field's default, as the struct has it."""
    if isinstance(field.default, BaseModel):
        return kind()
    if field.default == {}:
        return msgspec.field(default_factory=dict)
    return field.default
