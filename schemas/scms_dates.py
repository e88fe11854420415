"""Dates as the SCMS delivery history writes them, and the words that stand in its date columns.

The file has days only and no time zone. Columns of the ordering process write `8/27/2014` (month first),
columns of the delivery `4-Aug-09`; both forms, four-digit years and ISO dates are read in every column.
A two-digit year means 20yy: the programme ran from 2005 to 2016.
"""

import re
from datetime import date
from functools import lru_cache
from typing import Final, NamedTuple

_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}
_NAMED: Final = re.compile(r"([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4}|[0-9]{2})")
_US: Final = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4}|[0-9]{2})")
_ISO: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")

WORDS: Final = {
    "Date Not Captured": "date_not_captured",
    "Pre-PQ Process": "pre_pq_process",
    "N/A - From RDC": "order_date_from_rdc",
    "": "date_missing",
}
"""What stands in date columns instead of a date, and the odd kind it is reported as."""


class Told(NamedTuple):
    """What a date cell tells: a day, or the odd kind of a cell that tells none."""

    day: date | None
    odd: str | None


@lru_cache(maxsize=8_192)
def read_date(cell: str) -> Told:
    """The day in a date cell, or why there is none (`date_unreadable` for what nobody expects there)."""
    word = WORDS.get(cell)
    if word is not None:
        return Told(None, word)
    if match := _NAMED.fullmatch(cell):
        day, month, year = match[1], _MONTHS.get(match[2].lower(), 0), match[3]
    elif match := _US.fullmatch(cell):
        day, month, year = match[2], int(match[1]), match[3]
    elif match := _ISO.fullmatch(cell):
        day, month, year = match[3], int(match[2]), match[1]
    else:
        return Told(None, "date_unreadable")
    try:
        return Told(date(int(year) + (2000 if len(year) == len("yy") else 0), month, int(day)), None)
    except ValueError:
        return Told(None, "date_unreadable")


def instant(day: date) -> str:
    """The start of the day in UTC, as RFC 3339 text; the zone is assumed, since the file names none."""
    return f"{day.isoformat()}T00:00:00Z"
