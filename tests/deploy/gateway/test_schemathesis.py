"""Requests that schemathesis makes up from the OpenAPI document: none is a 500, and every answer is as it says."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from deploy.gateway import told
from deploy.gateway.bodies import NDJSON
from deploy.gateway.exporting import openapi_document
from tests.deploy.gateway.serving import Served, serving

EVENTS = "/v1/events"
OTHERS = schemathesis.openapi.from_dict(openapi_document()).exclude(path=EVENTS)


def publishing() -> schemathesis.BaseSchema:
    """Sending events, with one type of event: making up any of 29 takes minutes, and so does each of its corners."""
    found = openapi_document()
    found["components"]["schemas"]["Event"] = {"$ref": "#/components/schemas/Received"}
    del found["paths"][EVENTS]["post"]["requestBody"]["content"][NDJSON]  # it knows no such form
    schema = schemathesis.openapi.from_dict(found).include(path=EVENTS)
    schema.config.phases.coverage.enabled = False
    return schema


PUBLISHING = publishing()
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]


class _Rows:
    def __init__(self, *rows: tuple[Any, ...]) -> None:
        self.result_rows = rows


class History:
    """A history that knows an event if its id has an even length, and some that were refused."""

    def query(self, sql: str, parameters: dict[str, Any] | None = None) -> _Rows:
        """As a client's."""
        asked = parameters or {}
        if sql == told._EVENT and not len(asked["event_id"]) % 2:
            late = (1, 0, "It came too late.")
            return _Rows(
                ("warehouse.events", "BER|acme:1", ("received", 1, 2, False), 1, 2, 3, 4, late),
                ("shipment.events", "S1", ("departed", 1, 2, False), 1, 1, 3, 4, (0, 0, "")),
            )
        if sql == told._REJECTIONS:
            dead = ("dead", 5, "publish", 0, 0, 7, "gateway:acme", "acme", "a", "invalid", "unit", "Why.", None)
            return _Rows(dead)
        return _Rows()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("gateway"), store=History(), events_per_s=10**9, max_bytes=100_000) as one:
        yield one


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as one:
        yield one


def made_up(examples: int) -> settings:
    """So many examples of each operation, the same ones each time."""
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@OTHERS.parametrize()
@made_up(10)
def test_every_answer_is_as_the_document_says(case: Case[Any], served: Served, session: requests.Session) -> None:
    case.call_and_validate(served.address, session, served.authorized(), checks=CHECKS)


@PUBLISHING.parametrize()
@made_up(30)
def test_whatever_is_published_is_answered_as_the_document_says(
    case: Case[Any], served: Served, session: requests.Session
) -> None:
    case.call_and_validate(served.address, session, served.authorized(), checks=CHECKS)
