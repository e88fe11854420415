"""The embedded stack: broker, store, worker and demo feed, started and stopped in order.

With a Kafka of your own (QUAYSIDE_KAFKA) no broker is started: that one keeps its records and the agents'
state, so its epoch stays, and nothing but the spool is published again.

A life of the broker is an epoch. Starting an epoch: an empty broker, its topics, the store, then the history
replayed into Kafka and the spool published again, then the worker. When all of that can be queried the epoch's
rebuild has ended, and the views show it. Until then they show the epoch before.
"""

import asyncio
import contextlib
import os
import secrets
import socket
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from deploy.broker import Broker, free_port
from deploy.processes import Child
from deploy.publisher import Publisher
from deploy.replayed import EPOCH_ENDED, replayed
from deploy.settings import Settings, unwritable
from deploy.spool import abandoned_files, mark_published, published_files, read_spool, spool_files
from deploy.stackfile import StackFile
from schemas.errors import QuaysideError, Unreachable, WrongInput, error_of
from schemas.topics import of_kind
from streams.administration import committed_offsets, create_topics
from streams.agents import HISTORY_GROUP
from streams.settling import Ends, ends_of, settle

GATE_USER: Final = "quayside"
_GATE_PATIENCE_S: Final = 30.0
_WORKER_GRACE_S: Final = 3.0
_STORE_GRACE_S: Final = 4.0
_PAUSE_S: Final = 0.1
_DRAIN_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Demo:
    """Which demo network is to run."""

    seed: int
    pace: float = 1.0


class EmbeddedStack:
    """The processes of one data directory. Start and stop are for one thread only."""

    def __init__(self, settings: Settings, demo: Demo | None) -> None:
        self.data: Final = settings.data.resolve()
        self.epoch = 0
        self.ended = False
        self._demo: Final = demo
        self._settings: Final = settings
        self._broker: Broker | None = None
        self._gate_port: Final = settings.gate_port or free_port()
        self._password: Final = gate_password(settings, self.data)
        self._children: dict[str, Child] = {}
        self._starts: dict[str, int] = {}
        self._trimming: tuple[list[Path], Ends] | None = None

    @property
    def children(self) -> tuple[Child, ...]:
        """Our own programs, in the order in which they were started."""
        return tuple(self._children.values())

    @property
    def kafka(self) -> str:
        """The broker's host:port in this epoch."""
        return self._settings.kafka or (self._broker.address if self._broker else "")

    def broker_alive(self) -> bool:
        """Whether the embedded broker runs; one of your own is yours to look after."""
        return self._settings.kafka is not None or (self._broker is not None and self._broker.alive())

    def start(self) -> None:
        """Begin a new epoch; returns when what the history and the spool hold can be queried again.

        Raises QuaysideError where a part does not come up.
        """
        logs = self.data / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        self.ended = False
        self._trimming = None
        self._children = {}
        if self._settings.kafka is None:
            self.epoch = _next_epoch(self.data)
            self._broker = Broker.start(logs / "broker.log")
        else:
            self.epoch = self._settings.epoch
            _note_epoch(self.data, max(self.epoch, _last_epoch(self.data)))
        create_topics(self.kafka)
        replaying = ["--replay"] if self._settings.kafka is None else []
        self._launch("store", ["store", "--epoch", str(self.epoch), "--gate-port", str(self._gate_port), *replaying])
        self.describe()
        self._await_gate()
        brought_back = self._bring_back()
        embedded = ["--single"] if self._settings.kafka is None else []
        self._launch("worker", ["worker", "--supervised", "--epoch", str(self.epoch), *embedded])
        if brought_back:
            settle(self.kafka, alive=self._whole)
        self.ended = True
        self._children["store"].tell(f"{EPOCH_ENDED} {self.epoch}")
        if self._demo is not None:
            arguments = ["demo-feed", "--seed", str(self._demo.seed), "--pace", str(self._demo.pace)]
            self._launch("demo", arguments)
        self.describe()

    def restart(self, child: Child) -> None:
        """Start a child again that has ended."""
        child.restarts += 1
        self._starts[child.name] += 1
        child.start()
        if child.name == "store" and self.ended:
            child.tell(f"{EPOCH_ENDED} {self.epoch}")
        self.describe()

    def stop(self) -> None:
        """End everything, sources first; what is not yet in the history is in the spool."""
        for child in self._children.values():
            if child.name != "store":
                child.ask_to_stop()
        if "demo" in self._children:
            self._children["demo"].stop(_WORKER_GRACE_S)
        self._drain()
        for name, grace in (("demo", _WORKER_GRACE_S), ("worker", _WORKER_GRACE_S), ("store", _STORE_GRACE_S)):
            if name in self._children:
                self._children[name].stop(grace)
        if self._broker is not None:
            self._broker.stop()
            self._broker = None

    def describe(self, *, ready: bool = False, grafana: str | None = None) -> None:
        """Write DATA/stack.json."""
        replace(self.stack_file(), ready=ready, grafana=grafana).write(self.data)

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
                self._trimming = files, ends_of(self.kafka, _accepting_topics())
            return
        files, ends = self._trimming
        committed = committed_offsets(self.kafka, (HISTORY_GROUP,))[HISTORY_GROUP]
        if all(committed.get(place, 0) >= end for place, end in ends.items()):
            for path in files:
                path.unlink(missing_ok=True)
            self._trimming = None

    def _drain(self) -> None:
        """Before a stop in order: let the history take what the spool holds, so that it need not go out again."""
        deadline = time.monotonic() + _DRAIN_S
        store = self._children.get("store")
        with contextlib.suppress(QuaysideError):
            while self.broker_alive() and store is not None and store.exit_code() is None:
                self.trim_spool()
                if not published_files(self.data / "spool") or time.monotonic() > deadline:
                    return
                time.sleep(_PAUSE_S)

    def _launch(self, name: str, arguments: list[str]) -> None:
        restarts = self._starts.get(name, 0)
        self._starts[name] = restarts + 1
        child = Child(
            name,
            [*arguments, "--data", str(self.data)],
            self.data / "logs" / f"{name}.log",
            {"QUAYSIDE_HORIZON": f"{self._settings.horizon}ms", "QUAYSIDE_LOG_LEVEL": self._settings.log_level},
        )
        child.restarts = restarts
        self._children[name] = child
        child.start()

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

    def _await_gate(self) -> None:
        deadline = time.monotonic() + _GATE_PATIENCE_S
        while time.monotonic() < deadline:
            self._whole()
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._gate_port), 1):
                return
            time.sleep(_PAUSE_S)
        raise Unreachable(f"The store's gate did not answer within {_GATE_PATIENCE_S:g} s: see logs/store.log.")

    def stack_file(self) -> StackFile:
        """What the stack tells of itself now."""
        return StackFile(
            pid=os.getpid(),
            epoch=self.epoch,
            kafka=self.kafka,
            gate=f"http://127.0.0.1:{self._gate_port}",
            gate_user=GATE_USER,
            gate_password=self._password,
            processes={
                **({"broker": {"pid": self._broker.process.pid, "restarts": 0}} if self._broker else {}),
                **{child.name: {"pid": child.pid, "restarts": child.restarts} for child in self.children},
            },
        )

    def _bring_back(self) -> int:
        """Wait for the history's replay, publish the spool again; how many records both were."""
        count = 0
        if self._settings.kafka is None:
            while (told := replayed(self.data, self.epoch)) is None:
                self._whole()
                time.sleep(_PAUSE_S)
            count = told
        spool = self.data / "spool"
        abandoned = abandoned_files(spool)
        files = spool_files(spool) if self._settings.kafka is None else abandoned
        if files:
            count += asyncio.run(self._publish_again(files))
        for path in abandoned:
            mark_published(path)
        return count

    async def _publish_again(self, files: list[Path]) -> int:
        publisher = Publisher(self.kafka, None, load="spool")
        count = 0
        try:
            for path in files:
                for batch in read_spool(path):
                    await publisher.send(batch)
                    count += len(batch)
        finally:
            await publisher.close()
        return count


def _accepting_topics() -> tuple[str, ...]:
    """The topics that accepted records go to."""
    return (*(topic.name for topic in of_kind("fact")), "dead.letters")


def _next_epoch(data: Path) -> int:
    """A number that no earlier life of this data directory had; on disk before it is used."""
    epoch = _last_epoch(data) + 1
    _note_epoch(data, epoch)
    return epoch


def _last_epoch(data: Path) -> int:
    path = data / "epoch"
    try:
        return int(path.read_text()) if path.exists() else 0
    except ValueError:
        raise WrongInput(
            f"{path} holds no number: write one into it that is not below any epoch of the store."
        ) from None


def _note_epoch(data: Path, epoch: int) -> None:
    path = data / "epoch"
    fresh = path.with_suffix(".new")
    with fresh.open("w") as file:
        file.write(str(epoch))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


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
