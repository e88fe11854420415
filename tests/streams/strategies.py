"""Hypothesis strategies of the streams' tests: whole histories, in which the agents have to do with each other.

To the unrelated events of `tests.strategies`, which collide but rarely meet, come stories: orders that are
shipped, delivered, received and put away, with corrections and retractions of what was said.
"""

from typing import Any, Final

from hypothesis import strategies as st

from tests.strategies import CARRIERS, ITEMS, SITES, UNITS, raw, shipment_events, supplier_events, warehouse_events
from tests.streams.told import Told, correction, line, milestone, movement, notice, of_order, placed, retraction

STORY_ORDERS: Final = ("PO-1", "PO-7")
STORY_SHIPMENTS: Final = ("S-1", "S-7")
UNREADABLE: Final = (
    Told("shipment.events", b"{"),
    Told("warehouse.events", b'{"type": "received"}'),
    Told("supplier.events", b""),
)

_ROUTES: Final = ("BER", "NBO", "LOS")
_hours: Final = st.integers(1, 400)
_amounts: Final = st.integers(1, 12)


@st.composite
def histories(draw: st.DrawFn, strangers: int = 8) -> list[Told]:
    """One or two stories among at most so many unrelated events; sometimes a record that nobody can read."""
    told = [said for _ in range(draw(st.integers(1, 2))) for said in draw(stories())]
    everything = st.one_of(supplier_events(), shipment_events(), warehouse_events())
    told += [Told(event.topic, raw(event)) for event in draw(st.lists(everything, max_size=strangers))]
    told += draw(st.lists(st.sampled_from(UNREADABLE), max_size=1))
    return told


@st.composite
def stories(draw: st.DrawFn) -> list[Told]:
    """An order and its shipment, as far as they come, and what was corrected."""
    order_id, shipment_id = draw(st.sampled_from(STORY_ORDERS)), draw(st.sampled_from(STORY_SHIPMENTS))
    goods = draw(st.lists(_goods(), min_size=1, max_size=2, unique_by=lambda one: one["line_id"]))
    shipped = [one | {"order_id": order_id} for one in goods]
    begin = draw(_hours)
    told = [milestone(shipment_id, "departed", begin + 30, lines=shipped, **draw(_route()))]
    if draw(st.booleans()):
        told.append(placed(order_id, begin, goods))
    if draw(st.booleans()):
        told.append(notice(order_id, shipment_id, begin + 5, goods, **_maybe(draw, "promised_at", begin + 50)))
    if draw(st.booleans()):
        confirmed = {"line_id": "1"} | _maybe(draw, "promised_at", begin + 60)
        told.append(of_order("order_confirmed", order_id, begin + 3, lines=[confirmed]))
    if draw(st.booleans()):
        named = draw(st.sampled_from(([], shipped, shipped[:1])))
        told.append(milestone(shipment_id, "delivered", begin + 30 + draw(st.integers(-2, 60)), lines=named))
    if draw(st.booleans()):
        named = draw(st.sampled_from(([], shipped[-1:])))
        told.append(milestone(shipment_id, "delivered", begin + 95, lines=named, event_id=f"{shipment_id}/rest"))
    if draw(st.booleans()):
        told += draw(_handled(shipment_id, goods[0], begin + 70))
    told += [draw(_corrected(draw(st.sampled_from(told)))) for _ in range(draw(st.integers(0, 3)))]
    return told


def _goods() -> st.SearchStrategy[Any]:
    return st.builds(
        line,
        st.sampled_from(("1", "2")),
        _amounts,
        st.sampled_from(ITEMS[:2]),
        st.sampled_from(UNITS),
    )


def _route() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"destination": st.sampled_from(_ROUTES)},
        optional={"origin": st.sampled_from(_ROUTES), "carrier": st.sampled_from(CARRIERS)},
    )


def _maybe(draw: st.DrawFn, name: str, hour: int) -> dict[str, Any]:
    said: str = draw(st.sampled_from(("", "2026-03-04T00:00:00Z", f"2026-03-{1 + hour // 24:02}T08:00:00+02:00")))
    return {name: said} if said else {}


@st.composite
def _handled(draw: st.DrawFn, shipment_id: str, goods: Any, hour: int) -> list[Told]:
    """What a warehouse does with the goods."""
    where = {"site": draw(st.sampled_from(SITES)), "item": goods["item"], "unit": draw(st.sampled_from(UNITS))}
    told = [movement("received", hour, draw(_amounts), shipment_id, **where)]
    if draw(st.booleans()):
        told.append(movement("put_away", hour + draw(st.integers(0, 9)), draw(_amounts), shipment_id, **where))
    if draw(st.booleans()):
        told.append(movement(draw(st.sampled_from(("shipped", "counted"))), hour + 10, draw(_amounts), **where))
    return told


@st.composite
def _corrected(draw: st.DrawFn, told: Told) -> Told:
    """A later statement of the event: withdrawn, or with something changed that may change."""
    recorded = draw(st.integers(500, 503))
    if draw(st.booleans()):
        return retraction(told, recorded)
    if told.topic == "shipment.events":
        return correction(told, recorded, **draw(_route()), **draw(st.sampled_from(({}, {"lines": []}))))
    if told.topic == "warehouse.events":
        return correction(told, recorded, quantity=str(draw(_amounts)))
    return correction(told, recorded, attributes={"why": "typing error"})
