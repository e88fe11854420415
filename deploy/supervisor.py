"""Keeps an embedded stack running: restarts what ends, and goes on in another broker when that is full or has ended."""

import fcntl
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final, TextIO

from deploy.embedded import Demo, EmbeddedStack
from deploy.processes import Child
from deploy.rotation import Broken, Limits, rotate
from deploy.settings import Settings, unwritable
from deploy.stackfile import forget, running
from schemas.errors import QuaysideError, WrongInput, error_of

_RESTARTS: Final = 10
_WITHIN_S: Final = 60.0
_TRIM_EVERY_S: Final = 2.0
_LOCK_TRIES: Final = 10
_LOCK_PAUSE_S: Final = 0.05


class Supervisor:
    """One stack on one data directory. `news` is told what a person should know, in one sentence each."""

    def __init__(self, settings: Settings, demo: Demo | None, news: Callable[[str], None]) -> None:
        self.stack: Final = EmbeddedStack(settings, demo)
        self._news = news
        self._lock = _locked(self.stack.data)
        self._restarts: deque[float] = deque(maxlen=_RESTARTS)
        self._trimmed_at = 0.0
        self._limits = None if settings.kafka else Limits(settings)
        self._asked_to_move = False

    def start(self) -> None:
        """Bring the stack up. Raises QuaysideError; what had been started is stopped then."""
        try:
            self.stack.start()
        except BaseException:
            self.stop()
            raise

    def ask_to_move(self) -> None:
        """Go on in a new broker at the next look; a Kafka of your own is yours to rebuild."""
        self._asked_to_move = self._limits is not None

    def watch(self) -> None:
        """Look after the stack once; to be called a few times a second. Raises when it keeps failing."""
        if not self.stack.broker_alive():
            self._news("The broker ended: the stack goes on in a new one, with the history and the spool.")
            self._count("the broker")
            self._rotate("the broker")
            return
        self._revive_all()
        if self._asked_to_move:
            self._asked_to_move = False
            self._news("The stack was asked to go on in a new broker, rebuilt from the history.")
            self._rotate("the move to a new broker")
            self._news(f"The stack goes on in epoch {self.stack.epoch}.")
            return
        if time.monotonic() - self._trimmed_at > _TRIM_EVERY_S:
            self._trimmed_at = time.monotonic()
            self._trim()
            if self._is_full():
                self._news("The broker holds more than its limit: the stack goes on in a new one.")
                self._rotate("the move to a new broker")
                self._news(f"The stack goes on in epoch {self.stack.epoch}.")

    def _rotate(self, what: str) -> None:
        """Go on in another broker; if that does not succeed, everything goes down and comes up again."""
        try:
            if self.stack.store.exit_code() is not None:
                raise Broken("The store ended, too.")
            rotate(self.stack, self._look)
        except WrongInput:
            raise
        except QuaysideError as error:
            self._news(f"{error} The whole stack goes down and comes up again from the history and the spool.")
            self._start_anew(what)

    def _look(self) -> None:
        """See that a move can go on: the store knows how far it is, and the brokers hold the records."""
        present, coming = self.stack.life, self.stack.coming
        if self.stack.store.exit_code() is not None:
            raise Broken("The store ended while the stack moved to another broker.")
        if not present.broker.alive() or (coming is not None and not coming.broker.alive()):
            raise Broken("A broker ended while the stack moved to another one.")
        self._revive_all()

    def _revive_all(self) -> None:
        for child in self.stack.children:
            code = child.exit_code()
            if code is not None:
                self._revive(child, code)

    def _is_full(self) -> bool:
        try:
            return self._limits is not None and self._limits.are_passed(self.stack)
        except QuaysideError:
            return False  # the broker does not answer just now; the next look tells why

    def _start_anew(self, what: str) -> None:
        """Everything down and up again, as often as it takes: processes may die while others come up."""
        self.stack.hold(moving=True)
        while True:
            self._count(what)
            self.stack.stop()
            try:
                self.stack.start()
            except WrongInput:
                raise
            except QuaysideError as error:
                what = str(error)
                self._news(f"The stack did not come up again: {error} It is tried again.")
            else:
                return

    def stop(self) -> None:
        """Stop everything and forget the stack."""
        self.stack.stop()
        forget(self.stack.data)
        self._lock.close()

    def _revive(self, child: Child, code: int) -> None:
        if code == WrongInput.exit_code:
            raise error_of(code, child.last_words())
        self._count(f"the {child.name} process ({child.last_words()})")
        self._news(f"The {child.name} process ended (exit code {code}): it was started again.")
        self.stack.restart(child)

    def _count(self, what: str) -> None:
        """Remember a restart; too many in a short time are a fault that restarting does not mend."""
        now = time.monotonic()
        self._restarts.append(now)
        if len(self._restarts) == _RESTARTS and now - self._restarts[0] < _WITHIN_S:
            raise QuaysideError(
                f"Too many restarts, the last of {what}: {_RESTARTS} within {_WITHIN_S:g} s; "
                f"see {self.stack.data}/logs."
            )

    def _trim(self) -> None:
        try:
            self.stack.trim_spool()
        except QuaysideError:
            return  # the broker does not answer just now; the next look tells why


def _locked(data: Path) -> TextIO:
    """Hold the data directory, so that no second stack starts on it."""
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = (data / "lock").open("w")
    except OSError as error:
        raise unwritable(data, error) from None
    if not _lock(file):
        file.close()
        there = running(data)
        who = f" (process {there.pid})" if there else ""
        raise WrongInput(
            f"A stack already runs on {data}{who}: stop it with `quayside down --data {data}`, or choose another "
            "--data."
        )
    return file


def _lock(file: TextIO) -> bool:
    """Lock it; others look at the lock for a moment, so it is tried for a little while."""
    for _ in range(_LOCK_TRIES):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_LOCK_PAUSE_S)
        else:
            return True
    return False
