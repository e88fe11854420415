"""The fact table: merging is a join, and what it writes brings it back."""

from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.times import DAY_MS
from schemas.versions import Version
from streams.clock import Clock
from streams.facts import Fact, Statement, Target, live, merge
from streams.leads.derive import LeadTimes
from streams.reading import Entry
from streams.rows import Codec
from streams.table import Changes, Partition

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


def table() -> Partition:
    return Partition(LeadTimes(), CODEC, Clock(7 * DAY_MS), epoch=7)


def entries(statements: Iterable[Statement]) -> list[Entry]:
    return [Entry(0, said, None, 0) for said in statements]


def through(partition: Partition, statements: Iterable[Statement], first_offset: int = 0) -> Changes:
    """Merge a batch, as if its rows had been acknowledged from this offset on."""
    changes = Changes()
    partition.merge(entries(statements), changes)
    partition.wrote(changes, range(first_offset, first_offset + len(changes.rows)))
    return changes


def content(partition: Partition) -> dict[str, dict[str, Fact]]:
    return {name: entity.facts for name, entity in partition.entities.items()}


@given(_statements, st.data())
def test_order_repetition_and_batches_end_in_the_same_partition(
    statements: list[Statement], data: st.DataObject
) -> None:
    at_once = table()
    through(at_once, statements)
    shuffled = data.draw(st.permutations(statements + statements[:3]))
    cut = data.draw(st.integers(0, len(shuffled)))
    in_two = table()
    through(in_two, shuffled[:cut])
    through(in_two, shuffled[cut:], 100)
    assert content(in_two) == content(at_once)


@given(_statements)
def test_a_repeated_batch_writes_nothing_and_touches_the_same_entities(statements: list[Statement]) -> None:
    partition = table()
    first = through(partition, statements)
    again = through(partition, statements)
    assert (again.rows, again.accepted, again.repeated) == ([], 0, len(statements))
    assert again.touched.keys() == first.touched.keys()


@given(_statements)
def test_each_accepted_statement_is_one_row_and_of_one_event_the_newest_is_written_last(
    statements: list[Statement],
) -> None:
    changes = through(table(), statements)
    assert len(changes.rows) == changes.accepted
    last = {row.key: row for row in changes.rows}
    for entity, name in {said[:2] for said in statements}:
        newest = max((said.fact for said in statements if said[:2] == (entity, name)), key=lambda one: one.version)
        row = CODEC.fact(entity, name, newest)
        assert last[row.key] == row


@given(_targets, _targets)
def test_an_entity_remembers_all_it_has_ever_addressed(first: list[Target], second: list[Target]) -> None:
    partition = table()
    through(partition, [Statement("A", "s\x001", Fact(Version(1, 0, b""), 1))])
    entity = partition.entities["A"]
    for addressed in (first, second):
        partition.address("A", entity, addressed, Changes())
    assert entity.targets == tuple(sorted({*first, *second}))
    changes = Changes()
    partition.address("A", entity, [*first, *second], changes)
    assert changes.rows == []


@settings(max_examples=200)
@given(_statements, _targets, st.data())
def test_recovery_brings_back_what_was_in_memory_in_any_order_of_the_rows(
    statements: list[Statement], targets: list[Target], data: st.DataObject
) -> None:
    memory = table()
    log = [CODEC.header(7)]
    for number in range(0, len(statements), 4):
        changes = Changes()
        memory.merge(entries(statements[number : number + 4]), changes)
        for name, entity in changes.touched.items():
            memory.address(name, entity, targets[: number // 4 + 1], changes)
        memory.wrote(changes, range(len(log), len(log) + len(changes.rows)))
        log.extend(changes.rows)
    rows = list(enumerate(log))
    repeated = rows + data.draw(st.lists(st.sampled_from(rows), max_size=5))
    recovered = table()
    recovered.epoch = None
    for offset, row in data.draw(st.permutations(repeated)):
        recovered.recover(row.key, row.value, offset)
    recovered.recovered()
    assert recovered == memory


def test_a_removed_row_says_nothing() -> None:
    partition = table()
    partition.recover(b"A\x00fs\x001", None, 5)
    assert partition == table()


def test_an_older_batch_never_lowers_an_entitys_version() -> None:
    partition = table()
    through(partition, [Statement("A", "s\x001", Fact(Version(1, 0, b""), 1))], 10)
    through(partition, [Statement("A", "s\x002", Fact(Version(1, 0, b""), 1))], 3)
    assert partition.entities["A"].offset == 10
