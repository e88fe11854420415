"""The fact table of one agent: one partition of it in memory, dropped when the partition is revoked.

Everything here changes memory at once and returns the changelog rows that say so. That is safe because a batch that
fails in any step ends the process (or drops the partition), so that nobody sees memory which the changelog does not
back (docs/architecture.md, "A batch, step by step").
"""

import heapq
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from schemas.coordinates import Mark, Reopening
from schemas.times import DAY_MS
from streams.clock import NEVER, Clock, ClockState, Segment
from streams.derivation import Derivation, Derived
from streams.entity import Entity
from streams.facts import CONTRIBUTION_MARK, PASSED, Fact, Target
from streams.reading import REPLAYED, Entry
from streams.rows import BaseRow, BegunRow, Codec, EndedRow, FactRow, Header, Row, StubRow, TargetsRow
from streams.silence import KeptBack

REMEMBER_DAYS: Final = 30
"""How long the versions of closed facts are kept after they closed."""

STUB_DAYS: Final = 400
"""How long a stub is kept, so that a replay or a container coming back cannot raise a ghost."""

MOST_FACTS: Final = 5_000_000
"""Above so many facts in memory the oldest periods close early, where nobody says otherwise."""

RUNNING_FROM: Final = 12
"""With so many facts it pays to keep what follows up to date instead of deriving it from all of them."""


@dataclass(slots=True)
class Changes:
    """What a segment changed: rows to write (with the entity each belongs to, "" for none) and whom it touched.

    `late`: entries that were not applied, each with the reason.
    """

    rows: list[Row] = field(default_factory=list)
    row_entities: list[str] = field(default_factory=list)
    touched: dict[str, Entity] = field(default_factory=dict)
    late: list[tuple[Entry, str]] = field(default_factory=list)
    accepted: int = 0
    repeated: int = 0

    def write(self, entity: str, row: Row) -> None:
        """Add a row of an entity."""
        self.rows.append(row)
        self.row_entities.append(entity)


@dataclass(slots=True)
class Partition:
    """One partition's entities and clock. `epoch`: what its changelog's header says; None: no header yet.

    `goals`: per input, the offset it has to be read up to before time may be told to pass; see `is_caught_up`.
    """

    rules: Derivation = field(compare=False)
    codec: Codec = field(compare=False)
    clock: Clock
    stub_days: int = STUB_DAYS
    entities: dict[str, Entity] = field(default_factory=dict)
    epoch: int | None = None
    held: int = 0
    goals: dict[str, int] = field(default_factory=dict)
    unexamined: list[str] = field(default_factory=list)
    kept_back: KeptBack = field(default_factory=KeptBack, compare=False)
    _deadlines: list[tuple[int, str]] = field(default_factory=list)
    _days: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    _forget: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    _drop: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    _quiet: OrderedDict[str, None] = field(default_factory=OrderedDict)
    _swept: int = 0

    @property
    def is_caught_up(self) -> bool:
        """Whether everything that was there at the start has been read and no history is being loaded."""
        return not self.goals and not self.unexamined and not self.clock.is_loading

    def merge(self, entries: Iterable[Entry], changes: Changes) -> None:
        """Merge statements; a repeated one writes nothing but touches its entity, one for a closed period is late."""
        entities = self.entities
        has_periods = self.rules.base is not None
        for entry in entries:
            name, identity, fact = entry.statement
            entity = entities.get(name)
            known = None if entity is None else entity.facts.get(identity)
            late = None
            if entity is not None and (entity.remembered is not None or entity.closed_at is not None):
                late = _meets_closed(entity, known, identity, fact)
            if late is None and known is not None and known.version >= fact.version:
                late = _REPEATED
            if late is None and has_periods and not identity.startswith(CONTRIBUTION_MARK):
                late = self._comes_late(entity, known, entry)
                if late is None:
                    self._days[fact.period].add(name)
            if late is None:
                self._accept(entry, entity, known, changes)
            elif late is not _REPEATED:
                changes.late.append((entry, late))
            else:
                changes.repeated += 1
                if entity is not None and entity.closed_at is None:
                    changes.touched[name] = entity

    def to_tell(self, touched: dict[str, Entity]) -> dict[str, Entity]:
        """Of whom to tell now: of all that were touched, or of nobody while a silent load goes on."""
        if self.clock.is_silent:
            self.kept_back.add(touched)
            return {}
        if self.kept_back:
            touched |= self.kept_back.take(self.entities, len(self.entities))
        return touched

    def passed(self, entries: Sequence[Entry]) -> None:
        """The clock has come as far as these entries; they close nothing any more (streams.clock.segments)."""
        if entries:
            latest = max(entry.clock_at for entry in entries)
            self.clock.now = max(self.clock.now, latest)

    def _accept(self, entry: Entry, entity: Entity | None, known: Fact | None, changes: Changes) -> None:
        name, identity, fact = entry.statement
        if entity is None:
            entity = self.entities[name] = Entity()
        if self.rules.stubs:
            fact = Fact(fact.version, fact.payload, entry.appended_at)
        changes.accepted += 1
        self.held += known is None
        entity.facts[identity] = fact
        if entry.appended_at > entity.touched_at:  # noqa: PLR1730  # once a record: a call of max costs three times as much
            entity.touched_at = entry.appended_at
        if entity.running is not None:
            entity.running.replace(identity, known, fact)
        changes.touched[name] = entity
        changes.write(name, self.codec.fact(name, identity, fact))

    def _comes_late(self, entity: Entity | None, known: Fact | None, entry: Entry) -> str | None:
        """Whether a fact's day has closed; of loaded history only what its entity has closed."""
        fact = entry.statement.fact
        if known is not None and fact.payload is None:
            return None  # it takes back what is still open
        closed = self.clock.closed_day
        if self.clock.is_loading or entry.clock_at == REPLAYED:
            closed = NEVER if entity is None else entity.base_day
        return "its day has closed" if fact.period <= closed else None

    def derive(self, name: str, entity: Entity) -> Derived:
        """What follows for an entity, noting when it is finished and what deadline is next."""
        if entity.running is None and len(entity.facts) >= RUNNING_FROM:
            entity.running = self.rules.running(entity.facts, entity.base)
        if entity.running is not None:
            derived = entity.running.derive(name)
        else:
            derived = self.rules.derive(name, entity.facts, entity.base)
        entity.finished = derived.finished
        if derived.finished:
            self._quiet[name] = None
            self._quiet.move_to_end(name)
        elif self._quiet:
            self._quiet.pop(name, None)
        if derived.deadline is not None and derived.deadline != entity.deadline:
            heapq.heappush(self._deadlines, (derived.deadline, name))
        entity.deadline = derived.deadline
        return derived

    def address(self, name: str, entity: Entity, targets: Iterable[Target], changes: Changes) -> None:
        """Add to all targets the entity has ever addressed; new ones get a changelog row."""
        if all(target in entity.targets for target in targets):
            return
        entity.targets = tuple(sorted({*entity.targets, *targets}))
        changes.write(name, self.codec.targets(name, entity.targets))

    def wrote(self, changes: Changes, offsets: Iterable[int]) -> None:
        """The rows have been acknowledged at these offsets."""
        for name, offset in zip(changes.row_entities, offsets, strict=True):
            entity = self.entities.get(name)
            if entity is not None and offset > entity.offset:
                entity.offset = offset

    def due(self, now: int) -> list[tuple[str, int]]:
        """The deadlines that have passed by `now` (ms): (entity, deadline). They are taken out."""
        found = []
        while self._deadlines and self._deadlines[0][0] <= now:
            deadline, name = heapq.heappop(self._deadlines)
            entity = self.entities.get(name)
            if entity is not None and entity.deadline == deadline and entity.closed_at is None:
                found.append((name, deadline))
        return found

    # What closes.

    def leaving(self, segment: Segment) -> dict[str, Entity]:
        """The finished entities that close before this segment: quiet for the horizon by the clock, or by its entries.

        Whoever calls publishes their last state and then lets them `close`: a stub cannot be derived from any more.
        """
        begins = isinstance(segment.mark, Mark) and segment.mark.begins
        if self.clock.is_loading or begins or not self.rules.stubs:
            return {}
        found: dict[str, Entity] = {}
        horizon = self.clock.horizon
        for entry in segment.entries:
            name = entry.statement.entity
            entity = self.entities.get(name)
            if entity is None or entity.closed_at is not None or entry.clock_at - entity.touched_at <= horizon:
                continue
            if entity.reopening:
                continue
            if entity.finished is None:
                self.derive(name, entity)
            if entity.finished:
                found[name] = entity
        now = max(self.clock.now, segment.at)
        for name in self._quiet:
            entity = self.entities[name]
            if now - entity.touched_at <= horizon:
                break
            if not entity.reopening:
                found[name] = entity
        return found

    def oldest_finished(self, count: int) -> dict[str, Entity]:
        """The finished entities that were touched longest ago, to close them early."""
        names = [name for name, _ in zip(self._quiet, range(count), strict=False)]
        return {name: self.entities[name] for name in names if not self.entities[name].reopening}

    def close(self, leaving: dict[str, Entity], at: int, changes: Changes) -> None:
        """Make stubs of entities whose last state has been published; `at`: what the clock is about to pass (ms).

        After a replay that is the first moment that the clock knows: a stub of 1970 would be dropped at once.
        """
        now = max(self.clock.now, at)
        for name, entity in leaving.items():
            entity.closed_at = now
            _leave_residue(entity)
            self._become_stub(name, entity)
            self._quiet.pop(name, None)
            changes.write(name, self.codec.stub(name, now))

    def advance(self, segment: Segment, changes: Changes) -> None:
        """Let the clock pass the segment's beginning (and take its mark): days close, what is too old is forgotten."""
        mark, news = segment.mark, False
        if isinstance(mark, Reopening):
            self._reopen(mark, changes)
            return
        if mark is not None and mark.begins:
            news = self.clock.take(mark, segment.at)
        news = self.clock.advance(segment.at) or news
        if mark is not None and not mark.begins:
            news = self.clock.take(mark, segment.at) or news
            self.clock.advance(segment.at)
        if not self.clock.is_loading:
            self._close_days(changes)
            self._sweep(changes)
        if news:
            changes.write("", self.codec.clock(self.clock.state()))

    def _reopen(self, mark: Reopening, changes: Changes) -> None:
        """Begin or end the rebuild of one entity; one that is known already, or was never begun, is passed over."""
        name, generation, ends = mark
        entity = self.entities.get(name)
        if not ends and (entity is None or generation > entity.generation):
            if entity is None:
                entity = self.entities[name] = Entity()
            self.held -= entity.reopen(generation)
            self._quiet.pop(name, None)
            # It may have been finished long ago: it stays open for a horizon from now on, so that it can be corrected.
            entity.touched_at = self.clock.now
            changes.write(name, self.codec.begun(name, generation, self.clock.now))
        elif ends and entity is not None and entity.reopening and generation == entity.generation:
            entity.reopening = False
            changes.touched[name] = entity
            changes.write(name, self.codec.ended(name, generation))

    def close_early(self, changes: Changes) -> bool:
        """Close the oldest day that is still open, whatever the horizon says; False where none can."""
        today = self.clock.now // DAY_MS
        day = min(self._days, default=today)
        if day >= today or not self.clock.close_early(day):
            return False
        self._close_days(changes)
        changes.write("", self.codec.clock(self.clock.state()))
        return True

    def _close_days(self, changes: Changes) -> None:
        """Fold the facts of closed days into their entities' bases."""
        closed = self.clock.closed_day
        days = [day for day in self._days if day <= closed]
        held_open: defaultdict[int, set[str]] = defaultdict(set)
        names: set[str] = set()
        for day in days:
            for name in self._days.pop(day):
                if self.entities[name].reopening:
                    held_open[day].add(name)
                else:
                    names.add(name)
        self._days.update(held_open)
        for name in sorted(names):
            self._fold(name, self.entities[name], closed, changes)

    def _fold(self, name: str, entity: Entity, closed: int, changes: Changes) -> None:
        facts = {identity: fact for identity, fact in entity.facts.items() if _is_closed(identity, fact, closed)}
        if not facts:
            return
        entity.base = self.rules.close(entity.base, facts)
        entity.base_day = closed
        today = self.clock.now // DAY_MS
        for identity, fact in facts.items():
            del entity.facts[identity]
            entity.remember(identity, fact.version, today)
        self.held -= len(facts)
        self._forget[today + REMEMBER_DAYS].add(name)
        entity.running = None
        entity.folded_on = today
        changes.write(name, self.codec.base(name, closed, today, entity.base))

    def _become_stub(self, name: str, entity: Entity) -> None:
        entity.running = entity.told = entity.contributed = entity.deadline = None
        day = (entity.closed_at or 0) // DAY_MS
        self._forget[day + REMEMBER_DAYS].add(name)
        self._drop[day + self.stub_days].add(name)

    def _sweep(self, changes: Changes) -> None:
        """Once a day: forget the versions of facts that closed long ago, and the oldest stubs."""
        today = self.clock.now // DAY_MS
        if today <= self._swept:
            return
        self._swept = today
        for day in [day for day in self._forget if day < today]:
            for name in sorted(self._forget.pop(day)):
                self._forget_facts(name, today, changes)
        for day in [day for day in self._drop if day < today]:
            for name in sorted(self._drop.pop(day)):
                self._drop_stub(name, changes)

    def _forget_facts(self, name: str, today: int, changes: Changes) -> None:
        entity = self.entities.get(name)
        if entity is None or entity.remembered is None:
            return
        for identity in [one for one, (_, day) in entity.remembered.items() if day + REMEMBER_DAYS < today]:
            del entity.remembered[identity]
            changes.write("", self.codec.forgotten(name, identity))
        entity.remembered = entity.remembered or None

    def _drop_stub(self, name: str, changes: Changes) -> None:
        entity = self.entities.get(name)
        if entity is None or entity.closed_at is None:
            return  # it was rebuilt since it closed
        if entity.closed_at // DAY_MS + self.stub_days >= self.clock.now // DAY_MS:
            return
        del self.entities[name]
        for identity in (*entity.facts, *(entity.remembered or ())):
            changes.write("", self.codec.forgotten(name, identity))
        for row in self.codec.dropped(name, rebuilt=entity.generation > 0):
            changes.write("", row)
        self.held -= len(entity.facts)

    # Bringing it back.

    def recover(self, key: bytes, value: bytes | None, offset: int) -> None:
        """Merge one changelog record that is read back; the greater version wins, in any order."""
        if value is None:
            return
        row = self.codec.read(key, value)
        if type(row) is FactRow:
            name, identity, fact = row
            entity = self._entity(name, offset)
            self._recover_fact(entity, identity, fact)
        elif isinstance(row, Header):
            self.epoch = row.epoch
        elif isinstance(row, ClockState):
            self.clock.recover(row)
        else:
            self._recover_entity(self._entity(row.entity, offset), row)

    def _entity(self, name: str, offset: int) -> Entity:
        entity = self.entities.get(name)
        if entity is None:
            entity = self.entities[name] = Entity()
        entity.offset = max(entity.offset, offset)
        return entity

    @staticmethod
    def _recover_fact(entity: Entity, identity: str, fact: Fact) -> None:
        known = entity.facts.get(identity)
        if known is not None and known.version >= fact.version:
            return
        old = entity.remembered.get(identity) if entity.remembered is not None else None
        if old is not None and old[0] >= fact.version:
            return
        is_residue = identity.startswith(CONTRIBUTION_MARK)
        if (entity.closed_at is not None and not is_residue) or _is_closed(identity, fact, entity.base_day):
            entity.facts.pop(identity, None)
            entity.remember(identity, fact.version)
            return
        if old is not None and entity.remembered is not None:
            del entity.remembered[identity]
        entity.facts[identity] = fact

    @staticmethod
    def _recover_entity(entity: Entity, row: Any) -> None:
        if isinstance(row, TargetsRow):
            entity.targets = tuple(sorted({*entity.targets, *row.targets}))
        elif isinstance(row, BegunRow):
            if row.generation > entity.generation:
                entity.reopen(row.generation)
                entity.touched_at = row.at
        elif isinstance(row, EndedRow):
            if row.generation == entity.generation:
                entity.reopening = False
        elif isinstance(row, StubRow):
            entity.closed_at = max(entity.closed_at or 0, row.closed_at)
            _leave_residue(entity)
        elif isinstance(row, BaseRow) and row.day > entity.base_day:
            entity.base, entity.base_day, entity.folded_on = row.base, row.day, row.folded_on
            for identity in [name for name, fact in entity.facts.items() if _is_closed(name, fact, row.day)]:
                entity.remember(identity, entity.facts.pop(identity).version)

    def recovered(self) -> None:
        """All rows have been read: set up what follows from them."""
        for name, entity in self.entities.items():
            self.held += len(entity.facts)
            day = entity.folded_on if entity.closed_at is None else entity.closed_at // DAY_MS
            if entity.remembered:
                entity.remembered = {identity: (version, day) for identity, (version, _) in entity.remembered.items()}
                self._forget[day + REMEMBER_DAYS].add(name)
            if entity.closed_at is not None:
                self._become_stub(name, entity)
            elif self.rules.base is not None:
                for identity, fact in entity.facts.items():
                    if not identity.startswith(CONTRIBUTION_MARK):
                        self._days[fact.period].add(name)
        if self.clock.is_silent:
            self.kept_back.add(self.names())
        if self.rules.stubs:
            self.unexamined = list(self.names())
            for entity in self.entities.values():
                latest = max((fact.period for fact in entity.facts.values()), default=0)
                entity.touched_at = max(entity.touched_at, latest)

    def examine(self, most: int) -> dict[str, Derived]:
        """Look at entities that were read back: which are finished, and what their deadlines are.

        Returned are those whose deadline passed once: a crash may have kept what followed from being published, and
        no record of a source will be read again for it.
        """
        found: dict[str, Derived] = {}
        for _ in range(min(most, len(self.unexamined))):
            name = self.unexamined.pop()
            entity = self.entities.get(name)
            if entity is None or entity.closed_at is not None or (entity.finished is not None and entity.told):
                continue
            derived = self.derive(name, entity)
            if PASSED in entity.facts:
                found[name] = derived
        return found

    def names(self) -> Iterator[str]:
        """All entities that have not closed."""
        return (name for name, entity in self.entities.items() if entity.closed_at is None)


_REPEATED: Final = ""


def _meets_closed(entity: Entity, known: Fact | None, identity: str, fact: Fact) -> str | None:
    """Whether a fact repeats what has closed, is late (the reason), or neither (None)."""
    closed = entity.remembered.get(identity) if known is None and entity.remembered is not None else None
    if closed is not None:
        return _REPEATED if fact.version <= closed[0] else "it corrects what a closed period holds"
    if entity.closed_at is None:
        return None
    if known is not None and (fact.version <= known.version or fact.payload == known.payload):
        return _REPEATED
    return "what it is about was finished, quiet and has closed"


def _leave_residue(entity: Entity) -> None:
    """Of a stub's facts the contributions stay, of all others the version."""
    day = (entity.closed_at or 0) // DAY_MS
    for identity in [name for name in entity.facts if not name.startswith(CONTRIBUTION_MARK)]:
        entity.remember(identity, entity.facts.pop(identity).version, day)


def _is_closed(identity: str, fact: Fact, day: int) -> bool:
    return fact.period <= day and not identity.startswith(CONTRIBUTION_MARK) and identity != PASSED
