"""The processes of a stack: each ends with its supervisor, however that ends.

A child's standard input is a pipe from the supervisor: when it closes, the supervisor is gone, and the
child ends itself (`end_with_parent`). Through the same pipe the supervisor can tell it things, line by line.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Final

from deploy.logs import message_of

_ORPHANED: Final = 75
"""Exit code of a child whose supervisor has gone."""


class Child:
    """One of our own programs as a child process, its output in a log file."""

    def __init__(self, name: str, arguments: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        self.name: Final = name
        self.restarts = 0
        self._arguments = [sys.executable, "-m", "deploy.command.main", *arguments]
        self._log = log
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of its present life."""
        return self._process.pid if self._process else 0

    def start(self) -> None:
        """Start it (again)."""
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                self._arguments,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self._environment},
                start_new_session=True,  # a Ctrl-C is the supervisor's to act on
            )

    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.poll() if self._process else None

    def tell(self, line: str) -> None:
        """Send it a line; a child that is gone does not hear it."""
        pipe: IO[bytes] | None = self._process.stdin if self._process else None
        if pipe is not None:
            try:
                pipe.write(line.encode() + b"\n")
                pipe.flush()
            except BrokenPipeError:
                return

    def ask_to_stop(self) -> None:
        """Ask it to end in order."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def stop(self, grace: float) -> None:
        """End it: in order within `grace` seconds, by force after that."""
        if self._process is None:
            return
        self.ask_to_stop()
        try:
            self._process.wait(grace)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()

    def last_words(self) -> str:
        """The last line of its log that says something."""
        try:
            lines = self._log.read_text(errors="replace").splitlines()
        except OSError:
            return ""
        return message_of(next((line.strip() for line in reversed(lines) if line.strip()), ""))


def end_with_parent(heard: Callable[[str], None] | None = None) -> None:
    """In a child: end this process when the supervisor's pipe closes; pass on the lines it sends."""

    def listen() -> None:
        for line in sys.stdin:
            if heard is not None:
                heard(line.strip())
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(3)
        os._exit(_ORPHANED)

    threading.Thread(target=listen, name="lifeline", daemon=True).start()
