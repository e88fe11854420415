"""A stack as a person runs it: the `quayside` command in processes of its own, on a directory of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from deploy.gate_client import raw
from deploy.stackfile import StackFile, is_alive, require_running, running
from deploy.status import status
from schemas.errors import QuaysideError

ROOT: Final = Path(__file__).parents[2]
COMMAND: Final = (sys.executable, "-m", "deploy.command.main")
ORPHANS_S: Final = 10.0
"""How long children may take to notice that their supervisor is gone."""

_PATIENCE_S: Final = 120.0
_LOOK_S: Final = 0.1


class Finished(NamedTuple):
    """A command that has ended: its exit code and what it said."""

    code: int
    out: str
    err: str

    def done(self) -> str:
        """What it printed; the test fails unless it ended with 0."""
        assert self.code == 0, self
        return self.out

    def complaint(self, code: int) -> str:
        """The one clear sentence on stderr of a command that ended with this code."""
        assert self.code == code, self
        assert "Traceback" not in self.out + self.err, self
        lines = self.err.splitlines()
        assert len(lines) == 1, self
        assert lines[0].startswith("quayside: "), self
        sentence = lines[0].removeprefix("quayside: ")
        assert sentence.endswith("."), self
        return sentence

    def last_json(self) -> Any:
        """The object on the last line of stdout."""
        return json.loads(self.out.splitlines()[-1])


def environment(**settings: str) -> dict[str, str]:
    """This process's environment with these settings of ours and no others."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("QUAYSIDE_")}
    return kept | {"PYTHONUNBUFFERED": "1"} | settings


def quayside(*arguments: object, told: bytes | None = None, **settings: str) -> Finished:
    """Run `quayside ARGUMENTS` to its end; `told` is its stdin, `settings` its QUAYSIDE_* environment."""
    process = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=ROOT,
        env=environment(**settings),
        input=told or b"",
        capture_output=True,
        timeout=_PATIENCE_S,
        check=False,
    )
    return Finished(process.returncode, process.stdout.decode(), process.stderr.decode())


def begin(*arguments: object, **settings: str) -> "subprocess.Popen[bytes]":
    """Start `quayside ARGUMENTS`, its input and output in pipes; whoever starts it ends it."""
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        cwd=ROOT,
        env=environment(**settings),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=_hears_interrupts,  # noqa: PLW1509  # it only sets a signal's handling
    )


def _hears_interrupts() -> None:
    """What is started in a shell's background does not hear Ctrl-C, nor would our commands."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def await_(what: str, holds: Callable[[], bool], patience_s: float = _PATIENCE_S) -> None:
    """Wait until something holds; fails with `what` if it never does."""
    deadline = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < deadline, f"not within {patience_s:g} s: {what}"
        time.sleep(_LOOK_S)


class Stack:
    """The stack of one data directory; `settings` are the QUAYSIDE_* environment of all its commands."""

    def __init__(self, data: Path, **settings: str) -> None:
        self.data: Final = data
        self.settings: Final = settings
        self._seen: set[int] = set()

    def run(self, command: str, *arguments: object, told: bytes | None = None) -> Finished:
        """Run a command on this stack to its end. `command` may be two words."""
        return quayside(*command.split(), *arguments, "--data", self.data, told=told, **self.settings)

    def begin(self, command: str, *arguments: object) -> "subprocess.Popen[bytes]":
        """Start a command on this stack."""
        return begin(*command.split(), *arguments, "--data", self.data, **self.settings)

    def up(self, *arguments: object) -> dict[str, Any]:
        """Start it in the background; its status once it is ready."""
        told = self.run("up", "--detach", "--json", *arguments)
        told.done()
        self.note()
        answer: dict[str, Any] = told.last_json()
        return answer

    def down(self) -> None:
        """Stop it; nothing of it is left."""
        self.note()
        self.run("down").done()
        self.assert_gone()

    def file(self) -> StackFile | None:
        """What the running stack tells of itself; None if none runs."""
        return running(self.data)

    def pids(self) -> dict[str, int]:
        """The processes by name, the supervisor included; empty if none runs."""
        told = self.file()
        if told is None:
            return {}
        return {"supervisor": told.pid} | {name: process["pid"] for name, process in told.processes.items()}

    def note(self) -> dict[str, int]:
        """Remember the processes there are, so that none of them is left at the end."""
        pids = self.pids()
        self._seen.update(pids.values())
        return pids

    def alive(self) -> list[int]:
        """The processes of it that still live, of all lives that were noted."""
        return sorted(pid for pid in self._seen if is_alive(pid))

    def assert_gone(self, patience_s: float = 0.0) -> None:
        """Nothing of it is left, at the latest in so many seconds."""
        await_(f"the processes {self.alive()} of {self.data} end", lambda: not self.alive(), patience_s)

    def query(self, sql: str) -> list[list[Any]]:
        """The rows of a query, asked at the store's gate as Grafana and curl do: quicker than a command each."""
        rows: list[list[Any]] = json.loads(raw(require_running(self.data), sql, "JSONCompact"))["data"]
        return rows

    def row(self, sql: str) -> list[Any]:
        """The only row of a query."""
        (row,) = self.query(sql)
        return row

    def status(self) -> dict[str, Any]:
        """What `status --json` says."""
        told = self.run("status", "--json")
        told.done()
        answer: dict[str, Any] = told.last_json()
        return answer

    def is_ready(self) -> bool:
        """Whether broker and store answer, the stack says it is ready, and all its processes live."""
        stack = self.file()
        if stack is None or not stack.ready:
            return False
        try:
            told = status(stack)
        except QuaysideError:
            return False
        return told.ready and all(process.alive for process in told.processes)

    def settled(self) -> dict[str, Any]:
        """Its status once nothing is waiting to be processed; for a stack that nobody writes to."""
        await_("the lag is 0", lambda: self.is_ready() and status(require_running(self.data)).lag == 0)
        return self.status()

    def publish(self, lines: Iterable[bytes], *arguments: object) -> Finished:
        """`publish -` with these lines."""
        return self.run("publish", "-", "--json", *arguments, told=b"\n".join(lines) + b"\n")

    def close(self) -> None:
        """End whatever is left, and fail if `down` does not."""
        self.note()
        if self.file() is not None:
            said = self.run("down")
            left = self.alive()
            for pid in left:
                os.kill(pid, 9)
            assert said.code == 0, said
            assert not left, f"processes left by `down` of {self.data}: {left}"
            return
        left = self.alive()
        for pid in left:
            os.kill(pid, 9)
        assert not left, f"processes left on {self.data}: {left}"


@contextmanager
def running_stack(data: Path, *arguments: object, **settings: str) -> Iterator[Stack]:
    """A stack that is up; at the end it is stopped, and nothing of it may be left."""
    with new_stack(data, **settings) as stack:
        stack.up(*arguments)
        yield stack


@contextmanager
def new_stack(data: Path, **settings: str) -> Iterator[Stack]:
    """A stack that the test itself starts; at the end it is stopped, and nothing of it may be left."""
    stack = Stack(data, **settings)
    try:
        yield stack
    finally:
        stack.close()
