import json
from functools import partial
from random import Random
from typing import Any

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from schemas import wire
from schemas.contracts import EXAMPLES
from schemas.event import Event
from schemas.times import DAY_MS, offset_minutes
from schemas.topics import of_kind
from schemas.wire import MAX_RECORD_BYTES, Rejection, judge, read
from tests.strategies import events, raw

ARRIVAL = 1_772_359_200_000  # 2026-03-01T10:00:00Z
FACT_TOPICS = [topic.name for topic in of_kind("fact")]


def received(**changes: Any) -> dict[str, Any]:
    return {
        "event_id": "1",
        "source": "acme",
        "type": "received",
        "occurred_at": "2026-03-01T09:00:00Z",
        "recorded_at": "2026-03-01T09:00:00Z",
        "site": "BER",
        "item": "acme:4711",
        "unit": "pack",
        "quantity": "1",
    } | changes


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in received().items() if name not in names}


def milestone(**changes: Any) -> dict[str, Any]:
    event = without("site", "item", "unit", "quantity")
    return event | {
        "type": "milestone",
        "shipment_id": "S-1",
        "milestone": "delivered",
        "classifier": "actual",
        **changes,
    }


def order(**changes: Any) -> dict[str, Any]:
    line = {"line_id": "1", "item": "acme:4711", "quantity": "1", "unit": "pack"}
    event = without("site", "item", "unit", "quantity")
    return event | {
        "type": "order_placed",
        "order_id": "PO-1",
        "supplier": "Acme",
        "lines": [line | changes],
    }


def reading(document: object, topic: str = "warehouse.events") -> Event | Rejection:
    return read(topic, json.dumps(document).encode(), ARRIVAL)


@pytest.mark.parametrize("value", [None, b""])
def test_a_record_without_a_value_is_refused(value: bytes | None) -> None:
    sentence = "The record has no value: an event is a JSON object."
    assert read("warehouse.events", value, ARRIVAL) == Rejection("empty", sentence)


def test_a_record_may_have_so_many_bytes_and_no_more() -> None:
    body = json.dumps(received()).encode()
    fits = body + b" " * (MAX_RECORD_BYTES - len(body))
    assert isinstance(read("warehouse.events", fits, ARRIVAL), Event)
    assert read("warehouse.events", fits + b" ", ARRIVAL) == Rejection(
        "too_large", "The record has 900001 bytes, more than 900000: send fewer lines in one event."
    )


@pytest.mark.parametrize("value", [b"{", b"nonsense", b'{"a": "\xff"}', b"{'a': 1}", b'{"a": 1}{"a": 2}'])
def test_what_is_not_json_is_refused(value: bytes) -> None:
    rejection = read("warehouse.events", value, ARRIVAL)
    assert isinstance(rejection, Rejection)
    assert rejection.cause == "not_json"
    assert rejection.reason.startswith("The record is not JSON: ")
    assert rejection.reason.endswith(" Send one JSON object in UTF-8 per record.")
    assert "\n" not in rejection.reason


@pytest.mark.parametrize("document", [1, "received", None, [], [received()], True])
def test_json_that_is_no_object_is_refused(document: object) -> None:
    sentence = "The record is JSON, but not an object: an event is a JSON object."
    assert reading(document) == Rejection("invalid", sentence)


@pytest.mark.parametrize(
    ("document", "cause", "sentence", "field"),
    [
        (
            without("type"),
            "unknown_type",
            "The event has no `type`: operator.events takes acknowledged, unacknowledged.",
            "type",
        ),
        (
            received(type="teleported"),
            "unknown_type",
            "type 'teleported' is not known: operator.events takes acknowledged, unacknowledged.",
            "type",
        ),
        (
            received(type=["received"]),
            "unknown_type",
            "type ['received'] is not known: operator.events takes acknowledged, unacknowledged.",
            "type",
        ),
        (
            received(),
            "wrong_topic",
            "type 'received' belongs to warehouse.events, not to operator.events: send it there.",
            "type",
        ),
    ],
    ids=["none", "unknown", "no text", "other topic"],
)
def test_the_type_must_be_one_of_the_topic(
    document: dict[str, Any], cause: wire.Cause, sentence: str, field: str
) -> None:
    assert reading(document, "operator.events") == Rejection(cause, sentence, field)


@pytest.mark.parametrize(
    ("document", "sentence", "field"),
    [
        (without("site"), "site is missing: it is required.", "site"),
        (
            received(colour="red"),
            "colour is not a field of this event: take it out, or put it under `attributes`.",
            "colour",
        ),
        (
            received(occurred_at="2026-03-01T09:00:00"),
            (
                'occurred_at "2026-03-01T09:00:00" has no UTC offset: '
                "write it with one, as in 2026-11-22T10:00:00Z or ...+02:00."
            ),
            "occurred_at",
        ),
        (
            received(recorded_at="1 March"),
            'recorded_at "1 March" is not an RFC 3339 time: write it as in 2026-11-22T10:00:00+02:00.',
            "recorded_at",
        ),
        (
            received(item="4711"),
            'item "4711" is not an item: write a GTIN, or owner:code (such as acme:4711).',
            "item",
        ),
        (
            received(site="BER|NBO"),
            'site "BER|NBO" has a character or form that is not allowed here.',
            "site",
        ),
        (
            received(quantity="-1"),
            'quantity "-1" is wrong: input should be greater than or equal to 0.',
            "quantity",
        ),
        (
            received(retracted="yes"),
            'retracted "yes" is wrong: input should be a valid boolean.',
            "retracted",
        ),
        (
            received(references={"sscc": 1}),
            "references.sscc 1 is wrong: input should be a valid string.",
            "references.sscc",
        ),
        (
            received(site="x" * 300),
            f'site "{"x" * 79}... is wrong: string should have at most 200 characters.',
            "site",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else "",
)
def test_each_problem_is_one_sentence(document: dict[str, Any], sentence: str, field: str) -> None:
    assert reading(document) == Rejection("invalid", sentence, field)


def test_a_problem_in_a_line_is_pointed_to() -> None:
    rejection = reading(order(quantity="1.2345"), "supplier.events")
    assert isinstance(rejection, Rejection)
    assert rejection.field == "lines[0].quantity"
    assert rejection.reason.startswith('lines[0].quantity "1.2345" is wrong: ')
    item = reading(order(item="x"), "supplier.events")
    assert isinstance(item, Rejection)
    sentence = 'lines[0].item "x" is not an item: write a GTIN, or owner:code (such as acme:4711)'
    assert item.reason.startswith(sentence)


@pytest.mark.parametrize(
    ("names", "more"), [(("site", "unit"), "1 more problem"), (("site", "unit", "item"), "2 more problems")]
)
def test_further_problems_are_counted(names: tuple[str, ...], more: str) -> None:
    rejection = reading(without(*names))
    assert isinstance(rejection, Rejection)
    assert rejection.reason == f"site is missing: it is required (and {more})."


def test_a_clock_may_be_a_day_ahead_and_no_more() -> None:
    assert isinstance(reading(received(recorded_at="2026-03-02T10:00:00Z")), Event)
    assert reading(received(recorded_at="2026-03-02T10:00:00.001Z")) == Rejection(
        "recorded_in_future",
        "recorded_at 2026-03-02T10:00:00.001Z is more than 24 h after the record's arrival: check the clock of 'acme'.",
        "recorded_at",
    )


def test_nothing_can_have_happened_more_than_a_day_from_now() -> None:
    assert isinstance(reading(received(occurred_at="2026-03-02T10:00:00Z")), Event)
    assert reading(received(occurred_at="2026-03-02T12:00:00.001+02:00", source="dock 4")) == Rejection(
        "occurred_in_future",
        "occurred_at 2026-03-02T10:00:00.001Z is more than 24 h after the record's arrival, "
        "but a received tells what has happened: check the clock of 'dock 4'.",
        "occurred_at",
    )


@pytest.mark.parametrize(("classifier", "taken"), [("planned", True), ("estimated", True), ("actual", False)])
def test_only_plans_and_estimates_may_speak_of_the_future(classifier: str, taken: bool) -> None:
    event = reading(milestone(classifier=classifier, occurred_at="2027-01-01T00:00:00Z"), "shipment.events")
    assert isinstance(event, Event) is taken


def test_the_decision_depends_on_the_first_arrival_not_on_the_present() -> None:
    body = json.dumps(received()).encode()
    assert isinstance(read("warehouse.events", body, ARRIVAL), Event)
    assert isinstance(read("warehouse.events", body, ARRIVAL - 2 * DAY_MS), Rejection)


@pytest.mark.parametrize("topic", FACT_TOPICS)
@given(data=st.data())
def test_every_valid_event_comes_back_from_its_bytes(topic: str, data: st.DataObject) -> None:
    event = data.draw(events(topic))
    assert isinstance(read(topic, raw(event), ARRIVAL + 40 * DAY_MS), Event)
    back = judge(topic, raw(event))
    assert back == event
    assert isinstance(back, Event)
    assert raw(back) == raw(event)
    assert back.entity_key() == event.entity_key()
    assert offset_minutes(back.occurred_at) == offset_minutes(event.occurred_at)


@pytest.mark.parametrize("topic", FACT_TOPICS)
def test_the_strategies_make_every_type_of_their_topic(topic: str) -> None:
    """Each type is looked for by itself, from a fixed seed: nothing is left to the luck of a run."""
    for kind in sorted(kind for kind, model in wire.event_types().items() if model.topic == topic):
        found = find(
            events(topic),
            partial(_is_of_type, kind),
            settings=settings(max_examples=5_000, database=None, phases=[Phase.generate], deadline=None),
            random=Random(1),
        )
        assert _is_of_type(kind, found)


def _is_of_type(kind: str, event: Event) -> bool:
    return bool(json.loads(raw(event))["type"] == kind)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode), st.sampled_from(FACT_TOPICS))
def test_any_bytes_are_an_event_or_have_a_reason(value: bytes, topic: str) -> None:
    result = read(topic, value, ARRIVAL)
    assert isinstance(result, Rejection)
    assert result.reason.endswith(".")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(sorted(received())), _JSON)
def test_any_value_in_any_field_is_taken_or_has_one_sentence(field: str, value: Any) -> None:
    result = reading(received(**{field: value}))
    if isinstance(result, Rejection):
        assert result.reason.strip().endswith(".")
        assert result.field.startswith(field) or result.cause == "unknown_type"


@pytest.mark.parametrize("topic", FACT_TOPICS)
@pytest.mark.parametrize("depth", [900, 3_000, 100_000])
@pytest.mark.parametrize("shape", [b'{"a":', b"[", b'{"type":"received","a":'])
def test_a_record_that_is_nested_too_deeply_is_refused(topic: str, depth: int, shape: bytes) -> None:
    nested = shape * depth
    assert isinstance(read(topic, nested[: wire.MAX_RECORD_BYTES], ARRIVAL), Rejection)
    closed = shape * depth + b"1" + (b"]" if shape == b"[" else b"}") * depth
    assert isinstance(read(topic, closed, ARRIVAL), Rejection)


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
@pytest.mark.parametrize("name", ["recorded_at", "occurred_at"])
def test_a_time_that_no_calendar_holds_in_utc_does_no_harm(moment: str, name: str) -> None:
    assert isinstance(reading({**EXAMPLES["received"], name: moment}), Event | Rejection)
