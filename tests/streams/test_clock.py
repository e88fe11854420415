"""What closes by the clock of a partition, and that batches do not matter to it."""

from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.coordinates import Mark
from schemas.times import DAY_MS
from streams.clock import LOAD_LIMIT_MS, NEVER, Clock, last_closed_day, segments

BEGIN = Mark(begins=True, load="backlog")
END = Mark(begins=False, load="backlog")


class Told(NamedTuple):
    """A record as far as the clock looks at it."""

    clock_at: int
    said: Mark | str


def test_a_day_closes_when_its_end_lies_more_than_the_horizon_back() -> None:
    end_of_day_4 = 5 * DAY_MS
    assert last_closed_day(end_of_day_4 + 7, 7) == 3
    assert last_closed_day(end_of_day_4 + 8, 7) == 4


def test_the_clock_never_goes_back() -> None:
    clock = Clock(horizon=1_000)
    clock.advance(9 * DAY_MS)
    assert not clock.advance(2 * DAY_MS)
    assert (clock.now, clock.closed_day) == (9 * DAY_MS, 7)


def test_nothing_closes_while_history_is_loaded_and_all_that_is_due_after_it() -> None:
    clock = Clock(horizon=1_000)
    assert clock.take(BEGIN, 100 * DAY_MS)
    clock.advance(100 * DAY_MS)
    assert (clock.is_loading, clock.closed_day) == (True, NEVER)
    assert clock.take(END, 100 * DAY_MS)
    clock.advance(100 * DAY_MS)
    assert (clock.is_loading, clock.closed_day) == (False, 98)
    assert not clock.take(END, 100 * DAY_MS), "an end that comes twice is no news"


def test_a_load_whose_end_never_comes_counts_as_ended_after_a_day() -> None:
    clock = Clock(horizon=1_000)
    clock.take(BEGIN, 100 * DAY_MS)
    clock.advance(100 * DAY_MS + LOAD_LIMIT_MS)
    assert clock.is_loading
    assert clock.advance(100 * DAY_MS + LOAD_LIMIT_MS + 1)
    assert not clock.is_loading


def test_a_clock_comes_back_from_what_was_kept_in_any_order() -> None:
    clock = Clock(horizon=1_000)
    states = [clock.state()]
    for step in (BEGIN, 5, 50, END, 51, 90):
        if isinstance(step, Mark):
            clock.take(step, clock.now)
        else:
            clock.advance(step * DAY_MS)
        states.append(clock.state())
    for order in (states, states[::-1]):
        again = Clock(horizon=1_000)
        for state in order:
            again.recover(state)
        assert again == clock


_told = st.one_of(
    st.builds(Told, st.integers(0, 40).map(lambda quarter: quarter * DAY_MS // 4), st.just("said")),
    st.builds(Told, st.integers(0, 40).map(lambda quarter: quarter * DAY_MS // 4), st.sampled_from((BEGIN, END))),
)


def run(clock: Clock, batch: list[Told]) -> list[tuple[int, bool, int]]:
    """Per record that is no mark: what was closed and whether history was loaded when it was taken."""
    seen: list[tuple[int, bool, int]] = []
    for segment in segments(batch, clock):
        if isinstance(segment.mark, Mark) and segment.mark.begins:
            clock.take(segment.mark, segment.at)
        clock.advance(segment.at)
        if isinstance(segment.mark, Mark) and not segment.mark.begins:
            clock.take(segment.mark, segment.at)
            clock.advance(segment.at)
        for told in segment.entries:
            clock.now = max(clock.now, told.clock_at)
            seen.append((clock.closed_day, clock.is_loading, told.clock_at))
    return seen


@settings(max_examples=500)
@given(st.lists(_told, max_size=30), st.data())
def test_what_is_closed_when_a_record_is_taken_does_not_depend_on_the_batches(
    told: list[Told], data: st.DataObject
) -> None:
    one_by_one = Clock(horizon=DAY_MS)
    expected = [seen for record in told for seen in run(one_by_one, [record])]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(told)), max_size=4)))
    batched = Clock(horizon=DAY_MS)
    found = []
    for begin, end in zip([0, *cuts], [*cuts, len(told)], strict=True):
        found += run(batched, told[begin:end])
    assert found == expected
    assert (batched.closed_day, batched.loads) == (one_by_one.closed_day, one_by_one.loads)


@given(st.lists(_told, max_size=30))
def test_segments_hold_every_record_once_and_none_spans_the_horizon(told: list[Told]) -> None:
    clock = Clock(horizon=DAY_MS)
    found: list[Told] = []
    for segment in segments(told, clock):
        found += [Told(segment.at, segment.mark)] if isinstance(segment.mark, Mark) else segment.entries
        assert all(entry.clock_at - segment.at <= clock.horizon for entry in segment.entries)
        clock.advance(segment.at)
    assert found == told
