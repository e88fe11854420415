"""Take each guard out in turn: `python -m tests.mutants [--only NAME] [--list] [--json]`.

Every guard that the promises rest on is taken out once, in a copy of the tree, and the tests that are to notice run
there. Exit code: 0 if each one was noticed, 1 if a mutant survived (or a guard has moved), 2 for wrong usage.
"""

import argparse
import json
import os
import queue
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.brokers import NoKafka, jars
from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import ROOT, Moved, Mutant, NotThere
from tests.mutants.prose import write
from tests.mutants.tree import Seen, Tree

_MOST_JOBS: Final = 2
_WHOLE_S: Final = 900
_STYLES: Final = {"killed": "green", "skipped": "yellow"}


def main(arguments: Sequence[str]) -> int:
    """Run it; the exit code."""
    told = _told(arguments)
    if told.docs:
        write(ROOT)
        return 0
    chosen = _chosen(told.only)
    if told.list:
        _list(chosen, as_json=told.json)
        return 0
    console = Console(stderr=told.json, width=None if sys.stdout.isatty() else 190)
    wrong = _moved(chosen)
    if wrong:
        for line in wrong:
            console.print(escape(line), style="bold red", highlight=False)
        return 1
    has_kafka, why = _kafka(told.kafka) if any(mutant.kafka for mutant in chosen) else (True, "")
    runs = [mutant for mutant in chosen if has_kafka or not mutant.kafka]
    seen = {mutant: Seen("skipped", words=why) for mutant in chosen if mutant not in runs}
    with tempfile.TemporaryDirectory(prefix="quayside-mutants-") as folder:
        tree = Tree.copied(Path(folder) / "1")
        if not _holds_without_mutants(tree, runs, console):
            return 1
        seen |= _all_run(tree, runs, told.jobs, _Progress(console, len(runs)))
    _told_of(chosen, seen, console)
    if told.json:
        print(json.dumps(_as_json(chosen, seen)))  # noqa: T201  # what was asked for
    return 0 if all(one.verdict in _STYLES for one in seen.values()) else 1


def _told(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--only", metavar="NAME", action="append", default=[], help="this guard; may be repeated")
    parser.add_argument("--list", action="store_true", help="name the guards and run nothing")
    parser.add_argument("--json", action="store_true", help="one object on the last line")
    parser.add_argument(
        "--kafka",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="those that only Apache Kafka shows too (default: where Java and Maven are)",
    )
    parser.add_argument("--jobs", type=int, default=min(_MOST_JOBS, os.cpu_count() or 1), help="so many at a time")
    parser.add_argument("--docs", action="store_true", help="write the table in docs/correctness.md again")
    told = parser.parse_args(arguments)
    unknown = sorted(set(told.only) - {mutant.name for mutant in MUTANTS})
    if unknown:
        parser.error(f"there is no guard named {', '.join(unknown)}: --list names them all")
    if told.jobs < 1:
        parser.error(f"--jobs {told.jobs} does nothing: give 1 or more")
    return told


def _chosen(only: Sequence[str]) -> list[Mutant]:
    """The mutants to run: the quick ones first."""
    chosen = [mutant for mutant in MUTANTS if not only or mutant.name in only]
    return sorted(chosen, key=lambda mutant: mutant.kafka)


def _list(chosen: Sequence[Mutant], *, as_json: bool) -> None:
    if as_json:
        told = [{"name": one.name, "promise": one.promise, "file": one.file, "breaks": one.breaks} for one in chosen]
        print(json.dumps({"mutants": told}))  # noqa: T201  # what was asked for
        return
    for mutant in chosen:
        print(f"{mutant.name}  ({mutant.promise}; {mutant.file})  {mutant.breaks}")  # noqa: T201


def _moved(chosen: Sequence[Mutant]) -> list[str]:
    """What keeps mutants from being made."""
    wrong = []
    for mutant in chosen:
        try:
            mutant.check()
        except (Moved, NotThere) as error:
            wrong.append(str(error))
    return wrong


def _kafka(wanted: bool | None) -> tuple[bool, str]:  # the choice on the command line
    """Whether mutants that need Apache Kafka can be run, and why not."""
    if wanted is False:
        return False, "--no-kafka"
    try:
        jars()
    except NoKafka as reason:
        if wanted:
            sys.stderr.write(f"--kafka: {reason}\n")
            sys.exit(2)
        return False, str(reason)
    return True, ""


def _holds_without_mutants(tree: Tree, runs: Sequence[Mutant], console: Console) -> bool:
    """Whether all tests pass while every guard is in its place; otherwise their failing shows nothing."""
    tests = list(dict.fromkeys(test for mutant in runs for test in mutant.tests))
    with _busy(console, f"{len(tests)} tests with every guard in its place"):
        seen = tree.run(tests, limit_s=_WHOLE_S, all_of_them=True) if tests else Seen("survived")
    for name, where in seen.imported.items():
        console.print(f"{name} is imported from {where}", style="dim", highlight=False)
    if seen.verdict == "survived":
        console.print(f"{len(tests)} tests pass with every guard in its place ({seen.seconds:.0f} s)", highlight=False)
        return True
    words = f"WRONG before any guard was taken out: {seen.test or seen.verdict}: {seen.words}"
    console.print(escape(words), style="bold red", highlight=False)
    return False


@contextmanager
def _busy(console: Console, what: str) -> Iterator[None]:
    if console.is_terminal:
        with console.status(what):
            yield
    else:
        console.print(what, style="dim", highlight=False)
        yield


class _Progress:
    """Says what has become of each mutant, as soon as it is known."""

    def __init__(self, console: Console, total: int) -> None:
        self._console: Final = console
        self._total: Final = total
        self._done = 0

    def add(self, mutant: Mutant, seen: Seen) -> None:
        """This one is known now."""
        self._done += 1
        style = _STYLES.get(seen.verdict, "bold red")
        line = f"{self._done:3}/{self._total} {seen.verdict:9}{mutant.name} ({seen.seconds:.1f} s)"
        self._console.print(line, style=style, highlight=False)
        if seen.verdict not in _STYLES:
            self._console.print(f"    {mutant.breaks}: {escape(seen.words)}", style=style, highlight=False)


def _all_run(first: Tree, runs: Sequence[Mutant], jobs: int, progress: _Progress) -> dict[Mutant, Seen]:
    """Run each mutant, some of them at a time, each of those in a tree of its own."""
    twins = [first.twin(first.folder.parent / str(number)) for number in range(2, min(jobs, len(runs)) + 1)]
    trees = [first, *twins]
    free: queue.SimpleQueue[Tree] = queue.SimpleQueue()
    for tree in trees:
        free.put(tree)
    stopped = threading.Event()

    def one(mutant: Mutant) -> Seen:
        tree = free.get()
        try:
            return Seen("broken", words="interrupted") if stopped.is_set() else tree.without(mutant)
        finally:
            free.put(tree)

    seen: dict[Mutant, Seen] = {}
    with ThreadPoolExecutor(len(trees)) as pool:
        waiting: dict[Future[Seen], Mutant] = {pool.submit(one, mutant): mutant for mutant in runs}
        try:
            for done in as_completed(waiting):
                seen[waiting[done]] = done.result()
                progress.add(waiting[done], done.result())
        except BaseException:
            stopped.set()
            _each(trees, Tree.stop)
            raise
    return seen


def _each(trees: Sequence[Tree], act: Callable[[Tree], None]) -> None:
    for tree in trees:
        act(tree)


def _told_of(chosen: Sequence[Mutant], seen: dict[Mutant, Seen], console: Console) -> None:
    table = Table("guard", "file", "killed by", "s", title="mutants")
    for mutant in chosen:
        one = seen[mutant]
        by = one.test.partition("::")[2] if one.verdict == "killed" else f"{one.verdict.upper()} {one.words}"
        style = _STYLES.get(one.verdict, "bold red")
        table.add_row(mutant.name, mutant.file, f"[{style}]{escape(by)}[/]", f"{one.seconds:.1f}")
    console.print(table)
    counts = {verdict: sum(one.verdict == verdict for one in seen.values()) for verdict in ("killed", "skipped")}
    alive = [mutant.name for mutant in chosen if seen[mutant].verdict not in _STYLES]
    console.print(f"{counts['killed']} of {len(chosen)} mutants were killed", highlight=False)
    if counts["skipped"]:
        why = next(one.words for one in seen.values() if one.verdict == "skipped")
        console.print(f"!! SKIPPED: {counts['skipped']} that only Apache Kafka shows ({why})", style="bold yellow")
    if alive:
        console.print(f"NOT KILLED: {', '.join(alive)}", style="bold red", highlight=False)


def _as_json(chosen: Sequence[Mutant], seen: dict[Mutant, Seen]) -> dict[str, Any]:
    rows = [
        {
            "name": mutant.name,
            "promise": mutant.promise,
            "file": mutant.file,
            "breaks": mutant.breaks,
            "verdict": seen[mutant].verdict,
            "killed_by": seen[mutant].test,
            "words": seen[mutant].words,
            "seconds": round(seen[mutant].seconds, 1),
        }
        for mutant in chosen
    ]
    names = ("killed", "survived", "skipped")
    return {"mutants": rows} | {name: sum(row["verdict"] == name for row in rows) for name in names}


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        sys.exit(main(sys.argv[1:]))
    sys.exit(130)
