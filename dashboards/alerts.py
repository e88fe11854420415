"""Alert rules, contact point and policy, as Grafana's file provisioning reads them (apiVersion 1).

A rule's query returns one row per instance: one number, and text columns that become labels. The labels are
stable (a lane, never an estimate or the hours of delay), since each new label is a new alert. What Grafana
expands differs by place: labels, titles and contact point settings take `$X` (hence `$$` for a dollar sign),
annotations are templates in which a single `$labels` is right.
"""

from dataclasses import dataclass
from typing import Any, Final

from dashboards.names import DATASOURCE_TYPE, DATASOURCE_UID, FOLDER_TITLE, LATE_BY_LANE_PANEL, SHIPMENTS_UID
from dashboards.panels import TABLE, Json
from dashboards.queries import load
from schemas.errors import WrongInput

CONTACT_POINT: Final = "quayside-webhook"
LATE_BY_LANE_RULE: Final = "quayside-late-by-lane"

_STEP_SECONDS: Final = 10
_EXPRESSION: Final = "__expr__"


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """When and how the rules page.

    late_per_lane: the page comes when more shipments than this are late on a lane and not acknowledged.
    interval_seconds: how often the rules are evaluated, a multiple of 10. pending_seconds: how long it must
    stay so before it pages. repeat: after how long an alert that still fires is sent again.
    runbooks: where the runbooks stand; the rule's own heading is added to it.
    """

    late_per_lane: int = 0
    interval_seconds: int = 10
    pending_seconds: int = 0
    repeat: str = "4h"
    runbooks: str = "docs/operations.md"


def rule_groups(settings: AlertSettings) -> Json:
    """The file with our rule group; WrongInput for settings that Grafana would refuse."""
    if settings.interval_seconds < _STEP_SECONDS or settings.interval_seconds % _STEP_SECONDS:
        raise WrongInput(
            f"the interval of alert rules must be a multiple of {_STEP_SECONDS} seconds, "
            f"not {settings.interval_seconds}"
        )
    return {
        "apiVersion": 1,
        "groups": [
            {
                "orgId": 1,
                "name": "quayside-late",
                "folder": FOLDER_TITLE,
                "interval": f"{settings.interval_seconds}s",
                "rules": [_late_by_lane(settings)],
            }
        ],
    }


def contact_points(webhook_url: str) -> Json:
    """The file with the webhook."""
    return {
        "apiVersion": 1,
        "contactPoints": [
            {
                "orgId": 1,
                "name": CONTACT_POINT,
                "receivers": [
                    {
                        "uid": CONTACT_POINT,
                        "type": "webhook",
                        "settings": {"url": webhook_url.replace("$", "$$"), "httpMethod": "POST"},
                        "disableResolveMessage": False,
                    }
                ],
            }
        ],
    }


def policies(settings: AlertSettings) -> Json:
    """The file with the policy tree. It replaces the WHOLE tree of the Grafana that reads it.

    Every lane is a group of its own, so that a second lane does not wait for the first one's interval.
    """
    return {
        "apiVersion": 1,
        "policies": [
            {
                "orgId": 1,
                "receiver": CONTACT_POINT,
                "group_by": ["alertname", "lane"],
                "group_wait": "0s",
                "group_interval": "10s",
                "repeat_interval": settings.repeat,
            }
        ],
    }


def _late_by_lane(settings: AlertSettings) -> Json:
    return {
        "uid": LATE_BY_LANE_RULE,
        "title": "late shipments by lane",
        "condition": "B",
        "data": [
            _query("A", "alert_late_by_lane"),
            _threshold("B", "A", settings.late_per_lane),
        ],
        # Every lane has its row, so no rows means no shipments at all; the silence of the pipeline itself
        # is another rule's matter, and a store that does not answer is an error, not silence.
        "noDataState": "OK",
        "execErrState": "Error",
        "for": f"{settings.pending_seconds}s",
        "labels": {"product": "quayside", "severity": "page", "team": "logistics"},
        "annotations": {
            "summary": "{{ $values.A.Value }} late on {{ $labels.lane }}, not acknowledged",
            "description": (
                f"More than {settings.late_per_lane} shipments on this lane are past their promise and nobody "
                "has them in hand. Open the dashboard for the shipments; acknowledge those that are being "
                "seen to."
            ),
            "runbook_url": f"{settings.runbooks}#late-shipments-by-lane",
            "__dashboardUid__": SHIPMENTS_UID,
            "__panelId__": str(LATE_BY_LANE_PANEL),
        },
        "isPaused": False,
    }


def _query(ref_id: str, query: str) -> Json:
    return {
        "refId": ref_id,
        "relativeTimeRange": {"from": 600, "to": 0},
        "datasourceUid": DATASOURCE_UID,
        "model": {
            "refId": ref_id,
            "datasource": {"type": DATASOURCE_TYPE, "uid": DATASOURCE_UID},
            "editorType": "sql",
            "queryType": "table",
            "format": TABLE,
            "rawSql": load(query).sql,
            "intervalMs": 1000,
            "maxDataPoints": 43200,
        },
    }


def _threshold(ref_id: str, of: str, above: float) -> Json:
    evaluator: dict[str, Any] = {"type": "gt", "params": [above]}
    return {
        "refId": ref_id,
        "relativeTimeRange": {"from": 0, "to": 0},
        "datasourceUid": _EXPRESSION,
        "model": {
            "refId": ref_id,
            "datasource": {"type": _EXPRESSION, "uid": _EXPRESSION},
            "type": "threshold",
            "expression": of,
            "conditions": [{"type": "query", "evaluator": evaluator}],
            "intervalMs": 1000,
            "maxDataPoints": 43200,
        },
    }
