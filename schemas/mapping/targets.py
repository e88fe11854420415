"""What the types of events have that a mapping can fill, read off the contract."""

import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import AwareDatetime, BaseModel

from schemas.event import Event, Part, References
from schemas.wire import event_types

Kind = Literal["text", "number", "whole", "time", "flag", "texts", "lines"]
"""`texts`: a list of texts, one from each row; `lines`: a list of parts, one from each row."""

_OF_EVERY_EVENT: Final = frozenset(Event.model_fields) | {"type"}
_KINDS: Final[dict[Any, Kind]] = {
    str: "text",
    Decimal: "number",
    int: "whole",
    bool: "flag",
    datetime: "time",
    AwareDatetime: "time",
}


@dataclass(frozen=True, slots=True)
class Target:
    """A field that a value goes to. `choices`: the only texts that it takes; `parts`: the fields of a line."""

    name: str
    kind: Kind
    required: bool
    choices: tuple[str, ...] = ()
    parts: Mapping[str, "Target"] = field(default_factory=dict)


@lru_cache(maxsize=64)
def targets_of(event_type: str) -> dict[str, Target]:
    """The fields of an event type beyond those that every event has."""
    return _targets(event_types()[event_type], without=_OF_EVERY_EVENT)


@lru_cache(maxsize=1)
def reference_targets() -> dict[str, Target]:
    """What `references` can hold."""
    return _targets(References)


def _targets(model: type[BaseModel], without: frozenset[str] = frozenset()) -> dict[str, Target]:
    return {
        name: _target(name, told.annotation, required=told.is_required())
        for name, told in model.model_fields.items()
        if name not in without
    }


def _target(name: str, annotation: Any, *, required: bool) -> Target:
    plain = _bare(annotation)
    if get_origin(plain) is Literal:
        return Target(name, "text", required, choices=get_args(plain))
    if get_origin(plain) is tuple:
        inner = _bare(get_args(plain)[0])
        if isinstance(inner, type) and issubclass(inner, Part):
            return Target(name, "lines", required, parts=_targets(inner))
        return Target(name, "texts", required)
    return Target(name, _KINDS[plain], required)


def _bare(annotation: Any) -> Any:
    """Without limits, and without None as a choice."""
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation = get_args(annotation)[0]
        elif origin in {Union, types.UnionType}:
            (annotation,) = [choice for choice in get_args(annotation) if choice is not type(None)]
        else:
            return annotation
