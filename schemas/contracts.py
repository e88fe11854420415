"""The contract, for other systems: JSON Schemas, an AsyncAPI document and the page about events.

`python -m schemas.contracts docs` writes docs/events.md anew.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

from schemas.contracts_asyncapi import asyncapi
from schemas.contracts_docs import events_page
from schemas.contracts_examples import EXAMPLES
from schemas.contracts_json import derived_schema, derived_topics, event_schema
from schemas.errors import WrongInput
from schemas.wire import event_types

__all__ = ["CONTRACT_VERSION", "EXAMPLES", "export_contracts", "write_events_page"]

CONTRACT_VERSION: Final = "1.0"
"""Major: what was valid or there before may not be any more. Minor: something was added."""

_MAJOR: Final = CONTRACT_VERSION.partition(".")[0]


def export_contracts(directory: Path) -> list[str]:
    """Write the contract into a directory, which is made if need be; the files written, relative to it, sorted.

    `events/TYPE.schema.json` for each event type and `derived/NAME.schema.json` for each record that Quayside
    publishes (JSON Schema, draft 2020-12), and `asyncapi.json` (AsyncAPI 3.0.0). The same models give the same
    bytes. Raises WrongInput where the directory cannot be written to.
    """
    documents = _documents()
    for name, document in documents.items():
        _write(directory, name, json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    return sorted(documents)


def write_events_page(directory: Path) -> Path:
    """Write events.md into a directory; where it stands. Raises WrongInput where that cannot be done."""
    return _write(directory, "events.md", events_page(CONTRACT_VERSION))


def _documents() -> dict[str, dict[str, Any]]:
    events = {f"events/{kind}.schema.json": event_schema(kind, _MAJOR) for kind in event_types()}
    records = {f"derived/{topic.payload}.schema.json": derived_schema(topic, _MAJOR) for topic in derived_topics()}
    return events | records | {"asyncapi.json": asyncapi(CONTRACT_VERSION)}


def _write(directory: Path, name: str, text: str) -> Path:
    path = directory / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    except OSError as error:
        raise WrongInput(
            f"Cannot write {path} ({error.strerror or type(error).__name__}): name a directory that can be written to."
        ) from None
    return path


if __name__ == "__main__":
    sys.stdout.write(f"wrote {write_events_page(Path(sys.argv[1] if len(sys.argv) > 1 else 'docs'))}\n")
