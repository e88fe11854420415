"""Installs our data source, folders, dashboards and alerting into a Grafana that already runs, over its HTTP API.

By grafana-api: it knows data sources, folders and dashboards by uid. It knows no alerting; `dashboards.push_alerts`
asks for that by plain calls through the same client. Pushing twice changes nothing the second time, and what is not
ours (another data source of the same name, a dashboard under our uid without our tag) is left alone and reported.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from grafana_api.grafana_api import GrafanaClientError, GrafanaException, GrafanaUnauthorizedError
from grafana_api.grafana_face import GrafanaFace

from dashboards import build
from dashboards.alerts import AlertSettings
from dashboards.changes import NOT_FOUND, Change, stale
from dashboards.contacts import Receivers
from dashboards.names import DATASOURCE_NAME, DATASOURCE_UID, FOLDERS, TAG, UID_PREFIX
from dashboards.panels import Json
from dashboards.provisioning import GateAddress, data_source
from dashboards.push_alerts import push_alerts
from schemas.errors import QuaysideError, Unreachable, WrongInput

_FORBIDDEN: Final = 403
_MESSAGE: Final = "quayside dashboards push"
_WRITTEN_BY_GRAFANA: Final = ("id", "version")


@dataclass(frozen=True, slots=True)
class GrafanaAddress:
    """A running Grafana, `http://HOST:PORT/PREFIX`; with a service account's token, or a user and password."""

    url: str
    token: str | None = field(default=None, repr=False)
    user: str = "admin"
    password: str = field(default="", repr=False)


def push(
    grafana: GrafanaAddress,
    gate: GateAddress,
    settings: AlertSettings | None = None,
    receivers: Receivers | None = None,
    *,
    dry_run: bool = False,
    prune: bool = False,
) -> tuple[Change, ...]:
    """Brings a Grafana up to date and tells, thing by thing, what changed.

    `gate` is the store as that Grafana reaches it. The data source is always written, since Grafana never
    tells the password it has; it counts as unchanged where nothing else differs. `receivers`: where alerts are sent;
    without any no contact point is made. The policy tree belongs to that Grafana's people and is never written.

    What an earlier version of ours brought and this one has not is told as stale, and deleted with `prune`: dashboards
    and alert rules with a uid, a tag (label) and a folder of ours that no file provisions. All three, since a copy that
    somebody made of a dashboard keeps its tag.

    Raises:
        Unreachable: Grafana does not answer.
        WrongInput: The address is no URL, or it refuses the token or password.
    """
    client = _client(grafana)
    settings = settings or AlertSettings()
    wanted = build.boards(settings.thresholds.map.base)
    try:
        client.api.GET("/health")
        changes = [_data_source(client, gate, dry_run)]
        changes += [_folder(client, title, uid, dry_run) for title, uid in FOLDERS.items()]
        changes += [_dashboard(client, one, FOLDERS[title], dry_run) for title, all_ in wanted.items() for one in all_]
        changes += _stale(client, {one["uid"] for all_ in wanted.values() for one in all_}, dry_run, prune)
        changes += push_alerts(client, settings, receivers or Receivers(), dry_run=dry_run, prune=prune)
    except GrafanaException as error:
        raise _refused(error, grafana) from error
    except OSError as error:  # requests' own errors are OSErrors
        raise Unreachable(f"Grafana at {grafana.url} does not answer: check its address, and that it runs") from error
    return tuple(changes)


def _client(grafana: GrafanaAddress) -> GrafanaFace:
    parts = urlsplit(grafana.url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise WrongInput(f"{grafana.url!r} is no address of a Grafana: write it as http://HOST:PORT")
    prefix = parts.path.strip("/")
    return GrafanaFace(
        auth=grafana.token or (grafana.user, grafana.password),
        host=parts.hostname,
        port=parts.port,
        url_path_prefix=f"{prefix}/" if prefix else "",
        protocol=parts.scheme,
        timeout=10.0,
    )


def _data_source(client: GrafanaFace, gate: GateAddress, dry_run: bool) -> Change:
    wanted = data_source(gate) | {"secureJsonData": {"password": gate.password}}
    existing: list[Json] = client.datasource.list_datasources()
    ours = next((one for one in existing if one.get("uid") == DATASOURCE_UID), None)
    if ours is None:
        if any(one.get("name") == DATASOURCE_NAME for one in existing):
            note = f"another data source is named {DATASOURCE_NAME}: rename it, or give it the uid {DATASOURCE_UID}"
            return Change("data source", DATASOURCE_NAME, "left alone", note)
        # Someone else's default stays the default.
        wanted["isDefault"] = not any(one.get("isDefault") for one in existing)
        if not dry_run:
            client.datasource.create_datasource(wanted)
        return Change("data source", DATASOURCE_NAME, "created")
    if ours.get("readOnly"):
        return Change("data source", DATASOURCE_NAME, "left alone", "it is provisioned from files")
    wanted["isDefault"] = bool(ours.get("isDefault"))
    same = all(ours.get(key) == wanted[key] for key in ("name", "type", "access", "jsonData"))
    if not dry_run:
        client.datasource.update_datasource(ours["id"], wanted)
    if same:
        return Change("data source", DATASOURCE_NAME, "unchanged", "its password was set again")
    return Change("data source", DATASOURCE_NAME, "updated")


def _folder(client: GrafanaFace, title: str, uid: str, dry_run: bool) -> Change:
    existing = _found(client.folder.get_folder, uid)
    if existing is None:
        if not dry_run:
            client.folder.create_folder(title, uid=uid)
        return Change("folder", title, "created")
    if existing.get("title") != title:
        return Change("folder", title, "left alone", f"people named it {existing.get('title')!r}")
    return Change("folder", title, "unchanged")


def _dashboard(client: GrafanaFace, board: Json, folder: str, dry_run: bool) -> Change:
    title = board["title"]
    existing = _found(client.dashboard.get_dashboard, board["uid"])
    if existing is not None:
        meta, there = existing.get("meta", {}), existing["dashboard"]
        if meta.get("provisioned"):
            return Change("dashboard", title, "left alone", "it is provisioned from files")
        if TAG not in there.get("tags", []):
            note = f"the dashboard with the uid {board['uid']} has not our tag {TAG}: give it another uid"
            return Change("dashboard", title, "left alone", note)
        if _content(there) == _content(board) and meta.get("folderUid") == folder:
            return Change("dashboard", title, "unchanged")
    if not dry_run:
        client.dashboard.update_dashboard(
            {"dashboard": board, "folderUid": folder, "overwrite": True, "message": _MESSAGE}
        )
    return Change("dashboard", title, "created" if existing is None else "updated")


def _stale(client: GrafanaFace, wanted: Collection[str], dry_run: bool, prune: bool) -> list[Change]:
    """The dashboards of earlier versions."""
    changes = []
    for found in client.search.search_dashboards(tag=TAG, type_="dash-db"):
        uid = str(found.get("uid"))
        if not uid.startswith(UID_PREFIX) or uid in wanted or found.get("folderUid") not in FOLDERS.values():
            continue
        there = _found(client.dashboard.get_dashboard, uid)
        if there is None or there["meta"].get("provisioned") or TAG not in there["dashboard"].get("tags", []):
            continue
        if prune and not dry_run:
            client.dashboard.delete_dashboard(uid)
        changes.append(Change("dashboard", str(found.get("title")), *stale(uid, prune=prune)))
    return changes


def _found(ask: Any, uid: str) -> Json | None:
    """The answer to a question by uid, or None where there is nothing under it."""
    try:
        answer: Json = ask(uid)
    except GrafanaClientError as error:
        if error.status_code == NOT_FOUND:
            return None
        raise
    return answer


def _content(board: Json) -> Json:
    return {key: value for key, value in board.items() if key not in _WRITTEN_BY_GRAFANA}


def _refused(error: GrafanaException, grafana: GrafanaAddress) -> QuaysideError:
    if isinstance(error, GrafanaUnauthorizedError) or error.status_code == _FORBIDDEN:
        return WrongInput(
            f"Grafana at {grafana.url} refuses the token or password, or it may not write data sources, "
            "dashboards and alert rules: give one of an administrator"
        )
    return Unreachable(f"Grafana at {grafana.url} answers with an error: {error.message}")
