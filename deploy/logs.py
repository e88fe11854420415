"""How the processes log: text for people or one JSON object per line, and never the same thing a thousand times.

A JSON line has time (RFC 3339, UTC), level, logger, message, process, and exception where there was one.
"""

import json
import logging
import sys
import time
from collections.abc import Callable
from typing import Final, Literal, TextIO

from deploy.health import rfc3339

Format = Literal["text", "json"]

QUIET_S: Final = 10.0
"""The same logger's same template is written at most once in so many seconds."""

_LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
_TEXT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_MOST_TEMPLATES: Final = 10_000


class JsonLines(logging.Formatter):
    """One JSON object per line. `process`: the name that each line bears."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process: Final = process

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        told = {
            "time": rfc3339(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "process": self._process,
        }
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told, ensure_ascii=False)


class Seldom(logging.Filter):
    """Lets the same template of the same logger through at most once per `seconds`, with how many were kept back.

    A client that has lost its broker logs the same sentence thousands of times a second. The last word of a process
    (CRITICAL) always passes.
    """

    def __init__(self, seconds: float = QUIET_S, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._seconds: Final = seconds
        self._now: Final = now
        self._last: dict[tuple[str, str], float] = {}
        self._kept_back: dict[tuple[str, str], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written; its message then says how many like it were not."""
        if record.levelno >= logging.CRITICAL:
            return True
        template = (record.name, str(record.msg))
        now = self._now()
        last = self._last.get(template)
        if last is not None and now - last < self._seconds:
            self._kept_back[template] = self._kept_back.get(template, 0) + 1
            return False
        if len(self._last) >= _MOST_TEMPLATES:  # messages that somebody put together before logging them
            self._last.clear()
            self._kept_back.clear()
        self._last[template] = now
        kept_back = self._kept_back.pop(template, 0)
        if kept_back and last is not None:
            record.msg = f"{record.getMessage()} ({kept_back} more like this in the last {now - last:.0f} s)"
            record.args = ()
        return True


def set_up(fmt: Format, level: str, process: str, stream: TextIO | None = None) -> None:
    """Have everything that this process logs written to stderr (or `stream`) in one format; replaces what was set."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines(process) if fmt == "json" else logging.Formatter(_TEXT))
    handler.addFilter(Seldom())
    logging.basicConfig(level=_LEVELS[level], handlers=[handler], force=True)


def message_of(line: str) -> str:
    """What a line of a log says: of a JSON line its message, else the line itself."""
    if line.startswith("{"):
        try:
            return str(json.loads(line)["message"])
        except (ValueError, KeyError, TypeError):
            return line
    return line
