"""Instants as integers: milliseconds since 1970-01-01T00:00:00Z, and the offset they were said in."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from operator import attrgetter, sub
from time import time_ns
from typing import Final

SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60 * SECOND_MS
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE: Final = timedelta(minutes=1)

_ZONES: Final = 2 * 24 * 60

_FIRST_MS: Final = -62_135_596_800_000
_LAST_MS: Final = 253_402_300_799_999


def to_ms(moment: datetime) -> int:
    """Milliseconds since the epoch of an aware datetime; finer parts are dropped (rounded down)."""
    # Python subtracts three times faster where both have the same tzinfo object, as decoded times do.
    since = moment - _EPOCH_IN[moment.tzinfo]
    return since.days * DAY_MS + since.seconds * SECOND_MS + since.microseconds // 1_000


def all_ms(moments: Iterable[datetime]) -> list[int]:
    """What `to_ms` says of each, without the price of calling it."""
    several = [*moments]
    spans = map(sub, several, map(_EPOCH_IN.__getitem__, map(_zone, several)))
    return [span.days * DAY_MS + span.seconds * SECOND_MS + span.microseconds // 1_000 for span in spans]


_zone: Final = attrgetter("tzinfo")


class _EpochIn(dict[tzinfo | None, datetime]):
    """The epoch in each of the zones that have been seen."""

    def __missing__(self, zone: tzinfo | None) -> datetime:
        """In UTC where the zone's offset is not a fixed one, or too many zones have been seen."""
        if type(zone) is not timezone or len(self) >= _ZONES:
            return _EPOCH
        return self.setdefault(zone, _EPOCH.astimezone(zone))


_EPOCH_IN: Final = _EpochIn()


def from_ms(milliseconds: int) -> datetime:
    """The UTC datetime of so many milliseconds since the epoch."""
    return _EPOCH + timedelta(milliseconds=milliseconds)


def wall_clock() -> int:
    """The time now, in ms since the epoch."""
    return time_ns() // 1_000_000


def offset_minutes(moment: datetime) -> int:
    """The UTC offset that the moment was said in, in minutes east of Greenwich."""
    offset = moment.utcoffset()
    return 0 if offset is None else offset // _MINUTE


def rfc3339(milliseconds: int) -> str:
    """The instant as RFC 3339 text in UTC with milliseconds: `2026-11-22T10:34:00.000Z`.

    An instant outside the years 1 to 9999 (said with an offset at their edge) is told in ms.
    """
    if not _FIRST_MS <= milliseconds <= _LAST_MS:
        return f"{milliseconds} ms"
    return from_ms(milliseconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def minute(milliseconds: int) -> str:
    """The instant for people, in UTC and to the minute (rounded down): `2026-11-22 10:34`."""
    if not _FIRST_MS <= milliseconds <= _LAST_MS:
        return f"{milliseconds} ms"
    return from_ms(milliseconds).isoformat(" ", "minutes").removesuffix("+00:00")


def due_ms(promised: int, *, day_precision: bool) -> int:
    """The last instant at which a promise is still kept.

    A promise of a day is kept until that day's end, so a delivery is late when its instant is greater
    than what this returns. `promised` is in ms; for day precision it is the start of the day as said.
    """
    return promised + DAY_MS - 1 if day_precision else promised
