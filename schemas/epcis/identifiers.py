"""What an EPCIS identifier says: EPC URNs and GS1 Digital Links to GTIN, lot, serial, SSCC, GLN and the like.

Sources: GS1 EPC Tag Data Standard 1.13, section 6 (EPC URIs) and 8 (classes and patterns); GS1 Digital Link: URI
Syntax 1.2, sections 4.3 (keys and qualifiers) and 4.11 (canonical form); GS1 General Specifications 7.9 (check
digits). A URN has no check digit, so it is computed; a Digital Link has one, and where it is wrong that is told. An
identifier of which nothing can be told (a user's own URI) keeps its text and has no key: never a reason to lose the
event.
"""

import re
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

CANONICAL: Final = "https://id.gs1.org"


class Identified(NamedTuple):
    """An identifier, read. `canonical` is the same for every way of writing it.

    `kind`: gtin (an instance where it has a `serial`, else a class), sscc, gln, party, grai, giai, gdti, container,
    other (a GS1 key that we need not know more about) or unknown. `key`: with check digit; a GTIN has 14 digits.
    `is_wrong`: a check digit that does not check.
    """

    said: str
    kind: str
    key: str
    canonical: str
    lot: str | None = None
    serial: str | None = None
    extension: str | None = None
    is_wrong: bool = False

    @property
    def is_class(self) -> bool:
        """Whether it names a class of goods and not one thing."""
        return self.kind == "gtin" and self.serial is None


@lru_cache(maxsize=65_536)
def identify(text: str) -> Identified:
    """What this identifier says: an EPC URN, a GS1 Digital Link of any domain, or something that is neither."""
    said = text.strip()
    if said.startswith("urn:epc:"):
        return _urn(said) or _unknown(said)
    if said.startswith(("http://", "https://")):
        return _digital_link(said) or _unknown(said)
    return _unknown(said)


def check_digit(digits: str) -> str:
    """The GS1 check digit of these digits (mod 10, weights 3 and 1 from the right)."""
    total = sum(int(digit) * (1 if place % 2 else 3) for place, digit in enumerate(reversed(digits)))
    return str(-total % 10)


def _unknown(said: str) -> Identified:
    return Identified(said, "unknown", "", said)


def _urn(said: str) -> Identified | None:
    """`urn:epc:id:SCHEME:...`, `urn:epc:class:lgtin:...` or `urn:epc:idpat:SCHEME:....*`."""
    parts = said.split(":", 4)
    if len(parts) != _URN_PARTS:
        return None
    _, _, form, scheme, body = parts
    if form == "idpat":
        if not body.endswith(".*") or scheme not in _PATTERNS:
            return None
        return _read(said, scheme, body.removesuffix(".*").split("."), is_pattern=True)
    if (form, scheme) == ("class", "lgtin") or (form == "id" and scheme != "lgtin"):
        return _read(said, scheme, body.split("."), is_pattern=False)
    return None


def _read(  # noqa: PLR0911  # one return for each form that is none
    said: str, scheme: str, parts: list[str], *, is_pattern: bool
) -> Identified | None:
    if scheme == "bic":
        return Identified(said, "container", parts[0], said) if len(parts) == 1 and parts[0] else None
    if scheme in _OPEN:
        return _open_ended(said, scheme, parts, is_pattern=is_pattern)
    shape = _SHAPES.get(scheme)
    if shape is None or len(parts) < _PREFIX_AND_REFERENCE:
        return None
    prefix, reference = parts[0], parts[1]
    # A serial may hold dots, an item reference may be empty (a GLN of a 12-digit prefix).
    rest = parts[2:] if scheme == "itip" else [".".join(parts[2:])] if len(parts) > _PREFIX_AND_REFERENCE else []
    digits = reference[:1] + prefix + reference[1:] if shape.indicator_first else prefix + reference
    if len(digits) != shape.digits or not _is_digits(digits) or not _MIN_PREFIX <= len(prefix) <= _MAX_PREFIX:
        return None
    key = shape.lead + digits
    key += check_digit(key)
    if not rest or not all(rest):
        return _of(said, shape.ai, key) if is_pattern or scheme in _WITHOUT_SERIAL else None
    if scheme in _WITHOUT_SERIAL:
        return None
    if scheme == "itip":
        return _trade_item_piece(said, key, rest, is_pattern=is_pattern)
    return _of(said, shape.ai, key, shape.qualifier, rest[0])


def _trade_item_piece(said: str, key: str, rest: list[str], *, is_pattern: bool) -> Identified | None:
    if len(rest) < _PIECE_AND_TOTAL or (len(rest) == _PIECE_AND_TOTAL) != is_pattern:
        return None
    serial = ".".join(rest[2:]) or None
    return _of(said, "8006", key + rest[0] + rest[1], "21", serial)


def _open_ended(said: str, scheme: str, parts: list[str], *, is_pattern: bool) -> Identified | None:
    """Schemes whose reference is no run of digits: GIAI, GINC, CPI."""
    if len(parts) < _PREFIX_AND_REFERENCE or not _is_digits(parts[0]) or not parts[1]:
        return None
    if scheme == "cpi":
        if len(parts) == _PREFIX_AND_REFERENCE:
            return _of(said, "8010", parts[0] + parts[1]) if is_pattern else None
        return _of(said, "8010", parts[0] + parts[1], "8011", parts[2])
    return _of(said, _OPEN[scheme], parts[0] + ".".join(parts[1:]))


def _of(said: str, ai: str, key: str, qualifier: str = "", value: str | None = None) -> Identified:
    """The identifier with this key; `value` (as a URN writes it) is a serial, a lot or an extension."""
    if ai == "414" and value == "0":
        value = None
    plain = unquote(value) if value else None
    if ai in _SERIAL_INSIDE:
        canonical = f"{CANONICAL}/{ai}/{key}{_encoded(value or '')}"
    else:
        canonical = f"{CANONICAL}/{ai}/{_encoded(key)}" + (f"/{qualifier}/{_encoded(value)}" if value else "")
    return Identified(
        said,
        _KINDS.get(ai, "other"),
        key,
        canonical,
        lot=plain if qualifier == "10" else None,
        serial=plain if qualifier not in {"10", "254"} else None,
        extension=plain if qualifier == "254" else None,
    )


def _digital_link(said: str) -> Identified | None:
    """The key in a link's path, of whichever domain and behind whatever path; the query is passed over."""
    try:
        segments = urlsplit(said).path.split("/")[1:]
    except ValueError:  # as of `http://[`
        return None
    for place in range(len(segments) - 1):
        ai, value = _CONVENIENT.get(segments[place], segments[place]), segments[place + 1]
        form = _KEYS.get(ai)
        if form is not None and form.fullmatch(value):
            named = segments[place + 2 :]
            qualifiers = {
                _CONVENIENT.get(name, name): told for name, told in zip(named[::2], named[1::2], strict=False)
            }
            return _linked(said, ai, value, qualifiers)
    return None


def _linked(said: str, ai: str, value: str, qualifiers: dict[str, str]) -> Identified:
    if ai == "01":
        value = value.zfill(14)
    fixed = _CHECKED.get(ai)
    wrong = fixed is not None and check_digit(value[: fixed - 1]) != value[fixed - 1]
    key, inside = (value[:fixed], value[fixed:]) if fixed is not None and ai in _SERIAL_INSIDE else (value, "")
    qualifier = next((name for name in _FINEST.get(ai, ()) if qualifiers.get(name)), "")
    found = _of(said, ai, key, qualifier or "21", (qualifiers.get(qualifier) if qualifier else inside) or None)
    lot = qualifiers.get("10")
    return found._replace(is_wrong=wrong, lot=unquote(lot) if ai == "01" and lot else found.lot)


def _encoded(value: str) -> str:
    """Percent-encode what GS1 Digital Link 1.2, table 7-1, asks for; a URN has encoded the rest already."""
    return value.translate(_ENCODED)


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


class _Shape(NamedTuple):
    """How a scheme writes its key: so many digits (without check digit), and the qualifier of what follows."""

    ai: str
    digits: int
    qualifier: str = ""
    indicator_first: bool = False
    lead: str = ""


_URN_PARTS: Final = 5
_PREFIX_AND_REFERENCE: Final = 2
_PIECE_AND_TOTAL: Final = 2
_MIN_PREFIX: Final = 6
_MAX_PREFIX: Final = 12
_SHAPES: Final = {
    "sgtin": _Shape("01", 13, "21", indicator_first=True),
    "lgtin": _Shape("01", 13, "10", indicator_first=True),
    "upui": _Shape("01", 13, "235", indicator_first=True),
    "itip": _Shape("8006", 13, "21", indicator_first=True),
    "sscc": _Shape("00", 17, indicator_first=True),
    "sgln": _Shape("414", 12, "254"),
    "pgln": _Shape("417", 12),
    "grai": _Shape("8003", 12, "21", lead="0"),
    "gdti": _Shape("253", 12, "21"),
    "sgcn": _Shape("255", 12, "21"),
    "gsrn": _Shape("8018", 17),
    "gsrnp": _Shape("8017", 17),
    "gsin": _Shape("402", 16),
}
_OPEN: Final = {"giai": "8004", "ginc": "401", "cpi": "8010"}
_PATTERNS: Final = frozenset({"sgtin", "grai", "gdti", "sgcn", "cpi", "itip", "upui"})
_WITHOUT_SERIAL: Final = frozenset({"sscc", "pgln", "gsrn", "gsrnp", "gsin"})
_SERIAL_INSIDE: Final = frozenset({"8003", "253", "255"})
"""Application identifiers whose serial is part of the same value."""

_KINDS: Final = {
    "00": "sscc",
    "01": "gtin",
    "8006": "other",
    "414": "gln",
    "417": "party",
    "253": "gdti",
    "8003": "grai",
    "8004": "giai",
}
_KEYS: Final = {
    ai: re.compile(form)
    for ai, form in {
        "00": "[0-9]{18}",
        "01": "[0-9]{8}|[0-9]{12,14}",
        "253": "[0-9]{13}.{0,17}",
        "255": "[0-9]{13,25}",
        "401": "[^/]{1,30}",
        "402": "[0-9]{17}",
        "414": "[0-9]{13}",
        "417": "[0-9]{13}",
        "8003": "[0-9]{14}.{0,16}",
        "8004": "[^/]{4,30}",
        "8006": "[0-9]{18}",
        "8010": "[^/]{4,30}",
        "8017": "[0-9]{18}",
        "8018": "[0-9]{18}",
    }.items()
}
_CHECKED: Final = {
    "00": 18,
    "01": 14,
    "253": 13,
    "255": 13,
    "402": 17,
    "414": 13,
    "417": 13,
    "8003": 14,
    "8006": 14,
    "8017": 18,
    "8018": 18,
}
"""Where the check digit stands, counted from 1."""

_FINEST: Final = {"01": ("21", "235", "10"), "414": ("254",), "8006": ("21", "10"), "8010": ("8011",)}
"""The qualifiers that make a key finer, the finest first."""

_CONVENIENT: Final = {
    "gtin": "01",
    "sscc": "00",
    "gln": "414",
    "lot": "10",
    "ser": "21",
    "glnx": "254",
    "grai": "8003",
    "giai": "8004",
    "gdti": "253",
}
"""The words that earlier Digital Links had for application identifiers."""

_ENCODED: Final = str.maketrans({"!": "%21", "(": "%28", ")": "%29", "*": "%2A", "+": "%2B", ",": "%2C", ":": "%3A"})
