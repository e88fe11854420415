"""The metrics of worker, sink and gate: their names, and how they are read from the tallies when somebody asks.

Nothing is counted here: agents, sink and gate keep plain numbers, a batch at a time, and a scrape reads them. So the
hot path knows no metrics library, and there is no registry but the one that is given.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, Literal, NamedTuple

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from deploy.health import Progress
from sinks.gate_tally import OUTCOMES, GateTally
from sinks.history import Counters
from streams.agent import Agent
from streams.lag import Behind
from streams.tally import Seconds

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4

PREFIX: Final = "quayside_"


class Metric(NamedTuple):
    """One metric: its name as it is scraped, what it counts, and by which labels."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    meaning: str


WORKER: Final = (
    Metric("quayside_worker_records_total", "counter", ("agent", "topic"), "records read"),
    Metric("quayside_worker_facts_total", "counter", ("agent", "outcome"), "facts by outcome: accepted, repeated"),
    Metric("quayside_worker_late_records_total", "counter", ("agent",), "records for a period that has closed"),
    Metric("quayside_worker_dead_letters_total", "counter", ("agent", "cause"), "records that could not be read"),
    Metric("quayside_worker_forwarded_records_total", "counter", ("agent",), "records passed on to their partition"),
    Metric("quayside_worker_sent_records_total", "counter", ("agent", "topic"), "views and contributions sent"),
    Metric("quayside_worker_deadlines_total", "counter", ("agent",), "deadlines that passed and were told"),
    Metric("quayside_worker_batch_seconds", "histogram", ("agent",), "a batch through all its steps"),
    Metric("quayside_worker_facts_held", "gauge", ("agent", "partition"), "facts in memory"),
    Metric("quayside_worker_entities", "gauge", ("agent", "partition"), "entities in memory, stubs included"),
    Metric("quayside_worker_lag_records", "gauge", ("agent", "partition"), "records still to be taken"),
    Metric("quayside_worker_partitions_owned", "gauge", ("agent",), "partitions that are this worker's"),
    Metric("quayside_worker_recovery_seconds", "gauge", ("agent",), "how long reading back last took"),
    Metric("quayside_worker_last_batch_timestamp_seconds", "gauge", ("agent",), "when a batch last ended"),
)  # fmt: skip

SINK: Final = (
    Metric("quayside_sink_records_total", "counter", (), "records fetched"),
    Metric("quayside_sink_rows_total", "counter", ("table",), "rows inserted"),
    Metric("quayside_sink_batch_seconds", "histogram", (), "a batch into the store, with all its trials"),
    Metric("quayside_sink_failures_total", "counter", (), "trials that failed, of store and broker"),
    Metric("quayside_sink_waiting_for_store", "gauge", (), "1 while the store does not take what is in hand"),
    Metric("quayside_sink_in_hand_bytes", "gauge", (), "values of records that are fetched and not yet stored"),
    Metric("quayside_sink_unstorable_rows_total", "counter", (), "rows that the store refused: dead letters"),
    Metric("quayside_sink_lag_records", "gauge", ("topic",), "records not yet in the store"),
    Metric("quayside_sink_last_success_timestamp_seconds", "gauge", (), "when a batch was last stored"),
)  # fmt: skip

GATE: Final = (
    Metric("quayside_gate_queries_total", "counter", ("outcome",), "questions by what became of them"),
    Metric("quayside_gate_query_seconds", "histogram", (), "a question, waiting for a reader included"),
    Metric("quayside_gate_rows_read_total", "counter", (), "rows that questions read"),
    Metric("quayside_gate_sent_bytes_total", "counter", (), "bytes of answers, before compression"),
    Metric("quayside_gate_queries_under_way", "gauge", (), "questions that are being answered or wait for it"),
)  # fmt: skip

EVERY: Final = (
    Metric("quayside_healthy", "gauge", (), "1 while /health says 200"),
    Metric("quayside_last_progress_timestamp_seconds", "gauge", (), "when it last made progress or was idle"),
)  # fmt: skip

METRICS: Final = (*WORKER, *SINK, *GATE, *EVERY)


class _Families:
    """Families under construction, by name."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._made: Final[dict[str, Family]] = {}
        for name, kind, labels, meaning in metrics:
            if kind == "counter":
                self._made[name] = CounterMetricFamily(name, meaning, labels=labels)
            elif kind == "gauge":
                self._made[name] = GaugeMetricFamily(name, meaning, labels=labels)
            else:
                self._made[name] = HistogramMetricFamily(name, meaning, labels=labels)

    def add(self, name: str, value: float, *labels: str) -> None:
        """A counter's or a gauge's value."""
        self._made[PREFIX + name].add_metric(labels, value)  # type: ignore[attr-defined]  # each kind has its own

    def add_seconds(self, name: str, seconds: Seconds, *labels: str) -> None:
        """A histogram."""
        self._made[PREFIX + name].add_metric(labels, seconds.cumulated(), seconds.total)  # type: ignore[attr-defined]  # as above

    def __iter__(self) -> Iterator[Family]:
        return iter(self._made.values())


class WorkerMetrics(Collector):
    """Reads agents. `behind`: the lag by (topic, partition) at the last look; None: nobody knows."""

    def __init__(self, agents: Sequence[Agent], behind: Callable[[], Behind | None]) -> None:
        self._agents = agents
        self._behind = behind

    def collect(self) -> Iterable[Family]:
        """All families."""
        found = _Families(WORKER)
        behind = self._behind()
        for agent in self._agents:
            name, tally = agent.derivation.name, agent.tally
            for topic, count in list(tally.read.items()):
                found.add("worker_records_total", count, name, topic)
            found.add("worker_facts_total", tally.accepted, name, "accepted")
            found.add("worker_facts_total", tally.repeated, name, "repeated")
            found.add("worker_late_records_total", tally.late, name)
            for cause, count in list(tally.dead.items()):
                found.add("worker_dead_letters_total", count, name, cause)
            found.add("worker_forwarded_records_total", tally.forwarded, name)
            for topic, count in list(tally.sent.items()):
                found.add("worker_sent_records_total", count, name, topic)
            found.add("worker_deadlines_total", tally.ticks, name)
            found.add_seconds("worker_batch_seconds", tally.batches, name)
            owned = agent.owned
            for number, partition in agent.partitions.items():
                found.add("worker_facts_held", partition.held, name, str(number))
                found.add("worker_entities", len(partition.entities), name, str(number))
            if behind is not None:
                for number in owned:
                    lag = sum(behind.get((topic, number), 0) for topic in agent.inputs)
                    found.add("worker_lag_records", lag, name, str(number))
            found.add("worker_partitions_owned", len(owned), name)
            found.add("worker_recovery_seconds", tally.recovery_s, name)
            if tally.progress_at is not None:
                found.add("worker_last_batch_timestamp_seconds", tally.progress_at, name)
        return found


class SinkMetrics(Collector):
    """Reads the counters of the sink of the moment. `behind`: as of WorkerMetrics."""

    def __init__(self, counters: Callable[[], Counters], behind: Callable[[], Behind | None]) -> None:
        self._counters = counters
        self._behind = behind

    def collect(self) -> Iterable[Family]:
        """All families."""
        found = _Families(SINK)
        counters = self._counters()
        found.add("sink_records_total", counters.records)
        for table, count in list(counters.tables.items()):
            found.add("sink_rows_total", count, table)
        found.add_seconds("sink_batch_seconds", counters.seconds)
        found.add("sink_failures_total", counters.failures)
        found.add("sink_waiting_for_store", counters.store_refuses_since is not None)
        found.add("sink_in_hand_bytes", counters.bytes_in_hand)
        found.add("sink_unstorable_rows_total", counters.unstorable)
        behind = self._behind()
        if behind is not None:
            topics: dict[str, int] = {}
            for (topic, _), lag in behind.items():
                topics[topic] = topics.get(topic, 0) + lag
            for topic, lag in sorted(topics.items()):
                found.add("sink_lag_records", lag, topic)
        if counters.stored_at is not None:
            found.add("sink_last_success_timestamp_seconds", counters.stored_at)
        return found


class GateMetrics(Collector):
    """Reads a gate's tally."""

    def __init__(self, tally: GateTally) -> None:
        self._tally = tally

    def collect(self) -> Iterable[Family]:
        """All families."""
        found = _Families(GATE)
        tally = self._tally
        for outcome in OUTCOMES:
            found.add("gate_queries_total", tally.questions[outcome], outcome)
        found.add_seconds("gate_query_seconds", tally.seconds)
        found.add("gate_rows_read_total", tally.rows_read)
        found.add("gate_sent_bytes_total", tally.bytes_sent)
        found.add("gate_queries_under_way", tally.under_way)
        return found


class _Everywhere(Collector):
    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def collect(self) -> Iterable[Family]:
        found = _Families(EVERY)
        found.add("healthy", self._progress.health().is_ok)
        found.add("last_progress_timestamp_seconds", self._progress.moved_at)
        return found


def registry(progress: Progress, *collectors: Collector) -> CollectorRegistry:
    """A registry of one process's own: these collectors, its health, and the process itself (memory, CPU, files)."""
    made = CollectorRegistry()
    for collector in (*collectors, _Everywhere(progress)):
        made.register(collector)
    ProcessCollector(registry=made)
    return made


def rendered(made: CollectorRegistry) -> bytes:
    """Prometheus' text format."""
    return generate_latest(made)
