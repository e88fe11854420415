"""Corrections and retractions: the greatest statement wins, and every figure follows."""

import hashlib
import itertools
import json

import pytest

from tests.streams.network import Network, Views, play, play_in_turn
from tests.streams.told import (
    ITEM,
    OTHER_ITEM,
    Told,
    correction,
    line,
    milestone,
    moment,
    movement,
    ms,
    placed,
    retraction,
)

LANE = {"origin": "NBO", "destination": "BER"}
GOODS = [line("1", 10, order_id="PO-1")]


def both_ways(*records: Told) -> Views:
    """The views, the same whether each record is processed apart or all of them in one batch."""
    in_turn = play_in_turn(*records)
    assert in_turn == play(*records)
    return in_turn


def on_hand(*records: Told) -> int:
    return both_ways(*records).stock("BER", ITEM).on_hand


def test_a_later_recorded_at_replaces_whatever_the_order() -> None:
    said = movement("received", 1, 10)
    statements = (said, correction(said, 2, quantity="20"), correction(said, 3, quantity="5"))
    for order in itertools.permutations(statements):
        assert on_hand(*order) == 5_000


def test_at_one_instant_a_retraction_wins_over_any_content() -> None:
    said = movement("received", 1, 10)
    contents = [correction(said, 2, quantity=str(quantity)) for quantity in range(1, 20)]
    for order in ([retraction(said, 2), *contents], [*contents, retraction(said, 2)]):
        assert on_hand(*order) == 0


def test_at_one_instant_the_greatest_content_hash_wins() -> None:
    said = movement("received", 1, 10)
    contents = [correction(said, 2, quantity=str(quantity)) for quantity in range(1, 20)]
    greatest = max(contents, key=lambda told: hashlib.sha256(told.raw).digest()[:16])
    quantity = int(json.loads(greatest.raw)["quantity"]) * 1_000
    for order in (contents, contents[::-1], sorted(contents)):
        assert on_hand(*order) == quantity


def test_a_retraction_is_outlived_by_a_later_statement() -> None:
    said = movement("received", 1, 10)
    assert on_hand(retraction(said, 2), correction(said, 3, quantity="7"), said) == 7_000


def test_a_retraction_that_comes_before_what_it_retracts_holds() -> None:
    said = movement("received", 1, 10)
    assert on_hand(retraction(said, 2), said) == 0


def test_the_same_instant_in_another_zone_is_no_later_statement() -> None:
    said = movement("received", 1, 10)
    elsewhere = correction(said, 2, quantity="20")
    later = correction(said, 2.5, quantity="30", recorded_at="2026-03-01T07:30:00+05:00")
    assert on_hand(said, elsewhere, later) == on_hand(later, elsewhere, said) == 30_000


def test_two_sources_with_one_event_id_say_two_things() -> None:
    said = movement("received", 1, 10)
    assert on_hand(said, correction(said, 2, source="port-erp")) == 20_000


def test_retracting_a_milestone_brings_the_statement_before_back() -> None:
    first = milestone("S-1", "delivered", 20, event_id="a")
    second = milestone("S-1", "delivered", 30, event_id="b")
    assert both_ways(first, second).shipment("S-1").delivered_at == ms(30)
    assert both_ways(retraction(second, 40), second, first).shipment("S-1").delivered_at == ms(20)


def test_retracting_the_last_milestone_brings_the_status_before_back() -> None:
    departed, delivered = milestone("S-1", "departed", 10, **LANE), milestone("S-1", "delivered", 20)
    views = both_ways(departed, delivered, retraction(delivered, 30))
    assert (views.shipment("S-1").status, views.shipment("S-1").final) == ("departed", False)
    assert views.shipment("S-1").delivered_at is None
    assert views.lead("transit", "NBO>BER").all.count == 0


def test_retracting_the_only_order_placed_leaves_what_shipments_tell() -> None:
    order = placed("PO-1", 0, [line("1"), line("2", 3)])
    departed = milestone("S-1", "departed", 10, lines=GOODS, **LANE)
    delivered = milestone("S-1", "delivered", 20)
    assert both_ways(order, departed, delivered).lead("order_to_delivery", f"Acme Ltd|{ITEM}").all.count == 1
    views = both_ways(order, departed, delivered, retraction(order, 30))
    (left,) = views.order("PO-1").lines
    assert (left.line_id, left.ordered_at, left.ordered, left.delivered) == ("1", None, 10_000, 10_000)
    assert left.findings == ()
    assert views.order("PO-1").ordered_at is None
    assert views.lead("order_to_delivery", f"Acme Ltd|{ITEM}").all.count == 0


def test_retracting_the_only_order_placed_leaves_no_order_where_nothing_else_is_known() -> None:
    order = placed("PO-1", 0, [line("1")])
    views = both_ways(order, retraction(order, 30))
    assert (views.order("PO-1").lines, views.order("PO-1").supplier) == ((), None)


def test_a_corrected_lane_takes_its_lead_time_from_the_old_lane() -> None:
    departed = milestone("S-1", "departed", 10, carrier="RoadCo", origin="LOS", destination="BER")
    views = both_ways(departed, milestone("S-1", "delivered", 20), correction(departed, 30, origin="NBO"))
    old = (views.lead("transit", "LOS>BER"), views.lead("carrier_transit", "RoadCo|LOS>BER"))
    new = (views.lead("transit", "NBO>BER"), views.lead("carrier_transit", "RoadCo|NBO>BER"))
    for ghost, stat in zip(old, new, strict=True):
        assert (ghost.all.count, ghost.all.total, ghost.all.buckets, ghost.last_day) == (0, 0, (), None)
        assert (stat.all.count, stat.all.total) == (1, ms(20) - ms(10))


def test_a_corrected_destination_takes_the_goods_from_the_old_site() -> None:
    departed = milestone("S-1", "departed", 10, lines=GOODS, origin="LOS", destination="NBO")
    elsewhere = movement("received", 1, 3, site="NBO")
    views = both_ways(elsewhere, departed, correction(departed, 30, destination="BER"))
    assert views.stock("NBO", ITEM).in_transit == 0
    assert views.stock("NBO", ITEM).on_hand == 3_000
    assert views.stock("BER", ITEM).in_transit == 10_000


def test_a_destination_corrected_twice_ends_at_the_last_one() -> None:
    departed = milestone("S-1", "departed", 10, lines=GOODS, origin="LOS", destination="NBO")
    there = correction(departed, 30, destination="BER")
    back = correction(departed, 40, destination="NBO")
    views = both_ways(departed, there, back)
    assert views.stock("NBO", ITEM).in_transit == 10_000
    assert views.stock("BER", ITEM).in_transit == 0


def test_a_destination_corrected_between_two_crashes_leaves_no_ghost() -> None:
    departed = milestone("S-1", "departed", 10, lines=GOODS, origin="LOS", destination="NBO")
    for written in range(12):
        network = Network()
        network.feed([departed])
        network.run()
        network.feed([correction(departed, 30, destination="BER")])
        network.restart()
        network.run([written])
        assert network.views().stock("NBO", ITEM).in_transit == 0, f"died after {written} writes"
        assert network.views().stock("BER", ITEM).in_transit == 10_000


@pytest.mark.parametrize("topic", ["stock.positions", "order.status", "lead.stats"])
def test_what_was_addressed_by_mistake_only_is_not_there_afterwards(topic: str) -> None:
    """Otherwise the views would tell in which order the statements came."""
    wrong = milestone("S-1", "departed", 10, lines=[line("1", 10, order_id="PO-WRONG")], origin="X", destination="Y")
    right = correction(wrong, 30, lines=GOODS, **LANE)
    delivered = milestone("S-1", "delivered", 20)
    assert play_in_turn(wrong, delivered, right).keys(topic) == play_in_turn(right, wrong, delivered).keys(topic)


def test_another_item_of_a_line_moves_its_lead_time() -> None:
    order = placed("PO-1", 0, [line("1", 10, ITEM)])
    arriving = milestone("S-1", "delivered", 20, lines=[line("1", 10, OTHER_ITEM, order_id="PO-1")])
    views = both_ways(order, arriving, correction(order, 30, lines=[line("1", 10, OTHER_ITEM)]))
    assert views.lead("order_to_delivery", f"Acme Ltd|{ITEM}").all.count == 0
    moved = views.lead("order_to_delivery", f"Acme Ltd|{OTHER_ITEM}").all
    assert (moved.count, moved.total) == (1, ms(20) - ms(0))


def test_a_corrected_supplier_moves_the_lead_time() -> None:
    order = placed("PO-1", 0, [line("1")])
    arriving = milestone("S-1", "delivered", 20, lines=GOODS)
    views = both_ways(order, arriving, correction(order, 30, supplier="Other"))
    assert views.lead("order_to_delivery", f"Acme Ltd|{ITEM}").all.count == 0
    assert views.lead("order_to_delivery", f"Other|{ITEM}").all.count == 1


def test_a_corrected_delivery_date_replaces_the_old_duration() -> None:
    departed, delivered = milestone("S-1", "departed", 10, **LANE), milestone("S-1", "delivered", 20)
    other = [milestone("S-2", "departed", 10, **LANE), milestone("S-2", "delivered", 11)]
    later = correction(delivered, 50, occurred_at=moment(34))
    stat = both_ways(departed, delivered, *other, later).lead("transit", "NBO>BER").all
    assert (stat.count, stat.total) == (2, ms(24 + 1) - ms(0))


def test_a_line_moved_to_another_order_leaves_the_first() -> None:
    orders = [placed(order_id, 0, [line("1")]) for order_id in ("PO-1", "PO-2")]
    departed = milestone("S-1", "departed", 10, lines=GOODS, **LANE)
    moved = correction(departed, 30, lines=[line("1", order_id="PO-2")])
    views = both_ways(*orders, departed, milestone("S-1", "delivered", 20), moved)
    (first,), (second,) = views.order("PO-1").lines, views.order("PO-2").lines
    assert (first.status, first.delivered, first.shipments) == ("placed", 0, ())
    assert (second.status, second.delivered, second.shipments) == ("delivered", 10_000, ("S-1",))
