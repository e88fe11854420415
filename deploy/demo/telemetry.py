"""What trackers and sensors say of a shipment on its way: where it is, and how warm the goods are."""

from collections.abc import Generator
from random import Random
from typing import Any, Final

import simpy

from deploy.demo.reports import Reports
from deploy.demo.world import Leg, World
from schemas.shipment import TOPIC
from schemas.times import HOUR_MS

_STEP_MS: Final = 5 * HOUR_MS
_LOW, _HIGH = 2, 8
_EXCURSION: Final = 0.05
"""The share of cold legs on which the cooling fails for a while."""

_LEAST_READINGS: Final = 3
_SHOCK_READ: Final = 0.1
_OUTLIER: Final = 0.01
"""The share of single readings that are too warm without any excursion."""


class Telemetry:
    """The trackers and sensors of all carriers."""

    def __init__(self, env: simpy.Environment, rng: Random, reports: Reports, world: World) -> None:
        """Trackers and sensors that report on their own account."""
        self._env = env
        self._rng = rng
        self._reports = reports
        self._tracker = world.tracker
        self._sensors = world.sensors

    def ride(self, shipment_id: str, leg: Leg, duration: int, *, cold: bool) -> Generator[Any, Any, bool]:
        """Go along on a leg that takes so long (natural ms); whether the goods were too warm for long."""
        env, elapsed = self._env, 0
        warm_from, warm_until = self._failure(duration) if cold else (duration, duration)
        while elapsed + _STEP_MS < duration:
            yield env.timeout(_STEP_MS)
            elapsed += _STEP_MS
            self._position(shipment_id, leg, elapsed / duration)
            if cold:
                self._condition(shipment_id, warm=warm_from <= elapsed < warm_until)
        yield env.timeout(duration - elapsed)
        return warm_until - warm_from >= _LEAST_READINGS * _STEP_MS

    def _failure(self, duration: int) -> tuple[int, int]:
        """From when until when the cooling fails, if it does: for three to seven readings."""
        readings = duration // _STEP_MS
        if readings <= _LEAST_READINGS or self._rng.random() >= _EXCURSION:
            return duration, duration
        length = self._rng.randint(_LEAST_READINGS, min(7, readings - 1))
        first = self._rng.randint(1, readings - length)
        return first * _STEP_MS, (first + length) * _STEP_MS

    def _position(self, shipment_id: str, leg: Leg, share: float) -> None:
        start, end = leg.origin, leg.destination
        wander = 0.4 if leg.mode == "ocean" else 0.05
        latitude = start.latitude + (end.latitude - start.latitude) * share + self._rng.gauss(0, wander)
        longitude = start.longitude + (end.longitude - start.longitude) * share + self._rng.gauss(0, wander)
        body = {
            "shipment_id": shipment_id,
            "latitude": round(latitude, 5),
            "longitude": round(longitude, 5),
        }
        self._reports.say(self._tracker, TOPIC, shipment_id, "position", body)

    def _condition(self, shipment_id: str, *, warm: bool) -> None:
        draw = self._rng.random
        if warm or draw() < _OUTLIER:
            temperature = _HIGH + 0.3 + draw() * 4
        else:
            temperature = min(max(self._rng.gauss(4.8, 0.7), _LOW + 0.1), _HIGH - 0.1)
        body = {
            "shipment_id": shipment_id,
            "temperature": round(temperature, 1),
            "temperature_min": _LOW,
            "temperature_max": _HIGH,
            "humidity": round(55 + draw() * 20, 1),
            "humidity_max": 90,
        }
        if draw() < _SHOCK_READ:
            body |= {"shock": round(draw() * 2, 2), "shock_max": 3}
        self._reports.say(self._sensors, TOPIC, shipment_id, "condition", body)
