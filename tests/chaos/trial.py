"""One trial: a broker with our topics, load, workers and the history sink; in the end the comparison with the truth."""

import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from deploy.broker import launch
from schemas.topics import DEFAULT_PARTITIONS
from streams.administration import committed_offsets, create_topics
from streams.agents import DERIVATIONS, WORKER_GROUP
from streams.settling import ends_of
from tests.brokers import Kafka, await_groups, running_kafka, running_tansu
from tests.chaos.load import Load
from tests.chaos.truth import INPUTS, differences, missing_in_history, offsets_of_inputs, read_back
from tests.chaos.workers import Crew, Setting, last_error, records_again

if TYPE_CHECKING:
    import subprocess

PATIENCE_S: Final = 90.0
"""How long nothing may move before it counts as hanging."""

_EPOCH: Final = 1
_SINK: Final = Path(__file__).with_name("sink_process.py")
_LOOK_S: Final = 0.1
_TICKS: Final = 2
_PLACES: Final = tuple((rules().name, number) for rules in DERIVATIONS for number in range(DEFAULT_PARTITIONS))
_ORDERLY: Final = (0, -signal.SIGTERM)
"""How a worker ends that was asked to: the second while it is still importing and listens to no signal."""


class Hanging(Exception):
    """Something did not come to its end."""


@dataclass(slots=True)
class Outcome:
    """A row of the table. `steps`: kills by the step they aimed at (0: at a random moment)."""

    scenario: str
    broker: str
    seed: int
    steps: Counter[int] = field(default_factory=Counter)
    lags: list[int] = field(default_factory=list)
    """Records not yet processed, at each kill (or stop)."""

    sink_kills: int = 0
    broker_restarts: int = 0
    stops: int = 0
    """How often a worker was stopped past its session and continued."""

    asked: Counter[int] = field(default_factory=Counter)
    """Workers that were asked to stop (SIGTERM), by exit code."""

    rebalances: int = 0
    ended: Counter[int] = field(default_factory=Counter)
    """Workers that ended by themselves, by exit code."""

    last_words: list[str] = field(default_factory=list)
    events: int = 0
    again: int = 0
    differences: list[str] = field(default_factory=list)

    @property
    def kills(self) -> int:
        """How many workers were killed under load."""
        return self.steps.total()


class Sink:
    """The history sink as a supervisor runs it."""

    def __init__(self, bootstrap: str, folder: Path) -> None:
        self._bootstrap: Final = bootstrap
        self._folder: Final = folder
        self.kept: Final = folder / "kept.json"
        self._asked: Final = folder / "kept.asked"
        self._process: subprocess.Popen[bytes] = self._start()

    def kill(self) -> None:
        """SIGKILL, and start it again."""
        self._process.kill()
        self._process.wait()
        self._process = self._start()

    def tend(self) -> None:
        """Start it again if it has ended by itself."""
        if self._process.poll() is not None:
            self._process = self._start()

    def finish(self) -> None:
        """Let it take what is left, write down what it has, and end."""
        self._asked.touch()
        deadline = time.monotonic() + PATIENCE_S
        while not (self.kept.exists() and self._process.poll() is not None):
            if time.monotonic() > deadline:
                raise Hanging(f"the sink has not taken everything within {PATIENCE_S:g} s, see {self._folder}")
            if not self.kept.exists():
                self.tend()
            time.sleep(_LOOK_S)

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()

    def _start(self) -> "subprocess.Popen[bytes]":
        arguments = [self._folder / "store", self._bootstrap, _EPOCH, self._asked, self.kept]
        return launch([sys.executable, "-P", str(_SINK), *map(str, arguments)], self._folder / "sink.log")


class Trial:
    """What a scenario works with. `chance`: where all that is random comes from."""

    def __init__(self, scenario: str, broker: str, bootstrap: str, folder: Path, seed: int) -> None:
        self.outcome: Final = Outcome(scenario, broker, seed)
        self.chance: Final = random.Random(f"{seed}/{scenario}/{broker}")
        self.bootstrap: Final = bootstrap
        self.kafka: Kafka | None = None
        create_topics(bootstrap)
        self.load: Final = Load(bootstrap, seed)
        self.crew: Final = Crew(Setting(bootstrap, _EPOCH, broker == "tansu", folder, self.load.now_ms))
        self.sink: Final = Sink(bootstrap, folder)

    def lag(self) -> int:
        """Records that the workers have not processed yet."""
        committed = committed_offsets(self.bootstrap, [WORKER_GROUP])[WORKER_GROUP]
        return sum(max(0, end - committed.get(place, 0)) for place, end in ends_of(self.bootstrap, INPUTS).items())

    def kill_sink(self) -> None:
        """SIGKILL the history sink, and start it again."""
        self.sink.kill()
        self.outcome.sink_kills += 1

    def terminate(self, name: str) -> None:
        """SIGTERM a worker, and wait for its end."""
        worker = self.crew.running[name]
        code = self.crew.terminate(name)
        self.outcome.asked[code] += 1
        if code not in _ORDERLY:
            self.crew.last_words.append(f"{worker.name}, asked to stop, ended with {code}: {last_error(worker.log)}")

    def tend(self) -> None:
        """Start again whoever has ended by itself."""
        self.crew.tend()
        self.sink.tend()

    def under_load(self, seconds: float, rate: int = 300) -> None:
        """Publish so many events a second for a while, tending the processes."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.tend()
            self.load.send(max(1, int(rate * _LOOK_S)))
            time.sleep(min(_LOOK_S, left))

    def await_(self, what: str, holds: Callable[[], bool]) -> None:
        """Wait until something holds, tending the processes.

        Raises:
            Hanging: It does not for 90 s.
        """
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            if time.monotonic() > deadline:
                self.crew.cry()
                raise Hanging(f"not within {PATIENCE_S:g} s: {what}")
            self.tend()
            time.sleep(_LOOK_S)

    def settle(self) -> None:
        """Wait until the workers have processed everything.

        Raises:
            Hanging: Nothing moves for 90 s.
        """
        least, moved_at = self.lag() + 1, time.monotonic()
        while left := self.lag():
            self.tend()
            if left < least:
                least, moved_at = left, time.monotonic()
            elif time.monotonic() - moved_at > PATIENCE_S:
                self.crew.cry()
                raise Hanging(f"{left} records are not taken for {PATIENCE_S:g} s, see {self.crew.setting.folder}")

    def settle_all(self) -> None:
        """As `settle`, until time passes and no deadline is left that has passed.

        Raises:
            Hanging: Nothing moves for 90 s.
        """
        while True:
            self.settle()
            looked, passed = self._ticks()

            def time_has_passed(looked: Counter[tuple[str, int]] = looked) -> bool:
                now, _ = self._ticks()
                return all(now[place] >= looked[place] + _TICKS for place in _PLACES)

            self.await_("time passes in every partition of every agent", time_has_passed)
            if not self.lag() and passed == self._ticks()[1]:
                return

    def _ticks(self) -> tuple[Counter[tuple[str, int]], int]:
        """How often time has passed in each partition of each agent, and how many deadlines had passed altogether."""
        looked: Counter[tuple[str, int]] = Counter()
        passed = 0
        for worker in self.crew.running.values():
            for place, ticks in worker.ticks().items():
                looked[place] += len(ticks)
                passed += sum(ticks)
        return looked, passed

    def conclude(self) -> Outcome:
        """Settle, end all processes, and compare what is there with the truth."""
        told = self.outcome
        self.settle_all()
        for name in list(self.crew.running):
            self.terminate(name)
        self.sink.finish()
        logs = read_back(self.bootstrap)
        told.events = self.load.sent
        told.again, never = records_again(self.crew.journal.batches, offsets_of_inputs(logs))
        told.ended, told.last_words = self.crew.ended, self.crew.last_words
        told.rebalances = len(self.crew.journal.generations)
        if never:
            told.differences.append(f"{never} records were taken by no worker")
        told.differences += differences(logs, self.load.now_ms)
        told.differences += missing_in_history(logs, self.sink.kept)
        return told

    def close(self) -> None:
        """End everything."""
        self.crew.close()
        self.sink.close()
        self.load.close()


@contextmanager
def on_tansu(scenario: str, folder: Path, seed: int) -> Iterator[Trial]:
    """A trial on an embedded broker of its own; its processes end with it. The seed is printed."""
    with running_tansu(folder) as broker, _trial(scenario, "tansu", broker.address, folder, seed) as made:
        yield made


@contextmanager
def on_kafka(scenario: str, folder: Path, seed: int) -> Iterator[Trial]:
    """As `on_tansu`, on an Apache Kafka of its own. Raises NoKafka."""
    with running_kafka() as broker:
        await_groups(broker.address)
        with _trial(scenario, "kafka", broker.address, folder, seed) as made:
            made.kafka = broker
            try:
                yield made
            finally:
                made.kafka.kill()  # the last life of it, if it was restarted


@contextmanager
def _trial(scenario: str, broker: str, bootstrap: str, folder: Path, seed: int) -> Iterator[Trial]:
    print(f"chaos: {scenario} on {broker}, --seed {seed}, logs in {folder}", flush=True)  # noqa: T201
    made = Trial(scenario, broker, bootstrap, folder, seed)
    try:
        yield made
    finally:
        made.close()
