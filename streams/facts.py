"""State is a set of facts: the newest statement of each event, and how two statements merge.

The merge is a join: idempotent, commutative and associative, so a fact may be merged twice, late or in any
order with the same end. What people see is derived from the facts by pure functions (`streams.derivation`).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from schemas.versions import SEPARATOR, Version

CONTRIBUTION_MARK = "\x01"
"""Begins the identity of a fact that another agent contributed; no source can begin so."""

PASSED = "\x02"
"""The identity of the fact that an entity's deadline has passed; its payload is a `TimePassed`."""


class TimePassed(msgspec.Struct, tag="w", array_like=True, frozen=True, gc=False):
    """It is `at` (ms) or later: the latest deadline of the entity that has passed."""

    at: int


class Fact(NamedTuple):
    """One statement of one event: its version, and what of it is derived from. Retracted: no payload.

    `period`: the day of occurred_at (days since 1970-01-01, UTC) where the agent's periods close; when it was appended
    (ms) where its entities close as a whole; otherwise 0.
    """

    version: Version
    payload: Any | None
    period: int = 0


class Statement(NamedTuple):
    """A fact on its way in: the entity it is about, its identity there, and the fact."""

    entity: str
    identity: str
    fact: Fact


class Target(NamedTuple):
    """A place that an entity has sent a contribution to: the topic and the key there."""

    topic: str
    key: str


def contributor_identity(contributor: str) -> str:
    """The identity of another agent's contribution to an entity."""
    return CONTRIBUTION_MARK + contributor


def is_newer(known: Fact | None, told: Fact) -> bool:
    """Whether what is told replaces what is known: the greatest version wins."""
    return known is None or known.version < told.version


def merge(known: Mapping[str, Fact], told: Mapping[str, Fact]) -> dict[str, Fact]:
    """Both sets of facts, of each identity the newer one."""
    merged = dict(known)
    for identity, fact in told.items():
        if is_newer(merged.get(identity), fact):
            merged[identity] = fact
    return merged


def live(facts: Mapping[str, Fact]) -> list[tuple[str, Fact]]:
    """The facts that are not retracted, oldest statement first (ties by identity): (identity, fact)."""
    standing = [(identity, fact) for identity, fact in facts.items() if fact.payload is not None]
    standing.sort(key=lambda pair: (pair[1].version, pair[0]))
    return standing


def is_gone(facts: Mapping[str, Fact]) -> bool:
    """Whether nothing is known of an entity any more: every statement was retracted or withdrawn."""
    for identity, fact in facts.items():  # noqa: SIM110  # a generator costs more than the loop, for every view
        if fact.payload is not None and identity != PASSED:
            return False
    return True


def by_time(identity: str) -> tuple[str, ...]:
    """The parts of an identity, (source, event_id), to order events of one instant by."""
    return tuple(identity.split(SEPARATOR))
