"""Alert rules as Grafana's file provisioning reads them (apiVersion 1); `dashboards.contacts` has where they go.

A rule's query returns one row per instance: one number, and text columns that become labels. The labels are
stable (a lane, never an estimate or the hours of delay), since each new label is a new alert. What Grafana
expands differs by place: labels, titles and contact point settings take `$X` (hence `$$` for a dollar sign),
annotations are templates in which a single `$labels` is right.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from dashboards.names import DATASOURCE_TYPE, DATASOURCE_UID, FOLDER_TITLE, PRODUCT
from dashboards.panels import TABLE, Json
from dashboards.queries import load
from dashboards.rules import RULES, Group, Rule
from dashboards.thresholds import Thresholds, shipped

LATE_BY_LANE_RULE: Final = "quayside-late-by-lane"

_EXPRESSION: Final = "__expr__"
_WINDOW_S: Final = 600


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """When the rules fire, and how fast: the thresholds that Quayside comes with, or others."""

    thresholds: Thresholds = field(default_factory=shipped)


def rule_groups(settings: AlertSettings) -> Json:
    """The file with our rule groups: what is late every 10 s, tickets and the data's own health at their leisure."""
    told = settings.thresholds
    return {
        "apiVersion": 1,
        "groups": [
            {
                "orgId": 1,
                "name": f"quayside-{group}",
                "folder": FOLDER_TITLE,
                "interval": f"{interval_seconds(told, group)}s",
                "rules": [_rule(rule, told) for rule in RULES if rule.group == group],
            }
            for group in _GROUPS
        ],
    }


def interval_seconds(told: Thresholds, group: Group) -> int:
    """How often the rules of a group are evaluated."""
    match group:
        case "late":
            return told.evaluation.late_s
        case "tickets":
            return told.evaluation.tickets_s
        case "data":
            return told.evaluation.data_s


_GROUPS: Final[tuple[Group, ...]] = ("late", "tickets", "data")


def _rule(rule: Rule, told: Thresholds) -> Json:
    board, panel = rule.panel
    return {
        "uid": rule.uid,
        "title": rule.title,
        "condition": "B",
        "data": [_query("A", told.fill(load(rule.query).sql)), _threshold("B", "A", rule.above(told))],
        # Where every lane has its row, or there are rows only of what is wrong, no rows is good news. The silence of
        # the pipeline itself, and a store that does not answer, are a rule of its own: the others stay as they were
        # meanwhile (KeepLast, from Grafana 10.4.1 on), or each restart would page eleven times.
        "noDataState": rule.no_data,
        "execErrState": "Alerting" if rule.no_data == "Alerting" else "KeepLast",
        "for": f"{rule.pending(told)}s",
        # From Grafana 12 on; earlier ones do not know the key and leave it.
        "keep_firing_for": f"{told.evaluation.keep_s}s",
        "labels": {
            "product": PRODUCT,
            "severity": rule.severity,
            "team": "logistics" if rule.group != "data" else "data",
        },
        "annotations": {
            "summary": rule.summary,
            "description": rule.description,
            "runbook_url": f"{told.runbooks.rstrip('/')}/{rule.slug}.md",
            "__dashboardUid__": board,
            "__panelId__": str(panel),
        },
        "isPaused": False,
    }


def _query(ref_id: str, sql: str) -> Json:
    return {
        "refId": ref_id,
        "relativeTimeRange": {"from": _WINDOW_S, "to": 0},
        "datasourceUid": DATASOURCE_UID,
        "model": {
            "refId": ref_id,
            "datasource": {"type": DATASOURCE_TYPE, "uid": DATASOURCE_UID},
            "editorType": "sql",
            "queryType": "table",
            "format": TABLE,
            "rawSql": sql,
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
