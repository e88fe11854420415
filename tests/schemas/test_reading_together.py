"""Records that are read together are read as each is alone, whatever stands next to them."""

import json
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import wire
from schemas.contracts import EXAMPLES
from schemas.event import Event
from schemas.times import DAY_MS, rfc3339
from schemas.wire import MAX_RECORD_BYTES, Rejection, event_types, read, read_all
from tests.schemas.test_structs import ODD_VALUES

ARRIVED: Final = 1_795_348_800_000
TOPIC: Final = "warehouse.events"


def raw(kind: str = "received", **said: Any) -> bytes:
    """An event of some kind, with something else in it."""
    return json.dumps(EXAMPLES[kind] | said, ensure_ascii=False).encode()


def told(event: Event | Rejection) -> Any:
    """All that is said of a record."""
    if isinstance(event, Rejection):
        return event
    fields = type(event).model_fields if not hasattr(event, "__struct_fields__") else event.__class__.model_fields
    values = {name: _plain(getattr(event, name)) for name in fields}
    return event.__class__, values, event.occurred_ms, event.recorded_ms, event.occurred_at.utcoffset()


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    names = getattr(value, "__struct_fields__", None) or getattr(type(value), "model_fields", None)
    return value if names is None else {name: _plain(getattr(value, name)) for name in names}


def agree(topic: str, raws: list[bytes], arrived: list[int] | None = None) -> None:
    """Together they are what each is alone."""
    at = arrived or [ARRIVED] * len(raws)
    assert [told(one) for one in read_all(topic, raws, at)] == [
        told(read(topic, one, when)) for one, when in zip(raws, at, strict=True)
    ]


GOOD: Final = raw()
HALVES: Final = (GOOD[:40], GOOD[40:])


@pytest.mark.parametrize(
    "strange",
    [
        (b"",),
        (GOOD + GOOD,),
        (GOOD + b"\n" + GOOD,),
        (GOOD + b" " + GOOD[:-1], b"}"),
        (GOOD + HALVES[0], HALVES[1]),
        (GOOD[:-1] + b',"more":{}', b"{}}"),
        (GOOD + GOOD[:-1] + b',"references":', b"{}}"),
        (GOOD[:-1] + b" " * MAX_RECORD_BYTES + b"}",),
        (GOOD + b'{"event_id":"}', b'{"}'),
        (b"{" + GOOD, GOOD + b"}"),
        (b"[" + GOOD, GOOD + b"]"),
        HALVES,
        (b"\n" + GOOD, GOOD + b"\n"),
        (GOOD.replace(b",", b",\n"),),
        (GOOD.replace(b"acme", b"ac\nme"),),
        (b"\xef\xbb\xbf" + GOOD,),
        (GOOD.replace(b'"source"', b'"sour\xffce"'),),
        (b"{}", b"{}"),
        (b"null",),
        (b'{"type":"received"' + b',"a":' * 5_000 + b"1" + b"}" * 5_000,),
        (b'{"type":"received","attributes":{"a":"' + b"x" * MAX_RECORD_BYTES + b'"}}',),
        (GOOD.replace(b'"acme', b'"ac\\u0007me'),),
        (raw(lot="del\x7f"),),
        (raw(site="a|b"),),
        (raw(site="a>b"),),
        (raw(occurred_at="2026-11-20T10:00:00.9999999Z"),),
        (raw(item="acme:a|b"),),
        (raw(quantity=1.0001),),
        (raw(unit="p cs"),),
        (raw(item="none"),),
    ],
)
def test_no_record_is_read_otherwise_for_what_stands_next_to_it(strange: tuple[bytes, ...]) -> None:
    some = [raw(event_id=f"e{number}") for number in range(20)]
    agree(TOPIC, [*some, *strange, *some])
    agree(TOPIC, [*strange, *some])
    agree(TOPIC, [*some, *strange])
    agree(TOPIC, [*strange] * 10)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_events_with_any_field_spoiled_are_read_as_each_is_alone(data: st.DataObject) -> None:
    topic = data.draw(st.sampled_from(sorted({model.topic for model in event_types().values()})))
    kinds = sorted(kind for kind, model in event_types().items() if model.topic == topic)
    raws = []
    for number in range(12):
        kind = data.draw(st.sampled_from(kinds))
        said = json.loads(json.dumps(EXAMPLES[kind]))
        if data.draw(st.sampled_from((False, False, False, True))):
            place, name = data.draw(st.sampled_from([*_places(said)]))
            place[name] = data.draw(st.sampled_from(ODD_VALUES))
        raws.append(json.dumps(said | {"event_id": f"e{number}"}, ensure_ascii=False).encode())
    agree(topic, raws, data.draw(st.lists(st.sampled_from((0, ARRIVED, 1 << 50)), min_size=12, max_size=12)))


def _places(document: Any) -> Any:
    if isinstance(document, dict):
        for name, value in [*document.items()]:
            yield document, name
            yield from _places(value)
    elif isinstance(document, list):
        for value in document:
            yield from _places(value)


def test_what_is_from_the_future_costs_itself_only() -> None:
    at = [ARRIVED - DAY_MS, ARRIVED, ARRIVED - DAY_MS - 1, ARRIVED] * 5
    raws = [raw(occurred_at=rfc3339(ARRIVED), recorded_at=rfc3339(ARRIVED))] * 20
    agree(TOPIC, raws, at)
    refused = [isinstance(one, Rejection) for one in read_all(TOPIC, raws, at)]
    assert refused == [False, False, True, False] * 5
    planned = raw("milestone", classifier="planned", occurred_at=rfc3339(ARRIVED + 9 * DAY_MS))
    assert not any(isinstance(one, Rejection) for one in read_all("shipment.events", [planned] * 20, [ARRIVED] * 20))


def test_ordinary_records_are_read_together_and_an_odd_one_makes_few_others_slow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alone = []

    def counted(topic: str, one: bytes, at: int) -> Event | Rejection:
        alone.append(one)
        return read(topic, one, at)

    monkeypatch.setattr(wire, "read", counted)
    for kind, model in event_types().items():
        some = [raw(kind, event_id=f"e{number}") for number in range(300)]
        assert len(read_all(model.topic, some, [1 << 50] * 300)) == 300
    assert not alone
    some = [raw(event_id=f"e{number}") for number in range(300)]
    some[123] = b"{}"
    assert [isinstance(one, Rejection) for one in read_all(TOPIC, some, [ARRIVED] * 300)].count(True) == 1
    assert 1 <= len(alone) < 10
