"""Whose a partition is: taken over before it is read, left alone once revoked, read anew when it comes back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import patch

import pytest

from streams import agent as agents
from streams.agent import Agent, Rules, WrongEpoch
from streams.rows import HEADER_KEY, Codec
from streams.sending import Sender
from streams.stock.derive import Stock
from tests.streams.network import EPOCH, Network, Place
from tests.streams.strategies import UNREADABLE
from tests.streams.test_ticks import AFTER, PROMISED
from tests.streams.told import ITEM, milestone, moment, movement

SOURCE = Place("warehouse.events", 0)
CHANGELOG = Place("stock.facts", 0)


class Watched:
    """Acknowledged steps over a network's wire that write down what they are asked; a batch waits for `may_begin`."""

    transactional = False

    def __init__(self, sender: Sender) -> None:
        self.told: list[str] = []
        self.has_begun = asyncio.Event()
        self.may_begin = asyncio.Event()
        self.may_begin.set()
        self._sender = sender

    async def take_over(self, *_: object) -> None:
        """Noted."""
        self.told.append("taken over")

    @asynccontextmanager
    async def batch(self, *_: object) -> AsyncIterator[Sender]:
        """The wire, once the batch may begin."""
        self.has_begun.set()
        await self.may_begin.wait()
        yield self._sender
        self.told.append("batch")

    async def give_up(self, *_: object) -> None:
        """Noted."""
        self.told.append("given up")

    async def stop(self) -> None:
        """Nothing to do."""


def stock_agent(network: Network) -> tuple[Agent, Watched]:
    """A stock agent over a network's topics."""
    steps = Watched(network._wire)
    agent = Agent(Stock(), steps, "nowhere", Rules(EPOCH, partitions=1))
    agent.assigned({0})
    return agent, steps


def with_goods() -> Network:
    network = Network(partitions=1)
    network.feed([movement("received", 1, 5)])
    return network


def written(network: Network) -> set[Place]:
    """Where the agent has written."""
    return {place for place, log in network.topics.items() if log} - {SOURCE}


async def test_a_batch_of_a_revoked_partition_is_left_alone() -> None:
    network = with_goods()
    agent, _ = stock_agent(network)
    await agent.revoke({0})
    with patch.object(agents, "recover", network._recover):
        assert not await agent.process(0, {SOURCE.topic: network.topics[SOURCE]})
        assert await agent.tick(0) == 0
    assert written(network) == set()


async def test_a_revocation_waits_for_the_batch_in_hand() -> None:
    network = with_goods()
    agent, steps = stock_agent(network)
    steps.may_begin.clear()
    with patch.object(agents, "recover", network._recover):
        working = asyncio.create_task(agent.process(0, {SOURCE.topic: network.topics[SOURCE]}))
        await steps.has_begun.wait()
        leaving = asyncio.create_task(agent.revoke({0}))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not leaving.done(), "the next owner could begin while this batch is under way"
        steps.may_begin.set()
        assert await working
        await leaving
    assert steps.told == ["taken over", "batch", "given up"]


async def test_a_partition_that_is_revoked_while_it_is_read_is_left() -> None:
    network = with_goods()
    agent, _ = stock_agent(network)
    reading, may_read = asyncio.Event(), asyncio.Event()

    async def read(*given: Any) -> None:
        reading.set()
        await may_read.wait()
        await network._recover(*given)

    with patch.object(agents, "recover", read):
        working = asyncio.create_task(agent.process(0, {SOURCE.topic: network.topics[SOURCE]}))
        await reading.wait()
        leaving = asyncio.create_task(agent.revoke({0}))
        for _ in range(5):
            await asyncio.sleep(0)
        may_read.set()
        assert not await working
        await leaving
    assert agent.owned == []
    assert written(network) == set(), "its next owner may be writing already"


async def test_a_partition_that_comes_back_is_read_anew() -> None:
    first = with_goods()
    first.run()
    first_agent = first._readers[SOURCE.topic]
    await first_agent.revoke({0})
    second = Network(partitions=1, topics=first.topics, committed=first.committed)
    second.feed([movement("received", 2, 3)])
    second.run()
    first_agent.assigned({0})
    first.feed([movement("received", 3, 1)])
    first.run()
    assert first.views().stock("BER", ITEM).on_hand == 9_000


async def test_a_partition_is_taken_over_before_its_changelog_is_read() -> None:
    network = with_goods()
    agent, steps = stock_agent(network)

    async def read(*_: Any) -> None:
        steps.told.append("read")

    with patch.object(agents, "recover", read):
        await agent.process(0, {SOURCE.topic: network.topics[SOURCE]})
    assert steps.told[:2] == ["taken over", "read"], "an earlier owner could still write behind what was read"


def test_state_of_another_life_of_the_broker_is_refused() -> None:
    network = with_goods()
    header = Codec(Stock().payload, Stock().base).header(EPOCH + 1)
    network.append(CHANGELOG, header.key, header.value)
    with pytest.raises(WrongEpoch, match=rf"partition 0 holds epoch {EPOCH + 1}"):
        network.run()


@pytest.mark.parametrize("raw", [movement("received", 1, 5).raw, b"{"], ids=["an event", "none"])
def test_the_first_row_of_a_changelog_is_its_header_whatever_came(raw: bytes) -> None:
    network = Network(partitions=1)
    network.append(SOURCE, b"", raw)
    network.run()
    assert network.topics[CHANGELOG][0].key == HEADER_KEY
    assert [row.key for row in network.topics[CHANGELOG]].count(HEADER_KEY) == 1


def test_time_is_held_back_until_the_last_of_what_was_there_has_been_read() -> None:
    network = Network(partitions=1)
    network.feed([PROMISED])
    network.run()
    network.feed([milestone("S-2", "departed", 2), milestone("S-1", "delivered", 24 * 400)])
    network.restart()
    network.step(Place("shipment.events", 0), 1)
    assert network.tick(AFTER) == 0, "one of the two is not read yet"
    network.run()
    assert network.tick(AFTER) == 0
    assert network.views().exceptions("shipment/S-1") == {}


def test_a_deadline_is_still_known_after_a_restart() -> None:
    network = Network(partitions=1)
    network.feed([PROMISED])
    network.run()
    network.restart()
    assert network.tick(AFTER) == 1
    assert set(network.views().exceptions("shipment/S-1")) == {"late_delivery"}


def test_time_is_held_back_until_all_that_was_read_back_has_been_looked_at() -> None:
    network = Network(partitions=1)
    network.feed([PROMISED, milestone("S-2", "departed", 1, promised_at=moment(24 * 402))])
    network.run()
    network.restart()
    with patch.object(agents, "_EXAMINED", 1):
        assert [network.tick(AFTER) for _ in range(3)] == [0, 2, 0]


def test_a_dead_letter_is_no_reason_to_hold_time_back() -> None:
    network = Network(partitions=1)
    network.feed([PROMISED, UNREADABLE[0]])
    network.run()
    assert network.tick(AFTER) == 1
