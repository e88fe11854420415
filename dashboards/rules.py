"""The alert rules: what each asks, when it fires, whom it concerns and what it opens.

The shipped order: a page per lane; warnings; tickets. Each rule has a runbook, docs/runbooks/SLUG.md.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from dashboards import names
from dashboards.thresholds import Thresholds

Severity = Literal["page", "warning", "ticket"]
Group = Literal["late", "tickets", "data"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One alert rule.

    `slug`: names its uid (quayside-SLUG) and its runbook. `above`: it fires for rows whose number is greater.
    `pending`: for how long first, in seconds. `label`: the column that tells its alerts apart. `panel`: (dashboard,
    panel) that it opens. `no_data`: what no rows at all mean.
    """

    slug: str
    title: str
    group: Group
    severity: Severity
    query: str
    label: str
    summary: str
    description: str
    panel: tuple[str, int]
    above: Callable[[Thresholds], float] = lambda _: 0
    pending: Callable[[Thresholds], int] = lambda _: 0
    no_data: Literal["OK", "Alerting"] = "OK"

    @property
    def uid(self) -> str:
        """Its uid in Grafana."""
        return f"quayside-{self.slug}"


_COUNT: Final = "{{ printf `%.0f` $values.A.Value }}"

RULES: Final[tuple[Rule, ...]] = (
    Rule(
        slug="late-by-lane",
        title="late shipments by lane",
        group="late",
        severity="page",
        query="alert_late_by_lane",
        label="lane",
        summary=f"{_COUNT} late on {{{{ $labels.lane }}}}, not acknowledged",
        description="More shipments on this lane are past their promise than the page's thresholds allow (by number, "
        "or by their share of the open ones), and nobody has them in hand. Open the dashboard for the shipments; "
        "acknowledge those that are being seen to.",
        panel=(names.SHIPMENTS_UID, names.LATE_BY_LANE_PANEL),
        pending=lambda told: told.late.page.for_s,
    ),
    Rule(
        slug="late-by-lane-warning",
        title="late shipments by lane, warning",
        group="late",
        severity="warning",
        query="alert_late_by_lane_warning",
        label="lane",
        summary=f"{_COUNT} late on {{{{ $labels.lane }}}}, not acknowledged",
        description="A promise on this lane is broken and nobody has the shipment in hand; not yet enough of them for "
        "a page.",
        panel=(names.SHIPMENTS_UID, names.LATE_BY_LANE_PANEL),
        pending=lambda told: told.late.warning.for_s,
    ),
    Rule(
        slug="newly-late",
        title="newly late by lane",
        group="late",
        severity="warning",
        query="alert_newly_late",
        label="lane",
        summary=f"{_COUNT} became late on {{{{ $labels.lane }}}} within minutes",
        description="Several shipments of one lane became late at the same time: one cause (a port, a border, a "
        "carrier), or a source that stopped telling of deliveries.",
        panel=(names.SHIPMENTS_UID, names.NEWLY_LATE_PANEL),
    ),
    Rule(
        slug="late-shipment",
        title="late shipment",
        group="tickets",
        severity="ticket",
        query="alert_late_shipment",
        label="shipment_id",
        summary="{{ $labels.shipment_id }} on {{ $labels.lane }} is late",
        description="This shipment is past its promise and nobody has it in hand. Open its story; tell whoever waits "
        "for it; acknowledge it.",
        panel=(names.SHIPMENTS_UID, names.LATE_TABLE_PANEL),
    ),
    Rule(
        slug="at-risk",
        title="shipments at risk by lane",
        group="tickets",
        severity="ticket",
        query="alert_at_risk",
        label="lane",
        summary=f"{_COUNT} at risk on {{{{ $labels.lane }}}}",
        description="Shipments on this lane are in time as yet and expected after their promise: there is still time "
        "to do something, or to tell whoever waits.",
        panel=(names.SHIPMENTS_UID, names.AT_RISK_PANEL),
        pending=lambda told: told.at_risk.for_s,
    ),
    Rule(
        slug="overdue-milestone",
        title="overdue milestones by lane",
        group="tickets",
        severity="ticket",
        query="alert_overdue",
        label="lane",
        summary=f"{_COUNT} with an overdue milestone on {{{{ $labels.lane }}}}",
        description="A planned milestone was neither reported nor passed: the goods stand somewhere, or a carrier does "
        "not report.",
        panel=(names.SHIPMENTS_UID, names.OVERDUE_PANEL),
        pending=lambda told: told.overdue_milestone.for_s,
    ),
    Rule(
        slug="negative-stock",
        title="negative stock by site",
        group="tickets",
        severity="ticket",
        query="alert_negative_stock",
        label="site",
        summary=f"{_COUNT} positions below zero at {{{{ $labels.site }}}}",
        description="By what was reported more has left than ever came in: a receipt is missing or wrong, or an issue "
        "was reported twice under two ids.",
        panel=(names.STOCK_UID, names.NEGATIVE_PANEL),
        pending=lambda told: told.negative_stock.for_s,
    ),
    Rule(
        slug="stockout",
        title="stockouts by site",
        group="tickets",
        severity="ticket",
        query="alert_stockout",
        label="site",
        summary=f"{_COUNT} positions empty at {{{{ $labels.site }}}}",
        description="Nothing is on hand of what this site had before. The dashboard shows what is on its way to it.",
        panel=(names.STOCK_UID, names.STOCKOUT_PANEL),
        pending=lambda told: told.stockout.for_s,
    ),
    Rule(
        slug="lead-time-shift",
        title="lead times that shifted",
        group="tickets",
        severity="ticket",
        query="alert_lead_time_shift",
        label="measure",
        summary=f"{_COUNT} routes of {{{{ $labels.measure }}}} have shifted",
        description="The latest day of a route is beyond its control limits, or the ninth in a row on one side of the "
        "centre: something has changed, for the worse or for the better.",
        panel=(names.LEAD_TIMES_UID, names.CONTROL_CHART_PANEL),
        pending=lambda told: told.lead_time_shift.for_s,
    ),
    Rule(
        slug="dead-letter-share",
        title="share of dead letters",
        group="data",
        severity="warning",
        query="alert_dead_share",
        label="topic",
        summary="{{ humanizePercentage $values.A.Value }} of {{ $labels.topic }} cannot be processed",
        description="Records of this topic cannot be processed: a producer has changed or is broken. None is lost; "
        "what they tell is missing from every figure until they are mended and sent again.",
        panel=(names.PIPELINE_UID, names.DEAD_SHARE_PANEL),
        above=lambda told: told.dead_letter_share.share,
        pending=lambda told: told.dead_letter_share.for_s,
    ),
    Rule(
        slug="silent-source",
        title="silent source",
        group="data",
        severity="warning",
        query="alert_silent_source",
        label="source",
        summary="{{ $labels.source }} is silent",
        description="Nothing has come from this source for three times its usual gap. What only it can tell "
        "(deliveries!) is missing, so shipments may look late that have long arrived.",
        panel=(names.SUPPLIERS_UID, names.SILENCE_PANEL),
        pending=lambda told: told.silent_source.for_s,
    ),
    Rule(
        slug="data-not-fresh",
        title="data not fresh",
        group="data",
        severity="page",
        query="alert_not_fresh",
        label="what",
        summary="{{ $labels.what }} of the pipeline: {{ humanizeDuration $values.A.Value }} behind",
        description="Nothing has arrived for too long, or the derived states stay behind the events: every figure is "
        "as old as that, and quiet alerts prove nothing.",
        panel=(names.PIPELINE_UID, names.FRESHNESS_PANEL),
        above=lambda told: told.not_fresh.age_s,
        pending=lambda told: told.not_fresh.for_s,
        no_data="Alerting",
    ),
)
"""All alert rules."""
