"""What makes it fast, counted in steps and not in seconds: work that is not done again, and what is done together."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from schemas import wire
from schemas.versions import Version
from schemas.wire import Rejection, read
from streams import table
from streams.facts import Fact, contributor_identity
from streams.inbox import Inbox
from streams.leads.derive import LeadTimes, Sums
from streams.shipments import derive as shipments
from streams.shipments.derive import Shipments
from streams.shipments.told import Told as Folded
from streams.stock.books import Books
from streams.stock.derive import Stock
from tests.streams.network import ARRIVAL, Network
from tests.streams.told import Told, condition, milestone, movement


@contextmanager
def counted(owner: Any, name: str) -> Iterator[list[None]]:
    """How often a method or function is called: the length of the list."""
    calls: list[None] = []
    original = getattr(owner, name)

    def called(*given: Any, **named: Any) -> Any:
        calls.append(None)
        return original(*given, **named)

    with patch.object(owner, name, called):
        yield calls


def stated(rules: Any, told: Told) -> tuple[str, Fact]:
    event = read(*told, ARRIVAL)
    assert not isinstance(event, Rejection)
    _, identity, fact = rules.statement(event, told.raw)
    return identity, fact


def test_a_movement_that_comes_last_costs_one_step() -> None:
    running = Stock().running({}, None)
    with counted(Books, "take") as steps:
        for number in range(300):
            running.replace(*with_old(stated(Stock(), movement("received", number, 1))))
            running.derive("BER|acme:4711")
    assert len(steps) == 300


def test_a_movement_that_comes_out_of_order_costs_the_steps_since_a_checkpoint() -> None:
    running = Stock().running({}, None)
    for number in range(1_000):
        running.replace(*with_old(stated(Stock(), movement("received", number, 1))))
    running.derive("BER|acme:4711")
    with counted(Books, "take") as steps:
        running.replace(*with_old(stated(Stock(), movement("shipped", 950.5, 1))))
        running.derive("BER|acme:4711")
    assert len(steps) < 150


def with_old(said: tuple[str, Fact]) -> tuple[str, None, Fact]:
    return said[0], None, said[1]


def test_a_position_of_a_shipment_does_not_make_its_journey_be_derived_anew() -> None:
    running = Shipments().running({}, None)
    running.replace(*with_old(stated(Shipments(), milestone("S-1", "departed", 1))))
    with counted(shipments, "journey") as derived:
        for hour in range(50):
            seen = condition("S-1", hour, type="position", latitude="50", longitude="13.4")
            running.replace(*with_old(stated(Shipments(), seen)))
            running.derive("S-1")
    assert len(derived) == 1


def test_a_milestone_that_was_said_last_goes_on_from_what_was_told() -> None:
    running = Shipments().running({}, None)
    with counted(Folded, "take") as steps:
        for leg in range(1, 41):
            running.replace(*with_old(stated(Shipments(), milestone("S-1", "departed", leg, leg=leg))))
            running.derive("S-1")
    assert len(steps) == 40


def test_an_observation_costs_its_own_day_and_not_the_whole_window() -> None:
    running = LeadTimes().running({}, None)
    with counted(Sums, "add") as steps:
        for number in range(200):
            fact = Fact(Version(1, number, b""), ((20_000, number),))
            running.replace(contributor_identity(str(number)), None, fact)
            running.derive("transit|a>b")
    assert len(steps) <= 1


def test_an_entity_of_many_facts_is_not_derived_from_all_of_them_each_time() -> None:
    network = Network(partitions=1)
    with counted(Stock, "running") as begun:
        for number in range(table.RUNNING_FROM + 20):
            network.feed([movement("received", number, 1)])
            network.run()
    assert len(begun) == 1


def test_ordinary_events_are_read_without_pydantic() -> None:
    told = [movement("received", 1, 1, event_id="m1"), milestone("S-1", "departed", 1), condition("S-1", 2)]
    with counted(wire, "judge") as asked:
        assert not any(isinstance(read(*one, ARRIVAL), Rejection) for one in told)
    assert asked == []


def event(*offsets: int) -> Any:
    return SimpleNamespace(value=list(offsets))


async def test_what_came_while_a_batch_was_in_hand_is_the_next_batch() -> None:
    inbox = Inbox(100)
    for number in range(5):
        await inbox.put(event(number, number))
    assert [one.value for one in await inbox.take()] == [[number, number] for number in range(5)]


async def test_a_batch_and_what_waits_are_bounded() -> None:
    inbox = Inbox(4)
    await inbox.put(event(1, 1, 1))
    await inbox.put(event(2, 2, 2))
    waiting = asyncio.create_task(inbox.put(event(3)))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not waiting.done(), "memory would grow with what comes"
    assert [one.value for one in await inbox.take()] == [[1, 1, 1]]
    await waiting
    assert [one.value for one in await inbox.take()] == [[2, 2, 2], [3]]
