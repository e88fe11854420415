"""The mistakes planted in the demo's stream: each kind is there, is what it claims to be, and is counted."""

from collections import Counter

import pytest

from deploy.demo.mistakes import BAD, READABLE
from schemas.event import Event
from schemas.identifiers import findings
from schemas.times import DAY_MS, HOUR_MS, to_ms
from schemas.wire import Rejection
from tests.deploy.demo_oracle import START, Told, accepted, is_bad, story


def _planted(kind: str) -> list[Told]:
    return [one for one in story().everything() if one.emission.mistake == kind]


def _before(kind: str) -> list[tuple[Told, list[Told]]]:
    """Each mistake of this kind, and what was sent of the same event before."""
    sent: dict[tuple[str, str, str], list[Told]] = {}
    found = []
    for one in story().everything():
        if isinstance(one.event, Rejection):
            continue
        identity = (one.emission.topic, one.event.source, one.event.event_id)
        if one.emission.mistake == kind:
            found.append((one, list(sent.get(identity, []))))
        sent.setdefault(identity, []).append(one)
    return found


def _event(told: Told) -> Event:
    assert not isinstance(told.event, Rejection)
    return told.event


def test_every_record_that_is_not_planted_as_bad_is_an_event() -> None:
    refused = [one for one in story().everything() if isinstance(one.event, Rejection) and not is_bad(one.emission)]
    assert refused == []


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_record_is_refused_for_the_cause_that_was_planted(kind: str) -> None:
    planted = _planted(kind)
    assert planted
    for _, event in planted:
        assert isinstance(event, Rejection)
        assert event.cause == BAD[kind]


def test_bad_records_are_a_few_in_a_thousand() -> None:
    told = story().everything()
    share = sum(is_bad(one.emission) for one in told) / len(told)
    assert 0.001 < share < 0.006


def test_the_ledger_counts_what_is_in_the_stream() -> None:
    told = story()
    counted = Counter(one.emission.mistake for one in told.everything() if one.emission.mistake)
    assert told.network.mistakes == counted
    assert set(counted) == {*BAD, *READABLE}


def test_a_duplicate_is_an_exact_repeat() -> None:
    for duplicate, before in _before("duplicate"):
        assert duplicate.emission.value in [one.emission.value for one in before]
        assert duplicate.emission.key == before[0].emission.key


def test_a_correction_says_the_same_event_anew_under_the_same_key() -> None:
    changed = 0
    for correction, before in _before("correction"):
        wrong, right = _event(before[0]), _event(correction)
        assert right.recorded_at > wrong.recorded_at
        assert correction.emission.key == before[0].emission.key
        said = {"recorded_at": right.recorded_at}
        changed += wrong.model_copy(update=said) != right
    assert changed > 0.9 * len(_before("correction"))


def test_a_retraction_takes_back_what_was_said_before() -> None:
    for retraction, before in _before("retraction"):
        assert _event(retraction).retracted
        assert not _event(before[0]).retracted
        assert _event(retraction).recorded_at > _event(before[0]).recorded_at
        assert retraction.emission.key == before[0].emission.key


def test_a_late_report_is_recorded_long_after_it_happened() -> None:
    reports = [one for one in _planted("late") if one.emission.at_ms < START]
    assert reports
    for one in reports:
        event = _event(one)
        assert 12 * HOUR_MS <= one.emission.at_ms - to_ms(event.occurred_at) < 4 * DAY_MS or _is_plan(event)
        assert to_ms(event.recorded_at) == one.emission.at_ms


def _is_plan(event: Event) -> bool:
    return getattr(event, "classifier", "actual") != "actual" or event.precision == "day"


def test_a_record_out_of_order_is_recorded_before_others_that_were_sent_earlier() -> None:
    latest = 0
    overtaken = 0
    for emission, event in accepted(story().told):
        recorded = to_ms(event.recorded_at)
        if emission.mistake == "out_of_order":
            overtaken += recorded < latest
        latest = max(latest, recorded)
    assert overtaken == len([one for one in story().told if one.emission.mistake == "out_of_order"])


def test_check_digits_are_wrong_only_where_it_was_planted() -> None:
    labels = Counter(emission.mistake for emission, event in accepted(story().everything()) if findings(event))
    assert set(labels) == {"check_digit"}
    assert labels["check_digit"] == len(_planted("check_digit"))
