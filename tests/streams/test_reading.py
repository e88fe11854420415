"""What becomes of records on their way into an agent: forwarded, told late or dead, or a storm of bad ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.coordinates import Coordinate, Mark, Origin, Reopen, origin_of
from schemas.times import DAY_MS
from schemas.topics import forward_topic
from streams.reading import STORM_WINDOW, BadStorm, Reader
from streams.stock.derive import Stock
from tests.streams.network import ARRIVAL, EPOCH, FetchedRecord, Network, Place, play
from tests.streams.strategies import UNREADABLE
from tests.streams.told import ITEM, Told, line, milestone, movement, placed

STORY = (
    placed("PO-1", 0, [line("1")]),
    placed("PO-2", 0, [line("1")]),
    milestone("S-1", "departed", 10, destination="NBO", origin="BER", lines=[line("1", order_id="PO-1")]),
    milestone("S-2", "delivered", 20, destination="BER", origin="NBO", lines=[line("1", order_id="PO-2")]),
    movement("received", 41, 9, "S-1"),
    movement("received", 42, 9, site="NBO"),
)


def records(*told: Told, partition: int = 0, **changes: object) -> list[FetchedRecord]:
    return [
        FetchedRecord(topic, partition, offset, b"", raw, **changes)  # type: ignore[arg-type]  # named as there
        for offset, (topic, raw) in enumerate(told)
    ]


def test_records_on_a_foreign_partition_come_to_the_same_end() -> None:
    network = Network()
    network.feed(STORY, astray=True)
    network.run()
    assert network.views() == play(*STORY)
    forwarded = [log for place, log in network.topics.items() if place.topic.endswith(".repartition")]
    assert sum(map(len, forwarded)) == len(STORY)


def test_a_record_is_forwarded_once_and_with_its_first_coordinate() -> None:
    network = Network()
    network.feed(STORY[-1:], astray=True)
    network.run()
    filled = {place.topic: place for place, log in network.topics.items() if log}
    place, astray = filled[forward_topic("warehouse.events")], filled["warehouse.events"]
    (forwarded,) = network.topics[place]
    assert astray.partition != place.partition
    origin = origin_of(forwarded.headers, ARRIVAL, "warehouse.events")
    assert origin is not None
    assert origin.coordinate == Coordinate(EPOCH, "warehouse.events", astray.partition, 0)


def test_a_forwarded_record_that_cannot_stay_is_known_by_where_it_came_first() -> None:
    network = Network()
    place = Place(forward_topic("warehouse.events"), 0)
    origin = Origin(Coordinate(EPOCH, "warehouse.events", 1, 77), ARRIVAL, "")
    network.append(place, b"", b"{", headers=(origin.header(),))
    network.run()
    (letter,) = network.dead()
    assert (letter.topic, letter.partition, letter.offset) == ("warehouse.events", 1, 77)


def test_a_bad_record_in_the_middle_of_a_batch_costs_itself_only() -> None:
    network = Network(partitions=1)
    network.feed([STORY[-1], UNREADABLE[1], movement("received", 50, 1, site="NBO")])
    network.run()
    assert network.views().stock("NBO", ITEM).on_hand == 10_000
    assert [letter.offset for letter in network.dead()] == [1]


_SAID = (movement("received", 1, 1, event_id="a"), movement("received", 50, 2, event_id="b"), UNREADABLE[1])
_FIRST = Coordinate(2, "warehouse.events", 3, 9)
_HEADERS: tuple[tuple[str, bytes], ...] = (
    Origin(_FIRST, ARRIVAL - DAY_MS, "the-store").header(),
    Origin(_FIRST, ARRIVAL - 2 * DAY_MS, "the-store").header(),
    Origin(_FIRST, ARRIVAL - DAY_MS, "").header(),
    Origin(_FIRST, ARRIVAL + DAY_MS, "the-store").header(),
    Mark(begins=True, load="backlog").header(),
    Mark(begins=False, load="backlog").header(),
    Mark(begins=True, load="silent-replay").header(),
    Reopen(4, begins=True).header(),
    Reopen(4, ends=True).header(),
    ("trace", b"1"),
)


@st.composite
def _fetched(draw: st.DrawFn) -> list[FetchedRecord]:
    """Records of one partition; often all replayed, as a rebuild brings them."""
    headers = st.lists(st.sampled_from(_HEADERS), max_size=3).map(tuple)
    if draw(st.booleans()):
        headers = st.sampled_from(_HEADERS[:2]).map(lambda header: (header,))
    told = draw(st.lists(st.tuples(st.sampled_from(_SAID), headers, st.integers(0, 1)), max_size=12))
    return [
        FetchedRecord("warehouse.events", 0, offset, b"k", said.raw, ARRIVAL + 5, with_, clock)
        for offset, (said, with_, clock) in enumerate(told)
    ]


@given(_fetched(), st.sampled_from((1, 2)))
def test_records_that_come_together_are_read_as_each_by_itself(several: list[FetchedRecord], partitions: int) -> None:
    reader = Reader(Stock(), EPOCH, partitions=partitions, now=lambda: ARRIVAL + 2)
    together = reader.read(several)
    alone = [reader.read([one]) for one in several]
    assert together.entries == [entry for one in alone for entry in one.entries]
    assert together.dead_letters == [letter for one in alone for letter in one.dead_letters]
    assert together.forwards == [forward for one in alone for forward in one.forwards]


def storm(good: int, bad: int) -> list[FetchedRecord]:
    return records(*[movement("received", 1, 1)] * good, *[UNREADABLE[1]] * bad)


def test_a_storm_of_bad_records_stops_the_worker_before_it_takes_them() -> None:
    reader = Reader(Stock(), EPOCH, partitions=1, bad_share=0.5)
    with pytest.raises(BadStorm, match=r"^501 of the last 1000 records of warehouse.events could not be read, more"):
        reader.read(storm(499, 501))


def test_a_share_of_bad_records_that_is_allowed_goes_to_the_dead_letters() -> None:
    reader = Reader(Stock(), EPOCH, partitions=1, bad_share=0.5)
    assert len(reader.read(storm(500, 500)).dead_letters) == 500
    assert len(Reader(Stock(), EPOCH, partitions=1, bad_share=1).read(storm(0, 2_000)).dead_letters) == 2_000


def test_a_storm_is_noticed_across_batches_and_an_old_one_is_forgotten() -> None:
    reader = Reader(Stock(), EPOCH, partitions=1, bad_share=0.5)
    for _ in range(9):
        reader.read(storm(0, 100))
    with pytest.raises(BadStorm):
        reader.read(storm(0, 100))
    calm = Reader(Stock(), EPOCH, partitions=1, bad_share=0.5)
    calm.read(storm(0, STORM_WINDOW - 1))
    for _ in range(3):
        calm.read(storm(STORM_WINDOW, 0))
    calm.read(storm(STORM_WINDOW // 2, STORM_WINDOW // 4))


def test_a_producers_time_beyond_now_moves_no_clock() -> None:
    reader = Reader(Stock(), EPOCH, partitions=1, now=lambda: ARRIVAL)
    (entry,) = reader.read(records(STORY[-1], timestamp=ARRIVAL + 10**10, timestamp_type=0)).entries
    assert entry.clock_at == ARRIVAL
    (appended,) = reader.read(records(STORY[-1], timestamp=ARRIVAL + 5, timestamp_type=1)).entries
    assert appended.clock_at == ARRIVAL + 5
