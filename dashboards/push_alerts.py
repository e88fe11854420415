"""Alerting into a running Grafana, by its provisioning API: rule groups, contact points, templates, quiet hours.

grafana-api knows no alerting, so these are plain calls (Grafana's documentation, "Alerting provisioning HTTP API"),
through the client that it makes. Rules are written without provenance (X-Disable-Provenance), so that people may edit
and silence them there; the next push brings back what they changed. A group is replaced as a whole, with the rules in
it that are not ours as they are. The policy tree is not touched. Never run against a Grafana by us yet.
"""

import contextlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from grafana_api.grafana_api import GrafanaClientError
from grafana_api.grafana_face import GrafanaFace

from dashboards.alerts import AlertSettings, rule_groups
from dashboards.changes import NOT_FOUND, Action, Change, stale
from dashboards.contacts import CONTACT_POINT, QUIET, TEMPLATES, Receivers, contact_points_of_api, quiet, templates
from dashboards.names import FOLDER_TITLE, FOLDER_UID, PRODUCT, UID_PREFIX
from dashboards.panels import Json

_API: Final = "/v1/provisioning"
_KEEP: Final = "keep_firing_for"
_FILES: Final = "it is provisioned from files"
_HEADERS: Final = {"X-Disable-Provenance": "true"}
_COMPARED: Final = (
    "title",
    "condition",
    "data",
    "noDataState",
    "execErrState",
    "for",
    "annotations",
    "labels",
    "isPaused",
)


def push_alerts(
    client: GrafanaFace, settings: AlertSettings, receivers: Receivers, *, dry_run: bool, prune: bool = False
) -> list[Change]:
    """Brings rules, templates, quiet hours and contact points up to date; what was done to each.

    Rules of ours that no present build has are told as stale, and deleted with `prune`.
    """
    api = _Api(client, dry_run=dry_run)
    groups = rule_groups(settings)["groups"]
    changes = [_rules(api, group) for group in groups]
    changes += _stale(api, {rule["uid"] for group in groups for rule in group["rules"]}, prune=prune)
    changes.append(_templates(api))
    changes.append(_quiet(api, quiet(settings.thresholds)))
    return changes + [_contact_point(api, point) for point in contact_points_of_api(receivers)]


class _Api:
    """Plain calls; a dry run reads and does not write."""

    def __init__(self, client: GrafanaFace, *, dry_run: bool) -> None:
        self._calls = client.api
        self._dry_run = dry_run

    def get(self, path: str) -> Any:
        """The answer; None where there is nothing at this address."""
        try:
            return self._calls.GET(_API + path)
        except GrafanaClientError as error:
            if error.status_code == NOT_FOUND:
                return None
            raise

    def post(self, path: str, body: Json) -> None:
        """Make something."""
        if not self._dry_run:
            self._calls.POST(_API + path, json=body, headers=_HEADERS)

    def delete(self, path: str) -> None:
        """Take something away."""
        if not self._dry_run:
            with contextlib.suppress(ValueError):  # Grafana answers 204, in which grafana-api looks for JSON
                self._calls.DELETE(_API + path, headers=_HEADERS)

    def put(self, path: str, body: Json) -> None:
        """Replace something."""
        if not self._dry_run:
            self._calls.PUT(_API + path, json=body, headers=_HEADERS)


def _rules(api: _Api, group: Json) -> Change:
    name, seconds = group["name"], int(group["interval"].removesuffix("s"))
    path = f"/folder/{FOLDER_UID}/rule-groups/{name}"
    there: Json = api.get(path) or {}
    known: Sequence[Json] = there.get("rules") or []
    for rule in group["rules"]:
        objection = _objection(api, rule["uid"])
        if objection:
            return Change("alert rules", name, "left alone", objection)
    wanted = [rule | {"orgID": 1, "folderUID": FOLDER_UID, "ruleGroup": name} for rule in group["rules"]]
    uids = {rule["uid"] for rule in wanted}
    theirs = [rule for rule in known if rule.get("uid") not in uids]
    ours = [rule for rule in known if rule.get("uid") in uids]
    note = f"{len(wanted)} rules" + (f", and {len(theirs)} others as they were" if theirs else "")
    same = _holds([_content(one) for one in ours], _comparable(wanted, ours))
    if there.get("interval") == seconds and same:
        return Change("alert rules", name, "unchanged", note)
    api.put(path, {"title": name, "folderUid": FOLDER_UID, "interval": seconds, "rules": [*wanted, *theirs]})
    return Change("alert rules", name, "updated" if known else "created", note)


def _stale(api: _Api, wanted: Collection[str], *, prune: bool) -> list[Change]:
    """The rules of earlier versions: ours by uid, label and folder, and of no file."""
    changes = []
    for rule in api.get("/alert-rules") or []:
        uid = str(rule.get("uid"))
        ours = (rule.get("labels") or {}).get("product") == PRODUCT and rule.get("folderUID") == FOLDER_UID
        if not uid.startswith(UID_PREFIX) or uid in wanted or not ours or rule.get("provenance") == "file":
            continue
        if prune:
            api.delete(f"/alert-rules/{uid}")
        changes.append(Change("alert rule", str(rule.get("title")), *stale(uid, prune=prune)))
    return changes


def _objection(api: _Api, uid: str) -> str:
    """Why a rule of this uid that is there must not be replaced; empty if it may be, or is not there."""
    rule: Json | None = api.get(f"/alert-rules/{uid}")
    if rule is None:
        return ""
    if rule.get("provenance") == "file":
        return _FILES
    if (rule.get("labels") or {}).get("product") != PRODUCT:
        return f"the rule with the uid {uid} has not our label product={PRODUCT}: give it another uid"
    if rule.get("folderUID", FOLDER_UID) != FOLDER_UID:
        return f"the rule with the uid {uid} stands in another folder: move it to {FOLDER_TITLE}, or delete it"
    return ""


def _templates(api: _Api) -> Change:
    (wanted,) = templates()["templates"]
    there = api.get(f"/templates/{TEMPLATES}")
    action = _action(there, there is not None and there.get("template", "").strip() == wanted["template"].strip())
    if _is_of_files(there):
        return Change("templates", TEMPLATES, "left alone", _FILES)
    if action != "unchanged":
        api.put(f"/templates/{TEMPLATES}", {"template": wanted["template"]})
    return Change("templates", TEMPLATES, action)


def _quiet(api: _Api, wanted: Json) -> Change:
    there = api.get(f"/mute-timings/{QUIET}")
    if _is_of_files(there):
        return Change("quiet hours", QUIET, "left alone", _FILES)
    action = _action(there, there is not None and _holds(there, wanted))
    if action == "created":
        api.post("/mute-timings", wanted)
    elif action == "updated":
        api.put(f"/mute-timings/{QUIET}", wanted)
    return Change("quiet hours", QUIET, action, "for tickets; name them in your policies")


def _contact_point(api: _Api, wanted: Json) -> Change:
    name = f"{CONTACT_POINT} ({wanted['type']})"
    known: Sequence[Json] = api.get("/contact-points") or []
    there = next((point for point in known if point.get("uid") == wanted["uid"]), None)
    if _is_of_files(there):
        return Change("contact point", name, "left alone", _FILES)
    if there is not None and there.get("name") != CONTACT_POINT:
        return Change("contact point", name, "left alone", f"people named it {there.get('name')!r}")
    action = _action(there, there is not None and _holds(there, wanted))
    if action == "created":
        api.post("/contact-points", wanted)
    elif action == "updated":
        api.put(f"/contact-points/{wanted['uid']}", wanted)
    return Change("contact point", name, action, "name it in your policies: the tree is yours")


def _action(there: Json | None, same: bool) -> Action:
    if there is None:
        return "created"
    return "unchanged" if same else "updated"


def _is_of_files(there: Json | None) -> bool:
    return there is not None and there.get("provenance") == "file"


def _content(rule: Json) -> Json:
    """What of a rule is ours to say; a duration as Grafana writes it."""
    found = {key: rule.get(key) for key in _COMPARED}
    found["for"] = _seconds(str(rule.get("for", "0s")))
    if _KEEP in rule:
        found[_KEEP] = _seconds(str(rule[_KEEP]))
    return found


def _comparable(wanted: Sequence[Json], there: Sequence[Json]) -> list[Json]:
    """What is wanted, as far as this Grafana knows it: before 12 nothing goes on firing."""
    told = [_content(one) for one in wanted]
    if not any(_KEEP in one for one in there):
        for one in told:
            one.pop(_KEEP, None)
    return told


def _seconds(duration: str) -> int:
    """Grafana writes 300s back as 5m or 5m0s."""
    total, figure = 0, ""
    for letter in duration:
        if letter.isdigit():
            figure += letter
        else:
            total += int(figure or 0) * {"s": 1, "m": 60, "h": 3_600, "d": 86_400}[letter]
            figure = ""
    return total


def _holds(there: object, wanted: object) -> bool:
    """Whether all that is wanted is there; Grafana adds keys of its own."""
    if isinstance(wanted, Mapping):
        return isinstance(there, Mapping) and all(_holds(there.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        same = isinstance(there, list) and len(there) == len(wanted)
        return same and all(map(_holds, there, wanted))  # type: ignore[call-overload]  # a list, as was just asked
    return there == wanted
