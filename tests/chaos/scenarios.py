"""What is done to the processes, scenario by scenario. Each works on a trial and leaves the comparison to it."""

import signal
import time
from collections.abc import Sequence
from itertools import cycle
from typing import Final

from streams.agents import DERIVATIONS
from tests.chaos.trial import PATIENCE_S, Hanging, Trial
from tests.chaos.workers import Fuse, Worker

_AHEAD: Final = 200
"""Events that are published before a worker starts, so that there is something to do when it is killed."""

_BESIDE: Final = 10
"""... and between two looks at it, while it works."""

_LONGEST_S: Final = 1.0
"""How long a worker works at most before it is killed at a random moment."""

_IN_RECOVERY: Final = 0.25
"""The share of kills at random moments that come while the worker still reads its state back."""

_LARGE_BATCH: Final = 2_000
"""For the last worker, which only has to finish."""

_LOOK_S: Final = 0.05
_SESSION_S: Final = {"tansu": 1.0, "kafka": 10.0}
"""After how long without a heartbeat a member counts as gone, as `streams.worker` sets it."""

_AGENTS: Final = tuple(rules().name for rules in DERIVATIONS)
_ONE: Final = "worker-1"


def crashes(trial: Trial, kills: int, per_step: int) -> None:
    """SIGKILL a worker under load: after each step of a batch so many times, and the rest at random moments."""
    told, agents = trial.outcome, cycle(_AGENTS)
    while (left := kills - told.kills) > 0 or _wanting(trial, per_step):
        if told.kills % 4 == 3:
            trial.kill_sink()
        wanting = _wanting(trial, per_step)
        if wanting and trial.chance.random() * left < len(wanting):
            _kill_at_step(trial, Fuse(next(agents), trial.chance.choice(wanting), trial.chance.randint(1, 3)))
        else:
            _kill_at_random(trial)
    trial.crew.start(_ONE, max_batch=_LARGE_BATCH)


def pauses(trial: Trial, times: int) -> None:
    """Stop the only worker past its session, and continue it: nobody took over, and nothing may be lost."""
    trial.crew.start(_ONE)
    for _ in range(times):
        _await_load(trial, _ONE)
        worker = trial.crew.running[_ONE]
        worker.signal(signal.SIGSTOP)
        trial.outcome.lags.append(trial.lag())
        trial.outcome.stops += 1
        trial.load.send(_AHEAD)
        time.sleep(3 * _SESSION_S[trial.outcome.broker])
        worker.signal(signal.SIGCONT)
    trial.under_load(1.0)


def storm(trial: Trial, workers: int, changes: int) -> None:
    """So many workers under load; again and again one dies or leaves, and it or a new one comes.

    A new one makes the group rebalance at once; one that is away makes it rebalance when its session is over.
    """
    names = [f"worker-{number}" for number in range(1, workers + changes + 1)]
    for name in names[:workers]:
        trial.crew.start(name)
        trial.under_load(trial.chance.uniform(0.2, 1.5))
    new = names[workers:]
    for _ in range(changes):
        name = trial.chance.choice(sorted(trial.crew.running))
        _await_load(trial, name)
        trial.under_load(trial.chance.uniform(0.0, 1.5))
        if trial.chance.random() < 0.6:
            trial.crew.kill(name)
            _is_counted(trial, 0, 0)
        else:
            trial.terminate(name)
        trial.under_load(trial.chance.uniform(0.0, 1.5))
        trial.crew.start(name if trial.chance.random() < 0.3 else new.pop(0))
    trial.under_load(1.0)


def zombies(trial: Trial, steps: Sequence[int]) -> None:
    """Stop one of two workers after a step (0: at any moment), past its session, and continue it afterwards.

    By then the other has taken everything over. The first is fenced and ends, and is started again.
    """
    trial.crew.start("worker-2")
    _await_load(trial, "worker-2")
    for step in steps:
        agent, count = trial.chance.choice(_AGENTS[:3]), trial.chance.randint(2, 4)
        zombie = trial.crew.start(_ONE, Fuse(agent, step, count, signal.SIGSTOP) if step else None)
        _await_load(trial, _ONE)
        if step:
            _await_fuse(trial, zombie)
        else:
            trial.load.send(_AHEAD)
            zombie.signal(signal.SIGSTOP)
        trial.outcome.lags.append(trial.lag())
        trial.outcome.stops += 1
        trial.under_load(_SESSION_S["kafka"] + 1.0, rate=100)
        trial.await_("the other worker takes everything over", lambda: trial.lag() == 0)
        trial.load.send(_AHEAD)
        zombie.signal(signal.SIGCONT)
        trial.under_load(trial.chance.uniform(2.0, 4.0), rate=100)
        trial.settle()
        trial.terminate(_ONE)


def broker_restarts(trial: Trial, outages: Sequence[tuple[str, float]]) -> None:
    """Restart Apache Kafka under two workers: each time it is `killed` or `stopped`, and away for so many seconds."""
    assert trial.kafka is not None
    for name in (_ONE, "worker-2"):
        trial.crew.start(name)
    for way, away_s in outages:
        for name in (_ONE, "worker-2"):
            _await_load(trial, name)
        trial.under_load(trial.chance.uniform(0.2, 1.0))
        trial.load.send(_AHEAD)
        trial.outcome.lags.append(trial.lag())
        trial.load.send(_AHEAD)
        if way == "killed":
            trial.kafka.kill()
        else:
            trial.kafka.stop()
        trial.outcome.broker_restarts += 1
        until = time.monotonic() + away_s
        while time.monotonic() < until:
            trial.tend()
            time.sleep(_LOOK_S)
        trial.kafka = trial.kafka.restarted()
        trial.load.reconnect()
        trial.under_load(2.0)
        trial.settle()


def _wanting(trial: Trial, per_step: int) -> list[int]:
    """The steps after which no worker was killed so many times; each as often as it is wanting."""
    told = trial.outcome.steps
    return [step for step in sorted(trial.crew.journal.steps) for _ in range(per_step - told[step])]


def _kill_at_random(trial: Trial) -> None:
    """Start a worker and kill it at some moment of its work; again, if nothing was left to do at that moment."""
    while True:
        until = None
        in_recovery = trial.chance.random() < _IN_RECOVERY
        trial.load.send(_AHEAD)
        worker = trial.crew.start(_ONE)
        sent = 0
        deadline = time.monotonic() + PATIENCE_S
        while worker.exit_code is None and (until is None or time.monotonic() < until):
            sent = _beside(trial, worker, deadline)
            if until is None and (worker.has_begun() if in_recovery else worker.has_passed_a_step()):
                until = time.monotonic() + trial.chance.uniform(0.0, _LONGEST_S)
        if worker.exit_code is not None:
            trial.crew.tend()
            trial.crew.kill(_ONE)
            continue
        trial.crew.kill(_ONE)
        if _is_counted(trial, 0, sent):
            return


def _kill_at_step(trial: Trial, fuse: Fuse) -> None:
    """Start a worker that kills itself after a step; again, if nothing was left to do at that moment."""
    while True:
        trial.load.send(_AHEAD)
        worker = trial.crew.start(_ONE, fuse)
        sent = 0
        deadline = time.monotonic() + PATIENCE_S
        while worker.exit_code is None:
            sent = _beside(trial, worker, deadline)
        if not worker.has_burnt():
            trial.crew.tend()
            trial.crew.kill(_ONE)
            continue
        trial.crew.bury(_ONE)
        if _is_counted(trial, fuse.step, sent):
            return


def _is_counted(trial: Trial, step: int, sent_since: int) -> bool:
    """Note a kill, if it was one under load; what was published after it does not count as load."""
    left = trial.lag() - sent_since
    if left <= 0:
        return False
    trial.outcome.lags.append(left)
    trial.outcome.steps[step] += 1
    return True


def _beside(trial: Trial, worker: Worker, deadline: float) -> int:
    """Publish a little if the worker is at work, and wait a moment; how much."""
    if time.monotonic() > deadline:
        raise Hanging(f"{worker.log} has come to no end within {PATIENCE_S:g} s")
    trial.sink.tend()
    sent = trial.load.send(_BESIDE) if worker.has_begun() else 0
    time.sleep(_LOOK_S)
    return sent


def _await_load(trial: Trial, name: str) -> None:
    """Publish until a worker has taken a batch."""
    trial.load.send(_AHEAD)

    def has_begun() -> bool:
        trial.load.send(_BESIDE)
        return trial.crew.running[name].has_begun()

    trial.await_(f"{name} begins", has_begun)


def _await_fuse(trial: Trial, worker: Worker) -> None:
    def has_burnt() -> bool:
        trial.load.send(_BESIDE)
        return worker.has_burnt()

    trial.await_(f"the fuse of {worker.log} burns down", has_burnt)
