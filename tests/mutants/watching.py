"""A pytest plugin for the runs with a mutant: which code was imported, and which test failed first.

Loaded by `-p`, before any test. What it found is written as JSON to the file that REPORT names.
"""

import importlib
import json
import os
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, settings

REPORT: Final = "QUAYSIDE_MUTANTS_REPORT"
"""The environment variable that names the file to write to."""

PACKAGES: Final = ("schemas", "streams", "sinks", "dashboards", "deploy", "tests")
_TIMED_OUT: Final = "from pytest-timeout"

# The first counterexample will do, and the same one each time: nothing is made smaller, nothing kept.
settings.register_profile(
    "mutants",
    phases=(Phase.explicit, Phase.generate),
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)
settings.load_profile("mutants")

_found: Final[dict[str, Any]] = {"imported": {}, "failed": [], "broken": [], "passed": 0, "skipped": 0}


def pytest_configure() -> None:
    """Refuse to run over anything but the tree that the run was started in."""
    here = Path.cwd().resolve()
    for name in PACKAGES:
        where = Path(importlib.import_module(name).__file__ or "").resolve()
        _found["imported"][name] = str(where)
        if not where.is_relative_to(here):
            pytest.exit(f"{name} is imported from {where}, and not from the copy in {here}", returncode=90)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note what became of a test; a test that did not get to its body shows nothing."""
    if report.failed:
        said = _first_words(report)
        is_caught = report.when == "call" and _TIMED_OUT not in said
        _found["failed" if is_caught else "broken"].append([report.nodeid, said])
    elif report.when == "call" and report.passed:
        _found["passed"] += 1
    elif report.skipped:
        _found["skipped"] += 1


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Note a file that cannot be collected."""
    if report.failed:
        _found["broken"].append([report.nodeid, str(report.longrepr)[-300:]])


def pytest_sessionfinish() -> None:
    """Write down what was found."""
    Path(os.environ[REPORT]).write_text(json.dumps(_found), encoding="utf-8")


def _first_words(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    said = str(crash.message if crash is not None else report.longrepr)
    return (said.strip().splitlines() or [""])[0][:200]
