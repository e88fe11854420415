"""Instants as integers: exact for every offset and zone, and as people read them."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.times import DAY_MS, HOUR_MS, from_ms, minute, to_ms

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
offsets = st.integers(-1_439, 1_439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
zones = st.sampled_from(("Europe/Berlin", "America/St_Johns", "Asia/Kathmandu")).map(ZoneInfo)


@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=offsets | zones | st.just(UTC)))  # noqa: DTZ001  # the zone is drawn beside
def test_an_instant_is_the_same_number_in_whatever_zone_it_is_said(moment: datetime) -> None:
    in_ms = (moment.astimezone(UTC) - EPOCH) // timedelta(milliseconds=1)
    assert to_ms(moment) == in_ms
    assert to_ms(moment.astimezone(UTC)) == in_ms
    # In UTC: in an hour that comes twice, datetimes of two zones never compare as equal.
    assert from_ms(in_ms) == moment.replace(microsecond=moment.microsecond // 1_000 * 1_000).astimezone(UTC)


def test_a_zone_with_summer_time_counts_each_day_by_its_own_offset() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    spring = [to_ms(datetime(2026, 3, day, tzinfo=berlin)) for day in (28, 29, 30)]
    assert [later - earlier for earlier, later in pairwise(spring)] == [DAY_MS, DAY_MS - HOUR_MS]


@pytest.mark.parametrize(
    ("instant", "shown"),
    [(0, "1970-01-01 00:00"), (59_999, "1970-01-01 00:00"), (-1, "1969-12-31 23:59"), (10**18, f"{10**18} ms")],
)
def test_people_read_instants_to_the_minute(instant: int, shown: str) -> None:
    assert minute(instant) == shown
