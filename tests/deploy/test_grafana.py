import json
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from dashboards.provisioning import GateAddress, environment, write_provisioning
from deploy.grafana import Installation, find, start, stop
from schemas.errors import Unreachable

STAND_IN = Path(__file__).with_name("grafana_stand_in.py")
GATE = GateAddress("127.0.0.1", 8123, "reader", "secret")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder laid out as Grafana's archive is, with the stand-in as its binary and the plugin in place."""
    home = tmp_path / "grafana-stand-in"
    binary = home / "bin" / "grafana"
    binary.parent.mkdir(parents=True)
    binary.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{STAND_IN}" "$@"\n', encoding="utf-8")
    binary.chmod(0o755)
    (home / "conf").mkdir()
    (home / "conf" / "defaults.ini").touch()
    plugin = home / "data" / "plugins" / "clickhouse"
    plugin.mkdir(parents=True)
    (plugin / "plugin.json").write_text('{"id": "grafana-clickhouse-datasource"}', encoding="utf-8")
    return home


@pytest.fixture
def installation(home: Path) -> Installation:
    found = find(home / "bin" / "grafana")
    assert found is not None
    return found


@pytest.fixture
def provisioning(tmp_path: Path) -> Path:
    write_provisioning(tmp_path / "provisioning", GATE)
    return tmp_path / "provisioning"


@pytest.fixture
def started() -> Iterator[list[int]]:
    """Pids to stop at the end, whatever happened."""
    pids: list[int] = []
    yield pids
    for pid in pids:
        stop(pid)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_where_there_is_no_binary_there_is_no_grafana(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert find() is None
    assert find(tmp_path / "grafana") is None


def test_a_binary_on_the_path_is_found_with_its_home_and_plugin(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(home / "bin"))

    found = find()

    assert found is not None
    assert (found.binary, found.home) == (home / "bin" / "grafana", home)
    assert found.plugins == home / "data" / "plugins"
    assert found.lack is None


def test_a_missing_plugin_is_said_with_the_way_to_install_it(home: Path, tmp_path: Path) -> None:
    found = find(home / "bin" / "grafana", plugins=tmp_path / "nowhere")

    assert found is not None
    assert found.plugins is None
    assert found.lack is not None
    assert "grafana cli plugins install grafana-clickhouse-datasource" in found.lack


def test_it_is_started_on_loopback_with_our_provisioning_and_ends_by_its_pid(
    installation: Installation, provisioning: Path, tmp_path: Path, started: list[int]
) -> None:
    running = start(installation, provisioning, tmp_path / "data", environment(GATE))
    started.append(running.pid)

    with urlopen(f"{running.url}/api/health", timeout=5) as answer:  # noqa: S310 - our own loopback address
        assert answer.status == 200
    told: dict[str, Any] = json.loads((tmp_path / "data" / "told.json").read_text(encoding="utf-8"))
    given = told["environment"]
    assert told["arguments"] == ["server", "--homepath", str(installation.home)]
    assert given["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"
    assert given["GF_PATHS_PROVISIONING"] == str(provisioning)
    assert given["GF_PATHS_PLUGINS"] == str(installation.plugins)
    assert given["GF_UNIFIED_ALERTING_ADMIN_CONFIG_POLL_INTERVAL"] == "10s"
    assert given["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert given["GF_ANALYTICS_REPORTING_ENABLED"] == given["GF_ANALYTICS_CHECK_FOR_UPDATES"] == "false"
    assert environment(GATE).items() <= given.items()
    assert Path(given["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]).is_file()
    assert running.control_tower == f"{running.url}/d/quayside-control-tower"

    stop(running.pid)
    assert not is_running(running.pid)
    stop(running.pid)


def test_the_password_of_admin_is_kept_from_start_to_start_and_not_shown(
    installation: Installation, provisioning: Path, tmp_path: Path, started: list[int]
) -> None:
    passwords = []
    for _ in range(2):
        running = start(installation, provisioning, tmp_path / "data")
        started.append(running.pid)
        passwords.append(running.password)
        assert running.password not in repr(running)
        stop(running.pid)

    assert passwords[0] == passwords[1] != ""
    assert stat.S_IMODE((tmp_path / "data" / "admin.password").stat().st_mode) == 0o600


def test_one_that_ends_at_once_is_reported_with_the_end_of_its_log(
    installation: Installation, provisioning: Path, tmp_path: Path
) -> None:
    with pytest.raises(Unreachable, match=r"ended with 1; see .*the stand-in was told to die"):
        start(installation, provisioning, tmp_path / "data", {"STAND_IN": "dies"})


def test_one_that_never_answers_is_ended_again(installation: Installation, provisioning: Path, tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="did not answer in 1 s"):
        start(installation, provisioning, tmp_path / "data", {"STAND_IN": "deaf"}, patience_seconds=1)


def test_one_that_does_not_end_when_asked_is_killed(
    installation: Installation, provisioning: Path, tmp_path: Path, started: list[int]
) -> None:
    running = start(installation, provisioning, tmp_path / "data", {"STAND_IN": "stubborn"})
    started.append(running.pid)

    stop(running.pid, grace_seconds=0.5)

    assert not is_running(running.pid)
