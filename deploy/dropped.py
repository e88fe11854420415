"""What a door refuses since retention dropped it: corrections and repeats of events whose sum is kept without them."""

import time
from collections.abc import Iterable
from typing import Final

from clickhouse_connect.driver.client import Client

from deploy.gate_client import rows
from deploy.kept import sql
from schemas.event import Event
from schemas.wire import Rejection

_ASKED_AT_ONCE: Final = 200
"""So that a query of the longest names stays below what the engine takes (256 KiB)."""

_LOOK_S: Final = 60.0
"""As long as retention has dropped nothing, it is asked again after so long whether that is still so."""

_KEPT: Final = 100_000


class Dropped:
    """Knows of events whether retention dropped them. `store`: where it is looked up; None: nothing was."""

    def __init__(self, store: Client | None) -> None:
        self._store = store
        self._known: set[tuple[str, str, str, str]] = set()
        self._nothing_until = 0.0

    def look_up(self, events: Iterable[Event]) -> None:
        """Ask the store about these events. Raises Unreachable where it does not answer."""
        if self._store is None or time.monotonic() < self._nothing_until:
            return
        if not rows(self._store, "SELECT 1 FROM retention_forgotten LIMIT 1"):
            self._nothing_until = time.monotonic() + _LOOK_S
            return
        if len(self._known) > _KEPT:
            self._known.clear()
        by_topic: dict[str, set[tuple[str, str, str]]] = {}
        for event in events:
            by_topic.setdefault(event.topic, set()).add((event.entity_key(), event.source, event.event_id))
        for topic, asked in by_topic.items():
            named = sorted(asked)
            for start in range(0, len(named), _ASKED_AT_ONCE):
                some = (f"({', '.join(map(_literal, one))})" for one in named[start : start + _ASKED_AT_ONCE])
                question = _FORGOTTEN.replace("{{topic}}", topic).replace("{{asked}}", ", ".join(some))
                self._known.update((topic, *found) for found in rows(self._store, question))

    def refusal(self, event: Event) -> Rejection | None:
        """Why an event that was looked up is refused; None where retention has not dropped it."""
        if (event.topic, event.entity_key(), event.source, event.event_id) not in self._known:
            return None
        instead = "an adjusted event for what differs" if event.topic == "warehouse.events" else "a new event"
        return Rejection(
            "invalid",
            f"event {event.event_id!r} of {event.source!r} is so old that retention has dropped it, and what it came "
            f"to is kept without it: a correction or a repeat cannot be applied any more; send {instead}.",
        )


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


_FORGOTTEN: Final = sql("forgotten_of")
