"""A shipment becomes late, and a milestone overdue, because time passes: at which instant, and what ends it."""

import itertools

import pytest

from schemas.derived import ExceptionSet, ExceptionState
from schemas.times import MINUTE_MS
from schemas.versions import Version
from schemas.wire import Rejection, read
from streams.derivation import Derivation, Derived
from streams.facts import PASSED, Fact, TimePassed, merge
from streams.orders.derive import Orders
from streams.rows import Codec, FactRow
from streams.shipments.derive import Shipments
from tests.streams.network import ARRIVAL
from tests.streams.told import OTHER_ITEM, Told, line, milestone, moment, ms, of_order, placed, retraction

RULES: Derivation = Shipments()
PROMISE = milestone("S-1", "booked", 1, promised_at=moment(20))
PLAN = [milestone("S-1", "arrived", 12, "planned"), milestone("S-1", "departed", 8, "planned")]


def derived(*records: Told, passed: int | None = None, rules: Derivation = RULES) -> Derived:
    """What follows from these records where it is `passed` or later."""
    facts: dict[str, Fact] = {}
    entity = "S-1"
    for topic, raw in records:
        event = read(topic, raw, ARRIVAL)
        assert not isinstance(event, Rejection), event.reason
        entity, identity, fact = rules.statement(event, raw)
        facts = merge(facts, {identity: fact})
    if passed is not None:
        facts = merge(facts, {PASSED: Fact(Version(passed, 0, b""), TimePassed(passed))})
    return rules.derive(entity, facts)


def opened(*records: Told, passed: int | None = None) -> dict[str, ExceptionState]:
    """The open exceptions, by kind."""
    (complete,) = (view.state for view in derived(*records, passed=passed).views if view.topic == "exceptions")
    assert isinstance(complete, ExceptionSet)
    return {exception.kind: exception for exception in complete.exceptions}


def test_a_missed_promise_opens_in_the_instant_after_its_last_one() -> None:
    assert opened(PROMISE) == {}
    assert opened(PROMISE, passed=ms(20)) == {}
    late = opened(PROMISE, passed=ms(20) + 1)["late_delivery"]
    assert (late.exception_id, late.opened_at) == ("late_delivery/shipment/S-1", ms(20))
    assert late.detail == "Due 2026-03-01 20:00 UTC and not delivered; the last known status is booked."


def test_a_planned_milestone_that_nobody_reported_opens_in_the_instant_after_its_plan() -> None:
    (departure,) = PLAN[1:]
    assert opened(departure, passed=ms(8)) == {}
    overdue = opened(departure, passed=ms(8) + 1)["overdue_milestone"]
    assert (overdue.exception_id, overdue.opened_at) == ("overdue_milestone/shipment/S-1", ms(8))


def test_of_several_overdue_milestones_there_is_one_exception_opened_by_the_first() -> None:
    overdue = opened(*PLAN, passed=ms(13))["overdue_milestone"]
    assert overdue.opened_at == ms(8)
    assert overdue.detail == (
        "Planned and not reported: departed of leg 1, due 2026-03-01 08:00 UTC; "
        "arrived of leg 1, due 2026-03-01 12:00 UTC."
    )
    assert "arrived" not in opened(*PLAN, passed=ms(12))["overdue_milestone"].detail


def test_a_milestone_that_was_reported_or_overtaken_is_not_overdue() -> None:
    assert opened(*PLAN, milestone("S-1", "arrived", 14), passed=ms(15)) == {}
    (overdue,) = opened(*PLAN, milestone("S-1", "departed", 9), passed=ms(15)).values()
    assert overdue.opened_at == ms(12)


@pytest.mark.parametrize("end", ["delivered", "returned", "cancelled"])
def test_the_end_of_a_shipment_closes_both(end: str) -> None:
    told = [PROMISE, *PLAN]
    assert set(opened(*told, passed=ms(30))) == {"late_delivery", "overdue_milestone"}
    assert opened(*told, milestone("S-1", end, 25), passed=ms(30)) == {}
    assert derived(*told, milestone("S-1", end, 25), passed=ms(30)).deadline is None
    assert derived(*told, milestone("S-1", end, 25)).deadline is None


def test_retracting_the_delivery_opens_the_missed_promise_again() -> None:
    delivery = milestone("S-1", "delivered", 19)
    told = [PROMISE, delivery, retraction(delivery, 40)]
    assert opened(*told, passed=ms(30))["late_delivery"].opened_at == ms(20)


def test_a_promise_that_is_moved_later_closes_it_and_waits_for_the_new_one() -> None:
    moved = milestone("S-1", "departed", 5, promised_at=moment(40))
    assert opened(PROMISE, moved, passed=ms(30)) == {}
    assert derived(PROMISE, moved, passed=ms(30)).deadline == ms(40) + 1
    assert opened(PROMISE, moved, passed=ms(40) + 1)["late_delivery"].opened_at == ms(40)


def test_a_promise_that_is_moved_before_what_has_passed_is_broken_at_once() -> None:
    moved = milestone("S-1", "departed", 5, promised_at=moment(10))
    assert opened(PROMISE, moved, passed=ms(15))["late_delivery"].opened_at == ms(10)
    assert derived(PROMISE, moved, passed=ms(15)).deadline is None


def test_retracting_the_promise_leaves_nothing_to_wait_for() -> None:
    gone = [PROMISE, retraction(PROMISE, 30)]
    assert opened(*gone, passed=ms(35)) == {}
    assert derived(*gone, passed=ms(35)).deadline is None


def test_a_promise_of_a_day_is_broken_when_that_day_has_ended() -> None:
    promise = milestone("S-1", "booked", 1, promised_at=moment(48), precision="day")
    assert derived(promise).deadline == ms(72)
    assert opened(promise, passed=ms(72) - 1) == {}
    assert opened(promise, passed=ms(72))["late_delivery"].opened_at == ms(72) - 1


def test_each_deadline_opens_something_and_nothing_opens_between_two() -> None:
    told = [PROMISE, *PLAN]
    found = []
    passed: int | None = None
    while (deadline := derived(*told, passed=passed).deadline) is not None:
        assert opened(*told, passed=deadline - 1) == opened(*told, passed=passed), "the instant before it"
        assert opened(*told, passed=deadline) != opened(*told, passed=passed)
        found.append(deadline)
        passed = deadline
    assert found == [ms(8) + 1, ms(12) + 1, ms(20) + 1]
    assert opened(*told, passed=passed) == opened(*told, passed=ms(1_000) + MINUTE_MS)


def test_nothing_is_awaited_where_nothing_was_promised_or_planned() -> None:
    assert derived(milestone("S-1", "departed", 5)).deadline is None
    assert derived(milestone("S-1", "arrived", 9, "estimated")).deadline is None


def test_the_order_of_the_facts_does_not_matter() -> None:
    records = [PROMISE, *PLAN, milestone("S-1", "departed", 9)]
    passed = {PASSED: Fact(Version(ms(30), 0, b""), TimePassed(ms(30)))}
    facts = passed | {
        identity: fact
        for topic, raw in records
        if not isinstance(event := read(topic, raw, ARRIVAL), Rejection)
        for _, identity, fact in [RULES.statement(event, raw)]
    }
    expected = derived(*records, passed=ms(30))
    for order in itertools.permutations(facts.items()):
        assert RULES.derive("S-1", dict(order)) == expected


def test_passed_time_alone_changes_nothing_but_the_exceptions() -> None:
    told = [PROMISE, *PLAN]
    early, late = derived(*told), derived(*told, passed=ms(90))
    assert early.views[0] == late.views[0]
    assert (early.contributions, early.finished) == (late.contributions, late.finished)
    alone = derived(passed=ms(90))
    assert (alone.deadline, alone.finished, alone.views) == (None, False, derived().views)


def test_passed_time_is_kept_in_the_changelog_as_any_fact() -> None:
    codec = Codec(RULES.payload)
    fact = Fact(Version(ms(20), 0, b""), TimePassed(ms(20)))
    key, value, _ = codec.fact("S-1", PASSED, fact)
    assert value is not None
    assert codec.read(key, value) == FactRow("S-1", PASSED, fact)


def test_a_shipment_is_finished_at_its_end_but_not_while_a_line_is_still_to_be_delivered() -> None:
    goods = [line("1", 10), line("2", 4, OTHER_ITEM)]
    departed = milestone("S-1", "departed", 5, lines=goods)
    first = milestone("S-1", "delivered", 20, lines=goods[:1], event_id="a")
    second = milestone("S-1", "delivered", 30, lines=goods[1:], event_id="b")
    assert not derived(departed).finished
    assert not derived(departed, first).finished
    assert derived(departed, first, second).finished
    assert derived(departed, milestone("S-1", "delivered", 20)).finished
    assert derived(departed, first, milestone("S-1", "returned", 40)).finished
    assert derived(departed, milestone("S-1", "cancelled", 6)).finished


@pytest.mark.parametrize(("ended", "finished"), [([], False), (["1"], False), (["1", "2"], True)])
def test_an_order_is_finished_when_all_its_lines_have_ended(ended: list[str], finished: bool) -> None:
    cancelled = [
        of_order("order_cancelled", "PO-1", 5, line_ids=[line_id], event_id=f"c{line_id}") for line_id in ended
    ]
    result = derived(placed("PO-1", 1, [line("1"), line("2")]), *cancelled, rules=Orders())
    assert (result.finished, result.deadline) == (finished, None)
