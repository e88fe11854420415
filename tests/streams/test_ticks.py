"""Time passes in the agents' own loop: what it opens, what holds it back, and that it is a fact like any other."""

from random import Random

from schemas.coordinates import Mark
from schemas.times import HOUR_MS
from tests.streams.network import ARRIVAL, Network, play
from tests.streams.told import Told, milestone, moment, ms

PROMISED = milestone("S-1", "departed", 1, promised_at=moment(24 * 402))
"""A promise that is broken a day and a half after everything has arrived."""

BROKEN = ms(24 * 402)
AFTER = BROKEN + HOUR_MS


def told(network: Network, *records: Told) -> Network:
    network.feed(records)
    network.run()
    return network


def kinds(network: Network, shipment: str = "S-1") -> set[str]:
    return set(network.views().exceptions(f"shipment/{shipment}"))


def test_a_shipment_becomes_late_because_time_passes() -> None:
    network = told(Network(), PROMISED)
    assert network.tick(BROKEN) == 0
    assert kinds(network) == set()
    assert network.tick(AFTER) == 1
    late = network.views().exceptions("shipment/S-1")["late_delivery"]
    assert late.opened_at == BROKEN
    assert network.tick(AFTER + HOUR_MS) == 0, "it is said once"


def test_what_time_brought_survives_a_restart_and_ends_when_the_goods_arrive() -> None:
    network = told(Network(), PROMISED)
    network.tick(AFTER)
    network.restart()
    assert network.tick(AFTER) == 0
    told(network, milestone("S-1", "delivered", 24 * 400))
    assert kinds(network) == set()


def test_a_tick_writes_a_changelog_record_and_so_a_greater_version() -> None:
    network = told(Network(), PROMISED)
    before = sum(len(log) for place, log in network.topics.items() if place.topic == "shipments.facts")
    network.tick(AFTER)
    assert sum(len(log) for place, log in network.topics.items() if place.topic == "shipments.facts") == before + 1
    assert network.two_states_of_one_version() == []


def test_time_is_held_back_until_all_that_was_there_has_been_read() -> None:
    network = told(Network(partitions=1), PROMISED)
    network.feed([milestone("S-1", "delivered", 24 * 400)])
    network.restart()
    assert network.tick(AFTER) == 0, "the delivery is there and not read yet"
    network.run()
    assert network.tick(AFTER) == 0
    assert kinds(network) == set()


def test_time_is_held_back_while_history_is_loaded() -> None:
    network = Network(partitions=1)
    begin, end = Mark(begins=True, load="old"), Mark(begins=False, load="old")
    network.feed([PROMISED], headers=(begin.header(),))
    network.run()
    assert network.tick(AFTER) == 0
    network.feed([milestone("S-2", "departed", 2)], headers=(end.header(),))
    network.run()
    assert network.tick(AFTER) == 1
    assert kinds(network) == {"late_delivery"}


def test_a_crash_between_the_writes_of_a_tick_leaves_no_trace() -> None:
    calm = told(Network(), PROMISED)
    calm.tick(AFTER)
    for written in range(6):
        network = told(Network(), PROMISED)
        network.tick(AFTER, written)
        network.tick(AFTER)
        assert network.views() == calm.views(), written


def test_ticks_at_any_moment_and_in_any_order_of_events_end_the_same() -> None:
    story = [
        PROMISED,
        milestone("S-1", "arrived", 24 * 401, "planned"),
        milestone("S-2", "departed", 3, promised_at=moment(24 * 403)),
        milestone("S-2", "delivered", 24 * 400),
        milestone("S-3", "booked", 3, promised_at=moment(24 * 401)),
    ]
    calm = told(Network(), *story)
    calm.tick(ARRIVAL + 100 * 24 * HOUR_MS)
    assert kinds(calm) == {"late_delivery", "overdue_milestone"}
    for seed in range(20):
        chaos = Random(seed)
        network = Network(chaos=chaos)
        chaos.shuffle(story)
        for record in story:
            told(network, record)
            network.tick(ARRIVAL + chaos.randint(0, 5 * 24) * HOUR_MS)
            if chaos.random() < 0.3:
                network.restart()
        network.tick(ARRIVAL + 100 * 24 * HOUR_MS)
        assert network.views() == calm.views(), seed
        assert network.views() != play(*story), "time did pass"
