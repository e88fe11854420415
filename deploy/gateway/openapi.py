"""The gateway's OpenAPI document: every route, status, header and form, with the examples of docs/events.md."""

import json
from collections.abc import Iterable
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from deploy.gateway.bodies import JSON, MAX_EVENTS, NDJSON
from deploy.gateway.problems import PROBLEM
from schemas.contracts import CONTRACT_VERSION
from schemas.contracts_examples import EXAMPLES
from schemas.contracts_json import components
from schemas.wire import event_types

TITLE: Final = "Quayside gateway"
VERSION: Final = CONTRACT_VERSION

_ABOUT: Final = (
    "Where suppliers, warehouses and carriers send events, and are told what became of them. An event is identified by "
    "(source, event_id): the same one again changes nothing, one with a later `recorded_at` is a correction. What is "
    "accepted is safe on disk before it is told."
)


def document(app: FastAPI) -> dict[str, Any]:
    """The document of an application: what is written here, and what its other routers tell of themselves."""
    found = get_openapi(title=TITLE, version=VERSION, description=_ABOUT, routes=app.routes)
    others = found.get("paths", {})
    for path in others.values():
        for operation in path.values():
            _complete(operation)
    found["paths"] = {**_paths(), **others}
    more = found.setdefault("components", {})
    known = {name: form for name, form in more.get("schemas", {}).items() if "ValidationError" not in name}
    more["schemas"] = {**_event_schemas(), **_SCHEMAS, **known}
    more["securitySchemes"] = {
        **more.get("securitySchemes", {}),
        "token": {"type": "http", "scheme": "bearer", "description": "A secret of `quayside tokens create`."},
    }
    return found


def _complete(operation: dict[str, Any]) -> None:
    """What every route behind a token answers; what the framework would call 422 is told as 400."""
    responses = operation["responses"]
    if "ValidationError" in str(responses.get("422")):
        del responses["422"]
    for status, answer in responses.items():
        if PROBLEM in answer.get("content", {}):
            responses[status] = {**_problem(answer["description"]), "description": answer["description"]}
    for status, answer in _problems(400, 401, 429, 500, 503).items():
        responses.setdefault(status, answer)
    if "requestBody" in operation:
        responses.setdefault("408", _PROBLEMS[408])
    operation.setdefault("security", _SECURITY)


def _paths() -> dict[str, Any]:
    return {
        "/v1/events": {
            "post": {
                "operationId": "publishEvents",
                "tags": ["events"],
                "summary": "Send events",
                "description": (
                    "One event, an array of events, or one event per line. Each is judged by itself: what is wrong "
                    f"with one keeps no other back. At most {MAX_EVENTS} events, and as many bytes as "
                    "the token may send."
                ),
                "security": _SECURITY,
                "parameters": [
                    _parameter("query", "dry_run", {"type": "boolean", "default": False}, "Judge all, keep nothing."),
                    _parameter(
                        "header",
                        "Idempotency-Key",
                        {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
                        "For 24 h the same request with this key gets the answer that the first one got.",
                    ),
                ],
                "requestBody": {
                    "required": True,
                    "description": "May be compressed: Content-Encoding `gzip` or `zstd`.",
                    "content": {
                        JSON: {
                            "schema": {
                                "oneOf": [
                                    _reference("Event"),
                                    {
                                        "type": "array",
                                        "items": _reference("Event"),
                                        "minItems": 1,
                                        "maxItems": MAX_EVENTS,
                                    },
                                ]
                            },
                            "examples": {kind: {"value": event} for kind, event in EXAMPLES.items()},
                        },
                        NDJSON: {
                            "schema": {"type": "string", "description": "An event on each line."},
                            "example": "\n".join(json.dumps(event) for event in list(EXAMPLES.values())[:2]) + "\n",
                        },
                    },
                },
                "responses": {
                    "202": _json("All were accepted, and are durable.", "Receipts", replayed=True),
                    "207": _json("Some were accepted; each receipt tells which.", "Receipts", replayed=True),
                    "403": _problem("The token may send none of them.", "Refusal", replayed=True),
                    "409": _problem("The first request with this Idempotency-Key is not answered yet.", retry=True),
                    "422": _problem(
                        "None was accepted (with receipts), or the Idempotency-Key was sent with another request.",
                        "Refusal",
                        "Problem",
                        replayed=True,
                    ),
                    **_problems(400, 401, 408, 413, 415, 429, 500, 503),
                },
            }
        },
        "/v1/events/{source}/{event_id}": {
            "get": {
                "operationId": "eventStatus",
                "tags": ["events"],
                "summary": "What became of an event",
                "security": _SECURITY,
                "parameters": [
                    _parameter("path", "source", _LABEL, "Who said it; a slash in it is written %2F."),
                    _parameter("path", "event_id", _LABEL, "Its id; it may hold slashes."),
                ],
                "responses": {
                    "200": _json("What is known of it.", "EventStatus"),
                    "403": _problem("The token does not speak for this source, whatever is known of it."),
                    "404": _problem("Nothing is known of it."),
                    **_problems(400, 401, 429, 500, 503),
                },
            }
        },
        "/v1/rejections": {
            "get": {
                "operationId": "rejections",
                "tags": ["events"],
                "summary": "What of the token's sources was refused, or came too late",
                "description": "In the order of arrival; `next_since` asks on from there.",
                "security": _SECURITY,
                "parameters": [
                    _parameter(
                        "query",
                        "since",
                        _SINCE,
                        "A duration (so long ago) such as 2h or 7d, a day, or an RFC 3339 time.",
                    ),
                    _parameter(
                        "query",
                        "limit",
                        {"type": "integer", "minimum": 1, "maximum": 1_000, "default": 100},
                        "How many; with the last one come all others of the same millisecond.",
                    ),
                ],
                "responses": {"200": _json("The records.", "Rejections"), **_problems(400, 401, 429, 500, 503)},
            }
        },
        "/health": _told("health", "Whether it goes on", "Health", "It is stuck."),
        "/ready": _told("ready", "Whether events are taken in", "Ready", "They are not, just now."),
        "/metrics": {
            "get": {
                "operationId": "metrics",
                "tags": ["operations"],
                "summary": "Metrics, for Prometheus",
                "responses": {
                    "200": {
                        "description": "All metrics.",
                        "content": {"text/plain": {"schema": {"type": "string"}}},
                    },
                    "404": _problem("They are told on the gateway's own machine only."),
                },
            }
        },
    }


def _event_schemas() -> dict[str, Any]:
    """Every event's schema by its model's name, what they refer to, and `Event`: any of them."""
    known = components()
    models = {kind: model.__name__ for kind, model in event_types().items()}
    wanted: dict[str, Any] = {}
    _collect(models.values(), known, wanted)
    choice = {
        "oneOf": [_reference(name) for name in models.values()],
        "discriminator": {
            "propertyName": "type",
            "mapping": {kind: _reference(name)["$ref"] for kind, name in models.items()},
        },
    }
    return dict(sorted(wanted.items())) | {"Event": choice}


def _collect(names: Iterable[str], known: dict[str, Any], wanted: dict[str, Any]) -> None:
    for name in names:
        if name not in wanted:
            wanted[name] = known[name]
            _collect(_referred(known[name]), known, wanted)


def _referred(part: Any) -> Iterable[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"].rpartition("/")[2]
        part = list(part.values())
    if isinstance(part, list):
        for one in part:
            yield from _referred(one)


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _parameter(place: str, name: str, schema: dict[str, Any], about: str) -> dict[str, Any]:
    return {"name": name, "in": place, "required": place == "path", "schema": schema, "description": about}


def _json(about: str, name: str, *, replayed: bool = False) -> dict[str, Any]:
    headers = {"headers": _REPLAYED} if replayed else {}
    return {"description": about, **headers, "content": {JSON: {"schema": _reference(name)}}}


def _problem(
    about: str, *names: str, retry: bool = False, replayed: bool = False, headers: dict[str, Any] | None = None
) -> dict[str, Any]:
    schemas = [_reference(name) for name in names or ("Problem",)]
    known = {**(_RETRY if retry else {}), **(_REPLAYED if replayed else {}), **(headers or {})}
    return {
        "description": about,
        **({"headers": known} if known else {}),
        "content": {PROBLEM: {"schema": schemas[0] if len(schemas) == 1 else {"anyOf": schemas}}},
    }


def _problems(*statuses: int) -> dict[str, Any]:
    return {str(status): _PROBLEMS[status] for status in statuses}


def _told(name: str, summary: str, form: str, otherwise: str) -> dict[str, Any]:
    return {
        "get": {
            "operationId": name,
            "tags": ["operations"],
            "summary": summary,
            "responses": {"200": _json("Yes.", form), "503": _json(otherwise, form)},
        }
    }


_SECURITY: Final[list[dict[str, list[str]]]] = [{"token": []}]
_LABEL: Final = {"type": "string", "minLength": 1, "maxLength": 200}
_TIME: Final = {"type": ["string", "null"], "format": "date-time"}
_TEXT: Final = {"type": "string"}
_SINCE: Final = {
    "anyOf": [
        {"type": "string", "pattern": "^[0-9]{1,6}(ms|s|m|h|d)$"},
        {"type": "string", "format": "date"},
        {"type": "string", "format": "date-time"},
    ],
    "default": "24h",
}
_COUNT: Final = {"type": "integer", "minimum": 0}
_REPLAYED: Final = {
    "Idempotent-Replay": {
        "description": "`true` where the answer is the one that the first request with this key got.",
        "schema": {"type": "string", "enum": ["true"]},
    }
}
_RETRY: Final = {
    "Retry-After": {
        "description": "So many seconds later another trial is worth it.",
        "schema": {"type": "integer", "minimum": 1},
    }
}
_PROBLEMS: Final = {
    400: _problem("The request cannot be read: `detail` tells what to mend."),
    401: _problem(
        "No token, or one that is good for nothing: the same answer for both.",
        headers={"WWW-Authenticate": {"description": "`Bearer`.", "schema": {"type": "string"}}},
    ),
    408: _problem("The body did not come in time."),
    413: _problem("Too many bytes (as they came, or decoded), or too many events."),
    415: _problem("A Content-Type or Content-Encoding that is not taken."),
    429: _problem("The token sends more than its rate.", retry=True),
    500: _problem("A mistake of the gateway's own."),
    503: _problem("Nothing can be kept, or asked, just now; it heals by itself.", retry=True),
}


def _object(properties: dict[str, Any], *optional: str, closed: bool = True) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    closing = {"additionalProperties": False} if closed else {}
    return {"type": "object", "properties": properties, "required": required, **closing}


_COUNTS: Final = {
    "accepted": _COUNT,
    "refused": _COUNT,
    "dry_run": {"type": "boolean", "description": "Whether nothing was kept."},
    "receipts": {"type": "array", "items": _reference("Receipt"), "description": "One for each event, in their order."},
}
_ABOUT_PROBLEM: Final = {
    "type": {"type": "string", "format": "uri"},
    "title": _TEXT,
    "status": {"type": "integer"},
    "detail": {"type": "string", "description": "One sentence: what happened, and what to do."},
}
_SCHEMAS: Final[dict[str, Any]] = {
    "Receipt": _object(
        {
            "index": {
                "type": "integer",
                "minimum": 0,
                "description": "Its place in the request; empty lines have none.",
            },
            "status": {"type": "string", "enum": ["accepted", "refused"]},
            "source": {"type": "string", "description": "Empty where nobody could read it, as are the next two."},
            "event_id": _TEXT,
            "topic": _TEXT,
            "cause": {"type": "string", "description": "Why it was refused, to count by; empty if it was not."},
            "field": {"type": "string", "description": "The field to mend, where it is one."},
            "reason": {"type": "string", "description": "One sentence that tells what to mend."},
        }
    ),
    "Receipts": _object(_COUNTS),
    "Problem": _object(_ABOUT_PROBLEM, closed=False),
    "Refusal": _object({**_ABOUT_PROBLEM, **_COUNTS}, closed=False),
    "EventStatus": _object(
        {
            "source": _TEXT,
            "event_id": _TEXT,
            "state": {
                "type": "string",
                "enum": ["pending", "accepted", "corrected", "retracted", "late", "dead"],
                "description": (
                    "pending: accepted here, not in the history yet. corrected: of several statements one counts. "
                    "retracted: withdrawn. late: it came after its period had closed. dead: it could not be taken."
                ),
            },
            "pending": {
                "type": "boolean",
                "description": "Whether a statement accepted here is not in the history yet.",
            },
            "topic": _TEXT,
            "entity": _TEXT,
            "type": _TEXT,
            "occurred_at": _TIME,
            "recorded_at": _TIME,
            "first_arrived_at": _TIME,
            "last_arrived_at": _TIME,
            "statements": _COUNT,
            "late": {"anyOf": [_object({"reason": _TEXT, "applied_at": _TIME}), {"type": "null"}]},
            "dead": {
                "anyOf": [
                    _object({"arrived_at": _TIME, "cause": _TEXT, "reason": _TEXT, "field": _TEXT, "resent_at": _TIME}),
                    {"type": "null"},
                ]
            },
            "also": {"type": "array", "items": _object({"topic": _TEXT, "entity": _TEXT})},
        },
        closed=False,
    ),
    "Rejections": _object(
        {
            "rejections": {"type": "array", "items": _reference("Rejection")},
            "more": {"type": "boolean", "description": "Whether there may be more: ask on with `next_since`."},
            "next_since": {"type": "string", "format": "date-time"},
        }
    ),
    "Rejection": _object(
        {
            "kind": {"type": "string", "enum": ["dead", "late"]},
            "id": {"type": "string", "description": "As whoever runs Quayside can look it up."},
            "arrived_at": {"type": "string", "format": "date-time"},
            "topic": _TEXT,
            "origin": _TEXT,
            "source": _TEXT,
            "event_id": _TEXT,
            "cause": _TEXT,
            "field": _TEXT,
            "reason": _TEXT,
            "handled_at": _TIME,
        },
        closed=False,
    ),
    "Health": _object(
        {
            "status": {"type": "string", "enum": ["ok", "stuck"]},
            "cause": _TEXT,
            "reason": _TEXT,
            "since": _TIME,
            "lag": {"type": ["integer", "null"], "description": "Records that the broker does not have yet."},
        }
    ),
    "Ready": _object({"ready": {"type": "boolean"}, "reason": _TEXT, "lag": _COUNT}),
}
