"""What a mutant is: one guard, and the smallest change that takes it out."""

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]


class Moved(Exception):
    """The text that a mutant replaces is not there, or more than once."""


class NotThere(Exception):
    """A mutant names a test that does not exist, or its change makes no Python."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One guard taken out.

    Args:
        name: The guard's name, in words joined by hyphens.
        promise: The promise of docs/correctness.md that it keeps.
        file: The file that holds the guard, from the project's root.
        old: The text to replace; it stands there exactly once.
        new: The text instead.
        breaks: What is wrong without the guard, in one line.
        tests: Node ids of the tests that are to catch it, the quickest first.
        more: Further (old, new) pairs in the same file, where one does not do.
        kafka: Whether only a real Apache Kafka shows it.
    """

    name: str
    promise: int
    file: str
    old: str
    new: str
    breaks: str
    tests: tuple[str, ...]
    more: tuple[tuple[str, str], ...] = ()
    kafka: bool = False

    def changed(self, text: str) -> str:
        """The file's text without the guard.

        Raises:
            Moved: An old text does not stand there exactly once.
        """
        for old, new in ((self.old, self.new), *self.more):
            count = text.count(old)
            if count != 1:
                raise Moved(
                    f"{self.name}: the guard moved, mend the mutant: {self.file} has this text {count} times: {old!r}"
                )
            text = text.replace(old, new)
        return text

    def check(self, root: Path = ROOT) -> None:
        """See that the mutant can be made, and that its tests exist.

        Raises:
            Moved: As `changed`.
            NotThere: The change makes no Python, or a test is missing.
        """
        text = (root / self.file).read_text(encoding="utf-8")
        changed = self.changed(text)
        if self.file.endswith(".py"):
            try:
                ast.parse(changed)
            except SyntaxError as error:
                raise NotThere(f"{self.name}: {self.file} is no Python any more: {error}") from None
        for test in self.tests:
            file, _, name = test.partition("::")
            if not name:
                raise NotThere(f"{self.name}: {test} names no single test")
            if name.partition("[")[0] not in _functions(root / file):
                raise NotThere(f"{self.name}: there is no test {test}")


@cache
def _functions(path: Path) -> frozenset[str]:
    """The functions that a file of tests has."""
    if not path.is_file():
        return frozenset()
    found = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return frozenset(one.name for one in found if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)))
