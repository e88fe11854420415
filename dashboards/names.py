"""The fixed names of what we put into a Grafana: they stand in links, alert rules and bookmarks."""

from typing import Final

DATASOURCE_TYPE: Final = "grafana-clickhouse-datasource"
DATASOURCE_UID: Final = "quayside-clickhouse"
DATASOURCE_NAME: Final = "Quayside"

FOLDER_TITLE: Final = "Quayside"
FOLDER_UID: Final = "quayside"

TAG: Final = "quayside"
"""On every dashboard of ours: the links between them go by it, and `push` knows ours by it."""

CONTROL_TOWER_UID: Final = "quayside-control-tower"
SHIPMENTS_UID: Final = "quayside-shipments"

LATE_BY_LANE_PANEL: Final = 7
"""The panel of the shipments dashboard that the alert on late shipments by lane opens."""
