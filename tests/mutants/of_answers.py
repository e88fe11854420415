"""Guards of views that take what was worked out before, and what changed since from elsewhere."""

from typing import Final

from tests.mutants.mutant import Mutant

_LATELY: Final = "sinks/migrations/0019_lately.sql"
_ROLLUPS: Final = "tests/sinks/test_rollups.py::"
_LEAD_TIMES: Final = "tests/sinks/test_lead_times.py::"

MUTANTS: Final = (
    Mutant(
        "an-old-state-that-comes-twice-is-no-news-of-lead-times",
        3,
        _LATELY,
        "    WHERE epoch = (SELECT epoch FROM current_epoch)\n"
        "        AND at >= (SELECT since - INTERVAL 1 HOUR FROM lead_times_since)\n"
        "        AND key IN",
        "    WHERE epoch = (SELECT epoch FROM current_epoch)\n"
        "        AND at >= (SELECT since FROM lead_times_since)\n"
        "        AND key IN",
        "a sink that was killed takes lead times back to what it told before",
        (_LEAD_TIMES + "test_an_older_state_that_is_written_again_after_the_refresh_changes_nothing",),
    ),
    Mutant(
        "an-old-state-that-comes-twice-is-no-news-of-deliveries",
        3,
        _LATELY,
        "        AND at >= (SELECT since - INTERVAL 1 HOUR FROM on_time_since)\n        AND key IN",
        "        AND at >= (SELECT since FROM on_time_since)\n        AND key IN",
        "a sink that was killed takes on-time shares back to what it told before",
        (_ROLLUPS + "test_an_older_state_of_an_order_that_is_written_again_after_the_refresh_changes_nothing",),
    ),
    Mutant(
        "lines-of-shipments-that-changed-are-looked-up",
        1,
        _LATELY,
        "        AND NOT arrayExists(one -> one IN (SELECT key FROM on_time_changed), by)\n    UNION ALL",
        "    UNION ALL",
        "a line whose lane was corrected counts for both lanes until the next refresh",
        (_ROLLUPS + "test_a_lane_that_is_corrected_later_moves_its_lines",),
    ),
    Mutant(
        "the-shipments-beside-the-one-that-changed-are-looked-up",
        1,
        _LATELY,
        "\nUNION ALL\nSELECT arrayJoin(by)\nFROM delivered_lines\n"
        "WHERE epoch = (SELECT epoch FROM current_epoch) AND length(by) > 1;",
        ";",
        "a line that two shipments brought loses its lane when one of them changes",
        (_ROLLUPS + "test_of_several_shipments_that_brought_a_line_the_one_that_was_corrected_takes_its_new_place",),
    ),
)
