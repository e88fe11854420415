import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from schemas import wire
from schemas.event import Event
from schemas.quantities import micros, thousandths
from schemas.shipment import MilestoneReported
from schemas.times import DAY_MS, due_ms, from_ms, offset_minutes, rfc3339, to_ms
from schemas.warehouse import Adjusted, Received

LATER = 1 << 42


def document(**changes: Any) -> dict[str, Any]:
    return {
        "event_id": "1",
        "source": "acme",
        "type": "received",
        "occurred_at": "2026-03-01T10:00:00+02:00",
        "recorded_at": "2026-03-01T10:00:00.5+02:00",
        "site": "BER",
        "item": "acme:4711",
        "unit": "pack",
        "quantity": "1.5",
    } | changes


def parsed(**changes: Any) -> Received:
    return Received.model_validate_json(json.dumps(document(**changes)))


def test_what_is_not_said_has_its_default() -> None:
    event = parsed()
    assert (event.retracted, event.precision, event.zone_assumed) == (False, "instant", False)
    assert event.attributes == {}
    assert event.references.order_id is None
    assert event.by_day is False


def test_the_offset_in_which_a_time_was_said_is_kept() -> None:
    event = parsed()
    assert offset_minutes(event.occurred_at) == 120
    assert rfc3339(to_ms(event.occurred_at)) == "2026-03-01T08:00:00.000Z"
    assert json.loads(event.model_dump_json())["occurred_at"] == "2026-03-01T10:00:00+02:00"


@pytest.mark.parametrize(
    "changes",
    [
        {"occurred_at": "2026-03-01T10:00:00"},
        {"recorded_at": "2026-03-01"},
        {"occurred_at": "yesterday"},
        {"retracted": "false"},
        {"precision": "hour"},
        {"colour": "red"},
        {"event_id": ""},
        {"event_id": "a\nb"},
        {"event_id": "x" * 201},
        {"site": "BER|NBO"},
        {"site": "BER>NBO"},
        {"site": "BER\x00"},
        {"unit": "two words"},
        {"item": "4711"},
        {"item": "1234567890123456"},
        {"item": ":4711"},
        {"item": "acme:"},
        {"item": "a|b:4711"},
        {"quantity": "-1"},
        {"quantity": "1.2345"},
        {"quantity": "1000000000000"},
        {"quantity": "NaN"},
        {"quantity": "many"},
        {"quantity": True},
        {"references": {"colour": "red"}},
        {"references": {"order_id": "PO|1"}},
        {"attributes": {"a": 1}},
        {"attributes": {"a": "\x00"}},
        {"attributes": {str(i): "" for i in range(101)}},
    ],
    ids=str,
)
def test_what_the_contract_does_not_allow_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        parsed(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"event_id": "a|b>c"},
        {"item": "acme:a|b>c:d"},
        {"item": "4006381333932"},
        {"quantity": 0},
        {"quantity": "999999999999.999"},
        {"occurred_at": "2026-03-01T10:00:00Z"},
        {"attributes": {"a": "tab\tline\n"}},
        {"references": {"sscc": "no sscc"}},
    ],
    ids=str,
)
def test_what_the_contract_allows_is_taken(changes: dict[str, Any]) -> None:
    parsed(**changes)


def test_an_event_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        parsed().site = "NBO"  # type: ignore[misc]  # that it is refused is the point


@pytest.mark.parametrize("kind", sorted(wire.event_types()))
def test_the_entity_key_of_every_type_is_its_own(kind: str) -> None:
    assert wire.event_types()[kind].entity_key is not Event.entity_key


def test_stock_is_keyed_by_site_and_item() -> None:
    assert parsed(item="acme:a|b").entity_key() == "BER|acme:a|b"


def test_a_promise_of_a_day_is_kept_until_its_end() -> None:
    promised = datetime(2026, 3, 5, tzinfo=UTC)
    said = {
        "type": "milestone",
        "event_id": "1",
        "source": "acme",
        "occurred_at": promised,
        "recorded_at": promised,
        "shipment_id": "S-1",
        "milestone": "delivered",
        "classifier": "planned",
    }
    by_day = MilestoneReported.model_validate(said | {"precision": "day"})
    instant = MilestoneReported.model_validate(said)
    assert by_day.due(promised) == to_ms(promised) + DAY_MS - 1 == due_ms(to_ms(promised), day_precision=True)
    assert instant.due(promised) == to_ms(promised)
    assert by_day.due(None) is None


def test_times_become_milliseconds_and_come_back() -> None:
    moment = datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    assert to_ms(moment) == -1
    assert from_ms(-1) == datetime(1969, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)
    assert rfc3339(0) == "1970-01-01T00:00:00.000Z"


def test_quantities_become_exact_integers() -> None:
    assert thousandths(parsed(quantity="999999999999.999").quantity) == 999_999_999_999_999
    taken = Adjusted.model_validate_json(json.dumps(document(type="adjusted", quantity="-0.001")))
    assert thousandths(taken.quantity) == -1
    assert micros(taken.quantity) == -1_000
