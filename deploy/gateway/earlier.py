"""What was said of an event before: remembered, or asked of the history, so that a correction keeps its key.

Nobody waits long for the history: where it does not answer in time, or not at all, events are taken unchecked and
counted; what moved all the same is reported by `quayside audit`.
"""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from typing import Final

from deploy.door import Door
from deploy.gateway.tally import Tally
from schemas.errors import QuaysideError
from schemas.event import Event
from schemas.wire import Rejection

REMEMBERED: Final = 100_000
"""Of so many events their key is remembered: some 30 MB."""

_PATIENCE_S: Final = 0.25
"""Who sends an event waits no longer than this for the history."""

_PAUSE: Final = 1.0
"""After an answer the history is left alone for so many times as long as that took, so that it has time for others."""

_LONGEST_PAUSE_S: Final = 0.02
_SLOW_PAUSE: Final = 10.0
_FAILED_PAUSE_S: Final = 2.0

_log: Final = logging.getLogger("quayside.gateway")


class Earlier:
    """For one thread at a time. `door`: remembers and asks; `clock` in seconds, never back."""

    def __init__(
        self,
        door: Door,
        tally: Tally,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._door: Final = door
        self._tally: Final = tally
        self._clock: Final = clock
        self._sleep: Final = sleep
        self._asking: Future[None] | None = None
        self._asked_at = 0.0
        self._not_before = 0.0
        self._thread: Final = ThreadPoolExecutor(1, thread_name_prefix="earlier")
        self._forgotten: list[Event] = []

    def look_up(self, events: Iterable[Event]) -> None:
        """Learn under which key these events were sent before, as far as the history tells it in time."""
        taken_back, self._forgotten = self._forgotten, []
        self._door.forget(taken_back)
        self._door.trim()
        unknown = [event for event in events if not self._door.knows(event)]
        if unknown and not self._ask(unknown):
            self._tally.unchecked += len(unknown)

    def judge(self, event: Event, news: list[Event]) -> Event | Rejection:
        """The event, or why it may not be what it says; one that nobody knew is added to `news`."""
        if not self._door.knows(event):
            news.append(event)
        return self._door.moved(event) or event

    def forget(self, events: Sequence[Event]) -> None:
        """Take back that these were said, since they were not kept; from any thread."""
        self._forgotten.extend(events)

    def undo(self, events: Sequence[Event]) -> None:
        """Take back that these were said, before the next one is judged; from the judging thread."""
        self._door.forget(events)

    def close(self) -> None:
        """Ask no more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _ask(self, unknown: Sequence[Event]) -> bool:
        """Whether the history has answered."""
        if self._asking is not None:
            if not self._asking.done():
                return False
            self._rest(self._asking, (self._clock() - self._asked_at) * _SLOW_PAUSE)
        pause = self._not_before - self._clock()
        if pause > _LONGEST_PAUSE_S:
            return False
        if pause > 0:
            self._sleep(pause)
        self._asked_at = self._clock()
        self._asking = asking = self._thread.submit(self._door.look_up, unknown)
        try:
            asking.result(_PATIENCE_S)
        except NotYet:
            return False
        except QuaysideError:
            self._rest(asking, 0)
            return False
        self._rest(asking, min((self._clock() - self._asked_at) * _PAUSE, _LONGEST_PAUSE_S))
        return True

    def _rest(self, asked: "Future[None]", pause: float) -> None:
        """Leave the history alone for so many seconds; longer if it could not be asked."""
        self._asking = None
        failure = asked.exception()
        if failure is not None:
            pause = _FAILED_PAUSE_S
            _log.warning("events are taken without asking the history what was said before: %s", failure)
        self._not_before = self._clock() + pause
