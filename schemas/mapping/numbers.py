"""Numbers as people write them: with a decimal comma, groups of thousands, a unit behind them, a minus at the end."""

import re
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Final

_BLANKS: Final = "[ \u00a0\u2009\u202f]"
_APOSTROPHES: Final = "['\u2019]"
_MOST_DIGITS: Final = 60


def read_number(text: str, decimal: str, thousands: str, strip: Sequence[str] = ()) -> Decimal | None:
    """The number, exactly; None where the text is none.

    `thousands`: what stands between groups of three digits (empty: nothing may; groups may be left out, but where one
    is written all are). `strip`: texts that may stand before or behind (units, signs of currencies).
    """
    for part in strip:
        text = text.removeprefix(part).removesuffix(part).strip()
    found = None if len(text) > _MOST_DIGITS else _form(decimal, thousands).fullmatch(text.replace("\u2212", "-"))
    if found is None or (found["sign"] and found["behind"]):
        return None
    sign = "-" if found["sign"] == "-" or found["behind"] else ""
    whole = re.sub(r"[^0-9]", "", found["whole"])
    return Decimal(f"{sign}{whole}.{found['fraction'] or '0'}").normalize() + 0


@lru_cache(maxsize=64)
def _form(decimal: str, thousands: str) -> re.Pattern[str]:
    groups = ""
    if thousands:
        mark = _BLANKS if thousands == " " else _APOSTROPHES if thousands == "'" else re.escape(thousands)
        groups = f"[0-9]{{1,3}}(?:{mark}[0-9]{{3}})+|"
    return re.compile(
        rf"(?P<sign>[+-]?)(?P<whole>{groups}[0-9]+)(?:{re.escape(decimal)}(?P<fraction>[0-9]+))?(?P<behind>-?)",
        re.ASCII,
    )
