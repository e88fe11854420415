"""From an EPCIS 2.0 document (JSON or JSON-LD) to checked events, or to what is wrong with each of them.

The rules are those of EPCIS 2.0 (GS1, ISO/IEC 19987), sections 7.4 and 9, and of its JSON schema: what each type of
event must say, and which words CBV 2.0 knows. Fields of somebody else (with a namespace prefix, as in
`example:note`) are allowed everywhere and kept in the event as it came; unknown plain ones are refused, since they
are mostly misspelt. Each problem names the event's index, the path in the document, and what to do.
"""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Annotated, Any, Final, NamedTuple, NoReturn

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from schemas.epcis.events import AnyEvent
from schemas.errors import WrongInput

MAX_EVENTS: Final = 10_000
"""Events of one document; a sender with more sends several."""


class NotADocument(WrongInput):
    """What was sent is no EPCIS document at all."""


class Problem(NamedTuple):
    """What is wrong with one event: its place in the document, a path, and a sentence that tells what to mend."""

    place: int
    path: str
    reason: str
    event_id: str = ""


class Told(NamedTuple):
    """One event of a document that holds: its place, the event, and the JSON object as it came."""

    place: int
    event: AnyEvent
    document: dict[str, Any]


class Document(NamedTuple):
    """What a document says: its events that hold, and what is wrong with the others. `context`: its `@context`."""

    told: tuple[Told, ...]
    problems: tuple[Problem, ...]
    context: Any
    total: int


def read_document(raw: bytes) -> Document:
    """The events of a document: an EPCISDocument, an eventList, or a bare event.

    Raises:
        NotADocument: It is none: no JSON, no events in it, or of another version of the standard.
    """
    content = _parsed(raw)
    events, path, context = _events(content)
    if len(events) > MAX_EVENTS:
        raise NotADocument(f"The document has {len(events)} events, more than {MAX_EVENTS}: send it in parts.")
    told, problems = [], []
    for index, document in enumerate(events):
        found = _read(index, f"{path}[{index}]" if path else "", document)
        if isinstance(found, Problem):
            problems.append(found)
        else:
            told.append(found)
    return Document(tuple(told), tuple(problems), context, len(events))


def read_event(document: Mapping[str, Any]) -> AnyEvent:
    """The event of a JSON object that has been checked before (it was stored by us)."""
    event: AnyEvent = _EVENT.validate_python(_plain(document))
    return event


def loads(raw: bytes | str) -> Any:
    """JSON with exact decimals. Raises ValueError where it is none."""
    return json.loads(raw, parse_float=_decimal, parse_constant=_no_number)


def _parsed(raw: bytes) -> Any:
    try:
        return loads(raw)
    except (ValueError, RecursionError) as error:
        hint = " EPCIS in XML is not taken: send EPCIS 2.0 in JSON." if raw.lstrip()[:1] == b"<" else ""
        raise NotADocument(f"The document is not JSON: {error}.{hint}") from None


def _events(content: Any) -> tuple[list[Any], str, Any]:
    """The list of events, the path to it, and the context."""
    if isinstance(content, list):
        return content, "$", None
    if not isinstance(content, dict):
        raise NotADocument("The document is no JSON object: send an EPCISDocument.")
    context, kind = content.get("@context"), content.get("type")
    if isinstance(kind, str) and kind in _TYPES:
        return [content], "", context
    if "epcisBody" not in content:
        if isinstance(content.get("eventList"), list):
            return content["eventList"], "eventList", context
        raise NotADocument(
            f"The document has no epcisBody (its type is {_shown(kind)}): send an EPCISDocument with events."
        )
    if kind != "EPCISDocument":
        raise NotADocument(f"The document's type is {_shown(kind)}: only an EPCISDocument can be captured.")
    version = content.get("schemaVersion")
    if version is not None and not str(version).startswith("2."):
        raise NotADocument(f"schemaVersion {_shown(version)} is not taken: send EPCIS 2.0 (schemaVersion 2.0).")
    body = content["epcisBody"]
    if isinstance(body, dict) and isinstance(body.get("eventList"), list):
        return body["eventList"], "epcisBody.eventList", context
    if isinstance(body, dict) and isinstance(body.get("event"), dict):
        return [body["event"]], "epcisBody.event", context
    raise NotADocument("epcisBody has no eventList: it holds a list of events.")


def _read(index: int, path: str, document: Any) -> Told | Problem:
    path = path.removesuffix("[0]") if path == "epcisBody.event[0]" else path
    if not isinstance(document, dict):
        return Problem(index, path, f"{path or 'The event'} is no JSON object: an event is one.")
    said = document.get("eventID")
    event_id = _encodable(said)[:_LONGEST_ID] if isinstance(said, str) else ""
    kind = document.get("type")
    if kind not in _TYPES:
        where = f"{path}.type" if path else "type"
        what = f"{where} is missing" if kind is None else f"{where} {_shown(kind)} is no type of event"
        return Problem(index, where, f"{what}: write one of {', '.join(_TYPES)}.", event_id)
    try:
        event = read_event(document)
    except ValidationError as error:
        where, sentence = _sentence(path, error.errors(include_url=False))
        return Problem(index, where, sentence, event_id)
    except RecursionError:
        return Problem(index, path, f"{path or 'The event'} is nested too deep.", event_id)
    return Told(index, event, document)


def _plain(value: Any) -> Any:
    """What the standard itself has to say about: without the fields of other namespaces and JSON-LD's own."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if not isinstance(value, dict):
        return value
    plain = [name for name in value if ":" not in name and not name.startswith("@")]
    # No part has so many fields: what is cut off is not needed to refuse it.
    return {name: value[name] if name == "ilmd" else _plain(value[name]) for name in plain[:_MOST_FIELDS]}


def _sentence(path: str, errors: Iterable[ErrorDetails]) -> tuple[str, str]:
    """The path of the first problem, and a sentence of it and how many more there are."""
    problems = list(errors)
    first = problems[0]
    where = path
    for part in first["loc"][1:]:  # the first is the type of the event
        where += f"[{part}]" if isinstance(part, int) else f".{part}" if where else str(part)
    context = first.get("ctx") or {}
    if context.get("field"):
        where = f"{where}.{context['field']}" if where else str(context["field"])
    where = _encodable(where)
    name, value = where or "The event", _shown(first.get("input"))
    sentence = _SENTENCES.get(first["type"], "{name} {value} is wrong: {message}").format(
        name=name,
        value=value,
        message=first["msg"][:1].lower() + first["msg"][1:],
        known=context.get("known", ""),
        advice=context.get("advice", ""),
    )
    more = len(problems) - 1
    return where, sentence + (f" (and {more} more problem{'s' if more > 1 else ''})." if more else ".")


def _shown(value: Any) -> str:
    shown = _encodable(json.dumps(value, default=str, ensure_ascii=False))
    return shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "..."


def _decimal(text: str) -> Decimal:
    with suppress(ArithmeticError):
        if len(text) <= _LONGEST_NUMBER:
            return Decimal(text)
    raise ValueError(f"{text[:_SHOWN]} is a number that nobody can keep")


def _encodable(text: str) -> str:
    """The text without what no UTF-8 has (a lone half of a surrogate pair): it is shown, and goes into answers."""
    return text.encode("utf-8", "backslashreplace").decode()


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


_SHOWN: Final = 80
_LONGEST_ID: Final = 2_000
_LONGEST_NUMBER: Final = 4_300
_MOST_FIELDS: Final = 200
_TYPES: Final = ("ObjectEvent", "AggregationEvent", "AssociationEvent", "TransactionEvent", "TransformationEvent")
_EVENT: Final[TypeAdapter[AnyEvent]] = TypeAdapter(Annotated[AnyEvent, Field(discriminator="type")])
_SENTENCES: Final = {
    "missing": "{name} is missing: it is required",
    "extra_forbidden": "{name} is no field of EPCIS 2.0: take it out, or give it a namespace prefix (example:...)",
    "datetime": "{name} {value} is not an RFC 3339 time with an offset: write it as in 2026-11-22T10:00:00.000+02:00",
    "timezone_aware": "{name} {value} has no UTC offset: write it as in 2026-11-22T10:00:00.000+02:00",
    "number": "{name} {value} is no JSON number: write it without quotes",
    "magnitude": "{name} {value} cannot be reckoned with: below 10^15, and of 40 digits at the most",
    "vocabulary": "{name} {value} is no word of CBV 2.0 and no URI of your own; the words are {known}",
    "rule": "{name}: {advice}",
    "string_pattern_mismatch": "{name} {value} has not the form that the standard asks for",
    "literal_error": "{name} {value} is wrong: {message}",
}
