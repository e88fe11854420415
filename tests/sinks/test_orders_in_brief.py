"""What is told of all orders from their rows in brief is what the states say: whatever comes, before any merge."""

import math
import random
import re
import time
from collections.abc import Iterator
from typing import Any, Final

import pytest
from clickhouse_connect.driver.client import Client

from schemas.derived import OrderLineState, OrderStatus
from schemas.times import DAY_MS, HOUR_MS
from sinks import epochs
from sinks.migrate import known, migrate
from sinks.rows import Record
from tests.sinks.conftest import MakeClient
from tests.sinks.records import NOON, column, only, rows, state, write
from tests.sinks.watched import forget_all, quiet_store

HERE: Final = 17
PLAIN: Final = {5: ("orders_now", "order_lines_now"), 9: ("lines_judged", "supplier_daily", "supplier_now")}
"""Where these views are defined by the whole states."""

COMPARED: Final = ("orders_now", "order_lines_now", "lines_judged", "supplier_daily", "supplier_now")
MOVING: Final = frozenset({"late_days", "late_days_mean"})
"""What grows while one looks."""


def plain_definitions() -> Iterator[str]:
    """The plain definitions, under names of their own."""
    names = re.compile(rf"\b({'|'.join(name for views in PLAIN.values() for name in views)})\b")
    for number, views in PLAIN.items():
        for statement in next(one for one in known() if one.number == number).statements:
            found = re.match(r"CREATE OR REPLACE VIEW (\w+) AS", statement)
            if found and found[1] in views:
                yield names.sub(r"plain_\1", statement)


@pytest.fixture(scope="module")
def migrated(engine: MakeClient) -> Client:
    """A migrated store with the plain definitions beside the others, which all tests here share."""
    client = quiet_store(engine())
    for statement in plain_definitions():
        client.command(statement)
    return client


@pytest.fixture
def both(migrated: Client) -> Client:
    """An empty store that shows epoch 1."""
    forget_all(migrated)
    return migrated


def assert_same(client: Client) -> None:
    """Every view answers as its plain definition does."""
    for view in COMPARED:
        told, plain = (
            client.query(f"SELECT * FROM {name} ORDER BY ALL")  # noqa: S608  # our own names
            for name in (view, f"plain_{view}")
        )
        assert told.column_names == plain.column_names, view
        assert [kind.name for kind in told.column_types] == [kind.name for kind in plain.column_types], view
        assert len(told.result_rows) == len(plain.result_rows), view
        unordered = [name for name in told.column_names if name not in MOVING]
        ours, theirs = (
            rows(client, f"SELECT * FROM {name} ORDER BY {', '.join(unordered)}")  # noqa: S608
            for name in (view, f"plain_{view}")
        )
        for our, their in zip(ours, theirs, strict=True):
            for name, value in their.items():
                if isinstance(value, float) and not math.isnan(value):
                    allowed = 0.001 if name in MOVING else 1e-9
                    assert our[name] == pytest.approx(value, rel=1e-9, abs=allowed), (view, name)
                else:
                    assert our[name] == value, (view, name)


def any_line(draw: random.Random, number: int, now: int) -> OrderLineState:
    """A line of any kind, also of kinds that no agent of ours publishes."""

    def moment() -> int | None:
        """Never so near to now that it would be past only for the second of two questions."""
        return draw.choice(
            (None, now + draw.choice((-200, -90, -89, -3, -1, 1, 3)) * DAY_MS + draw.randrange(22 * HOUR_MS))
        )

    promised = moment()
    due = draw.choice((promised, moment(), promised and promised + HOUR_MS))
    return OrderLineState(
        str(number),
        draw.choice(("announced", "placed", "partly_delivered", "delivered", "delivered", "closed", "cancelled")),
        "acme:1",
        "pcs",
        draw.choice((1_000, 2_000)),
        delivered=draw.choice((0, 1_000, 2_000)),
        ordered_at=moment(),
        promised_at=promised,
        due_at=due,
        delivered_at=moment(),
        late=draw.random() < 0.3,
        late_ms=draw.choice((0, DAY_MS + 5)),
    )


def any_order(draw: random.Random, version: int, now: int) -> Record:
    """A state of one of a few orders, now and then an older one than is known, or of another epoch."""
    lines = tuple(any_line(draw, number, now) for number in range(draw.randrange(4)))
    order = OrderStatus(
        f"P{draw.randrange(12)}",
        draw.choice(("placed", "delivered", "cancelled")),
        supplier=draw.choice((None, "acme", "bolt", "coil")),
        buyer=draw.choice((None, "shop")),
        destination=draw.choice((None, "BER")),
        ordered_at=draw.choice((None, now)),
        lines=lines,
        final=draw.random() < 0.4,
    )
    number = max(1, version - draw.choice((0, 0, 0, 40)))
    return state("order.status", order, number, draw.choice((1, 1, 1, 2)), gone=draw.random() < 0.1)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_all_orders_are_told_as_their_states_say_whatever_comes(both: Client, seed: int) -> None:
    draw, now = random.Random(seed), time.time_ns() // 1_000_000
    told: list[Record] = []
    for step in range(5):
        fresh = [any_order(draw, 20 * step + number, now) for number in range(20)]
        for batch in (fresh, draw.sample(told, min(6, len(told)))):
            write(both, *batch)
        told += fresh
        if step == 3:
            epochs.end(both, epochs.begin(both, 2))
        assert_same(both)
    assert only(both, "SELECT count() > 3 AS many FROM orders_now")["many"]
    both.command("OPTIMIZE TABLE orders_in_brief FINAL")
    assert_same(both)


def came(**more: Any) -> OrderLineState:
    """A line that came in full and in time, or as is said otherwise."""
    base = {"delivered": 1_000, "delivered_at": NOON, "promised_at": NOON, "due_at": NOON, "ordered_at": NOON - DAY_MS}
    return OrderLineState("1", "delivered", "acme:1", "pcs", 1_000, **(base | more))


def order(*lines: OrderLineState, order_id: str = "P1") -> OrderStatus:
    return OrderStatus(order_id, "delivered", supplier="acme", lines=lines, final=True)


def test_suppliers_are_told_of_without_the_states(both: Client) -> None:
    write(both, state("order.status", order(came(), came(late=True, due_at=NOON - 1))))
    both.command("TRUNCATE TABLE order_status")
    assert only(both, "SELECT lines, on_time, on_time_in_full, in_full FROM supplier_daily") == {
        "lines": 2,
        "on_time": 1,
        "on_time_in_full": 1,
        "in_full": 2,
    }
    assert only(both, "SELECT supplier, open_lines FROM supplier_now") == {"supplier": "acme", "open_lines": 0}
    assert only(both, "SELECT lines, late_lines FROM orders_now") == {"lines": 2, "late_lines": 1}


def test_a_correction_takes_out_what_it_corrects_and_an_older_version_changes_nothing(both: Client) -> None:
    days = "SELECT day FROM supplier_daily"
    write(both, state("order.status", order(came()), 5))
    before = column(both, days)
    write(both, state("order.status", order(came(delivered_at=NOON + DAY_MS, late=True)), 6))
    assert column(both, days) != before
    write(both, state("order.status", order(came()), 4))
    assert len(column(both, days)) == 1
    assert column(both, days) != before
    write(both, state("order.status", order(came()), 7, gone=True))
    assert column(both, days) == []
    assert column(both, "SELECT count() FROM orders_now") == [0]


def test_a_line_is_judged_when_its_promise_breaks_and_no_message_comes(both: Client) -> None:
    now = time.time_ns() // 1_000_000

    def promised(line_id: str, status: str, due: int) -> OrderLineState:
        return OrderLineState(line_id, status, "acme:1", "pcs", 1_000, promised_at=due, due_at=due)

    past, future = now - 2 * DAY_MS, now + DAY_MS
    lines = [
        promised(f"{status} {due}", status, due)
        for status in ("placed", "closed", "cancelled")
        for due in (past, future)
    ]
    write(both, state("order.status", OrderStatus("P1", "placed", supplier="acme", lines=tuple(lines))))
    found = only(both, "SELECT lines, on_time, late_days_mean FROM supplier_daily")
    assert (found["lines"], found["on_time"]) == (2, 0)
    assert 2 <= found["late_days_mean"] < 2.1
    assert only(both, "SELECT lines_90d, open_lines, late_lines FROM supplier_now") == {
        "lines_90d": 2,
        "open_lines": 2,
        "late_lines": 1,
    }
    assert_same(both)


def test_old_epochs_are_forgotten_in_brief_too(both: Client) -> None:
    for epoch in (1, 2):
        write(both, state("order.status", order(came()), epoch=epoch))
    epochs.end(both, epochs.begin(both, 2))
    assert epochs.forget_before(both, 2) >= 2
    assert column(both, "SELECT DISTINCT epoch FROM orders_in_brief") == [2]


@pytest.mark.slow
def test_what_was_there_before_the_migration_is_told_and_again_changes_nothing(bare: Client) -> None:
    here = next(one for one in known() if one.number == HERE)
    migrate(bare)
    bare.command("DROP VIEW order_in_brief")
    for statement in plain_definitions():
        bare.command(statement)
    epochs.end(bare, epochs.begin(bare))
    now = time.time_ns() // 1_000_000
    draw = random.Random(7)
    for step in range(3):
        write(bare, *[any_order(draw, 20 * step + number, now) for number in range(20)])
    assert column(bare, "SELECT count() FROM orders_in_brief") == [0]
    for cut in (len(here.statements) - 1, len(here.statements), len(here.statements)):
        for statement in here.statements[:cut]:
            bare.command(statement)
    assert_same(bare)
    write(bare, *[any_order(draw, 60 + number, now) for number in range(20)])
    assert_same(bare)
