import json
from typing import Any

import pytest

from schemas.epcis.document import MAX_EVENTS, NotADocument, read_document
from tests.schemas.epcis.making import CASE, DESADV, DRILL, HERE, PALLET, RICE, THERE, document, epcis, put, seen

OBJECT = epcis(
    "ObjectEvent",
    "urn:uuid:1",
    8,
    action="OBSERVE",
    bizStep="shipping",
    disposition="in_transit",
    epcList=[CASE, "https://id.gs1.org/01/10614141073464/21/2018"],
    quantityList=[{"epcClass": RICE, "quantity": 2.5, "uom": "KGM"}],
    readPoint={"id": HERE, "example:door": "7"},
    bizLocation={"id": "https://id.gs1.org/414/0614141000012"},
    bizTransactionList=[DESADV, {"bizTransaction": "https://example.com/x/1"}],
    sourceList=[{"type": "owning_party", "source": "urn:epc:id:pgln:0614141.00001"}],
    destinationList=[{"type": "location", "destination": THERE}],
    persistentDisposition={"set": ["completeness_verified"], "unset": ["completeness_inferred"]},
    sensorElementList=[
        {
            "sensorMetadata": {"time": "2026-11-01T08:00:00Z", "deviceID": "urn:epc:id:giai:4000001.111"},
            "sensorReport": [{"type": "Temperature", "value": 26, "uom": "CEL", "example:raw": [1]}],
        }
    ],
    **{"example:note": {"any": ["thing"]}, "@context": "https://x.example"},
)
AGGREGATION = put("urn:uuid:2", 8, PALLET, [CASE], childQuantityList=[{"epcClass": RICE, "quantity": 1}])
ASSOCIATION = epcis(
    "AssociationEvent", "urn:uuid:3", 8, action="ADD", parentID="urn:epc:id:grai:4012345.66666.87", childEPCs=[CASE]
)
TRANSACTION = epcis("TransactionEvent", "urn:uuid:4", 8, action="ADD", bizTransactionList=[DESADV], epcList=[CASE])
TRANSFORMATION = epcis(
    "TransformationEvent",
    "urn:uuid:5",
    8,
    inputQuantityList=[{"epcClass": RICE, "quantity": 10, "uom": "KGM"}],
    outputEPCList=[f"{DRILL}1"],
    ilmd={"example:batch": "4711"},
)
VALID = (OBJECT, AGGREGATION, ASSOCIATION, TRANSACTION, TRANSFORMATION)


def without(event: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name not in names}


def test_a_document_with_an_event_of_each_type_is_read() -> None:
    read = read_document(document(*VALID))
    assert not read.problems
    assert [told.event.type for told in read.told] == [event["type"] for event in VALID]
    assert [told.document for told in read.told][1:] == list(VALID)[1:]
    assert read.told[0].event.biz_step == "shipping"


@pytest.mark.parametrize("event", VALID)
def test_a_bare_event_a_list_and_a_single_event_are_documents_too(event: dict[str, Any]) -> None:
    for whole in (event, [event], {"eventList": [event]}, {"type": "EPCISDocument", "epcisBody": {"event": event}}):
        read = read_document(json.dumps(whole).encode())
        assert not read.problems
        assert [told.event.event_id for told in read.told] == [event["eventID"]]


@pytest.mark.parametrize(
    "said",
    [
        "shipping",
        "https://ref.gs1.org/cbv/BizStep-shipping",
        "cbv:BizStep-shipping",
        "urn:epcglobal:cbv:bizstep:shipping",
    ],
)
def test_a_word_of_the_vocabulary_may_be_written_in_four_ways(said: str) -> None:
    (told,) = read_document(document({**OBJECT, "bizStep": said})).told
    assert told.event.biz_step == "shipping"


def test_a_step_of_ones_own_is_a_uri() -> None:
    own = "https://example.com/steps/painting"
    assert read_document(document({**OBJECT, "bizStep": own})).told[0].event.biz_step == own


@pytest.mark.parametrize(
    ("event", "path", "words"),
    [
        (without(OBJECT, "eventTime"), "eventTime", "is missing"),
        (without(OBJECT, "eventTimeZoneOffset"), "eventTimeZoneOffset", "is missing"),
        (without(OBJECT, "type"), "type", "is missing"),
        (without(OBJECT, "action"), "action", "is missing"),
        ({**OBJECT, "type": "QuantityEvent"}, "type", "no type of event"),
        ({**OBJECT, "eventTime": "2026-11-01T08:00:00"}, "eventTime", "RFC 3339"),
        ({**OBJECT, "eventTime": "1 November"}, "eventTime", "RFC 3339"),
        ({**OBJECT, "eventTime": 1}, "eventTime", "RFC 3339"),
        ({**OBJECT, "eventTimeZoneOffset": "+1:00"}, "eventTimeZoneOffset", "form"),
        ({**OBJECT, "action": "MOVE"}, "action", "'ADD', 'OBSERVE' or 'DELETE'"),
        ({**OBJECT, "bizStep": "shiping"}, "bizStep", "no word of CBV 2.0"),
        ({**OBJECT, "disposition": "lost"}, "disposition", "no word of CBV 2.0"),
        ({**OBJECT, "epcs": []}, "epcs", "no field of EPCIS 2.0"),
        ({**OBJECT, "readPoint": {"id": HERE, "door": 7}}, "readPoint.door", "no field of EPCIS 2.0"),
        (
            {**OBJECT, "quantityList": [{"epcClass": RICE, "quantity": "2"}]},
            "quantityList[0].quantity",
            "no JSON number",
        ),
        ({**OBJECT, "quantityList": [{"epcClass": RICE, "uom": "KGM"}]}, "quantityList[0].uom", "measures a quantity"),
        ({**OBJECT, "quantityList": [{"epcClass": RICE, "quantity": -1}]}, "quantityList[0].quantity", "greater than"),
        ({**OBJECT, "bizTransactionList": [{"type": "po"}]}, "bizTransactionList[0].bizTransaction", "is missing"),
        ({**OBJECT, "sourceList": [{"type": "seller", "source": HERE}]}, "sourceList[0].type", "no word of CBV 2.0"),
        (without(OBJECT, "epcList", "quantityList", "readPoint"), "", "about nothing"),
        (without(OBJECT, "epcList", "quantityList", "sensorElementList"), "", "about nothing"),
        ({**OBJECT, "ilmd": {}}, "ilmd", "only with action ADD"),
        (without(AGGREGATION, "parentID"), "parentID", "required with action ADD"),
        (without(AGGREGATION, "childEPCs", "childQuantityList"), "childEPCs", "must name children"),
        (without(ASSOCIATION, "parentID"), "parentID", "is missing"),
        ({**TRANSACTION, "bizTransactionList": []}, "bizTransactionList", "at least 1"),
        (without(TRANSACTION, "bizTransactionList"), "bizTransactionList", "is missing"),
        ({**TRANSFORMATION, "action": "ADD"}, "action", "no field"),
        (without(TRANSFORMATION, "outputEPCList"), "", "inputs and outputs"),
        (
            {**OBJECT, "errorDeclaration": {"reason": "incorrect_data"}},
            "errorDeclaration.declarationTime",
            "is missing",
        ),
        ({**OBJECT, "sensorElementList": [{"sensorReport": []}]}, "sensorElementList[0].sensorReport", "at least 1"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(event: dict[str, Any], path: str, words: str) -> None:
    read = read_document(document(AGGREGATION, event))
    (problem,) = read.problems
    assert [told.place for told in read.told] == [0]
    assert problem.place == 1
    assert problem.path == "epcisBody.eventList[1]" + (f".{path}" if path else "")
    assert words in problem.reason
    assert problem.reason.endswith(".")


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "not JSON"),
        (b"<epcis:EPCISDocument/>", "XML"),
        (b"4711", "no JSON object"),
        (b'{"type": "EPCISDocument"}', "no epcisBody"),
        (b'{"type": "EPCISDocument", "epcisBody": {}}', "no eventList"),
        (b'{"type": "EPCISQueryDocument", "epcisBody": {"eventList": []}}', "only an EPCISDocument"),
        (b'{"type": "EPCISDocument", "schemaVersion": "1.2", "epcisBody": {"eventList": []}}', "EPCIS 2.0"),
        (b'{"type": "EPCISDocument", "epcisBody": {"eventList": [{"quantity": NaN}]}}', "no JSON number"),
        (b"[" * 100_000, "not JSON"),
        (json.dumps([{}] * (MAX_EVENTS + 1)).encode(), "in parts"),
    ],
)
def test_what_is_no_document_is_refused_as_a_whole(raw: bytes, words: str) -> None:
    with pytest.raises(NotADocument, match=words):
        read_document(raw)


def test_an_event_that_is_no_object_costs_only_itself() -> None:
    read = read_document(document(AGGREGATION, 7))  # type: ignore[arg-type]  # the point
    assert [told.place for told in read.told] == [0]
    assert [(problem.place, problem.path) for problem in read.problems] == [(1, "epcisBody.eventList[1]")]


def test_aggregations_need_no_children_to_empty_a_parent_and_no_parent_to_be_observed() -> None:
    emptied = without({**AGGREGATION, "action": "DELETE"}, "childEPCs", "childQuantityList")
    observed = without({**AGGREGATION, "action": "OBSERVE"}, "parentID")
    assert not read_document(document(emptied, observed)).problems


def test_an_error_declaration_is_read() -> None:
    declared = {
        **OBJECT,
        "errorDeclaration": {"declarationTime": "2026-11-02T08:00:00Z", "correctiveEventIDs": ["urn:x:1"]},
    }
    (told,) = read_document(document(declared)).told
    assert told.event.error_declaration is not None
    assert told.event.error_declaration.corrective_event_ids == ("urn:x:1",)


def test_quantities_are_exact() -> None:
    (told,) = read_document(document(seen("e", 1, "shipping", quantityList=[{"epcClass": RICE, "quantity": 0.1}]))).told
    assert str(told.event.quantity_list[0].quantity) == "0.1"  # type: ignore[union-attr]  # an ObjectEvent


@pytest.mark.parametrize("quantity", ["9e999999", "1e15", "1e-999999", "1" * 41, "0." + "1" * 41, "-1e300"])
def test_a_number_that_nobody_can_reckon_with_is_refused_by_its_field(quantity: str) -> None:
    event = put("e", 8, PALLET, [], childQuantityList=[{"epcClass": RICE, "quantity": 0}])
    read = read_document(document(event).replace(b'"quantity": 0', b'"quantity": ' + quantity.encode()))
    assert [problem.path for problem in read.problems] == ["epcisBody.eventList[0].childQuantityList[0].quantity"]


@pytest.mark.parametrize("odd", [{"type": "\ud800"}, {"type": "ObjectEvent", "eventID": "\udfff", "\ud800": "\ud800"}])
def test_what_is_wrong_can_always_be_shown(odd: dict[str, Any]) -> None:
    (problem,) = read_document(json.dumps({"eventList": [odd]}).encode()).problems
    assert all(text.encode() is not None for text in (problem.path, problem.reason, problem.event_id))


@pytest.mark.parametrize("number", ["1e99999999999999999999", "0." + "1" * 5_000])
def test_a_number_that_cannot_even_be_read_is_a_wrong_document(number: str) -> None:
    with pytest.raises(NotADocument, match="nobody can keep"):
        read_document(b'{"eventList": [' + number.encode() + b"]}")
