"""Which event of ours an EPCIS event becomes: the words, the references, and the fields that all of them share.

docs/epcis.md has the table. Every event of ours has an identity of its own, `EPCISEVENTID#what/of which item`, that
follows from what it says about which key: so a repeat is a repeat, a correction is one of the same event at the same
place, and the order in which things came does not matter.
"""

import contextlib
import hashlib
import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit

from schemas.epcis.events import AnyEvent, EpcisEvent, ObjectEvent, TransactionEvent
from schemas.epcis.goods import Goods
from schemas.epcis.identifiers import Identified, identify
from schemas.quantities import shown, thousandths

OUT: Final = frozenset({"shipping", "departing"})
IN: Final = frozenset({"receiving", "accepting", "arriving"})
VOID: Final = "void_shipping"

STOCK: Final[Mapping[str, str]] = {
    "storing": "put_away",
    "stocking": "put_away",
    "reserving": "reserved",
    "holding": "quarantined",
    "releasing": "restored",
    "picking": "picked",
    "packing": "packed",
    "stock_taking": "counted",
    "cycle_counting": "counted",
    "retail_selling": "shipped",
}
"""OBSERVE: what a step does to the stock at its site, without a shipment."""

MILESTONES: Final[Mapping[str, str]] = {
    "shipping": "picked_up",
    "departing": "departed",
    "arriving": "arrived",
    "receiving": "delivered",
    "accepting": "delivered",
    "loading": "loaded",
    "unloading": "discharged",
    "transporting": "out_for_delivery",
}
"""OBSERVE: the milestone of its shipment that a step is."""

LONGEST_ID: Final = 200


class Key(NamedTuple):
    """An EPCIS event's identity: eventIDs of two sources are two events."""

    source: str
    event_id: str


class Draft(NamedTuple):
    """An event of ours before it is said: all of it but `recorded_at`."""

    event_id: str
    document: dict[str, Any]


class Telling(NamedTuple):
    """An EPCIS event as all that is made of it tells it."""

    key: Key
    event: AnyEvent

    @property
    def step(self) -> str:
        """The bare word of bizStep; empty where none is told."""
        return self.event.biz_step or ""


def draft(telling: Telling, suffix: str, kind: str, **fields: Any) -> Draft:
    """An event of ours of this type, with what all of one EPCIS event share; empty fields are left out."""
    said_at, contradicted = occurred_at(telling.event)
    attributes = _attributes(telling) | fields.pop("attributes", {})
    if contradicted:
        attributes["finding.zone_contradicted"] = contradicted
    event_id = identity(telling.key.event_id, suffix)
    document: dict[str, Any] = {
        "event_id": event_id,
        "source": telling.key.source,
        "type": kind,
        "occurred_at": said_at,
    }
    document |= {name: value for name, value in fields.items() if value not in (None, "", (), [], {})}
    document["attributes"] = {name: attributes[name] for name in sorted(attributes)}
    return Draft(event_id, document)


def movement(telling: Telling, kind: str, goods: Goods, place: "Site", extra: Mapping[str, Any] | None = None) -> Draft:
    """A movement of one item at a site; `extra`: fields that not all movements have.

    A shipment that the event does not name itself, but the container in it, is part of the identity: one event may
    tell of several containers.
    """
    fields = dict(extra or {})
    by_container = fields.pop("by_container", "")
    suffix = "/".join(part for part in (kind, goods.item, goods.lot, goods.unit, by_container) if part)
    attributes = dict(place.attributes)
    if goods.told_by and goods.told_by != (telling.key.source,):
        attributes["contents_told_by"] = ", ".join(goods.told_by)[:_LONGEST_TEXT]
    return draft(
        telling,
        suffix,
        kind,
        site=place.name,
        item=goods.item,
        unit=goods.unit,
        lot=goods.lot,
        quantity=fields.pop("quantity", None) or shown(thousandths(goods.quantity)),
        references=fields.pop("references", None) or references(telling.event),
        attributes=attributes,
        **fields,
    )


def identity(event_id: str, suffix: str) -> str:
    """Our event_id; an eventID that leaves no room is told by its hash."""
    whole = f"{event_id}#{suffix}"
    if len(whole) <= LONGEST_ID and event_id.isprintable():
        return whole
    digest = hashlib.sha256(event_id.encode()).hexdigest()
    short = f"sha-256;{digest}#{suffix}"
    return short if len(short) <= LONGEST_ID else f"sha-256;{hashlib.sha256(whole.encode()).hexdigest()}"


class Site(NamedTuple):
    """A site by name (its GLN, where it has one), and what else was said of the place."""

    name: str
    attributes: Mapping[str, str]


def site_of(event: EpcisEvent, *, is_out: bool = False) -> Site | None:
    """The site that an event is about: bizLocation, else (of goods that leave) the source location, else readPoint."""
    said = event.biz_location.id if event.biz_location else None
    if said is None and is_out:
        said = next((one.source for one in event.source_list if one.type == "location"), None)
    if said is None and event.read_point:
        said = event.read_point.id
    if said is None and not is_out:
        said = next((one.destination for one in event.destination_list if one.type == "location"), None)
    return None if said is None else _site(identify(said))


def destination_of(event: EpcisEvent) -> str | None:
    """Where the goods go: the destination location, else the party that is to possess or own them."""
    for kind in ("location", "possessing_party", "owning_party"):
        for one in event.destination_list:
            found = _site(identify(one.destination)) if one.type == kind else None
            if found is not None:
                return found.name
    return None


def party(event: EpcisEvent, *, is_source: bool) -> str | None:
    """The owning, else possessing, party that the goods come from or go to: its GLN, where it has one."""
    told = (
        [(one.type, one.source) for one in event.source_list]
        if is_source
        else [(one.type, one.destination) for one in event.destination_list]
    )
    for kind in ("owning_party", "possessing_party"):
        for said_kind, said in told:
            if said_kind == kind:
                found = identify(said)
                return name_of(found.key or said)
    return None


def named_shipment(event: EpcisEvent) -> str | None:
    """The shipment that the event itself names: by the despatch advice, else by the purchase order."""
    found = [*transactions(event, "desadv"), *transactions(event, "po")]
    return found[0] if found else None


def shipment_in(through: Identified | None) -> tuple[str | None, bool]:
    """The shipment of goods whose event names none, by the SSCC they are in; and that the event does not name it."""
    return (through.key, False) if through is not None and through.kind == "sscc" else (None, True)


def belongings(event: ObjectEvent) -> list[tuple[str | None, bool]]:
    """The shipments that an event's things belong to, each once, and whether the event names them."""
    named = named_shipment(event)
    if named is not None:
        return [(named, True)]
    found = {shipment_in(identify(epc)) for epc in event.epc_list} or {shipment_in(None)}
    return sorted(found, key=lambda belongs: (belongs[0] or "", belongs[1]))


def transactions(event: EpcisEvent, kind: str) -> list[str]:
    """The numbers of the event's business documents of a kind, each once, in their order."""
    told = (document_number(one.biz_transaction) for one in event.biz_transaction_list if one.type == kind)
    return list(dict.fromkeys(number for number in told if number))


def document_number(uri: str) -> str | None:
    """A document's number as people know it: without the URI around it. None where it can be no name.

    `urn:epcglobal:cbv:bt:GLN:NUMBER` (CBV 2.0, section 8.5.2) and `https://example.com/po/NUMBER` give NUMBER, a GDTI
    its key and serial. Whoever sends orders and shipments by other ways names them so, and they have to meet.
    """
    if found := _CBV_TRANSACTION.fullmatch(uri):
        return name_of(unquote(found[1]))
    known = identify(uri)
    if known.key:
        return name_of(known.key + (known.serial or ""))
    if uri.startswith(("http://", "https://")):
        with contextlib.suppress(ValueError):  # `http://[` is a name like any other
            return name_of(unquote(urlsplit(uri).path.rstrip("/").rpartition("/")[2]) or uri)
    return name_of(uri)


def references(event: EpcisEvent, shipment_id: str | None = None, through: Identified | None = None) -> dict[str, str]:
    """What else the event belongs to: order, shipment, container, documents."""
    found = _shared(_Itself(event)).references | {"shipment_id": shipment_id}
    if through is not None and through.kind == "sscc":
        found["sscc"] = through.key
    return {name: value for name, value in found.items() if value}


def occurred_at(event: EpcisEvent) -> tuple[str, str]:
    """When it happened, on the clock on the wall there, and what is wrong with the offset (mostly nothing).

    eventTime may be written in UTC and eventTimeZoneOffset tells the local clock: then the instant is told in that. An
    eventTime with another offset of its own contradicts it: the instant as it was said counts.
    """
    moment, told = event.event_time, event.event_time_zone_offset
    sign = -1 if told[0] == "-" else 1
    local = timedelta(hours=int(told[1:3]), minutes=int(told[4:6])) * sign
    own = moment.utcoffset() or timedelta(0)
    if own == local:
        return _text(moment), ""
    if not own:
        with contextlib.suppress(OverflowError):  # at the end of the year 9999
            return _text(moment.astimezone(timezone(local))), ""
        return _text(moment), ""
    return _text(moment), f"eventTimeZoneOffset {told} is not the offset of eventTime {_text(moment)}"


def name_of(text: str) -> str | None:
    """The text as a name that may be part of a key; None where it cannot be one."""
    return text if _NAME.fullmatch(text) else None


def unknown_step(event: EpcisEvent) -> str:
    """The step for people."""
    return f"bizStep {event.biz_step}" if event.biz_step else "no bizStep"


def _site(found: Identified) -> Site | None:
    name = name_of(found.key if found.kind in {"gln", "party"} else found.said)
    if name is None:
        return None
    attributes = {}
    if found.extension:
        attributes["location_extension"] = found.extension
    if found.is_wrong:
        attributes["finding.gln_check_digit"] = found.said[:_LONGEST_TEXT]
    elif found.kind not in {"gln", "party"}:
        attributes["finding.gln_form"] = found.said[:_LONGEST_TEXT]
    return Site(name, attributes)


def _attributes(telling: Telling) -> dict[str, str]:
    return {"epcis_event_id": telling.key.event_id[:_LONGEST_TEXT]} | _shared(_Itself(telling.event)).attributes


class _Itself:
    """An event by what it is and not by what it says: to compare two of them would be to read them."""

    __slots__ = ("event",)

    def __init__(self, event: EpcisEvent) -> None:
        self.event: Final = event

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and other.event is self.event

    def __hash__(self) -> int:
        return id(self.event)


class _Shared(NamedTuple):
    """What all that follows from one event has in common; found once, since thousands of drafts may follow."""

    references: dict[str, str | None]
    attributes: dict[str, str]


@lru_cache(maxsize=256)
def _shared(itself: _Itself) -> _Shared:
    event = itself.event
    orders = transactions(event, "po")
    things = [identify(epc) for epc in event.epc_list] if isinstance(event, ObjectEvent | TransactionEvent) else []
    codes = {thing.key for thing in things if thing.kind == "sscc"}
    boxes = {thing.key for thing in things if thing.kind == "container"}
    told = {
        "order_id": orders[0] if len(orders) == 1 else None,
        "asn": _first(transactions(event, "desadv")),
        "bill_of_lading": _first(transactions(event, "bol")),
        "invoice": _first(transactions(event, "inv")),
        "sscc": codes.pop() if len(codes) == 1 else None,
        "container": boxes.pop() if len(boxes) == 1 else None,
    }
    said = {
        "biz_step": event.biz_step,
        "disposition": event.disposition,
        "read_point": event.read_point.id if event.read_point else None,
        "biz_transactions": ", ".join(f"{one.type or '?'} {one.biz_transaction}" for one in event.biz_transaction_list),
    }
    return _Shared(told, {name: value[:_LONGEST_TEXT] for name, value in said.items() if value})


def _first(values: list[str]) -> str | None:
    return values[0] if values else None


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


_LONGEST_TEXT: Final = 2_000
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f|>]{1,200}")
_CBV_TRANSACTION: Final = re.compile(r"urn:epcglobal:cbv:bt:[^:]*:(.+)")
