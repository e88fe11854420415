"""The OpenAPI document: whole, and true of what the gateway answers."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from jsonschema_rs import Draft202012Validator

from deploy.gateway.exporting import export_openapi, openapi_document
from deploy.gateway.measures import GATEWAY
from deploy.gateway.pages import as_3_0
from schemas.contracts_examples import EXAMPLES
from schemas.errors import WrongInput
from schemas.wire import event_types
from tests.deploy.gateway.gate import event, gate

DOCUMENT = openapi_document()
PAGE = Path(__file__).parents[3] / "docs/gateway.md"


def schema(name: str) -> Draft202012Validator:
    """A validator of one of the document's schemas."""
    return jsonschema_rs.Draft202012Validator(
        {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    )


def references(part: Any) -> list[str]:
    """Everything that a part of the document refers to."""
    if isinstance(part, dict):
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return own + [found for one in part.values() for found in references(one)]
    return [found for one in part for found in references(one)] if isinstance(part, list) else []


def test_whatever_it_refers_to_is_there() -> None:
    known = {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]}
    assert set(references(DOCUMENT)) <= known


def test_every_event_type_is_told_with_an_example_that_it_takes() -> None:
    examples = DOCUMENT["paths"]["/v1/events"]["post"]["requestBody"]["content"]["application/json"]["examples"]
    assert set(examples) == set(event_types()) == set(EXAMPLES)
    for kind, example in examples.items():
        assert schema("Event").is_valid(example["value"]), kind


def test_answers_are_as_the_document_says(tmp_path: Path) -> None:
    async def run() -> None:
        async with gate(tmp_path) as one:
            mixed = b"[" + event("a/1") + b"," + event("a/2", quantity=-1) + b"]"
            answers = {
                "202": await one.post(event("a/0")),
                "207": await one.post(mixed),
                "422": await one.post(event("a/2", quantity=-1)),
                "403": await one.post(event("a", "other")),
                "401": await one.post(event("a"), who=None),
                "400": await one.post(b"{"),
                "415": await one.post(b"{", content_type="text/csv"),
            }
            for status, answer in answers.items():
                told = DOCUMENT["paths"]["/v1/events"]["post"]["responses"][status]
                assert str(answer.status) == status
                form = told["content"][answer.headers["content-type"]]["schema"]
                choices = form.get("anyOf", [form])
                names = [choice["$ref"].rpartition("/")[2] for choice in choices]
                assert any(schema(name).is_valid(answer.json()) for name in names), (status, answer.body)
            for path, name in (("/health", "Health"), ("/ready", "Ready")):
                assert schema(name).is_valid((await one.call("GET", path, who=None)).json())

    asyncio.run(run())


def test_every_route_behind_a_token_says_so_and_tells_of_each_failure() -> None:
    for path, operations in DOCUMENT["paths"].items():
        for operation in operations.values():
            behind = path.startswith("/v1/")
            assert bool(operation.get("security")) is behind, path
            if behind:
                assert {"401", "429", "503"} <= operation["responses"].keys(), path
            assert "ValidationError" not in json.dumps(operation), path


def test_the_document_is_served_and_the_page_fetches_nothing_from_elsewhere(tmp_path: Path) -> None:
    async def run() -> None:
        async with gate(tmp_path) as one:
            served = await one.call("GET", "/openapi.json", who=None)
            assert served.json() == json.loads(json.dumps(DOCUMENT))
            assert (await one.call("GET", "/docs/openapi.json", who=None)).json()["openapi"] == "3.0.3"
            page = await one.call("GET", "/docs", who=None)
            assert "default-src 'none'" in page.headers["content-security-policy"]
            named = re.findall(r'(?:src|href)="([^"]+)"', page.body.decode())
            assert len(named) == 4
            for path in named:
                assert (await one.call("GET", path, who=None)).status == 200, path

    asyncio.run(run())


def test_the_page_gets_the_words_that_it_knows() -> None:
    assert as_3_0({"openapi": "3.1.0", "a": [{"const": 1}, {"type": ["string", "null"]}]}) == {
        "openapi": "3.0.3",
        "a": [{"enum": [1]}, {"type": "string", "nullable": True}],
    }
    assert as_3_0({"anyOf": [{"type": "string"}, {"type": "null"}]}) == {
        "anyOf": [{"type": "string"}],
        "nullable": True,
    }


def test_it_is_exported(tmp_path: Path) -> None:
    assert export_openapi(tmp_path) == "openapi.json"
    assert json.loads((tmp_path / "openapi.json").read_text())["paths"].keys() == DOCUMENT["paths"].keys()
    with pytest.raises(WrongInput):
        export_openapi(tmp_path / "nowhere")


def test_the_page_about_the_gateway_tells_every_route_status_and_metric() -> None:
    page = PAGE.read_text()
    for path, operations in DOCUMENT["paths"].items():
        if path.startswith("/v1/epcis"):
            continue  # told in docs/epcis.md
        assert path in page, path
        for status in (status for operation in operations.values() for status in operation["responses"]):
            assert f"| {status} |" in page, (path, status)
    for metric in GATEWAY:
        assert f"`{metric.name}` | {metric.kind} | {', '.join(metric.labels) or '-'} | {metric.meaning}" in page, metric
