"""docs/events.md: every event type with its fields, its meaning and an example, made from the models."""

import json
from collections.abc import Iterable, Iterator, Mapping
from inspect import cleandoc, getdoc
from types import MappingProxyType
from typing import Annotated, Any, Final, get_args

from pydantic import AwareDatetime, BaseModel, Field

from schemas import derived, reference
from schemas.contracts_examples import EXAMPLES
from schemas.contracts_json import is_versioned, type_schema
from schemas.contracts_meanings import MILESTONES, meaning
from schemas.contracts_prose import (
    AFTER_CORRECTIONS,
    CAUSES,
    COMPATIBILITY,
    IDENTIFIER_FINDINGS,
    MILESTONE_RULES,
    OPENING,
    PUBLISHED,
    RULES,
    STATE_FINDINGS,
)
from schemas.event import Currency, Event, Item, Label, Name, Part, References, Text, Unit
from schemas.quantities import Money, Quantity, Reading, SignedQuantity
from schemas.shipment import RANK
from schemas.times import DAY_MS
from schemas.topics import Topic, of_kind
from schemas.wire import event_types

_DEGREES: Final = reference.Degrees
_TYPES: Final[tuple[tuple[str, Any, str], ...]] = (
    ("name", Name, "Text of 1 to 200 characters that becomes part of a key: no control characters, no `|`, no `>`."),
    ("label", Label, "Text of 1 to 200 characters without control characters."),
    ("text", Text, "Text of up to 2000 characters; of control characters only tabs and line ends."),
    ("item", Item, "A GTIN (8, 12, 13 or 14 digits), or `owner:code`; up to 300 characters."),
    ("unit", Unit, "1 to 20 characters without spaces: a code of UN/ECE Recommendation 20 (`EA`, `MTR`), `pack`, ..."),
    ("currency", Currency, "ISO 4217 code, such as `EUR`."),
    ("time", AwareDatetime, "RFC 3339 with a UTC offset."),
    ("quantity", Quantity, "0 or more, below 10^12, at most three decimals; number or text."),
    ("signed quantity", SignedQuantity, "Like quantity, of either sign."),
    ("money", Money, "0 or more, below 10^12, at most six decimals; number or text."),
    ("reading", Reading, "Between -10^9 and 10^9, at most three decimals; number or text."),
    ("hours", reference.Hours, "Above 0 and below 100000, at most three decimals; number or text."),
    ("latitude", Annotated[_DEGREES, Field(ge=-90, le=90)], "-90 to 90, at most six decimals; number or text."),
    ("longitude", Annotated[_DEGREES, Field(ge=-180, le=180)], "-180 to 180, at most six decimals; number or text."),
    ("bool", bool, "`true` or `false`."),
)
_NAME_OF_TYPE: Final = MappingProxyType({json.dumps(type_schema(kind)): name for name, kind, _ in _TYPES})
_COMMON: Final = tuple(Event.model_fields)


def events_page(version: str) -> str:
    """The page, for this version of the contract."""
    return (
        "\n".join(
            [
                OPENING.format(version=version),
                _topics(),
                _common(),
                RULES,
                _correction(),
                AFTER_CORRECTIONS,
                _refusals(),
                *(_topic(topic) for topic in of_kind("fact")),
                _published(),
                COMPATIBILITY,
            ]
        ).rstrip("\n")
        + "\n"
    )


def type_name(schema: Mapping[str, Any]) -> str:
    """What to call the type of a field, given its JSON Schema. Raises KeyError for a type without a name."""
    plain = {name: part for name, part in schema.items() if name != "default"}
    known = _NAME_OF_TYPE.get(json.dumps(plain)) or _NAME_OF_TYPE.get(json.dumps(_undescribed(plain)))
    if known is not None:
        return known
    if "anyOf" in plain:
        (option,) = (option for option in plain["anyOf"] if option != {"type": "null"})
        return type_name(option)
    if "$ref" in plain:
        part = plain["$ref"].rpartition("/")[2]
        return f"[{part}](#{part.lower()})"
    return _composed(plain)


def _undescribed(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {name: part for name, part in schema.items() if name != "description"}


def _composed(schema: Mapping[str, Any]) -> str:
    """The name of a choice, a list, a map or a range."""
    if "enum" in schema:
        return "one of " + ", ".join(f"`{value}`" for value in schema["enum"])
    if schema["type"] == "array":
        return f"list of {schema.get('minItems', 0)} to {schema['maxItems']}: {type_name(schema['items'])}"
    if schema["type"] == "object":
        return f"up to {schema['maxProperties']} pairs: label, text"
    return f"{schema['type']}, {schema['minimum']} to {schema['maximum']}"


def parts_of(model: type[BaseModel]) -> tuple[type[Part], ...]:
    """The parts that a model's own fields are made of, such as the lines of an order."""
    found = (
        part for name, field in model.model_fields.items() if name not in _COMMON for part in _parts(field.annotation)
    )
    return tuple(dict.fromkeys(found))


def _parts(annotation: Any) -> Iterator[type[Part]]:
    if isinstance(annotation, type) and issubclass(annotation, Part):
        yield annotation
    for inner in get_args(annotation):
        yield from _parts(inner)


def _fields(model: type[BaseModel], names: Iterable[str]) -> str:
    """The table of a model's fields."""
    schema = type_schema(model)
    rows = []
    for name in names:
        field = model.model_fields[name]
        needed = "yes" if field.is_required() else _default(field.get_default(call_default_factory=True))
        rows.append((f"`{name}`", type_name(schema["properties"][name]), needed, meaning(model.__name__, name)))
    return _table(("field", "type", "required", "meaning"), rows)


def _default(value: Any) -> str:
    if value is None or isinstance(value, Part) or value in ((), {}, ""):
        return "no"
    return f"no: {json.dumps(value)}"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *(tuple(cell.replace("|", "\\|") for cell in row) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _example(document: Mapping[str, Any]) -> str:
    return f"```json\n{json.dumps(document, indent=2, ensure_ascii=False)}\n```\n"


def _topics() -> str:
    rows = [
        (f"[{topic.name}](#{topic.name.replace('.', '')})", f"`{topic.key}`", topic.purpose, _kept(topic))
        for topic in of_kind("fact")
    ]
    return "## Topics\n" + _table(("topic", "key", "purpose", "in Kafka"), rows)


def _kept(topic: Topic) -> str:
    """How long Kafka keeps the records; the history keeps them whatever this says."""
    return "for ever (compacted)" if topic.retention_ms is None else f"for {topic.retention_ms // DAY_MS} days"


def _common() -> str:
    return "\n".join(
        [
            "## What every event has",
            _fields(Event, _COMMON),
            "Every event also has `type`, and the fields that its key is made of.\n",
            "### References",
            _said(References),
            _fields(References, References.model_fields),
            "## Types of values",
            _table(("type", "what is taken"), [(name, about) for name, _, about in _TYPES]),
            "A field that is not required is left out where there is nothing to say.\n",
        ]
    )


def _correction() -> str:
    """An event, its correction and its retraction."""
    first = EXAMPLES["received"]
    corrected = first | {"recorded_at": "2026-04-15T15:20:00+02:00", "quantity": 996}
    retracted = corrected | {"recorded_at": "2026-04-15T16:00:00+02:00", "retracted": True}
    return "\n".join(
        [
            "The receipt shown under [received](#received), after a second look at the pallets:\n",
            _example(corrected),
            "And withdrawn:\n",
            _example(retracted),
        ]
    )


def _refusals() -> str:
    return "\n".join(
        [
            "### Causes of refusal",
            _table(("cause", "meaning"), [(f"`{cause}`", about) for cause, about in CAUSES.items()]),
            "### Findings of single events",
            _table(("finding", "meaning"), [(f"`{name}`", about) for name, about in IDENTIFIER_FINDINGS.items()]),
            "### Findings of what is derived",
            _table(
                ("finding", "shown at", "meaning"),
                [(f"`{name}`", where, about) for name, (where, about) in STATE_FINDINGS.items()],
            ),
        ]
    )


def _topic(topic: Topic) -> str:
    models = {kind: model for kind, model in event_types().items() if model.topic == topic.name}
    purpose = f"{topic.purpose[:1].upper()}{topic.purpose[1:]}. Key: `{topic.key}`. Kafka keeps it {_kept(topic)}."
    told: dict[type[Part], None] = {}
    sections = [
        f"## {topic.name}",
        f"{purpose}\n",
        "Types: " + ", ".join(f"[{kind}](#{kind})" for kind in models) + ".\n",
    ]
    for kind, model in models.items():
        own = [name for name in model.model_fields if name not in {*_COMMON, "type"}]
        sections += [f"### {kind}", _said(model), _fields(model, own)]
        if "milestone" in model.model_fields:
            sections.append(_milestones())
        for part in parts_of(model):
            if part not in told:
                told[part] = None
                sections += [f"#### {part.__name__}", _said(part), _fields(part, part.model_fields)]
        key = model.model_validate_json(json.dumps(EXAMPLES[kind])).entity_key()
        sections += [f"Example, with the Kafka key `{key}`:\n", _example(EXAMPLES[kind])]
    return "\n".join(sections)


def _milestones() -> str:
    rows = [(str(rank), f"`{name}`", MILESTONES[name]) for name, rank in RANK.items()]
    return f"{MILESTONE_RULES}\n" + _table(("rank", "milestone", "meaning"), rows)


def _published() -> str:
    rows = [
        (
            topic.name,
            f"`{topic.key}`",
            f"{topic.payload}{'' if is_versioned(topic) else ' (no version)'}",
            _saying(topic),
        )
        for topic in of_kind("view", "account")
    ]
    return f"{PUBLISHED}\n" + _table(("topic", "key", "record", "what it says"), rows)


def _saying(topic: Topic) -> str:
    """The first sentence of the record's docstring, without the topic's name before it."""
    said = cleandoc(getattr(derived, topic.payload).__doc__).partition("\n")[0]
    said = said.removeprefix(f"{topic.name}: ")
    return said[:1].upper() + said[1:]


def _said(model: type[BaseModel]) -> str:
    return f"{getdoc(model)}\n"
