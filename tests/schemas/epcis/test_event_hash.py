"""The event hash against the values that RalphTro/epcis-event-hash-generator publishes (tests/examples, CBV 2.0)."""

import hashlib
from typing import Any

import pytest

from schemas.epcis.event_hash import event_hash, pre_hash
from tests.schemas.epcis.making import epcis

EXAMPLE = [{"example": "https://ns.example.com/epcis/"}, {"cbvmda": "urn:epcglobal:cbv:mda:"}]


def _object(**fields: Any) -> dict[str, Any]:
    return {"type": "ObjectEvent", "action": "OBSERVE", **fields}


VECTORS: list[tuple[str, dict[str, Any], str]] = [
    (
        "extensions",
        _object(
            eventTime="2020-03-04T11:00:30.000+01:00",
            eventTimeZoneOffset="+01:00",
            recordTime="2020-03-04T11:00:30.999+01:00",
            epcList=[f"urn:epc:id:sscc:4012345.0000000{number}" for number in (333, 111, 222)],
            bizStep="departing",
            readPoint={"id": "urn:epc:id:sgln:4012345.00011.987"},
            **{
                "example:myField1": {"example:mySubField1": "2", "example:mySubField2": "5"},
                "example:myField2": "0",
                "example:myField3": {"example:mySubField3": ["3", "1"]},
            },
        ),
        "6ae96341e0acc6d7a261364751f60e68278a81cdf51da0abb6b4e617014e39d7",
    ),
    (
        "sensors",
        _object(
            eventTime="2020-04-01T15:00:00+01:00",
            eventTimeZoneOffset="+01:00",
            epcList=["urn:epc:id:sgtin:4012345.011111.9876"],
            bizStep="inspecting",
            readPoint={"id": "urn:epc:id:sgln:4012345.00005.0"},
            sensorElementList=[
                {
                    "sensorMetadata": {
                        "deviceID": "urn:epc:id:giai:4000001.111",
                        "deviceMetadata": "https://id.gs1.org/8004/4000001111",
                    },
                    "sensorReport": [
                        {"type": "Temperature", "value": 26, "sDev": 0.1, "uom": "CEL"},
                        {"type": "AbsoluteHumidity", "value": 12.1, "uom": "A93"},
                        {
                            "type": "Dimensionless",
                            "microorganism": "https://www.ncbi.nlm.nih.gov/taxonomy/1126011",
                            "value": 0.05,
                            "uom": "C35",
                        },
                        {
                            "type": "Dimensionless",
                            "chemicalSubstance": "https://identifiers.org/inchikey:CZMRCDWAGMRECN-UGDNZRGBSA-N",
                            "value": 0.18,
                            "uom": "C35",
                        },
                    ],
                }
            ],
        ),
        "49b13037c36e84ad9307c531671b00e901318c3957e4b1151f816ec49eb668da",
    ),
    (
        "parties and an extension of the read point",
        _object(
            eventTime="2020-03-04T11:00:30+01:00",
            eventTimeZoneOffset="+01:00",
            epcList=["urn:epc:id:sgtin:0614141.011111.987"],
            bizStep="departing",
            disposition="in_transit",
            readPoint={"id": "urn:epc:id:sgln:4012345.00011.0", "example:myField1": "AB-12"},
            bizTransactionList=[{"type": "po", "bizTransaction": "urn:epc:id:gdti:4012345.11111.123"}],
            sourceList=[{"type": "owning_party", "source": "urn:epc:id:pgln:4012345.00000"}],
            destinationList=[{"type": "owning_party", "destination": "urn:epc:id:pgln:0614141.00000"}],
            **{"example:userExt": "CD-34"},
        ),
        "3ae14c02c4bdc220cc31942cf804f6845eb8dec96ba6483391c92a9b165f9329",
    ),
    (
        "every key of GS1",
        _object(
            eventTime="2023-03-27T11:30:00.0Z",
            eventTimeZoneOffset="+01:00",
            epcList=[
                "urn:epc:id:sgtin:4012345.012345.12",
                "urn:epc:id:sscc:4012345.0000000333",
                "https://id.gs1.org/00/040123450000003338",
                "urn:epc:id:grai:4012345.66666.87",
                "urn:epc:id:giai:4012345.AAbb",
                "urn:epc:id:gsrn:4012345.9876540000",
                "urn:epc:id:gsrnp:4012345.0000098765",
                "urn:epc:id:gdti:4012345.55555.98",
                "urn:epc:id:cpi:4012345.ABC.123",
                "urn:epc:id:sgcn:4012345.99999.44",
                "urn:epc:id:ginc:4012345.333",
                "urn:epc:id:gsin:4012345.999987654",
                "urn:epc:id:itip:4012345.012345.01.02.999",
                "urn:epc:id:upui:4012345.012345.AB12",
            ],
            quantityList=[
                {"epcClass": "urn:epc:class:lgtin:4054739.099914.20160711"},
                {"epcClass": "urn:epc:idpat:sgtin:4054739.099914.*"},
                {"epcClass": "urn:epc:idpat:grai:4012345.66666.*"},
                {"epcClass": "urn:epc:idpat:gdti:4012345.55555.*"},
                {"epcClass": "urn:epc:idpat:sgcn:4012345.99999.*"},
                {"epcClass": "urn:epc:idpat:cpi:4012345.ABC.*"},
                {"epcClass": "urn:epc:idpat:itip:4012345.012345.01.02.*"},
            ],
            bizStep="other",
            readPoint={"id": "urn:epc:id:sgln:4012345.00011.987"},
        ),
        "40744f32beff53a4bf5bb5956d465cb52de5bbcc9f131409d8efb903b04d9351",
    ),
    (
        "several documents and parties",
        _object(
            eventTime="2019-10-21T11:00:30.000+01:00",
            eventTimeZoneOffset="+01:00",
            epcList=["urn:epc:id:sscc:5200001.0111111146"],
            bizStep="departing",
            readPoint={"id": "urn:epc:id:sgln:5200001.99901.0"},
            bizTransactionList=[
                {"type": "desadv", "bizTransaction": "urn:epcglobal:cbv:bt:5200001000008:4711"},
                {"type": "inv", "bizTransaction": "urn:epcglobal:cbv:bt:5200001000008:RE1099"},
            ],
            sourceList=[{"type": "possessing_party", "source": "urn:epc:id:pgln:5200001.00000"}],
            destinationList=[
                {"type": "possessing_party", "destination": "urn:epc:id:pgln:4000001.98765"},
                {"type": "location", "destination": "urn:epc:id:sgln:4012345.00012.0"},
            ],
        ),
        "253f0178f96349eedc207505b49044a602129605cf692e3d9f1f36c8bd1dfb0d",
    ),
    (
        "master data",
        {
            "type": "ObjectEvent",
            "eventTime": "2019-10-21T14:58:56.000+02:00",
            "eventTimeZoneOffset": "+02:00",
            "quantityList": [
                {"epcClass": "urn:epc:class:lgtin:4054739.099914.20160711", "quantity": 600, "uom": "KGM"}
            ],
            "action": "ADD",
            "bizStep": "commissioning",
            "readPoint": {"id": "urn:epc:id:sgln:4054739.00001.0"},
            "ilmd": {"cbvmda:bestBeforeDate": "2019-10-21"},
        },
        "5f396ea5cb32fe4d0980cb79f5a5eb9640559e9f5a6cefa5c98a7d6ad554b50b",
    ),
    (
        "aggregation of things",
        {
            "type": "AggregationEvent",
            "eventTime": "2019-10-21T11:58:56.591+02:00",
            "eventTimeZoneOffset": "+02:00",
            "parentID": "urn:epc:id:sscc:4047023.0111111122",
            "childEPCs": [f"urn:epc:id:sgtin:4047023.077551.{serial}" for serial in (98, 97, 107, 109)],
            "action": "ADD",
            "bizStep": "packing",
            "readPoint": {"id": "urn:epc:id:sgln:4047023.00012.0"},
        },
        "c941e6486c561c2be83c28dc228c150eaef9a6befb1015e6cc563982fb7414b6",
    ),
    (
        "aggregation of classes",
        {
            "type": "AggregationEvent",
            "eventTime": "2019-10-21T17:30:56.591+02:00",
            "eventTimeZoneOffset": "+02:00",
            "parentID": "urn:epc:id:sscc:4012344.0111111133",
            "childQuantityList": [
                {"epcClass": "urn:epc:class:lgtin:4054739.099902.P2", "quantity": 12, "uom": "KGM"},
                {"epcClass": "urn:epc:class:lgtin:4054739.012345.lot2", "quantity": 17},
            ],
            "action": "ADD",
            "bizStep": "packing",
            "readPoint": {"id": "urn:epc:id:sgln:4012345.00025.0"},
        },
        "cfda50b7ff23682e989bafc3747ac9b752f405305fcde6618280f6be27344f35",
    ),
    (
        "transaction",
        {
            "type": "TransactionEvent",
            "eventTime": "2019-10-21T00:05:00-06:00",
            "eventTimeZoneOffset": "-06:00",
            "epcList": ["urn:epc:id:sgtin:0614141.107340.1", "urn:epc:id:sgtin:0614141.107340.2"],
            "action": "ADD",
            "bizStep": "shipping",
            "readPoint": {"id": "urn:epc:id:sgln:4012345.00000.5"},
            "bizLocation": {"id": "urn:epc:id:sgln:4012345.00000.0"},
            "bizTransactionList": [{"type": "po", "bizTransaction": "urn:epcglobal:cbv:bt:4012345123456:RE100099"}],
        },
        "cf6559dc931963f19ed9cd2fe33c02ef64c8cfd557e5a96b086a87db315b7122",
    ),
    (
        "transformation",
        {
            "type": "TransformationEvent",
            "eventTime": "2019-10-21T14:58:56.591+02:00",
            "eventTimeZoneOffset": "+02:00",
            "inputEPCList": ["urn:epc:id:sgtin:4012345.011122.25", "urn:epc:id:sgtin:4000001.065432.99886655"],
            "outputEPCList": [f"urn:epc:id:sgtin:4012345.077889.{serial}" for serial in (25, 26, 27, 28)],
            "inputQuantityList": [
                {"epcClass": "urn:epc:class:lgtin:4012345.011111.4444", "quantity": 10, "uom": "KGM"},
                {"epcClass": "urn:epc:class:lgtin:0614141.077777.987", "quantity": 30},
                {"epcClass": "urn:epc:idpat:sgtin:4012345.066666.*", "quantity": 220},
            ],
            "bizStep": "commissioning",
            "readPoint": {"id": "urn:epc:id:sgln:4012345.00001.0"},
            "ilmd": {"example:bestBeforeDate": "2015-11-10", "example:batch": "XYZ"},
        },
        "36ab2ba0e3eac03d14a630148c63c31da00b8c4f1c311f501eb459e89a6e6350",
    ),
    (
        "a step of one's own",
        {
            "type": "TransformationEvent",
            "eventTime": "2019-10-21T14:58:56.591+02:00",
            "eventTimeZoneOffset": "+02:00",
            "inputEPCList": ["urn:epc:id:sgtin:4012345.011122.25", "urn:epc:id:sgtin:4000001.065432.99886655"],
            "outputQuantityList": [{"epcClass": "urn:epc:class:lgtin:4054739.099902.P20131121", "quantity": 9520}],
            "transformationID": "urn:epc:id:gdti:4012345.55555.1234",
            "bizStep": "http://epcis.example.com/user/vocab/bizstep/exampling",
            "readPoint": {"id": "urn:epc:id:sgln:4012345.00001.0"},
        },
        "756558aa09b2d38c6bcb6e50eab2fcbebd9bde17362a7c4f4686a5d7f5fb013f",
    ),
    (
        "Digital Links, eventID and recordTime",
        _object(
            eventTime="2019-10-21T14:45:00Z",
            recordTime="2023-06-02T07:03:16.073Z",
            eventTimeZoneOffset="+01:00",
            eventID="ni:///sha-256;b3d481c5590757ab8361a6cb0e924820feb3b61eb568e7d7703f21a96f76f51d?ver=CBV2.0",
            epcList=["https://id.gs1.org/00/040123451111111127"],
            bizStep="inspecting",
            disposition="in_progress",
            readPoint={"id": "https://id.gs1.org/414/4012345000245/254/1"},
        ),
        "b3d481c5590757ab8361a6cb0e924820feb3b61eb568e7d7703f21a96f76f51d",
    ),
]


@pytest.mark.parametrize(
    ("event", "expected"), [vector[1:] for vector in VECTORS], ids=[vector[0] for vector in VECTORS]
)
def test_the_hash_is_the_one_that_the_reference_implementation_publishes(event: dict[str, Any], expected: str) -> None:
    assert event_hash(event, EXAMPLE) == f"ni:///sha-256;{expected}?ver=CBV2.0"


def test_an_error_declaration_has_the_hash_of_what_it_declares_wrong() -> None:
    event = {
        "type": "TransformationEvent",
        "eventTime": "2020-01-14T00:00:00.000+01:00",
        "eventTimeZoneOffset": "+01:00",
        "eventID": "urn:uuid:374d95fc-9457-4a51-bd6a-0bba133845a8",
        "inputEPCList": ["urn:epc:id:sgtin:4012345.011111.987"],
        "outputEPCList": ["urn:epc:id:sgtin:4012345.033333.AGHFG"],
        "inputQuantityList": [{"epcClass": "urn:epc:class:lgtin:4012345.022222.87545GHGH"}],
        "outputQuantityList": [{"epcClass": "urn:epc:idpat:sgtin:4012345.044444.*", "quantity": 452.0, "uom": "KGM"}],
        "bizStep": "commissioning",
        "readPoint": {"id": "urn:epc:id:sgln:4012345.00000.0"},
    }
    declaration = {"declarationTime": "2020-01-15T00:00:00.000+01:00", "reason": "incorrect_data"}
    text = (
        "eventType=TransformationEventeventTime=2020-01-13T23:00:00.000ZeventTimeZoneOffset=+01:00inputEPCList"
        "epc=https://id.gs1.org/01/04012345111118/21/987inputQuantityListquantityElement"
        "epcClass=https://id.gs1.org/01/04012345222227/10/87545GHGHoutputEPCList"
        "epc=https://id.gs1.org/01/04012345333336/21/AGHFGoutputQuantityListquantityElement"
        "epcClass=https://id.gs1.org/01/04012345444445quantity=452uom=KGM"
        "bizStep=https://ref.gs1.org/cbv/BizStep-commissioningreadPointid=https://id.gs1.org/414/4012345000009"
    )
    assert pre_hash(event) == pre_hash({**event, "errorDeclaration": declaration}) == text
    assert event_hash(event) == f"ni:///sha-256;{hashlib.sha256(text.encode()).hexdigest()}?ver=CBV2.0"


def test_two_ways_of_writing_one_event_have_one_hash() -> None:
    urns = epcis(
        "ObjectEvent",
        None,
        10,
        action="OBSERVE",
        bizStep="urn:epcglobal:cbv:bizstep:shipping",
        epcList=["urn:epc:id:sgtin:0614141.107346.2017", "urn:epc:id:sscc:0614141.1234567890"],
        readPoint={"id": "urn:epc:id:sgln:0614141.00001.0"},
    )
    links = {
        "epcList": ["https://example.com/00/106141412345678908", "https://shop.example/01/10614141073464/21/2017?x=1"],
        "readPoint": {"id": "https://id.gs1.org/414/0614141000012"},
        "bizStep": "https://ref.gs1.org/cbv/BizStep-shipping",
        "eventTime": "2026-11-01T09:00:00Z",
    }
    assert event_hash(urns) == event_hash({**urns, **links})
    assert event_hash(urns) != event_hash({**urns, "action": "ADD"})
