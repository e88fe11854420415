import json
import stat
from pathlib import Path

import pytest
import yaml

from dashboards import lint
from dashboards.alerts import AlertSettings
from dashboards.names import DATASOURCE_UID
from dashboards.panels import Json
from dashboards.provisioning import GateAddress, environment, write_provisioning
from schemas.errors import WrongInput

GATE = GateAddress("127.0.0.1", 8123, "reader", "pa$$word's")
WEBHOOK = "http://127.0.0.1:9/hook?key=$HOME"


def read(path: Path) -> Json:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert content["apiVersion"] == 1
    found: Json = content
    return found


def test_the_data_source_is_the_gate_and_its_password_stays_out_of_the_files(tmp_path: Path) -> None:
    write_provisioning(tmp_path, GATE, WEBHOOK)

    (source,) = read(tmp_path / "datasources" / "quayside.yaml")["datasources"]
    assert source["type"] == "grafana-clickhouse-datasource"
    assert source["uid"] == DATASOURCE_UID
    assert source["jsonData"] == {
        "host": "127.0.0.1",
        "port": 8123,
        "protocol": "http",
        "secure": False,
        "username": "reader",
        "defaultDatabase": "quayside",
        "queryTimeout": "30",
        "dialTimeout": "5",
    }
    (name,) = environment(GATE)
    assert source["secureJsonData"] == {"password": f"${name}"}
    assert environment(GATE)[name] == GATE.password
    written = [path.read_text(encoding="utf-8") for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(GATE.password in text for text in written)
    assert GATE.password not in repr(GATE)


def test_the_dashboards_come_from_files_into_the_folder_quayside(tmp_path: Path) -> None:
    write_provisioning(tmp_path, GATE)

    (provider,) = read(tmp_path / "dashboards" / "quayside.yaml")["providers"]
    assert provider["allowUiUpdates"] is False
    assert provider["options"]["foldersFromFilesStructure"] is True
    files = sorted(Path(provider["options"]["path"]).glob("*/*.json"))
    assert [path.parent.name for path in files] == ["Quayside", "Quayside"]
    assert {json.loads(path.read_text(encoding="utf-8"))["uid"] for path in files} == {
        "quayside-control-tower",
        "quayside-shipments",
    }


def test_the_rule_pages_per_lane_above_the_threshold_and_is_quiet_without_rows(tmp_path: Path) -> None:
    write_provisioning(tmp_path, GATE, WEBHOOK, AlertSettings(late_per_lane=3, interval_seconds=20))

    file = read(tmp_path / "alerting" / "rules.yaml")
    (group,) = file["groups"]
    (rule,) = group["rules"]
    assert (group["folder"], group["interval"]) == ("Quayside", "20s")
    assert (rule["title"], rule["for"], rule["noDataState"]) == ("late shipments by lane", "0s", "OK")
    query, threshold = rule["data"]
    assert query["datasourceUid"] == query["model"]["datasource"]["uid"] == DATASOURCE_UID
    assert query["model"]["format"] == 1
    assert threshold["model"]["conditions"][0]["evaluator"] == {"type": "gt", "params": [3]}
    assert rule["condition"] == threshold["refId"]
    assert rule["annotations"]["runbook_url"] == "docs/operations.md#late-shipments-by-lane"
    boards = [json.loads(path.read_text(encoding="utf-8")) for path in (tmp_path / "files").rglob("*.json")]
    assert lint.check(boards, [file]) == ()


def test_dollar_signs_stand_where_grafana_expands_them_and_nowhere_else(tmp_path: Path) -> None:
    write_provisioning(tmp_path, GATE, WEBHOOK)

    (rule,) = read(tmp_path / "alerting" / "rules.yaml")["groups"][0]["rules"]
    assert not any("$" in text for text in (rule["title"], *rule["labels"].values()))
    assert "${" not in "".join(rule["annotations"].values())
    (point,) = read(tmp_path / "alerting" / "contact-points.yaml")["contactPoints"]
    assert point["receivers"][0]["settings"]["url"] == WEBHOOK.replace("$", "$$")


def test_a_webhook_brings_contact_point_and_policy_and_its_url_is_for_the_owner_alone(tmp_path: Path) -> None:
    write_provisioning(tmp_path, GATE, WEBHOOK)

    path = tmp_path / "alerting" / "contact-points.yaml"
    (point,) = read(path)["contactPoints"]
    (policy,) = read(tmp_path / "alerting" / "policies.yaml")["policies"]
    assert point["receivers"][0]["type"] == "webhook"
    assert policy["receiver"] == point["name"]
    assert policy["group_by"] == ["alertname", "lane"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_without_a_webhook_no_policy_tree_is_replaced_and_old_files_go(tmp_path: Path) -> None:
    write_provisioning(tmp_path, GATE, WEBHOOK)
    (tmp_path / "files" / "Quayside" / "of-an-older-version.json").write_text("{}", encoding="utf-8")
    write_provisioning(tmp_path, GATE)

    assert [path.name for path in (tmp_path / "alerting").iterdir()] == ["rules.yaml"]
    assert not (tmp_path / "files" / "Quayside" / "of-an-older-version.json").exists()


def test_the_policy_tree_of_a_grafana_that_is_not_ours_can_be_left_alone(tmp_path: Path) -> None:
    write_provisioning(tmp_path, GATE, WEBHOOK, policy_tree=False)

    assert (tmp_path / "alerting" / "contact-points.yaml").exists()
    assert not (tmp_path / "alerting" / "policies.yaml").exists()


@pytest.mark.parametrize("seconds", [0, 5, 15])
def test_an_interval_that_grafana_would_refuse_is_refused_by_us(tmp_path: Path, seconds: int) -> None:
    with pytest.raises(WrongInput, match=f"multiple of 10 seconds, not {seconds}"):
        write_provisioning(tmp_path, GATE, settings=AlertSettings(interval_seconds=seconds))
