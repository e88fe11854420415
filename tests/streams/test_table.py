"""The fact table: merging is a join, and a batch leaves no trace before it is taken."""

import copy

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.versions import Version
from streams.facts import Entity, Fact, Statement, Target, live, merge
from streams.rows import Codec
from streams.table import Partition, Scratch

CODEC = Codec(int)

_versions = st.builds(Version, st.integers(0, 3), st.integers(0, 1), st.sampled_from((b"", b"a", b"b")))


def _said(version: Version) -> Fact:
    """One version has one content, as a hash of it is part of the version."""
    return Fact(version, None if version.minor else sum(version.content) * 10 + version.major)


_facts = _versions.map(_said)
_identities = st.sampled_from(("s\x001", "s\x002", "\x01S-1"))
_sets = st.dictionaries(_identities, _facts, max_size=3)
_statements = st.lists(st.builds(Statement, st.sampled_from(("A", "B")), _identities, _facts), max_size=15)
_targets = st.lists(st.builds(Target, st.sampled_from(("lead", "transit")), st.sampled_from(("x", "y"))), max_size=3)


@given(_sets)
def test_merging_a_set_with_itself_changes_nothing(facts: dict[str, Fact]) -> None:
    assert merge(facts, facts) == facts
    assert merge({}, facts) == merge(facts, {}) == facts


@given(_sets, _sets)
def test_merging_does_not_depend_on_which_came_first(one: dict[str, Fact], other: dict[str, Fact]) -> None:
    assert merge(one, other) == merge(other, one)


@given(_sets, _sets, _sets)
def test_merging_does_not_depend_on_what_was_merged_before(
    one: dict[str, Fact], two: dict[str, Fact], three: dict[str, Fact]
) -> None:
    assert merge(merge(one, two), three) == merge(one, merge(two, three))


@given(_sets)
def test_live_facts_are_in_the_order_they_were_said_and_not_in_that_of_arrival(facts: dict[str, Fact]) -> None:
    backwards = dict(reversed(facts.items()))
    assert live(facts) == live(backwards)
    assert [fact.version for _, fact in live(facts)] == sorted(fact.version for _, fact in live(facts))
    assert all(fact.payload is not None for _, fact in live(facts))


def through(partition: Partition, statements: list[Statement], first_offset: int = 0) -> Scratch:
    """Merge and take a batch, as if its rows had been acknowledged from this offset on."""
    scratch = partition.merge(statements, CODEC)
    offsets = dict(zip(scratch.row_entities, range(first_offset, first_offset + len(scratch.rows)), strict=True))
    partition.take(scratch, offsets)
    return scratch


def content(partition: Partition) -> dict[str, dict[str, Fact]]:
    return {name: entity.facts for name, entity in partition.entities.items()}


@given(_statements, st.data())
def test_order_repetition_and_batches_end_in_the_same_partition(
    statements: list[Statement], data: st.DataObject
) -> None:
    at_once = Partition()
    through(at_once, statements)
    shuffled = data.draw(st.permutations(statements + statements[:3]))
    cut = data.draw(st.integers(0, len(shuffled)))
    in_two = Partition()
    through(in_two, shuffled[:cut])
    through(in_two, shuffled[cut:], 100)
    assert content(in_two) == content(at_once)


@given(_statements)
def test_a_repeated_batch_writes_nothing_and_touches_the_same_entities(statements: list[Statement]) -> None:
    partition = Partition()
    first = through(partition, statements)
    again = partition.merge(statements, CODEC)
    assert (again.rows, again.accepted, again.repeated) == ([], 0, len(statements))
    assert again.facts.keys() == first.facts.keys()


@given(_statements)
def test_of_one_event_in_one_batch_only_the_newest_statement_is_written(statements: list[Statement]) -> None:
    scratch = Partition().merge(statements, CODEC)
    assert len(scratch.rows) == len({row.key for row in scratch.rows})
    for entity, facts in scratch.facts.items():
        for name, fact in facts.items():
            told = [said.fact for said in statements if (said.entity, said.identity) == (entity, name)]
            assert fact.version == max(one.version for one in told)


@given(_statements, _statements, _targets)
def test_a_scratch_leaves_no_trace_before_it_is_taken(
    before: list[Statement], batch: list[Statement], targets: list[Target]
) -> None:
    partition = Partition()
    through(partition, before)
    untouched = copy.deepcopy(partition)
    scratch = partition.merge(batch, CODEC)
    for entity in scratch.facts:
        partition.facts(entity, scratch)
        partition.address(entity, targets, scratch, CODEC)
    assert partition == untouched
    partition.take(scratch, {entity: 900 for entity in scratch.facts if scratch.row_entities.count(entity)})
    for entity in scratch.facts:
        assert partition.facts(entity, Scratch()) == merge(untouched.facts(entity, Scratch()), scratch.facts[entity])


@given(_targets, _targets)
def test_an_entity_remembers_all_it_has_ever_addressed(first: list[Target], second: list[Target]) -> None:
    partition = Partition()
    everything: tuple[Target, ...] = ()
    for place, addressed in enumerate((first, second)):
        said = Statement("A", f"s\x00{place}", Fact(Version(place, 0, b""), 1))
        scratch = partition.merge([said], CODEC)
        everything = partition.address("A", addressed, scratch, CODEC)
        partition.take(scratch, {"A": place})
    assert everything == tuple(sorted({*first, *second}))
    scratch = partition.merge([said], CODEC)
    assert partition.address("A", [], scratch, CODEC) == everything
    assert scratch.rows == []


@settings(max_examples=200)
@given(_statements, _targets, st.data())
def test_recovery_brings_back_what_was_in_memory_in_any_order_of_the_rows(
    statements: list[Statement], targets: list[Target], data: st.DataObject
) -> None:
    memory = Partition(epoch=7)
    log = [CODEC.header(7)]
    for number in range(0, len(statements), 4):
        scratch = memory.merge(statements[number : number + 4], CODEC)
        for entity in scratch.facts:
            memory.address(entity, targets[: number // 4 + 1], scratch, CODEC)
        offsets = dict(zip(scratch.row_entities, range(len(log), len(log) + len(scratch.rows)), strict=True))
        log.extend(scratch.rows)
        memory.take(scratch, offsets)
    rows = list(enumerate(log))
    repeated = rows + data.draw(st.lists(st.sampled_from(rows), max_size=5))
    recovered = Partition()
    for offset, row in data.draw(st.permutations(repeated)):
        recovered.recover(row.key, row.value, offset, CODEC)
    assert recovered == memory


def test_a_removed_row_says_nothing() -> None:
    partition = Partition()
    partition.recover(b"A\x00fs\x001", None, 5, CODEC)
    assert partition == Partition()


def test_an_older_batch_never_lowers_an_entitys_version() -> None:
    partition = Partition(entities={"A": Entity(offset=10)})
    partition.take(Scratch(), {"A": 3})
    assert partition.version_offset("A") == 10
    assert partition.version_offset("unknown") == -1
