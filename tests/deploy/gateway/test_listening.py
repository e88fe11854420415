"""Where a gateway listens."""

from pathlib import Path

import pytest

from deploy.gateway.listening import Listen, listen_of
from schemas.errors import WrongInput


@pytest.mark.parametrize(
    ("place", "host", "port", "address"),
    [
        ("127.0.0.1:0", "127.0.0.1", 0, "http://127.0.0.1:7"),
        ("0.0.0.0:8443", "0.0.0.0", 8443, "http://0.0.0.0:7"),  # noqa: S104  # what is tested
        ("8443", "127.0.0.1", 8443, "http://127.0.0.1:7"),
        ("gateway.example", "gateway.example", 0, "http://gateway.example:7"),
        ("[::1]:80", "::1", 80, "http://[::1]:7"),
        (":80", "127.0.0.1", 80, "http://127.0.0.1:7"),
    ],
)
def test_a_place_is_host_and_port(place: str, host: str, port: int, address: str) -> None:
    found = listen_of(place, None, None)
    assert found == Listen(host, port)
    assert found.address(7) == address
    assert listen_of(found.place, None, None) == found


@pytest.mark.parametrize("place", ["a:b", "1.2.3.4:65536", "::1", "a:", "a:-1", "[::1:80"])
def test_what_is_no_place_is_wrong(place: str) -> None:
    with pytest.raises(WrongInput, match="HOST:PORT"):
        listen_of(place, None, None)


def test_half_a_pair_of_tls_is_wrong() -> None:
    for pair in ((Path("c"), None), (None, Path("k"))):
        with pytest.raises(WrongInput, match="set both, or neither"):
            listen_of("8443", *pair)


def test_listening_to_others_without_tls_is_told() -> None:
    assert listen_of("127.0.0.1:80", None, None).warning is None
    assert listen_of("0.0.0.0:80", Path("c"), Path("k")).warning is None
    assert "without TLS" in (listen_of("0.0.0.0:80", None, None).warning or "")
    assert listen_of("0.0.0.0:80", Path("c"), Path("k")).address(1) == "https://0.0.0.0:1"
