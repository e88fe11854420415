"""A store in this process, everything that was ever said to it, and the stand-in for Grafana that watches it."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from dashboards.checking import Answer, Ask
from dashboards.macros import View, expand
from dashboards.queries import load
from deploy.demo_history import states
from schemas.errors import Unreachable
from schemas.times import DAY_MS, HOUR_MS, rfc3339
from sinks.embedded import EmbeddedStore
from sinks.migrate import store_id
from sinks.rows import Record, rows_of
from sinks.writer import Batch, Writer
from tests.dashboards.alerting import Alerting

PAGE: Final = "quayside-late-by-lane"
LANE: Final = "NLRTM>DEBER"


def now_ms() -> int:
    """The real time (ms)."""
    return time.time_ns() // 1_000_000


class World:
    """A store, everything that was ever said to it, and a Grafana that watches it."""

    def __init__(self, store: EmbeddedStore, ask: Ask, provisioning: Path) -> None:
        self.store = store
        self.ask = ask
        self.folder = provisioning
        self.records: list[Record] = []
        self.is_worker_alive = True
        self.clock = time.time()
        self.grafana = self.grafana_of(PAGE)
        self.is_gate_up = True

    def grafana_of(self, *rules: str) -> Alerting:
        """A Grafana that is started now, with these rules only: a question takes its time."""
        return Alerting(self.folder, self._asked, self.clock, rules=rules)

    def _asked(self, sql: str) -> Answer:
        if not self.is_gate_up:
            raise Unreachable("The gate does not answer.")
        return self.ask(sql)

    def tell(self, *records: Record) -> None:
        """Have the sink store records, and the worker (if it lives) publish what follows from all there are."""
        told = [record._replace(offset=len(self.records) + at) for at, record in enumerate(records)]
        self.records += told
        self._write(told)
        if self.is_worker_alive:
            touched = {record.key for record in told}
            self._write([*states([record for record in self.records if record.key in touched])])

    def _write(self, records: Sequence[Record]) -> None:
        batch, home = Batch(), store_id(self.store.writer)
        for record in records:
            batch.add(rows_of(record, home))
        Writer(self.store.writer).write(batch)

    def watch(self, seconds: float) -> None:
        """Let so many seconds of Grafana's time pass."""
        self.clock += seconds
        self.grafana.run(self.clock)

    def firing(self, uid: str = PAGE) -> list[str]:
        """The lanes (sites, ...) of a rule's firing instances."""
        return sorted(next(iter(labels.values()), "") for labels in self.grafana.firing(uid))

    def figure(self, name: str) -> int:
        """A figure of a dashboard, and of the board, which is the same question."""
        now = now_ms()
        ((value,),) = self.ask(expand(load(name).sql, View(now - DAY_MS, now))).rows
        return int(value)

    def late(self, lane: str) -> int:
        """How many shipments of a lane are late, whether alerts tell of them or not."""
        return sum(told == lane for (told,) in self.ask("SELECT lane FROM late_shipments").rows)

    def past_the_half_minute(self) -> None:
        """As if half a minute had passed: what was read of a backlog, and what ended of a load, is longer ago."""
        at_once = "SETTINGS mutations_sync = 2"
        past = "now64(3, 'UTC') - INTERVAL 30 SECOND"
        for change in (
            "INSERT INTO backlog_read SELECT at - INTERVAL 31 SECOND, oldest FROM backlog_read",
            f"ALTER TABLE backlog_read DELETE WHERE at > {past} {at_once}",
            f"ALTER TABLE load_marks UPDATE inserted_at = inserted_at - INTERVAL 31 SECOND WHERE 1 {at_once}",
        ):
            self.store.writer.command(change)


def said(
    shipment_id: str, milestone: str, at: int, *, lane: str = LANE, arrived: int | None = None, **more: Any
) -> Record:
    """A milestone that was reached, and told, at a moment (ms); `arrived`: when the broker got it."""
    origin, _, destination = lane.partition(">")
    event = {
        "event_id": f"{shipment_id}/{milestone}",
        "source": "carrier",
        "type": "milestone",
        "occurred_at": rfc3339(at),
        "recorded_at": rfc3339(at),
        "shipment_id": shipment_id,
        "milestone": milestone,
        "classifier": "actual",
        "origin": origin,
        "destination": destination,
        "carrier": "BLUE",
    }
    value = json.dumps(event | more).encode()
    return Record(1, "shipment.events", 0, 0, now_ms() if arrived is None else arrived, shipment_id.encode(), value)


def left(shipment_id: str, due: int, **more: Any) -> Record:
    """A shipment that left two hours before it is due."""
    return said(shipment_id, "departed", min(due, now_ms()) - 2 * HOUR_MS, promised_at=rfc3339(due), **more)


def wait_past(moment: int) -> None:
    """Until the store's clock has passed a moment (ms)."""
    time.sleep(max(moment - now_ms(), 0) / 1000 + 0.02)
