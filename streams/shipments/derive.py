"""The shipments agent: a shipment's status and exceptions, and what it contributes.

What follows is kept up to date per shipment: its milestones in the order in which they were told, its telemetry in
the order of its time. So a position costs a step, however many came before it, and only a milestone makes the
journey be derived anew. Overdue (a planned milestone not seen) and late (the promise missed) are two different things.
"""

from bisect import bisect_left, insort
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from schemas.event import Event
from schemas.versions import Version
from streams.derivation import Derived, View
from streams.exceptions import exception_view
from streams.facts import Fact, Statement, Target, TimePassed
from streams.shipments.contributions import contributions, nothing
from streams.shipments.exceptions import next_deadline, shipment_exceptions
from streams.shipments.facts import ConditionFact, MilestoneFact, Payload, PositionFact, shipment_statement
from streams.shipments.journey import Journey, journey
from streams.shipments.told import Told

VIEW: Final = "shipment.status"


class Shipments:
    """The shipments agent's rules."""

    name = "shipments"
    events = ("shipment.events",)
    contributions: Mapping[str, type[Any]] = {}
    payload: Any = Payload
    base: Any = None
    stubs = True

    def statement(self, event: Event, raw: bytes) -> Statement:
        """The fact that a shipment event states."""
        return shipment_statement(event, raw)

    def contributed(self, state: Any) -> tuple[str, str, Any]:
        """Never asked: this agent reads no contributions."""
        raise AssertionError(state)

    def derive(self, entity: str, facts: Mapping[str, Fact], base: None = None) -> Derived:
        """The shipment's status and exceptions, and what it contributes."""
        return self.running(facts, base).derive(entity)

    def running(self, facts: Mapping[str, Fact], base: None) -> "RunningShipment":  # noqa: ARG002  # no periods, no base
        """The shipment kept up to date."""
        return RunningShipment(facts)

    def close(self, base: Any, facts: Mapping[str, Fact]) -> Any:
        """Never asked: it closes as a whole."""
        raise AssertionError(base, facts)

    def withdrawn(self, entity: str, target: Target) -> msgspec.Struct:
        """Nothing of this shipment remains for the target."""
        return nothing(entity, target)


class _Known(NamedTuple):
    """What follows from the milestones alone."""

    journey: Journey
    contributions: Mapping[Target, msgspec.Struct]


class RunningShipment:
    """A shipment whose facts stand in order, with the journey that its milestones make."""

    def __init__(self, facts: Mapping[str, Fact]) -> None:
        self._told: list[tuple[Version, str, MilestoneFact]] = []
        self._positions: list[tuple[int, Version, str, PositionFact]] = []
        self._readings: list[tuple[int, str, ConditionFact]] = []
        self._passed: int | None = None
        self._folded: Told | None = None
        self._known: _Known | None = None
        for identity, (version, payload, _) in facts.items():
            if isinstance(payload, MilestoneFact):
                self._told.append((version, identity, payload))
            elif isinstance(payload, PositionFact):
                self._positions.append((payload.occurred_at, version, identity, payload))
            elif isinstance(payload, ConditionFact):
                self._readings.append((payload.occurred_at, identity, payload))
            elif isinstance(payload, TimePassed):
                self._passed = payload.at
        # An identity stands once in each list, so payloads are never compared.
        self._told.sort()
        self._positions.sort()
        self._readings.sort()

    def replace(self, identity: str, old: Fact | None, new: Fact) -> None:
        """A fact came in, perhaps in the place of an older version."""
        if old is not None:
            self._take_out(identity, old)
        version, payload, _ = new
        if isinstance(payload, MilestoneFact):
            self._tell((version, identity, payload))
        elif isinstance(payload, PositionFact):
            insort(self._positions, (payload.occurred_at, version, identity, payload))
        elif isinstance(payload, ConditionFact):
            insort(self._readings, (payload.occurred_at, identity, payload))
        elif isinstance(payload, TimePassed):
            self._passed = payload.at

    def derive(self, entity: str) -> Derived:
        """The shipment's status and exceptions, and what it contributes."""
        known = self._known
        if known is None:
            found = journey(entity, self._fold())
            known = self._known = _Known(found, contributions(found))
        status = known.journey.status
        seen = self._seen()
        if seen is not None:
            status = msgspec.structs.replace(
                status, latitude_micros=seen.latitude, longitude_micros=seen.longitude, seen_at=seen.occurred_at
            )
        exceptions = shipment_exceptions(known.journey, self._excursion(), self._passed)
        return Derived(
            (View(VIEW, entity, status), exception_view(f"shipment/{entity}", exceptions)),
            known.contributions,
            known.journey.finished,
            next_deadline(known.journey, self._passed),
        )

    def _tell(self, statement: tuple[Version, str, MilestoneFact]) -> None:
        """Take a milestone in; one that was said last goes on from what was told so far."""
        self._known = None
        if self._folded is not None and (not self._told or self._told[-1] < statement):
            self._told.append(statement)
            self._folded.take(statement[2])
            return
        insort(self._told, statement)
        self._folded = None

    def _fold(self) -> Told:
        """All that was told of milestones."""
        if self._folded is None:
            self._folded = Told()
            for _, _, fact in self._told:
                self._folded.take(fact)
        return self._folded

    def _take_out(self, identity: str, old: Fact) -> None:
        """Take a fact out of its place, which is where everything before its identity ends."""
        version, payload, _ = old
        if isinstance(payload, MilestoneFact):
            del self._told[bisect_left(self._told, (version, identity))]
            self._folded = self._known = None
        elif isinstance(payload, PositionFact):
            del self._positions[bisect_left(self._positions, (payload.occurred_at, version, identity))]
        elif isinstance(payload, ConditionFact):
            del self._readings[bisect_left(self._readings, (payload.occurred_at, identity))]
        elif isinstance(payload, TimePassed):
            self._passed = None

    def _seen(self) -> PositionFact | None:
        """The last position by time; of several of one instant the one that was told first."""
        if not self._positions:
            return None
        latest = self._positions[-1][0]
        return self._positions[bisect_left(self._positions, (latest,))][3]

    def _excursion(self) -> list[ConditionFact]:
        """The last readings as far back as each is beyond a limit, in the order of their time."""
        run: list[ConditionFact] = []
        for _, _, reading in reversed(self._readings):
            if not reading.breaches:
                break
            run.append(reading)
        run.reverse()
        return run
