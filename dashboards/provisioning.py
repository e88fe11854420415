"""Writes the folder from which a Grafana provisions itself: data source, dashboards, alerting.

    FOLDER/datasources/quayside.yaml     the store's gate; the password comes from the environment
    FOLDER/dashboards/quayside.yaml      where the dashboards' files are
    FOLDER/files/TITLE/*.json            the dashboards; the title becomes Grafana's folder
    FOLDER/alerting/rules.yaml           the alert rules
    FOLDER/alerting/templates.yaml       how titles and messages of alerts read
    FOLDER/alerting/mute-times.yaml      the quiet hours of tickets
    FOLDER/alerting/contact-points.yaml  webhook and e-mail, where they are given
    FOLDER/alerting/policies.yaml        the policy tree, where there is a contact point and it is wanted

Set GF_PATHS_PROVISIONING to FOLDER, and the variables of `environment`.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import yaml

from dashboards import alerts, build, contacts
from dashboards.alerts import AlertSettings
from dashboards.contacts import Receivers
from dashboards.names import DATASOURCE_NAME, DATASOURCE_TYPE, DATASOURCE_UID, FOLDERS
from dashboards.panels import Json
from dashboards.pictures import over

PASSWORD_VARIABLE: Final = "QUAYSIDE_GATE_PASSWORD"  # noqa: S105 - the name of the variable, not its value

_PRIVATE: Final = 0o600


@dataclass(frozen=True, slots=True)
class GateAddress:
    """Where Grafana finds the store over HTTP: the embedded store's gate, or a ClickHouse server."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str = "quayside"
    secure: bool = False


def data_source(gate: GateAddress) -> Json:
    """The data source, without its password, with the keys that Grafana's API and its files share."""
    return {
        "name": DATASOURCE_NAME,
        "type": DATASOURCE_TYPE,
        "uid": DATASOURCE_UID,
        "access": "proxy",
        "isDefault": True,
        "jsonData": {
            "host": gate.host,
            "port": gate.port,
            "protocol": "http",
            "secure": gate.secure,
            "username": gate.user,
            "defaultDatabase": gate.database,
            "queryTimeout": "30",
            "dialTimeout": "5",
        },
    }


def environment(gate: GateAddress) -> dict[str, str]:
    """The environment variables to which the written files refer."""
    return {PASSWORD_VARIABLE: gate.password}


def write_provisioning(
    folder: Path,
    gate: GateAddress,
    webhook_url: str | None = None,
    settings: AlertSettings | None = None,
    *,
    emails: tuple[str, ...] = (),
    policy_tree: bool = True,
) -> None:
    """Writes the provisioning folder, replacing what an earlier call wrote.

    `webhook_url`, `emails`: where alerts are sent; without any there is neither contact point nor policy.
    `policy_tree`: False leaves the policies of a Grafana that is not ours alone, for a provisioned tree
    replaces the whole of them.
    """
    settings = settings or AlertSettings()
    told, receivers = settings.thresholds, Receivers(webhook_url, emails)
    files = (folder / "files").resolve()
    written = {
        files / board.folder / f"{board.file}.json": build.text(over(board.json(), told.map.base))
        for board in build.DASHBOARDS
    }
    for title in FOLDERS:
        for old in set((files / title).glob("*.json")) - written.keys():
            old.unlink()
    for path, text in written.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    _write(folder / "datasources" / "quayside.yaml", _data_sources(gate))
    _write(folder / "dashboards" / "quayside.yaml", _dashboard_provider(files))
    _write(folder / "alerting" / "rules.yaml", alerts.rule_groups(settings))
    _write(folder / "alerting" / "templates.yaml", contacts.templates())
    _write(folder / "alerting" / "mute-times.yaml", contacts.mute_times(told))
    _write(folder / "alerting" / "contact-points.yaml", contacts.contact_points(receivers) if receivers else None)
    _write(folder / "alerting" / "policies.yaml", contacts.policies(told) if receivers and policy_tree else None)
    # Grafana logs an error for each folder of its own that is missing.
    (folder / "plugins").mkdir(exist_ok=True)


def _data_sources(gate: GateAddress) -> Json:
    fixed = {"orgId": 1, "editable": False, "secureJsonData": {"password": f"${PASSWORD_VARIABLE}"}}
    return {"apiVersion": 1, "prune": False, "datasources": [data_source(gate) | fixed]}


def _dashboard_provider(files: Path) -> Json:
    return {
        "apiVersion": 1,
        "providers": [
            {
                "name": "quayside",
                "orgId": 1,
                "type": "file",
                "disableDeletion": False,
                "allowUiUpdates": False,
                "updateIntervalSeconds": 10,
                "options": {"path": str(files), "foldersFromFilesStructure": True},
            }
        ],
    }


def _write(path: Path, content: Json | None) -> None:
    """Writes a file that only its owner reads (a webhook's URL is a secret too); None takes it away."""
    if content is None:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=_PRIVATE)
    path.chmod(_PRIVATE)
    path.write_text(yaml.safe_dump(content, sort_keys=False, width=110, allow_unicode=True), encoding="utf-8")
