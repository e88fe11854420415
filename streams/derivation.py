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
    """All that follows from an entity's facts: views, and one contribution at most per target.

    `finished`: the entity has come to its end and may close once it is quiet. `deadline`: the next moment (ms) at
    which the mere passing of time changes what follows; None: none. When it has passed, the agent states it as a
    fact (`streams.facts.PASSED`), so that what follows is a function of the facts alone here too.
    """

    views: tuple[View, ...] = ()
    contributions: Mapping[Target, msgspec.Struct] = {}
    finished: bool = False
    deadline: int | None = None


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
