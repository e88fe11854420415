"""The second half of the stand-in for Grafana's alerting: routes, groups, waits, quiet hours, and the webhook.

After what Alertmanager and Grafana document: the first route whose matchers all fit; alerts with the same values of
`group_by` are one group; a new group waits group_wait, then is looked at every group_interval and sent where an alert
has begun to fire or has been resolved since it was sent last, or repeat_interval has passed. Message templates are not
rendered (`title` and `message` are left empty). It is no Grafana.
"""

import json
import math
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.request import Request, urlopen
from zoneinfo import ZoneInfo

import yaml

Json = dict[str, Any]
GroupKey = tuple[str, tuple[tuple[str, str], ...]]

_VARIABLE: Final = re.compile(r"\$\$|\$\{(\w+)\}|\$(\w+)")
_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert as the Alertmanager is told it; `ends_at` is 0 while it fires."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: float
    value: float
    ends_at: float = 0.0

    @property
    def fingerprint(self) -> str:
        """Names its label set."""
        return sha256(json.dumps(sorted(self.labels.items())).encode()).hexdigest()[:16]

    def json(self) -> Json:
        """As the webhook has it."""
        return {
            "status": "resolved" if self.ends_at else "firing",
            "labels": dict(self.labels),
            "annotations": {name: text for name, text in self.annotations.items() if not name.startswith("__")},
            "startsAt": _rfc3339(self.starts_at),
            "endsAt": _rfc3339(self.ends_at) if self.ends_at else "0001-01-01T00:00:00Z",
            "generatorURL": "",
            "fingerprint": self.fingerprint,
            "dashboardURL": f"/d/{self.annotations['__dashboardUid__']}",
            "panelURL": f"/d/{self.annotations['__dashboardUid__']}?viewPanel={self.annotations['__panelId__']}",
            "values": {"A": self.value, "B": 1},
        }


@dataclass(slots=True)
class _Group:
    """Alerts that are sent together. `sent`: those that fired when it was sent last, and when that was."""

    route: Json
    labels: dict[str, str]
    next_at: float
    alerts: dict[str, Alert] = field(default_factory=dict)
    sent: frozenset[str] = frozenset()
    sent_at: float = -math.inf


class Notifier:
    """Sends alerts by the policy tree of a provisioning folder; `environment`: what `$NAME` stands for."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        (point,) = _read(folder / "contact-points.yaml")["contactPoints"]
        (self._tree,) = _read(folder / "policies.yaml")["policies"]
        self._mutes: Final = {mute["name"]: mute for mute in _read(folder / "mute-times.yaml")["muteTimes"]}
        self._points: Final = {point["name"]: point["receivers"]}
        self._environment: Final = environment
        self._groups: Final[dict[GroupKey, _Group]] = {}
        self.failures = 0
        self.posted: list[tuple[float, Json]] = []
        """Each body that was taken, and when it was sent by the clock of the stand-in."""

    def fire(self, alert: Alert, now: float) -> None:
        """Take a firing alert in."""
        route, labels, key = self._place(alert)
        if key not in self._groups:
            self._groups[key] = _Group(route, labels, now + _seconds(route["group_wait"]))
        known = self._groups[key].alerts.get(alert.fingerprint)
        if known is None or known.ends_at:
            self._groups[key].alerts[alert.fingerprint] = alert

    def knows(self, alert: Alert) -> bool:
        """Whether it fires here."""
        group = self._groups.get(self._place(alert)[2])
        return group is not None and alert.fingerprint in group.alerts

    def resolve(self, alert: Alert, now: float) -> None:
        """Take in that it is over."""
        group = self._groups[self._place(alert)[2]]
        known = group.alerts[alert.fingerprint]
        if not known.ends_at:
            group.alerts[alert.fingerprint] = Alert(known.labels, known.annotations, known.starts_at, alert.value, now)

    def due(self) -> float:
        """When a group is to be looked at next."""
        return min((group.next_at for group in self._groups.values()), default=math.inf)

    def flush(self, now: float) -> None:
        """Look at the groups whose time has come."""
        for key, group in [*self._groups.items()]:
            if group.next_at > now:
                continue
            group.next_at += _seconds(group.route["group_interval"])
            firing = frozenset(name for name, one in group.alerts.items() if not one.ends_at)
            news = firing - group.sent or group.sent - firing
            again = firing and now - group.sent_at >= _seconds(group.route["repeat_interval"])
            if not self._is_quiet(group.route, now) and (news or again) and not self._post(key, group, now):
                self.failures += 1
                continue
            if not self._is_quiet(group.route, now):
                if news or again:
                    group.sent, group.sent_at = firing, now
                group.alerts = {name: one for name, one in group.alerts.items() if not one.ends_at}
            if not group.alerts:
                del self._groups[key]

    def _place(self, alert: Alert) -> tuple[Json, dict[str, str], GroupKey]:
        number, route = next(
            (
                (str(number), route)
                for number, route in enumerate(self._tree["routes"])
                if all(_fits(alert.labels, *matcher) for matcher in route["object_matchers"])
            ),
            ("root", self._tree),
        )
        names = [name for name in self._tree["group_by"] if "group_by" not in route] or route["group_by"]
        labels = {name: alert.labels[name] for name in names if name in alert.labels}
        return route, labels, (number, tuple(sorted(labels.items())))

    def _is_quiet(self, route: Json, now: float) -> bool:
        return any(_is_within(self._mutes[name], now) for name in route.get("mute_time_intervals", ()))

    def _post(self, key: GroupKey, group: _Group, now: float) -> bool:
        alerts = [alert.json() for alert in group.alerts.values()]
        body = {
            "receiver": group.route["receiver"],
            "status": "firing" if any(one["status"] == "firing" for one in alerts) else "resolved",
            "alerts": alerts,
            "groupLabels": group.labels,
            "commonLabels": _common(alerts, "labels"),
            "commonAnnotations": _common(alerts, "annotations"),
            "externalURL": "",
            "version": "1",
            "groupKey": str(key),
            "truncatedAlerts": 0,
            "title": "",
            "state": "alerting" if any(one["status"] == "firing" for one in alerts) else "ok",
            "message": "",
        }
        for receiver in self._points[group.route["receiver"]]:
            if receiver["type"] != "webhook":
                continue
            url = _VARIABLE.sub(self._expanded, receiver["settings"]["url"])
            request = Request(  # noqa: S310 - the hook of the test, on loopback
                url, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST"
            )
            try:
                with urlopen(request, timeout=10):  # noqa: S310
                    pass
            except OSError:
                return False
        self.posted.append((now, body))
        return True

    def _expanded(self, found: re.Match[str]) -> str:
        return "$" if found.group(0) == "$$" else self._environment.get(found.group(1) or found.group(2), "")


@dataclass(slots=True)
class Hook:
    """Who is called: every body with the time at which it arrived (seconds since the epoch)."""

    url: str = ""
    calls: list[tuple[float, Json]] = field(default_factory=list)

    def alerts(self, status: str = "firing", **labels: str) -> list[Json]:
        """All alerts of this status that were sent and have these labels, in the order in which they arrived."""
        return [
            alert
            for _, body in self.calls
            for alert in body["alerts"]
            if alert["status"] == status and labels.items() <= alert["labels"].items()
        ]


@contextmanager
def listening() -> Iterator[Hook]:
    """A webhook on a free port of loopback."""
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        """Keeps what is posted."""

        def do_POST(self) -> None:
            """Take one body."""
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.calls.append((time.time(), json.loads(body)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the base class
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hook.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _fits(labels: Mapping[str, str], name: str, how: str, value: str) -> bool:
    assert how == "=", how
    return labels.get(name, "") == value


def _common(alerts: list[Json], kind: str) -> Json:
    first, *others = (alert[kind].items() for alert in alerts)
    return dict(sorted(set(first).intersection(*others)))


def _is_within(mute: Json, now: float) -> bool:
    for interval in mute["time_intervals"]:
        local = datetime.fromtimestamp(now, ZoneInfo(interval.get("location", "UTC")))
        minute = local.hour * 60 + local.minute
        times = [(_minutes(one["start_time"]), _minutes(one["end_time"])) for one in interval.get("times", ())]
        if times and not any(start <= minute < end for start, end in times):
            continue
        if "weekdays" in interval and _DAYS[local.weekday()] not in interval["weekdays"]:
            continue
        return True
    return False


def _minutes(clock: str) -> int:
    hours, _, minutes = clock.partition(":")
    return int(hours) * 60 + int(minutes)


def _seconds(duration: str) -> float:
    return sum(int(figure) * _UNITS[unit] for figure, unit in re.findall(r"(\d+)([smhd])", duration))


def _rfc3339(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z")


def _read(path: Path) -> Json:
    content: Json = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert content["apiVersion"] == 1, path
    return content
