"""Differences between what was published and what follows from the history, figure by figure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sinks.audit.questions import Ask, Kind, Scope, comparison, question

MISSING: Final = "view"
"""The field of a difference that is a whole view: published and not recomputed, or the other way round."""


class Found(NamedTuple):
    """An entity that differs: its figures as JSON, `[]` where it was not published, or does not follow."""

    published: str
    recomputed: str


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a kind found. `differing` may be more than those in `found`, of which there is a most."""

    compared: int
    differing: int
    found: Mapping[str, Found]


@dataclass(frozen=True, slots=True)
class Source:
    """An event behind a difference, and where it stands."""

    source: str
    event_id: str
    coordinate: str


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure that differs. `field`: its name, with place and name of the part in lists: `lines.0.delivered`."""

    kind: str
    entity: str
    field: str
    published: Any
    recomputed: Any
    events: tuple[Source, ...] = ()


def look(ask: Ask, kind: Kind, scopes: Sequence[Scope], most: int) -> Look:
    """Compare the entities of a kind; at most so many of those that differ are told by name."""
    compared = differing = 0
    found: dict[str, Found] = {}
    for scope in scopes:
        ((looked_at, differ, named),) = ask(comparison(kind, scope, most), scope.parameters())
        compared += int(looked_at)
        differing += int(differ)
        for entity, published, recomputed in named:
            if len(found) < most:
                found[entity] = Found(published, recomputed)
    return Look(compared, differing, found)


def differences(kind: Kind, entity: str, found: Found) -> list[Difference]:
    """What of an entity differs, figure by figure."""
    published, recomputed = json.loads(found.published), json.loads(found.recomputed)
    if len(published) != 1 or len(recomputed) != 1:
        return [Difference(kind.name, entity, MISSING, _whole(kind, published), _whole(kind, recomputed))]
    told = []
    for name, said, follows in zip(kind.figures, published[0], recomputed[0], strict=True):
        parts = kind.nested.get(name)
        pairs = _of_parts(name, parts, said, follows) if parts else [(name, said, follows)]
        told += [Difference(kind.name, entity, *pair) for pair in pairs if pair[1] != pair[2]]
    return told


def events_behind(ask: Ask, kind: Kind, entities: Sequence[str], most: int) -> dict[str, tuple[Source, ...]]:
    """Of each entity the events behind it that were said last, at most so many of each topic."""
    if not entities:
        return {}
    behind: dict[str, list[Source]] = {}
    for entity, source, event_id, *where in ask(
        question(f"events_{kind.name}"), {"entities": list(entities), "most": most}
    ):
        place = Source(source, event_id, "/".join(map(str, where)))
        if place not in behind.setdefault(entity, []):
            behind[entity].append(place)
    return {entity: tuple(places) for entity, places in behind.items()}


def _whole(kind: Kind, figures: Sequence[Sequence[Any]]) -> Any:
    """All figures of an entity by name; None where there is no such entity."""
    if len(figures) != 1:
        return None if not figures else [dict(zip(kind.figures, one, strict=True)) for one in figures]
    return dict(zip(kind.figures, figures[0], strict=True))


def _of_parts(
    name: str, parts: Sequence[str], said: Sequence[Sequence[Any]], follows: Sequence[Sequence[Any]]
) -> Iterator[tuple[str, Any, Any]]:
    """The pairs within a list of parts; as a whole where there are more of them on one side."""
    if len(said) != len(follows):
        yield name, said, follows
        return
    for number, (one, other) in enumerate(zip(said, follows, strict=True)):
        for part, left, right in zip(parts, one, other, strict=True):
            yield f"{name}.{number}.{part}", left, right
