"""Orders: what was ordered, announced and delivered, line by line."""

import pytest

from schemas.derived import OrderLineState, OrderStatus
from schemas.times import HOUR_MS
from tests.streams.network import play
from tests.streams.told import ITEM, Told, line, milestone, moment, ms, notice, of_order, placed

ORDER = placed("PO-1", 0, [line("1", 10)], buyer="Hospital 7", destination="BER")


def order(*records: Told) -> OrderStatus:
    return play(*records).order("PO-1")


def only_line(*records: Told) -> OrderLineState:
    (found,) = order(*records).lines
    return found


def shipped(shipment_id: str, hour: float, quantity: int, line_id: str = "1", unit: str = "pack") -> Told:
    goods = [line(line_id, quantity, unit=unit, order_id="PO-1")]
    return milestone(shipment_id, "departed", hour, lines=goods, destination="BER")


def test_a_placed_order_waits_for_its_lines() -> None:
    status = order(ORDER)
    assert (status.status, status.final, status.ordered_at) == ("placed", False, ms(0))
    assert (status.supplier, status.buyer, status.destination) == ("Acme Ltd", "Hospital 7", "BER")
    assert (status.lines[0].ordered, status.lines[0].delivered) == (10_000, 0)


def test_a_line_that_only_a_notice_tells_of_is_announced() -> None:
    told = only_line(notice("PO-1", "S-1", 5, [line("1", 7)]))
    assert (told.status, told.ordered, told.ordered_at, told.shipments) == ("announced", 7_000, None, ("S-1",))


def test_an_announced_line_is_delivered_when_all_that_was_announced_is() -> None:
    told = [notice("PO-1", "S-1", 5, [line("1", 7)]), notice("PO-1", "S-2", 6, [line("1", 3)])]
    part = [shipped("S-1", 8, 7), milestone("S-1", "delivered", 20)]
    assert only_line(*told, *part).status == "partly_delivered"
    rest = [shipped("S-2", 9, 3), milestone("S-2", "delivered", 30)]
    whole = only_line(*told, *part, *rest)
    assert (whole.status, whole.ordered, whole.delivered_at) == ("delivered", 10_000, ms(30))


def test_a_line_that_only_a_shipment_tells_of_is_announced() -> None:
    told = only_line(shipped("S-1", 8, 7))
    assert (told.status, told.item, told.unit, told.shipped) == ("shipped", ITEM, "pack", 7_000)
    assert (told.ordered, told.ordered_at) == (7_000, None)


def test_a_placed_line_keeps_its_ordered_quantity_whatever_is_announced() -> None:
    assert only_line(ORDER, notice("PO-1", "S-1", 5, [line("1", 7)])).ordered == 10_000


def test_a_line_is_delivered_in_full_by_the_shipment_that_completes_it() -> None:
    first = [shipped("S-2", 8, 6), milestone("S-2", "delivered", 20)]
    second = [shipped("S-1", 9, 4), milestone("S-1", "delivered", 30)]
    part = only_line(ORDER, *first, second[0])
    assert (part.status, part.shipped, part.delivered, part.delivered_at) == ("partly_delivered", 10_000, 6_000, None)
    views = play(ORDER, *second, *first)
    whole = views.order("PO-1").lines[0]
    assert (whole.status, whole.delivered, whole.delivered_at) == ("delivered", 10_000, ms(30))
    assert whole.shipments == ("S-1", "S-2")
    lead = views.lead("order_to_delivery", f"Acme Ltd|{ITEM}").all
    assert (lead.count, lead.total) == (1, ms(30) - ms(0))
    assert (views.order("PO-1").status, views.order("PO-1").final) == ("delivered", True)


def test_a_line_delivered_in_full_is_so_since_then_when_more_comes_later() -> None:
    more = [shipped("S-2", 25, 5), milestone("S-2", "delivered", 40)]
    told = only_line(ORDER, shipped("S-1", 8, 10), milestone("S-1", "delivered", 20), *more)
    assert (told.delivered, told.delivered_at) == (15_000, ms(20))
    assert told.findings == ("delivered_more_than_ordered",)


def test_an_order_is_partly_delivered_while_a_line_is_open() -> None:
    both = placed("PO-1", 0, [line("1", 10), line("2", 1)])
    status = order(both, shipped("S-1", 8, 10), milestone("S-1", "delivered", 20))
    assert [told.status for told in status.lines] == ["delivered", "placed"]
    assert (status.status, status.final) == ("partly_delivered", False)


def test_a_cancelled_line_is_ended_and_the_others_go_on() -> None:
    both = placed("PO-1", 0, [line("1", 10), line("2", 1)])
    status = order(both, of_order("order_cancelled", "PO-1", 5, line_ids=["2"]))
    assert [told.status for told in status.lines] == ["placed", "cancelled"]
    assert (status.status, status.final) == ("placed", False)


@pytest.mark.parametrize(("kind", "ended"), [("order_cancelled", "cancelled"), ("order_closed", "closed")])
def test_a_cancelled_or_closed_order_is_final(kind: str, ended: str) -> None:
    for records in ((ORDER, of_order(kind, "PO-1", 5)), (of_order(kind, "PO-1", 5), ORDER)):
        status = order(*records)
        assert (status.status, status.lines[0].status, status.final) == (ended, ended, True)


def test_what_was_delivered_stays_delivered_when_the_order_is_closed() -> None:
    both = placed("PO-1", 0, [line("1", 10), line("2", 1)])
    delivered = [shipped("S-1", 8, 10), milestone("S-1", "delivered", 20)]
    status = order(both, *delivered, of_order("order_closed", "PO-1", 30))
    assert [told.status for told in status.lines] == ["delivered", "closed"]
    assert (status.status, status.final) == ("delivered", True)


def test_a_quantity_of_zero_takes_a_line_out_and_a_later_one_puts_it_back() -> None:
    out = of_order("order_changed", "PO-1", 5, lines=[{"line_id": "1", "quantity": "0"}])
    back = of_order("order_changed", "PO-1", 6, lines=[{"line_id": "1", "quantity": "4"}])
    assert only_line(ORDER, out).status == "cancelled"
    assert (only_line(ORDER, out, back).status, only_line(ORDER, out, back).ordered) == ("placed", 4_000)


def test_a_change_says_only_what_changes() -> None:
    first = placed("PO-1", 0, [line("1", 10, promised_at=moment(50), unit_cost="2.5", currency="EUR")])
    told = only_line(first, of_order("order_changed", "PO-1", 5, lines=[{"line_id": "1", "quantity": "4"}]))
    assert (told.ordered, told.item, told.unit, told.promised_at) == (4_000, ITEM, "pack", ms(50))
    assert (told.unit_cost_micros, told.currency) == (2_500_000, "EUR")


def test_a_confirmation_promises_and_a_notice_does_not_change_that() -> None:
    confirmed = of_order("order_confirmed", "PO-1", 3, lines=[{"line_id": "1", "promised_at": moment(60)}])
    announced = notice("PO-1", "S-1", 5, [line("1", 10)], promised_at=moment(90))
    told = only_line(ORDER, announced, confirmed)
    assert (told.status, told.promised_at) == ("confirmed", ms(60))
    assert only_line(ORDER, announced).promised_at == ms(90), "nobody else promised anything"


def test_a_later_confirmation_replaces_the_promise_of_the_order() -> None:
    first = placed("PO-1", 0, [line("1", 10, promised_at=moment(40))])
    confirmed = of_order("order_confirmed", "PO-1", 3, lines=[{"line_id": "1", "promised_at": moment(60)}])
    assert only_line(confirmed, first).promised_at == ms(60)


def test_a_line_is_late_by_its_promise() -> None:
    first = placed("PO-1", 0, [line("1", 10, promised_at=moment(19))])
    told = only_line(first, shipped("S-1", 8, 10), milestone("S-1", "delivered", 20))
    assert (told.late, told.late_ms) == (True, HOUR_MS)


def test_where_nobody_promised_the_line_the_shipments_promise_counts() -> None:
    booked = milestone("S-1", "booked", 1, promised_at=moment(15))
    told = only_line(ORDER, booked, shipped("S-1", 8, 10), milestone("S-1", "delivered", 20))
    assert (told.promised_at, told.late) == (ms(15), True)


def test_a_promise_by_day_is_kept_until_its_end() -> None:
    by_day = placed("PO-1", 0, [line("1", 10, promised_at=moment(24))], precision="day")
    told = [shipped("S-1", 8, 10), milestone("S-1", "delivered", 47)]
    assert (only_line(by_day, *told).due_at, only_line(by_day, *told).late) == (ms(48) - 1, False)


def test_delivered_before_ordered_is_a_finding_and_no_lead_time() -> None:
    late_order = placed("PO-1", 30, [line("1", 10)])
    views = play(late_order, shipped("S-1", 8, 10), milestone("S-1", "delivered", 20))
    assert views.order("PO-1").lines[0].findings == ("delivered_before_ordered",)
    lead = views.lead("order_to_delivery", f"Acme Ltd|{ITEM}").all
    assert (lead.count, lead.negative, lead.total) == (0, 1, 0)


def test_another_unit_is_a_finding_and_never_summed() -> None:
    other = [shipped("S-1", 8, 10, unit="pallet"), milestone("S-1", "delivered", 20)]
    told = only_line(ORDER, *other)
    assert (told.shipped, told.delivered, told.delivered_at, told.unit) == (0, 0, None, "pack")
    assert told.findings == ("unit_conflict",)


def test_a_line_that_was_confirmed_and_never_placed_takes_unit_and_item_from_its_shipment() -> None:
    confirmed = of_order("order_confirmed", "PO-1", 3, lines=[{"line_id": "1"}])
    told = only_line(confirmed, shipped("S-1", 8, 10), milestone("S-1", "delivered", 20))
    assert (told.item, told.unit, told.delivered, told.findings) == (ITEM, "pack", 10_000, ())


def test_goods_that_have_not_left_are_not_shipped() -> None:
    booked = milestone("S-1", "booked", 5, lines=[line("1", 10, order_id="PO-1")])
    told = only_line(ORDER, booked)
    assert (told.status, told.shipped, told.shipments) == ("placed", 0, ("S-1",))
