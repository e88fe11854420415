"""What passes by the million leaves no cycles behind, and nobody looks for any while a history is loaded."""

import gc
from collections.abc import Iterator

import pytest

from streams import collecting
from tests.garbage import left_behind
from tests.streams.network import Network
from tests.streams.told import line, milestone, movement, placed


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.enable()
    gc.unfreeze()
    gc.set_threshold(*thresholds)


def _story(orders: int) -> Network:
    network = Network(partitions=1)
    for number in range(orders):
        order, shipment = f"PO-{number}", f"S-{number}"
        lines = [line("1", order_id=order)]
        network.feed(
            [
                placed(order, 0, [line("1")]),
                milestone(shipment, "departed", 10, destination="NBO", origin="BER", lines=lines),
                milestone(shipment, "delivered", 20, destination="NBO", origin="BER", lines=lines),
                movement("received", 41, 9, shipment, site="NBO", event_id=f"m{number}"),
            ]
        )
    return network


def test_what_the_agents_make_of_records_leaves_no_cycles_behind() -> None:
    """However many records there were, asyncio and the network of the test leave the same."""
    _story(1).run()
    few, many = (left_behind(_story(orders).run) for orders in (100, 300))
    assert many - few < 50


def test_in_a_pause_nothing_is_collected_and_at_its_end_what_is_there_stays() -> None:
    collecting.begin()
    frozen = gc.get_freeze_count()
    collecting.pause()
    assert not gc.isenabled()
    collecting.pause()
    kept: list[list[int]] = [[] for _ in range(1_000)]
    collecting.resume(all_stays=True)
    assert gc.isenabled()
    assert gc.get_freeze_count() > frozen + len(kept)


def test_without_a_pause_nothing_is_kept_from_being_collected() -> None:
    collecting.begin()
    frozen = gc.get_freeze_count()
    kept: list[list[int]] = [[] for _ in range(1_000)]
    collecting.resume(all_stays=True)
    assert gc.isenabled()
    assert gc.get_freeze_count() < frozen + len(kept)
