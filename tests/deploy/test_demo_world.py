"""The demo world: its lanes, its goods, the numbers on them, and its clock."""

import pytest

from deploy.demo import labels
from deploy.demo.tempo import BACKFILL_MS, Tempo
from deploy.demo.world import World
from schemas.identifiers import is_container, is_gtin, is_sscc
from schemas.times import DAY_MS, HOUR_MS, MINUTE_MS
from tests.deploy.demo_oracle import START


def test_lanes_have_one_to_three_legs_that_hang_together() -> None:
    lanes = World().lanes
    assert {len(lane.legs) for lane in lanes} == {1, 2, 3}
    for lane in lanes:
        places = [lane.origin, *(leg.destination for leg in lane.legs)]
        assert places[-1] == lane.destination
        assert [leg.origin for leg in lane.legs] == places[:-1]
        assert all(HOUR_MS <= leg.duration < 8 * DAY_MS for leg in lane.legs)


def test_names_are_unique() -> None:
    world = World()
    places = [place.name for place in world.places]
    items = [item.name for group in world.items.values() for item in group]
    sources = [source.name for source in world.sources]
    for names in (places, items, sources):
        assert len(set(names)) == len(names)


def test_items_are_valid_gtins_or_carry_their_owner() -> None:
    items = [item.name for group in World().items.values() for item in group]
    assert any(is_gtin(name) for name in items)
    assert all(is_gtin(name) or ":" in name for name in items)


@pytest.mark.parametrize("serial", [0, 1, 7, 100_001, 999_999, 123_456_789])
def test_numbers_on_the_goods_have_the_right_check_digit_unless_misprinted(serial: int) -> None:
    assert is_sscc(labels.sscc(serial))
    assert is_container(labels.container(serial))
    assert not is_sscc(labels.misprinted(labels.sscc(serial)))
    assert not is_container(labels.misprinted(labels.container(serial)))


def test_check_digits_agree_with_published_examples() -> None:
    assert labels.gtin("629104150021") == "6291041500213"  # GS1's own worked example
    assert labels.misprinted("6291041500213") == "6291041500214"


def test_a_natural_day_is_a_day_before_the_start_and_a_minute_after_it() -> None:
    tempo = Tempo(START)
    assert tempo.run(BACKFILL_MS) == START
    assert tempo.run(BACKFILL_MS - DAY_MS) == START - DAY_MS
    assert tempo.run(BACKFILL_MS + DAY_MS) == START + MINUTE_MS
    assert Tempo(START, 2).run(BACKFILL_MS + DAY_MS) == START + MINUTE_MS // 2


@pytest.mark.parametrize(
    ("offset", "text", "day"),
    [
        (0, "2027-01-15T08:00:00.000Z", "2027-01-15T00:00:00.000Z"),
        (330, "2027-01-15T13:30:00.000+05:30", "2027-01-15T00:00:00.000+05:30"),
        (-540, "2027-01-14T23:00:00.000-09:00", "2027-01-14T00:00:00.000-09:00"),
    ],
)
def test_times_are_written_in_the_offset_of_their_source(offset: int, text: str, day: str) -> None:
    assert Tempo(START).text(START, offset) == text
    assert Tempo(START).day_text(START, offset) == day
