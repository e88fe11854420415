"""Builds the wheel `quayside-client`: `python -m deploy.client.build --out dist`.

The wheel has the modules of this package as `quayside_client` and those modules of the contract that they import,
directly or not, as `quayside_client.schemas`, with the imports rewritten; so it can stand beside the full
distribution, which has a `schemas` of its own. Needs setuptools, and no network.
"""

import argparse
import ast
import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from schemas.errors import QuaysideError

ROOT: Final = Path(__file__).resolve().parent.parent.parent
HERE: Final = "deploy.client"
NAME: Final = "quayside_client"
NEEDED: Final = ("pydantic", "msgspec")
_OURS: Final = ("schemas", "streams", "sinks", "dashboards", "deploy", "tests")
_IMPORT: Final = re.compile(r"^(\s*(?:from|import)\s+)(deploy\.client|schemas)(?=[.\s])", re.MULTILINE)


def build(out: Path) -> Path:
    """Build the wheel into a directory and return its path. Raises QuaysideError where that fails."""
    with tempfile.TemporaryDirectory(prefix="quayside-client-") as name:
        tree = Path(name)
        _write_tree(tree)
        made = tree / "made"
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
        done = subprocess.run(
            [*command, "--no-build-isolation", "--no-index", "--wheel-dir", str(made), str(tree)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise QuaysideError(f"The wheel of the client could not be built: {done.stderr.strip()[-2_000:]}")
        (wheel,) = made.glob("*.whl")
        out.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copy2(wheel, out / wheel.name))


def sources() -> dict[str, Path]:
    """Every module that goes into the wheel, by its name in the repository."""
    found: dict[str, Path] = {}
    todo = [
        f"{HERE}.{path.stem}" if path.stem != "__init__" else HERE
        for path in sorted((ROOT / "deploy" / "client").glob("*.py"))
        if path.stem != "build"
    ]
    while todo:
        module = todo.pop()
        if module in found:
            continue
        found[module] = _file(module)
        todo.extend(_imported(found[module]))
        if "." in module and module != HERE and not module.startswith(f"{HERE}."):
            todo.append(module.rpartition(".")[0])
    return found


def _write_tree(tree: Path) -> None:
    for module, path in sources().items():
        within = module.removeprefix(HERE).lstrip(".") if module.startswith(HERE) else module
        place = tree / NAME / Path(*within.split(".")) if within else tree / NAME
        place = place / "__init__.py" if path.name == "__init__.py" else place.with_suffix(".py")
        place.parent.mkdir(parents=True, exist_ok=True)
        text = _IMPORT.sub(lambda found: found[1] + _NEW[found[2]], path.read_text(encoding="utf-8"))
        left = [name for name in _names(ast.parse(text)) if name.partition(".")[0] in _OURS]
        if left:
            raise QuaysideError(f"{path} imports {', '.join(left)}, which the wheel of the client does not have.")
        place.write_text(text, encoding="utf-8")
    (tree / NAME / "py.typed").touch()
    shutil.copy(ROOT / "deploy" / "client" / "README.md", tree)
    shutil.copy(ROOT / "LICENSE", tree)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = [told for told in project["dependencies"] if re.split(r"[^a-z0-9-]", told)[0] in NEEDED]
    template = (ROOT / "deploy" / "client" / "pyproject.template.toml").read_text(encoding="utf-8")
    filled = template.replace("@VERSION@", project["version"]).replace("@DEPENDENCIES@", json.dumps(needed))
    (tree / "pyproject.toml").write_text(filled, encoding="utf-8")


def _file(module: str) -> Path:
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _imported(path: Path) -> Iterator[str]:
    """The modules of ours that a module imports."""
    for name in _names(ast.parse(path.read_text(encoding="utf-8"))):
        if name.startswith(("schemas", HERE)):
            yield name


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


_NEW: Final = {HERE: NAME, "schemas": f"{NAME}.schemas"}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Build the wheel of the client.")
    parser.add_argument("--out", type=Path, default=Path("dist"), metavar="DIR", help="where to (dist)")
    try:
        sys.stdout.write(f"{build(parser.parse_args().out)}\n")
    except QuaysideError as error:
        sys.exit(str(error))
