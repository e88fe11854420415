"""JSON Schema (draft 2020-12) of events and of derived records, made from their models.

Promise of an event's schema: what it takes, `schemas.wire.read` takes, provided that dates and times exist, numbers
have no more decimals than their field allows (an integer none, not even `.0`), the record is not too large, and clocks
are right. `read` takes a little more (such as `1e3` as the text of a quantity, or a time without seconds); nobody
should lean on that. The keywords used mean the same in draft 7.
"""

from collections.abc import Iterable
from copy import deepcopy
from decimal import Decimal
from inspect import cleandoc
from typing import Any, Final

import msgspec
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from schemas import derived
from schemas.contracts_examples import EXAMPLES
from schemas.contracts_meanings import meaning
from schemas.topics import BY_NAME, Topic, of_kind
from schemas.wire import event_types

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_TIME: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})$"
_BELOW: Final = {90: "[1-8]?[0-9]", 180: "(?:1[0-7][0-9]|[1-9]?[0-9])"}
_INTEGERS: Final = (
    "Integers throughout: times in ms since 1970-01-01T00:00:00Z, quantities in thousandths of the unit. "
    "Fields may be added: pass over those you do not know."
)
_PUBLISHED: Final = (
    "A record of {topic}, key {key}. Of several records with one key the greatest version counts: "
    "[epoch, offset of the last changelog record behind the state]."
)


def event_schema(kind: str, major: str) -> dict[str, Any]:
    """The JSON Schema of an event type, for this major version of the contract."""
    model = event_types()[kind]
    schema = _described(model.model_json_schema(schema_generator=_Generator))
    topic = BY_NAME[model.topic]
    return {
        "$schema": DIALECT,
        "$id": f"urn:quayside:event:{kind}:v{major}",
        "title": title_of(kind),
        "description": f"{schema['description']}\n\nTopic: {topic.name}. Kafka key: {topic.key}.",
        "examples": [EXAMPLES[kind]],
        **{name: part for name, part in schema.items() if name not in {"title", "description"}},
    }


def derived_schema(topic: Topic, major: str) -> dict[str, Any]:
    """The JSON Schema of what stands on a topic of contributions, views or accounts."""
    schema, definitions = _record(topic, "#/$defs/{name}")
    head = {"$schema": DIALECT, "$id": f"urn:quayside:derived:{topic.payload}:v{major}"}
    return {**head, **schema, **({"$defs": definitions} if definitions else {})}


def components() -> dict[str, dict[str, Any]]:
    """The schemas of all events (by model name) and derived records, that refer to each other as components."""
    place = "#/components/schemas/"
    models = [(model, "validation") for model in event_types().values()]
    _, shared = models_json_schema(
        models,  # type: ignore[arg-type]  # the mode is a Literal that mypy widens to str
        schema_generator=_Generator,
        ref_template=place + "{model}",
    )
    found: dict[str, dict[str, Any]] = dict(_described(shared)["$defs"])
    for topic in derived_topics():
        schema, definitions = _record(topic, place + "{name}")
        found |= definitions | {f"Published{topic.payload}" if is_versioned(topic) else topic.payload: schema}
    return dict(sorted(found.items()))


def type_schema(kind: Any) -> dict[str, Any]:
    """The JSON Schema of a type of value, such as `schemas.event.Name`."""
    schema: dict[str, Any] = _tidy(TypeAdapter(kind).json_schema(schema_generator=_Generator))
    return schema


def derived_topics() -> tuple[Topic, ...]:
    """The topics whose records are structs of `schemas.derived`."""
    return of_kind("contribution", "view", "account")


def is_versioned(topic: Topic) -> bool:
    """Whether the records of a topic of derived records carry a version; accounts do not."""
    return topic.kind != "account"


def title_of(kind: str) -> str:
    """An event type in words."""
    return kind.replace("_", " ").capitalize()


class _Generator(GenerateJsonSchema):
    """As pydantic's, but times need an offset, and the text of a number has the number's bounds."""

    def get_decimal_pattern(self, schema: core_schema.DecimalSchema) -> str | None:
        """The texts of numbers that keep the bounds; JSON numbers have the bounds as keywords."""
        decimals = schema.get("decimal_places") or 0
        fraction = rf"(?:\.[0-9]{{1,{decimals}}})?"
        greatest, least = schema.get("le"), schema.get("ge", schema.get("gt", Decimal(0)))
        sign = "-?" if least < 0 else ""
        if greatest is not None:
            return rf"^{sign}(?:{_BELOW[int(greatest)]}{fraction}|{int(greatest)}(?:\.0{{1,{decimals}}})?)$"
        digits = len(str(int(schema["lt"]))) - 1
        if schema.get("gt") == 0:
            rests = [f"[0-9]{{0,{rest}}}" if rest else "" for rest in reversed(range(decimals))]
            small = "|".join("0" * zeros + "[1-9]" + rest for zeros, rest in enumerate(rests))
            return rf"^(?:[1-9][0-9]{{0,{digits - 1}}}{fraction}|0\.(?:{small}))$"
        return rf"^{sign}[0-9]{{1,{digits}}}{fraction}$"

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        """A JSON number, or the same as text; without `multipleOf`, which binary fractions fail."""
        decimals = schema.get("decimal_places")
        return super().decimal_schema(schema) | {
            "description": f"A number with at most {decimals} decimals, as a JSON number or as text."
        }

    def datetime_schema(self, schema: core_schema.DatetimeSchema) -> JsonSchemaValue:
        """RFC 3339 with an offset."""
        return super().datetime_schema(schema) | {"pattern": _TIME}

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Never: a title that repeats the field's name tells nothing."""
        del schema
        return False


def _described(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of models with the meaning of each field."""
    whole: dict[str, Any] = _tidy(schema)
    for model in (whole, *whole.get("$defs", {}).values()):
        for name, part in model.get("properties", {}).items():
            about = (meaning(model["title"], name), part.get("description"))
            part["description"] = " ".join(sentence for sentence in about if sentence)
            if name == "references":
                part["default"] = {}
    return whole


def _record(topic: Topic, reference: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The schema of the records of a topic of derived records, and the definitions behind it."""
    form = getattr(derived, topic.payload)
    _, definitions = msgspec.json.schema_components([form], ref_template=reference)
    definitions = {name: _tidy(part) for name, part in sorted(definitions.items())}
    if not is_versioned(topic):
        schema = definitions.pop(topic.payload)
        return schema | {"description": f"{schema['description']}\n\n{_INTEGERS}"}, definitions
    about = _PUBLISHED.format(topic=topic.name, key=topic.key)
    pair = {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2}
    schema = {
        "title": topic.payload,
        "description": f"{about}\n\n{_INTEGERS}",
        "type": "object",
        "properties": {"version": pair, "state": {"$ref": reference.format(name=topic.payload)}},
        "required": ["version", "state"],
    }
    return schema, definitions


def _tidy(schema: Any) -> Any:
    """Say the same so that every draft from 7 on reads it alike."""
    if isinstance(schema, list):
        return [_tidy(part) for part in schema]
    if not isinstance(schema, dict):
        return deepcopy(schema)
    tidy = {name: _tidy(part) for name, part in schema.items()}
    if isinstance(tidy.get("description"), str):
        tidy["description"] = cleandoc(tidy["description"])
    if "patternProperties" in tidy:
        tidy.setdefault("additionalProperties", False)
    if "prefixItems" in tidy and _all_equal(tidy["prefixItems"]):
        tidy["items"] = tidy.pop("prefixItems")[0]  # draft 7 reads items: false as "no items at all"
    return tidy


def _all_equal(parts: Iterable[Any]) -> bool:
    first, *others = parts
    return all(part == first for part in others)
