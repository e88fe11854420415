"""Openings: few movements that leave a position's books as many movements left them."""

from collections.abc import Iterable
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.event import Event
from schemas.wire import read
from sinks.retention.openings import opening_raw, openings
from streams.stock.books import Books, take_all
from streams.stock.facts import KINDS, Movement
from tests.sinks.retained import BEGIN, CUTOFF
from tests.streams.told import ITEM, SITE

_UNITS: Final = ("pack", "pack", "pack", "pack", "pallet")
_moves: Final = st.lists(
    st.builds(
        Movement,
        kind=st.integers(0, len(KINDS) - 1),
        occurred_at=st.integers(0, 12),
        quantity=st.sampled_from((0, 1, 1, 2, 3, 5, 8)),
        unit=st.sampled_from(_UNITS),
        shipment_id=st.sampled_from((None, None, "S-1", "S-2")),
        lot=st.sampled_from((None, None, "L-1")),
    ),
    max_size=25,
)


def books(moves: Iterable[Movement]) -> Books:
    found = Books()
    take_all(found, moves)
    found.movements = 0
    return found


def taken(moves: Iterable[Movement]) -> list[Movement]:
    return sorted(moves, key=lambda one: (one.occurred_at, one.kind))


@given(_moves, st.lists(st.integers(0, 24), max_size=8))
@settings(max_examples=300, deadline=None)
def test_openings_leave_the_books_as_the_movements_left_them_whatever_comes_after(
    moves: list[Movement], negative: list[int]
) -> None:
    adjusted = KINDS.index("adjusted")
    for index in negative:  # only adjustments may be negative
        if index < len(moves) and moves[index].kind == adjusted:
            moves[index] = Movement(adjusted, moves[index].occurred_at, -moves[index].quantity, "pack", None, None)
    moves = taken(moves)
    made = openings(moves)
    assert made is not None
    assert books(made) == books(moves)
    assert list(made) == taken(made)
    after = [Movement(kind, 20, 3, "pack", None, None) for kind in range(len(KINDS))]
    assert books([*made, *after]) == books([*moves, *after])


def test_sums_that_no_event_can_say_are_said_by_several() -> None:
    moves = [Movement(0, at, 10**15 - 1, "pack", None, None) for at in range(5)]
    made = openings(moves)
    assert made is not None
    assert books(made) == books(moves)
    assert max(one.quantity for one in made) < 10**15


def test_where_no_openings_are_found_there_are_none() -> None:
    most = 10**15 - 1
    assert (
        openings([Movement(KINDS.index("counted"), 0, most, "pack", None, None), Movement(0, 1, 1, "pack", None, None)])
        is None
    )


@pytest.mark.parametrize("kind", range(len(KINDS)))
def test_an_opening_is_an_ordinary_event(kind: int) -> None:
    move = Movement(kind, BEGIN, 1_234_567, "pack", "S-1", "L 1")
    told = opening_raw(move, 3, name="opening/x", site=SITE, item=ITEM, day="2026-03-01", recorded_at=CUTOFF)
    event = read("warehouse.events", told, CUTOFF)
    assert isinstance(event, Event)
    assert (event.source, event.occurred_ms, event.recorded_ms) == ("quayside", BEGIN, CUTOFF)
