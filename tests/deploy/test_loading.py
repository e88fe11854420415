"""A load's marks: on the first and the last record of each partition, in every broker that it comes to."""

from deploy.loading import Addressed, Load
from schemas.coordinates import marks_of
from streams.sending import Grouped, Record

KEY = b"BER|acme:4711"


def records(*values: bytes) -> list[Addressed]:
    return [("warehouse.events", Record(KEY, value)) for value in values]


def said(going: list[Addressed]) -> list[tuple[bytes | None, list[bool]]]:
    """Each value, and for each of its marks whether it begins."""
    return [(record.value, [mark.begins for mark in marks_of(record.headers)]) for _, record in going]


def listed(going: Grouped) -> list[Addressed]:
    return [(topic, record) for (topic, _), several in going.items() for record in several]


def sent(load: Load, *values: bytes) -> list[Addressed]:
    return listed(load.begun(load.hold_back(records(*values))))


def test_the_first_and_the_last_record_of_a_partition_are_marked() -> None:
    load = Load("test")
    first = sent(load, b"1", b"2", b"3")
    rest = listed(load.begun(load.rest()))
    assert said(first) == [(b"1", [True]), (b"2", [])]
    assert said(rest) == [(b"3", [False])]
    assert not load.holds_back


def test_the_only_record_begins_and_ends_the_load() -> None:
    load = Load("test")
    assert sent(load, b"1") == []
    assert sorted(said(listed(load.begun(load.rest())))[0][1]) == [False, True]


def test_in_another_broker_a_load_begins_anew_with_what_comes_first_there() -> None:
    load = Load("test")
    sent(load, b"1", b"2")
    load.begin_anew()
    assert said(sent(load, b"3", b"4")) == [(b"2", [True]), (b"3", [])]
    load.begin_anew()
    (last,) = listed(load.begun(load.rest()))
    assert {mark.begins for mark in marks_of(last[1].headers)} == {True, False}


def test_topics_that_no_agent_reads_have_no_marks() -> None:
    load = Load("test")
    other = [("dead.letters", Record(b"key", b"value"))]
    assert listed(load.begun(load.hold_back(other))) == other
    assert not load.holds_back


def test_a_silent_load_is_two_of_which_the_silent_one_may_end_first() -> None:
    load = Load("test", silent=True)
    begins = marks_of(sent(load, b"1", b"2")[0][1].headers)
    assert [(mark.begins, mark.is_silent) for mark in begins] == [(True, True), (True, False)]
    ((_, again),) = listed(load.begun(load.end_silence()))
    assert [(mark.begins, mark.is_silent) for mark in marks_of(again.headers)] == [(False, True)]
    assert load.end_silence() == {}
    ((_, last),) = listed(load.begun(load.rest()))
    assert [(mark.begins, mark.is_silent) for mark in marks_of(last.headers)] == [(False, False)]
    assert again.value == last.value == b"2"


def test_a_silence_that_nobody_ended_ends_with_its_load() -> None:
    load = Load("test", silent=True)
    sent(load, b"1", b"2")
    ((_, last),) = listed(load.begun(load.rest()))
    assert [(mark.begins, mark.is_silent) for mark in marks_of(last.headers)] == [(False, True), (False, False)]


def test_a_silence_may_end_topic_by_topic() -> None:
    load = Load("test", silent=True)
    shipment = ("shipment.events", Record(b"S-1", b"s"))
    assert load.begun(load.hold_back([*records(b"1"), shipment])) == {}
    ended = listed(load.begun(load.end_silence(("shipment.events",))))
    assert [(topic, said([(topic, record)])[0][1]) for topic, record in ended] == [
        ("shipment.events", [False, True, True])
    ]
    ended = listed(load.begun(load.end_silence()))
    assert [(topic, said([(topic, record)])[0][1]) for topic, record in ended] == [
        ("warehouse.events", [False, True, True])
    ]
    assert [said([one])[0][1] for one in listed(load.begun(load.rest()))] == [[False], [False]]
