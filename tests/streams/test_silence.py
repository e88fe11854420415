"""Silent loads: while the history is replayed into an empty broker nothing is published, and at the end all of it."""

from collections.abc import Sequence
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy.loading import Load
from schemas.coordinates import SILENT, Coordinate, Mark, Origin
from schemas.times import DAY_MS
from schemas.topics import of_kind
from schemas.wire import Rejection, read
from streams.sending import Record
from tests.streams.network import ARRIVAL, CONTRIBUTIONS, VIEWS, Network, Place
from tests.streams.outcomes import outcomes
from tests.streams.strategies import histories
from tests.streams.told import ITEM, Told, correction, line, milestone, movement, ms, placed

WEEK = 7 * DAY_MS
FIRST = ms(0)
SILENCE = f"{SILENT}replay-1"
PLACE = Place("warehouse.events", 0)


def replayed(network: Network, told: Sequence[tuple[Told, int]], *, early: bool = False) -> None:
    """Replay records, each with its first append time (ms), in one silent load, as the store process does it.

    `early`: the silence ends before the load does.
    """
    load = Load("replay", {topic.name: network.partitions for topic in of_kind("fact")}, silent=True)
    addressed = [
        (record.topic, Record(key_of(record), record.raw, (origin(record, at, index).header(),)))
        for index, (record, at) in enumerate(told)
    ]
    sendings = [load.begun(load.hold_back(addressed))]
    if early:
        sendings.append(load.begun(load.end_silence()))
    sendings.append(load.begun(load.rest()))
    for going in sendings:
        for (topic, partition), several in going.items():
            for one in several:
                network.append(Place(topic, partition), one.key, one.value, ARRIVAL, one.headers)


def origin(record: Told, at: int, index: int) -> Origin:
    return Origin(Coordinate(1, record.topic, 0, index), at, "the-store")


def key_of(record: Told) -> bytes:
    event = read(record.topic, record.raw, ARRIVAL)
    return (record.topic if isinstance(event, Rejection) else event.entity_key()).encode()


def published(network: Network) -> list[str]:
    """The topics of all that has been published so far."""
    return [record.topic for record in network._records(VIEWS | CONTRIBUTIONS)]


def receipts(count: int) -> list[tuple[Told, int]]:
    return [(movement("received", hour, 1, event_id=str(hour)), FIRST) for hour in range(1, count + 1)]


def test_nothing_is_published_before_the_end() -> None:
    network = Network(partitions=1)
    replayed(network, receipts(6))
    for _ in range(5):
        network.step(PLACE, 1)
        assert published(network) == []
    network.run()
    assert network.views().stock("BER", ITEM).on_hand == 6_000
    assert published(network).count("stock.positions") == 2  # of what was kept back, and of the last record


def test_who_takes_over_in_the_middle_tells_all_of_it() -> None:
    network = Network(partitions=1)
    others = [(movement("received", 1, 2, site=site), FIRST) for site in ("NBO", "LOS")]
    replayed(network, [*others, *receipts(4)])
    for _ in range(4):
        network.step(PLACE, 1)
        network.restart()
    assert published(network) == []
    network.run()
    assert {network.views().stock(site, ITEM).on_hand for site in ("NBO", "LOS")} == {2_000}
    assert network.views().stock("BER", ITEM).on_hand == 4_000


def test_deadlines_wait_for_the_end_of_the_silence() -> None:
    promise = milestone("S-1", "delivered", 20, "planned")
    told = [(promise, FIRST), (milestone("S-1", "departed", 2), FIRST)]
    network = Network(partitions=1)
    replayed(network, told)
    network.step(Place("shipment.events", 0), 1)
    network.restart()
    assert network.tick(ms(24 * 9)) == 0
    assert published(network) == []
    network.run()
    assert network.tick(ms(24 * 9)) == 1


def test_silence_is_believed_of_records_of_the_history_only() -> None:
    network = Network(partitions=1)
    network.feed([movement("received", 1, 5)], headers=(Mark(begins=True, load=SILENCE).header(),))
    network.run()
    assert network.views().stock("BER", ITEM).on_hand == 5_000


def test_a_silence_whose_end_does_not_come_ends_with_the_load() -> None:
    network = Network(partitions=1)
    first = movement("received", 1, 5)
    network.feed([first], headers=(origin(first, FIRST, 1).header(), Mark(begins=True, load=SILENCE).header()))
    network.run()
    assert published(network) == []
    network.feed([movement("received", 2, 1, site="NBO")], at=ARRIVAL)
    network.run()
    assert {network.views().stock(site, ITEM).on_hand for site in ("BER", "NBO")} == {5_000, 1_000}


def test_what_was_finished_long_ago_closes_first_after_the_silence() -> None:
    def story(name: str, hour: int) -> list[tuple[Told, int]]:
        return [
            (milestone(name, what, hour + after), ms(hour + after))
            for what, after in (("departed", 0), ("delivered", 9))
        ]

    network = Network(partitions=1, horizon=WEEK)
    replayed(network, [*story("S-2", 24), *story("S-1", 24 * 8), *story("S-3", 48)])
    network.run()
    network.feed([milestone("S-4", "departed", 24 * 12)], at=FIRST + 12 * DAY_MS)
    network.run()
    entities = network.partition("shipments", 0).entities
    assert [name for name, entity in sorted(entities.items()) if entity.closed_at is not None] == ["S-2", "S-3"]
    network.feed([correction(milestone("S-2", "departed", 24), 24 * 12)], at=FIRST + 12 * DAY_MS)
    network.run()
    assert network.views().shipment("S-2").status == "delivered"
    assert [late.entity for late in network.late()] == ["S-2"]


def test_orders_have_what_their_shipments_told_at_the_end() -> None:
    goods = [line("1", 4, order_id="PO-1")]
    told = [
        (placed("PO-1", 0, [line("1", 4)]), FIRST),
        (milestone("S-1", "departed", 1, lines=goods, destination="BER"), FIRST),
        (milestone("S-1", "delivered", 20), FIRST),
    ]
    network = Network(partitions=1)
    replayed(network, told)
    network.run()
    assert network.views().order("PO-1").lines[0].delivered == 4_000


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    records=histories(),
    seed=st.integers(0, 2**32),
    fuses=st.lists(st.none() | st.integers(0, 15), max_size=40),
    early=st.booleans(),
)
def test_in_silence_or_not_the_same_is_shown_in_the_end(
    records: list[Told], seed: int, fuses: list[int | None], early: bool
) -> None:
    aloud = Network(partitions=2)
    aloud.feed(records)
    aloud.run()
    network = Network(partitions=2, chaos=Random(seed))
    replayed(network, [(record, ARRIVAL) for record in records], early=early)
    network.run(fuses, most=5)
    network.run()
    shown, expected = network.views().states, aloud.views().states
    assert outcomes(shown) == outcomes(expected)
    # What was addressed for a while only, by what was taken back since, may be there with zeros, or not at all.
    assert {key: state for key, state in shown.items() if key in expected} == {
        key: state for key, state in expected.items() if key in shown
    }
    assert network.two_states_of_one_version() == []
    assert not any(network.partition_read_back("stock", number).clock.loads for number in range(2))
