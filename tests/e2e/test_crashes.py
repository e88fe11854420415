"""SIGKILL of any process at any moment: what was accepted is not lost, the views follow, nothing is left over."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from deploy.stackfile import is_alive
from tests.e2e.recent import movement
from tests.e2e.stack import ORPHANS_S, Finished, Stack, await_
from tests.e2e.truth import assert_whole

if TYPE_CHECKING:
    import subprocess

pytestmark = pytest.mark.chaos

BATCH: Final = 1_000
"""How many lines `publish` accepts at a time."""

_LONGEST_S: Final = 2.0
"""How long a stack is left in peace at most before the next kill."""


class Chaos:
    """Kills processes of a stack at random moments, and publishes events just before and while it does."""

    def __init__(self, stack: Stack, seed: int) -> None:
        self.stack = stack
        self.published: list[bytes] = []
        """What `publish` said it accepted, or kept for the next start."""

        self._publishing: list[tuple[subprocess.Popen[bytes], list[bytes]]] = []
        self._chance = random.Random(seed)
        self._number = 0

    def kill(self, *names: str) -> None:
        """SIGKILL these processes at once at some moment, in the middle of a `publish`."""
        pids = self.stack.note()
        self._publish_to_the_end(20)
        self._begin_to_publish()
        time.sleep(self._chance.random() * _LONGEST_S)
        for name in names:
            os.kill(pids[name], signal.SIGKILL)
        for name in names:
            await_(f"{name} is gone", lambda pid=pids[name]: not is_alive(pid))  # type: ignore[misc]  # a lambda's default

    def await_children_gone(self) -> None:
        """Nothing of a stack whose supervisor was killed outlives it by more than a few seconds."""
        self.stack.assert_gone(ORPHANS_S)

    def await_whole(self, *names: str, since: dict[str, int]) -> None:
        """Wait until others stand in for the processes that were killed and the stack is ready again."""

        def is_whole() -> bool:
            pids = self.stack.pids()
            return all(pids.get(name) not in {None, since[name]} for name in names) and self.stack.is_ready()

        await_(f"{', '.join(names)} run again", is_whole)
        self.stack.note()

    def _publish_to_the_end(self, count: int) -> None:
        lines = self._lines(count)
        self.stack.publish(lines, "--no-wait").done()
        self.published += lines

    def _begin_to_publish(self) -> None:
        """Begin to publish so many lines that it takes a while; it ends when it ends."""
        lines = self._lines(3_000)
        path = self.stack.data.parent / f"published-{self._number}.ndjson"
        path.write_bytes(b"\n".join(lines))
        self._publishing.append((self.stack.begin("publish", path, "--no-wait"), lines))

    def end_publishing(self) -> list[Finished]:
        """Wait for every `publish`; what it accepted counts, whether it could go on to its end or not.

        Returns what those said that could not go on.
        """
        refusals: list[Finished] = []
        for process, lines in self._publishing:
            try:
                _, said = process.communicate(timeout=90)
            finally:
                process.kill()
                process.wait()
            if process.returncode == 0:
                self.published += lines
                continue
            refusals.append(Finished(process.returncode, "", said.decode()))
            if b"in the spool" in said:  # the first batch was acknowledged, or it is what the sentence speaks of
                self.published += lines[:BATCH]
        self._publishing.clear()
        return refusals

    def _lines(self, count: int) -> list[bytes]:
        self._number += 1
        place = f"CHAOS-{self._number}"
        return [movement("received", 1, 1, site=place, event_id=f"{place}/{number}").raw for number in range(count)]


@pytest.fixture
def chaos(tmp_path: Path) -> Iterator[Callable[..., Chaos]]:
    """Makes chaos for a new stack from a seed that is printed, and ends the stack."""
    made: list[Chaos] = []

    def make(**settings: str) -> Chaos:
        seed = int(os.environ.get("CHAOS_SEED", random.SystemRandom().randrange(1 << 32)))
        print(f"to repeat this: CHAOS_SEED={seed}")  # noqa: T201  # the way to repeat a failure
        made.append(Chaos(Stack(tmp_path / "data", **settings), seed))
        return made[-1]

    yield make
    for one in made:
        one.end_publishing()
        one.stack.close()


def test_the_demo_survives_the_death_of_each_process_and_of_all(chaos: Callable[..., Chaos]) -> None:
    made = chaos()
    stack = made.stack
    stack.up("--demo", "--seed", 5)
    for name in ("store", "worker", "demo", "broker"):
        before = stack.pids()
        made.kill(name)
        made.await_whole(name, since=before)
    made.kill("supervisor")
    made.await_children_gone()
    stack.up("--demo", "--seed", 5)
    made.kill(*stack.pids())
    made.await_children_gone()
    refusals = made.end_publishing()
    stack.up()
    stack.settled()
    assert_whole(stack, made.published)
    for told in refusals:
        told.complaint(3)


@pytest.mark.kafka
def test_worker_and_store_may_die_at_apache_kafka(chaos: Callable[..., Chaos], own_kafka: str) -> None:
    made = chaos(QUAYSIDE_KAFKA=own_kafka)
    stack = made.stack
    stack.up("--demo", "--seed", 6)
    for names in (["store"], ["worker"], ["worker", "store"]):
        before = stack.pids()
        made.kill(*names)
        made.await_whole(*names, since=before)
    before = stack.pids()
    made.kill("supervisor")
    made.await_children_gone()
    refusals = made.end_publishing()
    stack.up()
    stack.settled()
    assert_whole(stack, made.published)
    for told in refusals:
        told.complaint(3)
