"""Publishers and the supervisor agree on the broker: nobody sends to one that is being left."""

import asyncio
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka.errors import KafkaConnectionError

from deploy.following import Following, moved_on, nobody_publishes, somebody_loads
from deploy.replayed import FINISH, Move, Told, tell, told
from deploy.rotation import resident_bytes
from deploy.stackfile import StackFile
from schemas.errors import Unreachable


def stack(data: Path, kafka: str = "old:1", *, moving: bool = False) -> StackFile:
    """A stack of this process."""
    return StackFile(os.getpid(), 1, kafka, "http://gate", "u", "p", moving=moving, data=str(data))


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A data directory that a stack holds."""
    stack(tmp_path).write(tmp_path)
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield tmp_path


def test_while_a_batch_is_on_its_way_nobody_else_is_alone(data: Path) -> None:
    async def publish() -> str:
        async with Following(data).steady() as address, Following(data).steady():
            with nobody_publishes(data) as held:
                assert not held
            return address

    assert asyncio.run(publish()) == "old:1"
    with nobody_publishes(data) as held:
        assert held


def test_publishers_wait_while_the_stack_moves_and_go_on_in_the_new_broker(data: Path) -> None:
    async def publish() -> str:
        async with Following(data).steady() as address:
            return address

    async def both() -> tuple[bool, str]:
        stack(data, moving=True).write(data)
        publishing = asyncio.create_task(publish())
        await asyncio.sleep(0.1)
        waited = not publishing.done()
        with nobody_publishes(data) as held:
            assert held
            stack(data, "new:2").write(data)
        return waited, await publishing

    assert asyncio.run(both()) == (True, "new:2")


def test_what_a_broker_that_is_left_never_acknowledges_is_not_waited_for(data: Path) -> None:
    async def publish() -> tuple[bool, bool]:
        hanging = asyncio.create_task(Following(data).sent(asyncio.sleep(3_600), "old:1"))
        await asyncio.sleep(0)
        stack(data, "new:2", moving=True).write(data)

        async def refused() -> None:
            raise KafkaConnectionError

        return await hanging, await Following(data).sent(refused(), "old:1")

    assert asyncio.run(publish()) == (False, False)


def test_what_was_acknowledged_is_sent_and_without_a_stack_nothing_is(data: Path) -> None:
    assert asyncio.run(Following(data).sent(asyncio.sleep(0), "old:1"))
    (data / "stack.json").unlink()

    async def publish() -> None:
        async with Following(data).steady():
            pass

    with pytest.raises(Unreachable, match="has stopped"):
        asyncio.run(publish())


def test_a_load_is_known_until_it_ends(data: Path) -> None:
    assert not somebody_loads(data)
    load = Following(data, loads=True)
    assert somebody_loads(data)
    load.close()
    assert not somebody_loads(data)


def test_a_stack_that_moved_is_found_again_and_one_of_your_own_servers_does_not_move(data: Path) -> None:
    before = stack(data)
    stack(data, "new:2").write(data)
    after = moved_on(before)
    assert after is not None
    assert after.kafka == "new:2"
    assert moved_on(StackFile(os.getpid(), 1, "own:9092", "http://gate", "u", "p")) is None


def test_supervisor_and_store_understand_each_other(data: Path) -> None:
    move = Move("new:2", 5, 4, {"warehouse.events/0": 7})
    command, _, said = move.line(FINISH).partition(" ")
    assert (command, Move.read(said)) == (FINISH, move)
    assert move.has("warehouse.events", 0, 6)
    assert not move.has("warehouse.events", 0, 7)
    assert not move.has("warehouse.events", 1, 0)
    assert Move("new:2", 5).has("warehouse.events", 1, 99)
    tell(data, Told(5, 12, "whole", 1))
    assert told(data, 5) == Told(5, 12, "whole", 1)
    assert told(data, 5).reached("most")
    assert not told(data, 5).reached("whole", 2)
    assert not told(data, 5).reached("shown")
    assert told(data, 6) == Told(6)


def test_how_much_memory_a_process_holds() -> None:
    assert resident_bytes(os.getpid()) > 1_000_000
