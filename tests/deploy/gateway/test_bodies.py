"""From a body to the bytes of each event."""

import gzip
import json

import pytest
import zstandard

from deploy.gateway.bodies import MAX_EVENTS, BodyRefused, decoded, encoding_of, events_in, format_of

MOST = 1_000_000


@pytest.mark.parametrize(
    ("said", "form"),
    [
        ("application/json", "json"),
        ("Application/JSON; charset=UTF-8", "json"),
        ("application/x-ndjson", "ndjson"),
    ],
)
def test_the_content_type_decides(said: str, form: str) -> None:
    assert format_of(said) == form


@pytest.mark.parametrize("said", [None, "", "text/csv", "application/json; charset=utf-16", "application/jsonx"])
def test_another_content_type_is_415(said: str | None) -> None:
    with pytest.raises(BodyRefused) as found:
        format_of(said)
    assert found.value.status == 415


def test_another_encoding_is_415() -> None:
    assert [encoding_of(said) for said in (None, "GZIP", " zstd ")] == ["identity", "gzip", "zstd"]
    with pytest.raises(BodyRefused) as found:
        encoding_of("br")
    assert found.value.status == 415


@pytest.mark.parametrize(
    ("body", "events"),
    [
        (b' {"a" : 1} ', [b'{"a" : 1}']),
        (b'\xef\xbb\xbf[{"a": 1.0 } ,{"b":"\\u00e9"},3]', [b'{"a": 1.0 }', b'{"b":"\\u00e9"}', b"3"]),
    ],
)
def test_elements_keep_their_bytes(body: bytes, events: list[bytes]) -> None:
    assert events_in(body, "json") == events


def test_lines_keep_their_bytes_and_empty_ones_are_none() -> None:
    assert events_in(b'{"a": 1}\r\n\n {broken\n{"b":2}', "ndjson") == [b'{"a": 1}', b"{broken", b'{"b":2}']


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"  ",
        b"[]",
        b"3",
        b'"text"',
        b'{"a":1',
        b'{"a":1} {"b":2}',
        b'[{"a":1},',
        b"[" * 100_000,
        b"[" + b'{"a":' * 3_000,
        b"\xff\xfe{",
    ],
    ids=lambda body: f"{body[:12]!r}",
)
def test_what_is_no_json_is_400(body: bytes) -> None:
    with pytest.raises(BodyRefused) as found:
        events_in(body, "json")
    assert found.value.status == 400
    assert str(found.value).endswith(".")


@pytest.mark.parametrize(
    ("body", "form"),
    [
        (b"[" + b"1," * 4_999_999 + b"1]", "json"),
        (b'[{"a":[1,2,"],["]}' + b',{"a":[1,2,"],["]}' * MAX_EVENTS + b"]", "json"),
        (b"{}\n" * (MAX_EVENTS + 1), "ndjson"),
        (b"\n" * 10_000_000, "ndjson"),
    ],
)
def test_too_many_events_are_413_before_they_take_memory(body: bytes, form: str) -> None:
    with pytest.raises(BodyRefused) as found:
        events_in(body, form)  # type: ignore[arg-type]  # one of the two
    assert found.value.status == 413


def test_as_many_as_are_allowed_go_whatever_is_in_them() -> None:
    body = json.dumps([{"text": ',"],[{\\', "many": list(range(30))}] * MAX_EVENTS).encode()
    assert len(events_in(body, "json")) == MAX_EVENTS


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_compressed_bodies_come_out_whole(encoding: str) -> None:
    body = bytes(range(256)) * 1_000
    parts = [body[:100_000], body[100_000:]]
    packed = b"".join(map(gzip.compress if encoding == "gzip" else zstandard.compress, parts))
    assert decoded(packed, encoding, MOST) == body  # type: ignore[arg-type]  # one of the two
    assert decoded(b"", encoding, MOST) == b""  # type: ignore[arg-type]  # as above


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_what_is_cut_off_or_no_such_encoding_is_400(encoding: str) -> None:
    whole = gzip.compress(b"abc" * 1_000) if encoding == "gzip" else zstandard.compress(b"abc" * 1_000)
    for body in (whole[:-3], whole + b"junk", b'{"a":1}'):
        with pytest.raises(BodyRefused) as found:
            decoded(body, encoding, MOST)  # type: ignore[arg-type]  # one of the two
        assert found.value.status == 400


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "identity"])
def test_more_bytes_than_allowed_are_413(encoding: str) -> None:
    bomb = b"\0" * 100_000_000
    packed = {
        "gzip": lambda: gzip.compress(bomb, 1),
        "zstd": lambda: zstandard.compress(bomb),
        "identity": lambda: bomb,
    }
    body = packed[encoding]()
    with pytest.raises(BodyRefused) as found:
        decoded(body, encoding, MOST)  # type: ignore[arg-type]  # one of the three
    assert found.value.status == 413


def test_a_swarm_of_members_is_refused() -> None:
    with pytest.raises(BodyRefused) as found:
        decoded(gzip.compress(b"") * 20_000, "gzip", MOST)
    assert found.value.status == 400
