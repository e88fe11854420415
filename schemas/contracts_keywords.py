"""What the keywords of a JSON Schema say: which types and values it takes, within which limits.

The parts that `schemas.contracts_inclusion` puts together. A function that cannot be sure says so: None, or a gap that
is not `sure`.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

Schema = Any
"""A JSON Schema: an object, true or false."""

Aspect = Literal[
    "type", "values", "limit", "pattern", "format", "field", "form", "required", "names", "items", "option", "keyword"
]


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that `sub` allows and `sup` refuses, or (not `sure`) perhaps refuses.

    `path`: where, as in `$.lines[].quantity`. `sub`, `sup`: what each says there, as short text; None: nothing.
    """

    path: str
    aspect: Aspect
    sub: str | None
    sup: str | None
    sure: bool = True


_SAID: Final = frozenset({"$schema", "$id", "$anchor", "$comment", "$defs", "definitions", "title", "description"}) | {
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "example",
    "externalDocs",
    "discriminator",
}
"""Keywords that refuse nothing (the last three are OpenAPI's)."""

_ATOMS: Final = ("null", "boolean", "integer", "fraction", "string", "array", "object")
"""The types of values, with numbers told apart by whether they are whole."""

_OF_STRINGS: Final = frozenset({"minLength", "maxLength", "pattern", "format", "contentEncoding", "contentMediaType"})
_OF_NUMBERS: Final = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
_OF_ARRAYS: Final = frozenset({"items", "minItems", "maxItems", "uniqueItems"})
_OF_OBJECTS: Final = frozenset({"properties", "patternProperties", "additionalProperties", "propertyNames"}) | {
    "required",
    "minProperties",
    "maxProperties",
}
_HAND_IN_HAND: Final = (
    frozenset({"properties", "patternProperties", "additionalProperties", "unevaluatedProperties"}),
    frozenset({"items", "prefixItems", "additionalItems", "unevaluatedItems"}),
)
"""Keywords of which one means something else beside the other."""
_KNOWN: Final = (
    _SAID | {"$ref", "type", "enum", "const", "anyOf", "allOf"} | _OF_STRINGS | _OF_NUMBERS | _OF_ARRAYS | _OF_OBJECTS
)
_PROBES: Final = ("", "a", "A", "0", " ", "é", "a\n", "-1", "x" * 40, "2026-01-01T00:00:00Z")
"""Texts that tell a pattern that refuses something from one that cannot be judged."""


# References and alternatives


def reference_of(schema: Schema) -> str:
    """The reference that a schema is; empty if it is none."""
    return str(schema.get("$ref", "")) if isinstance(schema, dict) else ""


def same_schema(one: Schema, other: Schema, one_root: Schema, other_root: Schema, seen: frozenset[str]) -> bool:
    """Whether two schemas are written alike, and so is all that they refer to."""
    if as_text(one) != as_text(other):
        return False
    for reference in set(re.findall(r'"\$ref": ("(?:[^"\\]|\\.)*")', as_text(one))) - seen:
        to = {"$ref": json.loads(reference)}
        behind = opened_or_none(to, one_root), opened_or_none(to, other_root)
        if None in behind or not same_schema(*behind, one_root, other_root, seen | {reference}):
            return False
    return True


def opened(schema: Schema, root: Schema) -> Schema:
    """The schema behind references. Raises LookupError where there is none, or more is said beside the reference."""
    seen = set()
    while isinstance(schema, dict) and "$ref" in schema:
        reference = schema["$ref"]
        if set(schema) - _SAID - {"$ref"}:
            raise LookupError(f"{reference} with more beside it")
        if not isinstance(reference, str) or not reference.startswith("#/") or reference in seen:
            raise LookupError(f"the reference {reference}")
        seen.add(reference)
        schema = root
        for part in reference[2:].split("/"):
            name = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(schema, dict) or name not in schema:
                raise LookupError(f"the reference {reference}")
            schema = schema[name]
    if isinstance(schema, dict | bool):
        return schema
    raise LookupError(f"{as_text(schema)}, which is no schema")


def opened_or_none(schema: Schema, root: Schema) -> Schema | None:
    """The schema behind references; None where there is none."""
    try:
        return opened(schema, root)
    except LookupError:
        return None


def alternatives(schema: Schema) -> Iterator[dict[str, Any]]:
    """What a schema allows as a union of schemas without `anyOf`; it may be a little more than the schema allows."""
    if isinstance(schema, bool) or "anyOf" not in schema:
        yield from ({},) if schema is True else () if schema is False else (schema,)
        return
    rest = {name: part for name, part in schema.items() if name != "anyOf"}
    for option in schema["anyOf"]:
        if isinstance(option, bool):
            yield from (rest,) if option else ()
        elif "$ref" in option or _interfere(rest, option):
            yield from alternatives(option)  # what is beside the options is left out, which allows more
        else:
            yield from alternatives(rest | option)


def _interfere(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether the rules of two schemas mean something else when they stand in one."""
    shared = set(one) & set(other) - _SAID
    return bool(shared) or any(group & set(one) and group & set(other) for group in _HAND_IN_HAND)


def atoms_of(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """The types that a schema's own `type` allows."""
    named = schema.get("type", list(TYPES))
    names = [named] if isinstance(named, str) else named
    wanted = {atom for name in names for atom in (("integer", "fraction") if name == "number" else (name,))}
    return tuple(atom for atom in _ATOMS if atom in wanted)


TYPES: Final = ("null", "boolean", "number", "string", "array", "object")
"""The types of JSON Schema; an integer is a number."""


def atoms_within(schema: Schema, root: Schema) -> frozenset[str]:
    """The types that a schema may allow, its options and references included."""
    behind_it = opened_or_none(schema, root)
    if behind_it is None or behind_it is True:
        return frozenset(_ATOMS)
    if behind_it is False:
        return frozenset()
    own = frozenset(atoms_of(behind_it))
    if "enum" in behind_it or "const" in behind_it:
        own &= {_atom_of(value) for value in listed_values(behind_it)}
    if "anyOf" in behind_it:
        own &= frozenset(atom for option in behind_it["anyOf"] for atom in atoms_within(option, root))
    return own


def type_of(atom: str) -> str:
    """What JSON Schema calls one of our types."""
    return "number" if atom == "fraction" else atom


def type_names(atoms: Sequence[str]) -> str:
    """Types in words."""
    names = [atom for atom in atoms if not (atom == "integer" and "fraction" in atoms)]
    return " or ".join(map(type_of, names)) or "nothing"


# Values


def listed_values(schema: Mapping[str, Any]) -> list[Any]:
    """The values of `const` or `enum`, one of which has to be there."""
    return [schema["const"]] if "const" in schema else list(schema["enum"])


def few_values(schema: Mapping[str, Any]) -> list[Any] | None:
    """The values that a schema allows, or a few more, where they are few; None where they are not."""
    if "enum" in schema or "const" in schema:
        return listed_values(schema)
    atoms = atoms_of(schema)
    if set(atoms) <= {"null", "boolean"} and "type" in schema:
        return ([None] if "null" in atoms else []) + ([False, True] if "boolean" in atoms else [])
    return None


def _atom_of(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else "boolean"
    if isinstance(value, int | float):
        return "integer" if float(value).is_integer() else "fraction"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def takes(schema: Schema, value: Any, root: Schema) -> bool | None:
    """Whether a schema takes a value; None where that is not decided here."""
    behind_it = opened_or_none(schema, root)
    if behind_it is None or isinstance(behind_it, bool):
        return behind_it
    atom = _atom_of(value)
    verdicts: list[bool | None] = [atom in atoms_of(behind_it)]
    if "const" in behind_it:
        verdicts.append(_is_one_of(value, atom, [behind_it["const"]]))
    if "enum" in behind_it:
        verdicts.append(_is_one_of(value, atom, behind_it["enum"]))
    if "anyOf" in behind_it:
        options = [takes(option, value, root) for option in behind_it["anyOf"]]
        verdicts.append(True if True in options else None if None in options else False)
    verdicts += [takes(branch, value, root) for branch in behind_it.get("allOf", ())]
    verdicts += _keywords(behind_it, value, atom)
    if unread_keywords(behind_it):
        verdicts.append(None)
    return False if False in verdicts else None if None in verdicts else True


def _is_one_of(value: Any, atom: str, listed: Sequence[Any]) -> bool | None:
    """Whether a value is among others. Within lists and objects Python does not tell bool from int, nor do we."""
    found = [one for one in listed if _atom_of(one) == atom and one == value]
    if not found or atom not in {"array", "object"} or as_text(value) in map(as_text, found):
        return bool(found)
    return None


def _keywords(schema: Mapping[str, Any], value: Any, atom: str) -> Iterator[bool | None]:
    if atom == "string":
        yield schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", math.inf)
        if "pattern" in schema:
            yield _matches(schema["pattern"], value)
        if schema.keys() & {"format", "contentEncoding", "contentMediaType"}:
            yield None
    elif atom in {"integer", "fraction"}:
        yield schema.get("minimum", -math.inf) <= value <= schema.get("maximum", math.inf)
        yield schema.get("exclusiveMinimum", -math.inf) < value < schema.get("exclusiveMaximum", math.inf)
        if "multipleOf" in schema:
            yield None
    elif atom in {"array", "object"} and schema.keys() & (_OF_ARRAYS | _OF_OBJECTS):
        yield None


def _matches(pattern: str, text: str) -> bool | None:
    """Whether a pattern of ECMA 262 matches; None where Python cannot read it. `$` is the very end."""
    try:
        return re.search(re.sub(r"(?<!\\)\$$", r"\\Z", pattern), text) is not None
    except re.error:
        return None


# Limits


def string_gaps(sub: Mapping[str, Any], sup: Mapping[str, Any], path: str) -> Iterator[Gap]:
    """Where texts of `sub` are refused by length, pattern or format."""
    yield from limit_gaps(sub, sup, path, least=("minLength",), most=("maxLength",))
    if "pattern" in sup and sub.get("pattern") != sup["pattern"]:
        yield Gap(path, "pattern", sub.get("pattern"), sup["pattern"], sure=_refuses_some(sub, sup["pattern"]))
    for name in ("format", "contentEncoding", "contentMediaType"):
        if name in sup and sub.get(name) != sup[name]:
            yield Gap(path, "format", sub.get(name), str(sup[name]), sure=False)


def _refuses_some(sub: Mapping[str, Any], pattern: str) -> bool:
    """Whether a text is known that `sub` takes and the pattern does not."""
    given = [one for one in sub.get("examples", ()) if isinstance(one, str)]
    plain = {name: part for name, part in sub.items() if name not in {"format", "contentEncoding", "contentMediaType"}}
    checked = len(plain) < len(sub)
    texts = given if checked else (*_PROBES, *given)
    return any(takes(plain, text, plain) is True and _matches(pattern, text) is False for text in texts)


def number_gaps(sub: Mapping[str, Any], sup: Mapping[str, Any], path: str, *, whole: bool) -> Iterator[Gap]:
    """Where numbers of `sub` are refused; `whole`: it allows integers only."""
    least, most = ("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")
    yield from limit_gaps(sub, sup, path, least=least, most=most, whole=whole)
    if "multipleOf" in sup and sub.get("multipleOf") != sup["multipleOf"]:
        step, wanted = sub.get("multipleOf", 1 if whole else None), sup["multipleOf"]
        fits = isinstance(step, int) and isinstance(wanted, int) and step % wanted == 0
        if not fits:
            sure = "multipleOf" not in sub and isinstance(wanted, int)
            yield Gap(path, "limit", _said("multipleOf", sub), _said("multipleOf", sup), sure=sure)


def limit_gaps(
    sub: Mapping[str, Any],
    sup: Mapping[str, Any],
    path: str,
    *,
    least: Sequence[str],
    most: Sequence[str],
    whole: bool = True,
) -> Iterator[Gap]:
    """Where a limit of `sup` is tighter than that of `sub`; the second of two names is the exclusive limit."""
    for names, sign in ((least, 1), (most, -1)):
        said, wanted = (_bound(schema, names, sign, whole=whole) for schema in (sub, sup))
        if wanted > said:
            yield Gap(path, "limit", _said_any(names, sub), _said_any(names, sup))


def _bound(schema: Mapping[str, Any], names: Sequence[str], sign: int, *, whole: bool) -> tuple[float, bool]:
    """The tightest limit, so that greater is tighter: (limit, whether it is itself left out)."""
    of_number = names[0] in {"minimum", "maximum"}
    found: list[tuple[float, bool]] = [(-math.inf if of_number or sign < 0 else 0, False)]
    for name in names:
        if name in schema:
            limit, exclusive = sign * schema[name], name.startswith("exclusive")
            if whole and not math.isinf(limit):
                limit, exclusive = (math.floor(limit) + 1 if exclusive else math.ceil(limit)), False
            found.append((limit, exclusive))
    return max(found)


def _said(name: str, schema: Mapping[str, Any]) -> str | None:
    return f"{name} {as_text(schema[name])}" if name in schema else None


def _said_any(names: Sequence[str], schema: Mapping[str, Any]) -> str | None:
    return ", ".join(said for name in names if (said := _said(name, schema))) or None


# The rest


def rule_under(schema: Mapping[str, Any], name: str) -> Schema | None:
    """What may stand under a name; None where two rules say it."""
    rules = [schema["properties"][name]] if name in schema.get("properties", {}) else []
    for pattern, rule in schema.get("patternProperties", {}).items():
        fits = _matches(pattern, name)
        if fits is None:
            return None
        if fits:
            rules.append(rule)
    if len(rules) > 1:
        return None
    return rules[0] if rules else schema.get("additionalProperties", True)


def unread_gaps(sub: Mapping[str, Any], sup: Mapping[str, Any], path: str) -> Iterator[Gap]:
    """Keywords that are not understood here: equal ones are taken as equal if they stand on nothing else."""
    for name in unread_keywords(sup):
        alone = name in {"not", "oneOf"} and "$ref" not in json.dumps(sup[name])
        if not alone or differs(sub.get(name), sup[name]):
            yield Gap(path, "keyword", name if name in sub else None, name, sure=False)


def unread_keywords(schema: Mapping[str, Any]) -> list[str]:
    """The keywords of a schema that are not understood here."""
    return sorted(name for name in schema if name not in _KNOWN and not name.startswith("x-"))


def differs(one: Any, other: Any) -> bool:
    """Whether two pieces of JSON are written differently."""
    return json.dumps(one, sort_keys=True) != json.dumps(other, sort_keys=True)


def as_text(value: Any) -> str:
    """JSON as text, the same for the same value."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def in_short(schema: Schema) -> str:
    """A schema in a few words."""
    if isinstance(schema, bool):
        return "anything" if schema else "nothing"
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema or "const" in schema:
        return ", ".join(map(as_text, listed_values(schema)))
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(map(in_short, schema["anyOf"])))
    return type_names(atoms_of(schema)) if "type" in schema else "anything"
