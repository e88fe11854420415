"""What is told, again or no more: states that changed, targets that were left, entities of which nothing is known."""

from tests.streams.network import Network, Place, play, play_in_turn
from tests.streams.test_ticks import AFTER, PROMISED
from tests.streams.told import ITEM, condition, correction, line, milestone, movement, placed, retraction

GOODS = [line("1", 10, order_id="PO-1")]
DEPARTED = milestone("S-1", "departed", 10, lines=GOODS, origin="NBO", destination="BER")
DELIVERED = milestone("S-1", "delivered", 20)


def test_of_what_was_taken_back_altogether_nothing_is_shown() -> None:
    for topic, key, said in (
        ("stock.positions", f"BER|{ITEM}", movement("received", 1, 5)),
        ("shipment.status", "S-1", milestone("S-1", "booked", 1)),
        ("order.status", "PO-1", placed("PO-1", 1, [line("1")])),
    ):
        assert key in play(said).keys(topic)
        assert key not in play_in_turn(said, retraction(said, 30)).keys(topic)
        again = correction(said, 31)
        assert key in play_in_turn(said, retraction(said, 30), again).keys(topic)


def test_what_is_gone_is_told_though_the_words_are_the_same() -> None:
    reading = condition("S-1", 2)
    assert "S-1" in play(reading).keys("shipment.status")
    assert "S-1" not in play_in_turn(reading, retraction(reading, 30)).keys("shipment.status")


def test_that_time_has_passed_keeps_nothing_alive() -> None:
    network = Network(partitions=1)
    network.feed([PROMISED])
    network.run()
    assert network.tick(AFTER) == 1
    network.feed([retraction(PROMISED, 24 * 399)])
    network.run()
    assert "S-1" not in network.views().keys("shipment.status")


def test_a_contribution_that_says_the_same_is_not_sent_again() -> None:
    network = Network(partitions=1)
    network.feed([DEPARTED, DELIVERED])
    network.run()
    contributed = Place("transit.contributions", 0)
    before = len(network.topics[contributed])
    network.feed([condition("S-1", 15, type="position", latitude="50", longitude="13.4")])
    network.run()
    assert len(network.topics[contributed]) == before
    network.feed([correction(DELIVERED, 30, lines=[line("1", 4, order_id="PO-1")])])
    network.run()
    assert len(network.topics[contributed]) == before + 1


def test_a_lane_that_was_left_before_a_restart_is_told_all_the_same() -> None:
    network = Network(partitions=1)
    network.feed([DEPARTED, DELIVERED])
    network.run()
    network.restart()
    network.feed([correction(DEPARTED, 30, origin="LOS")])
    network.run()
    counts = [network.views().lead("transit", lane).all.count for lane in ("NBO>BER", "LOS>BER")]
    assert counts == [0, 1]
