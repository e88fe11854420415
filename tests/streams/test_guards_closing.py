"""What closes has said its last word, leaves a residue, and comes back the same from rows in any order."""

from dataclasses import replace
from random import Random

import pytest

from schemas.coordinates import Mark
from schemas.times import DAY_MS
from streams.clock import LOAD_LIMIT_MS, Clock
from streams.table import REMEMBER_DAYS
from tests.streams.network import Network, Place
from tests.streams.test_clock import Told as Timed
from tests.streams.test_clock import run as taken
from tests.streams.test_closing import WEEK, fed, finished_shipment, moves_clock, on_hand, reasons, week
from tests.streams.told import ITEM, Told, condition, correction, line, milestone, movement, ms, placed

FIRST = ms(0)


def test_what_a_crash_kept_from_being_published_is_published_before_its_entity_closes() -> None:
    network = week()
    for told, day in finished_shipment():
        network.feed([told], at=FIRST + day * DAY_MS)
    network.step(Place("supplier.events", 0), 10)
    network.step(Place("shipment.events", 0), 10)
    network.step(Place("delivery.contributions", 0), 10, fuse=2)  # two changelog rows, and nothing after them
    network.tick(FIRST)  # what was read back is looked at: the order is finished
    network.feed([placed("PO-8", 24 * 8, [line("1")])], at=FIRST + 8 * DAY_MS)
    network.step(Place("supplier.events", 0), 10)
    network.run()
    assert network.partition("orders", 0).entities["PO-1"].closed_at is not None
    assert network.views().order("PO-1").status == "delivered"
    assert network.views().lead("order_to_delivery", f"Acme Ltd|{ITEM}").all.count == 1


def test_a_contribution_that_is_told_again_to_what_has_closed_is_known_by_its_residue() -> None:
    network = fed(week(), *finished_shipment())
    fed(network, (placed("PO-8", 24 * 8, [line("1")]), 8))
    assert network.partition("orders", 0).entities["PO-1"].closed_at is not None
    network.restart()  # it forgets what it has told, so it tells it again under a greater version
    seen = condition("S-1", 2, type="position", latitude="50", longitude="13.4")
    fed(network, (seen, 1))
    assert reasons(network) == []
    moved = correction(milestone("S-1", "delivered", 20), 30, lines=[line("1", 3, order_id="PO-1")])
    fed(network, (moved, 1))
    assert reasons(network) == ["It came too late: what it is about was finished, quiet and has closed."]


def test_what_came_too_late_and_was_passed_on_is_known_by_where_it_came_first() -> None:
    network = Network(horizon=WEEK)
    network.feed([movement("received", 24 * 9, 1)], at=FIRST + 9 * DAY_MS)
    (home,) = (place for place, log in network.topics.items() if log)
    network.run()
    network.feed([movement("received", 1, 5)], at=FIRST + 9 * DAY_MS, astray=True)
    network.run()
    (late,) = network.late()
    assert (late.topic, late.partition, late.offset) == ("warehouse.events", 1 - home.partition, 0)


def test_a_quiet_shipment_closes_only_once_the_horizon_has_passed() -> None:
    network = fed(week(), *finished_shipment(), *moves_clock(7))
    assert network.partition("shipments", 0).entities["S-1"].closed_at is None
    fed(network, *moves_clock(8))
    assert network.partition("shipments", 0).entities["S-1"].closed_at is not None


def test_a_position_whose_days_have_all_closed_is_not_gone() -> None:
    said = movement("received", 1, 5)
    network = fed(week(), (said, 0), (movement("received", 24 * 9, 1, site="NBO"), 9))
    network.restart()  # it forgets what it has told, so it tells it again
    fed(network, (said, 10))
    assert f"BER|{ITEM}" in network.views().keys("stock.positions")


def test_days_stay_closed_through_a_restart() -> None:
    network = fed(week(), (movement("received", 1, 5), 0), (movement("received", 24 * 9, 1, site="NBO"), 9))
    network.restart()
    fed(network, (movement("received", 2, 3, event_id="late"), 8))
    assert (on_hand(network), reasons(network)) == (5_000, ["It came too late: its day has closed."])


def test_a_backlog_of_days_that_closed_counts_where_its_positions_are_new() -> None:
    network = fed(week(), (movement("received", 1, 5), 0), (movement("received", 24 * 9, 1, site="NBO"), 9))
    begin, end = (Mark(begins=begins, load="old").header() for begins in (True, False))
    network.feed([movement("received", 1, 4, site="LOS")], at=FIRST + 10 * DAY_MS, headers=(begin,))
    network.feed([movement("received", 2, 3, site="LOS")], at=FIRST + 10 * DAY_MS)
    network.feed([movement("received", 2, 1)], at=FIRST + 10 * DAY_MS, headers=(end,))
    network.run(most=1)
    assert network.views().stock("LOS", ITEM).on_hand == 7_000
    assert (on_hand(network), reasons(network)) == (5_000, ["It came too late: its day has closed."])


def test_a_batch_is_cut_where_a_load_expires() -> None:
    noon = 100 * DAY_MS + DAY_MS // 2  # so that no day closes in the moment in which the load expires
    begins = Timed(noon, Mark(begins=True, load="of a publisher that died"))
    told = [begins, *(Timed(noon + after, "said") for after in (DAY_MS // 2 + 1, LOAD_LIMIT_MS, LOAD_LIMIT_MS + 1))]
    one_by_one, batched = Clock(horizon=WEEK), Clock(horizon=WEEK)
    expected = [seen for record in told for seen in taken(one_by_one, [record])]
    assert [is_loading for _, is_loading, _ in expected] == [True, True, False]
    assert taken(batched, told) == expected


def stock_story() -> list[tuple[Told, int]]:
    """Movements of a month, and what comes late, again, or corrected, each with the day of its arrival."""
    moves = [(movement("received", hour, 1 + hour % 3, event_id=str(hour)), hour // 24) for hour in range(0, 720, 16)]
    moves += [(movement("counted", hour, 20, event_id=f"c{hour}"), hour // 24) for hour in range(100, 720, 200)]
    again = [(told, day + 3) for told, day in moves[::5]]
    changed = [(correction(told, 24 * (day + 2), quantity="9"), day + 2) for told, day in moves[::7]]
    late = [(correction(told, 24 * (day + 11), quantity="99"), day + 11) for told, day in moves[::6]]
    new = [(movement("shipped", 24 * day, 1, event_id=f"late{day}"), day + 10) for day in range(0, 20, 4)]
    return sorted([*moves, *again, *changed, *late, *new], key=lambda pair: pair[1])


@pytest.mark.parametrize("seed", range(12))
def test_what_has_closed_comes_back_from_rows_in_any_order(seed: int) -> None:
    def run(network: Network, *fuses: int | None, most: int) -> Network:
        for told, day in stock_story():
            network.feed([told], at=FIRST + day * DAY_MS)
        network.run(fuses, most=most)
        return network

    calm, chaos = run(week(), most=1_000), Random(seed)
    stormy = run(week(chaos=chaos), *(chaos.choice((None, None, 0, 1, 3, 9)) for _ in range(40)), most=7)
    for network in (calm, stormy):
        network.restart()
        fed(network, *((told, 32) for told, _ in stock_story()), (movement("shipped", 24 * 31, 2), 32))
    assert on_hand(stormy) == on_hand(calm)
    assert {late.value for late in stormy.late()} == {late.value for late in calm.late()}
    assert len(calm.late()) > 10


def test_what_has_closed_stands_in_its_base_once_its_facts_are_compacted_away() -> None:
    network = fed(week(), (movement("received", 1, 5), 0))
    for day in (9, 9 + REMEMBER_DAYS + 1):
        fed(network, (movement("received", 24 * day, 1, site="NBO"), day))
    log = network.topics[Place("stock.facts", 0)]
    last = {row.key: row.offset for row in log}
    log[:] = [row if row.offset == last[row.key] else replace(row, value=None) for row in log]
    network.restart()
    fed(network, (movement("shipped", 24 * 40, 2), 41))
    assert on_hand(network) == 3_000


@pytest.mark.parametrize("seed", range(12))
def test_a_stub_comes_back_as_one_from_rows_in_any_order(seed: int) -> None:
    ends = []
    for chaos in (None, Random(seed)):
        network = fed(fed(week(), *finished_shipment()), *moves_clock(9))
        network.chaos = chaos
        for _ in range(3):
            network.restart()
            fed(network, *finished_shipment(at=10))
        fed(network, (milestone("S-1", "returned", 100), 10), (placed("PO-1", 3, [line("2")], event_id="again"), 10))
        stub = network.partition("shipments", 0).entities["S-1"]
        ends.append((network.views(), {late.value for late in network.late()}, stub.facts, stub.remembered))
    assert ends[0] == ends[1]
    assert len(ends[0][1]) == 2
