"""The fixed names of what we put into a Grafana: they stand in links, alert rules and bookmarks."""

from collections.abc import Mapping
from typing import Final

DATASOURCE_TYPE: Final = "grafana-clickhouse-datasource"
DATASOURCE_UID: Final = "quayside-clickhouse"
DATASOURCE_NAME: Final = "Quayside"

FOLDER_TITLE: Final = "Quayside"
FOLDER_UID: Final = "quayside"
"""For those who move goods; the alert rules are here too."""

ENGINE_FOLDER_TITLE: Final = "Quayside pipeline"
ENGINE_FOLDER_UID: Final = "quayside-pipeline"
"""For those who run the pipeline."""

FOLDERS: Final[Mapping[str, str]] = {FOLDER_TITLE: FOLDER_UID, ENGINE_FOLDER_TITLE: ENGINE_FOLDER_UID}
"""Title -> uid of all our folders. A folder that Grafana makes of provisioned files gets a uid of Grafana's own."""

TAG: Final = "quayside"
"""On every dashboard of ours: the links between them go by it, and `push` knows ours by it."""

UID_PREFIX: Final = "quayside-"
"""The uids of all our dashboards and alert rules begin with it."""

PRODUCT: Final = "quayside"
"""The label `product` of every alert of ours: policies route by it, and `push` knows our rules by it."""

CONTROL_TOWER_UID: Final = "quayside-control-tower"
SHIPMENTS_UID: Final = "quayside-shipments"
SHIPMENT_UID: Final = "quayside-shipment"
STOCK_UID: Final = "quayside-stock"
LEAD_TIMES_UID: Final = "quayside-lead-times"
SUPPLIERS_UID: Final = "quayside-suppliers"
PIPELINE_UID: Final = "quayside-pipeline"

LATE_BY_LANE_PANEL: Final = 7
"""The panel of the shipments dashboard that the alerts on late shipments by lane open."""
LATE_TABLE_PANEL: Final = 12
AT_RISK_PANEL: Final = 23
OVERDUE_PANEL: Final = 24
NEWLY_LATE_PANEL: Final = 25
NEGATIVE_PANEL: Final = 10
STOCKOUT_PANEL: Final = 11
CONTROL_CHART_PANEL: Final = 9
SILENCE_PANEL: Final = 12
DEAD_SHARE_PANEL: Final = 7
FRESHNESS_PANEL: Final = 1
"""Panels that the other alerts open, each on the dashboard of its matter."""

AT_FIRST: Final[Mapping[str, str]] = {
    "lane": "$__all",
    "carrier": "$__all",
    "supplier": "$__all",
    "site": "$__all",
    "item": "$__all",
    "source": "$__all",
    "route": "$__all",
    "measure": "order_to_delivery",
    "shipment_id": "",
}
"""Every variable of our dashboards, and what is chosen when a dashboard is opened without a choice."""
