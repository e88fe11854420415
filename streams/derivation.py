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


class Running(Protocol):
    """What follows from an entity's facts, kept up to date fact by fact instead of derived from all of them."""

    def replace(self, identity: str, old: Fact | None, new: Fact) -> None:
        """A fact came in, perhaps in the place of an older version."""
        ...

    def derive(self, entity: str) -> Derived:
        """What follows now: the same as deriving it from all facts."""
        ...


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

    @property
    def base(self) -> Any:
        """The type of what its facts of closed days become; None where it has no periods."""
        ...

    @property
    def stubs(self) -> bool:
        """Whether an entity closes as a whole when it is finished and quiet."""
        ...

    def statement(self, event: Event, raw: bytes) -> Statement:
        """The fact that an event, read from these bytes, states."""
        ...

    def contributed(self, state: Any) -> tuple[str, str, Any]:
        """Of a contribution: the entity it is for, who contributed, and the payload."""
        ...

    def derive(self, entity: str, facts: Mapping[str, Fact], base: Any = None) -> Derived:
        """What follows from the base and the facts, the same for every order in which they came."""
        ...

    def running(self, facts: Mapping[str, Fact], base: Any) -> Running | None:
        """The same kept up to date, for entities of many facts; None where the rules have no such thing."""
        ...

    def close(self, base: Any, facts: Mapping[str, Fact]) -> Any:
        """The base after these facts, which are those of all closed days that it does not hold yet."""
        ...

    def withdrawn(self, entity: str, target: Target) -> msgspec.Struct:
        """What a target is told when nothing remains of an earlier contribution to it."""
        ...
