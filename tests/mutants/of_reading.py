"""Guards of reading: what is an event, what becomes of what is none, and what stands in a foreign partition."""

from typing import Final

from tests.mutants.mutant import Mutant

_READING: Final = "tests/streams/test_reading.py::"
_GUARDS: Final = "tests/streams/test_guards_reading.py::"
_CLOSING: Final = "tests/streams/test_guards_closing.py::"
_HISTORY: Final = "tests/sinks/test_history.py::"
_WIRE: Final = "tests/schemas/test_wire.py::"
_COORDINATES: Final = "tests/schemas/test_coordinates.py::"
_ROWS: Final = "tests/sinks/test_rows.py::"

MUTANTS: Final = (
    Mutant(
        "a-foreign-record-is-passed-on",
        1,
        "streams/reading.py",
        "return partition_of(entity.encode(), partitions) != partition",
        "return partition_of(entity.encode(), partitions) > partitions",
        "an entity lives in two partitions, and each knows half",
        (_READING + "test_records_on_a_foreign_partition_come_to_the_same_end",),
    ),
    Mutant(
        "a-record-is-passed-on-once",
        3,
        "streams/reading.py",
        "if topic == record.topic and self._is_foreign(",
        "if self._is_foreign(",
        "a record goes round for ever",
        (_GUARDS + "test_what_was_passed_on_is_taken_where_it_has_come_to",),
    ),
    Mutant(
        "what-is-passed-on-bears-its-origin",
        4,
        "streams/reading.py",
        "return Record(entity.encode(), record.value, (origin.header(),))",
        "return Record(entity.encode(), record.value)",
        "a record has two coordinates, and the history counts it twice",
        (_READING + "test_a_record_is_forwarded_once_and_with_its_first_coordinate",),
    ),
    Mutant(
        "a-dead-letter-has-the-first-coordinate",
        4,
        "streams/reading.py",
        "    where = coordinate_of(record, origin, epoch)\n",
        "    where = coordinate_of(record, None, epoch)\n",
        "stored + dead + replayed are not the records of the topic",
        (_READING + "test_a_forwarded_record_that_cannot_stay_is_known_by_where_it_came_first",),
    ),
    Mutant(
        "a-late-record-has-the-first-coordinate",
        4,
        "streams/agent.py",
        "where = coordinate_of(record, origin, self._epoch)",
        "where = coordinate_of(record, None, self._epoch)",
        "nobody finds the record that came too late",
        (_CLOSING + "test_what_came_too_late_and_was_passed_on_is_known_by_where_it_came_first",),
    ),
    Mutant(
        "a-bad-record-costs-itself-only",
        4,
        "streams/reading.py",
        "                reading.dead_letters.append(dead_letter(record, origin, event, self._epoch))\n",
        "                reading.dead_letters.append(dead_letter(record, origin, event, self._epoch))\n"
        "                entries.clear()\n",
        "one bad record takes a batch of good ones with it",
        (_READING + "test_a_bad_record_in_the_middle_of_a_batch_costs_itself_only",),
    ),
    Mutant(
        "a-bad-record-is-a-dead-letter",
        4,
        "streams/reading.py",
        "            reading.dead_letters.append(dead_letter(record, origin, event, self._epoch))\n",
        "            del event\n",
        "what cannot be read is nowhere",
        (_READING + "test_a_bad_record_in_the_middle_of_a_batch_costs_itself_only",),
    ),
    Mutant(
        "a-bad-contribution-costs-itself-only",
        4,
        "streams/reading.py",
        "except (msgspec.DecodeError, TypeError, RecursionError, UnicodeDecodeError) as error:",
        "except (TypeError, RecursionError, UnicodeDecodeError) as error:",
        "one strange record between the agents stops the worker for ever",
        (_GUARDS + "test_a_contribution_that_cannot_be_read_costs_itself_only",),
    ),
    Mutant(
        "a-storm-of-bad-records-stops-the-worker",
        4,
        "streams/reading.py",
        "if total >= STORM_WINDOW and bad > self._bad_share * total:",
        "if total >= STORM_WINDOW and bad > total:",
        "a producer of a new format empties a topic into the dead letters",
        (_READING + "test_a_storm_of_bad_records_stops_the_worker_before_it_takes_them",),
    ),
    Mutant(
        "no-event-is-from-the-future",
        1,
        "schemas/wire.py",
        "if event.recorded_ms <= latest and event.occurred_ms <= latest:",
        "if event.recorded_ms or event.occurred_ms <= latest:",
        "a statement of one fast clock wins for ever",
        (_WIRE + "test_a_clock_may_be_a_day_ahead_and_no_more",),
    ),
    Mutant(
        "an-origin-is-believed-only-if-it-can-be",
        4,
        "schemas/coordinates.py",
        "return origin if believed and origin.appended_at <= appended_at else None",
        "return origin if believed else None",
        "whoever writes a header says when a record came",
        (_COORDINATES + "test_an_append_time_later_than_the_records_own_is_not_believed",),
    ),
    Mutant(
        "pydantic-has-the-last-word",
        4,
        "schemas/wire.py",
        "        said = judge(topic, raw)\n        if isinstance(said, Rejection):\n",
        '        said = Rejection("invalid", "The record is wrong.")\n        if isinstance(said, Rejection):\n',
        "events that the contract accepts are dead letters",
        (_WIRE + "test_every_valid_event_comes_back_from_its_bytes",),
    ),
    Mutant(
        "a-struct-reads-no-other-value",
        4,
        "schemas/structs.py",
        "if _BACKSLASH in raw or _DEL in raw or _BAR in raw or _GREATER in raw or _FINE_FRACTION(raw):",
        "if _DEL in raw or _BAR in raw or _GREATER in raw:",
        "an event is read otherwise than the contract says",
        ("tests/schemas/test_structs.py::test_an_event_with_any_field_spoiled_is_never_read_otherwise",),
    ),
    Mutant(
        "a-replayed-record-is-stored-once",
        4,
        "sinks/rows.py",
        "        if origin.store_id == store_id:\n            return again, record, None\n",
        "",
        "each start of the stack stores its whole history once more",
        (_ROWS + "test_a_record_replayed_from_this_store_is_not_stored_again",),
    ),
    Mutant(
        "a-replayed-record-keeps-its-coordinate",
        4,
        "sinks/rows.py",
        "epoch=first.epoch, partition=first.partition, offset=first.offset, appended_at=",
        "appended_at=",
        "one record of another store counts as often as it was replayed",
        (_ROWS + "test_a_replayed_record_of_another_store_keeps_its_first_coordinate_and_append_time",),
    ),
    Mutant(
        "offsets-are-committed-after-the-insert",
        4,
        "sinks/history.py",
        "        pause, counters, clock = _FIRST_PAUSE, self.counters, time.monotonic\n",
        "        pause, counters, clock = _FIRST_PAUSE, self.counters, time.monotonic\n"
        "        self._uncommitted |= {TopicPartition(*place): end for place, end in batch.ends.items()}\n"
        "        await self._commit()\n",
        "what a sink that is stopped had in hand is never stored",
        (_HISTORY + "test_a_sink_that_is_stopped_while_the_store_fails_leaves_its_records_for_the_next",),
    ),
    Mutant(
        "the-sink-reads-committed",
        3,
        "sinks/history.py",
        'isolation_level="read_committed"',
        'isolation_level="read_uncommitted"',
        "the history shows what a batch that failed had sent",
        (_HISTORY + "test_only_what_was_committed_is_stored",),
        kafka=True,
    ),
    Mutant(
        "the-newest-state-of-a-batch-is-stored",
        3,
        "sinks/batch.py",
        "if known is None or known[0][1] <= row[1]:",
        "if known is None or known[0][1] >= row[1]:",
        "an older state of an entity is shown",
        (_ROWS + "test_a_batch_keeps_the_newest_state_of_each_entity_and_epoch",),
    ),
    Mutant(
        "an-epoch-is-seen-when-it-has-ended",
        3,
        "sinks/migrations/0001_store.sql",
        "FROM epochs\nWHERE ended_at IS NOT NULL;",
        "FROM epochs;",
        "people look at half of a rebuild",
        ("tests/sinks/test_views.py::test_an_epoch_that_has_not_ended_is_invisible",),
    ),
)
