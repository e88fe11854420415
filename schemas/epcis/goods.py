"""The goods that an EPCIS event is about: items by GTIN, lot and unit, one by one where they have serial numbers."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final, NamedTuple

from schemas.epcis.containment import MOST_CONTENTS, Containment, Content
from schemas.epcis.events import EpcisEvent, Quantity
from schemas.epcis.identifiers import Identified, identify

EACH: Final = "EA"
"""The unit of what is counted one by one: things with a serial number, and quantities without a unit of measure."""

MOST_QUANTITY: Final = Decimal(10) ** 12
"""Quantities of ours are below this."""

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
    parts = [_of_thing(source, event.event_time, through, containment) for through in _distinct(epcs)]
    elements = tuple(quantities)
    if len(parts) == 1 and not elements:
        return parts[0]
    found = [one for part in parts for one in part.goods]
    notes = [note for part in parts for note in part.notes]
    for element in elements:
        _add_class(found, notes, element)
    return Taken(tuple(_bounded(found, notes)), tuple(dict.fromkeys(notes)))


def _of_thing(source: str, at: datetime, through: Identified, containment: Containment | None) -> Taken:
    """The goods of one thing: the same object for all movements between which nothing was told."""
    if containment is None:
        return _opened(through, (), followed=False)
    asked = through.said, containment.epoch(at), source
    taken = containment.made.get(asked)
    if not isinstance(taken, Taken):
        inside = containment.inside(through.canonical, at, source)
        taken = containment.made[asked] = _opened(through, inside, followed=True)
    return taken


def _opened(through: Identified, inside: Sequence[Content], *, followed: bool) -> Taken:
    found: list[Goods] = []
    notes: list[str] = []
    if through.kind == "gtin" and not through.is_class:
        found.append(_one(through.said, through.said))
    elif through.is_class:
        notes.append(f"{through.said} names a class and no thing: put it into the quantityList.")
    elif not any(content.identified.kind == "gtin" for content in inside):
        notes.append(_nothing_inside(through, followed=followed))
    for content in inside:
        _add_content(found, notes, content, through)
    if len(inside) >= MOST_CONTENTS:
        notes.append(f"{through.said} holds {MOST_CONTENTS} things or more: the first ones are followed.")
    return Taken(tuple(_bounded(found, notes)), tuple(dict.fromkeys(notes)))


def _bounded(found: list[Goods], notes: list[str]) -> list[Goods]:
    """Without items whose sum nobody can keep: what others say to be in a pallet must not keep it from moving."""
    sums: defaultdict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for one in found:
        sums[one.sort] += one.quantity
    excess = {sort for sort, quantity in sums.items() if quantity >= MOST_QUANTITY}
    notes += [
        f"{item}: the quantity of {sums[item, lot, unit]} {unit} is too large." for item, lot, unit in sorted(excess)
    ]
    return [one for one in found if one.sort not in excess] if excess else found


def _distinct(epcs: Iterable[str]) -> list[Identified]:
    """Each thing once, however it is written, in an order of its own."""
    return [found for _, found in sorted({found.canonical: found for found in map(identify, epcs)}.items())]


@lru_cache(maxsize=65_536)
def _one(named: str, through: str, told_by: tuple[str, ...] = ()) -> Goods:
    """One thing: the same object whenever it moves, since a pallet of a thousand may move a thousand times."""
    thing = identify(named)
    return Goods(thing.key, _lot(thing), EACH, Decimal(1), thing.canonical, identify(through), told_by)


def _add_content(found: list[Goods], notes: list[str], content: Content, through: Identified) -> None:
    inside = content.identified
    if not content.unit and inside.kind == "gtin" and not inside.is_class:
        found.append(_one(inside.said, through.said, content.told_by))
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
    rounded = quantity.quantize(_THOUSANDTH) if quantity < MOST_QUANTITY else MOST_QUANTITY
    if rounded >= MOST_QUANTITY:
        notes.append(f"{named.said}: the quantity {quantity} is too large to be kept.")
        return None
    if rounded != quantity:
        notes.append(f"{named.said}: the quantity {quantity} is kept as {rounded} (three decimals).")
    return rounded


def _lot(named: Identified) -> str | None:
    lot = named.lot
    return lot if lot and lot.isprintable() and len(lot) <= _LONGEST_LOT and _PARTS.isdisjoint(lot) else None


def _nothing_inside(through: Identified, *, followed: bool) -> str:
    if through.kind == "unknown":
        return f"{through.said} is no identifier of GS1: nothing can be told of it."
    if followed:
        return f"Nothing is known to be in {through.said}: its contents follow when an AggregationEvent tells them."
    return f"{through.said} is no trade item (GTIN): no stock is kept of it."


_LONGEST_LOT: Final = 60
_PARTS: Final = frozenset("|>")
"""What separates the parts of a key of ours, and so stands in none of them."""
