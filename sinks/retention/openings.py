"""Openings: the few movements that leave a stock position's books as many movements left them. Pure.

Movements are summed by kind, receipts and what was put away are kept apart by shipment (or lot), and where anything
was counted one count says what was on hand. When each of them happened is chosen so that the last movement, and since
when there is nothing or too little, stay what they were. Whatever is chosen is then taken by the very books that the
stock agent keeps (streams.stock.books): only openings that lead to equal books are returned.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from schemas.quantities import shown
from schemas.times import rfc3339
from streams.stock.books import SIGN, Books, take_all
from streams.stock.facts import KINDS, Movement

SOURCE: Final = "quayside"
"""Who says openings."""

_LARGEST: Final = 10**15 - 1
"""The largest quantity of an event, in thousandths (schemas.quantities)."""

_INDEX: Final = {kind: index for index, kind in enumerate(KINDS)}
_COUNTED: Final = _INDEX["counted"]
_RECEIVED: Final = _INDEX["received"]
_PUT_AWAY: Final = _INDEX["put_away"]
_ADJUSTED: Final = _INDEX["adjusted"]
_PACKED: Final = _INDEX["packed"]
_SIGNS: Final = tuple(SIGN.get(kind, 0) for kind in KINDS)


def openings(moves: Sequence[Movement]) -> tuple[Movement, ...] | None:
    """The openings that stand for these movements, which come in the order in which they are taken.

    The books after them equal the books after the movements, but for how many movements there were. None where no such
    openings were found; the movements then have to stay.
    """
    if not moves:
        return ()
    wanted = _books(moves)
    lift = 0
    for _ in range(2):
        made, least = _made(wanted, moves, lift)
        if least >= 0 and _same(_books(made), wanted):
            return made
        # Goods that come first and go where the present state began: nothing stays of them but when it began.
        lift = 1 - min(least, 0)
    return None


def opening_raw(  # all that an event says
    move: Movement, number: int, *, name: str, site: str, item: str, day: str, recorded_at: int
) -> bytes:
    """An opening as an event on the wire (schemas.warehouse). Its id is `name` and `number`, in the openings' order."""
    kind = KINDS[move.kind]
    said: dict[str, Any] = {
        "event_id": f"{name}/{number:06d}/{kind}",
        "source": SOURCE,
        "type": "moved" if kind.startswith("moved_") else kind,
        "site": site,
        "item": item,
        "quantity": shown(move.quantity),
        "unit": move.unit,
        "occurred_at": rfc3339(move.occurred_at),
        "recorded_at": rfc3339(recorded_at),
        "attributes": {"opening": day},
    }
    if kind.startswith("moved_"):
        said["direction"] = kind.removeprefix("moved_")
    if move.shipment_id is not None:
        said["references"] = {"shipment_id": move.shipment_id}
    if move.lot is not None:
        said["lot"] = move.lot
    return msgspec.json.encode(said)


def _made(books: Books, moves: Sequence[Movement], lift: int) -> tuple[tuple[Movement, ...], int]:
    """Openings for these books, and what their count would say on hand (0 where nothing was counted)."""
    first_at, last_at = moves[0].occurred_at, moves[-1].occurred_at
    since = books.stockout_since if books.negative_since is None else books.negative_since
    goes_at = last_at if since is None else since
    made = list(_of_receipts(books))
    rest = list(books.sums)
    for one in made:
        rest[one.kind] -= one.quantity
    for kind, quantity in enumerate(rest):
        if quantity:
            made += _said(books.unit, kind, first_at if _SIGNS[kind] * quantity > 0 else goes_at, quantity)
    if lift:
        made += [*_said(books.unit, _ADJUSTED, first_at, lift), *_said(books.unit, _ADJUSTED, goes_at, -lift)]
    counted = 0
    times = [move.occurred_at for move in moves if move.kind == _COUNTED and move.unit == books.unit]
    if times:
        at = times[-1] if since is None else min(times[-1], since)
        counted = books.variance + sum(_SIGNS[one.kind] * one.quantity for one in made if one.occurred_at <= at)
        made.append(Movement(_COUNTED, at, counted, books.unit, None, None))
    for at in sorted({goes_at, last_at} - {one.occurred_at for one in made}):
        made += _said(books.unit, _PACKED, at, 0)
    other = next((move.unit for move in moves if move.unit != books.unit), None)
    if other is not None:
        made.append(Movement(_COUNTED, last_at, 0, other, None, None))
    made.sort(key=lambda one: (one.occurred_at, one.kind))
    return tuple(made), -1 if counted > _LARGEST else counted


def _of_receipts(books: Books) -> Iterable[Movement]:
    """What was received and put away, by shipment or lot."""
    for key in sorted(books.docks):
        dock, receipt = books.docks[key], books.receipts.get(key)
        by_lot = dock.received - (receipt.quantity if receipt else 0)
        if dock.first_at is not None and (receipt is None or by_lot):
            yield from _said(books.unit, _RECEIVED, dock.first_at, by_lot, lot=key)
        if dock.first_at is not None and receipt is not None:
            at = receipt.last_at if by_lot else dock.first_at
            yield from _said(books.unit, _RECEIVED, at, receipt.quantity, shipment_id=key)
            if receipt.last_at != at:
                yield from _said(books.unit, _RECEIVED, receipt.last_at, 0, shipment_id=key)
        if dock.last_at is not None:
            tied = {"shipment_id": key} if receipt is not None else {"lot": key}
            yield from _said(books.unit, _PUT_AWAY, dock.last_at, dock.stored, **tied)


def _said(
    unit: str, kind: int, at: int, quantity: int, shipment_id: str | None = None, lot: str | None = None
) -> Iterable[Movement]:
    for part in _parts(quantity):
        yield Movement(kind, at, part, unit, shipment_id, lot)


def _parts(quantity: int) -> Iterable[int]:
    """A sum in quantities that an event can say."""
    step = _LARGEST if quantity > 0 else -_LARGEST
    while abs(quantity) > _LARGEST:
        yield step
        quantity -= step
    yield quantity


def _books(moves: Iterable[Movement]) -> Books:
    books = Books()
    take_all(books, moves)
    return books


def _same(found: Books, wanted: Books) -> bool:
    return msgspec.structs.replace(found, movements=0) == msgspec.structs.replace(wanted, movements=0)
