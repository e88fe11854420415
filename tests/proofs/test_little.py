"""Little's law over a closed window is an identity, and the published lead times keep it.

For n shipments of a lane that all depart and arrive inside a window [a, b), with N(t) of them under way at t:

    L * (b - a) = integral of N(t) dt from a to b = sum of (arrival - departure) = n * W

where L is the mean number under way, W the mean lead time and n / (b - a) the rate, so L = rate * W (J. D. C.
Little, "A Proof for the Queuing Formula L = lambda W", Operations Research 9, 1961). In integers it is exact. The
left side is swept from the departures and arrivals that stand in the raw records, without ever taking a
difference of two that belong together; the right side is `count` and `total` of the published statistic of all
time. Shipments that have not ended, or that ended before they began (a finding), are on neither side.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.times import to_ms
from tests.proofs.standing import standing, views_in_disorder
from tests.streams.network import Views, play
from tests.streams.told import Told, correction, milestone, moment, ms, retraction

_WINDOW: Final = (ms(0), ms(400))
_PLACES: Final = ("BER", "NBO")

_shipments = st.sampled_from([f"S-{number}" for number in range(1, 7)])
_hours = st.integers(0, 399)


class Edges(NamedTuple):
    """When the shipments of one lane set out and when they came (ms); which came of which is not kept."""

    departures: list[int]
    arrivals: list[int]


def _edges(records: Iterable[Told]) -> Mapping[str, Edges]:
    """Per lane, of the shipments that the window contains from their beginning to their end."""
    stands: dict[str, dict[str, Any]] = defaultdict(dict)
    for said in standing(records):
        stands[said.event.shipment_id][said.event.milestone] = said.event
    found: dict[str, Edges] = defaultdict(lambda: Edges([], []))
    for events in stands.values():
        began, ended = events.get("departed") or events.get("picked_up"), events.get("delivered")
        if began is None or ended is None:
            continue
        departure, arrival = to_ms(began.occurred_at), to_ms(ended.occurred_at)
        if _WINDOW[0] <= departure <= arrival < _WINDOW[1]:
            told = [event for event in events.values() if event.origin is not None]
            lane = f"{told[-1].origin}>{told[-1].destination}" if told else "?>?"
            found[lane].departures.append(departure)
            found[lane].arrivals.append(arrival)
    return found


def under_way(edges: Edges) -> int:
    """The integral over the window of the number under way, in shipment-milliseconds."""
    steps: dict[int, int] = defaultdict(int, dict.fromkeys(_WINDOW, 0))
    for departure in edges.departures:
        steps[departure] += 1
    for arrival in edges.arrivals:
        steps[arrival] -= 1
    area = number = 0
    for now, then in pairwise(sorted(steps)):
        number += steps[now]
        assert number >= 0
        area += number * (then - now)
    assert number + steps[_WINDOW[1]] == 0, "the window is closed: nothing is under way at its end"
    return area


def _check(views: Views, records: Iterable[Told]) -> None:
    lanes = _edges(records)
    published = {key.removeprefix("transit|") for key in views.keys("lead.stats") if key.startswith("transit|")}
    for lane in published | lanes.keys():
        statistic, edges = views.lead("transit", lane).all, lanes.get(lane, Edges([], []))
        assert statistic.count == len(edges.arrivals), lane
        assert statistic.total == under_way(edges), lane
        if statistic.count:
            length = _WINDOW[1] - _WINDOW[0]
            in_progress = Fraction(under_way(edges), length)
            rate, lead_time = Fraction(len(edges.arrivals), length), Fraction(statistic.total, statistic.count)
            assert in_progress == rate * lead_time


@st.composite
def _histories(draw: st.DrawFn) -> list[Told]:
    """Shipments on few lanes, some of them unfinished or impossible, with corrections and retractions."""
    told = []
    for shipment in draw(st.lists(_shipments, min_size=1, max_size=6, unique=True)):
        lane = {"origin": draw(st.sampled_from(_PLACES)), "destination": draw(st.sampled_from(_PLACES))}
        begins = draw(st.sampled_from(("departed", "departed", "picked_up")))
        told.append(milestone(shipment, begins, draw(_hours), **lane))
        if draw(st.integers(0, 4)):
            told.append(milestone(shipment, "delivered", draw(_hours)))
    for _ in range(draw(st.integers(0, 5))):
        one, recorded = draw(st.sampled_from(told)), draw(st.integers(400, 402))
        if draw(st.integers(0, 3)) == 0:
            told.append(retraction(one, recorded))
        elif b"delivered" in one.raw:
            told.append(correction(one, recorded, occurred_at=moment(draw(_hours))))
        else:
            told.append(correction(one, recorded, origin=draw(st.sampled_from(_PLACES))))
    return told


@settings(max_examples=300, deadline=None)
@given(told=_histories(), seed=st.integers(0, 2**32))
def test_the_number_under_way_is_the_rate_times_the_lead_time(told: list[Told], seed: int) -> None:
    _check(views_in_disorder(told, seed), told)


_LANE: Final[dict[str, Any]] = {"origin": "NBO", "destination": "BER"}
_STORY: Final = (
    milestone("S-1", "departed", 10, **_LANE),
    milestone("S-1", "delivered", 110),
    milestone("S-2", "departed", 20, **_LANE),
    milestone("S-2", "delivered", 50),
    milestone("S-3", "departed", 30, **_LANE),
    correction(milestone("S-2", "delivered", 50), 400, occurred_at=moment(60)),
    milestone("S-4", "departed", 90, **_LANE),
    milestone("S-4", "delivered", 80),
)


def test_the_story_of_the_controls_keeps_the_law() -> None:
    _check(play(*_STORY), _STORY)
    assert under_way(_edges(_STORY)["NBO>BER"]) == ms(100 + 40) - ms(0)


@pytest.mark.parametrize("lost", [0, 1, 2, 5])
def test_a_record_that_was_lost_is_told_apart(lost: int) -> None:
    kept = [told for number, told in enumerate(_STORY) if number != lost]
    with pytest.raises(AssertionError):
        _check(play(*kept), _STORY)


def test_a_shipment_that_was_counted_twice_is_told_apart() -> None:
    twice = (milestone("S-1b", "departed", 10, **_LANE), milestone("S-1b", "delivered", 110))
    with pytest.raises(AssertionError):
        _check(play(*_STORY, *twice), _STORY)


def test_a_window_that_is_not_closed_is_told_apart() -> None:
    edges = _edges(_STORY)["NBO>BER"]
    with pytest.raises(AssertionError):
        under_way(Edges([*edges.departures, ms(30)], edges.arrivals))
