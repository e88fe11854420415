"""What both dashboards have in common: variables, and the links from a value to where it can be opened."""

from typing import Final

from dashboards.board import Choice
from dashboards.names import SHIPMENTS_UID
from dashboards.panels import Link

LANE: Final = Choice("lane", "Lane", "Origin and destination; ? stands for an end that nobody told.", "variable_lane")
CARRIER: Final = Choice("carrier", "Carrier", "Who carries the shipment; ? where nobody told it.", "variable_carrier")

_KEEP: Final = "${datasource:queryparam}&${__url_time_range}"

OPEN_SHIPMENTS: Final = Link(
    "Open the shipments behind it",
    f"/d/{SHIPMENTS_UID}?${{lane:queryparam}}&${{carrier:queryparam}}&{_KEEP}",
)
"""From a figure to the shipments dashboard, with the same choice of lanes and carriers."""

OPEN_LANE: Final = Link(
    "Shipments of this lane",
    f"/d/{SHIPMENTS_UID}?var-lane=${{__data.fields.lane:percentencode}}&${{carrier:queryparam}}&{_KEEP}",
)

OPEN_CARRIER: Final = Link(
    "Shipments of this carrier",
    f"/d/{SHIPMENTS_UID}?var-carrier=${{__data.fields.carrier_name:percentencode}}&${{lane:queryparam}}&{_KEEP}",
)

OPEN_SHIPMENT: Final = Link(
    "The story of this shipment, event by event",
    f"/d/{SHIPMENTS_UID}?var-shipment_id=${{__data.fields.shipment_id:percentencode}}"
    f"&${{lane:queryparam}}&${{carrier:queryparam}}&{_KEEP}",
)
