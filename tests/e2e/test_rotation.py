"""The stack goes on in another broker: nothing is lost, nothing counts twice, and nobody who asks notices."""

import json
import os
import random
import signal
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import pytest

from deploy.bench.mix import mix
from deploy.gate_client import raw
from deploy.stackfile import StackFile, is_alive, require_running
from schemas.errors import QuaysideError
from schemas.topics import of_kind
from schemas.wire import Rejection, read
from tests.e2e.recent import moment, movement
from tests.e2e.stack import ORPHANS_S, Stack, await_, new_stack, running_stack
from tests.e2e.truth import assert_follows, history, shown
from tests.streams.told import milestone

if TYPE_CHECKING:
    import subprocess

pytestmark = pytest.mark.tansu

_FACTS: Final = tuple(topic.name.replace(".", "_") for topic in of_kind("fact"))
_STORED: Final = " + ".join(f"(SELECT count() FROM {table} FINAL)" for table in _FACTS)  # noqa: S608  # our own names
_POLL_S: Final = 0.1
_PIECE: Final = 30


class Poller:
    """Asks the gate every 100 ms, from a thread of its own: each answer, and whatever went wrong."""

    def __init__(self, stack: StackFile, sql: str) -> None:
        self.answers: list[list[Any]] = []
        self.failures: list[str] = []
        self._stack = stack
        self._sql = sql
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._done.wait(_POLL_S):
            try:
                self.answers.append(json.loads(raw(self._stack, self._sql, "JSONCompact"))["data"])
            except QuaysideError as error:
                self.failures.append(str(error))


class Feeding:
    """A `publish -` that is fed piece by piece, as a supplier's program would, until it is told to stop."""

    def __init__(self, stack: Stack, lines: list[bytes], pause_s: float) -> None:
        self.fed: list[bytes] = []
        self._lines = iter(lines)
        self._pause_s = pause_s
        self._done = threading.Event()
        self._process: subprocess.Popen[bytes] = stack.begin("publish", "-")
        self._thread = threading.Thread(target=self._feed, daemon=True)
        self._thread.start()

    def _feed(self) -> None:
        pipe = self._process.stdin
        assert pipe is not None
        while not self._done.wait(self._pause_s):
            piece = [line for line, _ in zip(self._lines, range(_PIECE), strict=False)]
            if not piece:
                break
            pipe.write(b"".join(line + b"\n" for line in piece))
            pipe.flush()
            self.fed += piece

    def end(self) -> tuple[int, str]:
        """Let it come to its end; its exit code and what it complained of."""
        self._done.set()
        self._thread.join()
        try:
            _, said = self._process.communicate(timeout=120)
        finally:
            self._process.kill()
            self._process.wait()
        return self._process.returncode, said.decode()


def assert_accounted(stack: Stack) -> None:
    """Each record that the present broker got is in the history once: stored, dead, or noted as replayed."""
    tables = (*_FACTS, "replayed_records", "dead_letter_records")
    present = "WHERE epoch = (SELECT epoch FROM current_epoch)"
    ours = "AND topic LIKE '%.events'"  # a line that `publish` refused was never in a topic of events
    counts = [
        int(stack.row(f"SELECT count() FROM {table} FINAL {present} {ours if 'dead' in table else ''}")[0])  # noqa: S608  # our own names
        for table in tables
    ]
    assert sum(counts) == stack.status()["events"], dict(zip(tables, counts, strict=True))


def assert_whole(stack: Stack, published: Iterable[bytes]) -> None:
    """What was published is there, and the views are what follows from it."""
    kept = history(stack)
    there = {record.raw for record in kept}
    gone = [line for line in published if line not in there]
    assert not gone, f"{len(gone)} published events are lost, such as {gone[:3]}"
    assert_follows(stack, kept)
    assert_accounted(stack)


def epoch_of(stack: Stack) -> int:
    """The epoch in which the stack is at home; 0 while it moves."""
    told = stack.file()
    return 0 if told is None or told.moving else told.epoch


def lines_of(events: int, seed: int, first: int = 0) -> list[bytes]:
    """Events of all kinds, of today and yesterday, without those of the demo's mistakes that are no events."""
    now = time.time_ns() // 1_000_000
    told = mix(events, seed, now, first)
    return [one.value for one in told if not isinstance(read(one.topic, one.value, now), Rejection)]


@pytest.mark.slow
def test_under_load_the_stack_moves_from_broker_to_broker_and_nobody_who_asks_notices(tmp_path: Path) -> None:
    with running_stack(tmp_path / "data", QUAYSIDE_BROKER_RECORDS="300") as stack:
        stored = f"SELECT {_STORED}"
        with Poller(require_running(stack.data), stored) as poller:
            feeding = Feeding(stack, lines_of(20_000, 1), 0.1)
            await_("three moves", lambda: epoch_of(stack) >= 4)
            code, said = feeding.end()
        stack.note()
        assert (code, said) == (0, "")
        assert poller.failures == []
        counts = [int(rows[0][0]) for rows in poller.answers]
        assert counts == sorted(counts)
        stack.settled()
        assert len(feeding.fed) > 1_000
        assert_whole(stack, feeding.fed)
        assert {name: told["restarts"] for name, told in require_running(stack.data).processes.items()} == {
            "broker": 0, "store": 0, "worker": 0, "gateway": 0, "board": 0,
        }  # fmt: skip


def test_the_views_show_the_same_before_and_after_a_move_with_all_that_is_late(tmp_path: Path) -> None:
    lines = [movement("received", 1, 3, site=f"S{number % 7}", event_id=f"m{number}").raw for number in range(60)]
    for number in range(80):
        shipment = f"LATE-{number}"
        lines += [_milestone(shipment, "departed", -40, "actual"), _milestone(shipment, "delivered", -20, "planned")]
    told = "arraySort(groupArray((entity, kind, opened_at)))"
    sql = f"SELECT epoch, {told} FROM exceptions_open, current_epoch GROUP BY epoch"  # noqa: S608  # our own words
    with (
        running_stack(tmp_path / "data", QUAYSIDE_BROKER_RECORDS="200") as stack,
        Poller(require_running(stack.data), sql) as poller,
    ):
        stack.publish(lines).done()
        before = shown(stack)
        await_("a move", lambda: epoch_of(stack) >= 2)
        assert shown(stack) == before
        stack.settled()
        looked = len(poller.answers)
        await_("two more looks", lambda: len(poller.answers) > looked + 2)
        found: dict[int, list[Any]] = {}
        for rows in poller.answers:
            for epoch, open_now in rows:
                found.setdefault(int(epoch), []).append(open_now)
        assert list(found) == [1, 2]
        assert len(found[1][-1]) >= 80
        assert all(open_now == found[1][-1] for open_now in found[2])
        assert poller.failures == []


def _milestone(shipment: str, name: str, hour: float, classifier: str) -> bytes:
    said = {"occurred_at": moment(hour), "recorded_at": moment(-48)}
    return milestone(shipment, name, hour, classifier, **said).raw


def test_a_broker_that_dies_gives_way_to_another_one_while_the_gate_stays_up(tmp_path: Path) -> None:
    with running_stack(tmp_path / "data") as stack, Poller(require_running(stack.data), f"SELECT {_STORED}") as poller:
        feeding = Feeding(stack, lines_of(10_000, 2), 0.05)
        await_("events", lambda: bool(poller.answers) and int(poller.answers[-1][0][0]) > 400)
        os.kill(stack.note()["broker"], signal.SIGKILL)
        await_("another broker", lambda: epoch_of(stack) >= 2)
        more = len(feeding.fed)
        await_("it takes events", lambda: len(feeding.fed) > more + 1_000)
        code, said = feeding.end()
        assert (code, said) == (0, "")
        assert poller.failures == []
        counts = [int(rows[0][0]) for rows in poller.answers]
        assert counts == sorted(counts)
        stack.settled()
        assert_whole(stack, feeding.fed)


@pytest.mark.slow
@pytest.mark.chaos
@pytest.mark.timeout(900)
def test_killed_again_and_again_and_in_the_middle_of_moves(tmp_path: Path) -> None:
    seed = int(os.environ.get("CHAOS_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"to repeat this: CHAOS_SEED={seed}")  # noqa: T201  # the way to repeat a failure
    chance = random.Random(seed)
    published: list[bytes] = []
    with new_stack(tmp_path / "data", QUAYSIDE_BROKER_RECORDS="2000") as stack:
        stack.up()
        for number in range(int(os.environ.get("CHAOS_KILLS", "12"))):
            lines = lines_of(10_000, 3, first=10 * (number + 1))
            feeding = Feeding(stack, lines, 0.05)
            pids = _at_some_moment(stack, chance)
            name = chance.choice(("supervisor", "broker", "store", "worker", *(["next broker"] * 2), "next worker"))
            name = name if name in pids else "supervisor"
            print(f"{number}: {name} of {sorted(pids)}")  # noqa: T201  # what to look at
            os.kill(pids[name], signal.SIGKILL)
            await_(f"{name} is gone", lambda pid=pids[name]: not is_alive(pid))  # type: ignore[misc]  # a default
            if name == "supervisor":
                stack.assert_gone(ORPHANS_S)
                feeding.end()
                stack.up()
            else:
                await_("it is whole again", stack.is_ready)
                code, said = feeding.end()
                # The gate, which the door asks, goes down with the store, and where a move cannot go on.
                assert code == 0 or (code == 3 and "gate" in said), said
                published += feeding.fed if code == 0 else []
            stack.note()
        stack.settled()
        assert_whole(stack, published)


def _at_some_moment(stack: Stack, chance: random.Random) -> dict[str, int]:
    """The processes at a random moment, in half of the cases while the stack moves."""
    if chance.random() < 0.6:
        await_("a move", lambda: "next broker" in stack.note())
    time.sleep(chance.random() * 4)
    return stack.note()
