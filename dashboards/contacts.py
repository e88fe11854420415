"""Where alerts go: contact point, message templates, quiet hours and the policy tree (file provisioning, apiVersion 1).

None of the templates uses a dollar sign, which Grafana would expand in some of these places.
"""

import re
from dataclasses import dataclass
from typing import Final

from dashboards.names import PRODUCT
from dashboards.panels import Json
from dashboards.rules import RULES, Severity
from dashboards.thresholds import Thresholds, Timing

CONTACT_POINT: Final = "quayside"
QUIET: Final = "quayside-quiet"
TEMPLATES: Final = "quayside"

QUERY_TIMEOUT_S: Final = 30
"""After so long the gate gives a question up, and so does the data source (`queryTimeout`)."""

_TITLE: Final = '{{ template "quayside.title" . }}'
_MESSAGE: Final = '{{ template "quayside.message" . }}'
_TEMPLATE: Final = """\
{{ define "quayside.title" }}{{ if eq .Status "firing" }}{{ .Alerts.Firing | len }} firing{{ else }}over{{ end }}: \
{{ .CommonLabels.alertname }}{{ if .CommonLabels.lane }} on {{ .CommonLabels.lane }}{{ end }}{{ end }}
{{ define "quayside.message" }}{{ range .Alerts }}{{ if eq .Status "firing" }}- {{ else }}- over: {{ end }}\
{{ .Annotations.summary }}
{{ if .PanelURL }}  panel: {{ .PanelURL }}
{{ end }}{{ if .Annotations.runbook_url }}  runbook: {{ .Annotations.runbook_url }}
{{ end }}{{ end }}{{ end }}
"""
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class Receivers:
    """Where alerts are sent: a webhook's URL, addresses of e-mail (Grafana's own SMTP settings send it), or both."""

    webhook: str | None = None
    emails: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.webhook or self.emails)


def contact_points(receivers: Receivers) -> Json:
    """The file with our contact point. A dollar sign in a setting is doubled, since Grafana expands it there."""
    told = [
        {**one, "settings": {key: _escaped(value) for key, value in one["settings"].items()}}
        for one in _each(receivers)
    ]
    return {"apiVersion": 1, "contactPoints": [{"orgId": 1, "name": CONTACT_POINT, "receivers": told}]}


def contact_points_of_api(receivers: Receivers) -> list[Json]:
    """The same as Grafana's API takes them, one by one."""
    return [{"name": CONTACT_POINT, **one} for one in _each(receivers)]


def templates() -> Json:
    """The file with the templates of titles and messages."""
    return {"apiVersion": 1, "templates": [{"orgId": 1, "name": TEMPLATES, "template": _TEMPLATE}]}


def mute_times(told: Thresholds) -> Json:
    """The file with the quiet hours."""
    return {"apiVersion": 1, "muteTimes": [{"orgId": 1, **quiet(told)}]}


def quiet(told: Thresholds) -> Json:
    """The quiet hours, as a mute timing: nights (over midnight in two parts), and weekends if wanted."""
    start, end, place = told.quiet.hours.start, told.quiet.hours.end, {"location": told.quiet.time_zone}
    nights = [(start, end)] if start < end else [(start, "24:00"), ("00:00", end)]
    times = [{"start_time": begin, "end_time": over} for begin, over in nights if begin != over]
    intervals: list[Json] = [{"times": times, **place}] if times else []
    if told.quiet.weekends:
        intervals.append({"weekdays": ["saturday", "sunday"], **place})
    return {"name": QUIET, "time_intervals": intervals}


def policies(told: Thresholds) -> Json:
    """The file with the policy tree. It replaces the WHOLE tree of the Grafana that reads it.

    Every lane (site, source, ...) is a group of its own, so that a second lane does not wait for the first one's
    interval; tickets of single shipments are grouped by lane.
    """
    told_apart = sorted({rule.label for rule in RULES if rule.severity != "ticket"} | {"lane", "site", "measure"})
    return {
        "apiVersion": 1,
        "policies": [
            {
                "orgId": 1,
                "receiver": CONTACT_POINT,
                "group_by": ["grafana_folder", "alertname"],
                **_timing(told.delivery.warning),
                "routes": [
                    {
                        "receiver": CONTACT_POINT,
                        "object_matchers": [["product", "=", PRODUCT], ["severity", "=", severity]],
                        "group_by": ["alertname", *told_apart],
                        **_timing(timing),
                        **({"mute_time_intervals": [QUIET]} if severity == "ticket" and told.quiet.tickets else {}),
                    }
                    for severity, timing in _severities(told)
                ],
            }
        ],
    }


def slowest_seconds(told: Thresholds, severity: Severity = "page") -> int:
    """The longest from a promise broken to the alert being sent, as the settings have it.

    One interval of evaluation, what it has to be so for, the time that a query may take at most, and the longer of
    group_wait (a new group) and group_interval (a group that has been sent). Lateness follows from the promise and the
    clock, so nothing waits for a message. Not in it: the first minute of a fresh Grafana, the network, the receiver.
    """
    timing = dict(_severities(told))[severity]
    pending = told.late.page.for_s if severity == "page" else told.late.warning.for_s
    waits = max(_duration(timing.group_wait), _duration(timing.group_interval))
    return told.evaluation.late_s + pending + QUERY_TIMEOUT_S + waits


def _severities(told: Thresholds) -> tuple[tuple[Severity, Timing], ...]:
    return (("page", told.delivery.page), ("warning", told.delivery.warning), ("ticket", told.delivery.ticket))


def _timing(timing: Timing) -> Json:
    return timing.model_dump()


def _each(receivers: Receivers) -> list[Json]:
    found: list[Json] = []
    if receivers.webhook:
        settings = {"url": receivers.webhook, "httpMethod": "POST", "title": _TITLE, "message": _MESSAGE}
        found.append({"uid": f"{CONTACT_POINT}-webhook", "type": "webhook", "settings": settings})
    if receivers.emails:
        mail = {"addresses": ";".join(receivers.emails), "singleEmail": True, "subject": _TITLE, "message": _MESSAGE}
        found.append({"uid": f"{CONTACT_POINT}-email", "type": "email", "settings": mail})
    return [one | {"disableResolveMessage": False} for one in found]


def _escaped(value: object) -> object:
    return value.replace("$", "$$") if isinstance(value, str) else value


def _duration(text: str) -> int:
    return sum(int(figure) * _SECONDS[unit] for figure, unit in re.findall(r"(\d+)([smhd])", text))
