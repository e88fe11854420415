"""Guards of the rebuild of one entity: it begins from nothing, nobody sees half of it, nothing of it closes."""

from typing import Final

from tests.mutants.mutant import Mutant

_REOPENING: Final = "tests/streams/test_reopening.py::"
_ALL: Final = _REOPENING + "test_what_was_late_and_is_rebuilt_ends_as_if_nothing_had_ever_closed"
_SILENCE: Final = "tests/streams/test_silence.py::"
_SILENT: Final = _SILENCE + "test_in_silence_or_not_the_same_is_shown_in_the_end"
_REPLAY: Final = "tests/sinks/test_replay.py::"
_FORGOTTEN: Final = "tests/sinks/test_forgotten.py::"

MUTANTS: Final = (
    Mutant(
        "a-rebuild-begins-from-nothing",
        1,
        "streams/entity.py",
        "self.base, self.base_day, self.folded_on = None, NEVER, 0",
        "pass",
        "what came too late stays late however often it is applied",
        (_REOPENING + "test_a_late_event_is_applied_when_its_position_is_rebuilt",),
    ),
    Mutant(
        "half-of-a-rebuild-is-not-seen",
        3,
        "streams/agent.py",
        "            return  # half of its history is not to be seen",
        "            pass",
        "a position that is rebuilt is empty for a while on every screen",
        (_REOPENING + "test_half_of_a_rebuild_is_not_seen_and_does_not_close",),
    ),
    Mutant(
        "the-end-of-a-rebuild-is-told",
        3,
        "streams/table.py",
        "            entity.reopening = False\n            changes.touched[name] = entity\n",
        "            entity.reopening = False\n",
        "views stay as they were before the rebuild",
        (_REOPENING + "test_a_late_event_is_applied_when_its_position_is_rebuilt", _ALL),
    ),
    Mutant(
        "nothing-closes-while-it-is-rebuilt",
        1,
        "streams/table.py",
        "                if self.entities[name].reopening:\n",
        "                if False:\n",
        "the second half of a rebuild is late",
        (_REOPENING + "test_half_of_a_rebuild_is_not_seen_and_does_not_close",),
    ),
    Mutant(
        "a-rebuild-is-read-back",
        3,
        "streams/table.py",
        "            if row.generation > entity.generation:\n                entity.reopen(row.generation)\n",
        "            if False:\n                entity.reopen(row.generation)\n",
        "a crash in the middle of a rebuild brings the closed periods back",
        (_REOPENING + "test_half_of_a_rebuild_is_not_seen_and_does_not_close", _ALL),
    ),
    Mutant(
        "a-rebuild-is-believed-of-the-history-only",
        1,
        "streams/reading.py",
        "tuple(mark for mark in marks if not mark.is_silent), None",
        "tuple(mark for mark in marks if not mark.is_silent), reopen_of(record.headers)",
        "whoever can publish can wipe a position",
        (_REOPENING + "test_a_rebuild_is_believed_of_records_of_the_history_only",),
    ),
    Mutant(
        "a-silence-ends-with-everything-told",
        3,
        "streams/agent.py",
        "                await self._tell_kept_back(number, partition)",
        "                partition.kept_back.take(partition.entities, len(partition.entities))",
        "after a restart the views are empty but for what is told of again",
        (_SILENCE + "test_nothing_is_published_before_the_end", _SILENT),
    ),
    Mutant(
        "what-is-kept-back-is-read-back",
        3,
        "streams/table.py",
        "        if self.clock.is_silent:\n            self.kept_back.add(self.names())\n",
        "",
        "a worker that dies while the history is replayed leaves holes in the views",
        (_SILENCE + "test_who_takes_over_in_the_middle_tells_all_of_it", _SILENT),
    ),
    Mutant(
        "a-silence-that-expires-is-made-up-for",
        3,
        "streams/table.py",
        "            touched |= self.kept_back.take(self.entities, len(self.entities))",
        "            pass",
        "what was replayed without an end is never shown",
        (_SILENCE + "test_a_silence_whose_end_does_not_come_ends_with_the_load",),
    ),
    Mutant(
        "only-the-history-is-silent",
        3,
        "streams/reading.py",
        "tuple(mark for mark in marks if not mark.is_silent), None",
        "marks, None",
        "whoever can publish can stop the views for a day",
        (_SILENCE + "test_silence_is_believed_of_records_of_the_history_only",),
    ),
    Mutant(
        "what-closes-after-a-replay-closes-now",
        1,
        "streams/table.py",
        "        now = max(self.clock.now, at)\n        for name, entity in leaving",
        "        now = self.clock.now\n        for name, entity in leaving",
        "after a restart finished shipments are dropped at once, and a repeat raises ghosts",
        (_SILENCE + "test_what_was_finished_long_ago_closes_first_after_the_silence",),
    ),
    Mutant(
        "a-stub-that-was-raised-goes-later",
        1,
        "streams/table.py",
        "if entity.closed_at // DAY_MS + self.stub_days >= self.clock.now // DAY_MS:",
        "if False:",
        "a rebuilt shipment is forgotten by the date of its first closing",
        (_REOPENING + "test_a_stub_that_was_raised_again_goes_400_days_after_it_closed_for_the_last_time",),
    ),
    Mutant(
        "what-was-applied-is-applied-again",
        4,
        "sinks/replay.py",
        "AND (epoch, partition, offset) NOT IN ({applied})",
        "",
        "a restart takes back what was applied by hand",
        (_REPLAY + "test_what_came_too_late_comes_back_only_if_asked_for_or_applied_since",),
    ),
    Mutant(
        "what-retention-dropped-is-left-out",
        5,
        "sinks/replay.py",
        "if record.place == last or (gone and record.place.coordinate in gone):",
        "if record.place == last:",
        "a correction of an event that is in an opening counts beside it",
        (_FORGOTTEN + "test_what_corrects_or_repeats_what_was_dropped_changes_nothing_now_or_in_the_next_run",),
    ),
    Mutant(
        "what-retention-drops-is-noted-by-name",
        5,
        "sinks/retention/runs.py",
        '("note_dropped", "note_others", "forget_movements")',
        '("note_dropped", "note_others")',
        "nobody knows what is in an opening, and its repeat counts beside it",
        (_FORGOTTEN + "test_names_are_looked_for_in_parts_where_there_are_many",),
    ),
    Mutant(
        "the-next-run-leaves-out-what-was-dropped",
        5,
        "sinks/retention/sql/identities.sql",
        "AND (epoch = 0 OR sipHash64(entity, toString(source), event_id) NOT IN ({{forgotten:warehouse.events}}))",
        "",
        "what was left out for a year is in the next opening",
        (_FORGOTTEN + "test_what_corrects_or_repeats_what_was_dropped_changes_nothing_now_or_in_the_next_run",),
    ),
)
