"""Bodies of somebody who means harm: refused with a sentence, in bounded memory, while others are answered."""

import gzip
import json
import socket
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from typing import Any, Final

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy.gateway.bodies import BodyRefused, decoded, events_in
from deploy.gateway.connections import HEAD_BYTES
from tests.deploy.gateway.apart import Apart, running_apart
from tests.deploy.gateway.gate import event
from tests.deploy.gateway.serving import Served, serving

MB: Final = 1 << 20
MOST: Final = 10_000_000
"""Bytes of a body that a token may send where nobody says otherwise."""
BOUND: Final = 250 * MB
"""So much more than at first a gateway holds at the most, whatever was sent to it before."""

CAPTURE: Final = "/v1/epcis/capture"


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apart]:
    with running_apart(tmp_path_factory.mktemp("apart") / "data") as gateway:
        yield gateway


def ask(gateway: Apart, body: Any, path: str = "/v1/events", **headers: str) -> tuple[int, Any]:
    """Status and document of the answer; `headers` with underscores for dashes."""
    told = {"Authorization": f"Bearer {gateway.secret}", "Content-Type": "application/json"}
    connection = HTTPConnection(gateway.host, gateway.port, timeout=60)
    try:
        connection.request(
            "POST", path, body, told | {name.replace("_", "-"): value for name, value in headers.items()}
        )
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null")
    finally:
        connection.close()


def gzip_bomb(size: int) -> bytes:
    """So many zero bytes; nobody comes to its end, which is not there."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    first, other = (packer.compress(bytes(MB)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return first + other * (size // MB - 1)


def zstd_bomb(size: int, *, declared: bool) -> bytes:
    """So many zero bytes; `declared`: the frame says how many."""
    packer = zstandard.ZstdCompressor(write_content_size=declared).compressobj(size=size if declared else -1)
    zeros = bytes(MB)
    return b"".join(packer.compress(zeros) for _ in range(size // MB)) + packer.flush()


def stock(**other: Any) -> bytes:
    return event("a/1", **other)


def ordered(lines: bytes) -> bytes:
    """An order of these lines."""
    return stock(type="order_placed")[:-1] + b', "lines": [' + lines + b"]}"


WITHOUT_END: Final = b'["' + b"," * 200_001 + b"x" * 9_700_000 + b'"]'
HOSTILE: Final[dict[str, tuple[Callable[[], bytes], dict[str, str], set[int]]]] = {
    "gzip of 1 GB": (lambda: gzip_bomb(1 << 30), {"Content_Encoding": "gzip"}, {413}),
    "zstd of 1 GB that says so": (lambda: zstd_bomb(1 << 30, declared=True), {"Content_Encoding": "zstd"}, {413}),
    "zstd of 1 GB that does not": (lambda: zstd_bomb(1 << 30, declared=False), {"Content_Encoding": "zstd"}, {413}),
    "100,000 brackets": (lambda: b"[" * 100_000 + b"]" * 100_000, {}, {400}),
    "100,000 objects in each other": (lambda: b'{"a":' * 100_000 + b"1" + b"}" * 100_000, {}, {400}),
    "a number of 9,000,000 digits": (lambda: b'[{"quantity":' + b"9" * 9_000_000 + b"}]", {}, {422}),
    "a quantity of 800,000 digits": (lambda: stock(quantity=7).replace(b": 7", b": " + b"7" * 800_000), {}, {422}),
    "a great exponent": (lambda: stock(quantity=7).replace(b": 7", b": 7e999999999"), {}, {422}),
    "lone surrogates": (lambda: stock(source="acme").replace(b"BER", b"\\ud800"), {}, {400, 422}),
    "no UTF-8": (lambda: stock().replace(b"BER", b"\xff\xfe"), {}, {400, 422}),
    "zero bytes": (lambda: b"\0" * 1_000_000, {}, {400}),
    "a zero byte in a text": (lambda: stock(site="B\0R"), {}, {422}),
    "1,000,000 tiny events": (lambda: b"[" + b"{}," * 999_999 + b"{}]", {}, {413}),
    "1,000,000 tiny lines": (lambda: b"{}\n" * 1_000_000, {"Content_Type": "application/x-ndjson"}, {413}),
    "5,000,000 numbers in one event": (lambda: b"[[" + b"1," * 4_900_000 + b"1]]", {}, {422}),
    "one text of commas and letters": (lambda: WITHOUT_END, {}, {422}),
    "NaN": (lambda: stock(quantity=float("nan")), {}, {400, 422}),
    "Infinity": (lambda: stock(quantity=float("-inf")), {}, {400, 422}),
    "290,000 empty lines of an order": (lambda: ordered(b",".join([b"{}"] * 290_000)), {}, {422}),
    "80,000 unknown fields": (
        lambda: stock()[:-1] + b"".join(b',"f%d":1' % number for number in range(80_000)) + b"}",
        {},
        {422},
    ),
    "a source that is a document": (lambda: b'{"source":' + b'["a"],"source":' * 50_000 + b'"acme"}', {}, {422}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_it_is_refused_with_a_sentence_and_costs_little(apart: Apart, name: str) -> None:
    make, headers, statuses = HOSTILE[name]
    status, told = ask(apart, make(), **headers)
    assert status in statuses, told
    sentence = told["receipts"][0]["reason"] if "receipts" in told else told["detail"]
    assert sentence.endswith((".", "?")), sentence
    assert apart.memory() < apart.base + BOUND
    assert ask(apart, stock())[0] == 202


@pytest.mark.parametrize(
    "body",
    [
        b'{"eventList": [' + b"{}," * 3_000_000 + b"{}]}",
        b'{"eventList": [' + b"[1.5]," * 1_500_000 + b"{}]}",
        b'{"eventList":[{"type":"ObjectEvent","epcList":[' + b"1," * 4_000_000 + b"1]}]}",
        b'{"eventList":[{"type":"ObjectEvent","epcList":[' + b"1," * 390_000 + b"1]}]}",
        b'{"eventList":[{"type":"ObjectEvent"' + b"".join(b',"f%d":1' % n for n in range(390_000)) + b"}]}",
        b'{"eventList":' * 100_000,
        b'{"eventList": [{"n": ' + b"9" * 9_000_000 + b"}]}",
        b'{"eventList": [{"n": NaN}]}',
        b"\xff\xfe\x00\x00",
    ],
    ids=["objects", "lists", "names", "fewer names", "fields", "deep", "digits", "NaN", "no UTF-8"],
)
def test_a_capture_is_refused_with_a_sentence_and_costs_little(apart: Apart, body: bytes) -> None:
    status, told = ask(apart, body, CAPTURE)
    if status == 202:  # a document, of which the job finds nothing right
        assert told is None
    else:
        assert status in {400, 413}, told
        assert told["detail"].endswith(".")
    assert apart.memory() < apart.base + BOUND


def test_of_an_event_that_says_a_thing_twice_everybody_reads_the_same(apart: Apart) -> None:
    body = stock()[:-1] + b', "source": "other"}'
    status, told = ask(apart, body)
    assert (status, told["receipts"][0]["cause"]) == (403, "forbidden"), "it speaks as acme, and then as another"


def opened(gateway: Apart, head: bytes) -> socket.socket:
    """A connection on which a head was sent, and no more; `SECRET` in it stands for the secret."""
    connection = socket.create_connection((gateway.host, gateway.port), 30)
    connection.sendall(head.replace(b"SECRET", gateway.secret.encode()).replace(b"\n", b"\r\n"))
    return connection


HEAD: Final = b"POST /v1/events HTTP/1.1\nHost: x\nAuthorization: Bearer SECRET\nContent-Type: application/json\n"


def test_whoever_sends_slowly_holds_up_nobody(apart: Apart) -> None:
    slow = [opened(apart, HEAD + b"Content-Length: 1000\n\n") for _ in range(200)]
    slow += [opened(apart, HEAD[:60]) for _ in range(200)]
    for connection in slow:
        connection.sendall(b"[")
    assert ask(apart, stock())[0] == 202
    assert apart.memory() < apart.base + BOUND
    for connection in slow:
        connection.close()
    assert ask(apart, stock())[0] == 202


def test_lengths_that_are_lies_cost_the_liar_only(apart: Apart) -> None:
    with opened(apart, HEAD + b"Content-Length: 99999999999999999999\n\n") as connection:
        assert connection.recv(12) in {b"HTTP/1.1 413", b"HTTP/1.1 400"}
    with opened(apart, HEAD + b"Content-Length: 1000\n\n{}") as connection:
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(12) in {b"", b"HTTP/1.1 400"}
    both = b"Content-Length: 5\nTransfer-Encoding: chunked\n\n0\n\n"
    with opened(apart, HEAD + both) as connection:
        assert connection.recv(12) == b"HTTP/1.1 400"
    with opened(apart, HEAD + b"Content-Length: 2\n\n{}GARBAGE / HTTP/9.9\n\n") as connection:
        told = b""
        while piece := connection.recv(65_536):
            told += piece
        assert told.startswith((b"HTTP/1.1 422", b"HTTP/1.1 400"))
    assert ask(apart, stock())[0] == 202


@pytest.mark.parametrize(
    ("head", "endless"),
    [
        (HEAD + b"Transfer-Encoding: chunked\n\n", b"10000\r\n" + b" " * 0x10000 + b"\r\n"),
        (b"GET /health HTTP/1.1\nX: ", b"x" * 0x10000),
        (b"GET /health HTTP/1.1\n", b"X: y\r\n" * 0x2000),
        (b"GET /", b"x" * 0x10000),
        (HEAD + b"Transfer-Encoding: chunked\n\n1;", b"x" * 0x10000),
        (HEAD + b"Transfer-Encoding: chunked\n\n2\n{}\n0\n", b"X: y\r\n" * 0x2000),
    ],
    ids=["body", "header", "headers", "path", "chunk", "trailers"],
)
def test_what_has_no_end_is_broken_off(apart: Apart, head: bytes, endless: bytes) -> None:
    sent = 0
    with opened(apart, head) as connection:
        try:
            while sent < 400 * MB:
                connection.sendall(endless)
                sent += len(endless)
                assert apart.memory() < apart.base + BOUND
                if sent > MOST + 2 * MB and _has_answered(connection):
                    break
        except OSError:
            pass
    assert sent < 100 * MB, "it listened for ever"
    assert ask(apart, stock())[0] == 202
    assert HEAD_BYTES < MB


def _has_answered(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(12) == b"HTTP/1.1 413"
    except BlockingIOError:
        return False
    finally:
        connection.settimeout(30)


def test_while_it_is_busy_with_one_it_answers_others(apart: Apart) -> None:
    body = b"[" + b",".join([ordered(b",".join([b"{}"] * 290_000))] * 4) + b"]"
    told: list[Any] = []
    hostile = threading.Thread(target=lambda: told.append(ask(apart, body)))
    hostile.start()
    answered = 0
    while hostile.is_alive():
        connection = HTTPConnection(apart.host, apart.port, timeout=30)
        connection.request("GET", "/health")
        assert connection.getresponse().status in {200, 503}, "there is no broker, which is told after a while"
        connection.close()
        answered += 1
        time.sleep(0.01)
    hostile.join()
    assert told[0][0] == 422
    assert answered


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_no_more_is_unpacked_than_is_allowed(encoding: str) -> None:
    bomb = gzip_bomb(100 * MB) if encoding == "gzip" else zstd_bomb(100 * MB, declared=False)
    tracemalloc.start()
    try:
        with pytest.raises(BodyRefused, match="more than 1000000 bytes"):
            decoded(bomb, encoding, 1_000_000)  # type: ignore[arg-type]  # one of the two
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000


def test_counting_the_events_of_a_body_takes_no_memory() -> None:
    tracemalloc.start()
    try:
        assert len(events_in(WITHOUT_END, "json")) == 1
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * len(WITHOUT_END)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("gateway"), events_per_s=10**9, max_bytes=100_000) as one:
        yield one


SCALARS: Final = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("\ud800")
JSON: Final = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=8
)
FIELDS: Final = ("event_id", "source", "type", "site", "item", "quantity", "recorded_at", "attributes", "references")
ODD_EVENTS: Final = st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=3).map(
    lambda odd: json.dumps(json.loads(stock()) | odd).encode()
)
BODIES: Final = (
    st.binary()
    | JSON.map(lambda told: json.dumps(told).encode())
    | ODD_EVENTS
    | st.lists(ODD_EVENTS, max_size=3).map(lambda odd: b"[" + b",".join(odd) + b"]")
    | st.tuples(ODD_EVENTS, st.integers(0, 300), st.binary(max_size=4)).map(
        lambda told: told[0][: told[1]] + told[2] + told[0][told[1] :]
    )
)
KINDS: Final = st.sampled_from(["application/json", "application/x-ndjson", "application/ld+json", "text/plain", ""])
PACKED: Final[dict[str, Callable[[bytes], bytes]]] = {
    "identity": bytes,
    "gzip": gzip.compress,
    "zstd": zstandard.compress,
    "gzip ": bytes,
    "zstd ": bytes,
}
DOCUMENTED: Final = {
    "/v1/events": {202, 207, 400, 403, 413, 415, 422},
    CAPTURE: {202, 400, 403, 413, 415},
}


@given(
    body=BODIES,
    kind=KINDS,
    packed=st.sampled_from(sorted(PACKED)),
    path=st.sampled_from(sorted(DOCUMENTED)),
    key=st.sampled_from(["", "k1", "k2"]),
)
@settings(
    max_examples=150,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_whatever_is_sent_gets_a_documented_answer(
    served: Served, body: bytes, kind: str, packed: str, path: str, key: str
) -> None:
    place = served.address.removeprefix("http://")
    connection = HTTPConnection(place, timeout=30)
    headers = {"Content-Type": kind, "Content-Encoding": packed.strip(), **served.authorized()}
    if key:
        headers["Idempotency-Key"] = key
    try:
        connection.request("POST", path, PACKED[packed](body), headers)
        answer = connection.getresponse()
        told = answer.read()
    finally:
        connection.close()
    assert answer.status in DOCUMENTED[path], told
    if answer.status >= 400:
        document = json.loads(told)
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert document["status"] == answer.status
        assert document["detail"].endswith((".", "?"))
