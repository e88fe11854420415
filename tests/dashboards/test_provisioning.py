import json
import stat
from collections import Counter
from pathlib import Path

import pytest
import yaml

from dashboards import contacts, lint, thresholds
from dashboards.alerts import AlertSettings, rule_groups
from dashboards.build import DASHBOARDS
from dashboards.names import DATASOURCE_UID
from dashboards.panels import Json
from dashboards.provisioning import GateAddress, environment, write_provisioning
from dashboards.rules import RULES
from dashboards.thresholds import Thresholds, shipped
from schemas.errors import WrongInput

GATE = GateAddress("127.0.0.1", 8123, "reader", "pa$$word's")
WEBHOOK = "http://127.0.0.1:9/hook?key=$HOME"


def told(**changes: Json) -> Thresholds:
    """The settings that Quayside comes with, with these changes."""
    shown = shipped().model_dump()
    return Thresholds.model_validate(shown | {name: shown[name] | change for name, change in changes.items()})


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


def test_the_dashboards_come_from_files_into_their_folders(tmp_path: Path) -> None:
    write_provisioning(tmp_path, GATE)

    (provider,) = read(tmp_path / "dashboards" / "quayside.yaml")["providers"]
    assert provider["allowUiUpdates"] is False
    assert provider["options"]["foldersFromFilesStructure"] is True
    files = sorted(Path(provider["options"]["path"]).glob("*/*.json"))
    assert Counter(path.parent.name for path in files) == {"Quayside": 6, "Quayside pipeline": 1}
    assert {json.loads(path.read_text(encoding="utf-8"))["uid"] for path in files} == {
        board.uid for board in DASHBOARDS
    }


def test_the_rule_pages_per_lane_and_is_quiet_without_rows(tmp_path: Path) -> None:
    write_provisioning(tmp_path, GATE, WEBHOOK, AlertSettings(told(evaluation={"late_s": 20})))

    file = read(tmp_path / "alerting" / "rules.yaml")
    group, tickets, data = file["groups"]
    rule = group["rules"][0]
    assert [len(one["rules"]) for one in (group, tickets, data)] == [3, 6, 3]
    assert (group["folder"], group["interval"]) == ("Quayside", "20s")
    assert (rule["title"], rule["for"], rule["noDataState"]) == ("late shipments by lane", "0s", "OK")
    query, threshold = rule["data"]
    assert query["datasourceUid"] == query["model"]["datasource"]["uid"] == DATASOURCE_UID
    assert query["model"]["format"] == 1
    assert threshold["model"]["conditions"][0]["evaluator"] == {"type": "gt", "params": [0]}
    assert rule["condition"] == threshold["refId"]
    boards = [json.loads(path.read_text(encoding="utf-8")) for path in (tmp_path / "files").rglob("*.json")]
    assert lint.check(boards, [file]) == ()


def test_the_silence_of_the_pipeline_itself_fires() -> None:
    rules = {rule["uid"]: rule for group in rule_groups(AlertSettings())["groups"] for rule in group["rules"]}

    assert rules["quayside-data-not-fresh"]["noDataState"] == "Alerting"
    assert rules["quayside-data-not-fresh"]["execErrState"] == "Alerting"


def test_every_rule_has_a_runbook_that_is_there() -> None:
    runbooks = Path(__file__).parents[2] / "docs" / "runbooks"

    assert {path.stem for path in runbooks.glob("*.md")} == {rule.slug for rule in RULES}
    for rule in rule_groups(AlertSettings())["groups"][0]["rules"]:
        assert (runbooks.parents[1] / rule["annotations"]["runbook_url"]).is_file()


def test_from_a_broken_promise_to_the_webhook_it_takes_less_than_a_minute() -> None:
    assert contacts.slowest_seconds(shipped(), "page") == 10 + 0 + 30 + 10
    assert contacts.slowest_seconds(shipped(), "warning") < 60


def test_pages_are_never_muted_and_tickets_are_at_night(tmp_path: Path) -> None:
    write_provisioning(tmp_path, GATE, WEBHOOK)

    (tree,) = read(tmp_path / "alerting" / "policies.yaml")["policies"]
    muted = {route["object_matchers"][1][2]: route.get("mute_time_intervals") for route in tree["routes"]}
    assert muted == {"page": None, "warning": None, "ticket": ["quayside-quiet"]}
    (quiet,) = read(tmp_path / "alerting" / "mute-times.yaml")["muteTimes"]
    assert quiet["time_intervals"][0]["times"] == [
        {"start_time": "20:00", "end_time": "24:00"},
        {"start_time": "00:00", "end_time": "06:00"},
    ]


def test_e_mail_stands_beside_the_webhook(tmp_path: Path) -> None:
    write_provisioning(tmp_path, GATE, WEBHOOK, emails=("a@example.org", "b@example.org"))

    (point,) = read(tmp_path / "alerting" / "contact-points.yaml")["contactPoints"]
    hook, mail = point["receivers"]
    assert (hook["type"], mail["type"]) == ("webhook", "email")
    assert mail["settings"]["addresses"] == "a@example.org;b@example.org"


def test_messages_name_panel_and_runbook_without_a_dollar_sign(tmp_path: Path) -> None:
    write_provisioning(tmp_path, GATE)

    (template,) = read(tmp_path / "alerting" / "templates.yaml")["templates"]
    assert "PanelURL" in template["template"]
    assert "runbook_url" in template["template"]
    assert "$" not in template["template"]


def test_the_maps_ask_nothing_of_the_internet_unless_they_are_told_to(tmp_path: Path) -> None:
    found = {}
    for base in ("offline", "online"):
        write_provisioning(tmp_path, GATE, settings=AlertSettings(told(map={"base": base})))
        board = json.loads((tmp_path / "files" / "Quayside" / "shipments-and-delays.json").read_text(encoding="utf-8"))
        found[base] = next(panel for panel in board["panels"] if panel["type"] == "geomap")["options"]["basemap"]

    assert found["offline"]["config"]["src"] == "public/maps/countries.geojson"
    assert found["online"]["type"] == "default"


def test_dollar_signs_stand_where_grafana_expands_them_and_nowhere_else(tmp_path: Path) -> None:
    write_provisioning(tmp_path, GATE, WEBHOOK)

    for group in read(tmp_path / "alerting" / "rules.yaml")["groups"]:
        for rule in group["rules"]:
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
    assert all({"alertname", "lane"} <= set(route["group_by"]) for route in policy["routes"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_without_a_webhook_no_policy_tree_is_replaced_and_old_files_go(tmp_path: Path) -> None:
    write_provisioning(tmp_path, GATE, WEBHOOK)
    (tmp_path / "files" / "Quayside" / "of-an-older-version.json").write_text("{}", encoding="utf-8")
    write_provisioning(tmp_path, GATE)

    assert not any((tmp_path / "alerting" / f"{name}.yaml").exists() for name in ("contact-points", "policies"))
    assert not (tmp_path / "files" / "Quayside" / "of-an-older-version.json").exists()


def test_the_policy_tree_of_a_grafana_that_is_not_ours_can_be_left_alone(tmp_path: Path) -> None:
    write_provisioning(tmp_path, GATE, WEBHOOK, policy_tree=False)

    assert (tmp_path / "alerting" / "contact-points.yaml").exists()
    assert not (tmp_path / "alerting" / "policies.yaml").exists()


@pytest.mark.parametrize("seconds", [0, 5, 15])
def test_an_interval_that_grafana_would_refuse_is_refused_by_us(tmp_path: Path, seconds: int) -> None:
    file = tmp_path / "thresholds.yaml"
    shown = shipped().model_dump(mode="json")
    file.write_text(yaml.safe_dump(shown | {"evaluation": shown["evaluation"] | {"late_s": seconds}}), encoding="utf-8")

    with pytest.raises(WrongInput, match=r"wrong at evaluation.late_s: .*multiple of 10"):
        thresholds.read(file)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("late: [", "no YAML"), ("soon: 1", "wrong at"), ("{}", "wrong at late: Field required")],
)
def test_wrong_thresholds_are_said_in_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "thresholds.yaml"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(WrongInput, match=sentence):
        thresholds.read(file)
