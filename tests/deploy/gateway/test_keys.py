"""What was said of an event before, asked of a real store in one question."""

import json
from collections.abc import Iterator
from typing import Any, Final, cast

import pytest
from clickhouse_connect.driver.client import Client

from deploy.door import Door
from deploy.gateway.keys import GatewayDoor, questions
from schemas.event import Event
from schemas.wire import Rejection, read_any
from sinks.embedded import EmbeddedStore
from sinks.migrate import migrate
from tests.deploy.gateway.gate import NOW, event
from tests.sinks.records import event as record_of
from tests.sinks.records import write

AWKWARD: Final = "it's \\N, \\ and 'ü😀' \" {event_id:String} %s ]"
ARRIVED: Final = 1_767_225_600_000
"""The ms of NOW."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with EmbeddedStore(tmp_path_factory.mktemp("keys") / "store") as store:
        migrate(store.writer)
        yield store.writer


class Counting:
    """A client that counts its questions."""

    def __init__(self, client: Client) -> None:
        self.asked: list[str] = []
        self._client = client

    def query(self, sql: str, **named: Any) -> Any:
        """Ask."""
        self.asked.append(sql)
        return self._client.query(sql, **named)


def received(event_id: str, **other: Any) -> dict[str, Any]:
    """An event of stock."""
    return cast("dict[str, Any]", json.loads(event(event_id, **other)))


def departed(event_id: str, shipment: str = "S1") -> dict[str, Any]:
    """An event of a shipment."""
    when = {"occurred_at": NOW, "recorded_at": NOW}
    said = {"event_id": event_id, "source": "acme", "type": "milestone", "shipment_id": shipment}
    return said | when | {"milestone": "departed", "classifier": "actual", "location": "DEBER"}


def read_in(said: dict[str, Any]) -> Event:
    """The event that a document is."""
    found = read_any(json.dumps(said).encode(), ARRIVED)
    assert not isinstance(found, Rejection), found
    return found


def test_events_of_all_topics_are_asked_about_in_one_question(store: Client) -> None:
    kept = [("warehouse.events", received(AWKWARD)), ("shipment.events", departed("e1"))]
    write(store, *(record_of(topic, said) for topic, said in kept))
    counting = Counting(store)
    door = GatewayDoor(cast("Client", counting))
    # Moved, each under an id that the history knows; and one that nobody knows.
    moved = [read_in(received(AWKWARD, site="HAM")), read_in(departed("e1", "S2"))]
    fresh = read_in(received("fresh"))
    door.look_up([*moved, fresh])
    assert [sql for sql in counting.asked if "any(entity)" in sql] == [counting.asked[-1]]
    for one in moved:
        assert door.knows(one)
        assert door.moved(one) is not None
    assert not door.knows(fresh)
    assert door.moved(fresh) is None


def test_it_finds_what_the_door_of_a_file_finds(store: Client) -> None:
    ids = ["plain", AWKWARD, "slash/back\\\\slash", "quote'\"", "line of ]}',(", "ü😀"]
    write(store, *(record_of("warehouse.events", received(f"both {one}", source=f"s {one}")) for one in ids))
    asked = [read_in(received(f"both {one}", source=f"s {one}", site="HAM")) for one in [*ids, "unknown"]]
    doors = [GatewayDoor(store), Door(store)]
    for door in doors:
        door.look_up(asked)
    ours, files = ([door.knows(one) for one in asked] for door in doors)
    assert ours == files == [True] * len(ids) + [False]


def test_a_question_stays_below_what_the_engine_takes(store: Client) -> None:
    wide = [read_in(received(f"{number:05d}" + "'\\\\" * 60, source="📦" * 90)) for number in range(1_000)]
    asked = list(questions(wide))
    assert len(asked) > 1
    assert max(len(question.encode()) for question in asked) < 256 << 10
    assert sum(question.count('","') for question in asked) == len(wide)
    door = GatewayDoor(store)
    door.look_up(wide)  # the engine takes them
    assert not any(map(door.knows, wide))
