"""What a gateway tells of itself: metrics, health and readiness."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, cast

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from deploy.gateway.commits import Commits
from deploy.gateway.tally import Tally
from deploy.health import Progress, Sight
from deploy.metrics import CONTENT_TYPE, Metric, registry, rendered
from schemas.errors import Unreachable
from sinks.gate_tally import Probes

GATEWAY: Final = (
    Metric("quayside_gateway_requests_total", "counter", ("route", "status"), "requests by route and HTTP status"),
    Metric("quayside_gateway_request_seconds", "histogram", (), "a request, from its head to its answer"),
    Metric("quayside_gateway_events_total", "counter", ("outcome", "source"), "events by what became of them"),
    Metric("quayside_gateway_durable_seconds", "histogram", (), "from the judgement until it is safe"),
    Metric("quayside_gateway_unchecked_events_total", "counter", (), "events taken without asking the history"),
    Metric("quayside_gateway_queue_records", "gauge", (), "records that are safe and not yet with the broker"),
    Metric("quayside_gateway_queue_bytes", "gauge", (), "and their bytes"),
    Metric("quayside_gateway_sent_records_total", "counter", (), "records that the broker has"),
    Metric("quayside_gateway_requests_under_way", "gauge", (), "requests that are being answered"),
    Metric("quayside_gateway_body_bytes", "gauge", (), "bodies of requests that are being answered"),
)
"""`outcome`: accepted, refused, forbidden, dry_run. `source`: 200 by name, the others together; none where the token
does not speak for it."""

LOOK_S: Final = 5.0


class GatewayMetrics(Collector):
    """Reads a tally."""

    def __init__(self, tally: Tally, commits: Commits) -> None:
        self._tally = tally
        self._commits = commits

    def collect(self) -> Iterable[Family]:
        """All families."""
        tally, commits = self._tally, self._commits
        plain = {
            "unchecked_events_total": tally.unchecked,
            "queue_records": commits.queued,
            "queue_bytes": commits.queued_bytes,
            "sent_records_total": commits.sent,
            "requests_under_way": tally.under_way,
            "body_bytes": tally.bytes_in_hand,
        }
        seconds = {"request_seconds": tally.seconds, "durable_seconds": tally.durable}
        counted: dict[str, Mapping[tuple[object, ...], int]] = {
            "requests_total": cast("Mapping[tuple[object, ...], int]", tally.requests),
            "events_total": cast("Mapping[tuple[object, ...], int]", tally.events),
        }
        for name, kind, labels, meaning in GATEWAY:
            short = name.removeprefix("quayside_gateway_")
            if kind == "histogram":
                histogram = HistogramMetricFamily(name, meaning, labels=labels)
                histogram.add_metric((), seconds[short].cumulated(), seconds[short].total)
                yield histogram
            elif kind == "gauge":
                yield GaugeMetricFamily(name, meaning, plain[short])
            elif labels:
                counter = CounterMetricFamily(name, meaning, labels=labels)
                for found, count in list(counted[short].items()):
                    counter.add_metric(tuple(map(str, found)), count)
                yield counter
            else:
                yield CounterMetricFamily(name, meaning, plain[short])


class GatewayProbes(Probes):
    """What /metrics, /health and /ready say; from any thread.

    `looks`: keeps looking whether it goes on; a task of the gateway's own loop, so that a loop that hangs is found.
    """

    def __init__(self, tally: Tally, commits: Commits, patience: float) -> None:
        self._commits: Final = commits
        self._progress: Final = Progress(patience)
        self._registry: Final = registry(self._progress, GatewayMetrics(tally, commits))

    async def looks(self, probe: Callable[[], Any], every: float = LOOK_S) -> None:
        """Look every few seconds; while nothing can be kept, `probe` whether that has changed."""
        while True:
            self._progress.saw(Sight(self._commits.queued, self._commits.sent))
            if self._commits.refuses:
                with contextlib.suppress(Unreachable):
                    await probe()
            await asyncio.sleep(every if not self._commits.refuses else 1.0)

    def metrics(self) -> tuple[bytes, str]:
        """All metrics."""
        return rendered(self._registry), CONTENT_TYPE

    def health(self) -> tuple[bool, dict[str, Any]]:
        """Whether what was accepted goes on to the broker, and the loop turns."""
        found = self._progress.health()
        return found.is_ok, found.as_dict()

    def ready(self) -> tuple[bool, dict[str, Any]]:
        """Whether events are taken in just now."""
        reason = self._commits.refuses
        if not reason:
            try:
                self._commits.admit()
            except Unreachable as error:
                reason = str(error)
        return not reason, {"ready": not reason, "reason": reason, "lag": self._commits.queued}
