"""Sensor reports as conditions of a shipment: temperature, humidity and shock, in our units."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from schemas.epcis.events import ObjectEvent, SensorElement, SensorReport
from schemas.epcis.mapping import Draft, Telling, belongings, draft, references

_THOUSANDTH: Final = Decimal("0.001")
_KELVIN: Final = Decimal("273.15")
_GRAVITY: Final = Decimal("9.80665")
"""Metres per second squared in one g (ISO 80000-3)."""

_MOST: Final = Decimal(10) ** 9


def conditions(telling: Telling, event: ObjectEvent) -> tuple[list[Draft], list[str]]:
    """A condition of each shipment for each report that can be read, and notes on the others."""
    shipments = belongings(event)
    named = sorted((shipment, is_named) for shipment, is_named in shipments if shipment is not None)
    if not named:
        return [], ["Its sensor reports belong to no shipment (desadv or po, or an SSCC): no condition follows."]
    drafts: list[Draft] = []
    notes: list[str] = []
    for place, element in enumerate(event.sensor_element_list):
        for number, report in enumerate(element.sensor_report):
            reading = _reading(report)
            if reading is None:
                notes.append(f"sensorElementList[{place}].sensorReport[{number}]: {_unread(report)}")
                continue
            for shipment, is_named in named:
                suffix = f"condition/{place}/{number}" + ("" if is_named else f"/{shipment}")
                drafts.append(_condition(telling, suffix, shipment, reading, element, report))
    return drafts, notes


def _condition(  # the parts of one report
    telling: Telling,
    suffix: str,
    shipment: str,
    reading: tuple[str, Decimal],
    element: SensorElement,
    report: SensorReport,
) -> Draft:
    name, value = reading
    metadata = element.sensor_metadata
    at = report.time or (metadata and (metadata.time or metadata.end_time)) or None
    device = report.device_id or (metadata and metadata.device_id)
    attributes = {
        name: text[:2_000]
        for name, text in (("device", device), ("sensor_exception", report.exception), ("uom", report.uom))
        if text
    }
    made = draft(
        telling,
        suffix,
        "condition",
        shipment_id=shipment,
        references=references(telling.event),
        attributes=attributes,
        **{name: f"{value:f}"},
    )
    if at is not None:
        made.document["occurred_at"] = at.isoformat().replace("+00:00", "Z")
    return made


def _reading(report: SensorReport) -> tuple[str, Decimal] | None:
    """Our name of it, and the value in our unit: degrees Celsius, per cent, g."""
    kind = (report.type or "").removeprefix("gs1:").rpartition("/")[2]
    told = (report.value, report.mean_value, report.max_value, report.min_value)
    value = next((one for one in told if one is not None), None)
    if value is None:
        return None
    for name, kinds, units in _MEASURES:
        convert = units.get(report.uom or "")
        if kind in kinds and convert is not None:
            scale, offset = convert
            reading = ((value + offset) * scale).quantize(_THOUSANDTH) if abs(value) < _MOST else value
            return (name, reading) if abs(reading) < _MOST else None
    return None


def _unread(report: SensorReport) -> str:
    return f"{report.type or 'a report without type'} in {report.uom or 'no unit'} is no condition of ours."


_MEASURES: Final[Iterable[tuple[str, frozenset[str], dict[str, tuple[Decimal, Decimal]]]]] = (
    (
        "temperature",
        frozenset({"Temperature"}),
        {
            "CEL": (Decimal(1), Decimal(0)),
            "KEL": (Decimal(1), -_KELVIN),
            "FAH": (Decimal(5) / Decimal(9), Decimal(-32)),
        },
    ),
    ("humidity", frozenset({"RelativeHumidity", "Humidity"}), {"P1": (Decimal(1), Decimal(0))}),
    (
        "shock",
        frozenset({"Acceleration", "Shock"}),
        {"K40": (Decimal(1), Decimal(0)), "MSK": (1 / _GRAVITY, Decimal(0))},
    ),
)
"""What can be read: (our name, GS1 Web Vocabulary types, units of UN/ECE Recommendation 20 with scale and offset)."""
