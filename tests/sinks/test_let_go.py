"""What has been inserted is let go of at once: rows pass by the million, and memory is bounded."""

from clickhouse_connect.driver.client import Client

from schemas.derived import ExceptionSet, ExceptionState
from tests.garbage import left_behind
from tests.sinks.records import state, write

_ROWS = 2_000


def test_rows_that_were_written_wait_for_no_collection(store: Client) -> None:
    late = ExceptionState("late", "late", 5, "x")
    records = [state("exceptions", ExceptionSet(f"order|{number}", (late,))) for number in range(_ROWS)]
    write(store, *records[:1])
    assert left_behind(lambda: write(store, *records)) < _ROWS
    assert store.query("SELECT uniqExact(entity) FROM exceptions").result_rows == [(_ROWS,)]
