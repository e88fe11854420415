"""Our provisioning in a real Grafana, where this machine has one with the ClickHouse plugin; else it says so.

It has never been run: nobody who worked on it had a Grafana at hand. What stands in for one meanwhile is
tests/dashboards/alerting.py.
"""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.request import Request, urlopen

import pytest

from dashboards.names import DATASOURCE_UID
from dashboards.provisioning import environment, write_provisioning
from dashboards.rules import RULES
from deploy.dashboard_addresses import gate_address
from deploy.grafana import ADMIN, Running, find, start, stop
from tests.dashboards.notifying import Hook, listening
from tests.e2e.stack import Stack, await_, running_stack
from tests.e2e.test_alert_proofs import left

LANE: Final = "REAL>GRAFANA"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    installation = find()
    if installation is None:
        pytest.skip("NOT TESTED IN A GRAFANA: no `grafana` is on the PATH")
    if installation.lack is not None:
        pytest.skip(f"NOT TESTED IN A GRAFANA: {installation.lack}")
    with running_stack(tmp_path_factory.mktemp("grafana") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def hook() -> Iterator[Hook]:
    with listening() as called:
        yield called


@pytest.fixture(scope="module")
def grafana(stack: Stack, hook: Hook, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    installation, told = find(), stack.file()
    assert installation is not None
    assert told is not None
    folder = tmp_path_factory.mktemp("provisioning")
    gate = gate_address(told)
    write_provisioning(folder, gate, hook.url)
    stack.publish([left("REAL-0", LANE, datetime.now(UTC) + timedelta(days=1))]).done()
    running = start(installation, folder, tmp_path_factory.mktemp("grafana-data"), environment(gate))
    yield running
    stop(running.pid)


def asked(grafana: Running, path: str) -> Any:
    """The answer of Grafana's API."""
    secret = base64.b64encode(f"{ADMIN}:{grafana.password}".encode()).decode()
    request = Request(f"{grafana.url}/api{path}", headers={"Authorization": f"Basic {secret}"})  # noqa: S310 - loopback
    with urlopen(request, timeout=30) as answer:  # noqa: S310
        return json.loads(answer.read())


def rules(grafana: Running) -> dict[str, Any]:
    """The rules as they were evaluated last, by their names."""
    groups = asked(grafana, "/prometheus/grafana/api/v1/rules")["data"]["groups"]
    return {rule["name"]: rule for group in groups for rule in group["rules"]}


def test_the_data_source_is_healthy_and_all_dashboards_are_there(grafana: Running) -> None:
    assert asked(grafana, f"/datasources/uid/{DATASOURCE_UID}/health")["status"] == "OK"
    assert len(asked(grafana, "/search?type=dash-db&tag=quayside")) == 7


def test_every_rule_evaluates(grafana: Running) -> None:
    titles = {rule.title for rule in RULES}
    await_(
        "every rule was evaluated",
        lambda: (
            titles == {name for name, rule in rules(grafana).items() if not rule["lastEvaluation"].startswith("0001")}
        ),
    )
    assert {name: rule.get("lastError") for name, rule in rules(grafana).items() if rule["health"] == "error"} == {}


def test_the_webhook_arrives_within_a_minute_of_the_broken_promise(grafana: Running, stack: Stack, hook: Hook) -> None:
    assert rules(grafana)
    due = datetime.now(UTC) + timedelta(seconds=5)
    stack.publish([left("REAL-1", LANE, due)]).done()
    await_("the page arrives", lambda: bool(hook.alerts(severity="page", lane=LANE)), 90)
    arrived = next(at for at, body in hook.calls if body["commonLabels"].get("lane") == LANE)
    assert arrived - due.timestamp() < 60
