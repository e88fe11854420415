"""Stock positions: goods are conserved, a count is a barrier, and what does not add up is shown."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.derived import StockPosition
from schemas.event import Event
from schemas.times import DAY_MS
from tests.strategies import raw, warehouse_events
from tests.streams.network import Views, play
from tests.streams.told import ITEM, OTHER_ITEM, Told, line, milestone, movement, ms, retraction

ENTITY = f"stock/BER|{ITEM}"


def position(*records: Told) -> StockPosition:
    return play(*records).stock("BER", ITEM)


def inbound(quantity: int = 10, shipment_id: str = "S-1", unit: str = "pack") -> Told:
    goods = [line("1", quantity, unit=unit)]
    return milestone(shipment_id, "departed", 10, lines=goods, origin="NBO", destination="BER")


def arrived(quantity: int, shipment_id: str = "S-1", hour: float = 20) -> Told:
    return milestone(shipment_id, "delivered", hour, lines=[line("1", quantity)])


def is_conserved(stock: StockPosition) -> bool:
    came = stock.received + stock.returned + stock.moved_in + stock.adjusted + stock.count_variance
    return came == stock.on_hand + stock.shipped + stock.moved_out + stock.scrapped


@settings(deadline=None, max_examples=150)
@given(st.lists(warehouse_events(), max_size=25))
def test_goods_are_conserved_whatever_the_events(events: list[Event]) -> None:
    views = play(*(Told(event.topic, raw(event)) for event in events))
    for key in views.keys("stock.positions"):
        site, _, item = key.partition("|")
        stock = views.stock(site, item)
        assert is_conserved(stock)
        assert stock.available == stock.on_hand - stock.reserved - stock.quarantined
        assert ("negative_stock" in stock.findings) == (stock.on_hand < 0) == (stock.negative_since is not None)


def test_a_count_is_a_barrier() -> None:
    stock = position(
        movement("received", 1, 10), movement("shipped", 2, 4), movement("counted", 3, 5), movement("received", 4, 3)
    )
    assert (stock.on_hand, stock.count_variance) == (8_000, -1_000)
    assert is_conserved(stock)


def test_what_happened_before_a_count_and_is_told_after_it_changes_the_variance_only() -> None:
    counted = [movement("received", 1, 10), movement("counted", 3, 5)]
    before = position(*counted)
    after = position(*counted, movement("shipped", 2, 4))
    assert (before.on_hand, before.count_variance) == (5_000, -5_000)
    assert (after.on_hand, after.count_variance) == (5_000, -1_000)


def test_what_happened_after_a_count_and_is_told_before_it_counts() -> None:
    assert position(movement("shipped", 4, 2), movement("counted", 3, 5)).on_hand == 3_000


def test_at_one_instant_a_count_comes_last() -> None:
    stock = position(movement("counted", 3, 5), movement("received", 3, 9), movement("shipped", 3, 1))
    assert (stock.on_hand, stock.count_variance) == (5_000, -3_000)


def test_a_retracted_count_is_no_barrier_any_more() -> None:
    count = movement("counted", 3, 5)
    stock = position(movement("received", 1, 10), count, retraction(count, 9))
    assert (stock.on_hand, stock.count_variance) == (10_000, 0)


def test_negative_stock_is_shown_since_when_it_is() -> None:
    story = [movement("received", 1, 1), movement("shipped", 2, 5), movement("received", 3, 2)]
    stock = position(*story)
    assert (stock.on_hand, stock.negative_since) == (-2_000, ms(2))
    assert "negative_stock" in stock.findings
    assert play(*story).exceptions(ENTITY)["negative_stock"].opened_at == ms(2)
    mended = play(*story, movement("received", 4, 10))
    assert mended.stock("BER", ITEM).negative_since is None
    assert mended.exceptions(ENTITY) == {}


def test_stock_that_went_negative_twice_is_negative_since_the_second_time() -> None:
    story = [movement("shipped", 1, 1), movement("received", 2, 3), movement("shipped", 3, 4)]
    assert position(*story).negative_since == ms(3)


def test_a_missing_receipt_told_late_ends_negative_stock() -> None:
    assert position(movement("shipped", 2, 5), movement("received", 1, 5)).negative_since is None


def test_a_large_negative_quantity_is_written_out_in_full() -> None:
    detail = play(movement("shipped", 1, "1234567.125")).exceptions(ENTITY)["negative_stock"].detail
    assert "-1234567.125 pack" in detail.replace(",", "")


def test_a_stockout_is_open_since_the_last_goods_left() -> None:
    views = play(movement("received", 1, 5), movement("shipped", 2, 5), movement("reserved", 3, 1))
    assert views.stock("BER", ITEM).stockout_since == ms(2)
    assert views.exceptions(ENTITY)["stockout"].opened_at == ms(2)


def test_reserved_and_quarantined_goods_are_on_hand_and_not_available() -> None:
    stock = position(
        movement("received", 1, 20),
        movement("reserved", 2, 8),
        movement("released", 3, 3),
        movement("quarantined", 4, 4),
        movement("restored", 5, 1),
        movement("picked", 6, 2),
        movement("packed", 7, 2),
        movement("put_away", 7, 9),
    )
    assert (stock.on_hand, stock.reserved, stock.quarantined, stock.available) == (20_000, 5_000, 3_000, 12_000)


def test_each_half_of_a_move_is_told_by_its_site() -> None:
    views = play(
        movement("moved", 1, 5, direction="out"),
        movement("moved", 1, 5, direction="in", site="NBO"),
        movement("adjusted", 2, -1, site="NBO"),
    )
    assert (views.stock("BER", ITEM).on_hand, views.stock("NBO", ITEM).on_hand) == (-5_000, 4_000)


def test_two_units_are_a_finding_and_never_summed() -> None:
    stock = position(movement("received", 1, 10), movement("received", 2, 5, unit="pallet"))
    assert (stock.unit, stock.on_hand, stock.received) == ("pack", 10_000, 10_000)
    assert "unit_conflict" in stock.findings


def test_goods_on_their_way_in_another_unit_are_a_finding_and_never_summed() -> None:
    stock = position(movement("received", 1, 10), inbound(3, unit="pallet"))
    assert (stock.in_transit, stock.mismatch) == (0, 0)
    assert "unit_conflict" in stock.findings


_sizes = st.integers(1, 20)


@settings(deadline=None, max_examples=120)
@given(shipped=_sizes, delivered=st.none() | _sizes, receipts=st.lists(_sizes, max_size=3), cancelled=st.booleans())
def test_what_was_shipped_is_in_transit_arrived_or_amiss(
    shipped: int, delivered: int | None, receipts: list[int], cancelled: bool
) -> None:
    records = [inbound(shipped)]
    records += [] if delivered is None else [arrived(delivered)]
    records += [movement("received", 21 + hour, quantity, "S-1") for hour, quantity in enumerate(receipts)]
    records += [milestone("S-1", "cancelled", 15)] if cancelled else []
    stock = position(*records)
    came = sum(receipts) if receipts else delivered or 0
    if cancelled and delivered is None:
        assert (stock.in_transit, stock.mismatch) == (0, 0), "what was cancelled on its way is not expected any more"
        return
    assert stock.in_transit * (stock.in_transit - shipped * 1_000 + came * 1_000) == 0
    assert shipped * 1_000 == stock.in_transit + came * 1_000 + stock.mismatch
    assert stock.in_transit >= 0
    assert stock.in_transit == 0 or delivered is None


def test_goods_are_on_their_way_only_when_they_have_left() -> None:
    booked = milestone("S-1", "booked", 5, lines=[line("1", 10)], destination="BER")
    assert f"BER|{ITEM}" not in play(booked).keys("stock.positions")
    views = play(booked, milestone("S-1", "picked_up", 8))
    assert views.stock("BER", ITEM).in_transit == 10_000


def test_a_receipt_takes_goods_out_of_transit_before_the_carrier_says_delivered() -> None:
    stock = position(inbound(10), movement("received", 18, 4, "S-1"))
    assert (stock.in_transit, stock.mismatch, stock.on_hand) == (6_000, 0, 4_000)


def test_receipts_of_other_shipments_do_not_count() -> None:
    stock = position(inbound(10), movement("received", 18, 4, "S-2"), movement("received", 19, 1))
    assert stock.in_transit == 10_000


def test_more_received_than_shipped_is_amiss_at_once() -> None:
    stock = position(inbound(10), movement("received", 18, 12, "S-1"))
    assert (stock.in_transit, stock.mismatch) == (0, -2_000)
    assert "quantity_mismatch" in stock.findings


def test_too_much_from_one_shipment_does_not_make_up_for_too_little_from_another() -> None:
    views = play(
        *(inbound(10, name) for name in ("S-1", "S-2")),
        *(milestone(name, "delivered", 20) for name in ("S-1", "S-2")),
        movement("received", 21, 8, "S-1"),
        movement("received", 22, 12, "S-2"),
    )
    assert "quantity_mismatch" in views.stock("BER", ITEM).findings
    assert "quantity_mismatch" in views.exceptions(ENTITY)


def test_goods_received_from_a_shipment_that_shipped_none_are_amiss() -> None:
    stock = position(inbound(0), movement("received", 18, 5, "S-1"))
    assert (stock.in_transit, stock.mismatch) == (0, -5_000)


def test_a_mismatch_is_open_since_it_was_known() -> None:
    views = play(inbound(10), movement("received", 18, 9, "S-1"), milestone("S-1", "delivered", 17))
    assert views.exceptions(ENTITY)["quantity_mismatch"].opened_at == ms(18)


@pytest.mark.parametrize("later", [[], [movement("reserved", 90, 1)]])
def test_a_short_delivery_that_nobody_received_is_open_since_the_delivery(later: list[Told]) -> None:
    views = play(movement("received", 1, 10), inbound(10), arrived(8, hour=20), *later)
    assert views.exceptions(ENTITY)["quantity_mismatch"].opened_at == ms(20)


def test_a_mismatch_says_whether_goods_are_missing_or_too_many() -> None:
    missing = play(inbound(10), arrived(8)).exceptions(ENTITY)["quantity_mismatch"].detail
    too_many = play(inbound(10), movement("received", 18, 12, "S-1")).exceptions(ENTITY)["quantity_mismatch"].detail
    assert "2 pack" in missing
    assert "2 pack" in too_many
    assert "-2" not in too_many


def test_items_of_one_shipment_are_balanced_apart() -> None:
    goods = [line("1", 10), line("2", 3, OTHER_ITEM), line("3", 5)]
    views = play(milestone("S-1", "departed", 10, lines=goods, destination="BER"))
    assert views.stock("BER", ITEM).in_transit == 15_000
    assert views.stock("BER", OTHER_ITEM).in_transit == 3_000


def dock_to_stock(views: Views) -> tuple[int, int]:
    stat = views.lead("dock_to_stock", "BER").all
    return (stat.count, stat.total)


def test_dock_to_stock_is_from_the_first_goods_in_to_the_last_put_away() -> None:
    story = [
        movement("received", 1, 6, "S-1"),
        movement("received", 2, 4, "S-1"),
        movement("put_away", 3, 4, "S-1"),
        movement("put_away", 7, 6, "S-1"),
    ]
    assert dock_to_stock(play(*story)) == (1, ms(7) - ms(1))
    assert play(*story).lead("dock_to_stock", "BER").last_day == ms(7) // DAY_MS
    assert dock_to_stock(play(*story[:3])) == (0, 0), "not all of it is put away"
    assert dock_to_stock(play(*story, retraction(story[3], 20))) == (0, 0)


def test_receipts_are_told_apart_by_shipment_else_by_lot() -> None:
    story = [
        movement("received", 1, 6, "S-1"),
        movement("put_away", 2, 6, "S-1"),
        movement("received", 1, 5, lot="L1"),
        movement("put_away", 6, 5, lot="L1"),
        movement("received", 8, 5),
        movement("put_away", 9, 5),
    ]
    assert dock_to_stock(play(*story)) == (2, ms(1 + 5) - ms(0))
