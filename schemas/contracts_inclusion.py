"""Whether everything that one JSON Schema allows is allowed by another, keyword by keyword.

Inclusion of JSON Schemas is hard in general and easy for schemas as people write them (Habib, Shinnar, Hirzel, Pradel:
"Finding data compatibility bugs with JSON Subschema checking", ISSTA 2021). This takes the easy part and is honest
about the rest: an aspect under which `sub` allows what `sup` refuses is a gap that is sure; one that cannot be decided
here (two different patterns, `not`, a union of options) is a gap that is not. No gap means included, for certain.

Drafts 7 to 2020-12; descriptions, titles and examples say nothing about what is allowed. Formats are taken as checked.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from schemas.contracts_keywords import (
    Gap,
    Schema,
    alternatives,
    as_text,
    atoms_of,
    atoms_within,
    differs,
    few_values,
    in_short,
    limit_gaps,
    listed_values,
    number_gaps,
    opened,
    opened_or_none,
    reference_of,
    rule_under,
    same_schema,
    string_gaps,
    takes,
    type_names,
    type_of,
    unread_gaps,
    unread_keywords,
)


def gaps(sub: Schema, sup: Schema, sub_root: Schema, sup_root: Schema) -> tuple[Gap, ...]:
    """What keeps `sub` from being included in `sup`; nothing: each instance of `sub` is one of `sup`.

    Args:
        sub: A schema within `sub_root`, which its references (`#/...`) point into.
        sup: A schema within `sup_root`.
        sub_root: The document that `sub` stands in; `sub` itself where it stands alone.
        sup_root: The document that `sup` stands in.
    """
    try:
        return tuple(dict.fromkeys(_Check(sub_root, sup_root, {}).gaps(sub, sup, "$")))
    except RecursionError:
        return (Gap("$", "keyword", None, "a rule that refers to itself without end", sure=False),)


@dataclass(frozen=True)
class _Check:
    """A comparison under way. `taken`: pairs of schemas that are being compared further up, and at which path."""

    sub_root: Schema
    sup_root: Schema
    taken: Mapping[tuple[str, str], str]

    def gaps(self, sub: Schema, sup: Schema, path: str) -> Iterator[Gap]:
        if sup is True or same_schema(sub, sup, self.sub_root, self.sup_root, frozenset()):
            return
        if not (reference_of(sub) or reference_of(sup)):
            yield from self.opened(sub, sup, path)
            return
        pair = (as_text(sub), as_text(sup))
        if pair not in self.taken:
            yield from _Check(self.sub_root, self.sup_root, {**self.taken, pair: path}).opened(sub, sup, path)
        elif self.taken[pair] == path:
            yield Gap(path, "keyword", None, "a rule that refers to itself without end", sure=False)
        # Else the same is asked of a part of the value: it is compared further up, and a gap is told there.

    def opened(self, sub: Schema, sup: Schema, path: str) -> Iterator[Gap]:
        try:
            sub, sup = opened(sub, self.sub_root), opened(sup, self.sup_root)
        except LookupError as error:
            yield Gap(path, "keyword", None, str(error), sure=False)
            return
        if sup is True or sub is False:
            return
        if sup is False:
            yield Gap(path, "field", in_short(sub), None)
            return
        for part in alternatives(sub):
            if "$ref" in part:
                yield from self.gaps(part, sup, path)
            else:
                # What restricts `sub` in ways that are not understood may just close the gap.
                understood = not unread_keywords(part) and "allOf" not in part
                for gap in self._plain(part, sup, path):
                    yield gap if understood else replace(gap, sure=False)

    def _plain(self, sub: dict[str, Any], sup: dict[str, Any], path: str) -> Iterator[Gap]:
        """Of one alternative, without `anyOf`, against all that the other asks."""
        finite = few_values(sub)
        if finite is not None:
            taken = [value for value in finite if takes(sub, value, self.sub_root) is not False]
            yield from self._finite(taken, sup, path)
            return
        yield from self._direct(sub, sup, path)
        for branch in sup.get("allOf", ()):
            yield from self.gaps(sub, branch, path)
        if "anyOf" in sup:
            yield from self._one_of(sub, sup["anyOf"], path)

    def _finite(self, values: Sequence[Any], sup: dict[str, Any], path: str) -> Iterator[Gap]:
        """Each of a few values is taken, or is not."""
        refused, doubtful = [], []
        for value in values:
            taken = takes(sup, value, self.sup_root)
            if taken is None:
                doubtful.append(value)
            elif not taken:
                refused.append(value)
        if refused:
            yield Gap(path, "values", ", ".join(map(as_text, refused)), in_short(sup))
        if doubtful:
            yield Gap(path, "values", ", ".join(map(as_text, doubtful)), in_short(sup), sure=False)

    def _one_of(self, sub: dict[str, Any], options: Sequence[Schema], path: str) -> Iterator[Gap]:
        """It has to fit one option; where several could share it between them, that is not decided."""
        for atom in atoms_of(sub):
            part = sub | {"type": type_of(atom)} if atom != "fraction" else sub | {"type": "number"}
            found = [tuple(self.gaps(part, option, path)) for option in options]
            if any(not one for one in found):
                continue
            near = [
                one
                for one, option in zip(found, options, strict=True)
                if not isinstance(option, bool) and atom in atoms_within(option, self.sup_root)
            ]
            if not near:
                yield Gap(path, "type", type_of(atom), ", ".join(map(in_short, options)))
            elif len(near) == 1:
                yield from near[0]
            else:
                yield Gap(path, "option", in_short(part), ", ".join(map(in_short, options)), sure=False)

    def _direct(self, sub: dict[str, Any], sup: dict[str, Any], path: str) -> Iterator[Gap]:
        atoms = atoms_of(sub)
        allowed = atoms_of(sup)
        more = [atom for atom in atoms if atom not in allowed]
        if more:
            yield Gap(path, "type", type_names(atoms), type_names(allowed))
        if "enum" in sup or "const" in sup:
            yield Gap(path, "values", None, ", ".join(map(as_text, listed_values(sup))))
        if "string" in atoms and "string" in allowed:
            yield from string_gaps(sub, sup, path)
        if {"integer", "fraction"} & set(atoms) & set(allowed):
            yield from number_gaps(sub, sup, path, whole="fraction" not in atoms)
        if "array" in atoms and "array" in allowed:
            yield from self._arrays(sub, sup, path)
        if "object" in atoms and "object" in allowed:
            yield from self._objects(sub, sup, path)
        yield from unread_gaps(sub, sup, path)

    def _arrays(self, sub: dict[str, Any], sup: dict[str, Any], path: str) -> Iterator[Gap]:
        yield from limit_gaps(sub, sup, path, least=("minItems",), most=("maxItems",))
        if sup.get("uniqueItems") and not sub.get("uniqueItems") and sub.get("maxItems", 2) > 1:
            yield Gap(path, "limit", None, "uniqueItems")
        if sub.get("maxItems") != 0 and not isinstance(sup.get("items"), list):
            of = True if "prefixItems" in sub or isinstance(sub.get("items"), list) else sub.get("items", True)
            yield from self.gaps(of, sup.get("items", True), f"{path}[]")
        elif isinstance(sup.get("items"), list) and differs(sub.get("items"), sup["items"]):
            yield Gap(path, "items", None, "items", sure=False)

    def _objects(self, sub: dict[str, Any], sup: dict[str, Any], path: str) -> Iterator[Gap]:
        for name in sup.get("required", ()):
            if name not in sub.get("required", ()):
                yield Gap(f"{path}.{name}", "required", None, "required")
        yield from limit_gaps(sub, sup, path, least=("minProperties",), most=("maxProperties",))
        known = dict.fromkeys((*sub.get("properties", {}), *sup.get("properties", {})))
        for name in known:
            yield from self._field(sub, sup, name, f"{path}.{name}")
        if "propertyNames" in sup:
            said = sub.get("propertyNames", True)
            names = {"type": "string"} | (said if isinstance(said, dict) and "$ref" not in said else {})
            for gap in self.gaps(names, sup["propertyNames"], path):
                yield Gap(path, "names", gap.sub, gap.sup, gap.sure)
        yield from self._others(sub, sup, path)

    def _field(self, sub: dict[str, Any], sup: dict[str, Any], name: str, path: str) -> Iterator[Gap]:
        """What may stand under one name."""
        said, wanted = rule_under(sub, name), rule_under(sup, name)
        if said is None or wanted is None:
            yield Gap(path, "form", None, None, sure=False)
        elif name not in sub.get("properties", {}) and said is not False:
            found = list(self.gaps(said, wanted, path))
            if found:
                yield Gap(path, "form", None, in_short(wanted), sure=any(gap.sure for gap in found))
        elif said is not False and opened_or_none(wanted, self.sup_root) is False:
            yield Gap(path, "field", in_short(said), None)
        else:
            yield from self.gaps(said, wanted, path)

    def _others(self, sub: dict[str, Any], sup: dict[str, Any], path: str) -> Iterator[Gap]:
        """What may stand under names that neither lists."""
        said, wanted = sub.get("patternProperties", {}), sup.get("patternProperties", {})
        more, less = sub.get("additionalProperties", True), sup.get("additionalProperties", True)
        if not said and not wanted:
            yield from self._additional(more, less, path)
            return
        for pattern, schema in said.items():
            if pattern in wanted:
                yield from self.gaps(schema, wanted[pattern], f"{path}.*")
        if set(said) != set(wanted):
            yield Gap(path, "names", ", ".join(said) or None, ", ".join(wanted) or None, sure=False)
        yield from self._additional(more, less, path)

    def _additional(self, more: Schema, less: Schema, path: str) -> Iterator[Gap]:
        if opened_or_none(less, self.sup_root) is False and opened_or_none(more, self.sub_root) is not False:
            yield Gap(path, "names", "any other field", "no other field")
        else:
            yield from self.gaps(more, less, f"{path}.*")
