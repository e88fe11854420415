"""The rebuild of one entity from its whole history: what came too late is applied, and nobody sees half of it."""

from collections import defaultdict
from collections.abc import Sequence
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.coordinates import Coordinate, Origin, Reopen, Reopening, reopen_of
from schemas.times import DAY_MS, HOUR_MS
from schemas.wire import Rejection, read
from streams.clock import Segment
from tests.streams.network import ARRIVAL, VIEWS, Network, Place
from tests.streams.strategies import histories
from tests.streams.told import ITEM, Told, correction, line, milestone, movement, ms, placed

WEEK = 7 * DAY_MS
FIRST = ms(0)
BER = ("warehouse.events", f"BER|{ITEM}")


def reopened(
    network: Network, records: Sequence[Told], generation: int = 1, *, at: int = ARRIVAL, first: Sequence[int] = ()
) -> None:
    """Replay these records, all of one entity, to derive it anew; `first`: when each was appended first."""
    for index, (record, appended_at) in enumerate(zip(records, first or [at] * len(records), strict=True), 1):
        origin = Origin(Coordinate(1, record.topic, 0, index), appended_at, "the-store")
        headers = (origin.header(), Reopen(generation, index == 1, index == len(records)).header())
        network.feed([record], at=at, headers=headers)


def fed(network: Network, *told: tuple[Told, int]) -> Network:
    """Feed records, each appended so many days after the first day, and process them."""
    for record, day in told:
        network.feed([record], at=FIRST + day * DAY_MS)
    network.run()
    return network


def week(**given_: object) -> Network:
    return Network(partitions=1, horizon=WEEK, **given_)  # type: ignore[arg-type]  # named as Network names them


def on_hand(network: Network) -> int:
    return network.views().stock("BER", ITEM).on_hand


def test_the_header_of_a_rebuild_is_read_as_it_was_written_and_nonsense_is_none() -> None:
    for said in (Reopen(5), Reopen(5, begins=True), Reopen(5, ends=True), Reopen(2**62, begins=True, ends=True)):
        assert reopen_of((said.header(),)) == said
    for odd in (b"", b"1/2", b"a//", b"0/begin/", b"1/end/", b"1/begin/end/", b"\xff//", b"9" * 30 + b"//"):
        assert reopen_of((("quayside-reopen", odd),)) is None


def test_a_late_event_is_applied_when_its_position_is_rebuilt() -> None:
    first, moved, late = movement("received", 1, 5), movement("shipped", 24 * 9, 1), movement("received", 2, 3)
    network = fed(week(), (first, 0), (moved, 9), (late, 9))
    assert (on_hand(network), len(network.late())) == (4_000, 1)
    reopened(network, [first, moved, late])
    network.run()
    assert on_hand(network) == 7_000
    assert len(network.late()) == 1


def test_a_rebuilt_position_closes_again_and_what_repeats_it_is_known() -> None:
    told = [movement("received", 1, 5), movement("received", 2, 3)]
    network = fed(week(), (told[0], 0), (movement("received", 24 * 9, 1), 9), (told[1], 9))
    reopened(network, told, at=FIRST + 9 * DAY_MS)
    fed(network, (movement("received", 24 * 11, 1), 11))
    entity = network.partition("stock", 0).entities[f"BER|{ITEM}"]
    assert (entity.base_day > 0, len(entity.remembered or {})) == (True, 2)
    fed(network, (told[1], 12))
    assert (on_hand(network), len(network.late())) == (9_000, 1)


def test_half_of_a_rebuild_is_not_seen_and_does_not_close() -> None:
    told = [movement("received", hour, 1, event_id=str(hour)) for hour in range(1, 7)]
    told.append(movement("received", 24 * 9, 1))
    network = fed(week(), *((one, 0) for one in told[:-1]), (told[-1], 9))
    reopened(network, told, at=FIRST + 9 * DAY_MS)
    place = Place("warehouse.events", 0)
    before = len(network.topics[Place("stock.positions", 0)])
    for _ in told[:-1]:
        network.step(place, 1)
        network.restart()
    assert len(network.topics[Place("stock.positions", 0)]) == before
    assert network.partition_read_back("stock", 0).entities[f"BER|{ITEM}"].reopening
    network.run()
    assert on_hand(network) == 7_000


def test_a_new_event_between_the_records_of_a_rebuild_counts_too() -> None:
    told = [movement("received", hour, 1, event_id=str(hour)) for hour in range(1, 4)]
    network = fed(week(), *((one, 0) for one in told))
    origin = Origin(Coordinate(1, "warehouse.events", 0, 1), FIRST, "the-store")
    network.feed([told[0]], at=FIRST + DAY_MS, headers=(origin.header(), Reopen(1, begins=True).header()))
    for index in (2, 3):
        network.feed([movement("received", 20 + index, 1)], at=FIRST + DAY_MS)
        origin = Origin(Coordinate(1, "warehouse.events", 0, index), FIRST, "the-store")
        headers = (origin.header(), Reopen(1, ends=index == 3).header())
        network.feed([told[index - 1]], at=FIRST + DAY_MS, headers=headers)
    network.run()
    assert on_hand(network) == 5_000


def test_a_rebuild_that_was_cut_off_is_finished_by_the_next_one_and_one_that_is_repeated_changes_nothing() -> None:
    told = [movement("received", hour, 1, event_id=str(hour)) for hour in range(1, 6)]
    network = fed(week(), *((one, 0) for one in told))
    for index in (1, 2):
        origin = Origin(Coordinate(1, "warehouse.events", 0, index), FIRST, "the-store")
        headers = (origin.header(), Reopen(1, begins=index == 1).header())
        network.feed([told[index - 1]], at=FIRST, headers=headers)
    network.run()
    assert on_hand(network) == 5_000
    for generation in (2, 2, 3):
        reopened(network, told, generation, at=FIRST)
        network.run()
        assert on_hand(network) == 5_000


def test_a_stub_is_raised_again_with_its_order_and_closes_once_more() -> None:
    goods = [line("1", 4, order_id="PO-1")]
    order = placed("PO-1", 0, [line("1", 4)])
    shipment = [
        milestone("S-1", "departed", 1, lines=goods, destination="BER"),
        milestone("S-1", "delivered", 20),
    ]
    later = [(milestone(f"S-{day}", "departed", 24 * day), day) for day in (9, 30)]
    orders = [(placed(f"PO-{day}", 24 * day, [line("1")]), day) for day in (9, 30)]
    network = fed(week(), (order, 0), *((one, 0) for one in shipment), later[0], orders[0])
    late = correction(shipment[1], 24 * 9, occurred_at="2026-03-03T00:00:00Z")
    fed(network, (late, 9))
    assert len(network.late()) == 1
    reopened(network, [order], at=FIRST + 9 * DAY_MS)
    network.run()
    reopened(network, [*shipment, late], at=FIRST + 9 * DAY_MS)
    network.run()
    moment = network.views().shipment("S-1").delivered_at
    assert moment == network.views().order("PO-1").lines[0].delivered_at
    assert moment is not None
    assert moment > ms(20)
    assert len(network.late()) == 1
    fed(network, later[1], orders[1])
    assert network.partition("shipments", 0).entities["S-1"].closed_at is not None


def test_a_stub_that_was_raised_again_goes_400_days_after_it_closed_for_the_last_time() -> None:
    said = [milestone("S-1", "departed", 1), milestone("S-1", "delivered", 20)]
    network = fed(week(stub_days=50), *((one, 0) for one in said), (milestone("S-2", "departed", 24 * 9), 9))
    network.feed([milestone("S-3", "departed", 24 * 40)], at=FIRST + 40 * DAY_MS)
    network.run()
    reopened(network, said, at=FIRST + 40 * DAY_MS)
    network.run()
    fed(network, (milestone("S-4", "departed", 24 * 61), 61))  # 51 days after it closed first
    assert network.partition("shipments", 0).entities["S-1"].closed_at is not None
    fed(network, (milestone("S-5", "departed", 24 * 113), 113))
    assert "S-1" not in network.partition("shipments", 0).entities
    latest = {row.key: row.value for row in network.topics[Place("shipments.facts", 0)]}
    assert [key for key, value in latest.items() if key.startswith(b"S-1\0") and value is not None] == []


def test_a_rebuild_is_believed_of_records_of_the_history_only() -> None:
    first = movement("received", 1, 5)
    network = fed(week(), (first, 0))
    network.feed([movement("received", 2, 1)], at=FIRST, headers=(Reopen(1, begins=True, ends=True).header(),))
    network.run()
    assert on_hand(network) == 6_000


def test_a_mark_is_a_segment_of_its_own() -> None:
    assert Segment(0, Reopening("K", 1, ends=False), ()).mark == ("K", 1, False)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(records=histories(), seed=st.integers(0, 2**32), fuses=st.lists(st.none() | st.integers(0, 15), max_size=40))
def test_what_was_late_and_is_rebuilt_ends_as_if_nothing_had_ever_closed(
    records: list[Told], seed: int, fuses: list[int | None]
) -> None:
    chaos = Random(seed)
    arrivals = sorted(FIRST + chaos.randint(0, 30 * 24) * HOUR_MS for _ in records)
    wide = Network(partitions=2)
    network = Network(partitions=2, horizon=5 * DAY_MS, chaos=chaos)
    for record, at in zip(records, arrivals, strict=True):
        wide.feed([record], at=at)
        network.feed([record], at=at)
    wide.run()
    network.run(fuses[:20])
    network.run()
    for topic in ("supplier.events", "shipment.events", "warehouse.events"):
        for told in _by_entity(records, arrivals, topic).values():
            chaos.shuffle(told)
            reopened(network, [record for record, _ in told], at=arrivals[-1], first=[at for _, at in told])
        network.run(fuses[20:])
        network.run()
    assert network.views().states == wide.views().states
    assert network.two_states_of_one_version() == []
    assert {topic for topic, _ in network.views().states} <= VIEWS


def _by_entity(records: Sequence[Told], arrivals: Sequence[int], topic: str) -> dict[str, list[tuple[Told, int]]]:
    """The records of a topic that can be read, with their arrival (ms)."""
    found: defaultdict[str, list[tuple[Told, int]]] = defaultdict(list)
    for record, at in zip(records, arrivals, strict=True):
        event = read(record.topic, record.raw, at)
        if record.topic == topic and not isinstance(event, Rejection):
            found[event.entity_key()].append((record, at))
    return dict(sorted(found.items()))
