"""The structs read nothing that the contract refuses, and nothing otherwise than it does."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.contracts import EXAMPLES
from schemas.event import Event
from schemas.structs import StructReader
from schemas.wire import Rejection, event_types, judge, read
from streams.orders.facts import order_statement
from streams.shipments.facts import shipment_statement
from streams.stock.facts import movement_statement
from tests import strategies

READERS = {
    topic: StructReader(model for model in event_types().values() if model.topic == topic)
    for topic in {model.topic for model in event_types().values()}
}
STATEMENTS = {
    "supplier.events": order_statement,
    "shipment.events": shipment_statement,
    "warehouse.events": movement_statement,
}

ODD_VALUES: tuple[Any, ...] = (
    123456789012.12346, 40.371035, "123456789012.123457", "0E-20", "1E-20",
    None, True, 0, -1, 1, 1.0, 1.5, 0.001, 0.0001, 12.0005, 1e3, 1e12, 999_999_999_999.999, 10**15, "", " ", "x",
    "12.5", "1e3", "NaN", "Infinity", "-0", " 1", "1_000", "12.0000", "pcs", "p cs", "EUR", "eur", "EUR\n", "acme:4711",
    "12345678", "acme:", ":4711", "a|b", "a>b", "tab\there", "line\n", "del\x7f", "x" * 201, "\u0661\u0662", [], {},
    [1],
    {"a": 1}, {"order_id": 5}, "2026-11-20T10:00:00Z", "2026-11-20T10:00:00", "2026-11-20T10:00:00.1234567Z",
    "2026-11-20T10:00:00.9999999Z", "2026-11-20 10:00:00Z", "2026-11-20T10:00:00+0200", "2026-11-20t10:00:00z",
    "2026-11-20T24:00:00Z", "2026-11-20T10:00:60Z", "2026-11-20T10:00:00+24:00", "0001-01-01T00:00:00Z", "1772359200",
)  # fmt: skip


def agree(topic: str, raw: bytes) -> None:
    """What the struct accepts the contract accepts, with the same values and the same fact."""
    said = READERS[topic].read(raw)
    if said is None:
        return
    judged = judge(topic, raw)
    assert not isinstance(judged, Rejection), judged.reason
    assert isinstance(said, type(judged))
    assert _values(said, judged)
    assert said.entity_key() == judged.entity_key()
    assert (said.occurred_ms, said.recorded_ms) == (judged.occurred_ms, judged.recorded_ms)
    if topic in STATEMENTS:
        assert STATEMENTS[topic](said, raw) == STATEMENTS[topic](judged, raw)


def _values(said: Any, judged: Any) -> bool:
    if isinstance(judged, tuple):
        return len(said) == len(judged) and all(map(_values, said, judged))
    fields = getattr(type(judged), "model_fields", None)
    if fields is None:
        same_zone = getattr(said, "tzinfo", None) is None or said.utcoffset() == judged.utcoffset()
        return bool(said == judged) and same_zone
    return all(_values(getattr(said, name), getattr(judged, name)) for name in fields)


@pytest.mark.parametrize("kind", EXAMPLES)
def test_each_type_is_read_by_its_struct(kind: str) -> None:
    raw = json.dumps(EXAMPLES[kind]).encode()
    topic = event_types()[kind].topic
    assert READERS[topic].read(raw) is not None
    agree(topic, raw)


@given(
    st.one_of(
        *(getattr(strategies, f"{topic}_events")() for topic in ("supplier", "shipment", "warehouse", "operator"))
    )
)
@settings(max_examples=300, deadline=None)
def test_whatever_the_contract_accepts_is_read_as_the_same(event: Event) -> None:
    agree(event.topic, strategies.raw(event))


@given(st.data())
@settings(max_examples=1_500, deadline=None)
def test_an_event_with_any_field_spoiled_is_never_read_otherwise(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(sorted(EXAMPLES)))
    spoiled = json.loads(json.dumps(EXAMPLES[kind]))
    place, name = data.draw(st.sampled_from(list(_places(spoiled))))
    how = data.draw(st.sampled_from(("replace", "remove", "rename", "add")))
    value = data.draw(st.sampled_from(ODD_VALUES))
    if how == "replace":
        place[name] = value
    elif how == "remove":
        del place[name]
    elif how == "rename":
        place[f"{name}_"] = place.pop(name)
    else:
        place["more"] = value
    agree(event_types()[kind].topic, json.dumps(spoiled, ensure_ascii=data.draw(st.booleans())).encode())


@pytest.mark.parametrize(
    "number",
    [
        "123456789012.123457",
        "999999999999.999999",
        "12345678.123456",
        "1200000000000000000000000000000001e-32",
        "15000e-4",
        "1.50",
        "9.0",
        "1e2",
        "-0.0",
        "-90.000001",
        "89.999999",
    ],
)
def test_a_number_is_read_as_the_float_that_the_contract_takes_it_for(number: str) -> None:
    for kind, example in EXAMPLES.items():
        for place, name in _places(json.loads(json.dumps(example))):
            value = place[name]
            if isinstance(value, int | float) or name in {"quantity", "unit_cost", "latitude", "temperature"}:
                told = json.dumps(example).replace(json.dumps({name: value})[1:-1], f'"{name}": {number}')
                agree(event_types()[kind].topic, told.encode())


@pytest.mark.parametrize("name", ["|occurred_ms", "|recorded_ms", "occurred_ms"])
@pytest.mark.parametrize("escaped", [False, True])
def test_no_record_says_what_the_reader_works_out(name: str, escaped: bool) -> None:
    raw = json.dumps(EXAMPLES["received"] | {name: 5})
    raw = raw.replace("|", "\\u007c") if escaped else raw
    assert READERS["warehouse.events"].read(raw.encode()) is None
    said = read("warehouse.events", raw.encode(), 1 << 50)
    assert isinstance(said, Rejection)
    assert "is not a field of this event" in said.reason


def _places(document: Any) -> Any:
    """Every (object, field) of a document, however deep."""
    if isinstance(document, dict):
        for name, value in list(document.items()):
            yield document, name
            yield from _places(value)
    elif isinstance(document, list):
        for value in document:
            yield from _places(value)


@given(st.binary(max_size=60), st.sampled_from(sorted(EXAMPLES)), st.integers(0, 400))
@settings(max_examples=300, deadline=None)
def test_bytes_pushed_into_an_event_are_never_read_otherwise(noise: bytes, kind: str, at: int) -> None:
    raw = json.dumps(EXAMPLES[kind]).encode()
    agree(event_types()[kind].topic, raw[:at] + noise + raw[at:])
