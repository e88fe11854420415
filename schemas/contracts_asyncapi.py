"""The AsyncAPI document: every topic, what stands on it, its key, its partitions and its settings.

AsyncAPI 3.0.0, Kafka bindings 0.5.0. The document stands alone: all its references point into itself. It is
written for the programs that talk with Quayside: they send events and receive views.
"""

from typing import Any, Final, Literal

from schemas.contracts_examples import EXAMPLES
from schemas.contracts_json import components, is_versioned, title_of
from schemas.topics import TOPICS, Topic, fact_topic
from schemas.wire import MAX_RECORD_BYTES, event_types

BINDING: Final = "0.5.0"

_ABOUT: Final = (
    "Written for programs that talk with Quayside: `send` is what suppliers, warehouses and carriers publish, "
    "`receive` is what anybody may read. Topics without an operation are Quayside's own.\n\n"
    f"Keys are UTF-8 text, partitioned as by Kafka's own clients (murmur2). A record has at most {MAX_RECORD_BYTES} "
    "bytes. Number of partitions and retention are defaults that an installation may have changed."
)
_PRIVATE: Final = "The state of an agent, in a format of its own that may change: not for other programs."


def asyncapi(version: str) -> dict[str, Any]:
    """The AsyncAPI document of this version of the contract."""
    return {
        "asyncapi": "3.0.0",
        "id": "urn:quayside:contract",
        "info": {
            "title": "Quayside",
            "version": version,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": dict(_operation(topic) for topic in TOPICS if _action(topic) is not None),
        "components": {
            "messages": {name: message for topic in TOPICS for name, message in _messages(topic).items()},
            "schemas": components(),
        },
    }


def _action(topic: Topic) -> Literal["send", "receive"] | None:
    return "send" if topic.kind == "fact" else "receive" if topic.kind in {"view", "account"} else None


def _channel(topic: Topic) -> dict[str, Any]:
    about = f"{topic.purpose[:1].upper()}{topic.purpose[1:]}. Key: {topic.key}."
    return {
        "address": topic.name,
        "title": topic.name,
        "description": f"{about} {_PRIVATE}" if topic.kind == "state" else about,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _messages(topic)},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": _configuration(topic),
                "bindingVersion": BINDING,
            }
        },
    }


def _configuration(topic: Topic) -> dict[str, Any]:
    """The topic's settings in the types of the binding: numbers as numbers, cleanup.policy as a list."""
    settings: dict[str, Any] = {
        name: int(value) if value.isdigit() else value for name, value in topic.config().items()
    }
    return settings | {"cleanup.policy": topic.config()["cleanup.policy"].split(",")}


def _operation(topic: Topic) -> tuple[str, dict[str, Any]]:
    action = _action(topic)
    return f"{action}.{topic.name}", {
        "action": action,
        "title": f"{title_of(str(action))} {topic.name}",
        "summary": f"{'Publish' if action == 'send' else 'Read'} {topic.purpose}.",
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "messages": [{"$ref": f"#/channels/{topic.name}/messages/{name}"} for name in _messages(topic)],
    }


def _messages(topic: Topic) -> dict[str, dict[str, Any]]:
    """The messages of a topic, by name."""
    if topic.kind in {"fact", "forward"}:
        return {
            kind: {
                "name": kind,
                "title": title_of(kind),
                "payload": {"$ref": f"#/components/schemas/{model.__name__}"},
                "examples": [{"name": kind, "payload": EXAMPLES[kind]}],
                **_key(topic),
            }
            for kind, model in event_types().items()
            if model.topic == fact_topic(topic.name)
        }
    if topic.kind == "state":
        name = topic.name.replace(".", "_")
        return {
            name: {
                "name": name,
                "title": topic.name,
                "contentType": "application/octet-stream",
                "payload": {"description": _PRIVATE},
                **_key(topic),
            }
        }
    schema = f"Published{topic.payload}" if is_versioned(topic) else topic.payload
    payload = {"$ref": f"#/components/schemas/{schema}"}
    return {topic.payload: {"name": topic.payload, "title": topic.payload, "payload": payload, **_key(topic)}}


def _key(topic: Topic) -> dict[str, Any]:
    key = {"type": "string", "description": topic.key}
    return {"bindings": {"kafka": {"key": key, "bindingVersion": BINDING}}}
