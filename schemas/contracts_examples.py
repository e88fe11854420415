"""One worked example for each event type: the life of one order, from its placing to the shelf.

Harbour Retail orders power drills and extension cables from Acme for its store at Hamburg; Blue Line carries
them from Shanghai. Standard identifiers in it have right check digits.
"""

from typing import Any, Final

_DRILL: Final = "4006381333931"
_CABLE: Final = "acme:cable-h07"


def _said(source: str, event_id: str, kind: str, occurred_at: str, recorded_at: str, **rest: Any) -> dict[str, Any]:
    return {
        "event_id": event_id,
        "source": source,
        "type": kind,
        "occurred_at": occurred_at,
        "recorded_at": recorded_at,
        **rest,
    }


def _order(source: str, event_id: str, kind: str, moment: str, **rest: Any) -> dict[str, Any]:
    return _said(source, event_id, kind, moment, moment, order_id="PO-4711", **rest)


def _shipment(source: str, event_id: str, kind: str, moment: str, recorded: str, **rest: Any) -> dict[str, Any]:
    return _said(source, event_id, kind, moment, recorded, shipment_id="S-90017", **rest)


def _stock(event_id: str, kind: str, moment: str, quantity: object, **rest: Any) -> dict[str, Any]:
    place = {"site": "HAM-DC1", "item": _DRILL, "unit": "EA", "quantity": quantity}
    return _said("ham-wms", event_id, kind, moment, moment, **place, **rest)


def _known(event_id: str, kind: str, **rest: Any) -> dict[str, Any]:
    moment = "2026-02-20T08:00:00Z"
    return _said("harbour-masterdata", event_id, kind, moment, moment, **rest)


_SUPPLIER: Final = (
    _order(
        "harbour-erp",
        "po/4711",
        "order_placed",
        "2026-03-02T09:15:00+01:00",
        supplier="Acme",
        buyer="Harbour Retail",
        destination="HAM-DC1",
        lines=[
            {
                "line_id": "10",
                "item": _DRILL,
                "quantity": 1200,
                "unit": "EA",
                "requested_at": "2026-04-10T16:00:00+02:00",
                "unit_cost": "41.85",
                "currency": "EUR",
            },
            {"line_id": "20", "item": _CABLE, "quantity": "2500.5", "unit": "MTR"},
        ],
        attributes={"cost_center": "7300"},
    ),
    _order(
        "acme-erp",
        "confirm/4711/1",
        "order_confirmed",
        "2026-03-03T11:02:30+08:00",
        lines=[
            {"line_id": "10", "promised_at": "2026-04-14T18:00:00+02:00"},
            {"line_id": "20", "quantity": 2400, "promised_at": "2026-04-14T18:00:00+02:00"},
        ],
    ),
    _order(
        "harbour-erp",
        "change/4711/1",
        "order_changed",
        "2026-03-04T10:00:00+01:00",
        lines=[{"line_id": "10", "quantity": 1000}],
    ),
    _order(
        "harbour-erp",
        "cancel/4711/1",
        "order_cancelled",
        "2026-03-05T08:30:00+01:00",
        line_ids=["20"],
        reason="Bought elsewhere.",
    ),
    _order("harbour-erp", "close/4711", "order_closed", "2026-04-20T17:00:00+02:00", reason="Invoice settled."),
    _order(
        "acme-erp",
        "asn/90017",
        "advance_ship_notice",
        "2026-03-10T15:20:00+08:00",
        shipment_id="S-90017",
        supplier="Acme",
        carrier="Blue Line",
        origin="SHA-ACME",
        destination="HAM-DC1",
        promised_at="2026-04-14T18:00:00+02:00",
        lines=[{"line_id": "10", "item": _DRILL, "quantity": 1000, "unit": "EA"}],
        references={"asn": "ASN-90017", "sscc": "340123450000000420"},
    ),
)

_SHIPMENT: Final = (
    _shipment(
        "blue-line",
        "S-90017/1/departed/actual",
        "milestone",
        "2026-03-14T22:40:00+08:00",
        "2026-03-14T22:55:12.250+08:00",
        milestone="departed",
        classifier="actual",
        leg=1,
        location="CNSHA",
        mode="ocean",
        carrier="Blue Line",
        origin="SHA-ACME",
        destination="HAM-DC1",
        promised_at="2026-04-14T18:00:00+02:00",
        lines=[{"item": _DRILL, "quantity": 1000, "unit": "EA", "order_id": "PO-4711", "line_id": "10"}],
        references={"container": "CSQU3054383", "booking": "BL-55120", "bill_of_lading": "BLHAM2603141"},
    ),
    _shipment(
        "blue-line",
        "S-90017/ais/20260328T0600",
        "position",
        "2026-03-28T06:00:00Z",
        "2026-03-28T06:04:11Z",
        latitude="12.585",
        longitude="43.338",
    ),
    _shipment(
        "box-sensors",
        "CSQU3054383/20260328T0600",
        "condition",
        "2026-03-28T06:00:00Z",
        "2026-03-28T06:00:03Z",
        temperature=31.4,
        temperature_max=45,
        humidity=68.5,
        humidity_max=80,
    ),
)

_WAREHOUSE: Final = (
    _stock(
        "gr/1187",
        "received",
        "2026-04-15T09:30:00+02:00",
        1000,
        lot="L-2603",
        references={"shipment_id": "S-90017", "order_id": "PO-4711"},
    ),
    _stock(
        "pa/1187",
        "put_away",
        "2026-04-15T13:05:00+02:00",
        1000,
        lot="L-2603",
        references={"shipment_id": "S-90017"},
    ),
    _stock("pick/5521", "picked", "2026-04-16T08:12:00+02:00", 24, references={"order_id": "SO-20881"}),
    _stock("pack/5521", "packed", "2026-04-16T08:40:00+02:00", 24, references={"order_id": "SO-20881"}),
    _stock(
        "gi/5521",
        "shipped",
        "2026-04-16T10:00:00+02:00",
        24,
        references={"order_id": "SO-20881", "shipment_id": "S-91200"},
    ),
    _stock("count/31", "counted", "2026-04-17T06:00:00+02:00", 975),
    _stock("adj/77", "adjusted", "2026-04-17T07:10:00+02:00", "-1", reason="Demonstration unit for the shop."),
    _stock("res/5530", "reserved", "2026-04-15T15:00:00+02:00", 60, references={"order_id": "SO-20890"}),
    _stock(
        "unres/5530",
        "released",
        "2026-04-16T09:00:00+02:00",
        60,
        reason="Customer cancelled.",
        references={"order_id": "SO-20890"},
    ),
    _stock(
        "mv/210/out",
        "moved",
        "2026-04-17T11:00:00+02:00",
        200,
        direction="out",
        reason="To BER-DC2.",
        attributes={"transfer": "210"},
    ),
    _stock("qa/12", "quarantined", "2026-04-17T12:00:00+02:00", 50, lot="L-2603", reason="Loose chucks found."),
    _stock("qa/12/ok", "restored", "2026-04-18T09:00:00+02:00", 48, lot="L-2603", reason="Inspected."),
    _stock("ret/881", "returned", "2026-04-19T14:20:00+02:00", 1, references={"order_id": "SO-20881"}),
    _stock("scrap/9", "scrapped", "2026-04-19T16:00:00+02:00", 2, lot="L-2603", reason="Chuck cannot be repaired."),
)

_OPERATOR: Final = (
    _said(
        "control-tower",
        "ack/S-90017/1",
        "acknowledged",
        "2026-04-14T18:10:00+02:00",
        "2026-04-14T18:10:00+02:00",
        exception_id="late_delivery/shipment/S-90017",
        by="m.jansen",
        until="2026-04-15T09:00:00+02:00",
        note="Truck is held up at the port; new slot at eight.",
    ),
    _said(
        "control-tower",
        "unack/S-90017/1",
        "unacknowledged",
        "2026-04-15T08:45:00+02:00",
        "2026-04-15T08:45:00+02:00",
        exception_id="late_delivery/shipment/S-90017",
        by="m.jansen",
        note="The slot was not kept.",
    ),
)

_REFERENCE: Final = (
    _known(
        "site/HAM-DC1",
        "site_described",
        site="HAM-DC1",
        name="Hamburg distribution centre",
        latitude="53.5078",
        longitude="9.9586",
        zone="Europe/Berlin",
        daily_capacity=12000,
    ),
    _known(f"item/{_DRILL}", "item_described", item=_DRILL, name="Power drill 18 V", unit="EA", reorder_point=300),
    _known(
        "lane/SHA-ACME/HAM-DC1",
        "lane_described",
        origin="SHA-ACME",
        destination="HAM-DC1",
        transit_promise=744,
    ),
    _known("source/blue-line", "source_described", describes="blue-line", name="Blue Line EDI", expected_cadence="1.5"),
)

EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    event["type"]: event for event in (*_SUPPLIER, *_SHIPMENT, *_WAREHOUSE, *_OPERATOR, *_REFERENCE)
}
"""A realistic event of each type, as the JSON document that stands on the wire."""
