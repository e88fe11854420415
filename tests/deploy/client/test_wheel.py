"""The wheel of its own: what is in it, and that it works where there is nothing else of ours."""

import os
import re
import subprocess
import sys
import venv
from importlib.util import find_spec
from pathlib import Path

import pytest

from deploy.client.build import ROOT, build, sources
from tests.deploy.client.fake_gateway import FakeGateway

LIBRARIES = ("pydantic", "pydantic_core", "msgspec", "annotated_types", "typing_extensions", "typing_inspection")


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel, pydantic, msgspec, and what those need; of ours there is nothing else."""
    directory = tmp_path_factory.mktemp("wheel")
    wheel = build(directory / "dist")
    venv.create(directory / "venv", with_pip=False, symlinks=True)
    (site,) = (directory / "venv" / "lib").glob("python*/site-packages")
    python = directory / "venv" / "bin" / "python"
    install = ["install", "--quiet", "--no-deps", "--no-index", "--no-compile", str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", "--python", python, *install], check=True)
    libraries = directory / "libraries"
    libraries.mkdir()
    for name in LIBRARIES:
        spec = find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        origin = Path(spec.origin)
        found = origin.parent if origin.name == "__init__.py" else origin
        (libraries / found.name).symlink_to(found)
    (site / "libraries.pth").write_text(f"{libraries}\n")
    return python


def ran(python: Path, *arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    alone = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run([python, *arguments], capture_output=True, text=True, cwd=cwd, env=alone, check=False)


def example(gateway: FakeGateway) -> str:
    """The README's example, with another address."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "deploy/client/README.md").read_text(), re.DOTALL)
    assert len(blocks) == 1
    assert blocks[0].count("\n") <= 12
    return str(blocks[0]).replace("https://quayside.example.com", gateway.url)


def test_the_readmes_example_works_where_there_is_nothing_but_the_wheel(
    python: Path, gateway: FakeGateway, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("secret\n")
    (tmp_path / "example.py").write_text(example(gateway))
    done = ran(python, "example.py", cwd=tmp_path)
    assert (done.stdout.split(), done.stderr) == (["accepted", "gr/77"], "")
    assert gateway.ids == ["gr/77"]
    assert gateway.requests[0].token == "secret"  # noqa: S105  # a fake one


def test_the_wheels_command_publishes(python: Path, gateway: FakeGateway, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret")
    told = ran(python.with_name("quayside-client"), "publish", "--help", cwd=tmp_path)
    assert "Example: quayside-client publish" in told.stdout
    command = ("publish", "no.ndjson", "--url", gateway.url, "--token-file", "token")
    told = ran(python, "-m", "quayside_client", *command, cwd=tmp_path)
    assert told.returncode == 2
    assert told.stderr == "quayside-client: no.ndjson cannot be read: No such file or directory. Check the path.\n"


def test_the_wheel_names_nothing_that_the_full_distribution_has() -> None:
    modules = sources()
    assert {"deploy.client", "deploy.client.__main__", "schemas", "schemas.wire", "schemas.warehouse"} <= modules.keys()
    assert "schemas.derived" not in modules
    assert all(name.partition(".")[0] in {"schemas", "deploy"} for name in modules)
    assert not [name for name in modules if name.startswith("deploy.") and not name.startswith("deploy.client")]


def test_importing_the_client_imports_nothing_that_it_does_not_need() -> None:
    code = "import sys, deploy.client.command; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    others = set(done.stdout.split()) - sys.stdlib_module_names - set(LIBRARIES) - {"schemas", "deploy", "__main__"}
    assert not {name for name in others if not name.startswith(("_", "sitecustomize"))}
