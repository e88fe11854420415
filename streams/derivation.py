"""What an agent is: which records it reads, and what it derives from an entity's facts.

A derivation is pure: no I/O, no clock, no Faust. `streams.agent` is the thin shell around it.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import msgspec

from schemas.event import Event
from streams.facts import Fact, Statement, Target


class View(NamedTuple):
    """A whole state to publish under a key."""

    topic: str
    key: str
    state: msgspec.Struct


class Derived(NamedTuple):
    """All that follows from an entity's facts: views, and one contribution at most per target."""

    views: tuple[View, ...] = ()
    contributions: Mapping[Target, msgspec.Struct] = {}


class Derivation(Protocol):
    """One agent's rules."""

    @property
    def name(self) -> str:
        """Names the agent, and its changelog `<name>.facts`."""
        ...

    @property
    def events(self) -> tuple[str, ...]:
        """The fact topics that it reads."""
        ...

    @property
    def contributions(self) -> Mapping[str, type[Any]]:
        """The contribution topics that it reads, and what their states are."""
        ...

    @property
    def payload(self) -> Any:
        """The type of its facts' payloads, as msgspec decodes it."""
        ...

    def statement(self, event: Event, raw: bytes) -> Statement:
        """The fact that an event, read from these bytes, states."""
        ...

    def contributed(self, state: Any) -> tuple[str, str, Any]:
        """Of a contribution: the entity it is for, who contributed, and the payload."""
        ...

    def derive(self, entity: str, facts: Mapping[str, Fact]) -> Derived:
        """What follows from the facts, the same for every order in which they came."""
        ...

    def withdrawn(self, entity: str, target: Target) -> msgspec.Struct:
        """What a target is told when nothing remains of an earlier contribution to it."""
        ...
