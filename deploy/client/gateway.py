"""One request to a gateway and its answer, over HTTP/1.1 with TLS; connections are kept and lent to one thread each."""

import gzip
import http.client
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from schemas.errors import WrongInput

GZIP_FROM: Final = 1_400
"""A body of so many bytes or more is compressed: less goes into one packet anyway."""

MAX_ANSWER_BYTES: Final = 64 << 20
_LEVEL: Final = 5
_CHUNK: Final = 1 << 16
_MOST_IDLE: Final = 8
_LOOPBACK: Final = {"localhost", "127.0.0.1", "::1"}
_UNSUPPORTED: Final = 415
_UNAUTHORIZED: Final = 401


class NoAnswer(Exception):
    """No whole answer came: nobody knows whether the request was taken."""


class _Closed(NoAnswer):
    """The other end closed the connection: what happens to one that was kept too long."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer. `headers` by lower-case name."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Gateway:
    """A gateway at `url`; thread-safe.

    Args:
        url: `https://host[:port][/prefix]`; plain `http` only to this machine, unless `plain_http`.
        token: The secret, or the file that holds it (read again after a 401, so that a token can be rotated).
        timeout_s: For connecting, for every wait for bytes, and for the whole answer once it has begun.
        ca: A file of certificates to trust instead of the system's.
        plain_http: Send the token over an unencrypted connection.
    """

    def __init__(
        self, url: str, token: str | Path, timeout_s: float, *, ca: Path | None = None, plain_http: bool = False
    ) -> None:
        self.url: Final = url.rstrip("/")
        try:
            parts = urlsplit(self.url)
            self._host, self._port = parts.hostname or "", parts.port
        except ValueError:
            raise WrongInput(f"{url!r} is no URL: write it as https://quayside.example.com.") from None
        if parts.scheme not in {"http", "https"} or not self._host or parts.query or parts.username:
            raise WrongInput(f"{url!r} is no URL of a gateway: write it as https://quayside.example.com.")
        if parts.scheme == "http" and not plain_http and self._host not in _LOOPBACK:
            raise WrongInput(f"{url!r} would send the token unencrypted: use https, or allow it with plain_http.")
        self._prefix: Final = parts.path
        self._timeout: Final = timeout_s
        self._tls: Final = _trusting(ca) if parts.scheme == "https" else None
        self._token_file: Final = token if isinstance(token, Path) else None
        self._token = _usable(token) if isinstance(token, str) else _token_in(token)
        self._gzip = True
        self._idle: list[http.client.HTTPConnection] = []
        self._lock: Final = threading.Lock()

    def ask(self, path: str) -> Answer:
        """A GET. Raises NoAnswer."""
        return self._said("GET", path, None, {})

    def post(self, path: str, body: bytes, content_type: str, key: str) -> Answer:
        """A POST under an Idempotency-Key, compressed where that pays and is understood. Raises NoAnswer."""
        headers = {"Content-Type": content_type, "Idempotency-Key": key}
        if self._gzip and len(body) >= GZIP_FROM:
            packed = gzip.compress(body, _LEVEL, mtime=0)
            answer = self._said("POST", path, packed, {**headers, "Content-Encoding": "gzip"})
            if answer.status != _UNSUPPORTED:
                return answer
            self._gzip = False
        return self._said("POST", path, body, headers)

    def close(self) -> None:
        """Close the connections that nobody uses."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _said(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        """A request, once more with a token that has changed since."""
        token = self._token
        answer = self._kept(method, path, body, headers)
        if answer.status == _UNAUTHORIZED and self._token_file is not None:
            self._token = _token_in(self._token_file)
            if self._token != token:
                return self._kept(method, path, body, headers)
        return answer

    def _kept(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        """A request on a kept connection; on a new one if the gateway has closed that in the meantime."""
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        if connection is not None:
            with suppress(_Closed):
                return self._exchange(connection, method, path, body, headers)
        return self._exchange(self._connection(), method, path, body, headers)

    def _connection(self) -> http.client.HTTPConnection:
        if self._tls is not None:
            return http.client.HTTPSConnection(self._host, self._port, timeout=self._timeout, context=self._tls)
        return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
    ) -> Answer:
        try:
            told = {"Authorization": f"Bearer {self._token}", "Accept": "application/json", **headers}
            connection.request(method, self._prefix + path, body, told)
            response = connection.getresponse()
            answer = Answer(
                response.status,
                {name.lower(): value for name, value in response.getheaders()},
                self._body(response),
            )
        except ssl.SSLCertVerificationError as error:
            connection.close()
            reason = f"the certificate of {self._host} is not trusted ({error.verify_message})"
            raise NoAnswer(f"{reason}: check the address, or give the authority's file as ca") from None
        except TimeoutError:
            connection.close()
            raise NoAnswer(f"no answer within {self._timeout:g} s") from None
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise (_Closed if isinstance(error, ConnectionError) else NoAnswer)(_why(error)) from None
        except BaseException:
            connection.close()
            raise
        with self._lock:
            keep = not response.will_close and len(self._idle) < _MOST_IDLE
            if keep:
                self._idle.append(connection)
        if not keep:
            connection.close()
        return answer

    def _body(self, response: http.client.HTTPResponse) -> bytes:
        """All of it, within the time and the size that an answer may have."""
        until = time.monotonic() + self._timeout
        expected = response.length
        chunks: list[bytes] = []
        size = 0
        while chunk := response.read1(_CHUNK):
            chunks.append(chunk)
            size += len(chunk)
            if time.monotonic() > until:
                raise TimeoutError
            if size > MAX_ANSWER_BYTES:
                raise NoAnswer(f"an answer of more than {MAX_ANSWER_BYTES} bytes")
        response.close()
        if expected is not None and size < expected:
            raise http.client.IncompleteRead(b"", expected - size)
        return b"".join(chunks)


def _trusting(ca: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=None if ca is None else str(ca))
    except (OSError, ssl.SSLError) as error:
        raise WrongInput(
            f"The certificates in {ca} cannot be read: {error}. Check the path; it is to be PEM."
        ) from None


def _token_in(file: Path) -> str:
    try:
        return _usable(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise WrongInput(f"The token in {file} cannot be read: {reason}. Check the path.") from None


def _usable(token: str) -> str:
    """The token, which has to fit into a header; what is wrong is told without it."""
    bare = token.strip()
    if not bare or not bare.isascii() or not bare.isprintable() or " " in bare:
        raise WrongInput("The token is empty or has characters that no token has: copy it again, without its name.")
    return bare


def _why(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, http.client.RemoteDisconnected):
        return "the connection was closed before an answer came"
    if isinstance(error, http.client.IncompleteRead):
        return "the connection was closed in the middle of the answer"
    return str(error) or type(error).__name__
