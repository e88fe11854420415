"""What a shipment tells orders, stock positions and lead times."""

from collections import defaultdict
from typing import Final

import msgspec

from schemas.derived import Delivery, DeliveryLine, Transit
from schemas.reference import lane
from schemas.times import DAY_MS
from streams.facts import Target
from streams.leads.derive import Observation, lead_contribution, lead_target
from streams.shipments.journey import Journey

DELIVERIES: Final = "delivery.contributions"
TRANSITS: Final = "transit.contributions"


def contributions(journey: Journey) -> dict[Target, msgspec.Struct]:
    """All that the shipment contributes, by target."""
    found: dict[Target, msgspec.Struct] = {}
    if journey.status.lines:
        _add_deliveries(found, journey)
        _add_transits(found, journey)
    _add_lead_times(found, journey)
    return found


def nothing(shipment_id: str, target: Target) -> msgspec.Struct:
    """What a target is told when nothing of the shipment remains for it."""
    if target.topic == DELIVERIES:
        return Delivery(shipment_id, target.key)
    if target.topic == TRANSITS:
        site, _, item = target.key.partition("|")
        return Transit(shipment_id, site, item)
    return lead_contribution(_contributor(shipment_id), target)


def _contributor(shipment_id: str) -> str:
    return f"shipment/{shipment_id}"


def _add_deliveries(found: dict[Target, msgspec.Struct], journey: Journey) -> None:
    """To each order its lines, shipped once the goods have left and have not come back."""
    on_its_way = journey.moving and not journey.turned_back
    by_order: dict[str, list[DeliveryLine]] = defaultdict(list)
    for line in journey.status.lines:
        if line.order_id is not None:
            by_order[line.order_id].append(
                DeliveryLine(
                    line_id=line.line_id or line.item,
                    item=line.item,
                    unit=line.unit,
                    shipped=line.shipped if on_its_way else 0,
                    delivered=line.delivered,
                    delivered_at=line.delivered_at,
                    promised_at=line.promised_at,
                    due_at=line.due_at,
                )
            )
    for order_id, lines in by_order.items():
        found[Target(DELIVERIES, order_id)] = Delivery(journey.status.shipment_id, order_id, tuple(lines))


def _add_transits(found: dict[Target, msgspec.Struct], journey: Journey) -> None:
    """To the destination's positions what comes, by item, once the goods have left.

    What was returned or cancelled before it was delivered is not on its way any more.
    """
    status = journey.status
    if not journey.moving or status.destination is None or journey.turned_back:
        return
    for line in status.lines:
        target = Target(TRANSITS, f"{status.destination}|{line.item}")
        so_far = found.get(target)
        if isinstance(so_far, Transit) and so_far.unit != line.unit:
            continue
        found[target] = Transit(
            contributor=status.shipment_id,
            site=status.destination,
            item=line.item,
            unit=line.unit,
            shipped=line.shipped + (so_far.shipped if isinstance(so_far, Transit) else 0),
            delivered=line.delivered + (so_far.delivered if isinstance(so_far, Transit) else 0),
            final=status.final,
            delivered_at=status.delivered_at,
        )


def _add_lead_times(found: dict[Target, msgspec.Struct], journey: Journey) -> None:
    """Observed transit times: of the lane, of the carrier on it, and of each leg."""
    status = journey.status
    observed: dict[Target, list[Observation]] = defaultdict(list)
    if status.departed_at is not None and status.delivered_at is not None:
        seen = (status.delivered_at // DAY_MS, status.delivered_at - status.departed_at)
        observed[lead_target("transit", status.lane)].append(seen)
        if status.carrier is not None:
            observed[lead_target("carrier_transit", f"{status.carrier}|{status.lane}")].append(seen)
    for out, back in journey.legs():
        if out.location and back.location:
            route = lane(out.location, back.location)
            seen = (back.occurred_at // DAY_MS, back.occurred_at - out.occurred_at)
            observed[lead_target("leg_transit", route)].append(seen)
    contributor = _contributor(status.shipment_id)
    for target, told in observed.items():
        found[target] = lead_contribution(contributor, target, told)
