"""The worker under test, in a process of its own: the real app, a journal, and a fuse.

`worker_process.py ORDERS`, ORDERS a JSON object as `tests.chaos.workers.Orders` makes it. The journal is a file
of lines, each written at once, so that SIGKILL leaves all of them:

    B TOPIC PARTITION FIRST LAST COUNT   this batch is taken
    F TOPIC PARTITION FIRST LAST COUNT   ... and was left to another worker, untouched
    P AGENT STEP                         a step has been passed
    X AGENT STEP                         the fuse has burnt down: the signal is sent
    A GENERATION                         partitions were assigned, by the so-manieth rebalance of the group
    T AGENT PARTITION COUNT              the agent let time pass, and so many deadlines had
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import faust

from streams.agent import Agent
from streams.worker import WorkerConfig, build


class Journal:
    """What the process has done, for the parent to read when it is gone."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def note(self, *words: object) -> None:
        """Add a line."""
        os.write(self._file, (" ".join(map(str, words)) + "\n").encode())

    def watch(self) -> None:
        """Note every batch that an agent takes, and every time it lets time pass: only there it can be seen."""
        process, tick = Agent.process, Agent.tick

        async def noted_process(agent: Agent, number: int, batches: Mapping[str, Sequence[Any]]) -> bool:
            places = [
                (topic, number, records[0].offset, records[-1].offset, len(records))
                for topic, records in batches.items()
            ]
            for place in places:
                self.note("B", *place)
            taken = await process(agent, number, batches)
            for place in () if taken else places:
                self.note("F", *place)
            return taken

        async def noted_tick(agent: Agent, number: int) -> int:
            passed = await tick(agent, number)
            self.note("T", agent.derivation.name, number, passed)
            return passed

        setattr(Agent, "process", noted_process)  # noqa: B010  # a method cannot be assigned in typed code
        setattr(Agent, "tick", noted_tick)  # noqa: B010


class Fuse:
    """Sends this process a signal when an agent passes a step for the so-manieth time."""

    def __init__(self, journal: Journal, fuse: tuple[str, int, int, int] | None) -> None:
        self._journal = journal
        self._agent, self._step, self._left, self._signal = fuse or ("", 0, 0, 0)

    def passed(self, agent: str, step: int) -> None:
        """Told by the agents."""
        self._journal.note("P", agent, step)
        if (agent, step) == (self._agent, self._step):
            self._left -= 1
            if self._left == 0:
                self._journal.note("X", agent, step)
                os.kill(os.getpid(), self._signal)


def _run(orders: dict[str, Any]) -> None:
    journal = Journal(orders.pop("journal"))
    fuse = Fuse(journal, orders.pop("fuse"))
    journal.watch()
    now: int = orders.pop("now")
    config = WorkerConfig(**orders)
    app = build(config, fuse.passed, lambda: now)

    @app.on_partitions_assigned.connect  # type: ignore[untyped-decorator]  # Faust is untyped
    async def note(*_: Any, **__: Any) -> None:
        journal.note("A", app.consumer_generation_id)

    faust.Worker(app, loglevel=config.loglevel, redirect_stdouts=False).execute_from_commandline()


if __name__ == "__main__":
    _run(json.loads(sys.argv[1]))
