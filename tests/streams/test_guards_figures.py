"""Figures that follow the facts also where something was taken back, and orders that were dated late."""

from schemas.wire import Rejection, read
from streams.facts import Fact
from streams.shipments.derive import Shipments
from tests.streams.network import ARRIVAL, play
from tests.streams.told import Told, correction, line, milestone, moment, ms, of_order, placed, retraction


def stated(told: Told) -> tuple[str, Fact]:
    event = read(*told, ARRIVAL)
    assert not isinstance(event, Rejection)
    _, identity, fact = Shipments().statement(event, told.raw)
    return identity, fact


def test_a_shipment_kept_up_to_date_forgets_what_was_taken_back() -> None:
    departed, delivered = milestone("S-1", "departed", 1, carrier="RoadCo"), milestone("S-1", "delivered", 20)
    rules = Shipments()
    running = rules.running({}, None)
    facts: dict[str, Fact] = {}
    told = (
        departed,
        delivered,
        retraction(delivered, 30),
        correction(departed, 31, carrier=None),
        correction(delivered, 32),
        retraction(departed, 33),
    )
    for said in told:
        identity, fact = stated(said)
        running.replace(identity, facts.get(identity), fact)
        facts[identity] = fact
        assert running.derive("S-1") == rules.derive("S-1", facts)


def test_what_is_said_of_an_order_counts_also_where_the_order_is_dated_later() -> None:
    order = placed("PO-1", 10, [line("1", 10, promised_at=moment(40))])
    confirmed = of_order("order_confirmed", "PO-1", 3, lines=[{"line_id": "1", "promised_at": moment(60)}])
    assert play(order, confirmed).order("PO-1").lines[0].promised_at == ms(60)
    assert play(order, of_order("order_closed", "PO-1", 5)).order("PO-1").status == "closed"
