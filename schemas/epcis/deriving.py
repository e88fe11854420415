"""From a set of EPCIS events to events of ours: the same for every order in which they came.

What an EPCIS event becomes depends on others: on what is in its containers (which may be told later), on other events
of its shipment, and on whether it was declared wrong. `derive` takes all of them together. `affected` tells, of events
that come in, which others have to be derived again, so that whoever keeps the events derives a few and not all.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Final, Literal, NamedTuple

from schemas.epcis.conditions import conditions
from schemas.epcis.containment import Containment, Statement, statement_of
from schemas.epcis.events import (
    AggregationEvent,
    AnyEvent,
    AssociationEvent,
    ObjectEvent,
    TransactionEvent,
    TransformationEvent,
)
from schemas.epcis.goods import Goods, goods_of
from schemas.epcis.identifiers import Identified, identify
from schemas.epcis.mapping import (
    IN,
    MILESTONES,
    OUT,
    STOCK,
    VOID,
    Draft,
    Key,
    Telling,
    belongings,
    draft,
    movement,
    named_shipment,
    party,
    shipment_in,
    site_of,
    transactions,
    unknown_step,
)
from schemas.epcis.shipments import Move, shipment_drafts, summed
from schemas.quantities import shown, thousandths
from schemas.versions import SEPARATOR

Link = tuple[Literal["event", "moves", "parent", "child", "shipment"], str]
"""By what events concern each other: the identity (which a declaration shares with the event that it takes back), the
thing that one moves, the parent or child that one tells of, the shipment."""

Lookup = Callable[[Link], Iterable["Captured"]]
"""All events kept that have a link."""


class Captured(NamedTuple):
    """An EPCIS event with its identity. An error declaration repeats the eventID of the event that it takes back."""

    key: Key
    event: AnyEvent

    @property
    def is_declaration(self) -> bool:
        """Whether it says that the event of this identity is wrong."""
        return self.event.error_declaration is not None


class Derived(NamedTuple):
    """What became of each event: events of ours by identity, and sentences on what could not be told."""

    drafts: dict[Key, tuple[Draft, ...]]
    notes: dict[Key, tuple[str, ...]]


def derive(captured: Iterable[Captured]) -> Derived:
    """What these events become, all together; an event that was declared wrong becomes nothing."""
    told = {(one.key, one.is_declaration): one for one in captured}
    wrong = {key for key, is_declaration in told if is_declaration}
    live = [one for (key, is_declaration), one in sorted(told.items()) if not is_declaration and key not in wrong]
    containment = Containment(_statements(live))
    work = _Work(containment)
    for one in live:
        work.take(Telling(one.key, one.event))
    work.finish()
    keys = {key for key, _ in told}
    return Derived(
        {key: tuple(sorted(work.drafts[key], key=lambda made: made.event_id)) for key in keys},
        {
            key: ("It was declared wrong: nothing is made of it.",)
            if key in wrong
            else tuple(dict.fromkeys(work.notes[key]))
            for key in keys
        },
    )


def links_of(key: Key, event: AnyEvent) -> frozenset[Link]:
    """By what this event concerns others."""
    found: set[Link] = {event_link(key)}
    if isinstance(event, AggregationEvent | AssociationEvent):
        statement = statement_of(key.source, key.event_id, event)
        if statement is not None:
            found.add(("parent", statement.parent))
            found |= {("child", child) for child in statement.children}
        return frozenset(found)
    for through in _moved(event):
        found.add(("moves", through.canonical))
    if isinstance(event, ObjectEvent) and event.action == "OBSERVE":
        found |= {("shipment", shipment) for shipment in _shipments(event)}
    return frozenset(found)


def event_link(key: Key) -> Link:
    """What an event and its declaration have in common."""
    return ("event", f"{key.source}{SEPARATOR}{key.event_id}")


def affected(new: Iterable[Captured], lookup: Lookup) -> tuple[set[Key], list[Captured]]:
    """Which events have to be derived again, and all events that this needs. `lookup` knows the new ones too."""
    near = _Near(lookup)
    keys = {one.key for one in new}
    parents, children = near.told(one for key in keys for one in near.of(key))
    for child in children:
        parents |= near.parents_of(child)
    for parent in near.with_ancestors(parents):
        keys |= {one.key for one in lookup(("moves", parent))}
    shipments = {
        shipment
        for key in keys
        for one in near.of(key)
        if isinstance(one.event, ObjectEvent) and one.event.action == "OBSERVE"
        for shipment in _shipments(one.event)
    }
    for shipment in shipments:
        keys |= {one.key for one in lookup(("shipment", shipment))}
    needed = {(one.key, one.is_declaration): one for key in keys for one in near.of(key)}
    moved = {through.canonical for one in needed.values() for through in _moved(one.event)}
    needed |= {(one.key, one.is_declaration): one for key in near.contents(moved) for one in near.of(key)}
    return keys, list(needed.values())


class _Work:
    """One derivation: events taken one after the other, shipments at the end."""

    def __init__(self, containment: Containment) -> None:
        self._containment = containment
        self._moves: defaultdict[str, list[Move]] = defaultdict(list)
        self.drafts: defaultdict[Key, list[Draft]] = defaultdict(list)
        self.notes: defaultdict[Key, list[str]] = defaultdict(list)

    def take(self, telling: Telling) -> None:
        """Take one event."""
        event, key = telling.event, telling.key
        if isinstance(event, ObjectEvent):
            self._object(telling, event)
            self._sensors(telling, event)
        elif isinstance(event, TransformationEvent):
            self._transformation(telling, event)
        elif isinstance(event, TransactionEvent):
            self._transaction(telling, event)
        elif event.biz_step in OUT | IN | set(STOCK):
            self.notes[key].append(
                f"It tells what is in {event.parent_id or 'a parent'}; that something moved ({event.biz_step}) is told "
                "by an ObjectEvent with action OBSERVE."
            )
        else:
            self.notes[key].append(f"It tells what is in {event.parent_id or 'a parent'}: that moves with it.")

    def finish(self) -> None:
        """Take the shipments, when all events have been taken."""
        for _, moves in sorted(self._moves.items()):
            drafts, notes = shipment_drafts(moves)
            for key, made in drafts:
                self.drafts[key].append(made)
            for key, note in notes:
                self.notes[key].append(note)

    def _object(self, telling: Telling, event: ObjectEvent) -> None:
        if event.action != "OBSERVE":
            self._begin_or_end(telling, event)
        elif telling.step in OUT | IN or telling.step == VOID or telling.step in MILESTONES:
            self._shipping(telling, event)
        elif telling.step in STOCK:
            kind = STOCK[telling.step]
            if kind == "restored" and event.persistent_disposition and "reserved" in event.persistent_disposition.unset:
                kind = "released"
            self._stock(telling, kind, self._goods(telling, event, follow=True))
        elif event.persistent_disposition and "reserved" in event.persistent_disposition.unset:
            self._stock(telling, "released", self._goods(telling, event, follow=True))
        elif not event.sensor_element_list:
            self.notes[telling.key].append(f"Nothing of ours follows from {unknown_step(event)} with action OBSERVE.")

    def _begin_or_end(self, telling: Telling, event: ObjectEvent) -> None:
        """ADD brings goods into being, DELETE ends them; what is inside ends only with what is destroyed."""
        is_start = event.action == "ADD"
        goods = self._goods(telling, event, follow=not is_start and telling.step == "destroying")
        kind = "adjusted" if is_start else "scrapped"
        self._stock(telling, kind, goods, reason=telling.step or event.action)

    def _shipping(self, telling: Telling, event: ObjectEvent) -> None:
        step = telling.step
        moves_goods = step in OUT | IN or step == VOID
        goods = self._goods(telling, event, follow=True) if moves_goods else ()
        place = site_of(event, is_out=step in OUT)
        if place is None and step != VOID and moves_goods:
            self.notes[telling.key].append("It names no site (bizLocation or readPoint): no stock moves.")
        by_shipment: defaultdict[tuple[str | None, bool], list[Goods]] = defaultdict(list)
        for belongs in belongings(event):
            by_shipment[belongs] = []
        named = named_shipment(event)
        if named is not None:
            # As it is, and no copy: it may be large, and the same for many events.
            self._moves[named].append(Move(telling, named, is_named=True, place=place, goods=goods))
            return
        for one in goods:
            by_shipment[shipment_in(one.through)].append(one)
        for (shipment_id, is_named), found in by_shipment.items():
            if shipment_id is not None:
                self._moves[shipment_id].append(Move(telling, shipment_id, is_named, place, tuple(found)))
            elif step in OUT | IN and found:
                kind = "shipped" if step in OUT else "returned" if event.disposition == "returned" else "received"
                self._stock(telling, kind, tuple(found))
                self.notes[telling.key].append(
                    "It names no shipment (desadv or po, or an SSCC): stock moves, but nothing is in transit."
                )
            elif step not in OUT | IN:
                self.notes[telling.key].append(f"{step} names no shipment (desadv or po, or an SSCC): nothing follows.")

    def _stock(self, telling: Telling, kind: str, goods: Iterable[Goods], reason: str = "") -> None:
        """Movements of a kind at the event's site."""
        place = site_of(telling.event, is_out=kind in {"shipped", "scrapped"})
        if place is None:
            self.notes[telling.key].append("It names no site (bizLocation or readPoint): no stock moves.")
            return
        if kind == "counted":
            # A count is of all that is there of the item, whatever lot.
            goods = [one._replace(lot=None) for one in goods]
        extra = {"reason": reason} if reason else {}
        for one in summed(goods):
            self.drafts[telling.key].append(movement(telling, kind, one, place, extra))

    def _transformation(self, telling: Telling, event: TransformationEvent) -> None:
        """Inputs are taken out of the stock, outputs come in."""
        key = telling.key
        used = goods_of(key.source, event, event.input_epc_list, event.input_quantity_list, self._containment)
        made = goods_of(key.source, event, event.output_epc_list, event.output_quantity_list, None)
        self.notes[key] += [*used.notes, *made.notes]
        place = site_of(event)
        if place is None:
            self.notes[key].append("It names no site (bizLocation or readPoint): no stock moves.")
            return
        balance: dict[tuple[str, str, str], Goods] = {}
        for sign, goods in ((-1, used.goods), (1, made.goods)):
            for one in summed(goods):
                before = balance.get(one.sort)
                amount = one.quantity * sign + (before.quantity if before else Decimal(0))
                balance[one.sort] = one._replace(quantity=amount)
        for one in balance.values():
            extra = {"reason": "transformation", "quantity": shown(thousandths(one.quantity))}
            self.drafts[key].append(movement(telling, "adjusted", one, place, extra))

    def _transaction(self, telling: Telling, event: TransactionEvent) -> None:
        """A purchase order with quantities of classes is an order; anything else ties goods to documents."""
        orders, supplier_name = transactions(event, "po"), party(event, is_source=True)
        is_order = (
            event.action == "ADD"
            and len(orders) == 1
            and event.quantity_list
            and not event.epc_list
            and not event.parent_id
        )
        if not is_order or telling.step not in {"", "other"}:
            self.notes[telling.key].append(
                "It ties goods to a business transaction: kept, and found by its eventID; no stock moves by it."
            )
            return
        goods = goods_of(telling.key.source, event, (), event.quantity_list, None)
        self.notes[telling.key] += goods.notes
        if supplier_name is None or not goods.goods:
            self.notes[telling.key].append(
                "No order can be made of it: it needs a source (owning_party) and quantities."
            )
            return
        lines = [
            {
                "line_id": "/".join(part for part in one.sort if part),
                "item": one.item,
                "quantity": shown(thousandths(one.quantity)),
                "unit": one.unit,
            }
            for one in summed(goods.goods)
        ]
        buyer = party(event, is_source=False)
        destination = next((one.destination for one in event.destination_list if one.type == "location"), None)
        place = identify(destination) if destination else None
        for start in range(0, len(lines), _ORDER_LINES):
            self.drafts[telling.key].append(
                draft(
                    telling,
                    f"order_placed/{start // _ORDER_LINES + 1}" if start else "order_placed",
                    "order_placed",
                    order_id=orders[0],
                    supplier=supplier_name,
                    buyer=buyer,
                    destination=place.key if place is not None and place.key else None,
                    lines=lines[start : start + _ORDER_LINES],
                )
            )

    def _sensors(self, telling: Telling, event: ObjectEvent) -> None:
        if event.sensor_element_list:
            drafts, notes = conditions(telling, event)
            self.drafts[telling.key] += drafts
            self.notes[telling.key] += notes

    def _goods(self, telling: Telling, event: ObjectEvent, *, follow: bool) -> tuple[Goods, ...]:
        containment = self._containment if follow else None
        taken = goods_of(telling.key.source, event, event.epc_list, event.quantity_list, containment)
        self.notes[telling.key] += taken.notes
        return taken.goods


def _statements(live: Iterable[Captured]) -> Iterable[Statement]:
    for one in live:
        if isinstance(one.event, AggregationEvent | AssociationEvent):
            statement = statement_of(one.key.source, one.key.event_id, one.event)
            if statement is not None:
                yield statement


def _moved(event: AnyEvent) -> list[Identified]:
    """The things that an event moves, and so all that is in them."""
    if isinstance(event, ObjectEvent):
        return [identify(epc) for epc in event.epc_list]
    return [identify(epc) for epc in event.input_epc_list] if isinstance(event, TransformationEvent) else []


def _shipments(event: ObjectEvent) -> set[str]:
    return {shipment for shipment, _ in belongings(event) if shipment is not None}


class _Near:
    """What is near to a few events. Each event is read once and each child looked up once, however many share it."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup: Final = lookup
        self._of: Final[dict[Key, tuple[Captured, ...]]] = {}
        self._statements: Final[dict[tuple[Key, bool], tuple[str, frozenset[str]] | None]] = {}
        self._of_child: Final[dict[str, tuple[frozenset[Key], frozenset[str]]]] = {}

    def of(self, key: Key) -> tuple[Captured, ...]:
        """An event and its declaration."""
        if key not in self._of:
            self._of[key] = tuple(self._lookup(event_link(key)))
        return self._of[key]

    def told(self, events: Iterable[Captured]) -> tuple[set[str], set[str]]:
        """All the parents and all the children that these events tell of."""
        parents: set[str] = set()
        children: set[str] = set()
        for one in events:
            said = self._said(one)
            if said is not None:
                parents.add(said[0])
                children |= said[1]
        return parents, children

    def parents_of(self, child: str) -> frozenset[str]:
        """All parents that a child was ever said to be in, or not to be in."""
        return self._telling(child)[1]

    def with_ancestors(self, parents: Iterable[str]) -> set[str]:
        """These, and all that they were ever in."""
        found: set[str] = set()
        waiting = list(parents)
        while waiting:
            parent = waiting.pop()
            if parent not in found:
                found.add(parent)
                waiting += self.parents_of(parent)
        return found

    def contents(self, moved: Iterable[str]) -> set[Key]:
        """All that tell what is in these things, however deep, and where else their contents went."""
        found: set[Key] = set()
        seen: set[str] = set()
        waiting = list(moved)
        while waiting:
            parent = waiting.pop()
            if parent in seen:
                continue
            seen.add(parent)
            told = list(self._lookup(("parent", parent)))
            found |= {one.key for one in told}
            for child in self.told(told)[1]:
                found |= self._telling(child)[0]
                waiting.append(child)
        return found

    def _telling(self, child: str) -> tuple[frozenset[Key], frozenset[str]]:
        """Who tells of a child, and in which parents."""
        if child not in self._of_child:
            told = list(self._lookup(("child", child)))
            self._of_child[child] = frozenset(one.key for one in told), frozenset(self.told(told)[0])
        return self._of_child[child]

    def _said(self, one: Captured) -> tuple[str, frozenset[str]] | None:
        known = one.key, one.is_declaration
        if known not in self._statements:
            said = None
            if isinstance(one.event, AggregationEvent | AssociationEvent):
                said = statement_of(one.key.source, one.key.event_id, one.event)
            self._statements[known] = None if said is None else (said.parent, said.children)
        return self._statements[known]


_ORDER_LINES: Final = 500
