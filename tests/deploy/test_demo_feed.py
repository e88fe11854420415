"""The feed that a runner takes from: what is due, in batches, and on from where it left off."""

from itertools import islice

import pytest

from deploy.demo.feed import Feed, pause
from deploy.demo.network import network
from schemas.times import HOUR_MS, MINUTE_MS, SECOND_MS
from tests.deploy.demo_oracle import START


def test_what_is_taken_in_batches_is_the_network_in_order() -> None:
    feed = Feed(1, START)
    taken = []
    while batch := feed.take(START - 13 * 24 * HOUR_MS, limit=37):
        assert len(batch) <= 37
        taken += batch
    assert feed.taken == len(taken) > 500
    assert taken == list(islice(network(1, START), len(taken)))


def test_nothing_is_handed_out_before_its_time() -> None:
    feed = Feed(1, START)
    now = START - 14 * 24 * HOUR_MS
    for _ in range(50):
        now += 17 * MINUTE_MS
        assert all(emission.at_ms <= now for emission in feed.take(now, limit=10_000))
        assert feed.next_at_ms > now


def test_history_ends_where_real_time_begins() -> None:
    feed = Feed(1, START)
    last = 0
    while feed.in_backfill:
        last = feed.take(START - 1)[-1].at_ms
    assert START - HOUR_MS < last < START <= feed.next_at_ms
    assert feed.take(START - 1) == []


@pytest.mark.parametrize("skip", [1, 1_000, 23_456])
def test_a_feed_goes_on_where_another_left_off(skip: int) -> None:
    whole = list(islice(network(1, START), skip + 500))
    feed = Feed(1, START, skip)
    assert feed.taken == skip
    assert feed.take(whole[-1].at_ms, limit=500) == whole[skip:]
    assert feed.taken == skip + 500


def test_skipped_mistakes_are_counted_as_if_they_had_been_taken() -> None:
    feed = Feed(1, START, 20_000)
    whole = network(1, START)
    for _ in islice(whole, 20_001):
        pass
    assert feed.network.mistakes == whole.mistakes


def test_after_a_pause_the_network_goes_on_at_its_own_pace() -> None:
    first = Feed(1, START)
    while batch := first.take(START + 10 * SECOND_MS):
        last = batch[-1].at_ms
    down = pause(START, last, START + HOUR_MS)
    assert down is not None
    second = Feed(1, START, first.taken, pauses=[down])
    assert second.take(START + HOUR_MS - 1) == []
    begun = second.take(START + HOUR_MS + 10 * SECOND_MS, limit=10_000)
    assert 200 < len(begun) < 600
    assert begun[0].at_ms >= START + HOUR_MS


def test_an_interrupted_history_is_not_paused() -> None:
    assert pause(START, START - 5 * HOUR_MS, START - HOUR_MS) is None
    assert pause(START, START - 5 * HOUR_MS, START + HOUR_MS) == (START, START + HOUR_MS)
    assert pause(START, START + 7, START + 8) is None
