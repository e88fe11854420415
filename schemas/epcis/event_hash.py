"""The event hash of CBV 2.0, section 8.9: an eventID that follows from what the event says.

Two ways of writing one event (order of fields and lists, URNs or Digital Links, bare words or URIs, offsets of
times) give one hash; eventID, recordTime and errorDeclaration are no part of it, so that an error declaration has the
hash of the event that it declares wrong. Checked against the values that the reference implementation
(RalphTro/epcis-event-hash-generator) publishes: tests/schemas/epcis/test_event_hash.py. Where its releases differ,
what the standard's text says counts: `sensorElementList` stands once, and words of sensors are expanded to
`https://gs1.org/voc/`.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from schemas.epcis.identifiers import identify
from schemas.epcis.vocabulary import web_uri

Namespaces = Mapping[str, str]


def event_hash(event: Mapping[str, Any], context: Any = None) -> str:
    """The hash of an event (the JSON object) as `ni:///sha-256;...?ver=CBV2.0`; `context` is the `@context`."""
    digest = hashlib.sha256(pre_hash(event, context).encode()).hexdigest()
    return f"ni:///sha-256;{digest}?ver=CBV2.0"


def pre_hash(event: Mapping[str, Any], context: Any = None) -> str:
    """The canonical text that is hashed."""
    names = _WELL_KNOWN | _namespaces(context) | _namespaces(event.get("@context"))
    text = f"eventType={event.get('type', '')}"
    for field in _ORDER:
        if field in event:
            text += _field(field, event[field], names)
    return text + "".join(sorted(_foreign_parts(event, names)))


def _field(field: str, value: Any, names: Namespaces) -> str:  # noqa: PLR0911  # one return for each form of field
    if field in _EPC_LISTS:
        return field + "".join(sorted(f"epc={_value(epc, names)}" for epc in value)) if value else ""
    if field in _QUANTITY_LISTS:
        elements = sorted("quantityElement" + _pairs(element, _QUANTITY, names) for element in value)
        return field + "".join(elements) if elements else ""
    if field in _PARTY_LISTS:
        name, term = _PARTY_LISTS[field]
        told = sorted(_typed(element, name, term, names) for element in value)
        return field + "".join(told) if told else ""
    if field in {"readPoint", "bizLocation"}:
        return f"{field}id={_value(value.get('id', ''), names)}"
    if field == "persistentDisposition":
        parts = [
            f"{name}={web_uri('Disp', said.strip())}"
            for name in ("set", "unset")
            for said in sorted(value.get(name, ()))
        ]
        return field + "".join(parts) if parts else ""
    if field == "sensorElementList":
        told = sorted(_sensor(element, names) for element in value)
        return field + "".join(told) if told else ""
    if field in _TERMS:
        return f"{field}={_expanded(web_uri(_TERMS[field], value.strip()), names)}"
    return f"{field}={_time(value) if field == 'eventTime' else _value(value, names)}"


def _typed(element: Mapping[str, Any], name: str, term: str, names: Namespaces) -> str:
    """The type stands before the value, as in the values that the reference implementation publishes."""
    kind = element.get("type")
    said = f"type={_expanded(web_uri(term, kind.strip()), names)}" if kind else ""
    return f"{said}{name}={_value(element.get(name, ''), names)}"


def _sensor(element: Mapping[str, Any], names: Namespaces) -> str:
    text = "sensorElement"
    metadata = element.get("sensorMetadata")
    if metadata:
        pairs = _pairs(metadata, _SENSOR_METADATA, names)
        text += f"sensorMetadata{pairs}" if pairs else ""
    reports = sorted(
        "sensorReport" + _pairs(report, _SENSOR_REPORT, names) for report in element.get("sensorReport", ())
    )
    return text + "".join(reports)


def _pairs(element: Mapping[str, Any], order: Iterable[str], names: Namespaces) -> str:
    text = ""
    for field in order:
        if field not in element:
            continue
        value = element[field]
        if field in _TIMES:
            text += f"{field}={_time(value)}"
        elif field == "type":
            text += f"{field}={_sensor_word(value, names)}"
        else:
            text += f"{field}={_value(value, names)}"
    return text


def _foreign_parts(event: Mapping[str, Any], names: Namespaces) -> list[str]:
    """Master data and the fields of other namespaces, each a text of its own: they are sorted, and stand last."""
    parts = _foreign(event, names)
    if event.get("ilmd"):
        parts.append("ilmd" + "".join(sorted(_foreign(event["ilmd"], names, every=True))))
    for field in ("readPoint", "bizLocation"):
        inside = _foreign(event.get(field) or {}, names)
        if inside:
            parts.append(field + "".join(sorted(inside)))
    for element in event.get("sensorElementList") or ():
        inside = _foreign(element, names)
        deeper = [("sensorMetadata", element.get("sensorMetadata") or {})]
        deeper += [("sensorReport", report) for report in element.get("sensorReport") or ()]
        for name, part in deeper:
            found = _foreign(part, names)
            if found:
                inside.append(name + "".join(sorted(found)))
        if inside:
            parts.append("sensorElement" + "".join(sorted(inside)))
    return parts


def _foreign(element: Mapping[str, Any], names: Namespaces, *, every: bool = False) -> list[str]:
    """The fields of other namespaces; `every`: of none too (in master data)."""
    parts = []
    for field, value in element.items():
        if field.startswith("@") or field in _UNHASHED or (":" not in field and not every):
            continue
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, Mapping):
                parts.append(_key(field, names) + "".join(sorted(_foreign(one, names, every=True))))
            else:
                parts.append(f"{_key(field, names)}={_value(one, names)}")
    return parts


def _key(field: str, names: Namespaces) -> str:
    """The field with its whole namespace: `{https://ns.example.com/epcis/}myField`."""
    prefix, colon, local = field.partition(":")
    return f"{{{names[prefix]}}}{local}" if colon and prefix in names else field


def _value(value: Any, names: Namespaces) -> str:
    """A value in its canonical form: number, expanded CURIE, or Digital Link."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float, Decimal)):
        return _number(str(value))
    text = str(value).strip()
    if _NUMBER.fullmatch(text):
        return _number(text)
    if text.startswith(("urn:epc:", "http://", "https://")):
        return identify(text).canonical
    return _expanded(text, names)


def _expanded(text: str, names: Namespaces) -> str:
    """A CURIE of GS1's own vocabularies is expanded (rule 15); other people's are left."""
    for urn, web in _URNS.items():
        if text.startswith(urn):
            return web + text.removeprefix(urn)
    prefix, colon, local = text.partition(":")
    namespace = names.get(prefix, "")
    return namespace + local if colon and namespace.startswith(_GS1) else text


def _sensor_word(text: str, names: Namespaces) -> str:
    text = text.strip()
    return _expanded(text, names) if ":" in text else _WELL_KNOWN["gs1"] + text


def _number(text: str) -> str:
    """Without leading or trailing zeros, sign or exponent."""
    number = Decimal(text)
    if abs(number.adjusted()) > _LONGEST:
        return text
    if number == number.to_integral_value():
        return str(int(number))
    return f"{number.normalize():f}"


def _time(text: str) -> str:
    """In UTC, rounded to milliseconds (half up)."""
    try:
        moment = datetime.fromisoformat(text.strip()).astimezone(UTC)
    except (ValueError, OverflowError):
        return text
    moment += timedelta(microseconds=_HALF_MS)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _namespaces(context: Any) -> dict[str, str]:
    """The prefixes that an `@context` declares."""
    found: dict[str, str] = {}
    for part in context if isinstance(context, list) else [context]:
        if isinstance(part, Mapping):
            found |= {prefix: uri for prefix, uri in part.items() if isinstance(uri, str)}
    return found


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_HALF_MS: Final = 500
_LONGEST: Final = 5_000
"""Digits of a number, above which it stays as it was written."""

_NUMBER: Final = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")
_GS1: Final = ("https://ref.gs1.org", "https://gs1.org")
_WELL_KNOWN: Final = {
    "gs1": "https://gs1.org/voc/",
    "cbv": "https://ref.gs1.org/cbv/",
    "epcis": "https://ref.gs1.org/epcis/",
    "cbvmda": "urn:epcglobal:cbv:mda",
}
_URNS: Final = {
    "urn:epcglobal:cbv:bizstep:": "https://ref.gs1.org/cbv/BizStep-",
    "urn:epcglobal:cbv:disp:": "https://ref.gs1.org/cbv/Disp-",
    "urn:epcglobal:cbv:btt:": "https://ref.gs1.org/cbv/BTT-",
    "urn:epcglobal:cbv:sdt:": "https://ref.gs1.org/cbv/SDT-",
    "urn:epcglobal:cbv:er:": "https://ref.gs1.org/cbv/ER-",
}
_UNHASHED: Final = frozenset({"rdfs:comment", "comment"})
_ORDER: Final = (
    "eventTime",
    "eventTimeZoneOffset",
    "epcList",
    "parentID",
    "inputEPCList",
    "childEPCs",
    "quantityList",
    "childQuantityList",
    "inputQuantityList",
    "outputEPCList",
    "outputQuantityList",
    "action",
    "transformationID",
    "bizStep",
    "disposition",
    "persistentDisposition",
    "readPoint",
    "bizLocation",
    "bizTransactionList",
    "sourceList",
    "destinationList",
    "sensorElementList",
)
"""The canonical order of properties (CBV 2.0, section 8.9.2)."""

_EPC_LISTS: Final = frozenset({"epcList", "inputEPCList", "childEPCs", "outputEPCList"})
_QUANTITY_LISTS: Final = frozenset({"quantityList", "childQuantityList", "inputQuantityList", "outputQuantityList"})
_QUANTITY: Final = ("epcClass", "quantity", "uom")
_PARTY_LISTS: Final = {
    "bizTransactionList": ("bizTransaction", "BTT"),
    "sourceList": ("source", "SDT"),
    "destinationList": ("destination", "SDT"),
}
_TERMS: Final = {"bizStep": "BizStep", "disposition": "Disp"}
_TIMES: Final = frozenset({"time", "startTime", "endTime"})
_SENSOR_METADATA: Final = _words("time startTime endTime deviceID deviceMetadata rawData dataProcessingMethod bizRules")
_SENSOR_REPORT: Final = _words(
    "type exception deviceID deviceMetadata rawData dataProcessingMethod time microorganism chemicalSubstance value "
    "component stringValue booleanValue hexBinaryValue uriValue minValue maxValue meanValue sDev percRank percValue "
    "uom coordinateReferenceSystem"
)
