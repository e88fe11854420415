"""Descriptions of sites, items, lanes and sources as people keep them in files, to reference events."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, get_args

from schemas.event import Event
from schemas.identifiers import GLN_LENGTH, is_gln, is_gtin
from schemas.mapping.checking import is_zone, zones
from schemas.reference import TOPIC, lane
from schemas.times import rfc3339
from schemas.wire import Rejection, judge
from schemas.wording import instead, nearest, shown

RefKind = Literal["site", "item", "lane", "source"]
KINDS: Final[tuple[RefKind, ...]] = get_args(RefKind)

SECTIONS: Final[Mapping[str, RefKind]] = {"sites": "site", "items": "item", "lanes": "lane", "sources": "source"}
"""The lists of a YAML file, and what is in them."""

FIELDS: Final[Mapping[RefKind, tuple[str, ...]]] = {
    "site": ("site", "name", "latitude", "longitude", "zone", "daily_capacity", "country"),
    "item": ("item", "name", "unit", "reorder_point"),
    "lane": ("origin", "destination", "transit_promise"),
    "source": ("source", "name", "expected_cadence"),
}
"""What can be said of each kind; the names are those of the contract (docs/events.md) but for two: `source` is the
event's `describes`, and `country` goes to its attributes."""

_KEYS: Final[Mapping[RefKind, tuple[str, ...]]] = {
    "site": ("site",),
    "item": ("item",),
    "lane": ("origin", "destination"),
    "source": ("source",),
}
_OF_EVERY_EVENT: Final = frozenset(Event.model_fields) - {"attributes"}
_LONGEST_ID: Final = 200


class Entry(NamedTuple):
    """One description in a file: where it stands, what it is of, and what is said."""

    place: str
    kind: str
    said: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Description:
    """A description that is sound. `entity`: as the contract keys it; `said`: what the event says beyond its head."""

    place: str
    kind: RefKind
    entity: str
    said: Mapping[str, Any]
    warnings: tuple[str, ...] = field(default=())

    @property
    def key(self) -> str:
        """The name of what is described."""
        return self.entity.partition("|")[2]

    def event(self, source: str, now: int) -> bytes:
        """The event that says so, now (ms); its id is the same whenever it is said."""
        head = {
            "event_id": event_id_of(self.kind, self.key),
            "source": source,
            "type": f"{self.kind}_described",
            "occurred_at": rfc3339(now),
            "recorded_at": rfc3339(now),
        }
        return json.dumps({**head, **self.said}, ensure_ascii=False, separators=(",", ":")).encode()


def event_id_of(kind: str, key: str) -> str:
    """`reference/KIND/KEY`; a key that is too long for an event_id ends in a hash of it."""
    event_id = f"reference/{kind}/{key}"
    if len(event_id) <= _LONGEST_ID:
        return event_id
    digest = hashlib.sha256(key.encode()).hexdigest()[:24]
    return f"{event_id[: _LONGEST_ID - len(digest) - 1]}-{digest}"


def described(entry: Entry) -> Description | str:
    """The description, or a sentence why it is none."""
    kind = next((known for known in KINDS if known == entry.kind), None)
    if kind is None:
        return f"kind {shown(entry.kind)} is not known: {instead(entry.kind, KINDS)}"
    unknown = next((name for name in entry.said if name not in FIELDS[kind]), None)
    if unknown is not None:
        return f"{shown(unknown)} is no field of a {kind}: {instead(unknown, FIELDS[kind])}"
    given = {name: value.strip() for name, value in entry.said.items() if value is not None and value.strip()}
    missing = [name for name in _KEYS[kind] if name not in given]
    if missing:
        return f"{' and '.join(missing)} is missing: it says which {kind} is described."
    said = _said(kind, given)
    if wrong := _of_a_place(said):
        return wrong
    judged = judge(TOPIC, Description(entry.place, kind, "", said).event("check", 0))
    if isinstance(judged, Rejection):
        return judged.reason.replace("describes", "source")
    return Description(entry.place, kind, _entity(kind, given), said, tuple(_warnings(kind, given)))


def content(event: Event) -> dict[str, Any]:
    """What a reference event says beyond its head, in a form in which two that say the same are equal."""
    dumped: dict[str, Any] = event.model_dump(exclude=set(_OF_EVERY_EVENT), exclude_defaults=True)
    return dumped


def content_of(raw: bytes) -> dict[str, Any] | None:
    """The content of an event's bytes; None where they are none."""
    judged = judge(TOPIC, raw)
    return None if isinstance(judged, Rejection) else content(judged)


def _of_a_place(said: Mapping[str, Any]) -> str | None:
    """What is wrong with a zone or with coordinates that the contract itself does not look at."""
    zone = said.get("zone")
    if zone is not None and not is_zone(zone):
        near = nearest(zone, zones())
        better = f"did you mean {' or '.join(near)}?" if near else "write its IANA name, such as Europe/Berlin."
        return f"zone {shown(zone)} is no time zone: {better}"
    if ("latitude" in said) != ("longitude" in said):
        return "Only one of latitude and longitude is there: write both, or neither."
    return None


def _said(kind: RefKind, given: Mapping[str, str]) -> dict[str, Any]:
    said: dict[str, Any] = {
        ("describes" if kind == "source" and name == "source" else name): given[name]
        for name in FIELDS[kind]
        if name in given and name != "country"
    }
    if "country" in given:
        said["attributes"] = {"country": given["country"]}
    return said


def _entity(kind: RefKind, given: Mapping[str, str]) -> str:
    key = lane(given["origin"], given["destination"]) if kind == "lane" else given[kind]
    return f"{kind}|{key}"


def _warnings(kind: RefKind, given: Mapping[str, str]) -> Iterator[str]:
    """Identifiers that claim to be standard and do not check: told, and taken all the same."""
    sites = [given[name] for name in ("site", "origin", "destination") if name in given]
    for name in sites if kind in {"site", "lane"} else ():
        if name.isascii() and name.isdigit() and len(name) == GLN_LENGTH and not is_gln(name):
            yield f"{name} looks like a GLN, but its check digit is wrong."
    if kind == "item" and ":" not in given["item"] and not is_gtin(given["item"]):
        yield f"{given['item']} looks like a GTIN, but its check digit is wrong."
