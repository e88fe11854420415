"""What has to hold of the values of an event, beyond their types: asked of one event, or of many at once.

Asked of many, each rule is asked once per different text, and of the greatest and the least number: that is a
third of the price.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact, InvalidOperation
from functools import cache, cached_property, lru_cache
from itertools import chain
from math import ceil, floor
from operator import attrgetter
from typing import Any, Final

from annotated_types import Ge, Gt, Le, Lt


class Texts:
    """Whether texts have a form; None has any."""

    def __init__(self, pattern: str) -> None:
        matches = re.compile(closed(pattern)).match

        @lru_cache(maxsize=_REMEMBERED)
        def fits(text: str | None) -> bool:
            return text is None or matches(text) is not None

        self.fits: Callable[[Any], bool] = fits

    def all_fit(self, texts: Iterable[Any]) -> bool:
        """Whether all of them have it."""
        return all(map(self.fits, {*texts}))


texts: Final = cache(Texts)


@dataclass(frozen=True)
class Numbers:
    """Whether numbers are within limits and no finer than they may be; None is. May raise ArithmeticError if not.

    Open limits become closed ones: the next value that has so many decimals.
    """

    least: Decimal
    most: Decimal
    step: Decimal

    @classmethod
    def within(cls, constraints: Iterable[Any]) -> "Numbers":
        """What the constraints of a field allow."""
        places = next((one.decimal_places for one in constraints if getattr(one, "decimal_places", None)), 0)
        step = Decimal(1).scaleb(-places)
        # pydantic reads a number (not one in quotes) as a float, whose first 15 digits are what was written.
        most = Decimal(10) ** (_FLOAT_DIGITS - places) - step
        least = -most
        for one in constraints:
            if isinstance(one, Ge | Gt):
                least = max(least, Decimal(str(one.ge)) if isinstance(one, Ge) else Decimal(str(one.gt)) + step)
            elif isinstance(one, Le | Lt):
                most = min(most, Decimal(str(one.le)) if isinstance(one, Le) else Decimal(str(one.lt)) - step)
        return cls(least, most, step)

    @cached_property
    def fits(self) -> Callable[[Any], bool]:
        """The test of one number."""
        least, most, step = self.least, self.most, self.step
        whole = range(ceil(least), floor(most) + 1)

        def fits(value: int | Decimal | None) -> bool:
            if type(value) is Decimal:
                return least <= _rounded(value, step) <= most
            return value is None or value in whole

        return fits

    def all_fit(self, numbers: Iterable[Any]) -> bool:
        """Whether all of them are and are not."""
        several = [*numbers]
        exact: list[Any] = [_rounded(value, self.step) for value in several if type(value) is Decimal]
        exact += {value for value in several if type(value) is int}
        return not exact or self.least <= min(exact) <= max(exact) <= self.most


_rounded: Final = Context(traps=[Inexact, InvalidOperation]).quantize
Check = Texts | Numbers


class Rules:
    """What has to hold of the values of a struct, and of its parts, that msgspec does not see to."""

    def __init__(self, checks: tuple[tuple[str, Check], ...], parts: "tuple[tuple[str, Rules], ...]") -> None:
        self._columns = [(attrgetter(name), check) for name, check in checks]
        self._parts = [(attrgetter(name), rules) for name, rules in parts]

    def all_hold(self, said: Sequence[Any]) -> bool:
        """Whether they hold of all of these. May raise ArithmeticError if not."""
        if not all(check.all_fit(map(value, said)) for value, check in self._columns):
            return False
        return all(rules.all_hold([*chain.from_iterable(map(parts, said))]) for parts, rules in self._parts)


rules_of: Final = cache(Rules)
"""The same ones for the same checks: several types of event share them."""

NONE: Final = rules_of((), ())

_FLOAT_DIGITS: Final = 15
_REMEMBERED: Final = 16_384
"""Of so many texts per pattern it is remembered whether they have its form."""


def closed(pattern: str) -> str:
    """The pattern as Python reads it as pydantic does: `$` is the end, not a line's."""
    return pattern.removesuffix("$") + r"\Z"
