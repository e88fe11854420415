"""The contract as other systems get it.

No JSON Schema validator is among our dependencies, so `problems` below is one: it knows the keywords that our schemas
use, and fails on any other.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from inspect import getdoc
from pathlib import Path
from typing import Any, Final, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from schemas import contracts, contracts_prose, derived, reference, wire
from schemas.contracts import CONTRACT_VERSION, EXAMPLES, export_contracts, write_events_page
from schemas.contracts_docs import parts_of
from schemas.contracts_json import type_schema
from schemas.contracts_meanings import MEANINGS, MILESTONES
from schemas.derived import Published, encode
from schemas.errors import WrongInput
from schemas.event import Event, Item, References
from schemas.identifiers import Finding, findings
from schemas.quantities import Money, Quantity, Reading, SignedQuantity
from schemas.shipment import MILESTONES as RANKED
from schemas.shipment import MilestoneReported, PositionReported
from schemas.times import to_ms
from schemas.topics import TOPICS, of_kind
from schemas.wire import Cause, event_types, read
from tests.strategies import events, raw

ROOT: Final = Path(__file__).parents[2]
KINDS: Final = sorted(event_types())
ANNOTATIONS: Final = {"$schema", "$id", "$defs", "title", "description", "default", "examples", "format"} | {
    "contentEncoding"
}
TYPES: Final[dict[str, Any]] = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
PUBLISHED: Final = {
    "stock.positions": derived.StockPosition("HAM", "acme:1", "EA", on_hand=-1, findings=("negative_stock",)),
    "order.status": derived.OrderStatus(
        "PO-1", "placed", ordered_at=1, lines=(derived.OrderLineState("1", "placed", "acme:1", "EA", 1000),)
    ),
    "shipment.status": derived.ShipmentStatus(
        "S-1", "departed", 1, final=False, milestones=(derived.MilestoneState(1, "departed", actual_at=5),)
    ),
    "lead.stats": derived.LeadStats(
        "transit", "A>B", None, *(derived.LeadWindow(1, 0, 5, "25", 5, 5, None, ((3, 1), (-1, 2))) for _ in range(2))
    ),
    "exceptions": derived.ExceptionSet("stock/A|b", (derived.ExceptionState("id", "stockout", 1, "Nothing."),)),
    "delivery.contributions": derived.Delivery("S-1", "PO-1", (derived.DeliveryLine("1", "acme:1", "EA", 5, 0),)),
    "transit.contributions": derived.Transit("S-1", "HAM", "acme:1"),
    "lead.contributions": derived.LeadTime("shipment/S-1", "transit", "A>B", ((20_000, 5),)),
    "dead.letters": derived.DeadLetter(1, "t", 0, 7, 99, "empty", "No value.", "", b"k", b"\xff"),
    "late.records": derived.LateRecord(1, "t", 0, 7, 99, "PO-1", "late", b"{}"),
}


def problems(schema: Any, value: Any, root: Any, where: str = "$") -> Iterator[str]:
    """Where a value breaks a schema (drafts 7 and 2020-12 alike)."""
    if schema is False:
        yield f"{where} is not allowed"
        return
    for keyword, rule in schema.items():
        if keyword not in ANNOTATIONS:
            yield from KEYWORDS[keyword](schema, rule, value, root, where)


def _ref(_: Any, rule: Any, value: Any, root: Any, where: str) -> Iterator[str]:
    yield from problems(resolved(root, rule), value, root, where)


def _any_of(_: Any, rule: Any, value: Any, root: Any, where: str) -> Iterator[str]:
    if all(list(problems(option, value, root, where)) for option in rule):
        yield f"{where} fits no option"


def _type(_: Any, rule: Any, value: Any, __: Any, where: str) -> Iterator[str]:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    whole = number and float(value).is_integer()
    fits = {"number": number, "integer": whole}.get(rule)
    if not (isinstance(value, TYPES[rule]) if fits is None else fits):
        yield f"{where} is no {rule}"


def _properties(_: Any, rule: Any, value: Any, root: Any, where: str) -> Iterator[str]:
    for name in rule.keys() & value.keys() if isinstance(value, dict) else ():
        yield from problems(rule[name], value[name], root, f"{where}.{name}")


def _patterned(_: Any, rule: Any, value: Any, root: Any, where: str) -> Iterator[str]:
    for name in value if isinstance(value, dict) else ():
        for pattern in rule:
            if matches(pattern, name):
                yield from problems(rule[pattern], value[name], root, f"{where}.{name}")


def _additional(schema: Any, rule: Any, value: Any, root: Any, where: str) -> Iterator[str]:
    for name in value if isinstance(value, dict) else ():
        known = name in schema.get("properties", {})
        if not known and not any(matches(pattern, name) for pattern in schema.get("patternProperties", {})):
            yield from problems(rule, value[name], root, f"{where}.{name}")


def _names(_: Any, rule: Any, value: Any, root: Any, where: str) -> Iterator[str]:
    for name in value if isinstance(value, dict) else ():
        yield from problems(rule, name, root, f"{where}.{name}")


def _required(_: Any, rule: Any, value: Any, __: Any, where: str) -> Iterator[str]:
    yield from (f"{where}.{name} is missing" for name in rule if isinstance(value, dict) and name not in value)


def _items(_: Any, rule: Any, value: Any, root: Any, where: str) -> Iterator[str]:
    for place, item in enumerate(value if isinstance(value, list) else ()):
        yield from problems(rule, item, root, f"{where}[{place}]")


def _test(kind: Any, fits: Any) -> Any:
    def check(_: Any, rule: Any, value: Any, __: Any, where: str) -> Iterator[str]:
        if isinstance(value, kind) and not isinstance(value, bool) and not fits(value, rule):
            yield f"{where} {value!r} is outside {rule!r}"

    return check


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern matches, with `$` as ECMA 262 has it: at the very end only."""
    return re.search(re.sub(r"\$$", r"\\Z", pattern), text) is not None


def resolved(root: Any, reference: str) -> Any:
    """What a local reference points to. Raises KeyError if nothing is there."""
    assert reference.startswith("#/")
    for part in reference[2:].split("/"):
        root = root[part]
    return root


KEYWORDS: Final[dict[str, Any]] = {
    "$ref": _ref,
    "anyOf": _any_of,
    "type": _type,
    "const": _test(object, lambda value, rule: value == rule),
    "enum": _test(object, lambda value, rule: value in rule),
    "properties": _properties,
    "patternProperties": _patterned,
    "additionalProperties": _additional,
    "propertyNames": _names,
    "required": _required,
    "items": _items,
    "minItems": _test(list, lambda value, rule: len(value) >= rule),
    "maxItems": _test(list, lambda value, rule: len(value) <= rule),
    "maxProperties": _test(dict, lambda value, rule: len(value) <= rule),
    "minLength": _test(str, lambda value, rule: len(value) >= rule),
    "maxLength": _test(str, lambda value, rule: len(value) <= rule),
    "pattern": _test(str, lambda value, rule: matches(rule, value)),
    "minimum": _test((int, float), lambda value, rule: value >= rule),
    "maximum": _test((int, float), lambda value, rule: value <= rule),
    "exclusiveMinimum": _test((int, float), lambda value, rule: value > rule),
    "exclusiveMaximum": _test((int, float), lambda value, rule: value < rule),
}


def broken(schema: Any, value: Any) -> list[str]:
    return list(problems(schema, value, schema))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("contracts")
    export_contracts(directory)
    return directory


@pytest.fixture(scope="module")
def schemas(exported: Path) -> dict[str, Any]:
    """The exported schema of each event type."""
    return {kind: json.loads((exported / f"events/{kind}.schema.json").read_text()) for kind in KINDS}


@pytest.fixture(scope="module")
def document(exported: Path) -> Any:
    """The exported AsyncAPI document."""
    return json.loads((exported / "asyncapi.json").read_text())


@pytest.mark.parametrize("kind", KINDS)
def test_each_type_has_an_example_that_is_read_without_a_finding(kind: str) -> None:
    event = said(EXAMPLES[kind])
    assert event.type == kind  # type: ignore[attr-defined]  # every event type has one
    assert findings(event) == ()
    assert list(EXAMPLES[kind])[:3] == ["event_id", "source", "type"]


def said(example: dict[str, Any]) -> Event:
    """The event in a document that arrives when it is recorded."""
    model = event_types()[example["type"]]
    arrival = to_ms(model.model_validate_json(json.dumps(example)).recorded_at)
    event = read(model.topic, json.dumps(example).encode(), arrival)
    assert isinstance(event, Event), event
    return event


def test_there_are_no_other_examples() -> None:
    assert sorted(EXAMPLES) == KINDS
    assert len({(example["source"], example["event_id"]) for example in EXAMPLES.values()}) == len(EXAMPLES)


@pytest.mark.parametrize("kind", KINDS)
def test_each_schema_says_what_its_model_says(kind: str, schemas: dict[str, Any]) -> None:
    schema, model = schemas[kind], event_types()[kind]
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"urn:quayside:event:{kind}:v{CONTRACT_VERSION.split('.')[0]}"
    assert schema["examples"] == [EXAMPLES[kind]]
    assert broken(schema, EXAMPLES[kind]) == []
    assert schema["title"]
    assert (getdoc(model) or "-") in schema["description"]
    assert model.topic in schema["description"]
    parts: list[type[BaseModel]] = [References, *parts_of(model)]
    assert sorted(schema["$defs"]) == sorted(part.__name__ for part in parts)
    for said, form in [(schema, model), *((schema["$defs"][part.__name__], part) for part in parts)]:
        assert list(said["properties"]) == list(form.model_fields)
        required = [name for name, field in form.model_fields.items() if field.is_required()]
        assert said.get("required", []) == required
        assert said["additionalProperties"] is False
        assert all(field["description"] for field in said["properties"].values())


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("received", {"colour": "red"}),
        ("received", {"type": "shipped"}),
        ("received", {"occurred_at": "2026-03-01T10:00:00"}),
        ("received", {"occurred_at": "2026-03-01"}),
        ("received", {"occurred_at": 1_772_359_200}),
        ("received", {"retracted": None}),
        ("received", {"retracted": "true"}),
        ("received", {"precision": "hour"}),
        ("received", {"event_id": ""}),
        ("received", {"event_id": "a\n"}),
        ("received", {"site": "A|B"}),
        ("received", {"site": "x" * 201}),
        ("received", {"item": "4711"}),
        ("received", {"item": "acme:"}),
        ("received", {"unit": "two words"}),
        ("received", {"quantity": -1}),
        ("received", {"quantity": "-1"}),
        ("received", {"quantity": "1.2345"}),
        ("received", {"quantity": "many"}),
        ("received", {"quantity": True}),
        ("received", {"quantity": None}),
        ("received", {"quantity": 10**12}),
        ("received", {"quantity": "1000000000000"}),
        ("received", {"references": {"colour": "red"}}),
        ("received", {"references": None}),
        ("received", {"attributes": {"a": 1}}),
        ("received", {"attributes": {"a\n": "x"}}),
        ("received", {"attributes": {str(number): "" for number in range(101)}}),
        ("adjusted", {"quantity": "-1000000000000"}),
        ("milestone", {"milestone": "teleported"}),
        ("milestone", {"leg": 0}),
        ("milestone", {"leg": 1.5}),
        ("milestone", {"lines": None}),
        ("milestone", {"lines": [{"item": "acme:1", "quantity": 1}]}),
        ("position", {"latitude": "90.000001"}),
        ("position", {"latitude": -91}),
        ("position", {"longitude": "180.5"}),
        ("order_placed", {"lines": []}),
        ("lane_described", {"transit_promise": "0.000"}),
        ("lane_described", {"transit_promise": 0}),
    ],
    ids=str,
)
def test_what_the_model_refuses_the_schema_refuses(kind: str, change: dict[str, Any], schemas: dict[str, Any]) -> None:
    document = EXAMPLES[kind] | change
    assert broken(schemas[kind], document)
    with pytest.raises(ValidationError):
        event_types()[kind].model_validate_json(json.dumps(document))


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_required_can_be_left_out(kind: str, schemas: dict[str, Any]) -> None:
    for name in schemas[kind]["required"]:
        rest = {field: value for field, value in EXAMPLES[kind].items() if field != name}
        assert broken(schemas[kind], rest) == [f"$.{name} is missing"]


@pytest.mark.parametrize("topic", [topic.name for topic in of_kind("fact")])
@given(data=st.data())
def test_every_event_that_we_can_write_fits_its_schema(
    topic: str, data: st.DataObject, schemas: dict[str, Any]
) -> None:
    document = json.loads(raw(data.draw(events(topic))))
    assert broken(schemas[document["type"]], document) == []


_DECIMALS: Final = {
    "quantity": Quantity,
    "signed": SignedQuantity,
    "money": Money,
    "reading": Reading,
    "hours": reference.Hours,
    "latitude": PositionReported.model_fields["latitude"],
    "longitude": PositionReported.model_fields["longitude"],
}


def _adapter(form: Any) -> tuple[TypeAdapter[Any], dict[str, Any]]:
    if hasattr(form, "metadata") and hasattr(form, "annotation"):
        name = "latitude" if form is _DECIMALS["latitude"] else "longitude"
        return TypeAdapter(PositionReported), type_schema(PositionReported)["properties"][name]
    return TypeAdapter(form), type_schema(form)


@pytest.mark.parametrize("name", sorted(_DECIMALS))
@given(data=st.data())
def test_every_text_that_a_schema_takes_as_a_number_is_read(name: str, data: st.DataObject) -> None:
    adapter, schema = _adapter(_DECIMALS[name])
    pattern = next(option["pattern"] for option in schema["anyOf"] if option["type"] == "string")
    text = data.draw(st.from_regex(re.sub(r"\$$", r"\\Z", pattern)))
    if name in {"latitude", "longitude"}:
        adapter.validate_json(json.dumps(EXAMPLES["position"] | {name: text}))
    else:
        adapter.validate_json(json.dumps(text))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("quantity", "999999999999.999"),
        ("quantity", "0"),
        ("quantity", "0.001"),
        ("signed", "-999999999999.999"),
        ("money", "0.000001"),
        ("reading", "-999999999.999"),
        ("hours", "0.001"),
        ("hours", "99999.999"),
        ("latitude", "-90.000000"),
        ("latitude", "89.999999"),
        ("longitude", "180"),
        ("longitude", "-179.999999"),
        ("longitude", "99.5"),
    ],
)
def test_the_limits_of_numbers_fit_their_schema(name: str, text: str) -> None:
    _, schema = _adapter(_DECIMALS[name])
    assert broken(schema, text) == []
    assert broken(schema, float(text)) == []


@given(st.data())
def test_every_item_that_the_schema_takes_is_read(data: st.DataObject) -> None:
    pattern = type_schema(Item)["pattern"]
    assert r"\d" not in pattern  # which digits it means depends on who reads it
    text = data.draw(st.from_regex(re.sub(r"\$$", r"\\Z", pattern)).filter(lambda item: len(item) <= 300))
    TypeAdapter[str](Item).validate_json(json.dumps(text))


@pytest.mark.parametrize("topic", of_kind("contribution", "view", "account"), ids=lambda topic: topic.name)
def test_what_is_published_fits_its_schema(topic: Any, exported: Path, document: Any) -> None:
    schema = json.loads((exported / f"derived/{topic.payload}.schema.json").read_text())
    state = PUBLISHED[topic.name]
    record = json.loads(encode(state if topic.kind == "account" else Published((1, 7), state)))
    assert type(state).__name__ == topic.payload
    assert schema["$id"].startswith(f"urn:quayside:derived:{topic.payload}:v")
    assert broken(schema, record) == []
    message = document["components"]["messages"][topic.payload]
    assert list(problems(message["payload"], record, document)) == []
    for name in schema["required"]:
        assert broken(schema, {key: value for key, value in record.items() if key != name})
    if topic.kind != "account":
        assert broken(schema, record | {"version": [1]})
        assert broken(schema, record | {"state": {}})


def test_the_async_api_document_has_every_topic_as_a_channel(document: Any) -> None:
    assert document["asyncapi"] == "3.0.0"
    assert document["info"]["version"] == CONTRACT_VERSION
    assert [channel["address"] for channel in document["channels"].values()] == [topic.name for topic in TOPICS]
    for topic in TOPICS:
        channel = document["channels"][topic.name]
        kafka = channel["bindings"]["kafka"]
        assert kafka["partitions"] == topic.partitions
        assert kafka["topicConfiguration"]["cleanup.policy"] == ["compact" if topic.compacted else "delete"]
        assert kafka["topicConfiguration"].get("retention.ms") == topic.retention_ms
        assert set(kafka["topicConfiguration"]) == set(topic.config())
        assert topic.key in channel["description"]
        assert channel["messages"]


def test_suppliers_send_facts_and_everybody_receives_views(document: Any) -> None:
    wanted = {f"send.{topic.name}" for topic in of_kind("fact")}
    wanted |= {f"receive.{topic.name}" for topic in of_kind("view", "account")}
    assert set(document["operations"]) == wanted
    for name, operation in document["operations"].items():
        action, _, topic = name.partition(".")
        assert operation["action"] == action
        assert operation["channel"] == {"$ref": f"#/channels/{topic}"}
        channel = document["channels"][topic]
        assert [reference["$ref"] for reference in operation["messages"]] == [
            f"#/channels/{topic}/messages/{message}" for message in channel["messages"]
        ]
    sent = {kind for topic in of_kind("fact") for kind in document["channels"][topic.name]["messages"]}
    assert sent == set(KINDS)


def test_every_reference_in_the_async_api_document_resolves(document: Any) -> None:
    found = list(references(document))
    assert len(found) > len(TOPICS)
    for reference_ in found:
        assert isinstance(resolved(document, reference_), dict), reference_


def references(part: Any) -> Iterator[str]:
    if isinstance(part, list):
        for inner in part:
            yield from references(inner)
    elif isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for inner in part.values():
            yield from references(inner)


def test_objects_of_the_async_api_document_have_only_fields_of_the_specification(document: Any) -> None:
    described = {"title", "summary", "description", "bindings", "tags", "externalDocs"}
    channel = described | {"address", "messages", "servers", "parameters"}
    operation = described | {"action", "channel", "messages", "security", "reply", "traits"}
    message = described | {"name", "headers", "payload", "correlationId", "contentType", "examples", "traits"}
    kafka = {"topic", "partitions", "replicas", "topicConfiguration", "bindingVersion"}
    assert set(document) <= {"asyncapi", "id", "info", "servers", "defaultContentType"} | {
        "channels",
        "operations",
        "components",
    }
    for said in document["channels"].values():
        assert set(said) <= channel
        assert set(said["bindings"]["kafka"]) <= kafka
    assert all(set(said) <= operation for said in document["operations"].values())
    for said in document["components"]["messages"].values():
        assert set(said) <= message
        assert set(said["bindings"]["kafka"]) == {"key", "bindingVersion"}
        assert said["bindings"]["kafka"]["key"]["type"] == "string"
    for group in ("messages", "schemas"):
        assert all(re.fullmatch(r"[A-Za-z0-9._-]+", name) for name in document["components"][group])


@pytest.mark.parametrize("kind", KINDS)
def test_examples_fit_their_schema_in_the_async_api_document(kind: str, document: Any) -> None:
    message = document["components"]["messages"][kind]
    (example,) = message["examples"]
    assert example["payload"] == EXAMPLES[kind]
    assert list(problems(message["payload"], example["payload"], document)) == []
    assert list(problems(message["payload"], example["payload"] | {"colour": "red"}, document))


def test_the_files_written_are_the_files_named(tmp_path: Path) -> None:
    written = export_contracts(tmp_path / "new" / "contracts")
    there = sorted(
        path.relative_to(tmp_path / "new/contracts").as_posix()
        for path in (tmp_path / "new/contracts").rglob("*")
        if path.is_file()
    )
    assert written == there
    assert {f"events/{kind}.schema.json" for kind in KINDS} | {"asyncapi.json"} <= set(written)
    assert len(written) == len(KINDS) + len(of_kind("contribution", "view", "account")) + 1


def test_the_same_models_give_the_same_bytes(tmp_path: Path, exported: Path) -> None:
    script = "import pathlib, sys; from schemas.contracts import export_contracts as e; e(pathlib.Path(sys.argv[1]))"
    subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        check=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": "4711"},
    )
    for path in exported.rglob("*.json"):
        assert (tmp_path / path.relative_to(exported)).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("place", [".", "events", "asyncapi.json"])
def test_a_directory_that_cannot_be_written_to_is_one_clear_sentence(tmp_path: Path, place: str) -> None:
    target = tmp_path / "contracts"
    obstacle = target / place
    obstacle.parent.mkdir(parents=True, exist_ok=True)
    if place == "asyncapi.json":
        obstacle.mkdir()
    else:
        obstacle.write_text("a file is in the way")
    with pytest.raises(WrongInput) as caught:
        export_contracts(target)
    sentence = str(caught.value)
    assert str(target) in sentence
    assert sentence.endswith(": name a directory that can be written to.")
    assert "\n" not in sentence


def test_the_page_about_events_is_the_one_that_is_made(tmp_path: Path) -> None:
    made = write_events_page(tmp_path)
    assert made.read_bytes() == (ROOT / "docs/events.md").read_bytes(), "run: python -m schemas.contracts docs"


@pytest.fixture(scope="module")
def page() -> str:
    return (ROOT / "docs/events.md").read_text()


def test_every_event_on_the_page_is_read(page: str) -> None:
    shown = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL)]
    assert {event["type"] for event in shown} == set(KINDS)
    for event in shown:
        said(event)
    assert any(event.get("retracted") for event in shown)


def test_every_link_on_the_page_leads_somewhere(page: str) -> None:
    headings = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    anchors = [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]
    assert len(anchors) == len(set(anchors))
    assert set(re.findall(r"\]\(#([^)]*)\)", page)) <= set(anchors)
    assert set(KINDS) <= set(headings)


def test_every_field_has_a_meaning_and_every_meaning_a_field() -> None:
    models: set[type[BaseModel]] = {References, *event_types().values()}
    models |= {part for model in event_types().values() for part in parts_of(model)}
    fields = {(model.__name__, name) for model in models for name in model.model_fields}
    used = {f"{model}.{name}" if f"{model}.{name}" in MEANINGS else name for model, name in fields}
    common = {f"Event.{name}" for name in Event.model_fields}
    assert used - common == MEANINGS.keys()


def test_the_page_lists_all_milestones_by_rank(page: str) -> None:
    assert tuple(MILESTONES) == RANKED == get_args(MilestoneReported.model_fields["milestone"].annotation)
    for rank, name in enumerate(RANKED):
        assert f"| {rank} | `{name}` | {MILESTONES[name]} |" in page


def test_the_page_lists_all_causes_and_findings(page: str) -> None:
    assert tuple(contracts_prose.CAUSES) == get_args(Cause)
    assert tuple(contracts_prose.IDENTIFIER_FINDINGS) == get_args(Finding)
    for name in (*get_args(Cause), *get_args(Finding), *contracts_prose.STATE_FINDINGS):
        assert f"| `{name}` |" in page


def test_the_findings_on_the_page_are_those_that_are_derived() -> None:
    told = set()
    for model in (derived.OrderLineState, derived.StockPosition):
        line = re.search(r"^findings: (.*)\.$", getdoc(model) or "", re.MULTILINE)
        assert line
        told |= set(line[1].split(", "))
    assert told == contracts_prose.STATE_FINDINGS.keys()


def test_the_limits_on_the_page_are_those_that_are_held(page: str) -> None:
    assert f"At most {wire.MAX_RECORD_BYTES} bytes" in page
    assert f"contract version {contracts.CONTRACT_VERSION}" in page
    assert "{" not in re.sub(r"```json.*?```|`[^`\n]*`", "", page, flags=re.DOTALL)
