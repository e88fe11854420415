"""Numbers that stand on the goods, with right check digits: GTIN, SSCC and container numbers.

Sources: GS1 General Specifications, section 7.9 (mod 10); ISO 6346, annex A. The prefix 952 is GS1's own for
demonstrations, so no number here belongs to anybody.
"""

from typing import Final

_OWNER: Final = "QYDU"
_LETTERS: Final = dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", (value for value in range(10, 39) if value % 11), strict=True))


def gtin(digits: str) -> str:
    """The GTIN-13 whose first twelve digits these are."""
    return digits + _mod10(digits)


def sscc(serial: int) -> str:
    """The SSCC of the nth logistic unit."""
    digits = f"3952000{serial % 10**10:010d}"
    return digits + _mod10(digits)


def container(serial: int) -> str:
    """The ISO 6346 number of the nth container; a million containers are used in turn."""
    number = f"{_OWNER}{serial % 10**6:06d}"
    total = sum((_LETTERS.get(sign) or int(sign)) << place for place, sign in enumerate(number))
    return number + str(total % 11 % 10)


def misprinted(number: str) -> str:
    """The number with a wrong check digit."""
    return number[:-1] + str((int(number[-1]) + 1) % 10)


def _mod10(digits: str) -> str:
    total = sum(int(digit) * (1 if place % 2 else 3) for place, digit in enumerate(reversed(digits)))
    return str(-total % 10)
