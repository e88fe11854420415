"""Shipments: where one is, whether it kept its promise, and what it brought."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.derived import ShipmentStatus
from schemas.event import Event
from schemas.times import DAY_MS, HOUR_MS, to_ms
from schemas.versions import Version
from streams.facts import PASSED, Fact, TimePassed, is_newer
from streams.shipments.derive import Shipments
from streams.shipments.facts import shipment_statement
from tests import strategies
from tests.streams.network import play
from tests.streams.told import (
    OTHER_ITEM,
    Told,
    condition,
    line,
    milestone,
    moment,
    ms,
    retraction,
)

LANE = {"origin": "NBO", "destination": "BER"}


def shipment(*records: Told) -> ShipmentStatus:
    return play(*records).shipment("S-1")


@given(st.lists(strategies.shipment_events() | st.integers(0, 60), max_size=40))
@settings(deadline=None)
def test_what_is_kept_up_to_date_is_what_follows_from_all_facts(told: list[Event | int]) -> None:
    """Of one shipment, whatever the order; a number is a day that has passed."""
    rules = Shipments()
    facts: dict[str, Fact] = {}
    running = rules.running({}, None)
    for said in told:
        if isinstance(said, int):
            at = to_ms(strategies.START) + said * DAY_MS
            identity, fact = PASSED, Fact(Version(at, 0, b""), TimePassed(at))
        else:
            _, identity, fact = shipment_statement(said, strategies.raw(said))
        known = facts.get(identity)
        if is_newer(known, fact):
            facts[identity] = fact
            running.replace(identity, known, fact)
        assert running.derive("S-1") == rules.derive("S-1", facts) == rules.running(facts, None).derive("S-1")


def inferred(status: ShipmentStatus) -> set[str]:
    return {state.milestone for state in status.milestones if state.inferred}


def test_the_status_is_the_highest_milestone_reached_in_any_order_of_arrival() -> None:
    told = [milestone("S-1", name, hour) for hour, name in enumerate(("booked", "departed", "arrived"), 1)]
    for order in itertools.permutations(told):
        assert shipment(*order).status == "arrived"


def test_a_later_leg_ranks_above_an_earlier_one() -> None:
    status = shipment(milestone("S-1", "available", 9, leg=1), milestone("S-1", "departed", 10, leg=2))
    assert (status.status, status.leg) == ("departed", 2)


def test_plans_and_estimates_reach_nothing() -> None:
    told = [milestone("S-1", "delivered", 20, "planned"), milestone("S-1", "delivered", 22, "estimated")]
    status = shipment(*told)
    assert (status.status, status.final, status.delivered_at) == ("planned", False, None)
    assert status.estimated_at == ms(22)


@pytest.mark.parametrize("late", ["out_for_delivery", "departed", "customs_hold", "cancelled", "empty_returned"])
def test_delivered_stays_whatever_is_told_after_it(late: str) -> None:
    status = shipment(milestone("S-1", "delivered", 20), milestone("S-1", late, 25, leg=2))
    assert (status.status, status.final, status.delivered_at) == ("delivered", True, ms(20))


def test_returned_follows_delivered_and_keeps_the_delivery() -> None:
    for order in itertools.permutations([milestone("S-1", "delivered", 20), milestone("S-1", "returned", 30)]):
        status = shipment(*order)
        assert (status.status, status.final, status.delivered_at) == ("returned", True, ms(20))


def test_cancelled_is_final() -> None:
    status = shipment(milestone("S-1", "booked", 1), milestone("S-1", "cancelled", 2), milestone("S-1", "departed", 3))
    assert (status.status, status.final) == ("cancelled", True)


def test_a_milestone_that_was_skipped_is_inferred_and_one_to_come_is_not() -> None:
    planned = [milestone("S-1", name, 5, "planned") for name in ("picked_up", "departed", "arrived", "delivered")]
    status = shipment(*planned, milestone("S-1", "picked_up", 6), milestone("S-1", "arrived", 9))
    assert inferred(status) == {"departed"}
    assert status.departed_at == ms(6), "from the pick-up, since nobody told the departure"


def test_an_inferred_departure_gives_no_lead_time() -> None:
    planned = milestone("S-1", "departed", 5, "planned", **LANE)
    views = play(planned, milestone("S-1", "delivered", 20))
    assert inferred(views.shipment("S-1")) == {"departed"}
    assert views.lead("transit", "NBO>BER").all.count == 0


def test_delivery_infers_what_was_planned_on_later_legs() -> None:
    planned = milestone("S-1", "arrived", 15, "planned", leg=3)
    assert inferred(shipment(planned, milestone("S-1", "delivered", 20, leg=1))) == {"arrived"}


@pytest.mark.parametrize("after", ["empty_returned", "returned"])
def test_what_comes_after_delivery_is_not_inferred_from_it(after: str) -> None:
    planned = milestone("S-1", after, 90, "planned")
    assert inferred(shipment(planned, milestone("S-1", "delivered", 20))) == set()


def test_late_is_after_the_promise_and_by_how_much() -> None:
    promise = milestone("S-1", "booked", 1, promised_at=moment(20))
    on_time = shipment(promise, milestone("S-1", "delivered", 20))
    assert (on_time.late, on_time.late_ms) == (False, 0)
    late = shipment(promise, milestone("S-1", "delivered", 23))
    assert (late.late, late.late_ms, late.due_at) == (True, 3 * HOUR_MS, ms(20))


def test_the_last_promise_counts_and_retracting_it_brings_the_one_before_back() -> None:
    first = milestone("S-1", "booked", 1, promised_at=moment(20))
    second = milestone("S-1", "departed", 2, promised_at=moment(30))
    assert shipment(second, first).promised_at == ms(30)
    assert shipment(second, first, retraction(second, 50)).promised_at == ms(20)


@pytest.mark.parametrize(
    ("hour", "late"), [(5 * 24 + 23.99, False), (6 * 24 - 0.001 / 3600, False), (6 * 24, True), (6 * 24 + 1, True)]
)
def test_a_promise_of_a_day_is_kept_until_the_end_of_that_day(hour: float, late: bool) -> None:
    goods = [line("1", 10)]
    promise = milestone("S-1", "booked", 1, promised_at=moment(5 * 24), precision="day", lines=goods)
    status = shipment(promise, milestone("S-1", "delivered", hour))
    assert status.due_at == ms(6 * 24) - 1
    assert (status.late, status.late_lines) == (late, int(late))
    assert status.late_ms == (status.delivered_at or 0) - ms(5 * 24) if late else status.late_ms == 0


def test_the_day_of_a_promise_ends_in_the_zone_it_was_made_in() -> None:
    promise = milestone("S-1", "booked", 1, promised_at="2026-03-06T00:00:00+05:00", precision="day")
    assert shipment(promise).due_at == ms(5 * 24 - 5) + DAY_MS - 1


def test_a_planned_milestone_by_day_is_due_at_the_end_of_that_day() -> None:
    (state,) = shipment(milestone("S-1", "arrived", 48, "planned", precision="day")).milestones
    assert (state.planned_at, state.planned_due_at) == (ms(48), ms(72) - 1)


def test_overdue_and_late_are_two_things() -> None:
    promise = milestone("S-1", "booked", 1, promised_at=moment(50))
    plan = milestone("S-1", "arrived", 10, "planned")
    waiting = shipment(promise, plan, milestone("S-1", "departed", 5))
    (arrival,) = (state for state in waiting.milestones if state.milestone == "arrived")
    assert (arrival.planned_due_at, arrival.actual_at, arrival.inferred) == (ms(10), None, False)
    assert not waiting.late
    delivered = shipment(promise, plan, milestone("S-1", "delivered", 60))
    assert (delivered.late, inferred(delivered)) == (True, {"arrived"})


GOODS = [line("1", 10), line("2", 4, OTHER_ITEM)]


def test_a_delivery_that_names_no_lines_delivers_them_all() -> None:
    status = shipment(milestone("S-1", "departed", 5, lines=GOODS), milestone("S-1", "delivered", 20))
    assert [(one.delivered, one.delivered_at) for one in status.lines] == [(10_000, ms(20)), (4_000, ms(20))]


def test_a_delivery_that_names_some_lines_delivers_those() -> None:
    part = milestone("S-1", "delivered", 20, lines=[line("2", 3, OTHER_ITEM)])
    status = shipment(milestone("S-1", "departed", 5, lines=GOODS), part)
    assert [(one.shipped, one.delivered, one.delivered_at) for one in status.lines] == [
        (10_000, 0, None),
        (4_000, 3_000, ms(20)),
    ]


def test_two_deliveries_deliver_each_its_own_lines() -> None:
    first = milestone("S-1", "delivered", 20, lines=GOODS[:1], event_id="a")
    second = milestone("S-1", "delivered", 30, lines=GOODS[1:], event_id="b")
    for order in ((first, second), (second, first)):
        status = shipment(milestone("S-1", "departed", 5, lines=GOODS), *order)
        assert [(one.delivered, one.delivered_at) for one in status.lines] == [(10_000, ms(20)), (4_000, ms(30))]


def test_a_delivery_of_some_lines_and_one_of_all_deliver_the_rest_too() -> None:
    some = milestone("S-1", "delivered", 20, lines=GOODS[:1], event_id="a")
    rest = milestone("S-1", "delivered", 30, event_id="b")
    status = shipment(milestone("S-1", "departed", 5, lines=GOODS), some, rest)
    assert [(one.delivered, one.delivered_at) for one in status.lines] == [(10_000, ms(20)), (4_000, ms(30))]


def test_each_line_is_late_by_its_own_promise_else_by_the_shipments() -> None:
    goods = [line("1", 10, promised_at=moment(40)), line("2", 4, OTHER_ITEM)]
    told = milestone("S-1", "departed", 5, lines=goods, promised_at=moment(15))
    status = shipment(told, milestone("S-1", "delivered", 20))
    assert [(one.late, one.late_ms) for one in status.lines] == [(False, 0), (True, 5 * HOUR_MS)]
    assert status.late_lines == 1


def test_a_line_delivered_in_another_unit_is_not_counted_as_delivered() -> None:
    other = milestone("S-1", "delivered", 20, lines=[line("1", 10, unit="pallet")])
    (only,) = shipment(milestone("S-1", "departed", 5, lines=[line("1", 10)]), other).lines
    assert (only.unit, only.delivered) == ("pack", 0)


def test_a_delivery_in_another_quantity_is_a_mismatch_since_then() -> None:
    told = [milestone("S-1", "departed", 5, lines=GOODS), milestone("S-1", "delivered", 20, lines=[line("1", 9)])]
    opened = play(*told).exceptions("shipment/S-1")
    assert opened["quantity_mismatch"].opened_at == ms(20)
    assert "2 of 2" in opened["quantity_mismatch"].detail


def reading(hour: float, temperature: str) -> Told:
    return condition("S-1", hour, temperature=temperature, temperature_min="2", temperature_max="8")


@pytest.mark.parametrize(
    ("temperatures", "opened_hour"),
    [
        (("9", "9.5"), None),
        (("9", "1", "9"), 1),
        (("5", "9", "10", "11"), 2),
        (("9", "9", "5", "9", "9"), None),
        (("8", "2", "8"), None),
        (("9", "9", "9", "5"), None),
    ],
)
def test_three_readings_in_a_row_beyond_a_limit_are_an_excursion(
    temperatures: tuple[str, ...], opened_hour: int | None
) -> None:
    told = [reading(hour, temperature) for hour, temperature in enumerate(temperatures, 1)]
    for order in (told, told[::-1]):
        opened = play(*order).exceptions("shipment/S-1").get("condition_excursion")
        assert (opened and opened.opened_at) == (None if opened_hour is None else ms(opened_hour))


def test_retracting_a_reading_ends_an_excursion_or_joins_two_runs() -> None:
    told = [reading(hour, temperature) for hour, temperature in enumerate(("9", "9", "5", "9"), 1)]
    assert play(*told).exceptions("shipment/S-1") == {}
    assert "condition_excursion" in play(*told, retraction(told[2], 50)).exceptions("shipment/S-1")


def test_the_last_position_is_the_latest_by_time() -> None:
    def seen(hour: float, latitude: str) -> Told:
        return condition("S-1", hour, type="position", latitude=latitude, longitude="13.4", event_id=f"p{hour}")

    for order in itertools.permutations([seen(1, "50"), seen(3, "52.5"), seen(2, "51")]):
        status = shipment(*order)
        assert (status.latitude_micros, status.longitude_micros, status.seen_at) == (52_500_000, 13_400_000, ms(3))
    assert shipment(seen(1, "50")).status == "unknown"


def test_transit_times_are_of_the_lane_of_the_carrier_and_of_each_leg() -> None:
    told = [
        milestone("S-1", "departed", 10, location="NBO", carrier="RoadCo", **LANE),
        milestone("S-1", "arrived", 14, location="ADD"),
        milestone("S-1", "departed", 20, location="ADD", leg=2),
        milestone("S-1", "arrived", 29, location="BER", leg=2),
        milestone("S-1", "delivered", 31, leg=2),
    ]
    views = play(*told)
    found = {key: views.lead(*key.split("|", 1)).all.total // HOUR_MS for key in views.keys("lead.stats")}
    assert found == {
        "transit|NBO>BER": 21,
        "carrier_transit|RoadCo|NBO>BER": 21,
        "leg_transit|NBO>ADD": 4,
        "leg_transit|ADD>BER": 9,
    }
