import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.coordinates import MARK_HEADER, ORIGIN_HEADER, Coordinate, Mark, Origin, marks_of, origin_of, origins_of

WHERE = Coordinate(3, "supplier.events", 1, 42)
ORIGIN = Origin(WHERE, 1_700_000_000_000, "store-7")


@given(
    st.integers(0, 2**40),
    st.sampled_from(("supplier.events", "shipment.events")),
    st.integers(0, 999),
    st.integers(0, 2**62),
    st.integers(0, 2**50),
)
def test_an_origin_comes_back_from_its_header(
    epoch: int, topic: str, partition: int, offset: int, appended_at: int
) -> None:
    origin = Origin(Coordinate(epoch, topic, partition, offset), appended_at, "s")
    assert origin_of([("trace", b"1"), origin.header()], appended_at, topic) == origin


def test_a_record_without_the_header_is_no_replay() -> None:
    assert origin_of([], 0, "t") is None
    assert origin_of([("trace", b"x")], 0, "t") is None


def test_an_append_time_later_than_the_records_own_is_not_believed() -> None:
    assert origin_of([ORIGIN.header()], ORIGIN.appended_at, WHERE.topic) == ORIGIN
    assert origin_of([ORIGIN.header()], ORIGIN.appended_at - 1, WHERE.topic) is None


@pytest.mark.parametrize("value", [b"", b"nonsense", b"a/b/c/d/e/f", b"1/t/2/3/4", b"1/t/2/3/4/s/6", b"\xff"])
def test_a_header_that_does_not_parse_is_passed_over(value: bytes) -> None:
    assert origin_of([(ORIGIN_HEADER, value)], 2**60, "t") is None


def test_an_origin_in_another_topic_or_beyond_what_kafka_counts_is_passed_over() -> None:
    assert origin_of([ORIGIN.header()], 2**60, "shipment.events") is None
    far = Origin(Coordinate(1, WHERE.topic, 0, 2**63), 5, "s")
    assert origin_of([far.header()], 2**60, WHERE.topic) is None


_TEXTS = st.one_of(
    st.builds(
        "/".join,
        st.tuples(
            st.sampled_from(("3", "0", "-1", "x", " 4", str(2**63))),
            st.sampled_from(("t", "u", "")),
            st.sampled_from(("0", "7", str(2**32))),
            st.sampled_from(("42", "1_0", "", str(2**63), "\u0663")),
            st.sampled_from(("5", "6", "-5", str(2**63))),
            st.sampled_from(("s", "", "s/6", "\u00fc")),
        ),
    ).map(str.encode),
    st.sampled_from((b"", b"\xff", None)),
)


@given(st.lists(st.one_of(st.just(b"3/t/1/42/5/s"), _TEXTS), min_size=1, max_size=4), st.integers(4, 6), st.booleans())
def test_what_origins_together_say_each_says_by_itself(
    values: list[bytes | None], appended_at: int, other: bool
) -> None:
    headers: list[list[tuple[str, bytes | None]]] = [[(ORIGIN_HEADER, value)] for value in values]
    if other:
        headers[-1].append(("trace", b"1"))
    together = origins_of(headers, [appended_at] * len(values), "t")
    alone = [origin_of(several, appended_at, "t") for several in headers]
    if together is not None:
        assert not other
        assert [
            Origin(Coordinate(epoch, "t", partition, offset), first, store.decode())
            for epoch, partition, offset, first, store in zip(*together, strict=True)
        ] == alone
    elif not other:
        assert None in alone or "\u0663".encode() in b"".join(value or b"" for value in values)


def test_marks_come_back_from_their_headers() -> None:
    begin, end = Mark(begins=True, load="a/b"), Mark(begins=False, load="a/b")
    assert marks_of([("trace", b"x"), begin.header(), end.header()]) == (begin, end)
    assert marks_of([(MARK_HEADER, b"begin"), (MARK_HEADER, b"middle/x"), (MARK_HEADER, b"\xff")]) == ()


def test_coordinates_sort_by_epoch_then_topic_partition_and_offset() -> None:
    later = Coordinate(3, "supplier.events", 1, 43)
    assert sorted([Coordinate(4, "a", 0, 0), later, WHERE]) == [WHERE, later, Coordinate(4, "a", 0, 0)]
