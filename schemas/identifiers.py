"""Standard identifiers: check digits and forms, and the findings of an event whose identifiers do not check.

Sources: GS1 General Specifications, section 7.9 (mod 10: GTIN, GLN, SSCC); ISO 6346 (freight containers);
UN/ECE Recommendation 16 (UN/LOCODE). A bad identifier is a data-quality finding against the event's source,
never a reason to lose the event.
"""

import re
from functools import lru_cache
from typing import Any, Final, Literal

from schemas.event import Event

Finding = Literal[
    "gtin_check_digit",
    "sscc_form",
    "sscc_check_digit",
    "container_check_digit",
    "gln_check_digit",
    "gln_form",
    "zone_contradicted",
]
"""What can be wrong with an identifier. The names are stable: they are stored with the event."""

TOLD: Final[tuple[tuple[Finding, str], ...]] = (
    ("gln_check_digit", "finding.gln_check_digit"),
    ("gln_form", "finding.gln_form"),
    ("zone_contradicted", "finding.zone_contradicted"),
)
"""What an adapter found in the original that our event cannot show any more, and the attribute that tells so."""

GTIN_LENGTHS: Final = (8, 12, 13, 14)
GLN_LENGTH: Final = 13
SSCC_LENGTH: Final = 18


def is_gtin(text: str) -> bool:
    """Whether this is a GTIN (8, 12, 13 or 14 digits) with the right check digit."""
    return len(text) in GTIN_LENGTHS and _mod10(text)


def is_gln(text: str) -> bool:
    """Whether this is a Global Location Number (13 digits) with the right check digit."""
    return len(text) == GLN_LENGTH and _mod10(text)


def is_sscc(text: str) -> bool:
    """Whether this is a Serial Shipping Container Code (18 digits) with the right check digit."""
    return len(text) == SSCC_LENGTH and _mod10(text)


def is_container(text: str) -> bool:
    """Whether this is a container number of ISO 6346 with the right check digit.

    Spaces and hyphens, as people print them (`CSQU 305438-3`), are passed over.
    """
    number = _PRINTED.sub("", text)
    return _CONTAINER.fullmatch(number) is not None and _iso6346(number)


def is_unlocode(text: str) -> bool:
    """Whether this has the form of a UN/LOCODE: two letters of country, three of place (or digits 2-9).

    Only the form is checked, not whether the place is on the list; the space that is printed between
    country and place is allowed.
    """
    return _UNLOCODE.fullmatch(text) is not None


def findings(event: Event) -> tuple[Finding, ...]:
    """What is wrong with the identifiers of an event, where they claim to be standard; mostly nothing.

    An item claims to be a GTIN when it is all digits, `references.sscc` claims to be an SSCC, and
    `references.container` a container number when it has four letters and seven digits. What an adapter found stands
    in an attribute (`TOLD`). Each finding is named once, in the order of `Finding`.
    """
    kind = type(event)
    has_item, has_lines = _SAYS.get(kind) or _says(kind, event)
    said: Any = event
    references = event.references
    sscc, container = references.sscc, references.container
    bad: Finding | None
    found: list[Finding] = []
    bad_item = has_item and said.item and _bad_gtin(said.item)
    if bad_item or (has_lines and any(_bad_gtin(line.item) for line in said.lines if line.item)):
        found.append("gtin_check_digit")
    if sscc is not None and (bad := _bad_sscc(sscc)):
        found.append(bad)
    if container is not None and _bad_container(container):
        found.append("container_check_digit")
    attributes = event.attributes
    if attributes:
        found += [finding for finding, attribute in TOLD if attribute in attributes]
    return tuple(found)


_SAYS: Final[dict[type, tuple[bool, bool]]] = {}
"""Of each type of event whether it has an item, and whether it has lines: asking each event costs most of it."""

_REMEMBERED: Final = 65_536
"""Of so many identifiers of each kind it is remembered whether they check."""


def _says(kind: type, event: Event) -> tuple[bool, bool]:
    return _SAYS.setdefault(kind, (hasattr(event, "item"), hasattr(event, "lines")))


@lru_cache(maxsize=_REMEMBERED)
def _bad_sscc(sscc: str) -> Finding | None:
    if is_sscc(sscc):
        return None
    return "sscc_check_digit" if _digits(sscc, SSCC_LENGTH) else "sscc_form"


@lru_cache(maxsize=_REMEMBERED)
def _bad_container(container: str) -> bool:
    return _looks_like_container(container) and not is_container(container)


@lru_cache(maxsize=_REMEMBERED)
def _bad_gtin(item: str) -> bool:
    return ":" not in item and not is_gtin(item)


def _digits(text: str, length: int) -> bool:
    return len(text) == length and text.isascii() and text.isdigit()


def _mod10(text: str) -> bool:
    """Weights 3 and 1 from the right, beginning with 1 for the check digit: the sum is a multiple of 10."""
    if not (text.isascii() and text.isdigit()):
        return False
    return sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(reversed(text))) % 10 == 0


def _looks_like_container(text: str) -> bool:
    return _CONTAINER.fullmatch(_PRINTED.sub("", text)) is not None


def _iso6346(number: str) -> bool:
    """The sum of value times 2^place, modulo 11, modulo 10, is the check digit (ISO 6346, annex A)."""
    total = sum(_VALUE[sign] << place for place, sign in enumerate(number[:-1]))
    return total % 11 % 10 == int(number[-1])


def _letter_values() -> dict[str, int]:
    """The letters count from 10 and skip the multiples of 11; digits count as themselves."""
    numbers = (value for value in range(10, 40) if value % 11)
    return {str(digit): digit for digit in range(10)} | dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", numbers, strict=False))


_VALUE: Final = _letter_values()
_PRINTED: Final = re.compile(r"[ -]")
_CONTAINER: Final = re.compile(r"[A-Z]{4}[0-9]{7}")
_UNLOCODE: Final = re.compile(r"[A-Z]{2} ?[A-Z2-9]{3}")
