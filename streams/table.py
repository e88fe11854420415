"""The fact table of one agent: in memory per partition, dropped when the partition is revoked."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from streams.facts import Entity, Fact, Statement, Target, is_newer
from streams.rows import Codec, Header, Row, TargetsRow


@dataclass(slots=True)
class Scratch:
    """A batch on its way into a partition: what it adds, and which entities it touches.

    Nothing of it is in the partition before `Partition.take`, which is called when all of it has been
    acknowledged, so a batch that fails half-way leaves no trace in memory.
    """

    facts: dict[str, dict[str, Fact]] = field(default_factory=dict)
    targets: dict[str, tuple[Target, ...]] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    row_entities: list[str] = field(default_factory=list)
    repeated: int = 0
    accepted: int = 0


@dataclass(slots=True)
class Partition:
    """The facts of one partition. `epoch`: what its changelog's header says; None: no header yet."""

    entities: dict[str, Entity] = field(default_factory=dict)
    epoch: int | None = None

    def merge(self, statements: Iterable[Statement], codec: Codec) -> Scratch:
        """Merge statements into a scratch; a repeated one writes nothing but touches its entity."""
        scratch = Scratch()
        for entity, identity, fact in statements:
            fresh = scratch.facts.setdefault(entity, {})
            known = fresh.get(identity)
            if known is None and entity in self.entities:
                known = self.entities[entity].facts.get(identity)
            if not is_newer(known, fact):
                scratch.repeated += 1
                continue
            scratch.accepted += 1
            fresh[identity] = fact
        for entity, facts in scratch.facts.items():
            for identity, fact in facts.items():
                scratch.rows.append(codec.fact(entity, identity, fact))
                scratch.row_entities.append(entity)
        return scratch

    def facts(self, entity: str, scratch: Scratch) -> Mapping[str, Fact]:
        """An entity's facts with those of the scratch."""
        known = self.entities.get(entity)
        fresh = scratch.facts.get(entity, {})
        if known is None:
            return fresh
        return {**known.facts, **fresh} if fresh else known.facts

    def address(self, entity: str, targets: Iterable[Target], scratch: Scratch, codec: Codec) -> tuple[Target, ...]:
        """All targets the entity has ever addressed, these included; new ones get a changelog row."""
        known = self.entities.get(entity)
        before = known.targets if known is not None else ()
        everything = tuple(sorted({*before, *targets}))
        if everything != before:
            scratch.targets[entity] = everything
            scratch.rows.append(codec.targets(entity, everything))
            scratch.row_entities.append(entity)
        return everything

    def version_offset(self, entity: str) -> int:
        """The offset of the last changelog record behind the entity, as far as it is in memory."""
        known = self.entities.get(entity)
        return -1 if known is None else known.offset

    def take(self, scratch: Scratch, offsets: Mapping[str, int]) -> None:
        """Put an acknowledged scratch into memory; `offsets`: the last changelog offset per entity."""
        for entity, facts in scratch.facts.items():
            self.entities.setdefault(entity, Entity()).facts.update(facts)
        for entity, targets in scratch.targets.items():
            self.entities.setdefault(entity, Entity()).targets = targets
        for entity, offset in offsets.items():
            self.entities[entity].offset = max(self.entities[entity].offset, offset)

    def recover(self, key: bytes, value: bytes | None, offset: int, codec: Codec) -> None:
        """Merge one changelog record that is read back; the greater version wins, in any order."""
        if value is None:
            return
        row = codec.read(key, value)
        if isinstance(row, Header):
            self.epoch = row.epoch
            return
        entity = self.entities.setdefault(row.entity, Entity())
        entity.offset = max(entity.offset, offset)
        if isinstance(row, TargetsRow):
            entity.targets = tuple(sorted({*entity.targets, *row.targets}))
        elif is_newer(entity.facts.get(row.identity), row.fact):
            entity.facts[row.identity] = row.fact
