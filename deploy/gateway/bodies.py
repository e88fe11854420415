"""From the body of a request to the bytes of each event in it, in bounded time and memory. Pure.

The bytes of an event are kept as they came, since its version is made of them too (schemas/versions.py): nothing is
encoded anew.
"""

import re
import zlib
from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec
import zstandard

from schemas.errors import WrongInput

MAX_EVENTS: Final = 10_000
"""Of one request."""

Format = Literal["json", "ndjson"]
Encoding = Literal["identity", "gzip", "zstd"]

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
FORMATS: Final[dict[str, Format]] = {JSON: "json", NDJSON: "ndjson"}
ENCODINGS: Final[tuple[Encoding, ...]] = ("gzip", "zstd", "identity")


class BodyRefused(WrongInput):
    """A body that no events can be taken from. `status`: as HTTP has it."""

    def __init__(self, status: Literal[400, 413, 415], message: str) -> None:
        super().__init__(message)
        self.status: Final = status


def format_of(content_type: str | None) -> Format:
    """The format that a Content-Type names. Raises BodyRefused (415) for any other."""
    kind, _, parameters = (content_type or "").partition(";")
    said = FORMATS.get(kind.strip().lower())
    charset = _CHARSET.search(parameters.lower())
    if said is None:
        raise BodyRefused(
            415,
            f"Content-Type {_shown(kind.strip())} is not taken: send {JSON} (an event, or an array of events) or "
            f"{NDJSON} (an event on each line).",
        )
    if charset is not None and charset[1] not in {"utf-8", "utf8", "us-ascii"}:
        raise BodyRefused(415, f"charset {_shown(charset[1])} is not taken: send UTF-8.")
    return said


def encoding_of(content_encoding: str | None) -> Encoding:
    """The encoding that a Content-Encoding names. Raises BodyRefused (415) for any other."""
    said = (content_encoding or "identity").strip().lower()
    for known in ENCODINGS:
        if said == known:
            return known
    raise BodyRefused(415, f"Content-Encoding {_shown(said)} is not taken: send {', '.join(ENCODINGS)}.")


def decoded(body: bytes, encoding: Encoding, most: int) -> bytes:
    """The body without its Content-Encoding.

    Raises BodyRefused: 413 for more than `most` bytes, as soon as there are more; 400 for what is no such encoding.
    """
    if encoding == "gzip":
        body = _gunzipped(body, most)
    elif encoding == "zstd":
        body = _unzstd(body, most)
    if len(body) > most:
        raise too_large(most)
    return body


def too_large(most: int) -> BodyRefused:
    """For a body of more than `most` bytes."""
    return BodyRefused(
        413, f"The body has more than {most} bytes, decoded: send the events in several requests, or ask for more."
    )


def events_in(body: bytes, form: Format) -> list[bytes]:
    """The bytes of each event of a decoded body, without the white space around it.

    Raises BodyRefused: 400 for what is no JSON at all, 413 for more than MAX_EVENTS.
    """
    body = body.removeprefix(b"\xef\xbb\xbf")
    found = _lines(body) if form == "ndjson" else _elements(body)
    if not found:
        raise BodyRefused(400, "The body holds no event: send at least one.")
    return found


def _lines(body: bytes) -> list[bytes]:
    if body.count(b"\n") > MAX_EVENTS:
        raise _too_many()
    return [line for line in map(bytes.strip, body.split(b"\n")) if line]


def _elements(body: bytes) -> list[bytes]:
    body = body.strip(_SPACE)
    try:
        if not body.startswith(b"["):
            msgspec.json.decode(body, type=msgspec.Raw)
            if not body.startswith(b"{"):
                raise BodyRefused(400, "The body is JSON, but neither an event (an object) nor an array of events.")
            return [body]
        if body.count(b",") > _FEW_COMMAS and _has_too_many(body):
            raise _too_many()
        found = msgspec.json.decode(body, type=list[msgspec.Raw])
    except RecursionError:
        raise BodyRefused(400, "The body is nested too deeply: send events as docs/events.md shows them.") from None
    except UnicodeDecodeError:
        raise BodyRefused(400, "The body is not UTF-8.") from None
    except msgspec.DecodeError as error:
        raise BodyRefused(
            400, f"The body is not JSON: {error}. Send an event, an array of events, or {NDJSON} (one on each line)."
        ) from None
    if len(found) > MAX_EVENTS:
        raise _too_many()
    return [bytes(one).strip(_SPACE) for one in found]


def _has_too_many(body: bytes) -> bool:
    """Whether an array has more elements than are taken; looks no further than it must."""
    depth, commas = 0, 0
    for token in _TOKEN.finditer(body):
        what = body[token.start()]
        if what in _OPENING:
            depth += 1
        elif what in _CLOSING:
            depth -= 1
            if not depth:
                break
        elif what == _COMMA and depth == 1:
            commas += 1
            if commas >= MAX_EVENTS:
                return True
    return False


def _too_many() -> BodyRefused:
    return BodyRefused(413, f"The request has more than {MAX_EVENTS} events: send them in several requests.")


def _gunzipped(body: bytes, most: int) -> bytes:
    try:
        return _joined(
            body, lambda: zlib.decompressobj(_GZIP), lambda one, rest, room: one.decompress(rest, room), most
        )
    except zlib.error as error:
        raise BodyRefused(
            400, f"The body is not gzip ({error}): compress it so, or leave Content-Encoding out."
        ) from None


def _unzstd(body: bytes, most: int) -> bytes:
    decoder = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    try:
        # The reader gives no more than it is asked for, but does not tell a body that was cut off.
        reader, room = decoder.stream_reader(body, read_across_frames=True), most
        while piece := reader.read(_PIECE):
            room -= len(piece)
            if room < 0:
                raise too_large(most)
        return _joined(body, decoder.decompressobj, lambda one, rest, _: one.decompress(rest), most)
    except zstandard.ZstdError as error:
        raise BodyRefused(
            400,
            f"The body is not zstd, or needs a window above {_ZSTD_WINDOW} bytes ({error}): compress it with a level "
            "up to 19, or leave Content-Encoding out.",
        ) from None


def _joined(body: bytes, fresh: Callable[[], Any], decode: Callable[[Any, bytes, int], bytes], most: int) -> bytes:
    """What the frames (members) of a compressed body hold; zero bytes may stand behind each.

    `decode` is given a decoder of `fresh`, some bytes, and how many it may make of them at the most.
    """
    pieces: list[bytes] = []
    decoder: Any = None
    room, frames, whole = most, 0, True
    for start in range(0, len(body), _PIECE):
        rest = body[start : start + _PIECE]
        while rest:
            if whole:
                rest = rest.lstrip(b"\x00") if frames else rest
                if not rest:
                    break
                decoder, frames = fresh(), frames + 1
                if frames > _FRAMES:
                    raise BodyRefused(400, f"The compressed body has more than {_FRAMES} parts: compress it at once.")
            piece = decode(decoder, rest, room + 1)
            room -= len(piece)
            if room < 0:
                raise too_large(most)
            pieces.append(piece)
            whole = decoder.eof
            rest = decoder.unused_data if whole else decoder.unconsumed_tail
    if not whole:
        raise BodyRefused(400, "The compressed body is cut off: send it whole.")
    return b"".join(pieces)


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


_GZIP: Final = 31
"""zlib's name for gzip with the largest window."""

_ZSTD_WINDOW: Final = 8 << 20
_PIECE: Final = 64 << 10
_FRAMES: Final = 1_000
_SPACE: Final = b" \t\r\n"
_SHOWN: Final = 80
_FEW_COMMAS: Final = 20 * MAX_EVENTS
"""An array with fewer commas has few enough elements to be taken apart first and counted then."""

_CHARSET: Final = re.compile(r'charset\s*=\s*"?([^\s";]+)')
_TOKEN: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[][{},]', re.DOTALL)
"""Possessive: what can be tried again is remembered, 100 bytes for each of a long text."""
_OPENING, _CLOSING, _COMMA = frozenset(b"[{"), frozenset(b"]}"), ord(",")
