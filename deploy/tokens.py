"""DATA/tokens.json: who may publish through the gateway, for which sources, and how much.

A secret is 256 random bits, told once and kept as its SHA-256. A slow hash (bcrypt, scrypt) is for passwords that
people choose: there is nothing to guess here, so one SHA-256 loses nothing and costs a microsecond a request. A secret
is found by looking its hash up, so how long the answer takes tells nothing of the secrets that are there.
"""

import base64
import contextlib
import fcntl
import hashlib
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

import msgspec
from pydantic import TypeAdapter, ValidationError

from schemas.errors import WrongInput
from schemas.event import Label
from schemas.times import wall_clock
from schemas.wire import event_types

ANY_SOURCE: Final = "*"
"""In the place of sources: every source there is."""

EVENTS_PER_S: Final = 1_000
BURST_S: Final = 10
"""A token's burst, where none is told, is what its rate gives in so many seconds."""

MAX_BYTES: Final = 10_000_000

PARTNER_TOPICS: Final = frozenset({"supplier.events", "shipment.events", "warehouse.events"})
"""What partners report. What is said on the other topics changes what everybody is shown (a site's capacity, a reorder
point, an exception out of the page's count), so a token must name such types."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What the holder of a token may do."""

    name: str
    sources: tuple[str, ...]
    """As these it may speak; ANY_SOURCE: as every one."""
    types: tuple[str, ...]
    """These types of events; empty: every type of PARTNER_TOPICS."""
    events_per_s: int
    burst: int
    """So many events at once, above the rate."""
    max_bytes: int
    """Of a request's decoded body."""

    def speaks_for(self, source: str) -> bool:
        """Whether it may say things, and be told of things, as this source."""
        return source in self.sources or ANY_SOURCE in self.sources

    def may_say(self, source: str, type: str) -> bool:  # noqa: A002  # the event's own field
        """Whether it may publish an event of this source and type."""
        return self.speaks_for(source) and type in (self.types or _PARTNER_TYPES)


@dataclass(frozen=True, slots=True)
class Made:
    """A new secret, which nobody can be told again, and what it is good for."""

    grant: Grant
    secret: str = field(repr=False)
    old_until: int | None = None
    """Until when (ms) the secret before it works, where it still does."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A token without its secret. Times in ms; `old_until`: until when a secret from before the rotation works."""

    grant: Grant
    created_at: int
    rotated_at: int | None
    old_until: int | None


class TokenFile:
    """The tokens of a data directory. Any number of processes may read; writers take turns (tokens.lock).

    `clock` tells the time in ms; `every_s`: the file is looked at (one stat) no more often than that.
    """

    def __init__(self, path: Path, *, clock: Callable[[], int] | None = None, every_s: float = 0.2) -> None:
        """The file need not be there: then there are no tokens."""
        self._path = path
        self._clock = clock or wall_clock
        self._every_s = every_s
        self._looked_at = -1.0
        self._seen: _Seen | None = None

    def grant_of(self, secret: str) -> Grant | None:
        """What a secret is good for; None where it is good for nothing (unknown, revoked, rotated away).

        What another process changed counts after `every_s` at the latest. Raises WrongInput while the file cannot be
        read or understood: then nobody is let in, since nobody can tell who was revoked.
        """
        if len(secret) != _SECRET_LENGTH or not secret.isascii():
            return None
        found = self._fresh().by_hash.get(_hash(secret))
        if found is None:
            return None
        grant, until = found
        return grant if until is None or self._clock() < until else None

    def create(
        self,
        name: str,
        sources: Sequence[str],
        *,
        types: Sequence[str] = (),
        events_per_s: int = EVENTS_PER_S,
        burst: int | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> Made:
        """A new token. Raises WrongInput for a name that is taken, a source or type that cannot be, and so on."""
        burst = min(events_per_s * BURST_S, _MOST) if burst is None else burst
        grant = Grant(name, _once(sources), _once(types), events_per_s, burst, max_bytes)
        _check(grant)
        secret = _new_secret()
        with self._writing() as tokens:
            if any(token.name == name for token in tokens):
                raise WrongInput(
                    f"There is a token {name!r} already: take another name, rotate it (a new secret for the same "
                    "grant), or revoke it first."
                )
            tokens.append(
                _Token(
                    name=name,
                    sources=grant.sources,
                    types=grant.types,
                    events_per_s=events_per_s,
                    burst=burst,
                    max_bytes=max_bytes,
                    created_at=self._clock(),
                    rotated_at=None,
                    secrets=(_Secret(_hash(secret)),),
                )
            )
        return Made(grant, secret)

    def revoke(self, name: str) -> None:
        """Take a token away, with every secret of it. Raises WrongInput where there is none."""
        with self._writing() as tokens:
            tokens.remove(self._named(tokens, name))

    def rotate(self, name: str, grace_ms: int = 0) -> Made:
        """Give a token a new secret; every older one works for `grace_ms` more at the most.

        Raises WrongInput where there is no such token.
        """
        secret, now = _new_secret(), self._clock()
        with self._writing() as tokens:
            token = self._named(tokens, name)
            ends = now + grace_ms
            older = (_Secret(one.sha256, ends if one.until is None else min(one.until, ends)) for one in token.secrets)
            kept = tuple(one for one in older if one.until is not None and one.until > now)
            rotated = msgspec.structs.replace(token, rotated_at=now, secrets=(_Secret(_hash(secret)), *kept))
            tokens[tokens.index(token)] = rotated
        return Made(_grant(rotated), secret, _old_until(rotated, now))

    def listed(self) -> list[Listed]:
        """All tokens by name, without their secrets. Raises WrongInput for a broken file."""
        now = self._clock()
        tokens = sorted(self._read().tokens, key=lambda token: token.name)
        return [Listed(_grant(one), one.created_at, one.rotated_at, _old_until(one, now)) for one in tokens]

    def _named(self, tokens: Sequence["_Token"], name: str) -> "_Token":
        for token in tokens:
            if token.name == name:
                return token
        known = ", ".join(sorted(token.name for token in tokens)) or "none at all"
        raise WrongInput(f"There is no token {name!r} in {self._path}; there is {known}.")

    def _fresh(self) -> "_Seen":
        """The tokens as of `every_s` ago at the longest."""
        moment = time.monotonic()
        seen = self._seen
        if seen is None or not 0 <= moment - self._looked_at < self._every_s:
            if seen is None or seen.mark is None or seen.mark != self._mark():
                self._seen = seen = self._read()
            self._looked_at = moment
        return seen

    def _mark(self) -> "_Mark | None":
        try:
            return _marked(self._path.stat())
        except OSError:
            return None

    def _read(self) -> "_Seen":
        try:
            with self._path.open("rb") as file:
                mark = _marked(os.fstat(file.fileno()))
                tokens = _decoded(file.read(), self._path)
        except FileNotFoundError:
            return _Seen(None, ())
        except OSError as error:
            raise WrongInput(f"{self._path} cannot be read: {error.strerror}. Mend its owner and mode.") from None
        return _Seen(mark, tokens)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[list["_Token"]]:
        """The tokens, to be changed: what they are at the end is on disk when this returns. One writer at a time."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.with_suffix(".lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                tokens = list(self._read().tokens)
                yield tokens
                self._write(tokens)
        except OSError as error:
            raise WrongInput(f"{self._path} cannot be written: {error.strerror}. Choose another --data.") from None
        self._looked_at = -1.0

    def _write(self, tokens: Sequence["_Token"]) -> None:
        """Replace the file as a whole: whoever reads meanwhile, or after a crash, has the old one or the new one."""
        fresh = self._path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        document = msgspec.json.format(msgspec.json.encode(_Document(_FORMAT, tuple(tokens))), indent=2)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(document + b"\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
        directory = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


_FORMAT: Final = 1
_PREFIX: Final = "qs_"
_SECRET_BYTES: Final = 32
_SECRET_LENGTH: Final = len(_PREFIX) + 43  # 32 bytes in base64 without padding
_MOST: Final = 1_000_000_000
_NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z"
_LABEL: Final[TypeAdapter[str]] = TypeAdapter(Label)
_PARTNER_TYPES: Final = frozenset(kind for kind, model in event_types().items() if model.topic in PARTNER_TOPICS)

_Positive = Annotated[int, msgspec.Meta(ge=1)]
_Mark = tuple[int, int, int]


class _Secret(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
    until: int | None = None


class _Token(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(pattern=_NAME)]
    sources: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    types: tuple[str, ...]
    events_per_s: _Positive
    burst: _Positive
    max_bytes: _Positive
    created_at: int
    rotated_at: int | None
    secrets: Annotated[tuple[_Secret, ...], msgspec.Meta(min_length=1)]


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: int
    tokens: tuple[_Token, ...]


class _Format(msgspec.Struct, frozen=True):
    format: int


class _Seen:
    """The file as it was read once: its mark (None: it was not there) and its tokens, by the hash of each secret."""

    __slots__ = ("by_hash", "mark", "tokens")

    def __init__(self, mark: _Mark | None, tokens: tuple[_Token, ...]) -> None:
        self.mark = mark
        self.tokens = tokens
        self.by_hash = {one.sha256: (_grant(token), one.until) for token in tokens for one in token.secrets}


def _decoded(raw: bytes, path: Path) -> tuple[_Token, ...]:
    try:
        told = msgspec.json.decode(raw, type=_Format).format
        if told != _FORMAT:
            raise WrongInput(
                f"{path} has format {told}, and this version of Quayside knows format {_FORMAT}: upgrade Quayside, or "
                "move the file away and make the tokens anew."
            )
        tokens = msgspec.json.decode(raw, type=_Document).tokens
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise WrongInput(
            f"{path} is broken ({error}): mend it, or move it away and make the tokens anew with "
            "`quayside tokens create`."
        ) from None
    names = [token.name for token in tokens]
    if len(set(names)) != len(names):
        raise WrongInput(f"{path} has two tokens of one name: take one of them out.")
    return tokens


def _check(grant: Grant) -> None:
    if re.fullmatch(_NAME, grant.name) is None:
        raise WrongInput(
            f"{grant.name!r} is no name for a token: write up to 64 letters, digits, dots, dashes and underscores, "
            "such as acme-wms."
        )
    if not grant.sources:
        raise WrongInput(f"The token {grant.name!r} needs a source that it may speak as: name it with --source.")
    for source in grant.sources:
        try:
            _LABEL.validate_python(source)
        except ValidationError:
            raise WrongInput(
                f"{source!r} is no source: write 1 to 200 characters, none of them a control character."
            ) from None
    known = event_types()
    for kind in grant.types:
        if kind not in known:
            raise WrongInput(f"There is no event type {kind!r}: types are {', '.join(known)}.")
    for what, number in (("rate", grant.events_per_s), ("burst", grant.burst), ("largest body", grant.max_bytes)):
        if not 1 <= number <= _MOST:
            raise WrongInput(f"The {what} of a token cannot be {number}: write a number from 1 to {_MOST}.")


def _grant(token: _Token) -> Grant:
    return Grant(token.name, token.sources, token.types, token.events_per_s, token.burst, token.max_bytes)


def _old_until(token: _Token, now: int) -> int | None:
    return max((one.until for one in token.secrets if one.until is not None and one.until > now), default=None)


def _new_secret() -> str:
    return _PREFIX + base64.urlsafe_b64encode(secrets.token_bytes(_SECRET_BYTES)).rstrip(b"=").decode()


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _marked(found: os.stat_result) -> _Mark:
    return found.st_mtime_ns, found.st_ino, found.st_size


def _once(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))
