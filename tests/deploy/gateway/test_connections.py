"""Connections that are held for nothing."""

import socket
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from deploy.gateway import connections
from deploy.gateway.connections import Connection, most
from tests.deploy.gateway.serving import Served, serving


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path) as one:
        yield one


def opened(served: Served, said: bytes) -> socket.socket:
    """A connection on which this was said."""
    host, _, port = served.address.removeprefix("http://").partition(":")
    connection = socket.create_connection((host, int(port)), 30)
    connection.sendall(said)
    return connection


def is_closed(connection: socket.socket) -> bool:
    """Wait until the other side has closed it, whatever it said before; fails after 30 s."""
    try:
        while connection.recv(65_536):
            pass
    except ConnectionResetError:
        pass
    return True


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"GET /health HT",
        b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n[",
    ],
    ids=["nothing", "half a head", "half of the next", "a body that nobody reads"],
)
def test_who_does_not_go_on_is_closed(served: Served, monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    monkeypatch.setattr(connections, "HEAD_S", 0.1)
    with opened(served, said) as connection:
        if said.endswith((b"\n", b"[")):
            assert connection.recv(65_536).startswith((b"HTTP/1.1 200", b"HTTP/1.1 401"))
            connection.sendall(b"[" if said.endswith(b"[") else b"GET /he")
        assert is_closed(connection)


def test_one_too_many_is_closed_and_when_one_goes_another_may_come(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Connection, "_most", 1)
    first = HTTPConnection(served.address.removeprefix("http://"), timeout=30)
    first.request("GET", "/health")
    assert first.getresponse().read()
    with opened(served, b"") as other:
        assert is_closed(other)
    first.request("GET", "/health")
    assert first.getresponse().status == 200
    first.close()
    assert 1 <= most() <= connections.MOST
