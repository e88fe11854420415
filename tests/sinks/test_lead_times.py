"""Lead times kept by day are those of the plain definitions over the states: whatever comes, before any merge."""

import random
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

import pytest
from clickhouse_connect.driver.client import Client

from dashboards.macros import View, expand
from dashboards.queries import load
from schemas.derived import OrderLineState, OrderStatus, ShipmentStatus
from schemas.times import DAY_MS, HOUR_MS
from sinks import epochs
from sinks.migrate import known, migrate
from sinks.rows import Record
from tests.sinks.conftest import MakeClient
from tests.sinks.records import column, only, rows, state, write
from tests.sinks.watched import ago, forget_all, let_half_an_hour_pass, moved, now, quiet_store

HERE: Final = (16, 19)
_GONE: Final = "FROM state_changes"
"""A table that 0019 drops."""
PLAIN: Final = ("lead_time_observations", "lead_time_daily", "lead_time_control_since", "lead_time_control")
"""Views that 0009 defines by the whole states."""

MEASURES: Final = ("order_to_delivery", "transit", "carrier_transit", "dock_to_stock")


def plain_definitions() -> Iterator[str]:
    """The plain definitions, under names of their own."""
    names = re.compile(rf"\b({'|'.join(PLAIN)})\b")
    for statement in next(one for one in known() if one.number == 9).statements:
        found = re.match(r"CREATE OR REPLACE VIEW (\w+) AS", statement)
        if found and found[1] in PLAIN:
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


def refresh(client: Client) -> None:
    """Put the observations by day, long after the last change."""
    client.command("SYSTEM REFRESH VIEW lead_times_by_day")
    client.command("SYSTEM WAIT VIEW lead_times_by_day")
    let_half_an_hour_pass(client)


def assert_same(client: Client) -> int:
    """Every view answers as its plain definition does; the number of days on charts."""
    for view in ("lead_time_observations", "lead_time_daily"):
        told, plain = (rows(client, f"SELECT * FROM {name} ORDER BY ALL") for name in (view, f"plain_{view}"))  # noqa: S608  # our own names
        assert told == plain, view
    drawn = charts(client, "plain_lead_time_control")
    assert charts(client, "lead_time_control") == drawn
    return len(drawn)


def assert_each_measure(client: Client) -> None:
    """The charts of one measure are those of all."""
    plain = charts(client, "plain_lead_time_control")
    of_one = [charts(client, f"lead_time_control_of(of = '{measure}', days = 40000)") for measure in sorted(MEASURES)]
    assert [row for chart in of_one for row in chart] == plain


def charts(client: Client, view: str) -> list[Sequence[Any]]:
    """The rows of a chart, but for the last digits, which depend on the order of adding up."""
    found = client.query(
        "SELECT measure, route, day, rule, round(value_days, 9), round(centre_days, 9), round(lower_days, 9), "  # noqa: S608  # our own names
        f"round(upper_days, 9) FROM {view} ORDER BY measure, route, day"
    )
    return list(found.result_rows)


def told(draw: random.Random, version: int) -> Record:
    """A state of an order or a shipment, now and then an older one than is known; no two of one version."""
    numbers: dict[str, Any] = {"version": 1_000 + 10 * version - draw.choice([0, 0, 0, 995])}
    numbers |= {"epoch": draw.choice([1, 1, 2]), "gone": draw.random() < 0.1}
    ended = draw.choice([None, *[ago(24 * draw.randrange(12) + 1) for _ in range(3)]])
    begun = draw.choice([None, *[(ended or now()) - draw.randrange(-HOUR_MS, 9 * DAY_MS) for _ in range(4)]])
    if draw.random() < 0.5:
        lines = tuple(
            OrderLineState(
                f"{number}", "placed", draw.choice(["a:1", "b:2"]), "pcs", 1, ordered_at=begun, delivered_at=ended
            )
            for number in range(draw.randrange(3))
        )
        supplier = draw.choice(["acme", "acme", None])
        return state("order.status", OrderStatus(f"P{draw.randrange(100)}", "placed", supplier, lines=lines), **numbers)
    shipment = ShipmentStatus(
        f"S{draw.randrange(100)}",
        "departed",
        1,
        final=False,
        carrier=draw.choice(["", "DHL", "DHL"]),
        lane=draw.choice(["A>B", "?>?"]),
        departed_at=begun,
        delivered_at=ended,
    )
    return state("shipment.status", shipment, **numbers)


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_lead_times_are_those_of_the_states_whatever_comes(both: Client, seed: int) -> None:
    draw = random.Random(seed)
    known_records: list[Record] = []
    drawn = 0
    for step in range(4):
        fresh = [told(draw, 200 * step + number) for number in range(200)]
        fresh += [
            moved(f"{kind}{step}", kind, hours, 5, lot="L") for kind, hours in (("received", 90), ("put_away", 9))
        ]
        for batch in (fresh, draw.sample(known_records, min(9, len(known_records)))):
            write(both, *batch)
        known_records += fresh
        if step == 1:
            refresh(both)
        if step == 3:
            epochs.end(both, epochs.begin(both, 2))
        drawn = max(drawn, assert_same(both))
        if step == 2:
            assert_each_measure(both)
    assert drawn > 9


def delivered(shipment_id: str, hours: float, took: float, lane: str = "A>B") -> ShipmentStatus:
    """A shipment that came so many hours ago after so many hours."""
    return ShipmentStatus(
        shipment_id,
        "delivered",
        1,
        final=True,
        carrier="DHL",
        lane=lane,
        departed_at=ago(hours + took),
        delivered_at=ago(hours),
    )


def test_what_has_not_changed_is_read_by_day(both: Client) -> None:
    write(both, state("shipment.status", delivered("S1", 30, 24)))
    refresh(both)
    for name in ("lead_times_told", "lead_times_lately"):
        both.command(f"TRUNCATE TABLE {name}")
    found = rows(both, "SELECT measure, route, n, p50_days FROM lead_time_daily ORDER BY ALL")
    assert found == [
        {"measure": "carrier_transit", "route": "DHL|A>B", "n": 1, "p50_days": 1.0},
        {"measure": "transit", "route": "A>B", "n": 1, "p50_days": 1.0},
    ]


def test_a_lane_that_is_corrected_after_the_refresh_takes_its_lead_time_along(both: Client) -> None:
    write(both, state("shipment.status", delivered("S1", 30, 24)), state("shipment.status", delivered("S2", 30, 24)))
    refresh(both)
    write(both, state("shipment.status", delivered("S1", 300, 24, "A>C"), 2))
    assert column(both, "SELECT route FROM lead_time_daily WHERE measure = 'transit' ORDER BY route") == ["A>B", "A>C"]
    write(both, state("shipment.status", ShipmentStatus("S1", "departed", 1, final=False, lane="A>C"), 3))
    assert column(both, "SELECT route FROM lead_time_daily WHERE measure = 'transit'") == ["A>B"]
    assert_same(both)


def test_an_older_state_that_is_written_again_after_the_refresh_changes_nothing(both: Client) -> None:
    old, new = state("shipment.status", delivered("S1", 30, 24)), state("shipment.status", delivered("S1", 60, 48), 2)
    write(both, old, new)
    refresh(both)
    write(both, old)
    assert column(both, "SELECT p50_days FROM lead_time_daily WHERE measure = 'transit'") == [2.0]
    assert_same(both)


def test_days_that_were_put_together_long_ago_or_of_another_epoch_are_not_used(both: Client) -> None:
    write(both, state("shipment.status", delivered("S1", 30, 24)))
    refresh(both)
    assert only(both, "SELECT since FROM lead_times_since")["since"] is not None
    epochs.end(both, epochs.begin(both, 2))
    assert only(both, "SELECT since FROM lead_times_since")["since"] is None
    assert rows(both, "SELECT * FROM lead_time_observations") == []
    write(both, state("shipment.status", delivered("S1", 30, 24), epoch=2))
    assert_same(both)
    assert len(rows(both, "SELECT * FROM lead_time_observations")) == 2


def test_old_epochs_are_forgotten(both: Client) -> None:
    for epoch in (1, 2):
        write(both, state("shipment.status", delivered("S1", 30, 24), epoch=epoch))
    epochs.end(both, epochs.begin(both, 2))
    assert epochs.forget_before(both, 2) >= 2
    assert column(both, "SELECT DISTINCT epoch FROM lead_times_told") == [2]


@pytest.mark.slow
def test_what_was_there_before_the_migration_is_told_and_again_changes_nothing(bare: Client) -> None:
    migrate(bare)
    for name in ("order_lead_times", "shipment_lead_times"):
        bare.command(f"DROP VIEW {name}")
    for statement in plain_definitions():
        bare.command(statement)
    forget_all(bare)
    draw = random.Random(7)
    for step in range(3):
        write(bare, *(told(draw, 60 * step + number) for number in range(1, 61)))
    assert rows(bare, "SELECT * FROM lead_times_told") == []
    statements = [each for one in known() if one.number in HERE for each in one.statements if _GONE not in each]
    for _ in range(2):
        for statement in statements:
            bare.command(statement)
        assert_same(bare)
    assert len(rows(bare, "SELECT * FROM lead_time_observations")) > 20


def panel(name: str, days: int, **chosen: Any) -> str:
    """A panel's query as it is asked over the days up to now."""
    return expand(load(name).sql, View(ago(24 * days), now() + HOUR_MS, chosen=chosen))


@pytest.mark.parametrize("days", [0, 1, 20, 89, 130, 300])
def test_the_panels_of_charts_show_the_days_that_the_charts_have(both: Client, days: int) -> None:
    draw = random.Random(days)
    lengths = {"A>B": (0, 200), "B>C": (40, 100), "C>D": (120, 9), "D>E": (3, 11), "E>F": (150, 90)}
    write(
        both,
        *(
            state("shipment.status", delivered(f"{lane}/{day}", 24 * (day + 0.2), 20 + 90 * draw.random() ** 9, lane))
            for lane, (ended, length) in lengths.items()
            for day in range(ended, ended + length)
        ),
    )
    if days % 2:
        refresh(both)
    since = f"day >= toDate(fromUnixTimestamp64Milli({ago(24 * days)}, 'UTC'), 'UTC')"
    columns = "value_days, centre_days, lower_days, upper_days"
    wanted = both.query(
        f"SELECT day, route, {columns}, rule FROM plain_lead_time_control "  # noqa: S608  # our own names
        f"WHERE measure = 'transit' AND {since} ORDER BY day DESC, route"
    ).result_rows
    broken = both.query(panel("lead_rules", days, measure="transit", route=("$__all",))).result_rows
    assert [(row[2], row[0].date(), row[7]) for row in broken] == [
        (route, day, rule) for day, route, *_, rule in wanted if rule
    ]
    counts = {
        route: (sum(row[1] == route and row[6] != "" for row in wanted), sum(row[1] == route for row in wanted), route)
        for route in {row[1] for row in wanted}
    }
    chart = both.query(panel("lead_control", days, measure="transit", route=("$__all",))).result_rows
    shown = [row for row in reversed(wanted) if counts and row[1] == max(counts, key=lambda route: counts[route])]
    assert [row[0].date() for row in chart] == [row[0] for row in shown]
    for row, expected in zip(chart, shown, strict=True):
        assert row[1:] == pytest.approx(expected[2:6])
    assert days < 20 or len(chart) > 9


def test_the_lines_of_a_time_are_told_one_by_one_also_where_nobody_told_the_supplier(both: Client) -> None:
    lines = [
        OrderLineState(str(hours), "delivered", "a:1", "pcs", 1, ordered_at=ago(hours + took), delivered_at=ago(hours))
        for hours, took in ((1, 24), (2, 48), (3, 0), (4, -1), (30, 24))
    ]
    write(
        both,
        state("order.status", OrderStatus("P1", "delivered", lines=tuple(lines))),
        state("order.status", OrderStatus("P2", "delivered", supplier="acme", lines=(lines[0],))),
    )
    for _ in range(2):
        found = both.query(panel("lead_lines", 1, supplier=("$__all",))).result_rows
        assert [days for _, days in found] == [2.0, 1.0, 1.0]
        assert len(both.query(panel("lead_lines", 1, supplier=("acme",))).result_rows) == 1
        refresh(both)
