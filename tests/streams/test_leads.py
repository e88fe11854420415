"""Lead times: exact sums, quantiles within 1 %, and no trace of what was withdrawn."""

import math
import statistics
from collections.abc import Iterable, Mapping
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.buckets import ACCURACY
from schemas.derived import LeadStats, LeadTime, LeadWindow
from schemas.times import HOUR_MS
from schemas.versions import Version
from streams.facts import Fact, contributor_identity, merge
from streams.leads.derive import RECENT_DAYS, LeadTimes, lead_contribution, lead_key, lead_target

ROUTE = "transit|NBO>BER"
ROUNDING = 0.5
"""Quantiles are given in whole ms."""

_durations = st.one_of(st.integers(0, 200), st.integers(0, 400 * 24 * HOUR_MS))
_observations = st.tuples(st.integers(19_900, 20_100), _durations)


def derived(facts: Mapping[str, Fact]) -> LeadStats:
    (view,) = LeadTimes().derive(ROUTE, facts).views
    assert isinstance(view.state, LeadStats)
    return view.state


def statistic(entity: str, observations: Iterable[tuple[int, int]]) -> LeadStats:
    """The statistic of one contributor's observations."""
    (view,) = LeadTimes().derive(entity, {contributor_identity("a"): fact(1, *observations)}).views
    assert isinstance(view.state, LeadStats)
    return view.state


def of(*durations: int) -> LeadWindow:
    return statistic(ROUTE, [(20_000, duration) for duration in durations]).all


def fact(offset: int, *observations: tuple[int, int]) -> Fact:
    return Fact(Version(1, offset, b""), observations)


@settings(max_examples=200)
@given(st.lists(_durations, min_size=2, max_size=60))
def test_count_mean_and_sample_deviation_are_exact(durations: list[int]) -> None:
    window = of(*durations)
    count, total, squares = window.count, window.total, int(window.squares)
    assert (count, Fraction(total, count)) == (len(durations), statistics.mean(map(Fraction, durations)))
    variance = Fraction(count * squares - total * total, count * (count - 1))
    assert variance == statistics.variance(map(Fraction, durations))
    assert math.isclose(math.sqrt(variance), statistics.stdev(durations), rel_tol=1e-9, abs_tol=1e-9)


@settings(max_examples=300)
@given(st.lists(_durations, min_size=1, max_size=120))
def test_quantiles_are_within_one_per_cent_of_the_true_order_statistic(durations: list[int]) -> None:
    window = of(*durations)
    ordered = sorted(durations)
    for told, q in ((window.p50, Fraction(1, 2)), (window.p90, Fraction(9, 10)), (window.p95, Fraction(19, 20))):
        true = ordered[math.ceil(q * len(ordered)) - 1]
        assert told is not None
        assert abs(told - true) <= ACCURACY * true * (1 + 1e-9) + ROUNDING


@pytest.mark.parametrize("count", range(1, 401))
def test_quantiles_take_the_right_rank_for_every_count(count: int) -> None:
    window = of(*(2**40 if place > Fraction(95, 100) * count else 0 for place in range(1, count + 1)))
    rank = math.ceil(Fraction(95, 100) * count)
    assert (window.p95 == 0) == (rank <= Fraction(95, 100) * count)


def test_nothing_observed_gives_no_quantiles() -> None:
    assert of() == LeadWindow(0, 0, 0, "0", None, None, None, ())


def test_a_lead_time_of_nothing_is_zero_and_counts() -> None:
    assert (of(0, 0).count, of(0, 0).p50) == (2, 0)


def test_sums_outgrow_64_bits_and_stay_exact() -> None:
    years = 30 * 365 * 24 * HOUR_MS
    window = of(*[years] * 1_000)
    assert int(window.squares) == 1_000 * years**2 > 2**64


@given(st.lists(_observations, max_size=20), st.lists(st.integers(-(10**9), -1), min_size=1, max_size=5))
def test_negative_lead_times_are_counted_apart_and_nowhere_else(
    observations: list[tuple[int, int]], negative: list[int]
) -> None:
    first = min((day for day, _ in observations), default=20_000)
    everything = statistic(ROUTE, [*observations, *((first, duration) for duration in negative)]).all
    without = statistic(ROUTE, observations).all
    assert everything.negative == len(negative)
    for name in ("count", "total", "squares", "p50", "p90", "p95", "buckets"):
        assert getattr(everything, name) == getattr(without, name)


@given(st.lists(st.lists(_observations, max_size=4), min_size=1, max_size=6), st.data())
def test_a_newer_version_takes_the_old_value_out_exactly(
    told: list[list[tuple[int, int]]], data: st.DataObject
) -> None:
    kept = {contributor_identity(f"shipment/S-{place}"): fact(1, *seen) for place, seen in enumerate(told)}
    newcomer = contributor_identity("shipment/S-new")
    first = fact(5, *data.draw(st.lists(_observations, min_size=1, max_size=4)))
    with_it = merge(kept, {newcomer: first})
    assert derived(with_it).all.count == derived(kept).all.count + len(first.payload or ())
    assert derived(merge(with_it, {newcomer: fact(6)})) == derived(kept)
    second = fact(7, (20_000, 5))
    assert derived(merge(merge(kept, {newcomer: second}), {newcomer: first})) == derived(
        merge(kept, {newcomer: second})
    )


def test_the_recent_window_is_the_90_days_that_end_with_the_last_finished_day() -> None:
    last = 20_000
    days = (last, last - RECENT_DAYS + 1, last - RECENT_DAYS, last - 400)
    stat = statistic(ROUTE, [(day, 10) for day in days])
    assert RECENT_DAYS == 90
    assert (stat.last_day, stat.recent.count, stat.all.count) == (last, 2, 4)


def test_a_later_day_moves_the_window_and_withdrawing_it_moves_it_back() -> None:
    old, new = contributor_identity("a"), contributor_identity("b")
    facts = {old: fact(1, (20_000, 10)), new: fact(2, (20_200, 99))}
    assert (derived(facts).recent.count, derived(facts).recent.total) == (1, 99)
    assert derived(merge(facts, {new: fact(3)})).recent.total == 10


def test_measure_and_route_are_told_apart_also_where_items_hold_the_separator() -> None:
    target = lead_target("order_to_delivery", "Acme Ltd|acme:a|b>c")
    said = lead_contribution("order/PO-1", target, [(2, 5), (1, 9)])
    assert said == LeadTime("order/PO-1", "order_to_delivery", "Acme Ltd|acme:a|b>c", ((1, 9), (2, 5)))
    stat = statistic(lead_key(said.measure, said.route), said.observations)
    assert (stat.measure, stat.route) == ("order_to_delivery", "Acme Ltd|acme:a|b>c")


@given(st.lists(st.tuples(st.integers(0, 3), st.lists(_observations, max_size=3)), min_size=1, max_size=25), st.data())
def test_a_statistic_kept_up_to_date_is_the_one_derived_from_all_facts(
    told: list[tuple[int, list[tuple[int, int]]]], data: st.DataObject
) -> None:
    running = LeadTimes().running({}, None)
    facts: dict[str, Fact] = {}
    for place, (who, observations) in enumerate(told):
        identity = contributor_identity(str(who))
        fresh = fact(place, *observations)
        running.replace(identity, facts.get(identity), fresh)
        facts[identity] = fresh
        if data.draw(st.booleans()):
            assert running.derive(ROUTE) == LeadTimes().derive(ROUTE, facts)
    assert running.derive(ROUTE) == LeadTimes().derive(ROUTE, facts)
