"""How exceptions are named: stable ids, so that an exception can be acknowledged and found again."""

from collections.abc import Iterable

from schemas.derived import ExceptionSet, ExceptionState
from streams.derivation import View

TOPIC = "exceptions"


def opened(kind: str, entity: str, opened_at: int, detail: str) -> ExceptionState:
    """An open exception of an entity (`shipment/ID`, `stock/SITE|ITEM`); opened_at in ms."""
    return ExceptionState(f"{kind}/{entity}", kind, opened_at, detail)


def exception_view(entity: str, exceptions: Iterable[ExceptionState]) -> View:
    """The complete set of an entity's exceptions, sorted by id; an empty one closes all."""
    complete = tuple(sorted(exceptions, key=lambda exception: exception.exception_id))
    return View(TOPIC, entity, ExceptionSet(entity, complete))
