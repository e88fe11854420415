from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.identifiers import findings, is_container, is_gln, is_gtin, is_sscc, is_unlocode
from schemas.shipment import MilestoneReported, ShipmentLine
from schemas.warehouse import Received
from tests.strategies import warehouse_events

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize("gtin", ["96385074", "036000291452", "4006381333931", "00012345600012"])
def test_published_gtins_check(gtin: str) -> None:
    assert is_gtin(gtin)


@pytest.mark.parametrize(
    "text", ["96385075", "4006381333932", "123456789", "", "400638133393x", "٤٠٠٦٣٨١٣٣٣٩٣١", "4006381333931 "]
)
def test_what_is_no_gtin_does_not_check(text: str) -> None:
    assert not is_gtin(text)


def test_gln_and_sscc_of_the_gs1_specifications_check() -> None:
    assert is_gln("9506000111179")
    assert not is_gln("9506000111178")
    assert not is_gln("036000291452")  # a GTIN-12 is no GLN
    assert is_sscc("106141412345678908")
    assert not is_sscc("106141412345678909")
    assert not is_sscc("4006381333931")


@pytest.mark.parametrize("number", ["CSQU3054383", "CSQU 305438 3", "CSQU 305438-3", "MSKU9070323"])
def test_container_numbers_of_iso_6346_check(number: str) -> None:
    assert is_container(number)


@pytest.mark.parametrize("number", ["CSQU3054384", "csqu3054383", "CSQU305438", "CSQ3054383", ""])
def test_other_container_numbers_do_not_check(number: str) -> None:
    assert not is_container(number)


def test_a_container_check_value_of_ten_is_written_as_zero() -> None:
    by_hand = {f"TEXU{serial:06d}" for serial in range(2_000) if _remainder(f"TEXU{serial:06d}") == 10}
    assert by_hand
    assert all(is_container(f"{number}0") for number in by_hand)


def _remainder(number: str) -> int:
    """ISO 6346 again, with the published table of letter values."""
    table = "A10 B12 C13 D14 E15 F16 G17 H18 I19 J20 K21 L23 M24 N25 O26 P27 Q28 R29 S30 T31 U32 V34 W35 X36 Y37 Z38"
    letters = {entry[0]: int(entry[1:]) for entry in table.split()}
    return sum((letters.get(sign) or int(sign)) << place for place, sign in enumerate(number)) % 11


@pytest.mark.parametrize(
    ("text", "valid"),
    [("DEHAM", True), ("KE MBA", True), ("US2NY", True), ("DEHA", False), ("D1HAM", False), ("US1NY", False)],
)
def test_unlocodes_are_checked_for_their_form(text: str, valid: bool) -> None:
    assert is_unlocode(text) is valid


@given(st.text("0123456789", min_size=17, max_size=17), st.integers(0, 17), st.integers(1, 9))
def test_every_single_wrong_digit_is_found(body: str, place: int, by: int) -> None:
    check = next(digit for digit in "0123456789" if is_sscc(body + digit))
    good = body + check
    bad = good[:place] + str((int(good[place]) + by) % 10) + good[place + 1 :]
    assert not is_sscc(bad)


def _received(item: str, **references: Any) -> Received:
    return Received.model_validate(
        {
            "event_id": "1",
            "source": "acme",
            "type": "received",
            "occurred_at": NOW,
            "recorded_at": NOW,
            "site": "BER",
            "item": item,
            "unit": "pack",
            "quantity": 1,
            "references": references,
        },
        strict=False,
    )


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (_received("4006381333931"), ()),
        (_received("4006381333932"), ("gtin_check_digit",)),
        (_received("acme:4006381333932"), ()),
        (_received("acme:1", sscc="106141412345678908"), ()),
        (_received("acme:1", sscc="106141412345678909"), ("sscc_check_digit",)),
        (_received("acme:1", sscc="10614141234567890"), ("sscc_form",)),
        (_received("acme:1", container="CSQU3054383"), ()),
        (_received("acme:1", container="CSQU 305438-4"), ("container_check_digit",)),
        (_received("acme:1", container="the blue one"), ()),
        (
            _received("4006381333932", sscc="x", container="CSQU3054384"),
            ("gtin_check_digit", "sscc_form", "container_check_digit"),
        ),
    ],
)
def test_bad_identifiers_are_findings(event: Received, expected: tuple[str, ...]) -> None:
    assert findings(event) == expected


def test_items_of_lines_are_looked_at_too() -> None:
    lines = tuple(
        ShipmentLine.model_validate({"item": item, "quantity": 1, "unit": "pack"}, strict=False)
        for item in ("acme:1", "4006381333931", "4006381333932")
    )
    event = MilestoneReported(
        type="milestone",
        event_id="1",
        source="acme",
        occurred_at=NOW,
        recorded_at=NOW,
        shipment_id="S-1",
        milestone="loaded",
        classifier="actual",
        lines=lines,
    )
    assert findings(event) == ("gtin_check_digit",)
    assert findings(event.model_copy(update={"lines": lines[:2]})) == ()


@given(warehouse_events())
def test_findings_name_the_container_that_does_not_check(event: Received) -> None:
    wrong = event.references.container == "CSQU3054384"
    assert findings(event) == (("container_check_digit",) if wrong else ())
