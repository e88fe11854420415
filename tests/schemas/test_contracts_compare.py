"""What breaks between two contracts: told for certain or told as unknown, and never told as fine where it is not."""

import copy
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.command.topics import export_all
from schemas.contracts import CONTRACT_VERSION, EXAMPLES, export_contracts
from schemas.contracts_compare import CURRENT, Comparison, Contract, Verdict, compare, load_contract
from schemas.contracts_inclusion import gaps
from schemas.contracts_verdicts import Side, schema_changes
from schemas.errors import WrongInput
from schemas.structs import StructReader
from schemas.topics import of_kind
from schemas.wire import event_types
from tests.strategies import events, raw

ROOT: Final = Path(__file__).parents[2]
KINDS: Final = sorted(event_types())
Json = dict[str, Any]


@pytest.fixture(scope="module")
def now() -> Contract:
    return load_contract(CURRENT)


def changed(contract: Contract, file: str, change: Callable[[Any], None], version: str | None = None) -> Contract:
    """The contract with something done to one of its documents, and perhaps to its version."""
    documents = copy.deepcopy(dict(contract.documents))
    change(documents[file])
    return Contract("changed", documents, version or contract.version)


def verdicts(comparison: Comparison) -> dict[str, set[tuple[str, str]]]:
    """The places of the changes by verdict: (file, path)."""
    found: dict[str, set[tuple[str, str]]] = {"breaking": set(), "unknown": set(), "compatible": set()}
    for change in comparison.changes:
        assert change.what.endswith("."), change
        assert "\n" not in change.what
        found[change.verdict].add((change.file, change.path))
    return found


@pytest.mark.parametrize("path", sorted((ROOT / "docs/contract").iterdir()), ids=lambda path: path.name)
def test_the_present_contract_breaks_nothing_of_the_committed_ones(path: Path) -> None:
    """All of the present major version (docs/contract.md tells what to do where this fails)."""
    comparison = compare(load_contract(str(path)), load_contract(CURRENT, export_all))
    if path.name.partition(".")[0] != CONTRACT_VERSION.partition(".")[0]:
        return
    assert [change for change in comparison.changes if change.verdict != "compatible"] == []
    assert comparison.version_ok


def test_the_committed_contract_is_named_for_its_version_and_whole() -> None:
    for path in (ROOT / "docs/contract").iterdir():
        committed = load_contract(str(path))
        assert committed.version == path.name
        assert committed.documents.keys() >= {"asyncapi.json", "openapi.json", "events/received.schema.json"}
    assert (ROOT / "docs/contract" / f"{CONTRACT_VERSION.partition('.')[0]}.0").is_dir()


def test_a_contract_compared_with_itself_has_not_changed(now: Contract) -> None:
    comparison = compare(now, now)
    assert comparison.changes == ()
    assert comparison.version_ok


RECEIVED: Final = "events/received.schema.json"
POSITION: Final = "derived/StockPosition.schema.json"


def _drop(*path: str) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        for name in path[:-1]:
            document = document[name]
        del document[path[-1]]

    return change


def _set(value: Any, *path: str) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        for name in path[:-1]:
            document = document[name]
        document[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("file", "change", "verdict", "path"),
    [
        (RECEIVED, _drop("properties", "lot"), "breaking", "$.lot"),
        (RECEIVED, _set({"type": "string"}, "properties", "colour"), "compatible", "$.colour"),
        (RECEIVED, _set(["lot"], "required"), "breaking", "$.lot"),
        (RECEIVED, _set(["event_id"], "required"), "compatible", "$.site"),
        (RECEIVED, _set("integer", "properties", "event_id", "type"), "breaking", "$.event_id"),
        (RECEIVED, _set(["string", "integer"], "properties", "event_id", "type"), "compatible", "$.event_id"),
        (RECEIVED, _set(100, "properties", "event_id", "maxLength"), "breaking", "$.event_id"),
        (RECEIVED, _set(900, "properties", "event_id", "maxLength"), "compatible", "$.event_id"),
        (RECEIVED, _set("^A", "properties", "site", "pattern"), "breaking", "$.site"),
        (RECEIVED, _set("^[^|>]+$", "properties", "site", "pattern"), "unknown", "$.site"),
        (RECEIVED, _drop("properties", "site", "pattern"), "compatible", "$.site"),
        (RECEIVED, _set(["instant"], "properties", "precision", "enum"), "breaking", "$.precision"),
        (RECEIVED, _set(["instant", "day", "week"], "properties", "precision", "enum"), "compatible", "$.precision"),
        (RECEIVED, _set(True, "properties", "retracted", "default"), "unknown", "$.retracted"),
        (RECEIVED, _drop("$defs", "References", "properties", "sscc"), "breaking", "$.references.sscc"),
        (RECEIVED, _set({"required": ["lot"]}, "not"), "unknown", "$"),
        (RECEIVED, _set("another text", "description"), None, ""),
        (POSITION, _drop("$defs", "StockPosition", "properties", "on_hand"), "breaking", "$.state.on_hand"),
        (
            POSITION,
            _set({"type": "integer"}, "$defs", "StockPosition", "properties", "new"),
            "compatible",
            "$.state.new",
        ),
        (POSITION, _set(["version"], "required"), "breaking", "$.state"),
        (
            POSITION,
            _set({"type": "string"}, "$defs", "StockPosition", "properties", "on_hand"),
            "breaking",
            "$.state.on_hand",
        ),
    ],
)
def test_a_change_of_a_schema_is_told_with_its_place(
    now: Contract, file: str, change: Callable[[Any], None], verdict: Verdict | None, path: str
) -> None:
    comparison = compare(now, changed(now, file, change))
    found = verdicts(comparison)
    if verdict is None:
        assert comparison.changes == ()
        return
    assert (file, path) in found[verdict], comparison.changes
    if verdict == "compatible":
        assert not found["breaking"] | found["unknown"], comparison.changes
    assert comparison.version_ok is (verdict == "compatible")
    assert compare(now, changed(now, file, change, "2.0")).version_ok


def test_what_publishers_may_do_readers_may_not_and_the_other_way_round(now: Contract) -> None:
    wider = _set(["instant", "day", "week"], "properties", "precision", "enum")
    schema, other = now.documents[RECEIVED], changed(now, RECEIVED, wider).documents[RECEIVED]
    sides: tuple[Side, ...] = ("publishers", "readers")
    for side, there, back in zip(sides, ("compatible", "breaking"), ("breaking", "compatible"), strict=True):
        assert [one.verdict for one in schema_changes("f", schema, other, side)] == [there]
        assert [one.verdict for one in schema_changes("f", other, schema, side)] == [back]


def test_types_topics_messages_and_keys_that_went_break_and_new_ones_do_not(now: Contract) -> None:
    documents = copy.deepcopy(dict(now.documents))
    del documents[RECEIVED], documents[POSITION]
    talk = documents["asyncapi.json"]
    del talk["channels"]["exceptions"], talk["operations"]["receive.exceptions"]
    del talk["channels"]["warehouse.events"]["messages"]["received"]
    own = next(name for name in talk["channels"] if name.endswith(".repartition"))
    del talk["channels"][own]
    talk["components"]["messages"]["milestone"]["bindings"]["kafka"]["key"]["description"] = "order_id"
    smaller = Contract("smaller", documents, now.version)
    found = verdicts(compare(now, smaller))
    talk_ = "asyncapi.json"
    assert found["breaking"] == {
        (RECEIVED, "$"),
        (POSITION, "$"),
        (talk_, "$.channels.exceptions"),
        (talk_, "$.operations.receive.exceptions"),
        (talk_, "$.channels.warehouse.events.messages.received"),
        (talk_, "$.channels.shipment.events.messages.milestone"),
    }
    assert found["compatible"] == {(talk_, f"$.channels.{own}")}
    assert not found["unknown"]
    grown = verdicts(compare(smaller, now))
    assert grown["breaking"] == {(talk_, "$.channels.shipment.events.messages.milestone")}
    assert (RECEIVED, "$") in grown["compatible"]


def test_what_only_our_own_agents_send_each_other_breaks_nobody(now: Contract) -> None:
    file = "derived/Transit.schema.json"
    comparison = compare(now, changed(now, file, _set([], "required")))
    assert [(one.verdict, one.file) for one in comparison.changes] == [("compatible", file)]
    assert compare(changed(now, file, _set([], "required")), now).version_ok


OPENAPI: Final[Json] = {
    "paths": {
        "/v1/events": {
            "post": {
                "parameters": [{"in": "query", "name": "dry_run", "schema": {"type": "boolean"}}],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Event"}}}},
                "responses": {
                    "202": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Receipt"}}}},
                    "429": {"description": "slow down"},
                },
            },
            "get": {"responses": {"200": {}}},
        },
        "/v1/status": {"get": {"responses": {"200": {}}}},
    },
    "components": {
        "schemas": {
            "Event": {"type": "object", "properties": {"id": {"type": "string"}}, "additionalProperties": False},
            "Receipt": {"type": "object", "properties": {"index": {"type": "integer"}}, "required": ["index"]},
        }
    },
}


@pytest.mark.parametrize(
    ("change", "verdict", "path"),
    [
        (_drop("paths", "/v1/status"), "breaking", "$.paths./v1/status"),
        (_drop("paths", "/v1/events", "get"), "breaking", "$.paths./v1/events.get"),
        (_drop("paths", "/v1/events", "post", "responses", "429"), "breaking", "$.paths./v1/events.post.responses.429"),
        (
            _set({}, "paths", "/v1/events", "post", "responses", "413"),
            "compatible",
            "$.paths./v1/events.post.responses.413",
        ),
        (_set({}, "paths", "/v2"), "compatible", "$.paths./v2"),
        (
            _set([], "paths", "/v1/events", "post", "parameters"),
            "breaking",
            "$.paths./v1/events.post.parameters.dry_run",
        ),
        (
            _set([{"in": "header", "name": "X", "required": True}], "paths", "/v1/status", "get", "parameters"),
            "breaking",
            "$.paths./v1/status.get.parameters.X",
        ),
        (
            _set({"type": "integer"}, "components", "schemas", "Event", "properties", "id"),
            "breaking",
            "$.paths./v1/events.post.requestBody.application/json.id",
        ),
        (
            _set([], "components", "schemas", "Receipt", "required"),
            "breaking",
            "$.paths./v1/events.post.responses.202.application/json.index",
        ),
        (
            _set({"type": "string"}, "components", "schemas", "Receipt", "properties", "reason"),
            "compatible",
            "$.paths./v1/events.post.responses.202.application/json.reason",
        ),
    ],
)
def test_paths_methods_parameters_bodies_and_answers_are_part_of_the_contract(
    now: Contract, change: Callable[[Any], None], verdict: Verdict, path: str
) -> None:
    with_paths = Contract("old", {**now.documents, "openapi.json": OPENAPI}, now.version)
    found = verdicts(compare(with_paths, changed(with_paths, "openapi.json", change)))
    assert found[verdict] == {("openapi.json", path)}
    assert sum(map(len, found.values())) == 1
    assert compare(now, with_paths).count("breaking") == 0
    assert compare(with_paths, now).count("breaking") == 1


@pytest.mark.parametrize(
    ("old", "new", "breaks", "ok"),
    [
        ("1.0", "1.1", True, False),
        ("1.9", "2.0", True, True),
        ("1.1", "1.0", False, False),
        ("1.0", "1.0", False, True),
    ],
)
def test_only_a_new_major_version_may_break(now: Contract, old: str, new: str, breaks: bool, ok: bool) -> None:
    before = Contract("old", now.documents, old)
    after = changed(now, RECEIVED, _drop("properties", "lot") if breaks else _set("x", "title"), new)
    comparison = compare(before, after)
    assert comparison.version_ok is ok
    assert (comparison.old_version, comparison.new_version) == (old, new)


def test_single_schemas_are_compared_as_what_their_ids_say(tmp_path: Path) -> None:
    export_contracts(tmp_path)
    for file, there in ((RECEIVED, "compatible"), (POSITION, "compatible")):
        path = tmp_path / file
        schema = json.loads(path.read_text())
        part = schema if "properties" in schema and file == RECEIVED else schema["$defs"]["StockPosition"]
        part["properties"]["more"] = {"type": "string"}
        path.write_text(json.dumps(schema))
        grown, known = load_contract(str(path)), load_contract(CURRENT)
        back = compare(grown, known)
        assert [one.verdict for one in compare(known, grown).changes] == [there]
        assert [(one.verdict, one.path.rpartition(".")[2]) for one in back.changes] == [("breaking", "more")]
        assert (back.old_version, back.version_ok) == ("1", False)
        assert compare(grown, load_contract(str(tmp_path))).changes == ()


def test_what_is_no_contract_is_one_clear_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "events").mkdir()
    (tmp_path / "events/received.schema.json").write_text("{")
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "other.json").write_text('{"a": 1}')
    for name in ("nowhere", "empty", "", "list.json", "other.json", "events/received.schema.json"):
        with pytest.raises(WrongInput) as caught:
            load_contract(str(tmp_path / name))
        assert str(tmp_path / name) in str(caught.value)
        assert "\n" not in str(caught.value)
    (tmp_path / "stranger.json").write_text('{"type": "object"}')
    with pytest.raises(WrongInput, match="has no schema with the"):
        compare(load_contract(str(tmp_path / "stranger.json")), load_contract(CURRENT))


# Examples, by validators of other people


@pytest.mark.parametrize("kind", KINDS)
def test_each_example_is_valid_to_the_model_the_struct_and_another_validator(now: Contract, kind: str) -> None:
    example = EXAMPLES[kind]
    model = event_types()[kind]
    body = json.dumps(example).encode()
    model.model_validate_json(body)
    assert StructReader([model]).read(body) is not None
    schema = now.documents[f"events/{kind}.schema.json"]
    jsonschema_rs.meta.validate(schema)
    validator = jsonschema_rs.validator_for(schema, validate_formats=True)
    validator.validate(example)
    for name in schema["required"]:
        assert not validator.is_valid({field: value for field, value in example.items() if field != name})
    assert not validator.is_valid(example | {"colour": "red"})


@pytest.mark.parametrize("topic", [topic.name for topic in of_kind("fact")])
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_every_event_that_we_can_write_is_valid_to_another_validator(
    topic: str, data: st.DataObject, now: Contract
) -> None:
    document = json.loads(raw(data.draw(events(topic))))
    schema = now.documents[f"events/{document['type']}.schema.json"]
    assert jsonschema_rs.is_valid(schema, document)


# Never fine where it is not


def mutated(draw: random.Random, schema: Any) -> Any:
    """The schema with one thing changed somewhere, and perhaps another."""
    made = copy.deepcopy(schema)
    part = draw.choice([part for part in _parts(made) if part])
    name = draw.choice(sorted(part))
    told = _otherwise(draw, name, part[name])
    if told is None:
        del part[name]
    else:
        part[name] = told
    part |= draw.choice((*({},) * 8, {"enum": [1, "instant", None]}, {"maxProperties": 3}))
    return made


def _otherwise(draw: random.Random, name: str, value: Any) -> Any:
    """Another value of a keyword; None: it goes."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float) and name not in {"const", "multipleOf"}:
        limit = draw.choice((0, 1, value - 1, value + 1, value * 2, value / 2))
        return max(int(limit), 0) if name.endswith(("Length", "Items", "Properties")) else limit
    if name in {"type", "pattern"}:
        types = ("string", "integer", "number", "boolean", "null", ["string", "null"])
        return draw.choice(types if name == "type" else ("^[A-Z]+$", "^.", ".*", value))
    if name in {"required", "enum", "anyOf"} and len(value) > 1:
        rest = [other for place, other in enumerate(value) if place != draw.randrange(len(value))]
        return [*rest, "more"] if name == "enum" and draw.random() < 0.5 else rest or None
    if name in {"properties", "$defs", "patternProperties"} and value:
        key = draw.choice(sorted(value))
        put = draw.choice((True, False, {"type": "string"}, {"type": "integer", "minimum": 3}, None))
        return {other: part for other, part in (value | {key: put}).items() if part is not None}
    return None


def _parts(schema: Any) -> Iterator[Json]:
    """Every schema in a schema."""
    if isinstance(schema, dict):
        yield schema
        for name, value in schema.items():
            if name in {"properties", "$defs", "patternProperties"}:
                for inner in value.values():
                    yield from _parts(inner)
            elif name in {"items", "additionalProperties", "propertyNames"}:
                yield from _parts(value)
            elif name == "anyOf":
                for inner in value:
                    yield from _parts(inner)


def fine(old: Any, new: Any) -> bool:
    """Whether all changes from one to the other are told as compatible for publishers."""
    return all(change.verdict == "compatible" for change in schema_changes("f", old, new, "publishers"))


@pytest.mark.parametrize("topic", [topic.name for topic in of_kind("fact")])
@given(data=st.data())
@settings(max_examples=8, deadline=None)
def test_what_is_told_as_compatible_takes_every_event_that_was_valid(
    topic: str, data: st.DataObject, now: Contract
) -> None:
    documents = [json.loads(raw(data.draw(events(topic)))) for _ in range(3)]
    kind = documents[0]["type"]
    documents = [one for one in documents if one["type"] == kind] + [EXAMPLES[kind]]
    draw = random.Random(data.draw(st.integers(0, 10**9)))
    schema = now.documents[f"events/{kind}.schema.json"]
    for _ in range(12):
        other = mutated(draw, schema)
        for old, new in ((schema, other), (other, schema)):
            if fine(old, new):
                before, after = _validator(old), _validator(new)
                for one in documents:
                    assert not before.is_valid(one) or after.is_valid(one), (
                        one,
                        schema_changes("f", old, new, "publishers"),
                    )


def _validator(schema: Any) -> Any:
    return jsonschema_rs.Draft202012Validator(schema)


SCALARS: Final = (None, True, False, 0, 1, 2, -1, 1.5, 2.5, 10, "", "a", "ab", "A", "1", "abc")
NAMES: Final = ("a", "b", "ab")


def value(draw: random.Random, depth: int = 2) -> Any:
    """Some JSON."""
    kind = draw.random()
    if depth and kind < 0.2:
        return [value(draw, depth - 1) for _ in range(draw.randrange(4))]
    if depth and kind < 0.5:
        return {name: value(draw, depth - 1) for name in ("a", "b", "ab", "c") if draw.random() < 0.5}
    return draw.choice(SCALARS)


def some_schema(draw: random.Random, depth: int = 3) -> Any:
    """A schema of a few keywords, of those that are understood and of those that are not."""
    if depth == 0 or draw.random() < 0.05:
        return draw.choice((True, True, False, {"type": "string"}, {"type": "integer"}, {"$ref": "#/$defs/one"}))

    def inner() -> Any:
        return some_schema(draw, depth - 1)

    def limit() -> int:
        return draw.randrange(4)

    makers: dict[str, Callable[[], Any]] = {
        "enum": lambda: draw.sample(SCALARS, draw.randrange(1, 4)),
        "const": lambda: draw.choice(SCALARS),
        "anyOf": lambda: [inner() for _ in range(draw.randrange(1, 4))],
        "allOf": lambda: [inner() for _ in range(draw.randrange(1, 3))],
        "oneOf": lambda: [inner(), inner()],
        "not": inner,
        "pattern": lambda: draw.choice(("^a", "b$", "^[a-z]*$", ".", "^$")),
        "multipleOf": lambda: draw.choice((1, 2, 0.5)),
        "items": inner,
        "prefixItems": lambda: [inner()],
        "uniqueItems": lambda: draw.random() < 0.5,
        "properties": lambda: {name: inner() for name in NAMES if draw.random() < 0.6},
        "patternProperties": lambda: {draw.choice(("^a", "b$")): inner()},
        "additionalProperties": inner,
        "propertyNames": inner,
        "required": lambda: draw.sample(NAMES, draw.randrange(3)),
        "$ref": lambda: "#/$defs/one",
    }
    makers |= dict.fromkeys(
        (
            "minLength",
            "maxLength",
            "minimum",
            "maximum",
            "exclusiveMinimum",
            "exclusiveMaximum",
            "minItems",
            "maxItems",
        ),
        limit,
    )
    makers |= dict.fromkeys(("minProperties", "maxProperties"), limit)
    made = {name: makers[name]() for name in draw.sample(sorted(makers), draw.choice((1, 1, 2, 2, 3, 4)))}
    if draw.random() < 0.6:
        types = ("null", "boolean", "integer", "number", "string", "array", "object", "object", "object")
        made["type"] = draw.choice((*types, ["string", "integer"], ["null", "object"]))
    return made


@pytest.mark.parametrize("seed", range(5))
def test_no_gap_between_any_two_schemas_means_that_none_is_there(seed: int) -> None:
    draw = random.Random(seed)
    included = refuted = 0
    for _ in range(600):
        one, old = some_schema(draw, 1), some_schema(draw)
        whole = {"$defs": {"one": one if one != {"$ref": "#/$defs/one"} else True}, "allOf": [old]}
        if isinstance(old, dict) and draw.random() < 0.8:
            whole |= old
            del whole["allOf"]
        other = some_schema(draw)
        new = mutated(draw, whole) if draw.random() < 0.8 else whole | (other if isinstance(other, dict) else {})
        values = [value(draw) for _ in range(25)]
        for sub, sup in ((whole, new), (new, whole)):
            before, after = _judge(sub), _judge(sup)
            if before is None or after is None:
                continue
            kept = all(after.is_valid(each) for each in values if before.is_valid(each))
            found = gaps(sub, sup, sub, sup)
            included += not found
            refuted += not kept
            assert kept or found, (sub, sup, [each for each in values if before.is_valid(each)])
    assert included > 200
    assert refuted > 100


def _judge(schema: Any) -> Any:
    """Its validator; None where it is no schema or refers to itself without end."""
    try:
        return _validator(schema)
    except (jsonschema_rs.ReferencingError, jsonschema_rs.ValidationError, ValueError):
        return None


def test_schemas_that_refer_to_themselves_are_compared() -> None:
    def tree(leaf: str) -> Json:
        return {"properties": {"leaf": {"type": leaf}, "left": {"$ref": "#/$defs/tree"}}, "type": "object"}

    small, large = ({"$ref": "#/$defs/tree", "$defs": {"tree": tree(leaf)}} for leaf in ("integer", "number"))
    assert gaps(small, large, small, large) == ()
    assert [gap.path for gap in gaps(large, small, large, small)] == ["$.leaf", "$.left.leaf"]
    endless: Json = {"$ref": "#/$defs/one", "$defs": {"one": {"anyOf": [{"$ref": "#/$defs/one"}], "type": "boolean"}}}
    text = {"$ref": "#/$defs/one", "$defs": {"one": {"type": "string"}}}
    assert [gap.sure for gap in gaps(endless, text, endless, text)] == [False]
    anything = {"type": "object"}
    assert gaps(small, anything, small, anything) == ()
    assert [gap.path for gap in gaps(anything, small, anything, small)] == ["$.leaf", "$.left"]
