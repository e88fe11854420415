"""The goods that an EPCIS event is about: items by GTIN, lot and unit, one by one where they have serial numbers."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final, NamedTuple

from schemas.epcis.containment import Containment, Content
from schemas.epcis.events import EpcisEvent, Quantity
from schemas.epcis.identifiers import Identified, identify

EACH: Final = "EA"
"""The unit of what is counted one by one: things with a serial number, and quantities without a unit of measure."""

_MOST: Final = Decimal(10) ** 12
_THOUSANDTH: Final = Decimal("0.001")


class Goods(NamedTuple):
    """So much of an item. `thing`: which one, or which class in which container; empty for a bare class.

    `through`: the identifier in the event by which they are in it. `told_by`: who says that they are inside, where
    they lie in something that moves.
    """

    item: str
    lot: str | None
    unit: str
    quantity: Decimal
    thing: str
    through: Identified
    told_by: tuple[str, ...] = ()

    @property
    def sort(self) -> tuple[str, str, str]:
        """Item, lot and unit: what is summed up."""
        return self.item, self.lot or "", self.unit


class Taken(NamedTuple):
    """What was found of an event's goods, and sentences about what could not be told."""

    goods: tuple[Goods, ...]
    notes: tuple[str, ...]


def goods_of(
    source: str,
    event: EpcisEvent,
    epcs: Iterable[str],
    quantities: Iterable[Quantity],
    containment: Containment | None,
) -> Taken:
    """The goods of these identifiers and quantities, and with `containment`, of all that lies in them."""
    found: list[Goods] = []
    notes: list[str] = []
    for through in _distinct(epcs):
        inside = [] if containment is None else containment.inside(through.canonical, event.event_time, source)
        if through.kind == "gtin" and not through.is_class:
            found.append(_one(through, through))
        elif through.is_class:
            notes.append(f"{through.said} names a class and no thing: put it into the quantityList.")
        elif not any(content.identified.kind == "gtin" for content in inside):
            notes.append(_nothing_inside(through, followed=containment is not None))
        for content in inside:
            _add_content(found, notes, content, through)
    for element in quantities:
        _add_class(found, notes, element)
    return Taken(tuple(found), tuple(dict.fromkeys(notes)))


def _distinct(epcs: Iterable[str]) -> list[Identified]:
    """Each thing once, however it is written, in an order of its own."""
    return [found for _, found in sorted({found.canonical: found for found in map(identify, epcs)}.items())]


def _one(thing: Identified, through: Identified, told_by: tuple[str, ...] = ()) -> Goods:
    return Goods(thing.key, _lot(thing), EACH, Decimal(1), thing.canonical, through, told_by)


def _add_content(found: list[Goods], notes: list[str], content: Content, through: Identified) -> None:
    inside = content.identified
    if not content.unit and inside.kind == "gtin" and not inside.is_class:
        found.append(_one(inside, through, content.told_by))
    elif inside.is_class:
        quantity = _quantity(content.quantity, inside, notes)
        if quantity is not None:
            thing = f"{content.parent} {inside.canonical} {content.unit}"
            unit = content.unit or EACH
            found.append(Goods(inside.key, _lot(inside), unit, quantity, thing, through, content.told_by))


def _add_class(found: list[Goods], notes: list[str], element: Quantity) -> None:
    named = identify(element.epc_class)
    if named.kind != "gtin":
        notes.append(f"{named.said} is no GTIN: no stock is kept of it.")
    elif element.quantity is None:
        notes.append(f"{named.said} has no quantity: nothing can be counted.")
    else:
        quantity = _quantity(element.quantity, named, notes)
        if quantity is not None:
            found.append(Goods(named.key, _lot(named), element.uom or EACH, quantity, "", named))


def _quantity(quantity: Decimal, named: Identified, notes: list[str]) -> Decimal | None:
    rounded = quantity.quantize(_THOUSANDTH) if quantity < _MOST else _MOST
    if rounded >= _MOST:
        notes.append(f"{named.said}: the quantity {quantity} is too large to be kept.")
        return None
    if rounded != quantity:
        notes.append(f"{named.said}: the quantity {quantity} is kept as {rounded} (three decimals).")
    return rounded


def _lot(named: Identified) -> str | None:
    lot = named.lot
    return lot if lot and lot.isprintable() and len(lot) <= _LONGEST_LOT else None


def _nothing_inside(through: Identified, *, followed: bool) -> str:
    if through.kind == "unknown":
        return f"{through.said} is no identifier of GS1: nothing can be told of it."
    if followed:
        return f"Nothing is known to be in {through.said}: its contents follow when an AggregationEvent tells them."
    return f"{through.said} is no trade item (GTIN): no stock is kept of it."


_LONGEST_LOT: Final = 60
