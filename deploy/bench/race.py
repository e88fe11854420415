"""One contender's round: started as a process of its own, watched from outside, stopped.

All are timed alike. The clock starts when the contender's group has its partitions, and stops when the group's
committed offsets have reached the ends of all topics it reads. Our worker has to commit more: also everything that
its agents tell each other. Peers with long commit intervals stop in order once they have handled everything, which
commits, so that no interval is counted against them. Who is not done in time is judged by what it has committed.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from deploy.bench.contenders import OURS, Contender, Place, group_of
from deploy.bench.figures import Run
from deploy.bench.mix import TOPICS as INPUTS
from deploy.bench.mix import Told
from deploy.bench.watching import COPY, PAUSE_S, Offsets, Watcher, copies, cpu_seconds, publish, registered
from deploy.broker import last_line, launch, stop
from schemas.errors import QuaysideError
from schemas.topics import TOPICS
from streams.agents import HISTORY_GROUP, WORKER_GROUP
from streams.settling import ends_of, worker_topics

if TYPE_CHECKING:
    import subprocess

LONGEST_S: Final = 90.0
"""How long a contender may take before it is stopped and judged by what it has committed."""

_GRACE_S: Final = 15.0
_START_S: Final = 60.0


class ContenderFailed(QuaysideError):
    """A contender ended before it was done, or never began."""


@dataclass(frozen=True, slots=True)
class Course:
    """What is the same for all contenders: the broker, the records, and a folder for their files."""

    watcher: Watcher
    told: list[Told]
    copy_ends: Offsets
    folder: Path
    longest_s: float = LONGEST_S

    def run(self, contender: Contender, turn: str) -> Run:
        """One round. Raises ContenderFailed, or NotFetched where its program cannot be had."""
        if contender.name == OURS:
            empty_stack(self.watcher)
            ends = publish(self.watcher.bootstrap, self.told)
            topics = INPUTS
        else:
            ends, topics = self.copy_ends, tuple(copies(INPUTS))
        group = group_of(contender, turn)
        folder = self.folder / f"{contender.name}-{turn}"
        folder.mkdir(parents=True)
        place = Place(self.watcher.bootstrap, group, topics, len(self.told), folder)
        log = folder / "log"
        process = launch(contender.command(place), log)
        try:
            seen = _watch(self.watcher, contender, group, ends, process, self.longest_s)
        finally:
            stop(process, _GRACE_S)
        if seen.begun is None or (not seen.complete and seen.ended_itself):
            raise ContenderFailed(f"{contender.name} ended before it was done (last said: {last_line(log)!r}).")
        names = self.watcher.names()
        run = Run(
            events=seen.events,
            seconds=round(max(seen.last - seen.begun, PAUSE_S), 3),
            cpu_seconds=seen.cpu_seconds,
            changelog_bytes=self.watcher.size(contender.changelogs(names, group)),
            complete=seen.complete,
        )
        if contender.name != OURS:
            self.watcher.remove(name for name in names if group in name)
        return run


def empty_stack(watcher: Watcher) -> None:
    """All topics of the registry anew, and no offsets, as a stack begins."""
    for group in (WORKER_GROUP, HISTORY_GROUP):
        watcher.forget(group)
    watcher.make_anew(TOPICS)


def publish_copies(watcher: Watcher, told: list[Told]) -> Offsets:
    """The peers' topics anew, with a copy of the same bytes; the ends."""
    watcher.make_anew(registered(INPUTS), COPY)
    return publish(watcher.bootstrap, told, COPY)


def is_settled(watcher: Watcher) -> bool:
    """Whether our worker has committed all its inputs, what its agents tell each other too, and no more has come."""
    ends = ends_of(watcher.bootstrap, worker_topics())
    committed = watcher.committed(WORKER_GROUP)
    if any(committed.get(place, 0) < end for place, end in ends.items()):
        return False
    return ends_of(watcher.bootstrap, worker_topics()) == ends


@dataclass(slots=True)
class _Seen:
    """What was seen of a contender, at times by the monotonic clock."""

    begun: float | None = None
    last: float = 0.0
    events: int = 0
    complete: bool = False
    ended_itself: bool = False
    cpu_begun: float | None = None
    cpu_last: float | None = None

    @property
    def cpu_seconds(self) -> float | None:
        """The CPU time between begin and end."""
        if self.cpu_begun is None or self.cpu_last is None:
            return None
        return round(self.cpu_last - self.cpu_begun, 2)


def _watch(
    watcher: Watcher,
    contender: Contender,
    group: str,
    ends: Offsets,
    process: "subprocess.Popen[bytes]",
    longest_s: float,
) -> _Seen:
    """Look at a contender again and again, until it is done, has ended, or its time is up."""
    seen = _Seen()
    everything = sum(ends.values())
    until = time.monotonic() + _START_S
    before = time.monotonic()
    while True:
        ended = process.poll() is not None
        committed = watcher.committed(group)
        now = time.monotonic()
        seen.cpu_last = cpu_seconds(process.pid) or seen.cpu_last
        seen.events = sum(min(committed.get(place, 0), end) for place, end in ends.items())
        if seen.begun is None and (seen.events or watcher.is_joined(group)):
            seen.begun = before if seen.events else now
            seen.cpu_begun = seen.cpu_last
            until = now + longest_s
        seen.last = now
        if seen.events == everything and (contender.name != OURS or is_settled(watcher)):
            seen.complete = True
            return seen
        if ended or now > until:
            seen.ended_itself = ended
            return seen
        before = now
        time.sleep(PAUSE_S)
