"""A shipment's exceptions, and the next moment at which the mere passing of time opens one more.

Late is a promise that was missed; overdue is a planned milestone that nobody reported and nothing later implies.
Both are broken in the instant after their last one, as in SQL: `shipments_now.late_now`,
`shipment_milestones.overdue_now` and `exceptions_open` hold the same comparisons, times and words.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from schemas.derived import ExceptionState, ShipmentStatus
from schemas.times import minute
from streams.exceptions import opened
from streams.shipments.facts import ConditionFact
from streams.shipments.journey import Journey

EXCURSION_READINGS: Final = 3
"""So many readings in a row beyond a limit open a condition excursion."""


def shipment_exceptions(
    journey: Journey, excursion: Sequence[ConditionFact], passed: int | None
) -> Iterator[ExceptionState]:
    """What is open.

    Args:
        journey: The shipment's milestones.
        excursion: The last readings, all of them beyond a limit, in the order of their time.
        passed: It is that late (ms) at least; None: unknown.
    """
    status = journey.status
    name = f"shipment/{status.shipment_id}"
    if status.status == "delivered" and status.delivered_at is not None:
        missing = sum([line.delivered != line.shipped for line in status.lines])
        if missing:
            detail = f"{missing} of {len(status.lines)} lines were delivered in another quantity than shipped."
            yield opened("quantity_mismatch", name, status.delivered_at, detail)
    if len(excursion) >= EXCURSION_READINGS:
        detail = f"{excursion[-1].breaches[0]}, {len(excursion)} readings in a row."
        yield opened("condition_excursion", name, excursion[0].occurred_at, detail)
    if passed is not None and not status.final:
        yield from _broken_by_time(journey, name, passed)


def next_deadline(journey: Journey, passed: int | None) -> int | None:
    """The first moment (ms) later than `passed` at which a promise or a plan of the shipment is broken; None: none."""
    status = journey.status
    if status.final:
        return None
    dues = [awaited.due_at for awaited in journey.awaited]
    if status.due_at is not None:
        dues.append(status.due_at)
    if passed is not None:
        dues = [due for due in dues if due >= passed]
    return min(dues) + 1 if dues else None


def _broken_by_time(journey: Journey, name: str, passed: int) -> Iterator[ExceptionState]:
    status: ShipmentStatus = journey.status
    if status.due_at is not None and passed > status.due_at:
        detail = f"Due {minute(status.due_at)} UTC and not delivered; the last known status is {status.status}."
        yield opened("late_delivery", name, status.due_at, detail)
    overdue = [awaited for awaited in journey.awaited if passed > awaited.due_at]
    if overdue:
        parts = (f"{milestone} of leg {leg}, due {minute(due_at)} UTC" for due_at, leg, milestone in overdue)
        yield opened("overdue_milestone", name, overdue[0].due_at, f"Planned and not reported: {'; '.join(parts)}.")
