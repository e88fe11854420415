"""How processes log: JSON lines a collector can read, and no flood."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from deploy.logs import JsonLines, Seldom, message_of, set_up


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What a process that logs as JSON writes; pytest's own handlers come back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = []
    stream = io.StringIO()
    set_up("json", "info", "worker-7", stream)
    yield stream
    root.handlers[:], root.level = handlers, level


def test_a_json_line_has_time_level_logger_message_and_process(written: io.StringIO) -> None:
    logging.getLogger("quayside.test").warning("%d records\nof %s", 3, "Café")
    (line,) = written.getvalue().splitlines()
    told = json.loads(line)
    assert told.pop("time").endswith("Z")
    assert told == {
        "level": "warning", "logger": "quayside.test", "message": "3 records\nof Café", "process": "worker-7",
    }  # fmt: skip


def test_an_exception_is_text_in_the_same_line(written: io.StringIO) -> None:
    try:
        int("bad")
    except ValueError:
        logging.getLogger("quayside.test").exception("it failed")
    (line,) = written.getvalue().splitlines()
    told = json.loads(line)
    assert told["message"] == "it failed"
    assert told["exception"].splitlines()[0] == "Traceback (most recent call last):"
    assert told["exception"].splitlines()[-1].startswith("ValueError: ")


def test_what_is_below_the_level_is_not_written(written: io.StringIO) -> None:
    logging.getLogger("quayside.test").debug("news")
    assert written.getvalue() == ""


class Log:
    """Messages through the filter at times that the test says."""

    def __init__(self) -> None:
        self.at = 0.0
        self._seldom = Seldom(10, now=lambda: self.at)

    def said(self, template: str, *arguments: object, logger: str = "aiokafka", level: int = logging.ERROR) -> str:
        """What is written; empty if nothing is."""
        record = logging.LogRecord(logger, level, "", 0, template, arguments, None)
        return record.getMessage() if self._seldom.filter(record) else ""


def test_an_outage_is_told_once_in_ten_seconds_and_how_often_it_was_said() -> None:
    log = Log()
    assert log.said("Unable to connect to %s", "a:1") == "Unable to connect to a:1"
    assert [log.said("Unable to connect to %s", f"a:{number}") for number in range(2_000)] == [""] * 2_000
    log.at = 10.0
    assert log.said("Unable to connect to %s", "a:9") == (
        "Unable to connect to a:9 (2000 more like this in the last 10 s)"
    )
    log.at = 20.0
    assert log.said("Unable to connect to %s", "a:9") == "Unable to connect to a:9"


def test_other_loggers_and_other_templates_are_told() -> None:
    log = Log()
    assert log.said("gone")
    assert log.said("gone", logger="faust")
    assert log.said("back")


def test_the_last_word_of_a_process_always_passes() -> None:
    log = Log()
    assert [log.said("it ends", level=logging.CRITICAL) for _ in range(3)] == ["it ends"] * 3


def test_templates_that_are_never_the_same_do_not_fill_the_memory() -> None:
    seldom = Seldom(10, now=lambda: 0.0)
    for number in range(25_000):
        assert seldom.filter(logging.LogRecord("x", logging.ERROR, "", 0, f"message {number}", (), None))
    assert len(seldom._last) <= 10_000


def test_the_last_words_of_a_process_are_understood_in_either_format() -> None:
    record = logging.LogRecord("quayside.worker", logging.CRITICAL, "", 0, "orders: it broke.", (), None)
    assert message_of(JsonLines("worker").format(record)) == "orders: it broke."
    assert message_of("quayside: it broke.") == "quayside: it broke."
    assert message_of("{not json") == "{not json"
