"""Guards of acceptance: what was accepted is on disk, whole, and comes back."""

from typing import Final

from tests.mutants.mutant import Mutant

_SPOOL: Final = "tests/deploy/test_guards_spool.py::"

MUTANTS: Final = (
    Mutant(
        "accepted-is-synced",
        4,
        "deploy/spool.py",
        "            os.fsync(self._file)\n",
        "",
        "what was called accepted goes with the machine",
        (_SPOOL + "test_a_batch_is_synced_to_disk_before_it_is_accepted",),
    ),
    Mutant(
        "a-dead-broker-is-told-nothing",
        4,
        "deploy/publishing_again.py",
        "        end = publisher.leave\n        raise\n",
        "        raise\n",
        "a stack whose broker is killed while it starts is back after aiokafka's time-outs only",
        ("tests/deploy/test_publishing_again.py::test_a_load_is_ended_where_there_is_a_broker_to_end_it_in",),
    ),
    Mutant(
        "half-a-frame-is-none",
        4,
        "deploy/spool.py",
        "if len(body) < length or zlib.crc32(body) != crc:",
        "if len(body) < length:",
        "a damaged frame is published, or stops the start",
        (_SPOOL + "test_a_damaged_frame_is_not_published",),
    ),
    Mutant(
        "what-a-dead-process-left-is-published",
        4,
        "deploy/spool.py",
        "if path.suffix != _SUFFIX and not _is_writing(path)]",
        "if path.suffix == _SUFFIX and not _is_writing(path)]",
        "what a publisher that died had accepted is never published",
        (_SPOOL + "test_a_file_that_was_not_published_by_a_process_that_is_gone_is_published_again",),
    ),
)
