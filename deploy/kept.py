"""Records that are kept because they could not be taken (dead letters, late records): their ids, times and bytes.

An id is the coordinate as people can type it, `EPOCH/TOPIC/PARTITION/OFFSET`; what came out of a file has the file
and line behind it: `0/publish/0/OFFSET@events.ndjson:3`, with what a shell would not leave alone as %XX.
"""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Final
from urllib.parse import quote, unquote

import msgspec

from deploy.settings import duration_ms
from schemas.coordinates import Coordinate, is_possible
from schemas.errors import WrongInput
from schemas.times import to_ms

ALWAYS: Final = (-(2**62), 2**62)
"""A span (ms) that holds every time there is."""

_ID: Final = re.compile(r"(\d{1,19})/([^@\s]+)/(\d{1,10})/(\d{1,19})(?:@(\S+))?")
_SAFE: Final = "/:.,_-+=~"
_ROW: Final = 16


@dataclass(frozen=True, slots=True)
class Place:
    """Where a kept record stood; `origin`: the file and line it came from, empty for a record of Kafka."""

    coordinate: Coordinate
    origin: str = ""

    def __str__(self) -> str:
        """The id, in characters that a shell leaves alone."""
        where = self.coordinate
        behind = f"@{quote(self.origin, safe=_SAFE)}" if self.origin else ""
        return f"{where.epoch}/{quote(where.topic, safe=_SAFE)}/{where.partition}/{where.offset}{behind}"


def place_of(text: str) -> Place:
    """The place that an id tells. Raises WrongInput for what is no id."""
    found = _ID.fullmatch(text.strip())
    if found is not None:
        epoch, topic, partition, offset, origin = found.groups()
        where = Coordinate(int(epoch), unquote(topic), int(partition), int(offset))
        if is_possible(where, 0):
            return Place(where, unquote(origin or ""))
    raise WrongInput(
        f"{text!r} is no id: ids look like 3/warehouse.events/1/1234 (EPOCH/TOPIC/PARTITION/OFFSET), with @FILE:LINE "
        "behind it for a line of a file; copy one from the list."
    )


def moment_of(text: str, now: int) -> int:
    """The time (ms) that is meant by `2h` (so long ago), `2026-11-22` (its start, UTC) or an RFC 3339 time.

    Raises WrongInput for anything else. `now` in ms.
    """
    try:
        return now - int(duration_ms(text))
    except ValueError:
        pass
    try:
        said = datetime.fromisoformat(text.strip())
    except ValueError:
        said = None
    if said is not None and said.tzinfo is None and re.fullmatch(r"[\d-]+", text.strip()):
        said = said.replace(tzinfo=UTC)
    if said is None or said.tzinfo is None:
        raise WrongInput(
            f"{text!r} is no time: write a duration (so long ago) such as 2h or 7d, a day such as 2026-11-22, or a "
            "time with its offset such as 2026-11-22T10:00:00Z."
        )
    return to_ms(said)


def span_of(since: str | None, until: str | None, now: int) -> tuple[int, int]:
    """The first ms of a span and the first behind it. Raises WrongInput where it holds nothing, or is no time."""
    first, last = ALWAYS
    if since is not None:
        first = moment_of(since, now)
    if until is not None:
        last = moment_of(until, now)
    if first >= last:
        raise WrongInput(f"Nothing can have arrived since {since} and before {until}: exchange them.")
    return first, last


def shown_bytes(raw: bytes) -> Iterator[str]:
    """Bytes as lines for people: JSON indented, other UTF-8 text as it is, else a hex dump.

    What a terminal would obey is shown as an escape.
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        yield from _hex_dump(raw)
        return
    with contextlib.suppress(msgspec.MsgspecError, RecursionError):
        text = msgspec.json.format(raw, indent=2).decode()
    for line in text.split("\n"):
        yield plain(line.removesuffix("\r"))


def plain(text: str) -> str:
    """Text that came from outside, without anything that a terminal would obey."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def sql(name: str) -> str:
    """The query of deploy/sql/NAME.sql."""
    return files("deploy").joinpath(f"sql/{name}.sql").read_text(encoding="utf-8")


def _hex_dump(raw: bytes) -> Iterator[str]:
    for start in range(0, len(raw), _ROW):
        row = raw[start : start + _ROW]
        text = "".join(chr(one) if 32 <= one < 127 else "." for one in row)  # noqa: PLR2004  # printable ASCII
        yield f"{start:08x}  {row.hex(' '):{3 * _ROW - 1}}  {text}"
