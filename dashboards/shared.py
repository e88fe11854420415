"""What the dashboards have in common: variables, and the links from a value to where it can be opened."""

from dataclasses import replace
from typing import Final

from dashboards.board import Choice, TextBox
from dashboards.names import LEAD_TIMES_UID, PIPELINE_UID, SHIPMENT_UID, SHIPMENTS_UID, STOCK_UID, SUPPLIERS_UID
from dashboards.panels import Link

LANE: Final = Choice("lane", "Lane", "Origin and destination; ? stands for an end that nobody told.", "variable_lane")
CARRIER: Final = Choice("carrier", "Carrier", "Who carries the shipment; ? where nobody told it.", "variable_carrier")
SUPPLIER: Final = Choice("supplier", "Supplier", "Whose order lines a shipment brings.", "variable_supplier")
SITE: Final = Choice("site", "Site", "Where stock is kept.", "variable_site")
ITEM: Final = Choice("item", "Item", "What is kept: a GTIN, or OWNER:CODE.", "variable_item")
SOURCE: Final = Choice("source", "Source", "The system that sends events.", "variable_source")
SHIPMENT_ID: Final = TextBox("shipment_id", "Shipment", "The shipment whose story is told: its id, exactly.")

_EVERYWHERE: Final[tuple[Choice | TextBox, ...]] = (LANE, CARRIER, SUPPLIER, SITE, ITEM, SHIPMENT_ID)


def variables(*shown: Choice | TextBox) -> tuple[Choice | TextBox, ...]:
    """The variables of a dashboard: those it goes by, and hidden ones that keep the choice for where one came from."""
    return (*shown, *(replace(one, hidden=True) for one in _EVERYWHERE if one not in shown))


_TIME: Final = "${datasource:queryparam}&${__url_time_range}"
_GOODS: Final = f"${{site:queryparam}}&${{item:queryparam}}&{_TIME}"
_KEEP: Final = f"${{supplier:queryparam}}&{_GOODS}"
_WAY: Final = "${lane:queryparam}&${carrier:queryparam}"


def _field(name: str) -> str:
    return f"${{__data.fields.{name}:percentencode}}"


OPEN_SHIPMENTS: Final = Link("Open the shipments behind it", f"/d/{SHIPMENTS_UID}?{_WAY}&{_KEEP}")
"""From a figure to the shipments dashboard, with the same choices."""

OPEN_LANE: Final = Link(
    "Shipments of this lane", f"/d/{SHIPMENTS_UID}?var-lane={_field('lane')}&${{carrier:queryparam}}&{_KEEP}"
)
OPEN_CARRIER: Final = Link(
    "Shipments of this carrier",
    f"/d/{SHIPMENTS_UID}?var-carrier={_field('carrier_name')}&${{lane:queryparam}}&{_KEEP}",
)
OPEN_SUPPLIER_SHIPMENTS: Final = Link(
    "Shipments of this supplier", f"/d/{SHIPMENTS_UID}?var-supplier={_field('supplier')}&{_WAY}&{_GOODS}"
)
OPEN_SHIPMENT: Final = Link(
    "The story of this shipment, event by event",
    f"/d/{SHIPMENT_UID}?var-shipment_id={_field('shipment_id')}&{_WAY}&{_KEEP}",
)
OPEN_STOCK: Final = Link("Open stock and warehouse", f"/d/{STOCK_UID}?{_WAY}&{_KEEP}")
OPEN_SITE: Final = Link(
    "Stock of this site", f"/d/{STOCK_UID}?var-site={_field('site')}&{_WAY}&${{supplier:queryparam}}&{_TIME}"
)
OPEN_POSITION: Final = Link(
    "This position and the movements behind it",
    f"/d/{STOCK_UID}?var-site={_field('site')}&var-item={_field('item')}&{_WAY}&${{supplier:queryparam}}&{_TIME}",
)
OPEN_SUPPLIER: Final = Link("This supplier", f"/d/{SUPPLIERS_UID}?var-supplier={_field('supplier')}&{_WAY}&{_GOODS}")
OPEN_SUPPLIERS: Final = Link("Open the suppliers", f"/d/{SUPPLIERS_UID}?{_WAY}&{_KEEP}")
OPEN_SOURCE: Final = Link("What this source sends", f"/d/{PIPELINE_UID}?var-source={_field('source')}&{_WAY}&{_KEEP}")
OPEN_PIPELINE: Final = Link("Open the pipeline", f"/d/{PIPELINE_UID}?{_WAY}&{_KEEP}")
OPEN_ROUTE: Final = Link(
    "Lead times of this route",
    f"/d/{LEAD_TIMES_UID}?var-route={_field('route')}&var-measure={_field('measure')}&{_WAY}&{_KEEP}",
)
