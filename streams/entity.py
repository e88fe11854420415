"""What is known of one entity of one agent, as a partition holds it in memory."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.versions import Version
from streams.clock import NEVER
from streams.derivation import Running
from streams.facts import CONTRIBUTION_MARK, PASSED, Fact, Target


@dataclass(slots=True)
class Entity:
    """One entity: its facts, and what has become of those that closed.

    `facts`: of open periods, and of an entity that has not closed; of a stub only what others contributed, its
    residue. `base`: what the facts of all days up to `base_day` have become. `remembered`: of each fact that closed,
    (version, day of closing), so that a repeat is known as one and a correction as late. `closed_at`: the clock (ms)
    when the whole entity closed; it is a stub since.
    `offset`: that of the last changelog record behind it (-1: none yet). `targets`: every place it has ever
    contributed to. `touched_at`: append time (ms) of the last record about it. `finished` and `deadline`: as last
    derived; `finished` is None where that has not been done since the partition was read back. `running`: what
    follows, kept up to date. `told`: per place, a hash of the state that was last published there by this process;
    `generation`: of the last rebuild of this entity alone (0: none); `reopening`: it is under way, and nothing is
    published until it has ended.
    `contributed`: the contributions that were last looked at for it, the very same object where nothing changed.
    """

    facts: dict[str, Fact] = field(default_factory=dict)
    targets: tuple[Target, ...] = ()
    offset: int = -1
    base: Any = None
    base_day: int = NEVER
    folded_on: int = 0
    remembered: dict[str, tuple[Version, int]] | None = None
    closed_at: int | None = None
    touched_at: int = 0
    finished: bool | None = None
    deadline: int | None = None
    generation: int = 0
    reopening: bool = False
    running: Running | None = field(default=None, compare=False)
    told: dict[tuple[str, str], int] | None = field(default=None, compare=False)
    contributed: Mapping[Target, Any] | None = field(default=None, compare=False)

    def reopen(self, generation: int) -> int:
        """Forget what was stated of it, to begin anew; how many facts that were. What others contributed stays."""
        gone = [name for name in self.facts if not name.startswith(CONTRIBUTION_MARK) and name != PASSED]
        for name in gone:
            del self.facts[name]
        self.base, self.base_day, self.folded_on = None, NEVER, 0
        self.remembered = self.closed_at = self.running = self.contributed = self.deadline = self.finished = None
        self.generation, self.reopening = generation, True
        return len(gone)

    def remember(self, identity: str, version: Version, day: int = 0) -> None:
        """Keep only the version of a fact, which closed on this day (days since 1970-01-01)."""
        if self.remembered is None:
            self.remembered = {}
        known = self.remembered.get(identity)
        if known is None or known < (version, day):
            self.remembered[identity] = (version, day)
