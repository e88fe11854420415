"""Going on in another broker, while the gate stays up and the views know nothing of it.

The embedded broker keeps all that it is given, in memory: changelogs and states that newer ones have replaced, too.
So when it holds too much (QUAYSIDE_BROKER_LIMIT), the stack goes on in a new one, under a new epoch:

1. settle: what the old broker got up to now is in the history, judged;
2. a new broker with a worker of its own, into which the store replays that, while the old ones go on;
3. hold back who publishes (deploy/following.py), settle the old broker, replay the rest, settle the new one, and look
   whether somebody has written to the old one past our door meanwhile: if so, once more;
4. the views show the new epoch, publishers go on in the new broker, and the old one is stopped.

Nobody publishes between the old epoch's last state and the new one's first, and both follow from the same events; so
the views go from one to the other with the same figures. If the old broker has died, what it had beyond the history
comes from the spool, and publishers wait from the beginning.
"""

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from deploy.embedded import EmbeddedStack, Life
from deploy.following import nobody_publishes, somebody_loads
from deploy.publishing_again import accepting_topics
from deploy.replayed import FINISH, MOVE_TO, Move
from deploy.settings import Settings
from schemas.errors import QuaysideError
from streams.settling import Ends, ends_of, settle

_GROWTH: Final = 2
"""A rebuilt broker holds the whole history: it is not worth another rebuild before it holds so many times as much."""

_TURNS: Final = 5
_PUBLISHERS_S: Final = 10.0
_PAUSE_S: Final = 0.05


class Limits:
    """Whether the broker holds more than it should; to be asked now and then."""

    def __init__(self, settings: Settings) -> None:
        self._bytes = settings.broker_limit
        self._records = settings.broker_records
        self._life = 0
        self._bytes_then = 0
        self._records_then = 0

    def are_passed(self, stack: EmbeddedStack) -> bool:
        """Whether the stack should go on in another broker now; twice past the limit it no longer waits for a load."""
        life = stack.life
        held = resident_bytes(life.broker.process.pid)
        records = sum(ends_of(stack.kafka, accepting_topics()).values()) if self._records else 0
        if life.epoch != self._life:
            self._life, self._bytes_then, self._records_then = life.epoch, held, records
        over = held / max(self._bytes, _GROWTH * self._bytes_then)
        if self._records:
            over = max(over, (records - self._records_then) / self._records)
        return over > 1 and (over > _GROWTH or not somebody_loads(stack.data))


def rotate(stack: EmbeddedStack, look: Callable[[], None]) -> None:
    """Go on in another broker; returns when the old one has been stopped.

    `look`: called a few times a second; raises where it makes no sense to go on. Then, as with any other error, the
    whole stack has to be started anew.
    """
    left = stack.life
    if left.broker.alive():
        _from_living(stack, left, look)
    else:
        _from_dead(stack, left, look)
    stack.leave(left)


def resident_bytes(pid: int) -> int:
    """How much memory a process holds; 0 for one that is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        pass
    told = subprocess.run(
        ["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False
    )  # macOS has no /proc
    return int(told.stdout.strip() or 0) * 1024


def _from_living(stack: EmbeddedStack, left: Life, look: Callable[[], None]) -> None:
    def alive() -> bool:
        look()
        return True

    ends = ends_of(left.broker.address, accepting_topics())
    settle(left.broker.address, alive=alive)
    coming = stack.begin_life()
    stack.store.tell(_move(coming, left, ends).line(MOVE_TO))
    stack.await_told("most", look, coming.epoch)
    stack.settle_rebuild(coming.broker.address, look, quiet=False)
    while not _take_over(stack, left, coming, ends, alive):
        look()


def _take_over(stack: EmbeddedStack, left: Life, coming: Life, ends: Ends, alive: Callable[[], bool]) -> bool:
    """Move all that is left while nobody publishes; False if somebody did not let go of a batch."""
    stack.hold(moving=True)
    deadline = time.monotonic() + _PUBLISHERS_S
    while time.monotonic() < deadline:
        alive()
        with nobody_publishes(stack.data) as held:
            if held:
                _take_rest(stack, left, coming, ends, alive)
                return True
        time.sleep(_PAUSE_S)
    stack.hold(moving=False)
    time.sleep(_PUBLISHERS_S / 2)
    return False


def _take_rest(stack: EmbeddedStack, left: Life, coming: Life, ends: Ends, alive: Callable[[], bool]) -> None:
    for turn in range(1, _TURNS + 1):
        now = ends_of(left.broker.address, accepting_topics())
        settle(left.broker.address, alive=alive)
        stack.store.tell(_move(coming, left, ends).line(FINISH))
        stack.await_told("whole", alive, coming.epoch, turn)
        stack.settle_rebuild(coming.broker.address, alive)
        ends = now
        if ends_of(left.broker.address, accepting_topics()) == ends:
            break
    stack.adopt(moving=True)
    stack.end_rebuild(alive)


def _from_dead(stack: EmbeddedStack, left: Life, look: Callable[[], None]) -> None:
    left.worker.stop(0)
    coming = stack.begin_life()
    stack.adopt(moving=True)
    stack.store.tell(_move(coming, left, None).line(MOVE_TO))
    stack.await_told("whole", look)
    stack.publish_spool()
    stack.settle_rebuild(coming.broker.address, look)
    stack.end_rebuild(look)


def _move(coming: Life, left: Life, ends: Ends | None) -> Move:
    told = None if ends is None else {f"{topic}/{number}": end for (topic, number), end in ends.items()}
    return Move(coming.broker.address, coming.epoch, left.epoch, told)


class Broken(QuaysideError):
    """What a move needs has ended meanwhile."""
