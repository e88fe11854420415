"""Whatever the order, the repetitions, the batches and the crashes: the same facts, the same views."""

import json
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.wire import Rejection, read
from tests.streams.network import ARRIVAL, CONTRIBUTIONS, VIEWS, FetchedRecord, Network, play
from tests.streams.oracle import expected
from tests.streams.outcomes import outcomes
from tests.streams.strategies import UNREADABLE, histories
from tests.streams.told import OTHER_ITEM, Told, correction, line, milestone, movement, notice, placed, retraction

_unhurried = settings(deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
_seeds = st.integers(0, 2**32)
_fuses = st.lists(st.none() | st.integers(0, 15), max_size=30)

STORY = (
    placed("PO-1", 0, [line("1"), line("2", 4, OTHER_ITEM)]),
    notice("PO-1", "S-1", 5, [line("1")]),
    milestone("S-1", "departed", 10, destination="NBO", origin="BER", lines=[line("1", order_id="PO-1")]),
    correction(
        milestone("S-1", "departed", 10, origin="BER", carrier="RoadCo", lines=[line("1", order_id="PO-1")]),
        200,
        destination="BER",
    ),
    milestone("S-1", "delivered", 40),
    movement("received", 41, 9, "S-1"),
    movement("put_away", 44, 9, "S-1"),
    movement("shipped", 60, 12),
    retraction(movement("shipped", 60, 12), 300),
    milestone("S-2", "departed", 50, lines=[line("2", 4, OTHER_ITEM, order_id="PO-1")], destination="BER"),
    correction(placed("PO-1", 0, [line("1"), line("2", 5, OTHER_ITEM)]), 400),
    UNREADABLE[0],
)


def in_disorder(records: list[Told], chaos: Random) -> list[Told]:
    """The records in any order, some of them twice or three times."""
    disordered = [*records, *(told for told in records if chaos.random() < 0.3), *records[: chaos.randint(0, 3)]]
    chaos.shuffle(disordered)
    return disordered


def through_chaos(records: list[Told], seed: int, fuses: list[int | None]) -> Network:
    """The records in disorder, in small batches, with crashes, repetitions and rewinds on the way."""
    chaos = Random(seed)
    network = Network(chaos=chaos)
    disordered = in_disorder(records, chaos)
    middle = chaos.randint(0, len(disordered))
    network.feed(disordered[:middle])
    network.run(fuses, most=4)
    network.rewind_somewhere()
    network.feed(disordered[middle:])
    network.run(fuses, most=7)
    network.rewind_somewhere()
    network.run(most=3)
    return network


@settings(_unhurried, max_examples=250)
@given(records=histories(), seed=_seeds, fuses=_fuses)
def test_order_repetition_batches_and_crashes_leave_no_trace_in_views_and_facts(
    records: list[Told], seed: int, fuses: list[int | None]
) -> None:
    calm = Network()
    calm.feed(records)
    calm.run()
    stormy = through_chaos(records, seed, fuses)
    assert stormy.views() == calm.views(), "kept up to date"
    stormy.restart()
    stormy.rewind_somewhere()
    stormy.run(most=3)
    assert stormy.views() == calm.views(), "brought back"
    assert stormy.facts() == calm.facts()
    assert stormy.two_states_of_one_version() == []


@settings(_unhurried, max_examples=200)
@given(records=histories())
def test_the_agents_come_to_what_the_oracle_expects(records: list[Told]) -> None:
    assert outcomes(play(*records).states) == expected(records)


def test_a_crash_before_any_single_write_leaves_no_trace() -> None:
    calm = Network()
    calm.feed(STORY)
    calm.run(most=3)
    assert sum(calm.writes) > 50
    for batch, writes in enumerate(calm.writes):
        for written in range(writes + 1):
            crashed = Network()
            crashed.feed(STORY)
            crashed.run([*[None] * batch, written], most=3)
            where = f"batch {batch} died after {written} of {writes} writes"
            assert crashed.views() == calm.views(), where
            assert crashed.two_states_of_one_version() == [], where


def test_a_worker_that_dies_again_and_again_comes_to_the_same() -> None:
    calm = Network()
    calm.feed(STORY)
    calm.run()
    dying = Network()
    dying.feed(STORY)
    dying.run([*range(20)] * 3, most=1)
    assert dying.views() == calm.views()


def test_the_number_of_partitions_changes_nothing() -> None:
    found = []
    for partitions in (1, 2, 5):
        network = Network(partitions=partitions)
        network.feed(STORY)
        network.run()
        found.append(network.views())
    assert found[0] == found[1] == found[2]


def test_a_record_read_again_is_published_again_in_the_same_words() -> None:
    network = Network()
    network.feed(STORY)
    network.run()
    before = {place: list(log) for place, log in network.topics.items()}
    for place in list(network.topics):
        network.rewind(place, 0)
    network.restart()
    network.run()
    assert any(len(log) > len(before.get(place, [])) for place, log in network.topics.items())
    for place, log in network.topics.items():
        if place.topic.endswith(".facts"):
            fresh = [row for row in log[len(before[place]) :] if b"\x00f\x01" not in row.key]
            assert fresh == [], "a repeated event writes nothing"
        elif place.topic in VIEWS | CONTRIBUTIONS:
            assert _latest_states(log) == _latest_states(before[place])


def _latest_states(log: list[FetchedRecord]) -> dict[tuple[bytes, str], object]:
    """Of each key (and contributor) the last state, without its version."""
    states = ((record.key, json.loads(record.value or b"{}")["state"]) for record in log)
    return {(key, state.get("contributor", "")): state for key, state in states}


@settings(_unhurried, max_examples=30)
@given(records=histories(strangers=4), seed=_seeds, fuses=_fuses)
def test_every_unreadable_record_is_a_dead_letter_and_nothing_else_is(
    records: list[Told], seed: int, fuses: list[int | None]
) -> None:
    everything = [*records, *UNREADABLE]
    unreadable = {told.raw for told in everything if isinstance(read(*told, ARRIVAL), Rejection)}
    letters = through_chaos(everything, seed, fuses).dead()
    assert {letter.value for letter in letters} == unreadable
    assert all(letter.reason.endswith(".") for letter in letters)
