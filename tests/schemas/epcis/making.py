"""EPCIS events for tests, and what Quayside's own agents make of what is derived from them."""

import json
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from schemas.derived import ShipmentStatus, StockPosition, Transit
from schemas.epcis.deriving import Captured, derive
from schemas.epcis.document import read_document
from schemas.epcis.mapping import Draft, Key
from schemas.event import Event
from schemas.versions import Version
from schemas.wire import Rejection, judge, topic_of
from streams.facts import Fact, contributor_identity
from streams.shipments.derive import Shipments
from streams.stock.derive import Stock

PALLET: Final = "urn:epc:id:sscc:0614141.1234567890"
CASE: Final = "urn:epc:id:sgtin:0614141.107346.2017"
DRILL: Final = "urn:epc:id:sgtin:0614141.011111."
"""A drill; its serial number comes behind."""

DRILL_ITEM: Final = "00614141111114"
CASE_ITEM: Final = "10614141073464"
RICE: Final = "urn:epc:class:lgtin:0614141.077777.L1"
RICE_ITEM: Final = "00614141777778"
HERE: Final = "urn:epc:id:sgln:0614141.00001.0"
THERE: Final = "urn:epc:id:sgln:0614141.00003.0"
HERE_GLN: Final = "0614141000012"
THERE_GLN: Final = "0614141000036"
DESADV: Final = {"type": "desadv", "bizTransaction": "urn:epcglobal:cbv:bt:0614141073467:1152"}
SHIPMENT: Final = "1152"
TO_THERE: Final = [{"type": "location", "destination": THERE}]


def epcis(kind: str, event_id: str | None, hour: float, **fields: Any) -> dict[str, Any]:
    """An event of 2026-11-01, so many hours after midnight in Berlin."""
    whole, part = divmod(round(hour * 60), 60)
    moment = f"2026-11-{1 + whole // 24:02}T{whole % 24:02}:{part:02}:00.000+01:00"
    event = {"type": kind, "eventTime": moment, "eventTimeZoneOffset": "+01:00", **fields}
    return event if event_id is None else {**event, "eventID": event_id}


def seen(event_id: str, hour: float, step: str, epcs: Iterable[str] = (), **fields: Any) -> dict[str, Any]:
    """An ObjectEvent with action OBSERVE."""
    things = {"epcList": list(epcs)} if epcs else {}
    return epcis("ObjectEvent", event_id, hour, **{"action": "OBSERVE", "bizStep": step, **things, **fields})


def put(event_id: str, hour: float, parent: str, children: Iterable[str], **fields: Any) -> dict[str, Any]:
    """An AggregationEvent that puts children into a parent."""
    return epcis(
        "AggregationEvent",
        event_id,
        hour,
        **{"action": "ADD", "parentID": parent, "childEPCs": list(children), **fields},
    )


def shipped(event_id: str, hour: float, epcs: Iterable[str] = (), **fields: Any) -> dict[str, Any]:
    """Goods leave HERE for THERE."""
    told = {"readPoint": {"id": HERE}, "bizTransactionList": [DESADV], "destinationList": TO_THERE, **fields}
    return seen(event_id, hour, "shipping", epcs, **told)


def received(event_id: str, hour: float, epcs: Iterable[str] = (), **fields: Any) -> dict[str, Any]:
    """Goods are received THERE."""
    return seen(
        event_id, hour, "receiving", epcs, **{"bizLocation": {"id": THERE}, "bizTransactionList": [DESADV], **fields}
    )


def document(*events: dict[str, Any], **more: Any) -> bytes:
    """An EPCISDocument."""
    context = ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld", {"example": "https://ns.example.com/"}]
    body = {"epcisBody": {"eventList": list(events)}}
    return json.dumps({"@context": context, "type": "EPCISDocument", "schemaVersion": "2.0", **body, **more}).encode()


def captured(*events: dict[str, Any], source: str = "acme") -> list[Captured]:
    """The events, read; all of them have to hold."""
    read = read_document(document(*events))
    assert not read.problems, read.problems
    return [Captured(Key(source, told.event.event_id or ""), told.event) for told in read.told]


def said(drafts: Iterable[Draft]) -> list[Event]:
    """The drafts as events of the contract; each has to hold."""
    found = []
    for draft in drafts:
        raw = msgspec.json.encode({**draft.document, "recorded_at": "2026-11-20T00:00:00Z"})
        event = judge(str(topic_of(draft.document["type"])), raw)
        assert not isinstance(event, Rejection), (event, draft)
        found.append(event)
    return found


class World:
    """What the real agents make of events: stock positions and shipments."""

    def __init__(self, events: Iterable[Event]) -> None:
        stock, shipments = Stock(), Shipments()
        facts: dict[str, dict[str, dict[str, Fact]]] = {"stock": {}, "shipments": {}}
        for event in events:
            name = {"warehouse.events": "stock", "shipment.events": "shipments"}.get(event.topic)
            if name is not None:
                agent = stock if name == "stock" else shipments
                statement = agent.statement(event, event.event_id.encode())
                facts[name].setdefault(statement.entity, {})[statement.identity] = statement.fact
        self.shipments: dict[str, ShipmentStatus] = {}
        for entity, known in facts["shipments"].items():
            derived = shipments.derive(entity, known)
            self.shipments[entity] = derived.views[0].state  # type: ignore[assignment]  # its first view
            for state in derived.contributions.values():
                if isinstance(state, Transit):
                    place, contributor, payload = stock.contributed(state)
                    fact = Fact(Version(0, 0, b""), payload)
                    facts["stock"].setdefault(place, {})[contributor_identity(contributor)] = fact
        self.stock: dict[str, StockPosition] = {}
        for entity, known in facts["stock"].items():
            self.stock[entity] = stock.derive(entity, known).views[0].state  # type: ignore[assignment]  # its first view

    def on_hand(self, item: str, gln: str) -> int:
        """Thousandths on hand."""
        position = self.stock.get(f"{gln}|{item}")
        return position.on_hand if position else 0

    def in_transit(self, item: str, gln: str = THERE_GLN) -> int:
        """Thousandths in transit to a site."""
        position = self.stock.get(f"{gln}|{item}")
        return position.in_transit if position else 0


def world(*events: dict[str, Any], others: Iterable[Captured] = ()) -> World:
    """What the agents make of EPCIS events."""
    derived = derive([*captured(*events), *others])
    return World(said(draft for drafts in derived.drafts.values() for draft in drafts))
