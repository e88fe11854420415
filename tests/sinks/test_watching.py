"""The exceptions that SQL finds over the history: at risk, below the reorder point, long dwell, silence, shift."""

import pytest
from clickhouse_connect.driver.client import Client

from schemas.times import HOUR_MS, rfc3339
from sinks.migrate import known
from sinks.rows import Record
from tests.sinks.conftest import MakeClient
from tests.sinks.records import column, only, rows, write
from tests.sinks.watched import (
    ITEM,
    LANE,
    ago,
    at,
    described,
    exceptions,
    forget_all,
    moved,
    now,
    position,
    quiet_store,
    reached,
    refresh,
    said,
    shipment,
    transit,
)


@pytest.fixture(scope="module")
def migrated(engine: MakeClient) -> Client:
    """A migrated store, which all tests here share."""
    return quiet_store(engine())


@pytest.fixture
def shown(migrated: Client) -> Client:
    """An empty store that shows epoch 1."""
    forget_all(migrated)
    return migrated


def test_what_was_open_before_is_open_still_in_the_same_columns(shown: Client) -> None:
    write(shown, shipment("late", -2))
    columns = [row[:2] for row in shown.query("DESCRIBE exceptions_open").result_rows]
    assert columns == [row[:2] for row in shown.query("DESCRIBE exceptions_told").result_rows]
    assert rows(shown, "SELECT * FROM exceptions_open") == rows(shown, "SELECT * FROM exceptions_told")
    assert column(shown, "SELECT kind FROM exceptions_open") == ["late_delivery"]


def test_what_it_was_before_is_taken_over_word_for_word() -> None:
    said = {
        migration.number: statement
        for migration in known()
        for statement in migration.statements
        if statement.startswith(("CREATE OR REPLACE VIEW exceptions_open", "CREATE OR REPLACE VIEW exceptions_told"))
        and "FROM exceptions_told" not in statement
    }
    *_, before, here = (statement.partition(" AS\n")[2] for _, statement in sorted(said.items()))
    assert here == before


# At risk


def estimated(hours: float, **more: object) -> dict[str, object]:
    return {"estimated_at": now() + round(hours * HOUR_MS), **more}


def test_an_estimate_after_the_promise_is_a_risk(shown: Client) -> None:
    write(
        shown,
        shipment("after", 10, **estimated(13)),
        shipment("by a hair", 10, estimated_at=now() + 10 * HOUR_MS + 1),
        shipment("in time", 10, **estimated(10)),
        shipment("late already", -1, **estimated(13)),
        shipment("delivered", 10, final=True, **estimated(13)),
        shipment("no promise", None, **estimated(13)),
        shipment("unknown", 10),
    )
    found = {row["shipment_id"]: row for row in rows(shown, "SELECT * FROM at_risk_shipments")}
    assert set(found) == {"after", "by a hair"}
    one = found["after"]
    assert (one["basis"], one["hours_late_expected"], one["lane"], one["carrier"]) == ("estimate", 3.0, LANE, "MAEU")
    assert (one["expected_at"], one["due_at"]) == (at(now() + 13 * HOUR_MS), at(now() + 10 * HOUR_MS))
    assert (one["status"], one["acknowledged"], one["exception_id"]) == ("departed", 0, "at_risk/shipment/after")


def test_without_an_estimate_the_lane_tells(shown: Client) -> None:
    write(
        shown,
        transit(5, 60 * HOUR_MS),
        transit(4, 60 * HOUR_MS, "FEW>SEEN"),
        shipment("slow", 10, departed_at=ago(49)),
        shipment("quick", 10, departed_at=ago(51)),
        shipment("just in time", 10, departed_at=now() + 10 * HOUR_MS - 60 * HOUR_MS),
        shipment("few", 10, departed_at=ago(1), lane="FEW>SEEN"),
        shipment("never sailed", 10, departed_at=ago(1), lane="NO>BODY"),
        shipment("not departed", 10),
        shipment("estimate in time", 10, departed_at=ago(1), **estimated(9)),
        shipment("estimate that is over", 10, departed_at=ago(49), **estimated(-1)),
    )
    found = {row["shipment_id"]: row for row in rows(shown, "SELECT * FROM at_risk_shipments")}
    assert set(found) == {"slow", "estimate that is over"}
    for one in found.values():
        assert (one["basis"], one["hours_late_expected"]) == ("lane_p90", 1.0)
        assert one["expected_at"] == at(ago(49) + 60 * HOUR_MS)


def test_a_risk_that_was_worked_out_a_minute_ago_ends_with_the_promise(shown: Client) -> None:
    ((uuid,),) = shown.query("SELECT uuid FROM system.tables WHERE name = 'exceptions_watched'").result_rows
    ends = {"over": ago(0.001), "open": now() + HOUR_MS, "without end": None}
    for name, end in ends.items():
        shown.command(
            f"INSERT INTO `.inner_id.{uuid}` (kind, entity_kind, entity, opened_at, valid_until) "
            "SELECT 'at_risk', 'shipment', {name:String}, now64(3), fromUnixTimestamp64Milli({end:Nullable(Int64)})",
            parameters={"name": name, "end": end},
        )
    assert column(shown, "SELECT entity FROM exceptions_open ORDER BY entity") == ["open", "without end"]


def test_a_risk_is_an_exception_since_it_was_told(shown: Client) -> None:
    def estimate(event_id: str, until: float, told: float, **more: object) -> Record:
        body = {"event_id": event_id, "type": "milestone", "milestone": "delivered", "classifier": "estimated"}
        when = {"shipment_id": "S1", "occurred_at": rfc3339(now() + round(until * HOUR_MS))}
        return said("shipment.events", told, body | when | more)

    write(
        shown,
        *[estimate("e1", 9, 30), estimate("e1", 13, 20), estimate("e1", 13, 5)],
        transit(9, 60 * HOUR_MS),
        shipment("S1", 10, departed_at=ago(40), **estimated(13)),
        shipment("S2", 10, departed_at=ago(49)),
        said(
            "operator.events",
            1,
            {
                "type": "acknowledged",
                "exception_id": "at_risk/shipment/S2",
                "by": "kim",
                "until": rfc3339(now() + 9 * HOUR_MS),
                "note": "faster ferry",
            },
        ),
    )
    found = exceptions(shown, "at_risk")
    assert {name: one["opened_at"] for name, one in found.items()} == {"S1": at(ago(20)), "S2": at(ago(49))}
    assert (found["S1"]["lane"], found["S1"]["carrier"], found["S1"]["acknowledged"]) == (LANE, "MAEU", 0)
    assert (found["S2"]["acknowledged"], found["S2"]["acknowledged_by"]) == (1, "kim")
    assert found["S2"]["note"] == "faster ferry"
    assert column(shown, "SELECT acknowledged FROM at_risk_shipments ORDER BY shipment_id") == [0, 1]


# Reorder point


def test_a_position_below_its_reorder_point_is_open_since_the_movement_that_took_it_there(shown: Client) -> None:
    write(
        shown,
        described("item_described", item=ITEM, unit="pack", reorder_point="100"),
        moved("1", "received", 50, 200),
        moved("2", "shipped", 40, 60),
        moved("3", "shipped", 30, 41),
        moved("4", "shipped", 20, 10),
        moved("4", "shipped", 20, 9, arrived=19),
        moved("5", "put_away", 10, 5),
        moved("6", "shipped", 9, 500),
        moved("6", "shipped", 9, 500, arrived=8, retracted=True),
        position(90_000),
    )
    (one,) = exceptions(shown, "below_reorder_point").values()
    assert (one["entity_kind"], one["entity"], one["site"], one["item"]) == ("stock", f"BER|{ITEM}", "BER", ITEM)
    assert one["opened_at"] == at(ago(30))
    assert "90 pack available and 0 on their way are below the reorder point of 100." in one["detail"]


@pytest.mark.parametrize(
    ("available", "in_transit", "unit", "below"),
    [(100_000, 0, "pack", 0), (99_999, 0, "pack", 1), (50_000, 50_000, "pack", 0), (1_000, 0, "pallet", 0)],
)
def test_what_is_on_its_way_counts_and_units_are_not_mixed(
    shown: Client, available: int, in_transit: int, unit: str, below: int
) -> None:
    reference = described("item_described", item=ITEM, unit="pack", reorder_point=100)
    write(shown, reference, position(available, in_transit=in_transit, unit=unit))
    cover = only(shown, "SELECT below_reorder_point, isNull(reorder_point) AS unknown FROM stock_cover")
    assert cover == {"below_reorder_point": below, "unknown": int(unit != "pack")}
    assert len(exceptions(shown, "below_reorder_point")) == below


# Dwell


def left(number: int, hours: float, place: str = "DEHAM") -> Record:
    stay = reached(("arrived", 200.0, place), ("discharged", 199.0, place), ("out_for_delivery", 200 - hours, ""))
    return shipment(f"left {place} {number}", 10, final=True, delivered_at=ago(1), milestones=stay)


def here(name: str, hours: float, place: str = "DEHAM") -> Record:
    stay = reached(("departed", hours + 9, "CNSHA"), ("arrived", hours, place), ("discharged", hours / 2, place))
    return shipment(name, 10, milestones=stay)


def test_a_long_dwell_is_longer_than_a_day_and_than_what_is_usual_there(shown: Client) -> None:
    usual = [left(number, number) for number in range(1, 41)]  # p95: the 38th
    short = [left(number, 2, "NLRTM") for number in range(5)]
    few = [left(number, 2, "BEANR") for number in range(4)]
    write(
        shown,
        *usual,
        *short,
        *few,
        here("37 h", 37),
        here("38 h", 38.01),
        here("23 h", 23, "NLRTM"),
        here("a day", 24.01, "NLRTM"),
        here("few known", 100, "BEANR"),
        shipment("left", 10, milestones=reached(("arrived", 99, "GBFXT"), ("departed", 1, "GBFXT"))),
        here("not the place", 100, "GBFXT"),
        shipment("ended", 10, final=True, milestones=reached(("arrived", 99, "DEHAM"))),
    )
    refresh(shown)
    assert rows(shown, "SELECT place, n, p95_ms / 3600000 AS hours FROM place_dwell ORDER BY place") == [
        {"place": "BEANR", "n": 4, "hours": 2.0},
        {"place": "DEHAM", "n": 40, "hours": 38.0},
        {"place": "GBFXT", "n": 1, "hours": 98.0},
        {"place": "NLRTM", "n": 5, "hours": 2.0},
    ]
    found = exceptions(shown, "long_dwell")
    assert set(found) == {"38 h", "a day"}
    assert found["38 h"]["opened_at"] == at(ago(38.01) + 38 * HOUR_MS)
    assert found["a day"]["opened_at"] == at(ago(24.01) + 24 * HOUR_MS)
    assert (found["a day"]["site"], found["a day"]["lane"]) == ("NLRTM", LANE)
    assert len(rows(shown, "SELECT * FROM dwelling_now")) == 6


# Silence


def arrivals(source: str, count: int, gap: float, silent: float) -> list[Record]:
    """So many arrivals with a gap (hours) between them, the last so many hours ago."""
    return [moved(f"{source}/{number}", "received", silent + gap * number, 1, source=source) for number in range(count)]


def test_a_source_is_silent_after_three_times_the_gap_that_it_told_of(shown: Client) -> None:
    write(
        shown,
        *(
            described("source_described", describes=source, expected_cadence="0.5")
            for source in ("quiet", "well", "never")
        ),
        *arrivals("quiet", 1, 0, 1.51),
        *arrivals("well", 1, 0, 1.45),
    )
    found = exceptions(shown, "silent_source")
    assert {name: one["opened_at"] for name, one in found.items()} == {
        "quiet": at(ago(1.51) + 3 * HOUR_MS // 2),
        "never": at(ago(1000) + 3 * HOUR_MS // 2),
    }
    health = {row["source"]: row for row in rows(shown, "SELECT * FROM source_health")}
    assert {name: row["usual_gap_s"] for name, row in health.items()} == {"quiet": 1800, "well": 1800, "never": 1800}
    assert (health["quiet"]["silent_since"], health["well"]["silent_since"]) == (at(ago(1.51)), None)
    assert (health["never"]["last_arrived_at"], health["never"]["events_24h"]) == (None, 0)


def test_else_its_own_gaps_tell_once_there_are_twenty(shown: Client) -> None:
    write(
        shown,
        *arrivals("quiet", 21, 0.5, 1.6),
        *arrivals("well", 21, 0.5, 1.4),
        *arrivals("seldom", 20, 0.5, 90),
    )
    gaps = {row["source"]: row["usual_gap_s"] for row in rows(shown, "SELECT * FROM source_health")}
    assert gaps == {"quiet": 1800, "well": 1800, "seldom": None}
    assert set(exceptions(shown, "silent_source")) == {"quiet"}


def test_a_batch_is_one_arrival(shown: Client) -> None:
    minute = ago(2) // 60_000 * 60_000
    write(shown, *(moved(str(n), "received", 2, 1, source="batch", appended_at=minute + n) for n in range(50)))
    assert only(shown, "SELECT usual_gap_s, silent_since FROM source_arrivals") == {
        "usual_gap_s": None,
        "silent_since": None,
    }


def test_a_source_that_was_heard_of_long_ago_is_known_still(shown: Client) -> None:
    old = moved("1", "received", 24 * 400, 1, source="old")
    write(shown, old)
    write(shown, old)
    assert only(shown, "SELECT last_arrived_at, usual_gap_s FROM source_health") == {
        "last_arrived_at": at(ago(24 * 400)),
        "usual_gap_s": None,
    }
