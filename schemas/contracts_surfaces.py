"""Changes of the AsyncAPI document (topics, messages, keys) and of an OpenAPI document (paths, methods, answers)."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from schemas.contracts_verdicts import Change, Side, schema_changes

_METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


def asyncapi_changes(file: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """What changed of topics, their messages and keys, and who may do what. The schemas are compared by their files.

    Topics without an operation are Quayside's own: nobody else is broken where they go.
    """
    return [*_channels(file, old, new), *_operations(file, old, new)]


def openapi_changes(file: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """What changed of paths, methods, parameters, bodies and answers."""
    return list(_paths(file, old, new))


def _channels(file: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    before, after = old.get("channels", {}), new.get("channels", {})
    used = {
        str(one.get("channel", {}).get("$ref", "")).rpartition("/")[2] for one in old.get("operations", {}).values()
    }
    for name in {**before, **after}:
        path = f"$.channels.{name}"
        if name not in after:
            verdict, own = ("breaking", "") if name in used else ("compatible", ", one of Quayside's own,")
            yield Change(verdict, file, path, f"The topic {name}{own} was taken away.")  # type: ignore[arg-type]  # str
        elif name not in before:
            yield Change("compatible", file, path, f"The topic {name} was added.")
        elif name in used:
            yield from _channel(file, path, before[name], after[name])
            yield from _messages(file, name, old, new)


def _channel(file: str, path: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    if before.get("address") != after.get("address"):
        yield Change(
            "breaking", file, path, f"The topic is now called {after.get('address')}, not {before.get('address')}."
        )
    was, now = (_kafka(one).get("topicConfiguration", {}).get("cleanup.policy") for one in (before, after))
    if was != now:
        what = f"cleanup.policy went from {was} to {now}: whether readers rely on what is kept cannot be decided here."
        yield Change("unknown", file, path, what)


def _messages(file: str, channel: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    before, after = (document["channels"][channel].get("messages", {}) for document in (old, new))
    for name in {**before, **after}:
        path = f"$.channels.{channel}.messages.{name}"
        if name not in after:
            yield Change("breaking", file, path, f"The topic {channel} does not carry {name} any more.")
        elif name not in before:
            yield Change("compatible", file, path, f"The topic {channel} carries {name} too.")
        else:
            said, says = _resolved(before[name], old), _resolved(after[name], new)
            was, now = (_kafka(one).get("key", {}).get("description") for one in (said, says))
            if was != now:
                what = f"The key of {name} went from {was} to {now}: records of one thing no longer stand together."
                yield Change("breaking", file, path, what)
            kinds = [
                one.get("contentType", document.get("defaultContentType"))
                for one, document in ((said, old), (says, new))
            ]
            if kinds[0] != kinds[1]:
                yield Change("breaking", file, path, f"{name} is written as {kinds[1]}, not as {kinds[0]}.")


def _operations(file: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    before, after = old.get("operations", {}), new.get("operations", {})
    for name in {**before, **after}:
        path = f"$.operations.{name}"
        if name not in after:
            yield Change("breaking", file, path, f"{name} is not offered any more.")
        elif name not in before:
            yield Change("compatible", file, path, f"{name} was added.")
        elif any(before[name].get(key) != after[name].get(key) for key in ("action", "channel")):
            yield Change("breaking", file, path, f"{name} does something else, or with another topic.")


def _kafka(part: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = part.get("bindings", {}).get("kafka", {})
    return found


def _paths(file: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    before, after = old.get("paths", {}), new.get("paths", {})
    for route in {**before, **after}:
        path = f"$.paths.{route}"
        if route not in after:
            yield Change("breaking", file, path, f"The path {route} was taken away.")
        elif route not in before:
            yield Change("compatible", file, path, f"The path {route} was added.")
        else:
            for method in _METHODS:
                yield from _method(file, route, method, old, new)


def _method(file: str, route: str, method: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    before, after = (document["paths"][route].get(method) for document in (old, new))
    path, called = f"$.paths.{route}.{method}", f"{method.upper()} {route}"
    if after is None:
        if before is not None:
            yield Change("breaking", file, path, f"{called} was taken away.")
        return
    if before is None:
        yield Change("compatible", file, path, f"{called} was added.")
        return
    yield from _parameters(file, path, called, (before, old), (after, new))
    bodies = [_resolved(one.get("requestBody", {}), document) for one, document in ((before, old), (after, new))]
    if bodies[1].get("required") and not bodies[0].get("required"):
        yield Change("breaking", file, f"{path}.requestBody", f"{called} needs a body now.")
    yield from _contents(file, f"{path}.requestBody", called, (bodies[0], old), (bodies[1], new), "publishers")
    codes = {**before.get("responses", {}), **after.get("responses", {})}
    for code in codes:
        at = f"{path}.responses.{code}"
        if code not in after.get("responses", {}):
            yield Change("breaking", file, at, f"{called} does not answer {code} any more.")
        elif code not in before.get("responses", {}):
            yield Change("compatible", file, at, f"{called} can answer {code} too.")
        else:
            said = _resolved(before["responses"][code], old)
            says = _resolved(after["responses"][code], new)
            yield from _contents(file, at, f"{called} ({code})", (said, old), (says, new), "readers")


def _parameters(
    file: str,
    path: str,
    called: str,
    before: tuple[Mapping[str, Any], Mapping[str, Any]],
    after: tuple[Mapping[str, Any], Mapping[str, Any]],
) -> Iterator[Change]:
    known = [
        {
            (one.get("in"), one.get("name")): one
            for part in said.get("parameters", ())
            if (one := _resolved(part, document))
        }
        for said, document in (before, after)
    ]
    for key in {**known[0], **known[1]}:
        at = f"{path}.parameters.{key[1]}"
        was, now = known[0].get(key), known[1].get(key)
        if now is None:
            yield Change("breaking", file, at, f"{called} knows no {key[0]} parameter {key[1]} any more.")
        elif now.get("required") and not (was or {}).get("required"):
            yield Change("breaking", file, at, f"{called} needs the {key[0]} parameter {key[1]} now.")
        elif was is None:
            yield Change("compatible", file, at, f"{called} takes the {key[0]} parameter {key[1]} too.")
        else:
            roots = (before[1], after[1])
            yield from schema_changes(file, was.get("schema", True), now.get("schema", True), "publishers", roots, at)


def _contents(
    file: str,
    path: str,
    called: str,
    before: tuple[Mapping[str, Any], Mapping[str, Any]],
    after: tuple[Mapping[str, Any], Mapping[str, Any]],
    side: Side,
) -> Iterator[Change]:
    was, now = before[0].get("content", {}), after[0].get("content", {})
    for kind in {**was, **now}:
        at = f"{path}.{kind}"
        if kind not in now:
            yield Change("breaking", file, at, f"{called} has no {kind} any more.")
        elif kind not in was:
            yield Change("compatible", file, at, f"{called} has {kind} too.")
        else:
            schemas = (was[kind].get("schema", True), now[kind].get("schema", True))
            yield from schema_changes(file, *schemas, side, (before[1], after[1]), at)


def _resolved(part: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a reference of an AsyncAPI or OpenAPI object points to; nothing where it leads nowhere."""
    reference = part.get("$ref")
    if not isinstance(reference, str):
        return part
    found: Any = document
    for name in reference.removeprefix("#/").split("/"):
        found = found.get(name.replace("~1", "/").replace("~0", "~"), {}) if isinstance(found, dict) else {}
    return found if isinstance(found, dict) else {}
