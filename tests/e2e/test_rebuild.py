"""State made anew on a running stack: one entity with what came too late for it, and everything."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.e2e.stack import Stack, running_stack
from tests.streams.told import ITEM, line, milestone, movement, placed

NOW = datetime.now(UTC)
OLD = (NOW - timedelta(days=20)).isoformat()
RECENT = (NOW - timedelta(hours=2)).isoformat()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("rebuild") / "data") as running:
        yield running


def moved(site: str, number: int, when: str) -> bytes:
    return movement("received", number, 5, site=site, occurred_at=when, recorded_at=when).raw


def on_hand(stack: Stack, site: str) -> list[int]:
    return [value for (value,) in stack.query(f"SELECT toInt64(on_hand) FROM stock_now WHERE site = '{site}'")]  # noqa: S608  # a name of ours


def test_a_late_event_is_applied_when_its_position_is_rebuilt_and_stays_so(stack: Stack) -> None:
    stack.publish([moved("LATE", 1, OLD), moved("LATE", 2, RECENT)]).done()
    assert on_hand(stack, "LATE") == [5]
    assert stack.row("SELECT count(), countIf(isNull(applied_at)) FROM late_records WHERE entity LIKE 'LATE|%'") == [
        1,
        1,
    ]
    told = stack.run("rebuild", "--key", f"LATE|{ITEM}", "--json")
    told.done()
    assert told.last_json() == {"entities": 1, "records": 2, "applied": 1, "left_out": 0}
    assert on_hand(stack, "LATE") == [10]
    assert stack.row("SELECT count(), countIf(isNull(applied_at)) FROM late_records WHERE entity LIKE 'LATE|%'") == [
        1,
        0,
    ]
    again = stack.run("rebuild", "--key", f"LATE|{ITEM}", "--json")
    again.done()
    assert again.last_json() == {"entities": 1, "records": 2, "applied": 0, "left_out": 0}
    assert on_hand(stack, "LATE") == [10]


def test_a_shipment_is_rebuilt_with_its_orders(stack: Stack) -> None:
    goods = [line("1", 4, order_id="PO-REBUILT")]
    said = {"occurred_at": RECENT, "recorded_at": RECENT}
    stack.publish(
        [
            placed("PO-REBUILT", 0, [line("1", 4)], **said).raw,
            milestone("S-REBUILT", "departed", 1, lines=goods, **said).raw,
            milestone("S-REBUILT", "delivered", 2, **said).raw,
        ]
    ).done()
    before = stack.query("SELECT order_id, status, delivered_at FROM order_lines_now WHERE order_id = 'PO-REBUILT'")
    told = stack.run("rebuild", "--key", "S-REBUILT", "--json")
    told.done()
    assert told.last_json() == {"entities": 2, "records": 3, "applied": 0, "left_out": 0}
    after = stack.query("SELECT order_id, status, delivered_at FROM order_lines_now WHERE order_id = 'PO-REBUILT'")
    assert (after, after[0][1]) == (before, "delivered")


def test_a_key_that_nobody_told_of_is_refused_with_a_sentence(stack: Stack) -> None:
    assert "holds nothing of 'NOBODY'" in stack.run("rebuild", "--key", "NOBODY").complaint(2)


def test_late_records_are_applied_by_filter_and_by_id(stack: Stack) -> None:
    stack.publish([moved("ONE", 1, OLD), moved("TWO", 1, OLD), moved("TWO", 2, OLD)]).done()
    assert on_hand(stack, "ONE") == on_hand(stack, "TWO") == []
    dry = stack.run("late apply", "--entity", f"TWO|{ITEM}", "--dry-run", "--json")
    dry.done()
    assert dry.last_json()["selected"] == 2
    assert on_hand(stack, "TWO") == []
    told = stack.run("late apply", "--entity", f"TWO|{ITEM}", "--json")
    told.done()
    assert told.last_json() == {"selected": 2, "entities": 1, "records": 2, "applied": 2, "left_out": 0}
    assert (on_hand(stack, "ONE"), on_hand(stack, "TWO")) == ([], [10])
    listed = stack.run("late list", "--entity", f"ONE|{ITEM}", "--json")
    listed.done()
    (found,) = listed.last_json()["records"]
    stack.run("late apply", found["id"]).done()
    assert on_hand(stack, "ONE") == [5]
    assert stack.run("late apply", "9/warehouse.events/0/1").complaint(2)


def test_everything_is_rebuilt_into_a_new_broker_and_what_was_late_and_applied_is_in_it(stack: Stack) -> None:
    before = {site: on_hand(stack, site) for site in ("LATE", "ONE", "TWO")}
    figures = stack.query("SELECT * EXCEPT (epoch, version) FROM stock_now ORDER BY site, item")
    epoch = stack.status()["epoch"]
    told = stack.run("rebuild", "--json")
    told.done()
    assert (told.last_json()["epoch"], told.last_json()["partitions"]) == (epoch + 1, 4)
    assert {site: on_hand(stack, site) for site in before} == before
    assert stack.query("SELECT * EXCEPT (epoch, version) FROM stock_now ORDER BY site, item") == figures
    assert stack.run("rebuild", "--partitions", "8").complaint(2)
