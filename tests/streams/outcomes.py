"""What the agents published, in the terms of the oracle, so that the two can be compared."""

from collections.abc import Mapping

import msgspec

from schemas.derived import LeadStats, OrderStatus, ShipmentStatus, StockPosition
from tests.streams.oracle import Expected, LeadOutcome, LineOutcome, Outcome


def outcomes(states: Mapping[tuple[str, str], bytes]) -> Expected:
    """The outcomes in the published states (JSON without version), by (view topic, key)."""
    on_hand: dict[str, int] = {}
    shipments: dict[str, Outcome] = {}
    lines: dict[tuple[str, str], LineOutcome] = {}
    leads: dict[str, LeadOutcome] = {}
    for (topic, key), state in states.items():
        if topic == "stock.positions":
            position = msgspec.json.decode(state, type=StockPosition)
            if position.movements:
                on_hand[key] = position.on_hand
        elif topic == "shipment.status":
            shipment = msgspec.json.decode(state, type=ShipmentStatus)
            if shipment.status != "unknown":
                shipments[key] = Outcome(shipment.status, shipment.delivered_at, shipment.late)
        elif topic == "order.status":
            for line in msgspec.json.decode(state, type=OrderStatus).lines:
                lines[key, line.line_id] = LineOutcome(line.delivered_at, line.late)
        elif topic == "lead.stats":
            window = msgspec.json.decode(state, type=LeadStats).all
            if window.count:
                leads[key] = LeadOutcome(window.count, window.total)
    return Expected(on_hand, shipments, lines, leads)
