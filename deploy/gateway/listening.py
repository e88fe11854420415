"""Where a gateway listens, and what a person should know of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from schemas.errors import WrongInput

_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class Listen:
    """Where a gateway listens. `port` 0: a free one. `certificate`, `key`: files in PEM; None: no TLS."""

    host: str
    port: int
    certificate: Path | None = None
    key: Path | None = None

    @property
    def is_loopback(self) -> bool:
        """Whether nobody but this machine can reach it."""
        return self.host in _LOOPBACK

    @property
    def warning(self) -> str | None:
        """What a person should know of it."""
        if self.certificate is not None or self.is_loopback:
            return None
        return (
            f"warning: the gateway listens on {self.host} without TLS, so tokens travel unencrypted: set "
            "QUAYSIDE_GATEWAY_TLS_CERT and QUAYSIDE_GATEWAY_TLS_KEY, or put a proxy with TLS before it."
        )

    @property
    def place(self) -> str:
        """HOST:PORT, as `listen_of` reads it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def address(self, port: int) -> str:
        """The URL, with the port that was taken."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.certificate else 'http'}://{host}:{port}"


def listen_of(place: str, certificate: Path | None, key: Path | None) -> Listen:
    """Where `HOST:PORT`, `HOST` or `PORT` is. Raises WrongInput for what is none of these, and for half a TLS pair."""
    host, colon, port = place.strip().rpartition(":")
    if not colon:
        host, port = ("", port) if port.isdecimal() else (port, "0")
    elif host.startswith("[") != host.endswith("]") or (":" in host and not host.startswith("[")):
        host, port = "", "wrong"
    if not (port.isascii() and port.isdecimal() and int(port) <= 65_535):  # noqa: PLR2004  # the greatest port
        raise WrongInput(
            f"{place!r} is no address to listen on: write HOST:PORT such as 0.0.0.0:8443; port 0: a free one."
        )
    if (certificate is None) != (key is None):
        lacking, there = ("KEY", "CERT") if key is None else ("CERT", "KEY")
        raise WrongInput(
            f"QUAYSIDE_GATEWAY_TLS_{there} is set, but QUAYSIDE_GATEWAY_TLS_{lacking} is not: set both, or neither."
        )
    return Listen(host.strip("[]") or "127.0.0.1", int(port), certificate, key)
