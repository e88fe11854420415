"""Looking after one process from inside: what it says at /metrics, /health and /ready, by a thread of its own.

The thread answers also while the process's own loop is busy or hangs: that is when somebody asks. Every few seconds
it looks at the broker how much there is to do, and at the process what it has done.
"""

import asyncio
import contextlib
import json
import logging
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from prometheus_client.registry import Collector

from deploy.health import Progress, Sight
from deploy.metrics import CONTENT_TYPE, GateMetrics, SinkMetrics, WorkerMetrics, registry, rendered
from deploy.settings import Settings
from schemas.errors import Unreachable, WrongInput
from sinks.gate_tally import GateTally, Probes
from sinks.history import History
from streams.agent import Agent
from streams.agents import HISTORY_GROUP, WORKER_GROUP
from streams.lag import Behind, LagLook
from streams.settling import history_topics, worker_topics

LOOK_S: Final = 5.0
"""How often lag and progress are looked at; a look took 1.6 ms of processor time (measured on Tansu, 56 partitions)."""

_LOOPBACK: Final = "127.0.0.1"

_log: Final = logging.getLogger("quayside.health")


@dataclass(frozen=True, slots=True)
class Watched:
    """One kind of process.

    `bootstrap`: where its broker is at the moment. `sight`: what is found at the process, given the lag by (topic,
    partition); None: the broker did not say.
    """

    bootstrap: Callable[[], str]
    group: str
    topics: tuple[str, ...]
    sight: Callable[[Behind | None], Sight]
    is_ready: Callable[[], bool]
    collectors: Callable[[Callable[[], Behind | None]], Sequence[Collector]]


class Watch(Probes):
    """The looks, and what follows from them. Start it once; it ends with the process."""

    def __init__(self, watched: Watched, patience_s: float, look_s: float = LOOK_S) -> None:
        self.progress: Final = Progress(patience_s)
        self.behind: Behind | None = None
        """The lag by (topic, partition) at the last look; None: the broker did not say."""
        self._watched: Final = watched
        self._look: Final = LagLook(watched.bootstrap, watched.group, watched.topics)
        self._look_s: Final = look_s
        self._registry: Final = registry(self.progress, *watched.collectors(lambda: self.behind))

    def start(self) -> None:
        """Begin to look."""
        threading.Thread(target=lambda: asyncio.run(self._go_on()), name="health", daemon=True).start()

    def metrics(self) -> tuple[bytes, str]:
        """All metrics."""
        return rendered(self._registry), CONTENT_TYPE

    def health(self) -> tuple[bool, dict[str, Any]]:
        """Progress."""
        self.progress.saw_store(self._watched.sight(self.behind).store_refuses)
        found = self.progress.health()
        return found.is_ok, found.as_dict()

    def ready(self) -> tuple[bool, dict[str, Any]]:
        """Whether what was there at the start has been taken."""
        is_ready = self._watched.is_ready()
        return is_ready, {"ready": is_ready, "lag": self.progress.lag}

    async def _go_on(self) -> None:
        while True:
            self.behind = await self._looked()
            try:
                self.progress.saw(self._watched.sight(self.behind))
            except Exception:  # noqa: BLE001  # whatever it is, looking goes on
                _log.warning("a look at the process failed", exc_info=True)
            await asyncio.sleep(self._look_s)

    async def _looked(self) -> Behind | None:
        try:
            return await self._look.look()
        except Unreachable:
            return None
        except Exception:  # noqa: BLE001  # whatever it is, looking goes on
            _log.warning("a look at the lag failed", exc_info=True)
            return None


def watch_worker(agents: Sequence[Agent], bootstrap: str, settings: Settings, name: str) -> None:
    """Look after a worker of this name, and serve what is found unless that is off. Raises WrongInput."""
    _open(Watch(worker_watched(agents, bootstrap), settings.stuck_after / 1_000), settings, name)


def watch_sink(history: History, settings: Settings) -> None:
    """Look after a sink as a process of its own, as `watch_worker` does."""
    _open(Watch(sink_watched(lambda: history), settings.stuck_after / 1_000), settings, "sink")


def _open(watch: Watch, settings: Settings, name: str) -> None:
    if settings.metrics_port is None:
        return
    server = serve(watch, settings.metrics_port)
    watch.start()
    note(settings.data, name, server.server_port)


def worker_watched(agents: Sequence[Agent], bootstrap: str) -> Watched:
    """A worker: has to take the records of the partitions that the group gave it."""

    def sight(behind: Behind | None) -> Sight:
        lag = None if behind is None else _own_lag(agents, behind)
        recovering = [f"{agent.derivation.name} {sorted(found)}" for agent in agents if (found := agent.bringing)]
        held = tuple(sum(map(_size, list(agent.bringing.values()))) for agent in agents)
        mark = (tuple(agent.tally.progress_at for agent in agents), held)
        return Sight(lag, mark, ", ".join(recovering))

    def is_ready() -> bool:
        return all(agent.was_assigned and not agent.bringing and _has_caught_up(agent) for agent in agents)

    def collectors(behind: Callable[[], Behind | None]) -> Sequence[Collector]:
        return [WorkerMetrics(agents, behind)]

    return Watched(lambda: bootstrap, WORKER_GROUP, worker_topics(), sight, is_ready, collectors)


def sink_watched(history: Callable[[], History], gate: GateTally | None = None) -> Watched:
    """The history sink of the moment, and the gate beside it where there is one."""
    caught_up = threading.Event()

    def sight(behind: Behind | None) -> Sight:
        counters = history().counters
        lag = None if behind is None else sum(behind.values())
        if lag == 0:
            caught_up.set()
        since = counters.store_refuses_since
        refuses = None if since is None else (since, counters.last_error.rstrip("."))
        return Sight(lag, (counters.records, counters.batches), store_refuses=refuses)

    def collectors(behind: Callable[[], Behind | None]) -> Sequence[Collector]:
        sink = SinkMetrics(lambda: history().counters, behind)
        return [sink] if gate is None else [sink, GateMetrics(gate)]

    return Watched(lambda: history().bootstrap, HISTORY_GROUP, history_topics(), sight, caught_up.is_set, collectors)


def serve(probes: Probes, port: int) -> ThreadingHTTPServer:
    """Serve /metrics, /health and /ready on loopback, by threads; port 0 takes a free one.

    Raises:
        WrongInput: The port is taken.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                body, kind = probes.metrics()
                self._answer(200, body, kind)
                return
            told = {"/health": probes.health, "/ready": probes.ready}.get(self.path)
            if told is None:
                self._answer(404, b"/metrics, /health, /ready\n", "text/plain")
                return
            is_ok, said = told()
            self._answer(200 if is_ok else 503, json.dumps(said).encode(), "application/json")

        def _answer(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(body)

        def log_message(self, *_: Any) -> None:  # a scrape is no news
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:  # its own writes to stderr, between the lines of the log
            _log.warning("a question about metrics or health was not answered", exc_info=True)

    try:
        server = Server((_LOOPBACK, port), Handler)
    except OSError as error:
        raise WrongInput(
            f"Port {port} on {_LOOPBACK} cannot be used for metrics ({error.strerror}): set QUAYSIDE_METRICS_PORT to "
            "another one, to 0 for a free one, or to off."
        ) from error
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server


def note(data: Path, name: str, port: int) -> None:
    """Write DATA/run/NAME.metrics: where this process tells of itself."""
    folder = data / "run"
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / f"{name}.new"
    fresh.write_text(json.dumps({"pid": os.getpid(), "url": f"http://{_LOOPBACK}:{port}"}))
    fresh.replace(folder / f"{name}.metrics")


def noted(data: Path) -> dict[str, tuple[int, str]]:
    """By name the process id and the address of every process that wrote where it tells of itself."""
    found = {}
    for path in sorted((data / "run").glob("*.metrics")):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            told = json.loads(path.read_text())
            found[path.stem] = (int(told["pid"]), str(told["url"]))
    return found


def _own_lag(agents: Iterable[Agent], behind: Behind) -> int:
    """The records of this worker's partitions; of all, as long as the group has not told it its share."""
    places = set()
    for agent in agents:
        numbers = agent.owned if agent.was_assigned else None
        places |= {(topic, n) for topic, n in behind if topic in agent.inputs and (numbers is None or n in numbers)}
    return sum(behind[place] for place in places)


def _has_caught_up(agent: Agent) -> bool:
    there = agent.partitions
    return all(number in there and not there[number].goals for number in agent.owned)


def _size(partition: Any) -> int:
    return int(partition.held) + len(partition.entities)
