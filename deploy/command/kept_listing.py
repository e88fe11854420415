"""How kept records (dead letters, late records) are printed, and how mended bytes are read."""

import base64
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from deploy.kept import plain, shown_bytes
from schemas.errors import WrongInput

Name = TypeVar("Name", bound=str)

_GAP: Final = "  "


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The rows as lines of columns; on a terminal the last column is cut to what fits. No rows, no lines."""
    if not rows:
        return
    cells = [[plain(cell) for cell in row] for row in rows]
    widths = [max(len(row[at]) for row in [heads, *cells]) for at in range(len(heads) - 1)]
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for row in [heads, *cells]:
        line = _GAP.join([*(f"{cell:{width}}" for cell, width in zip(row[:-1], widths, strict=True)), row[-1]])
        ids_end = widths[0] + len(_GAP)
        yield line if room is None else line[: max(room, ids_end)]


def described(told: Mapping[str, Any], without: Sequence[str], value: bytes) -> Iterator[str]:
    """What is told of a record, a line for each thing (for each one of a tuple), and then its bytes."""
    for name, said in told.items():
        for one in said if isinstance(said, tuple) else (said,):
            if name not in without and one not in {"", None}:
                yield f"{name:11} {plain(str(one))}"
    yield ""
    yield from shown_bytes(value)


def value_keys(value: bytes) -> dict[str, str | None]:
    """A record's bytes for JSON: `text`, null where they are not UTF-8, and `base64`."""
    try:
        text: str | None = value.decode()
    except UnicodeDecodeError:
        text = None
    return {"text": text, "base64": base64.b64encode(value).decode()}


def write_raw(value: bytes) -> None:
    """Exactly these bytes to stdout."""
    sys.stdout.buffer.write(value)
    sys.stdout.buffer.flush()


def read_value(name: str) -> bytes:
    """The bytes of a file (`-`: stdin) without the line end behind them. Raises WrongInput."""
    try:
        raw = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise WrongInput(f"{name} cannot be read: {error.strerror}. Check the path.") from None
    raw = raw.rstrip(b"\r\n")
    if not raw.strip():
        raise WrongInput(f"{name} is empty: write the mended event into it, one JSON object.")
    return raw


def exactly_one(flags: Iterable[tuple[Name, bool]], default: Name) -> Name:
    """The name of the flag that is set, `default` where none is. Raises WrongInput where several are."""
    given = [name for name, is_set in flags if is_set]
    if len(given) > 1:
        raise WrongInput(f"Only one of {' and '.join(f'--{name}' for name in given)} can be meant.")
    return given[0] if given else default
