"""`quayside audit` as a whole: states, coordinates, and what is told apart from differences."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

from schemas.times import rfc3339
from sinks.audit.coordinates import Coordinates
from sinks.audit.figures import Difference
from sinks.audit.questions import Ask, question, slices
from sinks.audit.states import SLICE_ROWS, States, compare

_FACTS: Final = ("supplier_events", "shipment_events", "warehouse_events")
_MOMENT: Final = "_at"


@dataclass(frozen=True, slots=True)
class Moved:
    """An event that was said of several entities: a correction may not move it. Two of the entities are named."""

    topic: str
    source: str
    event_id: str
    entities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What an audit found; `late`: records that came too late to be in any figure."""

    epoch: int
    states: States
    coordinates: Coordinates
    late: int
    moved: tuple[Moved, ...]
    seconds: float

    @property
    def is_clean(self) -> bool:
        """Whether everything agrees and nothing is missing."""
        return not self.states.differing and not self.coordinates.missing

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON; the keys are in docs/audit.md."""
        return {
            "compared": sum(self.states.compared.values()),
            "compared_by_kind": self.states.compared,
            "differences": self.states.differing,
            "difference_list": [asdict(one) for one in self.states.listed],
            "moving": len(self.states.moving),
            "moving_list": list(self.states.moving[:100]),
            "closed": len(self.states.closed),
            "closed_list": list(self.states.closed[:100]),
            "late": self.late,
            "coordinates_missing": self.coordinates.missing,
            "missing_list": [asdict(one) for one in self.coordinates.listed],
            "moved_entities": len(self.moved),
            "moved_list": [asdict(one) for one in self.moved[:100]],
            "epoch": self.epoch,
            "epochs": [asdict(one) for one in self.coordinates.epochs],
            "seconds": round(self.seconds, 2),
        }


def audit(
    ask: Ask,
    settle: Callable[[], object],
    coordinates: Callable[[], Coordinates],
    progress: Callable[[str], None] = lambda _: None,
) -> Report:
    """Compare everything, see whether anything is missing, and tell what came late or was moved."""
    began = time.monotonic()
    states = compare(ask, settle, progress=progress)
    progress("coordinates")
    places = coordinates()
    progress("events that were moved")
    moved = tuple(
        Moved(topic, source, event_id, tuple(entities))
        for scope in slices(ask, _FACTS, SLICE_ROWS)
        for topic, source, event_id, entities in ask(question("moved"), {"slice": scope.slice, "slices": scope.slices})
    )
    ((epoch, late),) = ask(question("epoch"), {})
    return Report(int(epoch), states, places, int(late), moved, time.monotonic() - began)


def lines(report: Report) -> list[str]:
    """The report for people."""
    states = report.states
    told = [f"{one.kind} {one.entity}: {one.field} is {_shown(one)}{_behind(one)}" for one in states.listed]
    if states.differing > len(states.listed):
        told.append(f"... and {states.differing - len(states.listed)} more differences")
    told += [
        f"missing: epoch {place.epoch} {place.topic} partition {place.partition} offset {place.offset}"
        for place in report.coordinates.listed
    ]
    told += [
        f"moved: {one.topic} {one.source} {one.event_id} was said of {' and of '.join(one.entities)}: retract it and "
        "send a new one"
        for one in report.moved[:100]
    ]
    told += [f"moving: {name} kept changing" for name in states.moving[:100]]
    told += [f"closed: {name} had closed when a shipment told something new" for name in states.closed[:100]]
    kinds = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in states.compared.items())
    told.append(
        f"{sum(states.compared.values())} compared ({kinds}): {states.differing} differences, "
        f"{report.coordinates.missing} coordinates missing, {report.late} late records, {len(report.moved)} moved "
        f"events, {len(states.moving)} moving, in {report.seconds:.1f} s"
    )
    return told


def _shown(one: Difference) -> str:
    if one.published is None and isinstance(one.recomputed, dict):
        return "missing: it follows from the history and was not published"
    if one.recomputed is None and isinstance(one.published, dict):
        return "published, and does not follow from the history"
    return f"{_value(one.field, one.published)}, by the history {_value(one.field, one.recomputed)}"


def _value(field: str, value: Any) -> str:
    is_moment = field.endswith((_MOMENT, "_since")) and isinstance(value, int)
    return rfc3339(value) if is_moment else "nothing" if value is None else str(value)


def _behind(one: Difference) -> str:
    places = "; ".join(f"{event.source} {event.event_id} at {event.coordinate}" for event in one.events[:5])
    return f" (events: {places}{'; ...' if len(one.events) > 5 else ''})" if places else ""  # noqa: PLR2004  # a line's worth
