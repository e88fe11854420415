"""The demo network: deterministic, lively, never ahead of the clock, and bounded in memory."""

import hashlib
import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from deploy.demo.mistakes import NO_MISTAKES
from deploy.demo.network import Network, network
from schemas.errors import WrongInput
from schemas.shipment import MILESTONES, ConditionReported, MilestoneReported
from schemas.times import DAY_MS, MINUTE_MS, SECOND_MS, to_ms
from schemas.wire import event_types
from tests.deploy.demo_oracle import START, accepted, is_bad, story

ROOT = Path(__file__).parents[2]
DIGEST = """
import hashlib, itertools
from deploy.demo.network import network
digest = hashlib.sha256()
for emission in itertools.islice(network(5, 1_800_000_000_000), 26_000):
    digest.update(repr(tuple(emission)).encode())
print(digest.hexdigest())
"""


def test_the_same_seed_and_start_give_the_same_bytes_in_any_process() -> None:
    here = hashlib.sha256()
    for emission in islice(network(5, START), 26_000):
        here.update(repr(tuple(emission)).encode())
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "TZ": f"UTC-{hash_seed}"}
        done = subprocess.run(
            [sys.executable, "-c", DIGEST], env=environment, cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == here.hexdigest()


def test_another_seed_gives_another_story() -> None:
    one, other = (list(islice(network(seed, START), 2_000)) for seed in (1, 2))
    assert one != other


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_history_is_two_weeks_of_some_twenty_thousand_events(seed: int) -> None:
    ats = []
    for emission in network(seed, START):
        if emission.at_ms >= START:
            break
        ats.append(emission.at_ms)
    assert 15_000 < len(ats) < 40_000
    assert ats[0] < START - 14 * DAY_MS + MINUTE_MS
    assert ats[-1] > START - 10 * MINUTE_MS


def test_real_time_runs_at_twenty_to_sixty_events_a_second() -> None:
    live = [emission for emission, _ in story().told if emission.at_ms >= START]
    for minute in range(3):
        begin = START + minute * MINUTE_MS
        count = sum(begin <= emission.at_ms < begin + MINUTE_MS for emission in live)
        assert 20 * 60 < count < 60 * 60


def test_pace_quickens_real_time_and_leaves_history_alone() -> None:
    counts = []
    for pace in (1.0, 3.0):
        history = live = 0
        for emission in network(1, START, pace):
            if emission.at_ms >= START + 30 * SECOND_MS:
                break
            history += emission.at_ms < START
            live += emission.at_ms >= START
        counts.append((history, live))
    (slow_history, slow), (fast_history, fast) = counts
    assert slow_history == fast_history
    assert 2 * slow < fast < 5 * slow


def test_a_pace_of_zero_is_refused_in_one_sentence() -> None:
    with pytest.raises(WrongInput, match=r"pace is 0.*above 0"):
        network(1, START, 0)


def test_emissions_come_in_the_order_of_time() -> None:
    ats = [emission.at_ms for emission, _ in story().everything()]
    assert ats == sorted(ats)


def test_nothing_tells_of_a_later_instant_than_its_emission_but_plans() -> None:
    for emission, event in accepted(story().everything()):
        assert to_ms(event.recorded_at) <= emission.at_ms, event
        if not (isinstance(event, MilestoneReported) and event.classifier != "actual"):
            assert to_ms(event.occurred_at) <= to_ms(event.recorded_at), event


def test_every_kind_of_event_is_there_and_carries_its_own_key() -> None:
    events = accepted(story().told)
    assert {event.type for _, event in events} == {  # type: ignore[attr-defined]  # every event class has one
        name for name, model in event_types().items() if model.topic != "operator.events"
    }
    for emission, event in events:
        assert emission.topic == event.topic
        assert emission.key.decode() == event.entity_key()


def test_every_milestone_is_reached_and_all_are_classified() -> None:
    milestones = [event for _, event in accepted(story().told) if isinstance(event, MilestoneReported)]
    assert {event.milestone for event in milestones if event.classifier == "actual"} == set(MILESTONES)
    assert {event.classifier for event in milestones} == {"planned", "estimated", "actual"}
    assert {event.leg for event in milestones} == {1, 2, 3}


def test_legs_take_days_before_the_start_and_minutes_after_it() -> None:
    departed: dict[tuple[str, int], int] = {}
    before: list[int] = []
    after: list[int] = []
    for _, event in accepted(story().told):
        if isinstance(event, MilestoneReported) and event.classifier == "actual":
            at, leg = to_ms(event.occurred_at), (event.shipment_id, event.leg)
            if event.milestone == "departed":
                departed[leg] = at
            elif event.milestone == "arrived" and leg in departed:
                (before if at < START else after if departed[leg] >= START else []).append(at - departed[leg])
    assert max(before) > 4 * DAY_MS
    assert len(after) > 100
    assert max(after) < 15 * MINUTE_MS


def test_some_cold_goods_get_too_warm_for_three_readings_in_a_row() -> None:
    running: dict[str, int] = {}
    longest: dict[str, int] = {}
    for _, event in accepted(story().told):
        if isinstance(event, ConditionReported):
            assert event.temperature is not None
            assert event.temperature_max is not None
            name = event.shipment_id
            running[name] = running.get(name, 0) + 1 if event.temperature > event.temperature_max else 0
            longest[name] = max(longest.get(name, 0), running[name])
    excursions = sum(length >= 3 for length in longest.values())
    assert 0 < excursions < len(longest) / 4


def test_what_is_finished_is_forgotten() -> None:
    running = Network(1, START)
    sizes = []
    for _ in range(5):
        running.skip(25_000)
        sizes.append((len(running._reports._waiting), len(running._env._queue), len(running.under_way)))
    assert max(waiting for waiting, _, _ in sizes) < 1_500
    assert max(queued for _, queued, _ in sizes) < 1_500
    assert max(shipments for _, _, shipments in sizes) < 200


def test_a_pause_moves_what_follows_and_changes_nothing_else() -> None:
    begin, end = START + 20 * SECOND_MS, START + 2 * DAY_MS
    plain = list(islice(network(1, START), 25_000))
    paused = list(islice(network(1, START, pauses=[(begin, end)]), 25_000))
    assert plain[-1].at_ms > begin
    for one, other in zip(plain, paused, strict=True):
        assert other.at_ms == one.at_ms + (end - begin if one.at_ms >= begin else 0)
        assert (one.topic, one.key, one.mistake) == (other.topic, other.key, other.mistake)
    assert [one for one in plain if one.topic == "warehouse.events" and one.at_ms < begin and not is_bad(one)] == [
        one for one in paused if one.topic == "warehouse.events" and one.at_ms < begin and not is_bad(one)
    ]


def test_without_mistakes_the_truth_is_the_same() -> None:
    truths = []
    for shares in (None, NO_MISTAKES):
        running = network(1, START, shares=shares)
        planted = False
        for emission in running:
            planted = planted or bool(emission.mistake)
            if emission.at_ms >= START:
                break
        assert planted == (shares is None)
        truths.append((running.stock, running.under_way))
    assert truths[0] == truths[1]
