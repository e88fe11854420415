"""Imports point one way: schemas <- streams <- sinks, dashboards <- deploy."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ALLOWED = {
    "schemas": {"schemas"},
    "streams": {"schemas", "streams"},
    "sinks": {"schemas", "streams", "sinks"},
    "dashboards": {"schemas", "streams", "dashboards"},
    "deploy": {"schemas", "streams", "sinks", "dashboards", "deploy"},
}


def imported(path: Path) -> set[str]:
    """The top-level names that a module imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("package", ALLOWED)
def test_a_package_imports_only_what_lies_upstream(package: str) -> None:
    ours = set(ALLOWED) | {"tests"}
    for path in sorted((ROOT / package).rglob("*.py")):
        against = (imported(path) & ours) - ALLOWED[package]
        assert not against, f"{path.relative_to(ROOT)} imports {', '.join(sorted(against))}"


@pytest.mark.parametrize("module", ["facts", "table", "rows", "orders/derive", "shipments/derive", "stock/derive"])
def test_the_pure_core_knows_no_clock_and_no_faust(module: str) -> None:
    names = imported(ROOT / "streams" / f"{module}.py")
    assert not names & {"faust", "aiokafka", "kafka", "time", "asyncio", "random", "datetime"}
