"""A record is passed on once, and one that cannot be read costs itself only, also between agents."""

import msgspec

from schemas.derived import Published, Transit, encode
from schemas.topics import forward_topic
from tests.streams.network import Network, Place
from tests.streams.told import ITEM, movement


def test_what_was_passed_on_is_taken_where_it_has_come_to() -> None:
    network = Network()
    said = movement("received", 1, 5)
    network.feed([said], astray=True)
    (astray,) = (place for place, log in network.topics.items() if log)
    forwarded = Place(forward_topic("warehouse.events"), astray.partition)
    network.append(forwarded, b"", said.raw)  # by a stranger, or by workers that counted partitions otherwise
    network.step(forwarded, 1)
    assert len(network.topics[forwarded]) == 1, "it would be passed on for ever"
    assert network.views().stock("BER", ITEM).on_hand == 5_000


def test_a_contribution_that_cannot_be_read_costs_itself_only() -> None:
    network = Network(partitions=1)
    place = Place("transit.contributions", 0)
    for number in (1, 2):
        state = Transit(f"S-{number}", "BER", ITEM, "pack", shipped=1_000)
        words = encode(Published((7, number), msgspec.Raw(encode(state))))
        network.append(place, b"", words)
        network.append(place, b"", b'{"version": "none"}')
    network.run()
    assert network.views().stock("BER", ITEM).in_transit == 2_000
    assert [(letter.topic, letter.offset) for letter in network.dead()] == [(place.topic, 1), (place.topic, 3)]
