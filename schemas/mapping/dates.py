"""Times as people write them, to RFC 3339: by formats that the mapping names, in the zone that it names.

Formats are Python's (`%d.%m.%Y %H:%M`, https://docs.python.org/3/library/datetime.html#format-codes), and `iso`,
`unix` and `unix_ms` (seconds and milliseconds since 1970).
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from decimal import Decimal
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from schemas.mapping.cells import Unreadable, plain
from schemas.times import from_ms
from schemas.wording import shown

ISO: Final = "iso"
UNIX: Final = {"unix": 1_000, "unix_ms": 1}
"""Numbers since 1970-01-01T00:00:00Z, and how many milliseconds one of them is."""

DIRECTIVES: Final = frozenset("dmyYbBHIMSfpzjaA%")
"""The format codes that may be used."""

_ISO: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}.*)?", re.ASCII)
_LAST_MS: Final = 253_402_300_799_999

Doubt = Literal["time_in_gap", "time_twice", "two_formats"]
"""Of a time that was read: the clocks went over that hour, or through it twice; or another format reads it else."""


class Moment(NamedTuple):
    """A time with its offset. `assumed`: the offset is the mapping's; `doubt`: what to tell people of it."""

    text: str
    assumed: bool
    doubt: Doubt | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Times:
    """How the times of a field are written.

    `zone`: of times without an offset (None: only days may have none). `at`: the time of day that a bare date means.
    `by_day`: only days are known; a time is then the start of its day.
    """

    formats: tuple[str, ...] = (ISO,)
    zone: tzinfo | None = None
    at: time | None = None
    by_day: bool = False

    def read(self, cell: str | Decimal | datetime) -> Moment:
        """The time in a cell. Raises Unreadable with a sentence."""
        if isinstance(cell, datetime):
            return self._placed(cell, has_time=cell.time() != time() or self.at is None, cell=cell)
        text = plain(cell) if isinstance(cell, Decimal) else cell
        readings = [(form, read) for form in self.formats if (read := _read(text, form)) is not None]
        if not readings:
            formats = " or ".join(self.formats)
            raise Unreadable(f"{shown(text)} is no date of the form {formats}")
        form, told = readings[0]
        moment = self._placed(told.replace(microsecond=told.microsecond), has_time=has_time(form, text), cell=text)
        for other_form, other in readings[1:]:
            if other != told or other.utcoffset() != told.utcoffset():
                why = f"{shown(text)} is {_day(told)} by {form} and {_day(other)} by {other_form}; the first counts"
                return moment._replace(doubt="two_formats", why=why)
        return moment

    def _placed(self, told: datetime, *, has_time: bool, cell: object) -> Moment:
        """In the zone; of days the start."""
        if self.by_day:
            told = datetime.combine(told, time(), told.tzinfo)
        elif not has_time:
            if self.at is None:
                raise Unreadable(f"{shown(cell)} has no time of day: say with `at` which is meant, or `precision: day`")
            told = datetime.combine(told, self.at, told.tzinfo)
        if told.tzinfo is not None:
            return Moment(_text(told), assumed=False)
        zone = UTC if self.zone is None and self.by_day else self.zone
        if zone is None:
            raise Unreadable(f"{shown(cell)} has no UTC offset: name the zone that it is in with `zone`")
        return self._in_zone(told, zone)

    def _in_zone(self, told: datetime, zone: tzinfo) -> Moment:
        try:
            first, second = told.replace(tzinfo=zone), told.replace(tzinfo=zone, fold=1)
            real = first.astimezone(UTC).astimezone(zone)
        except OverflowError:
            raise Unreadable(f"{told.isoformat()} is too far away for a time") from None
        if first.utcoffset() == second.utcoffset() or self.by_day:
            return Moment(_text(real), assumed=True)
        if real.replace(tzinfo=None) != told:
            why = (
                f"{told.isoformat(' ')} does not exist in {zone}, where the clocks went over it; {_text(real)} is taken"
            )
            return Moment(_text(real), assumed=True, doubt="time_in_gap", why=why)
        why = f"{told.isoformat(' ')} was there twice in {zone}; the earlier, {_text(real)}, is taken"
        return Moment(_text(real), assumed=True, doubt="time_twice", why=why)


def has_time(form: str, text: str = "") -> bool:
    """Whether a format (`iso`: this text in it) has a time of day."""
    if form in UNIX:
        return True
    return ":" in text if form == ISO else any(code in form for code in ("%H", "%I"))


def has_offset(form: str) -> bool:
    """Whether all that is written in this format says its offset."""
    return form in UNIX or "%z" in form


def unknown_codes(form: str) -> list[str]:
    """What of a format is no code that may be used; an empty list for one that is good."""
    if form == ISO or form in UNIX:
        return []
    codes = re.findall(r"%(.?)", form, re.DOTALL)
    return [f"%{code}" for code in codes if code not in DIRECTIVES or not code]


def names_a_day(form: str) -> bool:
    """Whether a format tells day, month and year."""
    if form == ISO or form in UNIX:
        return True
    year = any(code in form for code in ("%Y", "%y"))
    month = any(code in form for code in ("%m", "%b", "%B"))
    return year and (("%d" in form and month) or "%j" in form)


@lru_cache(maxsize=16_384)
def _read(text: str, form: str) -> datetime | None:
    try:
        if form in UNIX:
            milliseconds = Decimal(text) * UNIX[form] if re.fullmatch(r"[0-9]{1,20}(?:\.[0-9]{1,9})?", text) else None
            return None if milliseconds is None or milliseconds > _LAST_MS else from_ms(int(milliseconds))
        if form == ISO:
            return datetime.fromisoformat(text) if _ISO.fullmatch(text) else None
        return datetime.strptime(text, form)  # noqa: DTZ007  # the zone comes after
    except (ValueError, OverflowError):
        return None


def _text(moment: datetime) -> str:
    """RFC 3339; an offset with seconds, as zones had before 1900, is written as UTC."""
    offset = moment.utcoffset() or timedelta()
    if offset % timedelta(minutes=1):
        moment = moment.astimezone(UTC)
    text = moment.isoformat()
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


def _day(moment: datetime) -> str:
    return moment.isoformat(" ").removesuffix(" 00:00:00")
