"""The mutants themselves: each can be made, names its tests, is told of in the docs; and a few are run to the end."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import ROOT, Moved, Mutant, NotThere
from tests.mutants.prose import section, standing
from tests.mutants.tree import Tree

_CHEAP: Final = ("merge-is-a-join", "keys-go-where-kafka-puts-them", "late-is-after-the-last-instant")


def mutants(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    command = [sys.executable, "-m", "tests.mutants", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=200)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_guard_is_where_its_mutant_looks_for_it_and_its_tests_exist(mutant: Mutant) -> None:
    mutant.check()


def test_no_two_mutants_bear_one_name() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


def test_the_promises_that_need_a_control_have_some() -> None:
    assert {mutant.promise for mutant in MUTANTS} >= {1, 2, 3, 5, 6, 8}


def test_the_docs_tell_of_every_guard() -> None:
    assert standing(ROOT) == section(), "write it again: python -m tests.mutants --docs"


def test_cheap_mutants_are_killed_from_end_to_end() -> None:
    ran = mutants("--json", *(word for name in _CHEAP for word in ("--only", name)))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    told = json.loads(ran.stdout.splitlines()[-1])
    assert {row["name"]: row["verdict"] for row in told["mutants"]} == dict.fromkeys(_CHEAP, "killed")
    assert all("::test_" in row["killed_by"] for row in told["mutants"])
    assert (told["killed"], told["survived"], told["skipped"]) == (len(_CHEAP), 0, 0)


def test_a_guard_that_nobody_has_is_named() -> None:
    ran = mutants("--only", "no-such-guard")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "there is no guard named no-such-guard" in ran.stderr


def mutant(old: str, new: str, tests: tuple[str, ...] = ("tests/test_arrows.py::test_nothing",)) -> Mutant:
    return Mutant("made-up", 1, "streams/agents.py", old, new, "nothing", tests)


def test_a_guard_that_moved_is_told_loudly() -> None:
    for text in ("", "guard guard"):
        with pytest.raises(Moved, match=r"^made-up: the guard moved, mend the mutant: streams/agents\.py"):
            mutant("guard", "none").changed(text)
    with pytest.raises(NotThere, match="is no Python any more"):
        mutant("WORKER_GROUP: Final", "WORKER_GROUP: (").check()
    with pytest.raises(NotThere, match=r"there is no test tests/test_arrows\.py::test_nothing"):
        mutant("WORKER_GROUP: Final", "WORKER_GROUP: Final").check()


_PROJECT: Final = {
    "pyproject.toml": '[tool.pytest.ini_options]\naddopts = "--import-mode=importlib"\n',
    "streams/guard.py": "def guard() -> bool:\n    return True\n",
    "tests/test_guard.py": (
        "import pytest\nfrom streams.guard import guard\n\n\ndef test_it() -> None:\n    assert guard()\n\n\n"
        "def test_nothing() -> None:\n    assert True\n\n\n"
        "@pytest.fixture\ndef broken() -> None:\n    assert guard()\n\n\n"
        "def test_never(broken: None) -> None:\n    pass\n\n\n"
        "@pytest.mark.skipif(not guard(), reason='none')\ndef test_skipped() -> None:\n    pass\n"
    ),
}


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A copy of a project with one guard."""
    root = tmp_path / "root"
    for name in ("schemas", "streams", "sinks", "dashboards", "deploy", "docs", "tests/mutants"):
        (root / name).mkdir(parents=True)
        (root / name / "__init__.py").touch()
    (root / "tests" / "__init__.py").touch()
    (root / "tests" / "mutants" / "watching.py").write_text(Path(__file__).with_name("watching.py").read_text())
    for name, text in _PROJECT.items():
        (root / name).write_text(text)
    return Tree.copied(tmp_path / "copy", root)


@pytest.mark.parametrize(
    ("test", "verdict"),
    [("test_it", "killed"), ("test_nothing", "survived"), ("test_never", "broken"), ("test_skipped", "skipped")],
)
def test_a_mutant_is_killed_by_a_test_that_fails_and_by_nothing_else(tree: Tree, test: str, verdict: str) -> None:
    tests = (f"tests/test_guard.py::{test}",)
    without = Mutant("guard", 1, "streams/guard.py", "return True", "return False", "all", tests)
    assert tree.run(tests, limit_s=60).verdict == "survived"
    seen = tree.without(without)
    assert seen.verdict == verdict
    assert set(seen.imported) == {"schemas", "streams", "sinks", "dashboards", "deploy", "tests"}
    assert all(Path(where).is_relative_to(tree.folder.resolve()) for where in seen.imported.values())
    assert tree.run(tests, limit_s=60).verdict == "survived", "the guard is back in its place"


def test_a_run_that_takes_too_long_kills_nothing(tree: Tree) -> None:
    hangs = "    import time\n    time.sleep(60)\n    return True"
    without = Mutant("guard", 1, "streams/guard.py", "    return True", hangs, "all", ("tests/test_guard.py::test_it",))
    place = tree.folder / without.file
    place.write_text(without.changed(place.read_text()))
    assert tree.run(without.tests, limit_s=4).verdict == "timeout"
