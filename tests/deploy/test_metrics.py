"""Metrics: what is scraped is what happened, and what the documentation says."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import BasicAuth, ClientSession
from prometheus_client.parser import text_string_to_metric_families

from deploy.health import Progress, Sight
from deploy.metrics import (
    EVERY,
    GATE,
    METRICS,
    SINK,
    WORKER,
    GateMetrics,
    SinkMetrics,
    WorkerMetrics,
    registry,
    rendered,
)
from sinks.embedded import EmbeddedStore
from sinks.gate import gate, open_gate
from sinks.gate_tally import GateTally
from sinks.history import Counters
from streams.lag import Behind
from streams.tally import Seconds
from tests.streams.network import Network
from tests.streams.told import correction, line, milestone, movement, placed

OPERATIONS = Path(__file__).parents[2] / "docs/operations.md"


def scraped(*collectors: Any) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """The samples that a scrape gets, by name and labels."""
    text = rendered(registry(Progress(60), *collectors)).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of(samples: dict[Any, float], name: str, **labels: str) -> float:
    return samples[f"quayside_{name}", tuple(sorted(labels.items()))]


def worked(behind: Behind | None = None) -> WorkerMetrics:
    """Agents that have taken some records: accepted, repeated, corrected, unreadable and astray."""
    network = Network(partitions=2)
    received = movement("received", 1, 5)
    network.feed([received, correction(received, 2, quantity="7"), received, placed("o", 1, [line()])])
    network.feed([("warehouse.events", b"{")])
    network.feed([milestone("s", "departed", 3)], astray=True)
    network.run()
    agents = {id(agent): agent for agent in network._readers.values()}
    return WorkerMetrics(list(agents.values()), lambda: behind)


def test_the_worker_counts_what_became_of_its_records() -> None:
    samples = scraped(worked())
    assert of(samples, "worker_facts_total", agent="stock", outcome="accepted") == 2
    assert of(samples, "worker_facts_total", agent="stock", outcome="repeated") == 1
    assert of(samples, "worker_dead_letters_total", agent="stock", cause="not_json") == 1
    assert of(samples, "worker_records_total", agent="stock", topic="warehouse.events") == 4
    assert of(samples, "worker_forwarded_records_total", agent="shipments") == 1
    assert of(samples, "worker_records_total", agent="shipments", topic="shipment.events.repartition") == 1
    assert of(samples, "worker_sent_records_total", agent="orders", topic="order.status") >= 1
    assert of(samples, "worker_batch_seconds_count", agent="orders") >= 1
    held = [value for (name, labels), value in samples.items()
            if name == "quayside_worker_facts_held" and ("agent", "stock") in labels]  # fmt: skip
    assert sum(held) == 1


def test_the_lag_of_an_agent_is_that_of_all_its_inputs_and_unknown_while_the_broker_is_silent() -> None:
    metrics = worked({("warehouse.events", 0): 3, ("warehouse.events.repartition", 0): 4, ("supplier.events", 0): 9})
    lags = {labels: value for (name, labels), value in scraped(metrics).items() if name.endswith("lag_records")}
    assert sum(value for labels, value in lags.items() if ("agent", "stock") in labels) == 7
    silent = scraped(worked(None))
    assert not [name for name, _ in silent if name == "quayside_worker_lag_records"]


def test_the_sink_tells_what_it_stored_and_that_it_waits() -> None:
    counters = Counters(records=12, failures=2)
    counters.tables.update({"shipment_events": 10})
    counters.seconds.add(0.02)
    samples = scraped(SinkMetrics(lambda: counters, lambda: {("late.records", 0): 2, ("late.records", 1): 3}))
    assert of(samples, "sink_records_total") == 12
    assert of(samples, "sink_rows_total", table="shipment_events") == 10
    assert of(samples, "sink_batch_seconds_bucket", le="0.025") == 1
    assert of(samples, "sink_lag_records", topic="late.records") == 5
    assert of(samples, "sink_waiting_for_store") == 0
    counters.store_refuses_since = 1.0
    assert of(scraped(SinkMetrics(lambda: counters, lambda: None)), "sink_waiting_for_store") == 1


def test_names_follow_the_conventions_of_prometheus() -> None:
    for name, kind, labels, meaning in METRICS:
        assert re.fullmatch(r"quayside_[a-z_]+", name)
        assert name.endswith("_total") == (kind == "counter"), name
        assert kind != "histogram" or name.endswith("_seconds"), name
        assert meaning
        assert "le" not in labels


def test_what_is_collected_is_what_is_listed() -> None:
    gate_tally = GateTally()
    gate_tally.ended("answered", 0.1)
    collected = {
        WORKER: worked({}),
        SINK: SinkMetrics(Counters, dict),
        GATE: GateMetrics(gate_tally),
    }
    for listed, collector in collected.items():
        families = {
            family.name + ("_total" if family.type == "counter" else ""): family for family in collector.collect()
        }
        assert list(families) == [metric.name for metric in listed]
        for metric in listed:
            assert families[metric.name].type == metric.kind
            for sample in families[metric.name].samples:
                assert set(sample.labels) - {"le"} == set(metric.labels), metric.name


def test_the_documented_table_and_the_code_agree() -> None:
    documented = re.findall(r"^\| (quayside_\w+) \| (\w+) \| (.*?) \| (.*?) \|$", OPERATIONS.read_text(), re.MULTILINE)
    assert documented == [(name, kind, ", ".join(labels) or "-", meaning) for name, kind, labels, meaning in METRICS]


def test_every_process_says_whether_it_is_healthy() -> None:
    names = {name for name, _ in scraped()}
    assert {metric.name for metric in EVERY} <= names
    assert "process_resident_memory_bytes" in names


def test_registries_of_one_process_do_not_know_of_each_other() -> None:
    ill = Progress(0, now=iter(range(100)).__next__)
    ill.saw(Sight(1, None))
    assert rendered(registry(ill)).count(b"quayside_healthy 0.0") == 1
    assert rendered(registry(Progress(60))).count(b"quayside_healthy 1.0") == 1


def test_a_duration_counts_in_the_bucket_that_it_just_fills() -> None:
    seconds = Seconds((0.1, 1.0))
    for value in (0.1, 0.5, 7.0):
        seconds.add(value)
    assert seconds.cumulated() == [("0.1", 1), ("1", 2), ("+Inf", 3)]
    assert seconds.total == pytest.approx(7.6)


class _Probes:
    def metrics(self) -> tuple[bytes, str]:
        return b"up 1\n", "text/plain"

    def health(self) -> tuple[bool, dict[str, Any]]:
        return False, {"status": "stuck"}

    def ready(self) -> tuple[bool, dict[str, Any]]:
        return True, {"ready": True}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    with EmbeddedStore(tmp_path_factory.mktemp("gate") / "store") as opened:
        yield opened


async def test_the_gate_tells_of_itself_without_the_password_and_of_nothing_else(store: EmbeddedStore) -> None:
    tally = GateTally()
    door = await open_gate(gate(store, "secret", tally=tally, probes=_Probes()))
    try:
        async with ClientSession(f"http://127.0.0.1:{door.port}") as session:
            for path, status, said in (("/metrics", 200, "up 1\n"), ("/ready", 200, '{"ready": true}'),
                                       ("/health", 503, '{"status": "stuck"}')):  # fmt: skip
                async with session.get(path) as answer:
                    assert (answer.status, await answer.text()) == (status, said)
            sure = BasicAuth("default", "secret")
            for sql, auth, status in (("SELECT 1", None, 401), ("SELECT 1", sure, 200), ("SELEC", sure, 500)):
                async with session.post("/", data=sql, auth=auth) as answer:
                    assert answer.status == status
    finally:
        await door.close()
    assert dict(tally.questions) == {"denied": 1, "answered": 1, "failed": 1}
    assert tally.under_way == 0
    assert sum(tally.seconds.counts) == 2


async def test_a_gate_without_probes_has_no_such_addresses(store: EmbeddedStore) -> None:
    door = await open_gate(gate(store, "secret"))
    try:
        async with ClientSession(f"http://127.0.0.1:{door.port}") as session, session.get("/metrics") as answer:
            assert answer.status == 404
    finally:
        await door.close()
