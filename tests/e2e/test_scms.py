"""The SCMS delivery history through the whole pipeline: the figures are those that plain csv and datetime count."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from tests.brokers import NoKafka, await_groups, running_kafka
from tests.e2e.stack import Finished, Stack, running_stack
from tests.schemas.scms_files import SAMPLE, Dirty, plant, real_file
from tests.schemas.scms_oracle import Told, figures_of, lines_of

_BROKERS: Final = [pytest.param("tansu", marks=pytest.mark.tansu), pytest.param("kafka", marks=pytest.mark.kafka)]
_SEED: Final = int(os.environ.get("SCMS_SEED", "20061"))

_FIGURES: Final = """
SELECT
    (SELECT count() FROM shipments_now),
    (SELECT count() FROM order_lines_now),
    (SELECT countIf(delivered_late) FROM order_lines_now),
    (SELECT countIf(delivered_late AND late_days > 7) FROM order_lines_now),
    (SELECT countIf(late_lines > 0) FROM shipments_now),
    (SELECT countIf(late_now) FROM order_lines_now),
    ((SELECT countIf(late_now) FROM shipments_now), (SELECT count() FROM late_shipments)),
    (SELECT countIf(ordered_at IS NULL) FROM order_lines_now),
    (SELECT countIf(lead_time_days < 0) FROM order_lines_now),
    (SELECT countIf(lead_time_days = 0) FROM order_lines_now),
    (SELECT countIf(has(findings, 'delivered_before_ordered')) FROM order_lines_now),
    (SELECT (n, negative, round(mean_days, 2), round(stddev_days, 2)) FROM lead_time_stats
        WHERE measure = 'order_to_delivery' AND route = 'all' AND window = 'all'),
    (SELECT (sum(n), sum(negative)) FROM lead_time_stats
        WHERE measure = 'order_to_delivery' AND route != 'all' AND window = 'all'),
    (SELECT count() FROM stock_now),
    (SELECT count() FROM warehouse_events),
    (SELECT count() FROM late_records)
"""

_SHOWN: Final = """
SELECT order_id, line_id, supplier, item, unit, status, toString(ordered), toString(delivered), toString(ordered_at),
    toString(promised_at), toString(delivered_at), late, late_days, lead_time_days, shipments, findings
FROM order_lines_now ORDER BY order_id, line_id
"""


def expected(lines: dict[str, Told]) -> list[Any]:
    """What `_FIGURES` has to answer for a file with these lines.

    A line that names no order is in its shipment, but in no order. What was promised and is not delivered is late
    now: the file is of the past.
    """
    shipped = figures_of(lines)
    ordered = figures_of({name: line for name, line in lines.items() if line.order})
    open_lines = [line for line in lines.values() if line.scheduled and not line.delivered]
    late_now = sum(line.order is not None for line in open_lines)
    open_shipments = {line.shipment for line in open_lines}
    assert not open_shipments & {line.shipment for line in lines.values() if line.delivered}
    wait = [ordered.order_to_delivery, ordered.delivered_before_ordered]
    return [
        shipped.shipments,
        ordered.lines,
        ordered.late_lines,
        ordered.late_by_more_than_a_week,
        shipped.shipments_with_a_late_line + len(open_shipments),
        late_now,
        [len(open_shipments), len(open_shipments)],
        ordered.without_date_of_order,
        ordered.delivered_before_ordered,
        ordered.zero,
        ordered.delivered_before_ordered,
        [*wait, ordered.mean, ordered.deviation],
        wait,
        0,
        0,
        0,
    ]


def figures(stack: Stack) -> list[Any]:
    """What the stack's views say of the file."""
    return [list(told) if isinstance(told, list) else told for told in stack.row(_FIGURES)]


def replay(stack: Stack, file: Path, *arguments: object) -> Finished:
    """Replay a file to the end."""
    told = stack.run("replay scms", file, "--json", *arguments)
    told.done()
    return told


@contextmanager
def stack_on(broker: str, folder: Path, **settings: str) -> Iterator[Stack]:
    """A fresh stack, on the embedded broker or on an Apache Kafka of its own."""
    if broker == "tansu":
        with running_stack(folder / "data", **settings) as stack:
            yield stack
        return
    try:
        with running_kafka() as kafka:
            await_groups(kafka.address)
            with running_stack(folder / "data", QUAYSIDE_KAFKA=kafka.address, **settings) as stack:
                yield stack
    except NoKafka as reason:
        pytest.skip(f"NOT TESTED AGAINST APACHE KAFKA: {reason}")


@pytest.mark.parametrize("broker", _BROKERS)
def test_the_published_file_gives_the_figures_that_can_be_counted_in_it(broker: str, tmp_path: Path) -> None:
    file = real_file()
    lines = lines_of(file.read_bytes())
    counted = figures_of(lines)
    assert (counted.shipments, counted.lines, counted.late_lines) == (7_030, 10_324, 1_186)
    assert (counted.late_by_more_than_a_week, counted.shipments_with_a_late_line) == (766, 805)
    assert (counted.order_to_delivery, counted.delivered_before_ordered) == (4_587, 5)
    assert (counted.mean, counted.deviation) == (105.80, 79.29)
    with stack_on(broker, tmp_path) as stack:
        report = replay(stack, file).last_json()
        assert (report["rows"], report["mapped"], report["unmapped"]) == (10_324, 10_324, 0)
        assert stack.status()["events"] == report["events"] == stack.status()["accepted"]
        assert figures(stack) == expected(lines)
        replay(stack, file, "--shuffle", _SEED)
        assert figures(stack) == expected(lines)
        status = stack.status()
        assert (status["events"], status["accepted"]) == (2 * report["events"], report["events"])
        assert (status["late_now"], status["shipments_open"], status["dead"], status["late"]) == (0, 0, 0, 0)


class Dirt:
    """The committed sample with planted dirt, and what is to be found of it."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.planted: Dirty = plant(SAMPLE.read_bytes(), seed)
        self.file = folder / "dirty.csv"
        self.file.write_bytes(self.planted.content)
        self.figures = expected(lines_of(self.planted.content))


@pytest.mark.parametrize("broker", _BROKERS)
def test_a_dirty_file_gives_the_figures_of_what_can_be_used_and_accounts_for_the_rest(
    broker: str, tmp_path: Path
) -> None:
    dirt = Dirt(tmp_path, _SEED)
    unmapped = sum(dirt.planted.unmapped.values())
    with stack_on(broker, tmp_path, QUAYSIDE_HORIZON="1s") as stack:
        report = replay(stack, dirt.file, "--shuffle", 1).last_json()
        assert (report["unmapped"], report["blank"]) == (unmapped, dirt.planted.blank)
        assert report["rows"] == report["mapped"] + report["unmapped"]
        assert figures(stack) == dirt.figures
        shown = stack.query(_SHOWN)
        assert_unmapped_are_dead(stack, dirt)

        time.sleep(2)  # longer than the horizon: every period that could close would be closed
        replay(stack, dirt.file)
        assert figures(stack) == dirt.figures
        assert stack.query(_SHOWN) == shown
        assert_unmapped_are_dead(stack, dirt)

        stack.down()
        stack.up()
        stack.settled()
        assert figures(stack) == dirt.figures
        assert stack.query(_SHOWN) == shown
        assert_unmapped_are_dead(stack, dirt)


def assert_unmapped_are_dead(stack: Stack, dirt: Dirt) -> None:
    """Each row of which nothing can be made is a dead letter, once, with its bytes and where it stood."""
    sql = "SELECT origin, key, field, reason, hex(value) FROM dead_letters WHERE cause = 'unmapped'"
    letters = stack.query(sql)
    assert len(letters) == sum(dirt.planted.unmapped.values())
    assert stack.status()["dead"] == len(letters)
    lines = dirt.planted.content.split(b"\n")
    for origin, _, _, reason, value in letters:
        name, _, number = origin.rpartition(":")
        assert name == dirt.file.name
        first = bytes.fromhex(value).split(b"\n")[0].rstrip(b"\r")
        assert first, origin
        assert lines[int(number) - 1].removeprefix(b"\xef\xbb\xbf").rstrip(b"\r") == first
        assert reason.endswith(".")
