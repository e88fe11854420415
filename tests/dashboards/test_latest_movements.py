"""The panels of single events over a store in which most of what came last counts for nothing."""

import random
import time
from collections.abc import Iterator
from typing import Any, Final

import pytest

from dashboards.macros import View, expand
from dashboards.queries import load
from schemas.derived import OrderLineState, OrderStatus, ShipmentStatus
from schemas.times import HOUR_MS, from_ms, rfc3339
from sinks import epochs
from sinks.embedded import EmbeddedStore
from sinks.migrate import migrate
from tests.sinks.records import event, state, write

NOW: Final = time.time_ns() // 1_000_000 - HOUR_MS


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    with EmbeddedStore(tmp_path_factory.mktemp("movements") / "store") as store:
        migrate(store.writer)
        epochs.end(store.writer, epochs.begin(store.writer))
        yield store


@pytest.fixture
def store(opened: EmbeddedStore) -> EmbeddedStore:
    """A store without events, which shows epoch 1."""
    for table in ("warehouse_events", "supplier_events"):
        opened.writer.command(f"TRUNCATE TABLE {table}")
    return opened


def shown(store: EmbeddedStore, name: str, **chosen: Any) -> list[tuple[Any, ...]]:
    """What a panel shows over the last 40 days."""
    everything: dict[str, Any] = {"site": ("$__all",), "item": ("$__all",)}
    view = View(NOW - 40 * 24 * HOUR_MS, NOW + HOUR_MS, chosen=everything | chosen)
    with store.reader() as client:
        return [tuple(row) for row in client.query(expand(load(name).sql, view)).result_rows]


def moved(event_id: str, at: int, recorded: int, quantity: int, **more: Any) -> tuple[Any, ...]:
    """What is said of a movement: (event_id, at, recorded, quantity, retracted, site)."""
    return event_id, at, recorded, quantity, more.get("retracted", False), more.get("site", "BER")


def latest(told: list[tuple[Any, ...]], sites: tuple[str, ...]) -> list[tuple[str, int, int]]:
    """Of each event the statement that was recorded last, the latest 200 of those that were not withdrawn."""
    counts: dict[tuple[str, str], tuple[Any, ...]] = {}
    for one in told:
        key = one[0], one[5]
        if key not in counts or one[2] > counts[key][2]:
            counts[key] = one
    kept = [one for one in counts.values() if not one[4] and one[5] in sites]
    return [(one[0], one[1], one[3]) for one in sorted(kept, key=lambda one: (-one[1], one[0]))[:200]]


@pytest.mark.parametrize("withdrawn", [0.0, 0.4, 0.95])
def test_the_latest_movements_are_those_that_count_however_many_do_not(store: EmbeddedStore, withdrawn: float) -> None:
    draw = random.Random(round(withdrawn * 100))
    told = []
    for number in range(900):
        site, at = draw.choice(("BER", "HAM")), NOW - number * 1_000
        told.append(moved(f"e{number}", at, NOW + number, draw.randrange(1, 99), site=site))
        if draw.random() < withdrawn:
            elsewhen = draw.choice((at, at - 20 * 24 * HOUR_MS, at + 1))
            gone = draw.random() < 0.8
            told.append(moved(f"e{number}", elsewhen, NOW + 2_000 + number, 7, site=site, retracted=gone))
    draw.shuffle(told)
    records = [
        event(
            "warehouse.events",
            {
                "event_id": event_id,
                "type": "received",
                "site": site,
                "item": "acme:1",
                "unit": "pcs",
                "quantity": str(quantity),
                "occurred_at": rfc3339(at),
                "recorded_at": rfc3339(recorded),
                "retracted": retracted,
            },
            appended_at=NOW,
        )
        for event_id, at, recorded, quantity, retracted, site in told
    ]
    for half in (records[:700], records[500:]):
        write(store.writer, *half)
    for sites in (("BER", "HAM"), ("HAM",)):
        chosen = sites if len(sites) == 1 else ("$__all",)
        found = [(row[10], row[0], int(row[6])) for row in shown(store, "stock_movements", site=chosen)]
        expected = [(name, from_ms(at).replace(tzinfo=None), quantity) for name, at, quantity in latest(told, sites)]
        assert len(found) > 9
        assert found == expected


def test_without_movements_there_is_nothing_to_show(store: EmbeddedStore) -> None:
    assert shown(store, "stock_movements") == []


def test_behind_a_shipment_are_the_events_of_its_orders_and_of_its_goods_at_both_ends(store: EmbeddedStore) -> None:
    line = OrderLineState("1", "placed", "acme:1", "pcs", 1)
    write(
        store.writer,
        state("order.status", OrderStatus("P1", "placed", lines=(line,))),
        state(
            "shipment.status",
            ShipmentStatus("S1", "departed", 1, final=False, origin="BER", destination="HAM", orders=("P1",)),
        ),
        *(
            event("supplier.events", {"type": "order_closed", "order_id": order, "event_id": order}, appended_at=NOW)
            for order in ("P1", "P2")
        ),
        *(
            event(
                "warehouse.events",
                {
                    "event_id": f"{site}/{item}/{shipment}",
                    "type": "received",
                    "site": site,
                    "item": item,
                    "unit": "pcs",
                    "quantity": "1",
                    "references": {"shipment_id": shipment},
                },
                appended_at=NOW,
            )
            for site in ("BER", "HAM", "MUC")
            for item in ("acme:1", "acme:2")
            for shipment in ("S1", "S2")
        ),
    )
    found = {row[6] for row in shown(store, "shipment_order_events", shipment_id="S1")}
    assert found == {"P1", "BER/acme:1/S1", "HAM/acme:1/S1"}
    assert shown(store, "shipment_order_events", shipment_id="unheard of") == []
