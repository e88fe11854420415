import pytest

from schemas.epcis.identifiers import check_digit, identify
from schemas.identifiers import is_gln, is_gtin, is_sscc


@pytest.mark.parametrize(
    ("text", "kind", "key", "lot", "serial"),
    [
        ("urn:epc:id:sgtin:0614141.107346.2017", "gtin", "10614141073464", None, "2017"),
        ("https://id.gs1.org/01/10614141073464/21/2017", "gtin", "10614141073464", None, "2017"),
        ("http://shop.example/de/drills/01/614141111114/10/L%2F1/21/7?a=b", "gtin", "00614141111114", "L/1", "7"),
        ("https://id.gs1.org/gtin/00614141111114/lot/L1", "gtin", "00614141111114", "L1", None),
        ("urn:epc:class:lgtin:0614141.077777.L1", "gtin", "00614141777778", "L1", None),
        ("urn:epc:idpat:sgtin:0614141.077777.*", "gtin", "00614141777778", None, None),
        ("https://id.gs1.org/01/00614141777778", "gtin", "00614141777778", None, None),
        ("urn:epc:id:sscc:0614141.1234567890", "sscc", "106141412345678908", None, None),
        ("https://id.gs1.org/00/106141412345678908", "sscc", "106141412345678908", None, None),
        ("urn:epc:id:sgln:0614141.00001.0", "gln", "0614141000012", None, None),
        ("urn:epc:id:pgln:0614141.00001", "party", "0614141000012", None, None),
        ("https://id.gs1.org/417/0614141000012", "party", "0614141000012", None, None),
        ("urn:epc:id:gdti:4012345.55555.98", "gdti", "4012345555554", None, "98"),
        ("https://id.gs1.org/253/401234555555498", "gdti", "4012345555554", None, "98"),
        ("urn:epc:id:bic:CSQU3054383", "container", "CSQU3054383", None, None),
        ("urn:epc:id:grai:4012345.66666.87", "grai", "04012345666663", None, "87"),
        ("http://transaction.acme.com/po/12345678", "unknown", "", None, None),
        ("geo:47.506694,11.104301", "unknown", "", None, None),
        ("urn:epc:id:sgtin:0614141.1073.2017", "unknown", "", None, None),
        ("urn:epc:id:sgtin:0614141.107346", "unknown", "", None, None),
        ("urn:epc:idpat:sgtin:0614141.*.*", "unknown", "", None, None),
        ("urn:epc:", "unknown", "", None, None),
    ],
)
def test_what_an_identifier_says(text: str, kind: str, key: str, lot: str | None, serial: str | None) -> None:
    found = identify(text)
    assert (found.kind, found.key, found.lot, found.serial, found.is_wrong) == (kind, key, lot, serial, False)


def test_a_urn_and_its_digital_link_are_one_identifier() -> None:
    for urn, link in (
        ("urn:epc:id:sgtin:0614141.107346.2017", "https://x.example/01/10614141073464/21/2017"),
        ("urn:epc:id:sscc:0614141.1234567890", "https://id.gs1.org/00/106141412345678908"),
        ("urn:epc:id:sgln:0614141.00001.400", "https://id.gs1.org/414/0614141000012/254/400"),
        ("urn:epc:class:lgtin:0614141.077777.L1", "https://id.gs1.org/01/00614141777778/10/L1"),
        ("urn:epc:id:grai:4012345.66666.87", "https://id.gs1.org/8003/0401234566666387"),
    ):
        assert identify(urn).canonical == identify(link).canonical


def test_computed_check_digits_check() -> None:
    assert is_gtin(identify("urn:epc:id:sgtin:0614141.107346.2017").key)
    assert is_sscc(identify("urn:epc:id:sscc:0614141.1234567890").key)
    assert is_gln(identify("urn:epc:id:sgln:0614141.00001.0").key)
    assert check_digit("629104150021") == "3"


@pytest.mark.parametrize(
    "link",
    [
        "https://id.gs1.org/01/10614141073465/21/2017",
        "https://id.gs1.org/00/106141412345678909",
        "https://id.gs1.org/414/0614141000013",
    ],
)
def test_a_link_with_a_wrong_check_digit_is_read_and_told(link: str) -> None:
    assert identify(link).is_wrong
    assert identify(link).key


def test_the_extension_of_a_location_is_kept() -> None:
    assert identify("urn:epc:id:sgln:0614141.00001.400").extension == "400"
    assert identify("urn:epc:id:sgln:0614141.00001.0").extension is None
