"""What a release left behind, unpacked."""

import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.upgrade.make_fixture import FIXTURES

RELEASES = sorted(path.name.removesuffix(".tar.gz") for path in FIXTURES.glob("*.tar.gz"))


@dataclass(frozen=True, slots=True)
class Left:
    """What a release left behind: its data directory, and what was noted of it (tests/upgrade/make_fixture.py)."""

    data: Path
    figures: dict[str, dict[str, Any]]
    changelog: list[dict[str, Any]]
    states: list[dict[str, Any]]


@pytest.fixture(params=RELEASES)
def left(request: pytest.FixtureRequest, tmp_path: Path) -> Left:
    """A copy of what a release left behind, of each release there is a fixture of."""
    with tarfile.open(FIXTURES / f"{request.param}.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    (tmp_path / "data" / "gate-password").chmod(0o600)
    return Left(
        tmp_path / "data",
        json.loads((tmp_path / "figures.json").read_text()),
        _lines(tmp_path / "changelog.jsonl"),
        _lines(tmp_path / "views.jsonl"),
    )


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
