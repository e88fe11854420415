"""Changes of one schema in words: whom each of them breaks, and why."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from schemas.contracts_inclusion import gaps
from schemas.contracts_keywords import Aspect, Gap, Schema

Verdict = Literal["breaking", "compatible", "unknown"]

Side = Literal["publishers", "readers"]
"""Who goes by a schema: those who send what fits it, or those who get it."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change. `file`: in which file of the contract; `path`: where in it; `what`: one sentence."""

    verdict: Verdict
    file: str
    path: str
    what: str


def schema_changes(
    file: str, old: Schema, new: Schema, side: Side, roots: tuple[Schema, Schema] | None = None, prefix: str = "$"
) -> list[Change]:
    """What changed from one schema to another, for those who publish by it or who read by it.

    Args:
        file: The file that the changes are told of.
        old: The schema before, within the first of `roots`.
        new: The schema now, within the second of `roots`.
        side: Who goes by it.
        roots: The documents that references point into; the schemas themselves if not given.
        prefix: What the paths begin with.
    """
    old_root, new_root = roots or (old, new)
    narrower, wider = gaps(old, new, old_root, new_root), gaps(new, old, new_root, old_root)
    against, along = (narrower, wider) if side == "publishers" else (wider, narrower)
    told = {(gap.path, gap.aspect) for gap in against}
    found = [
        Change("breaking" if gap.sure else "unknown", file, gap.path, _what(gap, side, gap in narrower))
        for gap in against
    ]
    found += [
        Change("compatible", file, gap.path, _what(gap, side, gap in narrower, breaks=False))
        for gap in along
        if (gap.path, gap.aspect) not in told
    ]
    found += _defaults(file, old, new, old_root, new_root)
    return [Change(one.verdict, one.file, prefix + one.path[1:], one.what) for one in found]


_NARROWER: Final[dict[Aspect, str]] = {
    "type": "What is taken went from {sub} to {sup}.",
    "values": "The values went from {sub} to {sup}.",
    "limit": "The limit went from {sub} to {sup}.",
    "pattern": "The pattern went from {sub} to {sup}.",
    "format": "The format went from {sub} to {sup}.",
    "field": "The field was taken away.",
    "form": "The field was given a form ({sup}); any field could stand here before.",
    "required": "The field became required.",
    "names": "The names of fields went from {sub} to {sup}.",
    "items": "What the list holds went from {sub} to {sup}.",
    "option": "The options went from {sub} to {sup}.",
    "keyword": "The rule `{sup}` came or changed.",
}
_WIDER: Final[dict[Aspect, str]] = _NARROWER | {
    "field": "The field was added.",
    "form": "The field was taken away, or has no form any more ({sup} before).",
    "required": "The field may be missing now.",
    "keyword": "The rule `{sup}` went or changed.",
}
_SWAPPED: Final[frozenset[Aspect]] = frozenset({"form", "keyword"})
_CONSEQUENCE: Final[dict[Side, str]] = {
    "publishers": "what was valid can be refused",
    "readers": "readers can meet what the old contract rules out",
}


def _what(gap: Gap, side: Side, narrowed: bool, *, breaks: bool = True) -> str:
    """One sentence. `narrowed`: the new schema allows less (so `sub` is the old one), else it allows more."""
    before, after = (gap.sub, gap.sup) if narrowed or gap.aspect in _SWAPPED else (gap.sup, gap.sub)
    text = (_NARROWER if narrowed else _WIDER)[gap.aspect].format(sub=before or "none", sup=after or "none")
    if gap.aspect == "form" and narrowed and side == "readers":
        text = "The field was added."
    if not breaks:
        return text
    if gap.sure:
        return f"{text[:-1]}: {_CONSEQUENCE[side]}."
    return f"{text[:-1]}: whether {_CONSEQUENCE[side]} cannot be decided here, so a person has to."


def _defaults(file: str, old: Schema, new: Schema, old_root: Schema, new_root: Schema) -> list[Change]:
    """Fields that mean something else where they are left out."""
    before, after = dict(_left_out(old, old_root, "$", ())), dict(_left_out(new, new_root, "$", ()))
    return [
        Change(
            "unknown",
            file,
            path,
            f"The default went from {before[path]} to {after[path]}: what leaves it out means something else now.",
        )
        for path in before
        if path in after and before[path] != after[path]
    ]


def _left_out(schema: Any, root: Any, path: str, behind: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Each field with a default."""
    if not isinstance(schema, dict):
        return
    if isinstance(schema.get("$ref"), str) and schema["$ref"] not in behind:
        to = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            to = to.get(part) if isinstance(to, dict) else None
        yield from _left_out(to, root, path, (*behind, schema["$ref"]))
    for option in schema.get("anyOf", ()):
        yield from _left_out(option, root, path, behind)
    yield from _left_out(schema.get("items"), root, f"{path}[]", behind)
    for name, part in schema.get("properties", {}).items():
        if isinstance(part, dict) and "default" in part:
            yield f"{path}.{name}", repr(part["default"])
        yield from _left_out(part, root, f"{path}.{name}", behind)
