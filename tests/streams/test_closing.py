"""What closes, what comes too late, and that neither loses nor doubles anything."""

import json
from collections import Counter
from datetime import datetime
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.coordinates import Coordinate, Mark, Origin
from schemas.times import DAY_MS, HOUR_MS
from streams.table import REMEMBER_DAYS
from tests.streams.network import EPOCH, Network, Place, Views
from tests.streams.strategies import histories
from tests.streams.told import ITEM, Told, correction, line, milestone, movement, ms, placed, retraction

WEEK = 7 * DAY_MS
FIRST = ms(0)
"""The beginning of the day on which hour 0 of the stories lies."""


def week(**given_: object) -> Network:
    return Network(partitions=1, horizon=WEEK, **given_)  # type: ignore[arg-type]  # named as Network names them


def fed(network: Network, *told: tuple[Told, int]) -> Network:
    """Feed records, each appended so many days after the first day, and process them."""
    for record, day in told:
        network.feed([record], at=FIRST + day * DAY_MS)
    network.run()
    return network


def on_hand(network: Network) -> int:
    return network.views().stock("BER", ITEM).on_hand


def reasons(network: Network) -> list[str]:
    return [late.reason for late in network.late()]


def later(day: int) -> tuple[Told, int]:
    """Something else on that day: it only moves the clock."""
    return movement("received", 24 * day, 1, site="NBO"), day


def test_an_event_for_a_closed_day_is_kept_and_not_applied() -> None:
    network = fed(week(), (movement("received", 1, 5), 0), (movement("received", 2, 3, event_id="late"), 9))
    assert on_hand(network) == 5_000
    (late,) = network.late()
    assert late.reason == "It came too late: its day has closed."
    assert (late.topic, late.entity, late.epoch, late.offset) == ("warehouse.events", f"BER|{ITEM}", EPOCH, 1)
    assert late.value == movement("received", 2, 3, event_id="late").raw


def test_a_day_is_open_until_the_horizon_has_passed_after_its_end() -> None:
    said = movement("received", 1, 5)
    assert on_hand(fed(week(), (said, 7))) == 5_000
    late_by_a_moment = week()
    late_by_a_moment.feed([said], at=FIRST + 8 * DAY_MS + 1)
    late_by_a_moment.run()
    assert reasons(late_by_a_moment) == ["It came too late: its day has closed."]


def test_a_correction_or_retraction_of_what_has_closed_is_late_and_a_repeat_is_a_repeat() -> None:
    said = movement("received", 1, 5)
    network = fed(week(), (said, 0), later(9), (said, 10), (correction(said, 200, quantity="9"), 10))
    fed(network, (retraction(said, 210), 10))
    assert on_hand(network) == 5_000
    assert reasons(network) == ["It came too late: it corrects what a closed period holds."] * 2


def test_a_repeat_is_known_as_one_for_30_days_after_its_day_closed_and_is_late_then() -> None:
    said = movement("received", 1, 5)
    network = fed(week(), (said, 0), later(9), (said, 9 + REMEMBER_DAYS))
    assert reasons(network) == []
    fed(network, (said, 9 + REMEMBER_DAYS + 1))
    assert reasons(network) == ["It came too late: its day has closed."]
    assert on_hand(network) == 5_000


def test_an_open_event_that_is_moved_into_a_closed_day_stays_as_it_was() -> None:
    said = movement("received", 24 * 8, 5)
    moved = correction(said, 210, occurred_at="2026-03-01T01:00:00Z")
    network = fed(week(), (said, 9), (moved, 9))
    assert (on_hand(network), len(network.late())) == (5_000, 1)


def test_a_closed_event_that_is_moved_into_an_open_day_counts_where_it_was_only() -> None:
    said = movement("received", 1, 5)
    moved = correction(said, 210, occurred_at="2026-03-10T01:00:00Z")
    network = fed(week(), (said, 0), later(9), (moved, 10))
    assert (on_hand(network), len(network.late())) == (5_000, 1)


def test_what_is_closed_still_counts_and_a_count_is_still_a_barrier() -> None:
    network = fed(
        week(),
        (movement("received", 1, 10), 0),
        (movement("counted", 2, 8), 0),
        later(9),
        (movement("shipped", 24 * 9, 3), 9),
    )
    stock = network.views().stock("BER", ITEM)
    assert (stock.on_hand, stock.received, stock.count_variance, stock.movements) == (5_000, 10_000, -2_000, 3)


def test_closing_forgets_the_facts_and_keeps_the_figures_through_a_restart() -> None:
    moves = [(movement("received", hour, 1, event_id=str(hour)), hour // 24) for hour in range(0, 240, 5)]
    network = fed(week(), *moves, later(20))
    before = network.views()
    entity = network.partition("stock", 0).entities[f"BER|{ITEM}"]
    assert (len(entity.facts), len(entity.remembered or {})) == (0, len(moves))
    network.restart()
    fed(network, (movement("shipped", 24 * 19, 7), 20), *((told, 20) for told, _ in moves))
    assert on_hand(network) == (len(moves) - 7) * 1_000
    assert before.stock("BER", ITEM).on_hand == len(moves) * 1_000
    assert network.late() == []


def finished_shipment(*, at: int = 0) -> list[tuple[Told, int]]:
    goods = [line("1", 4, order_id="PO-1")]
    return [
        (placed("PO-1", 0, [line("1", 4)]), at),
        (milestone("S-1", "departed", 1, lines=goods, destination="BER"), at),
        (milestone("S-1", "delivered", 20), at),
    ]


def moves_clock(day: int) -> tuple[tuple[Told, int], ...]:
    return (
        (milestone(f"S-{day}", "departed", 24 * day), day),
        (placed(f"PO-{day}", 24 * day, [line("1")]), day),
    )


def test_a_finished_shipment_and_its_order_close_when_quiet_and_what_comes_then_is_late() -> None:
    network = fed(fed(week(), *finished_shipment()), *moves_clock(8))
    before = network.views()
    fed(
        network,
        (milestone("S-1", "returned", 100), 9),
        (correction(milestone("S-1", "delivered", 20), 200, lines=[]), 9),
        (placed("PO-1", 3, [line("2", 9)], event_id="again"), 9),
    )
    assert Counter(reasons(network)) == {
        "It came too late: what it is about was finished, quiet and has closed.": 2,
        "It came too late: it corrects what a closed period holds.": 1,
    }
    assert network.views() == before


def test_what_is_not_finished_never_closes() -> None:
    goods = [line("1", 4, order_id="PO-1")]
    network = fed(
        week(),
        (placed("PO-1", 0, [line("1", 4)]), 0),
        (milestone("S-1", "departed", 1, lines=goods), 0),
        *moves_clock(300),
        (milestone("S-1", "delivered", 24 * 299), 300),
    )
    assert (network.late(), network.views().shipment("S-1").status) == ([], "delivered")


def test_a_repeat_of_what_closed_changes_nothing_and_is_not_late() -> None:
    network = fed(fed(week(), *finished_shipment()), *moves_clock(9))
    before = network.views()
    fed(network, *finished_shipment(at=10))
    assert (network.views(), network.late()) == (before, [])


def test_a_stub_goes_after_its_days_and_leaves_nothing_behind_in_the_changelog() -> None:
    network = fed(week(stub_days=50), *finished_shipment(), *moves_clock(9), *moves_clock(9 + 51))
    assert "S-1" not in network.partition("shipments", 0).entities
    latest = {row.key: row.value for row in network.topics[Place("shipments.facts", 0)]}
    assert [key for key, value in latest.items() if key.startswith(b"S-1\0") and value is not None] == []


def test_while_history_is_loaded_nothing_closes_and_afterwards_all_that_is_due() -> None:
    begin, end = Mark(begins=True, load="old"), Mark(begins=False, load="old")
    network = week()
    at = FIRST + 100 * DAY_MS
    network.feed([movement("received", 1, 5)], at=at, headers=(begin.header(),))
    network.feed([movement("received", 2, 3, event_id="b")], at=at)
    network.run()
    network.feed([movement("shipped", 24 * 40, 1)], at=at, headers=(end.header(),))
    network.run()
    assert (on_hand(network), network.late()) == (7_000, [])
    fed(network, (movement("received", 3, 3, event_id="after"), 100))
    assert (on_hand(network), len(network.late())) == (7_000, 1)


def test_a_load_of_one_record_carries_both_marks() -> None:
    both = (Mark(begins=True, load="old").header(), Mark(begins=False, load="old").header())
    network = week()
    network.feed([movement("received", 1, 5)], at=FIRST + 100 * DAY_MS, headers=both)
    network.run()
    assert (on_hand(network), network.late()) == (5_000, [])


def test_a_replayed_record_moves_no_clock_and_is_applied_as_it_was() -> None:
    network = week()
    for hour in (1, 24 * 20, 2):
        origin = Origin(Coordinate(3, "warehouse.events", 0, hour), FIRST + 50 * DAY_MS, "the-store")
        said = movement("received", hour, 1, event_id=str(hour))
        network.feed([said], at=FIRST + 90 * DAY_MS, headers=(origin.header(),))
        network.run()
    assert (on_hand(network), network.late()) == (3_000, [])


def test_a_replayed_record_among_others_moves_no_clock() -> None:
    network = week()
    origin = Origin(Coordinate(3, "warehouse.events", 0, 7), FIRST + 50 * DAY_MS, "the-store")
    fed(network, (movement("received", 1, 1, event_id="1"), 0))
    network.feed([movement("received", 3, 1, event_id="3")], at=FIRST + 90 * DAY_MS, headers=(origin.header(),))
    network.feed([movement("received", 2, 1, event_id="2")], at=FIRST)
    network.run()
    network.feed([movement("received", 4, 1, event_id="4")], at=FIRST)
    network.run()
    assert (on_hand(network), network.late()) == (4_000, [])


def test_more_facts_than_allowed_close_early_and_nothing_is_lost() -> None:
    network = week(most_facts=20)
    for day in range(6):
        hours = range(day * 24, day * 24 + 10)
        fed(network, *((movement("received", hour, 1, event_id=str(hour)), day) for hour in hours))
    partition = network.partition("stock", 0)
    assert partition.held <= 30
    fed(network, (movement("received", 1, 1, event_id="late"), 6))
    assert on_hand(network) == 60_000
    assert len(network.late()) == 1


@pytest.mark.parametrize("most", [1, 2, 100])
def test_batches_do_not_matter_to_what_is_late(most: int) -> None:
    chaos = Random(7)
    told = [
        (
            movement("received", chaos.randint(-24 * 12, 0) + number * 7, 1, event_id=str(number)),
            FIRST + number * 7 * HOUR_MS,
        )
        for number in range(80)
    ]
    network = week()
    for record, at in told:
        network.feed([record], at=at)
    network.run(most=most)
    closed = {late.offset for late in network.late()}
    expected = set()
    for offset, (record, at) in enumerate(told):
        day = _day(record)
        if (day + 1) * DAY_MS + WEEK < at:
            expected.add(offset)
    assert closed == expected
    assert on_hand(network) == (len(told) - len(expected)) * 1_000


def _day(record: Told) -> int:
    moment = datetime.fromisoformat(json.loads(record.raw)["occurred_at"])
    return int(moment.timestamp() * 1_000) // DAY_MS


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(records=histories(), seed=st.integers(0, 2**32), fuses=st.lists(st.none() | st.integers(0, 15), max_size=20))
def test_every_record_is_applied_late_repeated_or_dead_and_crashes_do_not_matter_to_which(
    records: list[Told], seed: int, fuses: list[int | None]
) -> None:
    chaos = Random(seed)
    arrivals = sorted(FIRST + chaos.randint(0, 30 * 24) * HOUR_MS for _ in records)

    def run(network: Network, fuses: list[int | None], most: int) -> Network:
        for record, at in zip(records, arrivals, strict=True):
            network.feed([record], at=at)
        network.run(fuses, most=most)
        return network

    calm = run(Network(partitions=1, horizon=5 * DAY_MS), [], 1_000)
    stormy = run(Network(partitions=1, horizon=5 * DAY_MS), fuses, 3)
    assert _closed_stock(stormy.views()) == _closed_stock(calm.views())
    assert _late_stock(stormy) == _late_stock(calm)


def _closed_stock(views: Views) -> dict[tuple[str, str], bytes]:
    """The positions: their periods close by the days of their own events alone."""
    return {key: state for key, state in views.states.items() if key[0] == "stock.positions"}


def _late_stock(network: Network) -> set[tuple[int, int, bytes]]:
    return {(late.partition, late.offset, late.value) for late in network.late() if late.topic == "warehouse.events"}
