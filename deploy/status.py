"""What `quayside status` says of a stack: figures from the broker and from the store, each asked by itself."""

import queue
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from clickhouse_connect.driver.client import Client

from deploy.gate_client import gate_client, rows
from deploy.stackfile import StackFile
from deploy.wellbeing import Process, SinkState, processes_of, sink_of
from schemas.errors import QuaysideError, Unreachable
from schemas.topics import of_kind
from streams.administration import beginnings
from streams.ends import true_ends_sync
from streams.settling import lag

_SQL: Final = files("deploy").joinpath("sql/status.sql").read_text(encoding="utf-8")

_BROKER_PATIENCE_S: Final = 4.0
"""A broker that has not answered by then is as good as dead to whoever asks for the status."""

_Told = TypeVar("_Told")


@dataclass(frozen=True, slots=True)
class Status:
    """The figures of a stack.

    `events`: records that the broker itself has in the fact topics, by their true ends.
    `accepted`, `repeated`, `late`, `dead`: what became of all records that the store has ever seen.
    `lag`: records that the agents or the history have still to take (`lag_worker` + `lag_history`).
    Figures are None where whoever knows them does not answer. `sink`: whether the history takes what comes, or waits
    for the store since when and why. `metrics`: by process, where it serves its metrics.
    """

    ready: bool
    epoch: int
    kafka: str
    store: str
    gateway: str | None
    grafana: str | None
    board: str | None
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
    sink: SinkState
    metrics: dict[str, str]

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


class PartlyKnown(Unreachable):
    """The broker or the store does not answer. `known`: what `Status.as_dict` would tell, None where nobody knows."""

    def __init__(self, message: str, known: dict[str, Any]) -> None:
        super().__init__(message)
        self.known = known


def status(stack: StackFile, data: Path | None = None) -> Status:
    """Ask the broker, the store, and the processes that tell of themselves in the data directory.

    Raises PartlyKnown where the broker (within 4 s) or the store does not answer.
    """
    broker = _Asked(lambda: _broker_figures(stack.kafka), f"broker at {stack.kafka}")
    store = _Asked(lambda: _store_figures(stack), f"store's gate at {stack.gate}")
    processes = processes_of(stack, data)
    said, found = store.result(None), broker.result(_BROKER_PATIENCE_S)
    told: dict[str, Any] = {
        "ready": stack.ready,
        "epoch": stack.epoch,
        "kafka": stack.kafka,
        "store": stack.gate,
        "gateway": stack.gateway,
        "grafana": stack.grafana,
        "board": stack.board,
        **(_NO_BROKER if isinstance(found, QuaysideError) else found),
        **(_NO_STORE if isinstance(said, QuaysideError) else said),
        "processes": processes,
        "sink": sink_of(processes),
        "metrics": {process.name: process.metrics for process in processes if process.metrics},
    }
    for failure in (found, said):
        if isinstance(failure, QuaysideError):
            known = {
                **told,
                "processes": [asdict(process) for process in processes],
                "sink": asdict(sink_of(processes)),
            }
            raise PartlyKnown(str(failure), known)
    return Status(**told)


_NO_BROKER: Final = dict.fromkeys(("events", "lag", "lag_worker", "lag_history"))
_NO_STORE: Final = dict.fromkeys(("accepted", "repeated", "late", "dead", "shipments_open", "late_now", "positions"))


class _Asked(Generic[_Told]):
    """A question that is being answered in a thread; whoever waits no longer leaves the thread behind."""

    def __init__(self, question: Callable[[], _Told], whom: str) -> None:
        self._whom = whom
        self._answers: queue.SimpleQueue[_Told | QuaysideError] = queue.SimpleQueue()
        threading.Thread(target=self._ask, args=(question,), name=f"ask {whom}", daemon=True).start()

    def result(self, patience_s: float | None) -> _Told | QuaysideError:
        """The answer, or why there is none."""
        try:
            return self._answers.get(timeout=patience_s)
        except queue.Empty:
            return Unreachable(f"The {self._whom} has not answered for {patience_s:g} s: see logs, and that it runs.")

    def _ask(self, question: Callable[[], _Told]) -> None:
        try:
            self._answers.put(question())
        except QuaysideError as error:
            self._answers.put(error)
        except Exception as error:  # noqa: BLE001  # whatever it is, somebody waits for an answer
            self._answers.put(Unreachable(f"The {self._whom} does not answer ({type(error).__name__}: {error})."))


def _broker_figures(kafka: str) -> dict[str, int]:
    behind = lag(kafka)
    return {
        "events": events_in(kafka),
        "lag": behind.total,
        "lag_worker": behind.worker,
        "lag_history": behind.history,
    }


def _store_figures(stack: StackFile) -> dict[str, int]:
    client = gate_client(stack)
    try:
        store = store_figures(client)
    finally:
        client.close()
    return {
        "accepted": store.accepted,
        "repeated": store.stored - store.accepted,
        "late": store.late,
        "dead": store.dead,
        "shipments_open": store.shipments_open,
        "late_now": store.late_now,
        "positions": store.positions,
    }


def store_figures(client: Client) -> StoreFigures:
    """The store's figures, in one query."""
    return StoreFigures(*(int(value) for value in rows(client, _SQL)[0]))


def events_in(bootstrap: str) -> int:
    """How many records the fact topics hold, by their true beginnings and ends."""
    topics = [topic.name for topic in of_kind("fact")]
    ends = true_ends_sync(bootstrap, topics)
    return sum(ends.values()) - sum(beginnings(bootstrap, ends).values())
