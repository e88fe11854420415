"""Quantities as integers: thousandths of the unit, exact in both directions."""

from decimal import Decimal
from typing import Annotated, Final

from pydantic import Field

THOUSANDTHS: Final = 1_000
_THOUSANDTHS: Final = Decimal(1_000)
_MICROS: Final = Decimal(1_000_000)

Quantity = Annotated[Decimal, Field(ge=0, lt=10**12, decimal_places=3)]
"""Zero or more, at most three decimals, below 10^12 (so that thousandths fit a signed 64-bit integer)."""

SignedQuantity = Annotated[Decimal, Field(gt=-(10**12), lt=10**12, decimal_places=3)]
"""Like Quantity, of either sign."""

Money = Annotated[Decimal, Field(ge=0, lt=10**12, decimal_places=6)]
"""An amount of money per unit, at most six decimals."""

Reading = Annotated[Decimal, Field(gt=-(10**9), lt=10**9, decimal_places=3)]
"""A sensor reading, at most three decimals."""


def thousandths(quantity: Decimal | int) -> int:
    """The quantity in thousandths of its unit; exact, since at most three decimals are accepted."""
    return quantity * THOUSANDTHS if type(quantity) is int else int(quantity * _THOUSANDTHS)


def shown(quantity: int) -> str:
    """A quantity in thousandths as a person writes it: `-1234567.5`, `12`."""
    return f"{Decimal(quantity) / THOUSANDTHS:f}"


def micros(amount: Decimal | int) -> int:
    """The amount in millionths; exact for Money, degrees and the like (at most six decimals)."""
    return int(amount * _MICROS)
