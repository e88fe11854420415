"""A late shipment on a running stack: it pages, somebody takes it in hand, and the page's count leaves it out."""

import json
import re
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any, Final

import pytest

from deploy.acknowledging import until_of
from schemas.errors import WrongInput
from schemas.times import DAY_MS, HOUR_MS, MINUTE_MS, to_ms
from tests.e2e.recent import YESTERDAY, moment
from tests.e2e.stack import Stack

LANE: Final = "CNACK>DEACK"
PAGE: Final = re.sub(
    r"@\{[\w.]+\}", "0", files("dashboards").joinpath("queries/alert_late_by_lane.sql").read_text(encoding="utf-8")
)
"""The page's question, where one late shipment is one too many."""


def late(name: str, **more: Any) -> bytes:
    """A shipment that left yesterday and was due two hours later."""
    body = {
        "event_id": f"ack/{name}",
        "source": "ack-carrier",
        "type": "milestone",
        "milestone": "departed",
        "classifier": "actual",
        "shipment_id": name,
        "origin": "CNACK",
        "destination": "DEACK",
        "carrier": "ACK",
        "occurred_at": moment(0),
        "recorded_at": moment(0),
        "promised_at": moment(2),
        "lines": [{"item": "acme:4711", "quantity": "5", "unit": "pack", "order_id": f"O-{name}", "line_id": "1"}],
    }
    return json.dumps(body | more).encode()


def order(name: str) -> bytes:
    """The order that a shipment brings."""
    body = {
        "event_id": f"ack/O-{name}",
        "source": "ack-erp",
        "type": "order_placed",
        "order_id": f"O-{name}",
        "supplier": f"Supplier of {name}",
        "occurred_at": moment(0),
        "recorded_at": moment(0),
        "lines": [{"line_id": "1", "item": "acme:4711", "quantity": "5", "unit": "pack"}],
    }
    return json.dumps(body).encode()


@pytest.fixture(scope="module")
def stack(plain: Stack) -> Stack:
    """The shared stack, with two late shipments of ours."""
    assert plain.publish([late("ACK-1"), late("ACK-2"), order("ACK-1"), order("ACK-2")]).code == 0
    return plain


def paged(stack: Stack) -> float:
    """How many late shipments of our lane the page counts."""
    found = dict(stack.query(PAGE))
    return float(found[LANE])


def listed(stack: Stack, *arguments: str) -> list[str]:
    """The ids that `exceptions list` tells of our lane."""
    told = stack.run("exceptions list", "--lane", LANE, "--json", *arguments)
    told.done()
    answer = told.last_json()
    assert answer["count"] == len(answer["exceptions"])
    return sorted(one["exception_id"] for one in answer["exceptions"])


FIRST: Final = "late_delivery/shipment/ACK-1"
SECOND: Final = "late_delivery/shipment/ACK-2"


def test_who_takes_a_late_shipment_in_hand_takes_it_out_of_the_pages_count(stack: Stack) -> None:
    assert paged(stack) == 2
    began = datetime.now(UTC)
    told = stack.run("ack", FIRST, "--until", "4h", "--note", "carrier called", "--by", "kim", "--json")
    told.done()
    answer = told.last_json()
    until = datetime.fromisoformat(answer.pop("until"))
    assert answer == {"exception_id": FIRST, "by": "kim", "acknowledged": True}
    assert timedelta(hours=4) - timedelta(seconds=1) <= until - began < timedelta(hours=4, minutes=5)

    sql = "SELECT shipment_id, acknowledged FROM late_shipments WHERE carrier = 'ACK' ORDER BY shipment_id"
    assert stack.query(sql) == [["ACK-1", 1], ["ACK-2", 0]]
    assert paged(stack) == 1
    assert listed(stack) == [SECOND]
    (one,) = json.loads(stack.run("exceptions list", "--lane", LANE, "--acknowledged", "--json").done())["exceptions"]
    assert one["exception_id"] == FIRST
    assert (one["acknowledged_by"], one["note"], one["acknowledged"]) == ("kim", "carrier called", True)
    assert datetime.fromisoformat(one["acknowledged_until"]) == until
    assert datetime.fromisoformat(one["opened_at"]) == YESTERDAY + timedelta(hours=2)

    told = stack.run("ack", FIRST, "--withdraw", "--json")
    told.done()
    answer = told.last_json()
    assert (answer["exception_id"], answer["until"], answer["acknowledged"]) == (FIRST, None, False)
    assert paged(stack) == 2
    assert "Nobody has" in stack.run("ack", FIRST, "--withdraw").complaint(2)


def test_the_list_is_of_a_kind_and_of_a_supplier(stack: Stack) -> None:
    assert listed(stack, "--all", "--kind", "stockout", "--kind", "late_delivery") == [FIRST, SECOND]
    assert listed(stack, "--all", "--supplier", "Supplier of ACK-2") == [SECOND]
    assert listed(stack, "--open", "--site", "BER") == []
    told = stack.run("exceptions list", "--lane", LANE, "--all", "--limit", 1).done().splitlines()
    assert told[0].split()[:2] == ["id", "opened"]
    assert told[1].startswith((FIRST, SECOND))
    assert told[-1] == "2 exceptions; 1 shown"


def test_what_is_not_open_is_refused_with_what_is_meant_perhaps_unless_forced(stack: Stack) -> None:
    sentence = stack.run("ack", "late_delivery/shipment/ACK-11").complaint(2)
    assert sentence.startswith("No exception late_delivery/shipment/ACK-11 is open: did you mean ")
    assert FIRST in sentence
    assert FIRST in stack.run("ack", "ACK-1").complaint(2)
    assert "exceptions list" in stack.run("ack", "nothing like it").complaint(2)
    told = stack.run("ack", "late_delivery/shipment/ACK-11", "--force", "--until", "1h", "--json")
    told.done()
    assert told.last_json()["acknowledged"] is True
    held = "SELECT count() FROM acknowledgements_now WHERE exception_id = 'late_delivery/shipment/ACK-11'"
    assert [int(count) for (count,) in stack.query(held)] == [1]


def test_a_name_that_no_event_takes_is_refused_by_its_field(stack: Stack) -> None:
    assert "by" in stack.run("ack", SECOND, "--by", "x" * 300).complaint(2)


def test_an_end_is_a_duration_or_a_time_to_come() -> None:
    now = to_ms(YESTERDAY)
    assert until_of("90m", now) == now + 90 * MINUTE_MS
    assert until_of("2d", now) == now + 2 * DAY_MS
    assert until_of(moment(3), now) == now + 3 * HOUR_MS
    for text, complaint in (("tomorrow", "is no time"), (moment(1)[:19], "is no time"), (moment(0), "is over")):
        with pytest.raises(WrongInput, match=complaint):
            until_of(text, now)
