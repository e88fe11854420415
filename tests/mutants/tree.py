"""A copy of the project's tree in which mutants are made and tests are run, away from the one that is worked on.

The project is installed in place, so that a copy is imported only where it comes first on the path; each run checks
that it did (tests.mutants.watching).
"""

import compileall
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import Any, Final

from tests.mutants.mutant import ROOT, Mutant
from tests.mutants.watching import PACKAGES, REPORT

_COPIED: Final = (*PACKAGES, "docs", "pyproject.toml")
_LIMIT_S: Final = 90
"""A test, and a whole run with a mutant, may take so long; with Kafka more."""

_SLOWER: Final = 3


@dataclass(frozen=True, slots=True)
class Seen:
    """What a run showed. `verdict`: killed, survived, skipped, timeout or broken.

    `test` and `words`: the first test that failed and what it said; where it is broken, what is.
    """

    verdict: str
    test: str = ""
    words: str = ""
    seconds: float = 0.0
    imported: dict[str, str] = field(default_factory=dict)


class Tree:
    """A copy of the tree in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder: Final = folder
        self._running: subprocess.Popen[bytes] | None = None
        self._is_stopped = False

    @classmethod
    def copied(cls, folder: Path, root: Path = ROOT) -> "Tree":
        """Copy the project. Compiled modules are known by a hash of their source, so that no change is missed."""
        folder.mkdir(parents=True)
        for name in _COPIED:
            place = root / name
            if place.is_dir():
                shutil.copytree(place, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
            else:
                shutil.copy2(place, folder / name)
        (folder / ".cache").symlink_to(root / ".cache")  # Kafka's jars
        for name in PACKAGES:
            compileall.compile_dir(folder / name, quiet=2, invalidation_mode=PycInvalidationMode.CHECKED_HASH)
        return cls(folder)

    def twin(self, folder: Path) -> "Tree":
        """Another copy, with all that was compiled here."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Tree(folder)

    def without(self, mutant: Mutant) -> Seen:
        """Take the guard out, run its tests until one fails, and put it back."""
        place = self.folder / mutant.file
        text = place.read_text(encoding="utf-8")
        place.write_text(mutant.changed(text), encoding="utf-8")
        try:
            return self.run(mutant.tests, limit_s=_LIMIT_S * (_SLOWER if mutant.kafka else 1))
        finally:
            place.write_text(text, encoding="utf-8")

    def run(self, tests: Sequence[str], *, limit_s: int, all_of_them: bool = False) -> Seen:
        """Run these tests here, until the first one fails unless `all_of_them`."""
        report = self.folder / "report.json"
        report.unlink(missing_ok=True)
        began = time.monotonic()
        code = self._pytest(tests, report, limit_s, [] if all_of_them else ["-x"], keeps=all_of_them)
        seconds = time.monotonic() - began
        if code is None:
            return Seen("timeout", words=f"not done after {limit_s} s", seconds=seconds)
        found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8")) if report.is_file() else {}
        verdict, (test, words) = _judged(code, found, self.folder / "out.txt")
        return Seen(verdict, test, words, seconds, found.get("imported", {}))

    def stop(self) -> None:
        """End what runs here, and let nothing begin any more."""
        self._is_stopped = True
        if self._running is not None:
            _end(self._running)

    def _pytest(
        self, tests: Sequence[str], report: Path, limit_s: int, options: Sequence[str], *, keeps: bool
    ) -> int | None:
        """Pytest's exit code; None if it took too long. `keeps`: compiled tests are kept, as the tree is whole."""
        command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.mutants.watching", "-p", "no:cacheprovider"]
        command += [f"--rootdir={self.folder}", f"--timeout={limit_s}", *options, *tests]
        path = os.pathsep.join(filter(None, (str(self.folder), os.environ.get("PYTHONPATH", ""))))
        environment = {**os.environ, "PYTHONPATH": path, REPORT: str(report)}
        if not keeps:
            environment["PYTHONDONTWRITEBYTECODE"] = "1"
        if self._is_stopped:
            return None
        with (self.folder / "out.txt").open("wb") as out:
            self._running = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdout=out, stderr=out, start_new_session=True
            )
            try:
                return self._running.wait(limit_s)
            except subprocess.TimeoutExpired:
                return None
            finally:
                _end(self._running)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a run and what it started, which is a session of its own."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _judged(code: int, found: dict[str, Any], out: Path) -> tuple[str, tuple[str, str]]:
    """The verdict, and the test with its words that led to it."""
    if not found:
        tail = out.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:]
        return "broken", ("", f"pytest ended with {code}: {' / '.join(tail)}")
    if found["broken"]:
        return "broken", tuple(found["broken"][0])
    if found["failed"]:
        return "killed", tuple(found["failed"][0])
    if found["passed"]:
        return "survived", ("", "")
    return ("skipped", ("", "no test ran")) if found["skipped"] else ("broken", ("", f"no test ran (pytest: {code})"))
