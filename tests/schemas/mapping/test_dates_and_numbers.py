"""Times and numbers as people write them."""

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.mapping.cells import Unreadable
from schemas.mapping.dates import Moment, Times
from schemas.mapping.numbers import read_number

BERLIN = ZoneInfo("Europe/Berlin")
GERMAN = Times(("%d.%m.%Y %H:%M",), BERLIN)
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC")


def test_a_time_without_an_offset_is_in_the_zone_and_marked_as_assumed() -> None:
    assert GERMAN.read("01.03.2026 10:00") == Moment("2026-03-01T10:00:00+01:00", assumed=True)
    assert GERMAN.read("01.07.2026 10:00") == Moment("2026-07-01T10:00:00+02:00", assumed=True)


@pytest.mark.parametrize(
    ("form", "text", "told"),
    [
        ("iso", "2026-03-01T10:00:00Z", "2026-03-01T10:00:00Z"),
        ("iso", "2026-03-01 10:00:00.25-05:00", "2026-03-01T10:00:00.250000-05:00"),
        ("%Y%m%d%H%M%z", "202603011000+0530", "2026-03-01T10:00:00+05:30"),
        ("unix", "1772359200", "2026-03-01T10:00:00Z"),
        ("unix_ms", "1772359200250", "2026-03-01T10:00:00.250000Z"),
    ],
)
def test_a_time_with_an_offset_keeps_it(form: str, text: str, told: str) -> None:
    assert Times((form,), BERLIN).read(text) == Moment(told, assumed=False)


def test_a_time_that_the_clocks_went_over_is_taken_and_told() -> None:
    told = GERMAN.read("29.03.2026 02:30")
    assert (told.text, told.doubt) == ("2026-03-29T03:30:00+02:00", "time_in_gap")
    assert "does not exist in Europe/Berlin" in told.why


def test_of_a_time_that_was_there_twice_the_earlier_is_taken_and_told() -> None:
    told = GERMAN.read("25.10.2026 02:30")
    assert (told.text, told.doubt) == ("2026-10-25T02:30:00+02:00", "time_twice")
    assert "twice" in told.why


def test_formats_are_tried_in_order_and_what_two_read_differently_is_told() -> None:
    times = Times(("%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M"), ZoneInfo("UTC"))
    assert times.read("25/12/2026 08:00").doubt is None
    assert times.read("12/25/2026 08:00") == Moment("2026-12-25T08:00:00Z", assumed=True)
    told = times.read("03/04/2026 08:00")
    assert (told.text, told.doubt) == ("2026-04-03T08:00:00Z", "two_formats")
    assert "2026-03-04 08:00:00 by %m/%d/%Y" in told.why


def test_a_bare_date_is_the_time_of_day_that_is_named() -> None:
    assert Times(("%d.%m.%Y",), BERLIN, at=time(17)).read("02.03.2026").text == "2026-03-02T17:00:00+01:00"
    assert Times(zone=BERLIN, at=time(17)).read(datetime(2026, 3, 2)).text == "2026-03-02T17:00:00+01:00"  # noqa: DTZ001  # as Excel tells it
    assert Times(zone=BERLIN, at=time(17)).read(datetime(2026, 3, 2, 9)).text == "2026-03-02T09:00:00+01:00"  # noqa: DTZ001  # as above


def test_of_days_the_start_is_taken_and_utc_assumed_where_no_zone_is_named() -> None:
    assert Times(("%d.%m.%Y",), by_day=True).read("02.03.2026") == Moment("2026-03-02T00:00:00Z", assumed=True)
    assert Times(("%d.%m.%Y",), BERLIN, by_day=True).read("02.03.2026").text == "2026-03-02T00:00:00+01:00"


def test_a_day_that_begins_later_begins_where_the_clocks_say_so() -> None:
    """In Sao Paulo the clocks went from 0 to 1 that night."""
    told = Times(zone=ZoneInfo("America/Sao_Paulo"), by_day=True).read("2018-11-04")
    assert told == Moment("2018-11-04T01:00:00-02:00", assumed=True)


@pytest.mark.parametrize(
    ("times", "text", "words"),
    [
        (GERMAN, "2026-03-01", "is no date of the form %d.%m.%Y %H:%M"),
        (GERMAN, "31.02.2026 10:00", "is no date"),
        (Times(), "2026-03-01T10:00:00", "no UTC offset"),
        (Times(), "2026-03-01", "no time of day"),
        (Times(("unix",)), "99999999999999", "is no date"),
        (Times(zone=ZoneInfo("Asia/Tokyo")), "0001-01-01T00:00:00", "too far away"),
    ],
)
def test_what_is_no_time_is_told(times: Times, text: str, words: str) -> None:
    with pytest.raises(Unreadable) as told:
        times.read(text)
    assert words in told.value.reason


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2080, 1, 1)),  # noqa: DTZ001  # local times
    st.sampled_from(ZONES),
)
def test_every_local_time_is_the_instant_that_its_zone_says(local: datetime, zone: str) -> None:
    local = local.replace(second=0, microsecond=0)
    told = Times(("%d.%m.%Y %H:%M",), ZoneInfo(zone)).read(local.strftime("%d.%m.") + f"{local:%Y %H:%M}")
    moment = datetime.fromisoformat(told.text)
    assert moment == local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    shown = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    assert (shown == local) == (told.doubt != "time_in_gap")
    if told.doubt == "time_twice":
        assert (moment + timedelta(hours=1)).astimezone(ZoneInfo(zone)).replace(tzinfo=None) <= local + timedelta(
            hours=1
        )


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1.234,5", "1234.5"),
        ("1234,50", "1234.5"),
        ("-0,000", "0"),
        ("5-", "-5"),
        ("\u22127", "-7"),
        ("+3", "3"),
        ("12 kg", "12"),
        ("\u20ac 9,90", "9.9"),
        ("000", "0"),
    ],
)
def test_a_number_is_read_as_it_is_written(text: str, number: str) -> None:
    assert read_number(text, ",", ".", ("kg", "\u20ac")) == Decimal(number)


@pytest.mark.parametrize(
    "text", ["", "-", "a few", "1,2,3", "12.34,5", "1.2345", "1.5", "- 5", "-5-", "1e3", "\u0661", "9" * 99]
)
def test_what_is_no_number_is_none(text: str) -> None:
    assert read_number(text, ",", ".") is None


def test_blanks_between_thousands_may_be_any_of_those_that_programs_write() -> None:
    for blank in " \u00a0\u202f\u2009":
        assert read_number(f"1{blank}234{blank}567.5", ".", " ") == Decimal("1234567.5")


@given(
    st.decimals(-(10**12), 10**12, places=3),
    st.sampled_from([(".", ","), (",", "."), (",", " "), (".", "'"), (".", ""), (",", "")]),
)
def test_every_number_is_read_as_it_was_meant(number: Decimal, marks: tuple[str, str]) -> None:
    decimal, thousands = marks
    text = f"{number:,f}".replace(",", "t").replace(".", decimal).replace("t", thousands)
    assert read_number(text, decimal, thousands) == number
