"""Mapping files: what is wrong in one is told with its line, before any row is read."""

import pytest

from schemas.errors import WrongInput
from schemas.mapping.reading import read_mapping
from schemas.mapping.targets import targets_of
from schemas.mapping.templates import Template, template_of
from schemas.mapping.yaml_lines import read_yaml
from schemas.wire import event_types

GOOD = """\
source: acme
zone: Europe/Berlin
maps:
  units: {ST: pcs, NO: pallet}
events:
  - type: received
    event_id: "in/{No}"
    occurred_at: "{Time}"
    fields:
      site: BER
      item: "acme:{Sku}"
      quantity: {column: Qty, decimal: ","}
      unit: {column: Unit, map: units}
"""


def complaint(text: str) -> str:
    with pytest.raises(WrongInput) as told:
        read_mapping("m.yaml", text.encode())
    return str(told.value)


def test_a_sound_mapping_is_read_and_all_its_texts_stay_texts() -> None:
    mapping = read_mapping("m.yaml", b"\xef\xbb\xbf" + GOOD.encode())
    assert mapping.maps == {"units": {"ST": "pcs", "NO": "pallet"}}
    assert mapping.events[0].fields["quantity"].column == "Qty"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("source: acme", "sorce: acme", "m.yaml:1: `source` is missing"),
        ("zone: Europe", "zones: Europe", '2: `zones` is no key here: did you mean "zone"?'),
        ("decimal:", "decmal:", '12: `decmal` is no key here: did you mean "decimal" or'),
        ("Europe/Berlin", "Europe/Berln", '2: "Europe/Berln" is no time zone: did you mean "Europe/Berlin"'),
        ("type: received", "type: recieved", '6: type "recieved" is not known: did you mean "received"'),
        ("type: received", "type: acknowledged", '6: type "acknowledged" is not known'),
        ("      site: BER", "      sit: BER", '10: `sit` is no field of received: did you mean "site"?'),
        ("      site: BER\n", "", "9: received needs site"),
        ("map: units", "map: unit", '13: There is no map "unit" under `maps`: did you mean "units"?'),
        ("in/{No}", "in/{No", "7: 'in/{No' has a brace without its partner"),
        ("in/{No}", "in", '7: event_id "in" names no column'),
        ("in/{No}", "{}", "7: '{}' names no column"),
        ("in/{No}", "hash(No,)", "7: hash(No,) names no column"),
        ('decimal: ","', 'decimal: "x"', '12: decimal "x" has to be a point or a comma'),
        ('decimal: ","', "thousands: .", '12: thousands "." has to be one of'),
        ('decimal: ","', "formats: iso", "12: formats, zone and at are for times"),
        (
            "column: Qty,",
            "column: Qty, template: x,",
            "12: Exactly one of column, constant and template is needed, not 2",
        ),
        ('"{Time}"', '{column: Time, formats: "%d.%m.%Y"}', '8: "%d.%m.%Y" has no time of day'),
        ('"{Time}"', '{column: Time, formats: "%d.%m.%Q"}', "%Q, which is no format code"),
        ('"{Time}"', '{column: Time, formats: "%H:%M"}', "tells no whole date"),
        ('"{Time}"', "{column: Time, at: noon}", '8: at "noon" is no time of day'),
        ("events:", "skip:\n  - {reason: no}\nevents:", "6: `skip[0].when` is missing"),
        (
            "events:",
            "skip:\n  - {reason: no, when: {column: a}}\nevents:",
            "6: A condition on a column has exactly one of equals",
        ),
        (
            "events:",
            'skip:\n  - {reason: no, when: {column: a, matches: "("}}\nevents:',
            '6: `skip[0].when[0].matches` "(" is wrong',
        ),
        (
            "    fields:",
            "    group_by: Sku\n    fields:",
            "7: event_id names No, in which the rows of one event may differ",
        ),
        ("    fields:", "    lines: {item: x}\n    fields:", "9: received has no lines"),
        (
            "    fields:",
            "    references: {order: x}\n    fields:",
            '9: `order` is no reference: did you mean "order_id"?',
        ),
        ("source: acme", "source: acme\nfile: {delimiter: abc}", '2: delimiter "abc" has to be one character'),
        ("source: acme", "source: acme\nsource: b", "2: 'source' is there twice, first on line 1"),
        ("source: acme", "source: [", "It is not YAML"),
        ("source: acme", "{a}: b", "1: A key is a list or a mapping"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(before: str, after: str, said: str) -> None:
    assert before in GOOD
    sentence = complaint(GOOD.replace(before, after, 1))
    assert sentence.startswith("m.yaml:")
    assert said in sentence
    assert sentence.endswith((".", "?", ")"))


def test_a_word_that_a_field_does_not_take_is_found_in_constants_and_in_maps() -> None:
    text = GOOD.replace("type: received", "type: moved").replace("site: BER", "site: BER\n      direction: inn")
    assert '11: direction cannot be "inn": did you mean "in"?' in complaint(text)
    text = text.replace("direction: inn", "direction: {column: D, map: {E: in, A: aus}}")
    assert '11: direction cannot be "aus": known are in, out.' in complaint(text)


def test_a_mapping_makes_something() -> None:
    assert complaint("source: a\nevents: []").startswith("m.yaml:2: `events` is empty: say which events")


def test_further_problems_are_counted() -> None:
    text = GOOD.replace("Europe/Berlin", "Nowhere").replace("site: BER", "sight: BER")
    assert complaint(text).endswith("such as Europe/Berlin. (and 1 more problem)")


def test_times_without_an_offset_need_a_zone_or_days() -> None:
    text = GOOD.replace("zone: Europe/Berlin\n", "").replace('"{Time}"', '{column: Time, formats: "%d.%m.%Y %H:%M"}')
    assert "7: Its times have no UTC offset" in complaint(text)
    read_mapping("m.yaml", text.replace("    fields:", "    precision: day\n    fields:").encode())


@pytest.mark.parametrize("raw", [b"", b"- a", b"just words", b"a: &x [*x]", b"\xff\xfe", b"[" * 5_000, b"a: \x00"])
def test_what_is_no_mapping_is_one_sentence(raw: bytes) -> None:
    with pytest.raises(WrongInput) as told:
        read_mapping("m.yaml", raw)
    assert "m.yaml" in str(told.value)
    assert "\n" not in str(told.value)


def test_yaml_knows_where_everything_stands() -> None:
    document = read_yaml("m.yaml", b"a: 1\nb:\n  - no\n  - {c: 010,\n     d: }\n")
    assert document.value == {"a": "1", "b": ["no", {"c": "010", "d": None}]}
    assert [document.line(path) for path in [("b",), ("b", 1), ("b", 1, "d"), ("b", 1, "d", "x")]] == [2, 4, 5, 5]


def test_templates_hold_columns_hashes_and_braces() -> None:
    cells = {"PO": "1", "Line No": "2", "none": None}
    assert template_of("{PO}/{Line No}").render(cells.get) == "1/2"
    assert template_of("{{{PO}}}").render(cells.get) == "{1}"
    assert template_of("{PO}{none}").render(cells.get) is None
    assert template_of("plain").columns == ()
    one, other = template_of("x-{hash(PO, Line No)}"), template_of("hash(PO)")
    assert one.columns == ("PO", "Line No")
    assert one.render(cells.get) == "x-" + (Template(one.pieces[1:]).render(cells.get) or "")
    assert other.render(cells.get) != template_of("hash(Line No)").render(cells.get)
    assert template_of("hash(none)").render(cells.get) is None


@pytest.mark.parametrize("kind", event_types())
def test_every_event_type_can_be_a_target(kind: str) -> None:
    assert all(target.name == name for name, target in targets_of(kind).items())
