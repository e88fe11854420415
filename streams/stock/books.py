"""The books of a stock position: what its movements add up to, taken one after the other in their order.

On hand changes by warehouse events only, taken in the order (occurred_at, kind, source, event_id). A count is a
barrier: on hand after it is what was counted, and the difference to the books is count variance, so

    received + returned + moved_in + adjusted + count_variance = on_hand + shipped + moved_out + scrapped

holds after every movement. Two units for one item are a finding and are never summed: the unit of the earliest
movement counts. Books are also the base that the facts of closed days become (streams.table).
"""

from collections.abc import Iterable, Mapping
from copy import copy
from typing import Any, Final

import msgspec

from streams.facts import Fact, by_time
from streams.stock.facts import KINDS, Movement

SIGN: Final = {
    "received": 1,
    "returned": 1,
    "moved_in": 1,
    "adjusted": 1,
    "shipped": -1,
    "moved_out": -1,
    "scrapped": -1,
}
"""How a movement changes on hand; kinds that are not here leave it as it is."""

_SIGNS: Final = tuple(SIGN.get(kind, 0) for kind in KINDS)
_INDEX: Final = {kind: index for index, kind in enumerate(KINDS)}
_COUNTED: Final = KINDS.index("counted")
_RECEIVED: Final = KINDS.index("received")
_PUT_AWAY: Final = KINDS.index("put_away")

Place = tuple[int, int, tuple[str, ...]]
"""Where a movement stands in the order of its position: (occurred_at, kind, identity)."""


class Receipt(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What was received of one shipment: thousandths, and when the last of it came (ms)."""

    quantity: int
    last_at: int


class Dock(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One receipt on its way from the dock into stock: thousandths in and stored, first in, last put away (ms)."""

    received: int = 0
    stored: int = 0
    first_at: int | None = None
    last_at: int | None = None


class Books(msgspec.Struct, array_like=True, eq=True):
    """The sums after some movements; `sums` by kind as in KINDS. Quantities in thousandths of `unit`, times in ms.

    `receipts`: by shipment. `docks`: by shipment, or by lot where no shipment was told.
    """

    unit: str = ""
    is_mixed: bool = False
    on_hand: int = 0
    variance: int = 0
    movements: int = 0
    last_at: int | None = None
    negative_since: int | None = None
    stockout_since: int | None = None
    sums: list[int] = msgspec.field(default_factory=lambda: [0] * len(KINDS))
    receipts: dict[str, Receipt] = msgspec.field(default_factory=dict)
    docks: dict[str, Dock] = msgspec.field(default_factory=dict)

    def take(self, move: Movement) -> None:
        """Take the next movement in order."""
        kind, occurred_at, quantity = move.kind, move.occurred_at, move.quantity
        if not self.movements:
            self.unit = move.unit
        self.movements += 1
        self.last_at = occurred_at
        if move.unit != self.unit:
            self.is_mixed = True
            return
        if kind == _COUNTED:
            self.variance += quantity - self.on_hand
            self.on_hand = quantity
        else:
            self.sums[kind] += quantity
            self.on_hand += _SIGNS[kind] * quantity
        if self.on_hand > 0:
            self.negative_since = self.stockout_since = None
        elif self.on_hand == 0:
            self.negative_since = None
            self.stockout_since = occurred_at if self.stockout_since is None else self.stockout_since
        else:
            self.stockout_since = None
            self.negative_since = occurred_at if self.negative_since is None else self.negative_since
        if kind in {_RECEIVED, _PUT_AWAY}:
            self._handle(kind, move)

    def sum(self, kind: str) -> int:
        """What the movements of a kind add up to."""
        return self.sums[_INDEX[kind]]

    def copy(self) -> "Books":
        """A copy that shares nothing which changes."""
        new = copy(self)
        new.sums, new.receipts, new.docks = self.sums.copy(), self.receipts.copy(), self.docks.copy()
        return new

    def _handle(self, kind: int, move: Movement) -> None:
        shipment = move.shipment_id
        if kind == _RECEIVED and shipment is not None:
            so_far = self.receipts.get(shipment)
            self.receipts[shipment] = Receipt(move.quantity + (so_far.quantity if so_far else 0), move.occurred_at)
        receipt = shipment or move.lot
        if receipt is None:
            return
        dock = self.docks.get(receipt, _NOTHING)
        if kind == _RECEIVED:
            first = move.occurred_at if dock.first_at is None else dock.first_at
            self.docks[receipt] = Dock(dock.received + move.quantity, dock.stored, first, dock.last_at)
        else:
            self.docks[receipt] = Dock(dock.received, dock.stored + move.quantity, dock.first_at, move.occurred_at)


def in_order(facts: Mapping[str, Fact]) -> list[tuple[Place, Movement]]:
    """The live movements among the facts, in the order in which they are taken."""
    placed = [
        (place(identity, fact.payload), fact.payload)
        for identity, fact in facts.items()
        if isinstance(fact.payload, Movement)
    ]
    placed.sort(key=_place)
    return placed


def place(identity: str, move: Movement) -> Place:
    """Where a movement stands in the order."""
    return (move.occurred_at, move.kind, by_time(identity))


def closed(base: Books | None, facts: Mapping[str, Fact]) -> Books:
    """The books after the movements of closed days, on top of those that closed before."""
    books = base.copy() if base is not None else Books()
    take_all(books, (move for _, move in in_order(facts)))
    return books


def take_all(books: Books, moves: Iterable[Movement]) -> None:
    """Take movements, which come in order."""
    for move in moves:
        books.take(move)


def _place(placed: tuple[Place, Any]) -> Place:
    return placed[0]


_NOTHING: Final = Dock()
