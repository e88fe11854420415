"""Several stacks on one machine: each on its own directory, with ports and figures of its own."""

from collections.abc import Iterator

import pytest

from schemas.topics import DEFAULT_PARTITIONS
from streams.sending import partition_of
from tests.e2e.recent import movement
from tests.e2e.stack import Stack, running_stack

pytestmark = pytest.mark.tansu


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A fresh stack beside the one that all tests share."""
    with running_stack(tmp_path_factory.mktemp("other") / "data") as stack:
        yield stack


def test_one_event_of_each_partition_and_then_several_are_all_taken(other: Stack) -> None:
    """What people do by hand on a fresh stack: the first fetch of a partition brings one record, the second several.

    Faust takes offset 0 for no offset; without care it never commits past it, and whoever waits waits for ever.
    """
    sites: dict[int, str] = {}
    for number in range(100):
        sites.setdefault(partition_of(f"STEP-{number}|acme:4711".encode(), DEFAULT_PARTITIONS), f"STEP-{number}")
    assert len(sites) == DEFAULT_PARTITIONS
    assert other.publish(movement("received", 1, 1, site=site).raw for site in sites.values()).code == 0
    several = [movement("received", hour, 1, site=site).raw for hour in range(2, 7) for site in sites.values()]
    assert other.publish(several, "--no-wait").code == 0
    other.settled()
    sql = "SELECT count(), toInt64(sum(on_hand)), sum(movements) FROM stock_now"
    assert other.row(sql) == [DEFAULT_PARTITIONS, 6 * DEFAULT_PARTITIONS, 6 * DEFAULT_PARTITIONS]


def test_two_stacks_live_side_by_side_and_one_outlives_the_other(plain: Stack, other: Stack) -> None:
    mine, theirs = movement("received", 1, 5, site="SHARED"), movement("received", 1, 8, site="SHARED")
    sql = "SELECT toInt64(on_hand), movements FROM stock_now WHERE site = 'SHARED'"
    one, two = plain.status(), other.status()
    for name in ("kafka", "store"):
        assert one[name] != two[name]
    assert not {process["pid"] for process in one["processes"]} & {process["pid"] for process in two["processes"]}
    assert plain.publish([mine.raw]).code == 0
    assert other.publish([theirs.raw]).code == 0
    assert plain.row(sql) == [5, 1]
    assert other.row(sql) == [8, 1]
    before = plain.note()
    other.down()
    assert "No stack is running" in other.run("status").complaint(3)
    assert plain.pids() == before
    assert plain.is_ready()
    assert plain.row(sql) == [5, 1]
    assert plain.publish([movement("received", 2, 1, site="SHARED").raw]).code == 0
    assert plain.row(sql) == [6, 2]
