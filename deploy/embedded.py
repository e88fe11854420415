"""The embedded stack: broker, store, worker and demo feed, started and stopped in order.

With a Kafka of your own (QUAYSIDE_KAFKA) no broker is started: that one keeps its records and the agents'
state, so its epoch stays, and nothing but the spool is published again.

A life of the broker is an epoch. Starting an epoch: an empty broker, its topics, the store, the worker, then the
history replayed into Kafka and the spool published again. When all of that can be queried the epoch's rebuild has
ended, and the views show it. Until then they show the epoch before. How a running stack goes on in another broker is
in deploy/rotation.py.
"""

import asyncio
import contextlib
import os
import secrets
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from deploy.broker import Broker, free_port
from deploy.epoch_file import last_epoch, next_epoch, note_epoch
from deploy.gateway.listening import listen_of
from deploy.processes import Child
from deploy.publishing_again import accepting_topics, publish_again
from deploy.replayed import EPOCH_ENDED, Stage, told
from deploy.settings import Settings, unwritable
from deploy.spool import abandoned_files, mark_published, published_files, spool_files
from deploy.stackfile import StackFile
from schemas.errors import QuaysideError, Unreachable, WrongInput, error_of
from schemas.topics import of_kind
from streams.administration import committed_offsets, create_topics
from streams.agents import HISTORY_GROUP
from streams.clock import TICK_S
from streams.settling import Ends, ends_of, history_topics, settle, worker_topics

GATE_USER: Final = "quayside"
WORKER_GRACE_S: Final = 3.0
_GATE_PATIENCE_S: Final = 30.0
_STORE_GRACE_S: Final = 4.0
_GATEWAY_GRACE_S: Final = 8.0
"""It answers who is there, and brings what it has accepted to the broker."""

_LEFT_GRACE_S: Final = 0.5
"""Nobody needs anything any more of a life that was left."""

_PAUSE_S: Final = 0.1
_REBUILD_PAUSE_S: Final = 0.4
"""Looking how far a rebuild is costs some of the time that the rebuild needs."""

_DRAIN_S: Final = 2.0
_QUIET_S: Final = TICK_S + 0.5
_QUIET_TRIES: Final = 60
_QUIET_RECORDS: Final = 100
"""Time passes all the while, and a lively network always has a deadline that has just passed."""


@dataclass(frozen=True, slots=True)
class Demo:
    """Which demo network is to run."""

    seed: int
    pace: float = 1.0


@dataclass(frozen=True, slots=True)
class Life:
    """A life of the embedded broker, and who works on it."""

    epoch: int
    broker: Broker
    worker: Child


class EmbeddedStack:
    """The processes of one data directory. Start and stop are for one thread only."""

    def __init__(self, settings: Settings, demo: Demo | None) -> None:
        self.data: Final = settings.data.resolve()
        self.epoch = 0
        self.ended = False
        self.coming: Life | None = None
        """The life that the stack is moving to."""

        self._demo: Final = demo
        self._settings: Final = settings
        self._broker: Broker | None = None
        self._gate_port: Final = settings.gate_port or free_port()
        self._password: Final = gate_password(settings, self.data)
        self._children: dict[str, Child] = {}
        self._starts: dict[str, int] = {}
        self._trimming: tuple[list[Path], Ends] | None = None
        self._ready = False
        self._moving = False
        self._grafana: str | None = None
        self._board_port = 0
        listen = listen_of(settings.gateway_listen, settings.gateway_tls_cert, settings.gateway_tls_key)
        self._gateway: Final = replace(listen, port=listen.port or free_port())

    @property
    def children(self) -> tuple[Child, ...]:
        """Our own programs, in the order in which they were started."""
        coming = (self.coming.worker,) if self.coming else ()
        return (*self._children.values(), *coming)

    @property
    def kafka(self) -> str:
        """The broker's host:port in this epoch."""
        return self._settings.kafka or (self._broker.address if self._broker else "")

    @property
    def gateway_warning(self) -> str | None:
        """What a person should know of where the gateway listens."""
        return self._gateway.warning

    @property
    def store(self) -> Child:
        """The store's process."""
        return self._children["store"]

    @property
    def life(self) -> Life:
        """The present life of the embedded broker."""
        assert self._broker is not None  # noqa: S101  # only asked while an embedded stack runs
        return Life(self.epoch, self._broker, self._children["worker"])

    def broker_alive(self) -> bool:
        """Whether the embedded broker runs; one of your own is yours to look after."""
        return self._settings.kafka is not None or (self._broker is not None and self._broker.alive())

    def start(self) -> None:
        """Begin a new epoch; returns when what the history and the spool hold can be queried again.

        Raises QuaysideError where a part does not come up.
        """
        logs = self.data / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        self.ended = self._ready = False
        self._moving = True
        self._trimming = None
        self._children = {}
        embedded = self._settings.kafka is None
        if embedded:
            self.epoch = next_epoch(self.data)
            self._broker = Broker.start(logs / "broker.log")
        else:
            self.epoch = self._settings.epoch
            note_epoch(self.data, max(self.epoch, last_epoch(self.data)))
        create_topics(self.kafka)
        self.describe()
        replaying = ["--replay"] if embedded else []
        self._launch("store", ["store", "--gate-port", str(self._gate_port), *replaying])
        self._children["worker"] = self._new_worker(self.epoch, self.kafka)
        self._launch("gateway", ["gateway", "--listen", self._gateway.place, "--supervised"])
        self.describe()
        self._await_port("127.0.0.1", self._gate_port, "store", "The store's gate")
        count = self.await_told("whole", self._whole) if embedded else 0
        if count + self.publish_spool():
            self.settle_rebuild(self.kafka, self._whole)
        self.end_rebuild(self._whole)
        if self._demo is not None:
            arguments = ["demo-feed", "--seed", str(self._demo.seed), "--pace", str(self._demo.pace)]
            self._launch("demo", arguments)
            self.describe()
        self._await_port(self._gateway.host, self._gateway.port, "gateway", "The gateway")
        if self._board_port:
            self.start_board()

    def start_board(self) -> None:
        """Show the dashboards in a browser; from now on at the same address, also when the stack starts anew."""
        self._board_port = self._board_port or self._settings.board_port or free_port()
        self._launch("board", ["board", "--listen", str(self._board_port), "--supervised"])
        self.describe()

    def begin_life(self) -> Life:
        """Start another broker and a worker on it, under a new epoch, beside those that run."""
        broker = Broker.start(self.data / "logs" / "broker.log")
        try:
            create_topics(broker.address)
            epoch = next_epoch(self.data)
            worker = self._new_worker(epoch, broker.address)
        except BaseException:
            broker.stop()
            raise
        self.coming = Life(epoch, broker, worker)
        self.describe()
        return self.coming

    def adopt(self, *, moving: bool) -> None:
        """Go on in the life that was coming; `moving`: nobody may publish to it yet."""
        assert self.coming is not None  # noqa: S101  # begin_life was called
        self.epoch, self._broker, self._children["worker"] = self.coming.epoch, self.coming.broker, self.coming.worker
        self.coming = None
        self._trimming = None
        self.ended = not moving
        self.hold(moving=moving)

    def hold(self, *, moving: bool) -> None:
        """Let publishers wait (`moving`), or go on."""
        self._moving = moving
        self.describe()

    def await_told(self, stage: Stage, look: Callable[[], object], epoch: int | None = None, turn: int = 0) -> int:
        """Wait until the store is so far with an epoch's rebuild; how many records of the history it sent."""
        while not (said := told(self.data, epoch or self.epoch)).reached(stage, turn):
            look()
            time.sleep(_PAUSE_S)
        return said.records

    def settle_rebuild(self, kafka: str, look: Callable[[], object], *, quiet: bool = True) -> None:
        """Wait until what is in a broker that nobody else writes to can be queried.

        `quiet`: and until the deadlines that have passed meanwhile are told too, so that nothing that was late before
        the rebuild is in time for a moment after it.
        """

        def alive() -> bool:
            look()
            time.sleep(_REBUILD_PAUSE_S)
            return True

        settle(kafka, alive=alive)
        if not quiet:
            return
        topics = {*worker_topics(), *history_topics(), *(topic.name for topic in of_kind("state"))}
        before: int | None = None
        for _ in range(_QUIET_TRIES):
            records = sum(ends_of(kafka, topics).values())
            if before is not None and records - before < _QUIET_RECORDS:
                return
            before = records
            deadline = time.monotonic() + _QUIET_S
            while time.monotonic() < deadline:
                look()
                time.sleep(_PAUSE_S)
            settle(kafka, alive=alive)

    def end_rebuild(self, look: Callable[[], object]) -> None:
        """Let the views show the present epoch, and publishers go on."""
        self.store.tell(f"{EPOCH_ENDED} {self.epoch}")
        if self._settings.kafka is None:
            self.await_told("shown", look)
        self.ended = True
        self.hold(moving=False)

    def restart(self, child: Child) -> None:
        """Start a child again that has ended."""
        child.restarts += 1
        self._starts[child.name] = self._starts.get(child.name, 0) + 1
        child.start()
        if child.name == "store" and self.ended:
            child.tell(f"{EPOCH_ENDED} {self.epoch}")
        self.describe()

    def stop(self) -> None:
        """End everything, sources first; what is not yet in the history is in the spool."""
        for child in self.children:
            if child.name != "store":
                child.ask_to_stop()
        for source in ("demo", "gateway"):
            if source in self._children:
                self._children[source].stop(_GATEWAY_GRACE_S if source == "gateway" else WORKER_GRACE_S)
        self._drain()
        if self.coming is not None:
            self.leave(self.coming)
            self.coming = None
        for name, grace in (
            ("board", WORKER_GRACE_S),
            ("demo", WORKER_GRACE_S),
            ("worker", WORKER_GRACE_S),
            ("store", _STORE_GRACE_S),
        ):
            if name in self._children:
                self._children[name].stop(grace)
        if self._broker is not None:
            self._broker.stop()
            self._broker = None

    @staticmethod
    def leave(life: Life) -> None:
        """End the processes of a life that is over."""
        life.worker.stop(_LEFT_GRACE_S)
        life.broker.stop(0)

    def describe(self, *, ready: bool | None = None, grafana: str | None = None) -> None:
        """Write DATA/stack.json; what is not given stays as it was told last."""
        self._ready = self._ready if ready is None else ready
        self._grafana = grafana or self._grafana
        self.stack_file().write(self.data)

    def trim_spool(self) -> None:
        """Remove spool files that the history has, and publish again what dead processes left behind.

        A file's records were acknowledged before it was closed, so once the history has committed past the
        ends that the topics had after that, it has them.
        """
        spool = self.data / "spool"
        abandoned = abandoned_files(spool)
        if abandoned:
            asyncio.run(self._publish_again(abandoned))
            for path in abandoned:
                mark_published(path)
        if self._trimming is None:
            files = published_files(spool)
            if files:
                self._trimming = files, ends_of(self.kafka, accepting_topics())
            return
        files, ends = self._trimming
        committed = committed_offsets(self.kafka, (HISTORY_GROUP,))[HISTORY_GROUP]
        if all(committed.get(place, 0) >= end for place, end in ends.items()):
            for path in files:
                path.unlink(missing_ok=True)
            self._trimming = None

    def publish_spool(self) -> int:
        """Publish again what an empty broker cannot have, or what dead processes left; how many records."""
        spool = self.data / "spool"
        abandoned = abandoned_files(spool)
        files = spool_files(spool) if self._settings.kafka is None else abandoned
        count = asyncio.run(self._publish_again(files)) if files else 0
        for path in abandoned:
            mark_published(path)
        return count

    async def _publish_again(self, files: Sequence[Path]) -> int:
        """Publish spool files again, as long as there is a broker that they can go to."""
        publishing = asyncio.create_task(publish_again(self.stack_file(), files))
        while not publishing.done():
            await asyncio.wait({publishing}, timeout=_PAUSE_S)
            if not publishing.done() and not self.broker_alive():
                publishing.cancel()
                await asyncio.wait({publishing})
                raise Unreachable("The broker ended while it was given what the spool holds: the spool keeps it.")
        return publishing.result()

    def stack_file(self) -> StackFile:
        """What the stack tells of itself now."""
        brokers = {"broker": self._broker, "next broker": self.coming.broker if self.coming else None}
        return StackFile(
            pid=os.getpid(),
            epoch=self.epoch,
            kafka=self.kafka,
            gate=f"http://127.0.0.1:{self._gate_port}",
            gate_user=GATE_USER,
            gate_password=self._password,
            ready=self._ready,
            moving=self._moving,
            gateway=self._gateway.address(self._gateway.port),
            grafana=self._grafana,
            board=f"http://127.0.0.1:{self._board_port}" if self._board_port else None,
            data=str(self.data),
            processes={
                **{name: {"pid": one.process.pid, "restarts": 0} for name, one in brokers.items() if one is not None},
                **{child.name: _told_of(child) for child in self._children.values()},
                **({"next worker": _told_of(self.coming.worker)} if self.coming else {}),
            },
        )

    def _drain(self) -> None:
        """Before a stop in order: let the history take what the spool holds, so that it need not go out again."""
        deadline = time.monotonic() + _DRAIN_S
        store = self._children.get("store")
        with contextlib.suppress(QuaysideError):
            while self.broker_alive() and store is not None and store.exit_code() is None and self.coming is None:
                self.trim_spool()
                if not published_files(self.data / "spool") or time.monotonic() > deadline:
                    return
                time.sleep(_PAUSE_S)

    def _launch(self, name: str, arguments: list[str]) -> None:
        restarts = self._starts.get(name, 0)
        self._starts[name] = restarts + 1
        child = self._child(name, arguments)
        child.restarts = restarts
        self._children[name] = child
        child.start()

    def _new_worker(self, epoch: int, kafka: str) -> Child:
        single = ["--single"] if self._settings.kafka is None else []
        present = self._children.get("worker")
        more = {"QUAYSIDE_KAFKA": kafka}
        if present is not None and self._settings.metrics_port:
            more["QUAYSIDE_METRICS_PORT"] = "0"  # the present worker still has that one; DATA/run tells which it is
        worker = self._child("worker", ["worker", "--supervised", "--epoch", str(epoch), *single], more)
        if present is None:
            worker.restarts = self._starts.get("worker", 0)
            self._starts["worker"] = worker.restarts + 1
        else:
            worker.restarts = present.restarts
        worker.start()
        return worker

    def _child(self, name: str, arguments: list[str], more: dict[str, str] | None = None) -> Child:
        settings = {"QUAYSIDE_HORIZON": f"{self._settings.horizon}ms", "QUAYSIDE_LOG_LEVEL": self._settings.log_level}
        return Child(
            name,
            [*arguments, "--data", str(self.data)],
            self.data / "logs" / f"{name}.log",
            settings | (more or {}),
        )

    def _whole(self) -> bool:
        """Whether broker and children run; a start cannot go on without them."""
        if not self.broker_alive():
            raise Unreachable("The embedded broker ended while the stack was starting: see logs/broker.log.")
        for child in self.children:
            code = child.exit_code()
            if code in {WrongInput.exit_code, Unreachable.exit_code}:
                raise error_of(code, child.last_words())
            if code is not None:
                raise QuaysideError(
                    f"The {child.name} process ended while the stack was starting: {child.last_words()} "
                    f"(see {self.data}/logs/{child.name}.log)."
                )
        return True

    def _await_port(self, host: str, port: int, name: str, what: str) -> None:
        """Wait until a child listens."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # listening everywhere is here too
        deadline = time.monotonic() + _GATE_PATIENCE_S
        while time.monotonic() < deadline:
            self._whole()
            with contextlib.suppress(OSError), socket.create_connection((host, port), 1):
                return
            time.sleep(_PAUSE_S)
        raise Unreachable(f"{what} did not answer within {_GATE_PATIENCE_S:g} s: see logs/{name}.log.")


def _told_of(child: Child) -> dict[str, int]:
    return {"pid": child.pid, "restarts": child.restarts}


def gate_password(settings: Settings, data: Path) -> str:
    """The password that was set, or one made for this data directory."""
    if settings.gate_password is not None:
        return settings.gate_password.get_secret_value()
    path = data / "gate-password"
    try:
        data.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(18))
        return path.read_text().strip()
    except OSError as error:
        raise unwritable(data, error) from None
