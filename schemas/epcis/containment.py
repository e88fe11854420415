"""What is in what, at which time: a pure function of the statements about parents, in whatever order they came.

ADD puts children into a parent, DELETE takes them out (all of them where it names none), OBSERVE tells that they were
seen in it. A statement counts from the instant at which it happened: what is put in is inside at that instant, and
what is taken out is so still. A thing is in one parent only: in the one that it was last put into.

Whose statements count: where the source that moves a parent has itself told what is in it, its own; where it has not
(a warehouse scans a pallet that the supplier packed), everybody's, and the contents then name who told them.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from schemas.epcis.events import Joining
from schemas.epcis.identifiers import Identified, identify

MOST_CONTENTS: Final = 50_000
"""Of one thing, no more contents than these are followed."""

_DEPTH: Final = 20
"""Nested deeper than this, contents are not followed: nothing is packed so."""

_MOST: Final = Decimal(10) ** 15


class Statement(NamedTuple):
    """One statement about a parent. Identifiers are canonical; `goods`: of classes, (class, unit): quantity."""

    at: datetime
    source: str
    event_id: str
    action: str
    parent: str
    children: frozenset[str]
    goods: Mapping[tuple[str, str], Decimal]

    @property
    def is_filling(self) -> bool:
        """Whether it tells of something that is inside from then on."""
        return self.action != "DELETE"


class Content(NamedTuple):
    """Something in a parent: a thing (`unit` empty, quantity 1), or so much of a class. `parent`: what it lies in.

    `told_by`: the sources that say so.
    """

    identified: Identified
    quantity: Decimal
    unit: str
    parent: str
    told_by: tuple[str, ...]


def statement_of(source: str, event_id: str, event: Joining) -> Statement | None:
    """What an aggregation or association says; None where it names no parent."""
    if event.parent_id is None:
        return None
    goods: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for element in event.child_quantity_list:
        if element.quantity is not None and element.quantity < _MOST:
            goods[identify(element.epc_class).canonical, element.uom or ""] += element.quantity
    children = frozenset(identify(child).canonical for child in event.child_epcs)
    parent = identify(event.parent_id).canonical
    return Statement(event.event_time, source, event_id, event.action, parent, children, goods)


class Containment:
    """The contents of every parent at every time, after a set of statements."""

    def __init__(self, statements: Iterable[Statement]) -> None:
        self._of_parent: defaultdict[str, list[Statement]] = defaultdict(list)
        self._of_child: defaultdict[str, defaultdict[str, _Puts]] = defaultdict(lambda: defaultdict(_Puts))
        ordered = sorted(statements, key=_in_order)
        for statement in ordered:
            self._of_parent[statement.parent].append(statement)
            if statement.is_filling:
                for child in statement.children:
                    self._of_child[child][statement.source].add(statement)
        self._times: Final = [statement.at for statement in ordered]
        self.made: Final[dict[object, object]] = {}
        """What others made of contents, by what they like."""

    def inside(self, parent: str, at: datetime, source: str) -> tuple[Content, ...]:
        """All that is in a parent at an instant, however deep, as the source that moves it has to see it.

        Each thing once, MOST_CONTENTS at the most.
        """
        return tuple(self._collect(parent, at, source))

    def epoch(self, at: datetime) -> tuple[int, int]:
        """The same for all instants between which nothing was told."""
        return bisect_left(self._times, at), bisect_right(self._times, at)

    def _collect(self, parent: str, at: datetime, source: str) -> list[Content]:
        """Level by level, each parent opened once, by however many ways one comes to it."""
        found: list[Content] = []
        listed: set[str] = set()
        opened, level = {parent}, [parent]
        for _ in range(_DEPTH):
            below: list[str] = []
            for opening in level:
                children, goods, told_by = self._directly(opening, at, source)
                for child in sorted(children - listed):
                    found.append(Content(identify(child), Decimal(1), "", opening, told_by))
                    if child not in opened:
                        opened.add(child)
                        below.append(child)
                listed |= children
                for (epc_class, unit), quantity in sorted(goods.items()):
                    if quantity > 0:
                        found.append(Content(identify(epc_class), quantity, unit, opening, told_by))
                if len(found) >= MOST_CONTENTS:
                    return found[:MOST_CONTENTS]
            level = below
        return found

    def _directly(
        self, parent: str, at: datetime, source: str
    ) -> tuple[set[str], dict[tuple[str, str], Decimal], tuple[str, ...]]:
        statements = self._of_parent.get(parent, [])
        own = [said for said in statements if said.source == source]
        counts = own if any(said.is_filling for said in own) else statements
        sources = {said.source for said in counts}
        put_in: dict[str, Statement] = {}
        goods: dict[tuple[str, str], Decimal] = {}
        for said in counts:
            if said.at > at or (said.at == at and not said.is_filling):
                continue
            if said.is_filling:
                for child in said.children:
                    put_in[child] = said
                _fill(goods, said)
            elif not said.children and not said.goods:
                put_in.clear()
                goods.clear()
            else:
                for child in said.children:
                    put_in.pop(child, None)
                for kind, quantity in said.goods.items():
                    goods[kind] = max(goods.get(kind, Decimal(0)) - quantity, Decimal(0))
        children = {child for child, said in put_in.items() if not self._moved_on(child, said, at, sources | {source})}
        return children, goods, tuple(sorted(sources)) if children or goods else ()

    def _moved_on(self, child: str, said: Statement, at: datetime, sources: set[str]) -> bool:
        """Whether a child was put into another parent since."""
        if child not in self._of_child:
            return False
        of_child, order = self._of_child[child], _in_order(said)
        for source in sources & of_child.keys():
            other = of_child[source].last_elsewhere(at, said.parent)
            if other is not None and _in_order(other) > order:
                return True
        return False


class _Puts:
    """Where one source put one child, in order; and for each, the last one before it into another parent."""

    __slots__ = ("_elsewhere", "_statements", "_times")

    def __init__(self) -> None:
        self._statements: Final[list[Statement]] = []
        self._times: Final[list[datetime]] = []
        self._elsewhere: Final[list[Statement | None]] = []

    def add(self, said: Statement) -> None:
        """Add the next one."""
        last = self._statements[-1] if self._statements else None
        changed = last is not None and last.parent != said.parent
        self._elsewhere.append(last if changed else self._elsewhere[-1] if last is not None else None)
        self._statements.append(said)
        self._times.append(said.at)

    def last_elsewhere(self, at: datetime, parent: str) -> Statement | None:
        """The last one until this instant that is not into this parent."""
        place = bisect_right(self._times, at) - 1
        if place < 0:
            return None
        last = self._statements[place]
        return last if last.parent != parent else self._elsewhere[place]


def _fill(goods: dict[tuple[str, str], Decimal], said: Statement) -> None:
    """What is seen inside is inside; what is put in comes on top."""
    for kind, quantity in said.goods.items():
        before = goods.get(kind, Decimal(0))
        goods[kind] = max(before, quantity) if said.action == "OBSERVE" else before + quantity


def _in_order(said: Statement) -> tuple[datetime, bool, str, str]:
    """By time; at one instant, in before out."""
    return said.at, not said.is_filling, said.source, said.event_id
