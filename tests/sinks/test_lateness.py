"""What agents publish as time passes, and what the store computes from promise and now(): the same, word for word."""

import time

from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, given, settings

from schemas.topics import of_kind
from sinks import epochs
from tests.sinks.records import record, write
from tests.streams.network import EPOCH, Network
from tests.streams.strategies import histories
from tests.streams.told import Told, line, milestone, moment

_PUBLISHED = """
SELECT one.exception_id AS exception_id, toString(one.kind) AS kind, one.opened_at AS opened_at, one.detail AS detail
FROM exceptions AS s FINAL ARRAY JOIN s.open AS one
WHERE s.epoch = (SELECT epoch FROM current_epoch) AND s.gone = 0 AND kind IN ('late_delivery', 'overdue_milestone')
ORDER BY exception_id
"""
_COMPUTED = """
SELECT exception_id, kind, opened_at, detail FROM exceptions_open
WHERE kind IN ('late_delivery', 'overdue_milestone') ORDER BY exception_id
"""

STORY = (
    milestone("S-1", "booked", 1, promised_at=moment(20)),
    milestone("S-2", "arrived", 12, "planned"),
    milestone("S-2", "departed", 8, "planned", leg=2),
    milestone("S-3", "departed", 8, "planned"),
    milestone("S-3", "arrived", 30),
    milestone("S-4", "delivered", 40, promised_at=moment(20), lines=[line("1")]),
    milestone("S-5", "cancelled", 2, promised_at=moment(20)),
    milestone("S-6", "departed", 2, promised_at="2026-03-02T00:00:00+02:00", precision="day"),
    milestone("S-7", "returned", 60, promised_at=moment(20)),
    milestone("S-8", "departed", 2, promised_at="2199-01-01T00:00:00Z"),
)


def both(store: Client, records: list[Told]) -> tuple[list[object], list[object]]:
    """What was published when time had passed up to now, and what the store says."""
    network = Network(now=time.time_ns() // 1_000_000)
    network.feed(records)
    network.run()
    network.tick(network.now)
    views = {topic.name for topic in of_kind("view")}
    kept = [
        record(place.topic, one.value, epoch=EPOCH, key=one.key)
        for place in sorted(network.topics)
        if place.topic in views
        for one in network.topics[place]
    ]
    for table in ("exceptions", "shipment_status", "shipments_under_way"):
        store.command(f"TRUNCATE TABLE {table}")
    write(store, *kept)
    return (
        [tuple(row) for row in store.query(_PUBLISHED).result_rows],
        [tuple(row) for row in store.query(_COMPUTED).result_rows],
    )


def shown(store: Client) -> Client:
    """The store, showing the network's epoch."""
    epochs.end(store, epochs.begin(store, EPOCH))
    return store


def test_what_ticks_publish_is_what_the_store_computes(store: Client) -> None:
    published, computed = both(shown(store), list(STORY))
    assert len(computed) == 3
    assert published == computed


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=histories())
def test_that_holds_for_any_history(store: Client, records: list[Told]) -> None:
    if not store.query("SELECT count() FROM epochs").result_rows[0][0]:
        shown(store)
    published, computed = both(store, records)
    assert published == computed


def test_an_earlier_clock_is_told_apart(store: Client) -> None:
    published, computed = both(shown(store), [])
    assert published == computed == []
    network = Network()
    network.feed(STORY)
    network.run()
    network.tick(0)
    assert not any(network.views().exceptions(f"shipment/S-{number}") for number in range(1, 9))
