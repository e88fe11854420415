"""What a client with a spool promises: kept, in order, bounded, once."""

import json
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.client import Client, Flushed, SpoolFull, Undelivered
from deploy.client.spool import Spool
from schemas.errors import WrongInput
from tests.deploy.client import fake_gateway as does
from tests.deploy.client.fake_gateway import FakeGateway
from tests.deploy.client.said import HASTY, numbered, received

DOWN = does.answering(503, "Away.")
ROOM = 1 << 20


def opened(gateway: FakeGateway, spool: Path, **other: Any) -> Client:
    return Client(gateway.url, "secret", spool=spool, retrying=HASTY, timeout_s=5, **other)


def names(count: int) -> list[str]:
    return [f"e{number}" for number in range(count)]


def test_what_cannot_be_delivered_goes_out_later_in_order(gateway: FakeGateway, tmp_path: Path) -> None:
    gateway.usual = DOWN
    with opened(gateway, tmp_path) as client:
        for number in range(5):
            (told,) = client.send(numbered(number, number + 1))
            assert (told.status, told.event_id) == ("spooled", f"e{number}")
            assert str(tmp_path) in told.reason
        with pytest.raises(Undelivered, match=r"503: Away\.\): 5 events stay"):
            client.flush()
        gateway.usual = does.accept
        assert client.flush() == Flushed(5)
        assert client.waiting == 0
        assert [told.status for told in client.send(numbered(5, 6))] == ["accepted"]
    assert gateway.ids == names(6)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cursor", "lock"]


def test_the_next_send_delivers_what_waits_first_also_of_another_client(gateway: FakeGateway, tmp_path: Path) -> None:
    gateway.usual = DOWN
    with opened(gateway, tmp_path) as client:
        client.send(numbered(0, 1_200))
        assert client.waiting == 1_200
    gateway.usual = does.accept
    with opened(gateway, tmp_path) as client:
        assert client.waiting == 1_200
        assert [told.status for told in client.send(numbered(1_200, 1_201))] == ["accepted"]
    assert gateway.ids == names(1_201)


def test_small_sends_that_waited_go_out_together_and_keep_their_key(gateway: FakeGateway, tmp_path: Path) -> None:
    gateway.usual = DOWN
    with opened(gateway, tmp_path, batch=10) as client:
        for number in range(25):
            client.send(numbered(number, number + 1))
    gateway.requests.clear()
    for _ in range(2):  # the key stays in the next process too
        with opened(gateway, tmp_path, batch=10) as client, pytest.raises(Undelivered):
            client.flush()
    assert len({request.key for request in gateway.requests}) == 1
    gateway.usual = does.accept
    with opened(gateway, tmp_path, batch=10) as client:
        assert client.flush() == Flushed(25)
    assert [len(request.lines) for request in gateway.requests[-3:]] == [10, 10, 5]
    assert gateway.ids == names(25)


def test_while_the_gateway_is_away_sends_soon_stop_asking(gateway: FakeGateway, tmp_path: Path) -> None:
    gateway.usual = does.answering(503, Retry_After="60")
    with opened(gateway, tmp_path) as client:
        for number in range(20):
            client.send(numbered(number, number + 1))
        assert len(gateway.requests) == 1
        with pytest.raises(Undelivered):
            client.flush()
    assert len(gateway.requests) == 1


def test_a_refusal_after_the_promise_is_written_down(gateway: FakeGateway, tmp_path: Path) -> None:
    gateway.usual = DOWN
    with opened(gateway, tmp_path) as client:
        client.send(numbered(0, 3))
        gateway.usual = does.refusing("e1")
        flushed = client.flush()
        assert (flushed.accepted, [told.event_id for told in flushed.refused]) == (2, ["e1"])
        gateway.usual = does.refusing("now")
        (told,) = client.send(received("now"))
        assert told.status == "refused"
    lines = [json.loads(line) for line in (tmp_path / "refused.ndjson").read_text().splitlines()]
    assert [json.loads(line["event"])["event_id"] for line in lines] == ["e1"]
    assert lines[0]["receipt"]["reason"] == "It moved."


def test_a_wrong_token_is_told_and_loses_nothing(gateway: FakeGateway, tmp_path: Path) -> None:
    gateway.usual = does.answering(401, "Who?")
    with opened(gateway, tmp_path) as client:
        with pytest.raises(WrongInput, match=r"Who\?.*kept in"):
            client.send(numbered(0, 2))
        gateway.usual = does.accept
        assert client.flush() == Flushed(2)


def test_a_full_spool_is_a_clear_error_and_keeps_what_it_has(gateway: FakeGateway, tmp_path: Path) -> None:
    gateway.usual = DOWN
    with opened(gateway, tmp_path, spool_bytes=4_000, batch=5) as client:
        with pytest.raises(SpoolFull, match=r"is full \(\d+ events, \d+ of at most 4000 bytes\)") as error:
            client.send([received("bad", item="?"), *numbered(0, 99)])
        kept = [told.event_id for told in error.value.receipts if told.status == "spooled"]
        assert kept == names(len(kept))
        assert 5 <= len(kept) == client.waiting < 20
        gateway.usual = does.accept
        client._quiet_until = 0
        assert {told.status for told in client.send(numbered(len(kept), 99))} == {"accepted"}
    assert gateway.ids == names(99)


def test_two_clients_cannot_have_one_spool(gateway: FakeGateway, tmp_path: Path) -> None:
    with (
        opened(gateway, tmp_path),
        pytest.raises(WrongInput, match=f"in use by process {os.getpid()}: give each"),
    ):
        opened(gateway, tmp_path)
    opened(gateway, tmp_path).close()


def test_a_directory_that_is_none_is_told(gateway: FakeGateway, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WrongInput, match="cannot be used"):
        opened(gateway, tmp_path / "file")


def filled(directory: Path) -> Path:
    """A spool with e0, e1 and e2 in a frame each; its only segment."""
    spool = Spool(directory, ROOM)
    for event in numbered(0, 3):
        spool.append([json.dumps(event).encode()])
    spool.close()
    (segment,) = directory.glob("*.seg")
    return segment


@pytest.mark.parametrize("cut", [1, 100, 250])
def test_a_last_frame_that_a_crash_cut_off_is_passed_over(gateway: FakeGateway, tmp_path: Path, cut: int) -> None:
    segment = filled(tmp_path)
    os.truncate(segment, segment.stat().st_size - cut)
    with opened(gateway, tmp_path) as client:
        assert client.waiting == 2
        client.send(numbered(3, 4))
    assert gateway.ids == ["e0", "e1", "e3"]
    assert not list(tmp_path.glob("*.damaged"))


@pytest.mark.parametrize("frame", [0, 1, 2])
def test_a_damaged_frame_is_set_aside_and_the_others_go_out(
    gateway: FakeGateway, tmp_path: Path, caplog: pytest.LogCaptureFixture, frame: int
) -> None:
    segment = filled(tmp_path)
    data = bytearray(segment.read_bytes())
    start = len(data) // 3 * frame
    data[start + 100] ^= 1
    segment.write_bytes(data)
    with caplog.at_level(logging.ERROR), opened(gateway, tmp_path) as client:
        assert client.flush() == Flushed(2)
    assert gateway.ids == [name for name in names(3) if name != f"e{frame}"]
    (aside,) = tmp_path.glob("*.damaged")
    assert aside.read_bytes() == data[start : start + len(data) // 3]
    assert "set aside" in caplog.text


def test_segments_are_removed_as_they_are_settled_and_numbers_never_come_again(tmp_path: Path) -> None:
    line = json.dumps(received("x", attributes={"a": "b" * 2_000})).encode()
    spool = Spool(tmp_path, 64 << 20)
    for _ in range(5):
        spool.append([line] * 1_000)
    assert len(list(tmp_path.glob("*.seg"))) > 1
    while entries := spool.head(1, 1):
        spool.settle(entries)
    assert spool.used_bytes == spool.events == 0
    spool.close()
    assert not list(tmp_path.glob("*.seg"))
    again = Spool(tmp_path, ROOM)
    again.append([line])
    again.close()
    assert Spool(tmp_path, ROOM).events == 1


def test_a_lost_cursor_sends_again_and_loses_nothing(tmp_path: Path) -> None:
    filled(tmp_path)
    spool = Spool(tmp_path, ROOM)
    spool.settle(spool.head(1, ROOM))
    spool.close()
    assert (tmp_path / "cursor").exists()
    (tmp_path / "cursor").write_bytes(b"")
    assert Spool(tmp_path, ROOM).events == 3


class Crash(BaseException):
    """As if the process had ended here."""


class Disk:
    """Counts the calls that change the disk; the one that makes `left` zero is the last, and a write goes by halves."""

    def __init__(self, left: int, patched: pytest.MonkeyPatch) -> None:
        self.left = left
        for place, name in ((os, "open"), (os, "write"), (os, "fsync"), (Path, "replace")):
            patched.setattr(place, name, self._counted(getattr(place, name), writes=name == "write"))

    def _counted(self, real: Callable[..., Any], *, writes: bool) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            self.left -= 1
            if self.left:
                return real(*arguments, **named)
            if writes:
                real(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
            raise Crash

        return call


def sent_until_a_crash(client: Client, gateway: FakeGateway, promised: list[str]) -> bool:
    """Two sends while the gateway is away, and two when it is back; whether there was no crash."""
    try:
        for number in range(4):
            gateway.usual = DOWN if number < 2 else does.accept
            client._quiet_until = 0
            client.send(numbered(number, number + 1))
            promised.append(f"e{number}")
    except Crash:
        return False
    return True


def test_a_crash_between_any_two_steps_loses_no_promise_and_keeps_the_order(
    gateway: FakeGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for point in range(1, 100):
        gateway.taken.clear()
        promised: list[str] = []
        client = opened(gateway, tmp_path / str(point))
        with monkeypatch.context() as patched:
            Disk(point, patched)
            finished = sent_until_a_crash(client, gateway, promised)
        assert client._spool is not None
        client._spool._lock.close()
        gateway.usual = does.accept
        with opened(gateway, tmp_path / str(point)) as after:
            after.flush()
        first_seen = list(dict.fromkeys(gateway.ids))
        assert first_seen == names(len(first_seen)), point
        assert set(promised) <= set(first_seen), point
        if finished:
            break
    assert 10 < point < 99


def test_a_promise_is_given_when_all_of_it_is_synced(
    gateway: FakeGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    real = os.fsync

    def noted(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_size)
        real(descriptor)

    gateway.usual = DOWN
    with opened(gateway, tmp_path) as client:
        monkeypatch.setattr(os, "fsync", noted)
        for number in range(3):
            client.send(numbered(number, number + 1))
            (segment,) = tmp_path.glob("*.seg")
            assert synced[-1] == segment.stat().st_size


def test_threads_share_a_spool(gateway: FakeGateway, tmp_path: Path) -> None:
    gateway.script.extend([DOWN, does.cut, does.accept, does.drop] * 5)

    def work(base: int) -> None:
        for number in range(15):
            client.send(received(f"t{base}-{number}"))

    with opened(gateway, tmp_path) as client:
        threads = [threading.Thread(target=work, args=(base,)) for base in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        client.flush()
    first_seen = list(dict.fromkeys(gateway.ids))
    assert len(first_seen) == 60
    for base in range(4):
        mine = [told for told in first_seen if told.startswith(f"t{base}-")]
        assert mine == [f"t{base}-{number}" for number in range(15)]


def test_a_disk_that_cannot_be_written_promises_nothing(
    gateway: FakeGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    gateway.usual = DOWN
    with opened(gateway, tmp_path) as client:
        client.send(numbered(0, 1))
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full)
            with pytest.raises(Undelivered, match="No space left"):
                client.send(numbered(1, 2))
        client.send(numbered(2, 3))
        gateway.usual = does.accept
        client.flush()
    assert gateway.ids == ["e0", "e2"]
