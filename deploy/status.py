"""What `quayside status` says of a stack: figures from the broker and from the store, each asked by itself."""

from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from deploy.gate_client import gate_client, rows
from deploy.stackfile import StackFile, is_alive
from schemas.topics import of_kind
from streams.administration import beginnings
from streams.ends import true_ends_sync
from streams.settling import lag

_SQL: Final = files("deploy").joinpath("sql/status.sql").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Process:
    """One process of the stack."""

    name: str
    pid: int
    alive: bool
    restarts: int


@dataclass(frozen=True, slots=True)
class Status:
    """The figures of a stack.

    `events`: records that the broker itself has in the fact topics, by their true ends.
    `accepted`, `repeated`, `late`, `dead`: what became of all records that the store has ever seen.
    `lag`: records that the agents or the history have still to take (`lag_worker` + `lag_history`).
    """

    ready: bool
    epoch: int
    kafka: str
    store: str
    gateway: str | None
    grafana: str | None
    events: int
    accepted: int
    repeated: int
    late: int
    dead: int
    shipments_open: int
    late_now: int
    positions: int
    lag: int
    lag_worker: int
    lag_history: int
    processes: tuple[Process, ...]

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class StoreFigures:
    """What the store knows."""

    stored: int
    accepted: int
    dead: int
    late: int
    shipments_open: int
    late_now: int
    positions: int


def status(stack: StackFile) -> Status:
    """Ask the broker and the store. Raises Unreachable where one does not answer."""
    client = gate_client(stack)
    try:
        store = store_figures(client)
    finally:
        client.close()
    behind = lag(stack.kafka)
    return Status(
        ready=stack.ready,
        epoch=stack.epoch,
        kafka=stack.kafka,
        store=stack.gate,
        gateway=stack.gateway,
        grafana=stack.grafana,
        events=events_in(stack.kafka),
        accepted=store.accepted,
        repeated=store.stored - store.accepted,
        late=store.late,
        dead=store.dead,
        shipments_open=store.shipments_open,
        late_now=store.late_now,
        positions=store.positions,
        lag=behind.total,
        lag_worker=behind.worker,
        lag_history=behind.history,
        processes=tuple(
            Process(name, told["pid"], is_alive(told["pid"]), told["restarts"])
            for name, told in stack.processes.items()
        ),
    )


def store_figures(client: Client) -> StoreFigures:
    """The store's figures, in one query."""
    return StoreFigures(*(int(value) for value in rows(client, _SQL)[0]))


def events_in(bootstrap: str) -> int:
    """How many records the fact topics hold, by their true beginnings and ends."""
    topics = [topic.name for topic in of_kind("fact")]
    ends = true_ends_sync(bootstrap, topics)
    return sum(ends.values()) - sum(beginnings(bootstrap, ends).values())
