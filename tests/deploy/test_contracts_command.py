"""`quayside contracts check`: what it prints, its JSON and its exit codes."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from deploy.command.main import app
from schemas.contracts import export_contracts
from schemas.errors import WrongInput


def check(*words: str) -> Result:
    """What the command says."""
    return CliRunner().invoke(app, ["contracts", "check", *words])


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The present contract, without the gateway's part."""
    directory = tmp_path_factory.mktemp("contract")
    export_contracts(directory)
    return directory


def without_lot(exported: Path, directory: Path, version: str) -> str:
    """The contract without a field that it had, under this version."""
    for path in exported.rglob("*.json"):
        document = json.loads(path.read_text())
        if path.name == "received.schema.json":
            del document["properties"]["lot"]
        if path.name == "asyncapi.json":
            document["info"]["version"] = version
        target = directory / path.relative_to(exported)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(document))
    return str(directory)


@pytest.mark.parametrize(("version", "code"), [("1.0", 1), ("1.1", 1), ("2.0", 0)])
def test_what_breaks_ends_with_1_unless_the_major_version_grew(
    exported: Path, tmp_path: Path, version: str, code: int
) -> None:
    new = without_lot(exported, tmp_path, version)
    done = check(str(exported), new, "--json")
    assert done.exit_code == code
    told = json.loads(done.stdout.splitlines()[-1])
    assert list(told) == [
        "breaking",
        "compatible",
        "unknown",
        "changes",
        "old_version",
        "new_version",
        "version_ok",
    ]
    assert (told["breaking"], told["compatible"], told["unknown"]) == (1, 0, 0)
    assert (told["old_version"], told["new_version"], told["version_ok"]) == ("1.0", version, code == 0)
    (change,) = told["changes"]
    assert change == {
        "verdict": "breaking",
        "file": "events/received.schema.json",
        "path": "$.lot",
        "what": "The field was taken away: what was valid can be refused.",
    }
    lines = check(str(exported), new).stdout.splitlines()
    assert lines[0].split(maxsplit=3) == list(change.values())
    assert lines[-1].startswith(f"1.0 to {version}: 1 breaking, 0 unknown, 0 compatible; the new contract ")


def test_current_stands_for_the_running_code_with_its_gateway(exported: Path) -> None:
    done = check(str(exported), "current", "--json")
    assert done.exit_code == 0
    told = json.loads(done.stdout.splitlines()[-1])
    assert [change["what"] for change in told["changes"]] == ["openapi.json was added."]


def test_where_there_is_no_contract_it_says_so(tmp_path: Path) -> None:
    done = check(str(tmp_path / "nowhere"), "current")
    assert isinstance(done.exception, WrongInput)  # the command's frame makes exit code 2 of it
    assert "There is no contract at" in str(done.exception)
