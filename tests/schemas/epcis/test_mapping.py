"""Each row of docs/epcis.md's table, through the real agents: what an EPCIS event does to stock and shipments."""

from typing import Any

import pytest

from schemas.epcis.deriving import derive
from schemas.epcis.mapping import document_number
from schemas.event import Event
from schemas.identifiers import findings
from schemas.shipment import ConditionReported, MilestoneReported
from schemas.supplier import OrderPlaced
from tests.schemas.epcis.making import (
    CASE,
    CASE_ITEM,
    DESADV,
    DRILL,
    DRILL_ITEM,
    HERE,
    HERE_GLN,
    PALLET,
    RICE,
    RICE_ITEM,
    SHIPMENT,
    THERE,
    THERE_GLN,
    captured,
    epcis,
    put,
    received,
    said,
    seen,
    shipped,
    world,
)

AT_HERE = {"bizLocation": {"id": HERE}}
AT_THERE = {"bizLocation": {"id": THERE}}
TWO = [f"{DRILL}1", f"{DRILL}2"]
MADE = epcis("ObjectEvent", "made", 1, action="ADD", bizStep="commissioning", epcList=TWO, **AT_HERE)
RICE_MADE = epcis(
    "ObjectEvent",
    "rice",
    1,
    action="ADD",
    bizStep="creating_class_instance",
    quantityList=[{"epcClass": RICE, "quantity": 10, "uom": "KGM"}],
    **AT_HERE,
)


def of(*events: dict[str, Any]) -> list[Event]:
    derived = derive(captured(*events))
    return said(draft for drafts in derived.drafts.values() for draft in drafts)


def notes(*events: dict[str, Any]) -> list[str]:
    return [note for told in derive(captured(*events)).notes.values() for note in told]


def kinds(*events: dict[str, Any]) -> list[str]:
    return sorted(event.type for event in of(*events))  # type: ignore[attr-defined]  # every event has one


def test_commissioning_adds_to_the_stock() -> None:
    assert world(MADE).on_hand(DRILL_ITEM, HERE_GLN) == 2_000
    assert world(RICE_MADE).on_hand(RICE_ITEM, HERE_GLN) == 10_000


@pytest.mark.parametrize("step", ["decommissioning", "destroying"])
def test_what_is_decommissioned_or_destroyed_is_scrapped(step: str) -> None:
    gone = epcis("ObjectEvent", "gone", 2, action="DELETE", bizStep=step, epcList=TWO[:1], **AT_HERE)
    position = world(MADE, gone).stock[f"{HERE_GLN}|{DRILL_ITEM}"]
    assert (position.on_hand, position.scrapped) == (1_000, 1_000)


@pytest.mark.parametrize(("step", "milestone"), [("shipping", "picked_up"), ("departing", "departed")])
def test_what_is_shipped_is_in_transit_until_it_is_received(step: str, milestone: str) -> None:
    left = shipped("left", 3, TWO, bizStep=step)
    under_way = world(MADE, left)
    assert under_way.on_hand(DRILL_ITEM, HERE_GLN) == 0
    assert under_way.in_transit(DRILL_ITEM) == 2_000
    assert under_way.shipments[SHIPMENT].status == milestone
    arrived = world(MADE, left, received("came", 9, TWO))
    assert (arrived.on_hand(DRILL_ITEM, THERE_GLN), arrived.in_transit(DRILL_ITEM)) == (2_000, 0)
    assert arrived.shipments[SHIPMENT].status == "delivered"
    assert arrived.stock[f"{THERE_GLN}|{DRILL_ITEM}"].findings == ()


@pytest.mark.parametrize("step", ["receiving", "accepting", "arriving"])
def test_each_way_of_coming_in_ends_the_transit(step: str) -> None:
    after = world(MADE, shipped("left", 3, TWO), received("came", 9, TWO, bizStep=step))
    assert (after.on_hand(DRILL_ITEM, THERE_GLN), after.in_transit(DRILL_ITEM)) == (2_000, 0)


def test_what_arrives_and_is_received_comes_in_once() -> None:
    rice: dict[str, Any] = {"quantityList": [{"epcClass": RICE, "quantity": 4, "uom": "KGM"}]}
    after = world(
        MADE,
        shipped("left", 3, TWO, **rice),
        received("gate", 8, TWO, bizStep="arriving", **rice),
        received("dock", 9, TWO, **rice),
        received("again", 10, TWO),
    )
    assert after.on_hand(DRILL_ITEM, THERE_GLN) == 2_000
    assert after.on_hand(RICE_ITEM, THERE_GLN) == 4_000
    assert after.stock[f"{THERE_GLN}|{DRILL_ITEM}"].received == 2_000


def test_what_is_scanned_out_twice_leaves_once() -> None:
    after = world(MADE, shipped("left", 3, TWO), shipped("gate", 4, TWO, bizStep="departing"))
    assert (after.on_hand(DRILL_ITEM, HERE_GLN), after.in_transit(DRILL_ITEM)) == (0, 2_000)
    assert {state.milestone for state in after.shipments[SHIPMENT].milestones} == {"picked_up", "departed"}
    void = seen("void", 5, "void_shipping", TWO, bizTransactionList=[DESADV])
    assert world(MADE, shipped("left", 3, TWO), shipped("gate", 4, TWO, bizStep="departing"), void).shipments == {}


def test_one_shipment_told_pallet_by_pallet_adds_up() -> None:
    events = [MADE, *(shipped(f"left{place}", 3 + place, [epc]) for place, epc in enumerate(TWO))]
    assert world(*events).in_transit(DRILL_ITEM) == 2_000
    partly = world(*events, received("came0", 9, TWO[:1]))
    assert partly.on_hand(DRILL_ITEM, THERE_GLN) == 1_000
    assert partly.stock[f"{THERE_GLN}|{DRILL_ITEM}"].mismatch == 1_000
    whole = world(*events, received("came0", 9, TWO[:1]), received("came1", 10, TWO[1:]))
    assert whole.on_hand(DRILL_ITEM, THERE_GLN) == 2_000
    assert whole.stock[f"{THERE_GLN}|{DRILL_ITEM}"].mismatch == 0
    assert whole.shipments[SHIPMENT].lines[0].delivered == 2_000


def test_without_a_document_the_pallet_is_the_shipment() -> None:
    packed = put("packed", 2, PALLET, TWO)
    plain: dict[str, Any] = {"bizTransactionList": []}
    under_way = world(MADE, packed, shipped("left", 3, [PALLET], **plain))
    assert under_way.in_transit(DRILL_ITEM) == 2_000
    assert list(under_way.shipments) == ["106141412345678908"]
    after = world(MADE, packed, shipped("left", 3, [PALLET], **plain), received("came", 9, [PALLET], **plain))
    assert (after.on_hand(DRILL_ITEM, THERE_GLN), after.in_transit(DRILL_ITEM)) == (2_000, 0)


def test_without_any_shipment_stock_moves_and_nothing_is_in_transit() -> None:
    left = shipped("left", 3, TWO, bizTransactionList=[])
    assert world(MADE, left).on_hand(DRILL_ITEM, HERE_GLN) == 0
    assert world(MADE, left).in_transit(DRILL_ITEM) == 0
    assert any("names no shipment" in note for note in notes(left))


def test_an_order_number_names_the_shipment_and_its_lines() -> None:
    order = [{"type": "po", "bizTransaction": "http://transaction.acme.com/po/4711"}]
    events = (
        MADE,
        shipped("left", 3, TWO, bizTransactionList=order),
        received("came", 9, TWO, bizTransactionList=order),
    )
    after = world(*events)
    assert [line.order_id for line in after.shipments["4711"].lines] == ["4711"]
    assert after.shipments["4711"].lines[0].delivered == 2_000
    unnamed = world(*events[:2], received("came", 9, TWO, bizTransactionList=[*order, DESADV]))
    assert unnamed.on_hand(DRILL_ITEM, THERE_GLN) == 2_000


def test_a_receiver_that_names_no_order_delivers_on_the_one_that_was_shipped() -> None:
    order = {"type": "po", "bizTransaction": "4711"}
    after = world(MADE, shipped("left", 3, TWO, bizTransactionList=[DESADV, order]), received("came", 9, TWO))
    (line,) = after.shipments[SHIPMENT].lines
    assert (line.order_id, line.shipped, line.delivered) == ("4711", 2_000, 2_000)


def test_a_receipt_that_differs_shows_in_the_lines_of_the_shipment() -> None:
    other = f"{CASE[:-1]}8"
    after = world(MADE, shipped("left", 3, TWO), received("came", 9, [TWO[0], other]))
    lines = {line.item: (line.shipped, line.delivered) for line in after.shipments[SHIPMENT].lines}
    assert lines == {DRILL_ITEM: (2_000, 1_000), CASE_ITEM: (1_000, 1_000)}
    assert after.stock[f"{THERE_GLN}|{DRILL_ITEM}"].mismatch == 1_000
    assert after.stock[f"{THERE_GLN}|{CASE_ITEM}"].mismatch == 0


def test_goods_of_two_pallets_name_neither_of_them() -> None:
    second = "urn:epc:id:sscc:0614141.1234567891"
    events = (put("p1", 1, PALLET, TWO[:1]), put("p2", 1, second, TWO[1:]))
    (both,) = [
        event for event in of(*events, shipped("left", 3, [PALLET, second])) if event.topic == "warehouse.events"
    ]
    assert both.references.sscc is None
    apart = of(*events, shipped("left", 3, [PALLET, second], bizTransactionList=[]))
    codes = {
        event.references.sscc: event.references.shipment_id for event in apart if event.topic == "warehouse.events"
    }
    assert len(codes) == 2
    assert all(code == shipment for code, shipment in codes.items())


@pytest.mark.parametrize("step", ["storing", "stocking"])
def test_what_is_stored_is_put_away(step: str) -> None:
    position = world(MADE, seen("e", 2, step, TWO, **AT_HERE)).stock[f"{HERE_GLN}|{DRILL_ITEM}"]
    assert (position.on_hand, position.put_away, position.available) == (2_000, 2_000, 2_000)


def test_what_is_reserved_is_not_available_until_it_is_unset() -> None:
    reserved = seen("r", 2, "reserving", TWO, **AT_HERE)
    unset = seen("u", 3, "releasing", TWO[:1], persistentDisposition={"unset": ["reserved"]}, **AT_HERE)
    assert world(MADE, reserved).stock[f"{HERE_GLN}|{DRILL_ITEM}"].available == 0
    assert world(MADE, reserved, unset).stock[f"{HERE_GLN}|{DRILL_ITEM}"].available == 1_000


def test_what_is_held_is_quarantined_until_it_is_released() -> None:
    held = seen("h", 2, "holding", TWO, **AT_HERE)
    position = world(MADE, held).stock[f"{HERE_GLN}|{DRILL_ITEM}"]
    assert (position.on_hand, position.quarantined, position.available) == (2_000, 2_000, 0)
    position = world(MADE, held, seen("r", 3, "releasing", TWO, **AT_HERE)).stock[f"{HERE_GLN}|{DRILL_ITEM}"]
    assert (position.quarantined, position.available) == (0, 2_000)


def test_a_void_shipping_takes_the_shipping_back() -> None:
    rice: dict[str, Any] = {"quantityList": [{"epcClass": RICE, "quantity": 4, "uom": "KGM"}]}
    left = shipped("left", 3, TWO, **rice)
    void = seen("void", 4, "void_shipping", TWO[:1], bizTransactionList=[DESADV], **rice)
    after = world(MADE, RICE_MADE, left, void)
    assert (after.on_hand(DRILL_ITEM, HERE_GLN), after.in_transit(DRILL_ITEM)) == (1_000, 1_000)
    assert (after.on_hand(RICE_ITEM, HERE_GLN), after.in_transit(RICE_ITEM)) == (10_000, 0)
    all_back = seen("void", 4, "void_shipping", TWO, bizTransactionList=[DESADV])
    nothing = world(MADE, shipped("left", 3, TWO), all_back)
    assert nothing.on_hand(DRILL_ITEM, HERE_GLN) == 2_000
    assert nothing.shipments == {}
    again = world(MADE, shipped("left", 3, TWO), all_back, shipped("anew", 5, TWO))
    assert again.in_transit(DRILL_ITEM) == 2_000
    assert any("nobody told of" in note for note in notes(all_back))


def test_a_void_of_a_pallet_takes_back_what_is_in_it() -> None:
    packed = put("packed", 2, PALLET, TWO)
    void = seen("void", 4, "void_shipping", [PALLET], bizTransactionList=[DESADV])
    assert world(MADE, packed, shipped("left", 3, [PALLET]), void).on_hand(DRILL_ITEM, HERE_GLN) == 2_000


@pytest.mark.parametrize("step", ["stock_taking", "cycle_counting"])
def test_a_count_is_what_is_there(step: str) -> None:
    lots = [{"epcClass": RICE, "quantity": 3, "uom": "KGM"}, {"epcClass": RICE + "B", "quantity": 4, "uom": "KGM"}]
    position = world(RICE_MADE, seen("count", 2, step, quantityList=lots, **AT_HERE)).stock[f"{HERE_GLN}|{RICE_ITEM}"]
    assert (position.on_hand, position.count_variance) == (7_000, -3_000)


def test_a_transformation_uses_up_inputs_and_makes_outputs() -> None:
    baked = epcis(
        "TransformationEvent",
        "baked",
        3,
        inputQuantityList=[{"epcClass": RICE, "quantity": 4, "uom": "KGM"}],
        outputEPCList=TWO,
        **AT_HERE,
    )
    after = world(RICE_MADE, baked)
    assert (after.on_hand(RICE_ITEM, HERE_GLN), after.on_hand(DRILL_ITEM, HERE_GLN)) == (6_000, 2_000)


def test_a_pallet_with_cases_brings_everything_to_the_other_site() -> None:
    case_made = epcis("ObjectEvent", "case", 1, action="ADD", bizStep="commissioning", epcList=[CASE], **AT_HERE)
    rice = {"childQuantityList": [{"epcClass": RICE, "quantity": 2.5, "uom": "KGM"}]}
    events = (
        MADE,
        RICE_MADE,
        case_made,
        put("cased", 1.5, CASE, TWO),
        put("packed", 2, PALLET, [CASE], **rice),
        shipped("left", 3, [PALLET]),
    )
    under_way = world(*events)
    assert [under_way.on_hand(item, HERE_GLN) for item in (DRILL_ITEM, CASE_ITEM, RICE_ITEM)] == [0, 0, 7_500]
    assert [under_way.in_transit(item) for item in (DRILL_ITEM, CASE_ITEM, RICE_ITEM)] == [2_000, 1_000, 2_500]
    after = world(*events, received("came", 9, ["https://wms.example/00/106141412345678908"]))
    assert [after.on_hand(item, THERE_GLN) for item in (DRILL_ITEM, CASE_ITEM, RICE_ITEM)] == [2_000, 1_000, 2_500]
    assert [after.in_transit(item) for item in (DRILL_ITEM, CASE_ITEM, RICE_ITEM)] == [0, 0, 0]
    assert after.shipments[SHIPMENT].status == "delivered"
    assert after.shipments[SHIPMENT].lane == f"{HERE_GLN}>{THERE_GLN}"


def test_what_was_declared_wrong_never_was_and_what_corrects_it_counts() -> None:
    left = shipped("left", 3, TWO)
    declared = {
        **left,
        "errorDeclaration": {"declarationTime": "2026-11-03T00:00:00Z", "correctiveEventIDs": ["right"]},
    }
    right = shipped("right", 3, TWO[:1])
    assert world(MADE, left, declared).on_hand(DRILL_ITEM, HERE_GLN) == 2_000
    after = world(MADE, left, declared, right)
    assert (after.on_hand(DRILL_ITEM, HERE_GLN), after.in_transit(DRILL_ITEM)) == (1_000, 1_000)


def test_a_packing_that_was_declared_wrong_packs_nothing() -> None:
    packed = put("packed", 2, PALLET, TWO)
    declared = {**packed, "errorDeclaration": {"declarationTime": "2026-11-03T00:00:00Z"}}
    assert world(MADE, packed, declared, shipped("left", 3, [PALLET])).on_hand(DRILL_ITEM, HERE_GLN) == 2_000


def test_sensor_reports_are_conditions_of_the_shipment() -> None:
    reports = [
        {"type": "Temperature", "value": 50, "uom": "FAH", "time": "2026-11-01T12:00:00Z"},
        {"type": "gs1:RelativeHumidity", "meanValue": 61.25, "uom": "P1"},
        {"type": "https://gs1.org/voc/Acceleration", "maxValue": 19.6133, "uom": "MSK"},
        {"type": "Illuminance", "value": 800, "uom": "LUX"},
    ]
    told = seen(
        "s", 5, "sensor_reporting", [PALLET], sensorElementList=[{"sensorReport": reports}], readPoint={"id": HERE}
    )
    found = [event for event in of(told) if isinstance(event, ConditionReported)]
    assert [(str(one.temperature), str(one.humidity), str(one.shock)) for one in found] == [
        ("10.000", "None", "None"),
        ("None", "61.250", "None"),
        ("None", "None", "2.000"),
    ]
    assert {one.shipment_id for one in found} == {"106141412345678908"}
    assert found[0].occurred_at.isoformat() == "2026-11-01T12:00:00+00:00"
    assert any("Illuminance in LUX" in note for note in notes(told))


def test_an_order_of_classes_is_placed_and_other_transactions_are_kept_only() -> None:
    fields: dict[str, Any] = {
        "action": "ADD",
        "bizTransactionList": [{"type": "po", "bizTransaction": "urn:epcglobal:cbv:bt:0614141000012:4711"}],
        "sourceList": [{"type": "owning_party", "source": "urn:epc:id:pgln:4012345.00001"}],
        "destinationList": [{"type": "owning_party", "destination": "urn:epc:id:pgln:0614141.00001"}],
        "quantityList": [{"epcClass": RICE, "quantity": 10, "uom": "KGM"}],
    }
    (placed,) = of(epcis("TransactionEvent", "po", 1, **fields))
    assert isinstance(placed, OrderPlaced)
    assert (placed.order_id, placed.supplier, placed.buyer) == ("4711", "4012345000016", HERE_GLN)
    assert [(line.item, str(line.quantity), line.unit) for line in placed.lines] == [(RICE_ITEM, "10", "KGM")]
    tied = epcis("TransactionEvent", "tied", 1, **{**fields, "epcList": TWO})
    assert of(tied) == []
    assert any("ties goods to a business transaction" in note for note in notes(tied))


@pytest.mark.parametrize(
    "event",
    [
        seen("e", 1, "inspecting", TWO, **AT_HERE),
        epcis("ObjectEvent", "e", 1, action="OBSERVE", epcList=TWO),
        seen("e", 1, "storing", TWO),
        seen("e", 1, "storing", ["https://example.com/thing/1"], **AT_HERE),
        seen("e", 1, "storing", quantityList=[{"epcClass": RICE}], **AT_HERE),
        shipped("e", 1, [PALLET], bizTransactionList=[], destinationList=[], readPoint=None)
        | {"readPoint": {"id": HERE}},
        put("e", 1, PALLET, TWO),
        put("e", 1, PALLET, TWO, bizStep="shipping"),
        epcis("ObjectEvent", "e", 1, action="ADD", epcList=[PALLET], **AT_HERE),
    ],
)
def test_what_no_event_of_ours_follows_from_says_so(event: dict[str, Any]) -> None:
    assert not [one for one in of(event) if one.topic == "warehouse.events"]
    assert notes(event)


def test_every_event_of_ours_names_its_original_and_keeps_its_clock() -> None:
    for event in of(MADE, shipped("left", 3, TWO), received("came", 9, TWO, disposition="in_progress")):
        original = event.attributes["epcis_event_id"]
        assert event.event_id.startswith(f"{original}#")
        assert event.attributes["biz_step"] in {"commissioning", "shipping", "receiving"}
        assert event.occurred_at.isoformat().endswith("+01:00")
        assert event.source == "acme"
    assert any(
        event.attributes.get("disposition") == "in_progress"
        for event in of(received("came", 9, TWO, disposition="in_progress"))
    )


@pytest.mark.parametrize(
    ("time", "offset", "occurred", "found"),
    [
        ("2026-11-01T10:00:00+01:00", "+01:00", "2026-11-01T10:00:00+01:00", ()),
        ("2026-11-01T10:00:00Z", "+02:00", "2026-11-01T12:00:00+02:00", ()),
        ("2026-11-01T10:00:00Z", "+00:00", "2026-11-01T10:00:00+00:00", ()),
        ("2026-11-01T10:00:00.123456-06:00", "+02:00", "2026-11-01T10:00:00.123456-06:00", ("zone_contradicted",)),
    ],
)
def test_an_offset_that_contradicts_the_time_is_a_finding(
    time: str, offset: str, occurred: str, found: tuple[str, ...]
) -> None:
    (event, *_) = of({**MADE, "eventTime": time, "eventTimeZoneOffset": offset})
    assert event.occurred_at.isoformat() == occurred
    assert findings(event) == found


def test_bad_identifiers_are_findings_and_lose_nothing() -> None:
    fields = {"bizLocation": {"id": "https://id.gs1.org/414/0614141000013"}}
    (event,) = of(seen("e", 1, "storing", ["https://id.gs1.org/01/10614141073465/21/1"], **fields))
    assert findings(event) == ("gtin_check_digit", "gln_check_digit")
    (event,) = of(seen("e", 1, "storing", [CASE], bizLocation={"id": "https://example.com/sites/7"}))
    assert findings(event) == ("gln_form",)


def test_a_quantity_with_more_decimals_is_rounded_and_told() -> None:
    event = seen("e", 1, "storing", quantityList=[{"epcClass": RICE, "quantity": 1.23456, "uom": "KGM"}], **AT_HERE)
    assert str(of(event)[0].quantity) == "1.235"  # type: ignore[attr-defined]  # a PutAway
    assert any("three decimals" in note for note in notes(event))


@pytest.mark.parametrize("quantity", [1e12, 10**15 - 1, 999999999999.9999])
def test_a_quantity_that_is_too_large_is_told(quantity: float) -> None:
    event = seen("e", 1, "storing", quantityList=[{"epcClass": RICE, "quantity": quantity, "uom": "KGM"}], **AT_HERE)
    assert of(event) == []
    assert any("too large" in note for note in notes(event))


def test_milestones_on_the_way_need_no_goods() -> None:
    told = [
        seen(step, place, step, [PALLET], readPoint={"id": HERE})
        for place, step in enumerate(("loading", "unloading", "transporting"))
    ]
    milestones = {event.milestone for event in of(*told) if isinstance(event, MilestoneReported)}
    assert milestones == {"loaded", "discharged", "out_for_delivery"}


def test_a_return_comes_in_as_one_and_delivers_nothing() -> None:
    assert kinds(received("back", 9, TWO, disposition="returned")) == ["returned"]


def test_a_long_event_id_leaves_room_for_ours() -> None:
    long = "https://example.com/events/" + "x" * 300
    (event,) = of(seen(long, 1, "storing", TWO, **AT_HERE))
    assert len(event.event_id) <= 200
    assert event.attributes["epcis_event_id"] == long


@pytest.mark.parametrize(
    ("uri", "number"),
    [
        ("urn:epcglobal:cbv:bt:0614141073467:1152", "1152"),
        ("urn:epcglobal:cbv:bt:0614141073467:A%2F1", "A/1"),
        ("http://transaction.acme.com/po/12345678", "12345678"),
        ("urn:epc:id:gdti:4012345.55555.98", "401234555555498"),
        ("https://id.gs1.org/253/401234555555498", "401234555555498"),
        ("PO-1", "PO-1"),
        ("https://example.com/po/a%7Cb", None),
    ],
)
def test_a_document_is_called_what_people_call_it(uri: str, number: str | None) -> None:
    assert document_number(uri) == number


def test_what_somebody_else_says_of_a_shipment_changes_nothing_that_its_sender_said_of_it() -> None:
    def order(number: str) -> list[dict[str, str]]:
        return [DESADV, {"type": "po", "bizTransaction": number}]

    rice: dict[str, Any] = {"quantityList": [{"epcClass": RICE, "quantity": 5, "uom": "KGM"}]}
    own = captured(
        shipped("left", 3, **rice, bizTransactionList=order("4711")), received("came", 9, **rice), source="acme"
    )
    others = captured(shipped("odd", 3, **rice, bizTransactionList=order("666")), source="other")
    warehouse = captured(received("seen", 9, **rice, bizTransactionList=order("4711")), source="wms")
    for events in (own, [*own, *others], [*own, *others, *warehouse]):
        derived = derive(events)
        for one in events:
            if one.key.event_id in {"came", "seen"}:
                (delivered,) = [each for each in derived.drafts[one.key] if each.document["type"] == "milestone"]
                assert delivered.document["lines"] == [
                    {"item": RICE_ITEM, "quantity": "5", "unit": "KGM", "order_id": "4711"}
                ]


def test_what_is_taken_back_once_can_leave_again() -> None:
    void = {"bizTransactionList": [DESADV]}
    events = [
        MADE,
        shipped("left", 3, TWO),
        seen("void", 4, "void_shipping", TWO[:1], **void),
        seen("again", 5, "void_shipping", TWO[:1], **void),
        shipped("more", 6, TWO[:1]),
    ]
    assert world(*events[:4]).in_transit(DRILL_ITEM) == 1_000
    assert world(*events).in_transit(DRILL_ITEM) == 2_000
    assert any("nobody told of" in note for note in notes(*events))


@pytest.mark.parametrize("place", ["http://[", "https://[x", "http://a]b"])
def test_an_address_that_cannot_be_taken_apart_is_a_name(place: str) -> None:
    event = seen("e", 1, "storing", TWO, bizLocation={"id": place}, bizTransactionList=[{"bizTransaction": place}])
    assert {one.site for one in of(event)} == {place}  # type: ignore[attr-defined]  # a PutAway
    assert document_number(place) == place
