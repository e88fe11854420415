"""Guards of speed, as far as it can be counted: work that is not done again, and what is done together."""

from typing import Final

from tests.mutants.mutant import Mutant

_WORK: Final = "tests/streams/test_guards_work.py::"

MUTANTS: Final = (
    Mutant(
        "what-was-inserted-is-let-go-of",
        8,
        "sinks/writer.py",
        "            columns.clear()  #",
        "            pass  #",
        "rows that are in the store for long fill the sink's memory until a collection finds them",
        ("tests/sinks/test_let_go.py::test_rows_that_were_written_wait_for_no_collection",),
    ),
    Mutant(
        "what-comes-last-costs-one-step",
        8,
        "streams/stock/derive.py",
        "        if index >= self._taken:\n            return\n",
        "",
        "a busy position costs more with each movement",
        (_WORK + "test_a_movement_that_comes_last_costs_one_step",),
    ),
    Mutant(
        "checkpoints-shorten-the-way-back",
        8,
        "streams/stock/derive.py",
        "kept = index // _CHECKPOINT",
        "kept = 0",
        "a movement that is told late costs all before it",
        (_WORK + "test_a_movement_that_comes_out_of_order_costs_the_steps_since_a_checkpoint",),
    ),
    Mutant(
        "entities-of-many-facts-are-kept-up-to-date",
        8,
        "streams/table.py",
        "if entity.running is None and len(entity.facts) >= RUNNING_FROM:",
        "if len(entity.facts) >= RUNNING_FROM:",
        "an entity is derived from all of its facts each time",
        (_WORK + "test_an_entity_of_many_facts_is_not_derived_from_all_of_them_each_time",),
    ),
    Mutant(
        "a-position-does-not-derive-the-journey",
        8,
        "streams/shipments/derive.py",
        "        if known is None:\n            found = journey(",
        "        if known is None or self._positions:\n            found = journey(",
        "a tracker that reports each minute costs as much as its milestones",
        (_WORK + "test_a_position_of_a_shipment_does_not_make_its_journey_be_derived_anew",),
    ),
    Mutant(
        "an-observation-costs-its-own-day",
        8,
        "streams/leads/derive.py",
        "        if last == self._last:\n            return\n",
        "",
        "a busy route costs its whole window with each observation",
        (_WORK + "test_an_observation_costs_its_own_day_and_not_the_whole_window",),
    ),
    Mutant(
        "ordinary-events-are-read-by-structs",
        8,
        "schemas/wire.py",
        "event = _STRUCTS[topic].read(raw)",
        "event = None",
        "reading takes three to five times as long",
        (_WORK + "test_ordinary_events_are_read_without_pydantic",),
    ),
    Mutant(
        "batches-grow-with-the-load",
        8,
        "streams/inbox.py",
        "while self._waiting and size + len(self._waiting[0].value) <= self._most:",
        "while self._waiting and size < 0:",
        "each fetch costs a transaction",
        (_WORK + "test_what_came_while_a_batch_was_in_hand_is_the_next_batch",),
    ),
    Mutant(
        "what-waits-is-bounded",
        8,
        "streams/inbox.py",
        "wait_for(lambda: self._held < self._most)",
        "wait_for(lambda: self._held >= 0)",
        "memory grows with what comes while an agent is busy",
        (_WORK + "test_a_batch_and_what_waits_are_bounded",),
    ),
    Mutant(
        "sends-are-batched",
        8,
        "streams/sending.py",
        "MAX_BATCH_BYTES: Final = 900_000",
        "MAX_BATCH_BYTES: Final = 16_384",
        "each record of some size is a request of its own",
        ("tests/streams/test_sending.py::test_offsets_come_back_in_order_over_all_batches",),
    ),
)
