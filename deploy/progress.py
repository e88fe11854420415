"""Progress bars on stderr for what takes long, where that is a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from deploy.following import moved_on
from deploy.stackfile import StackFile, is_alive
from schemas.errors import Unreachable
from streams.settling import settle


class Bar(Protocol):
    """What long work tells of itself."""

    def advance(self, count: int) -> None:
        """So many more are done."""
        ...

    def missing(self, count: int) -> None:
        """So many are left."""
        ...


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Bar]:
    """A progress bar; nothing is shown where stderr is no terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Quiet()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as shown:
        yield _Shown(shown, shown.add_task(what, total=total))


def settled(stack: StackFile) -> None:
    """Wait until what was published can be queried.

    A stack that goes on in another broker meanwhile is followed there. Raises Unreachable where the stack stops
    before, or where nothing moves any more.
    """
    with progress("processing", None) as bar:
        if not _settled(stack, bar):
            raise Unreachable(
                "The stack stopped before all events were processed; they are in the spool and will be processed "
                "when it starts again."
            )


def _settled(stack: StackFile, bar: Bar) -> bool:
    pid = stack.pid
    while True:
        try:
            return settle(stack.kafka, alive=lambda: is_alive(pid), progress=bar.missing)
        except Unreachable:
            moved = moved_on(stack)
            if moved is None:
                raise
            stack = moved


class _Quiet:
    def advance(self, count: int) -> None:
        """No terminal: nothing is shown."""

    def missing(self, count: int) -> None:
        """No terminal: nothing is shown."""


class _Shown:
    def __init__(self, shown: Progress, task: TaskID) -> None:
        self._progress = shown
        self._task = task
        self._most = 0

    def advance(self, count: int) -> None:
        self._progress.advance(self._task, count)

    def missing(self, count: int) -> None:
        self._most = max(self._most, count)
        self._progress.update(self._task, total=self._most, completed=self._most - count)
