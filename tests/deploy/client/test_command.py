"""The client's command: what it prints, and its exit codes."""

import json
from pathlib import Path
from typing import Any

import pytest

from deploy.client.command import run
from deploy.door import Door, Line, Refused
from schemas.wire import Rejection, read_any
from tests.deploy.client import fake_gateway as does
from tests.deploy.client.fake_gateway import FakeGateway
from tests.deploy.client.said import numbered, received

NOW = 1_800_000_000_000


@pytest.fixture
def options(gateway: FakeGateway, tmp_path: Path) -> list[str]:
    (tmp_path / "token").write_text("secret")
    return ["--url", gateway.url, "--token-file", str(tmp_path / "token")]


def written(path: Path, events: list[dict[str, Any]]) -> str:
    path.write_text("\n\n".join(json.dumps(event) for event in events))
    return str(path)


def test_publish_tells_each_refused_line(
    gateway: FakeGateway, options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway.usual = does.refusing("e600")
    file = written(tmp_path / "in.ndjson", [received("bad", item="?"), *numbered(0, 700)])
    assert run(["publish", file, *options]) == 1
    out, err = capsys.readouterr()
    assert out == "701 events: 699 accepted, 2 refused\n"
    assert err.splitlines()[0].startswith(f'{file}:1: item "?" is not an item')
    assert err.splitlines()[1] == f"{file}:1203: It moved."
    gateway.usual = does.accept
    assert run(["publish", written(tmp_path / "in.ndjson", numbered(0, 3)), *options, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "read": 3,
        "accepted": 3,
        "refused": 0,
        "spooled": 0,
        "refusals": [],
    }


def test_publish_with_a_spool_keeps_what_the_gateway_does_not_take(
    gateway: FakeGateway, options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spool = ["--spool", str(tmp_path / "spool")]
    gateway.usual = does.answering(503, "Away.", Retry_After="60")
    assert run(["publish", written(tmp_path / "in.ndjson", numbered(0, 3)), *options, *spool]) == 3
    out, err = capsys.readouterr()
    assert out == "3 events: 0 accepted, 0 refused, 3 spooled\n"
    assert "3 events stay in" in err
    gateway.usual = does.refusing("e1", "e4")
    assert run(["flush", *options, *spool, "--json"]) == 1
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert (told["accepted"], [one["event_id"] for one in told["refused"]]) == (2, ["e1"])
    assert err == "acme-wms e1: It moved.\n"
    assert run(["publish", written(tmp_path / "in.ndjson", numbered(3, 6)), *options, *spool]) == 1
    assert gateway.ids == ["e0", "e2", "e3", "e5"]


def test_what_an_earlier_run_left_goes_out_first_and_is_not_counted_again(
    gateway: FakeGateway, options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spool = ["--spool", str(tmp_path / "spool")]
    gateway.usual = does.answering(503, Retry_After="60")
    run(["publish", written(tmp_path / "in.ndjson", numbered(0, 3)), *options, *spool])
    capsys.readouterr()
    # Away for the two tries of the send, and there again for the flush.
    gateway.script.extend([does.answering(503), does.answering(503)])
    gateway.usual = does.refusing("e1", "e4")
    assert run(["publish", written(tmp_path / "in.ndjson", numbered(3, 7)), *options, *spool, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["read"], told["accepted"], told["refused"], told["spooled"]) == (4, 3, 1, 0)
    assert gateway.ids == ["e0", "e2", "e3", "e5", "e6"]


def test_without_a_spool_a_gateway_that_is_away_is_exit_code_3(
    gateway: FakeGateway, options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway.usual = does.answering(429, Retry_After="60")
    assert run(["publish", written(tmp_path / "in.ndjson", numbered(0, 3)), *options]) == 3
    assert "took nothing of the last 3 events" in capsys.readouterr().err


def test_status_and_rejections_print_what_the_gateway_tells(
    gateway: FakeGateway, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    gateway.answers["/v1/events/acme/mv%2F1"] = (200, {"state": "late"})
    gateway.answers["/v1/rejections?since=2h&limit=1000"] = (200, {"rejections": [{"cause": "late"}]})
    assert run(["status", "acme", "mv/1", *options]) == 0
    assert run(["status", "acme", "mv/2", *options]) == 1
    assert run(["rejections", "--since", "2h", *options]) == 1
    gateway.answers["/v1/rejections?since=yesterday&limit=1000"] = (400, {"detail": "'yesterday' is no time."})
    assert run(["rejections", "--since", "yesterday", *options]) == 2
    out, err = capsys.readouterr()
    assert [json.loads(line) for line in out.splitlines()] == [{"state": "late"}, {"cause": "late"}]
    assert "has no event 'mv/2' of 'acme'" in err
    assert "'yesterday' is no time" in err


@pytest.mark.parametrize(
    "raw",
    [
        json.dumps(received("a")).encode(),
        json.dumps(received("a", item="?")).encode(),
        json.dumps(received("a", type="no")).encode(),
        json.dumps(received("a", recorded_at="2199-01-01T00:00:00Z")).encode(),
        json.dumps(received("a", more=1)).encode(),
        b'{"type": 1}',
        b"{}",
        b"[]",
        b"{",
        b'{"type":"rec\xff"}',
        b'{"a":' * 3_000,
    ],
    ids=lambda raw: raw[:20],
)
def test_the_client_says_what_the_door_says(raw: bytes) -> None:
    ours = read_any(raw, NOW)
    refused = Door(None).decide([Line(1, raw)], NOW).refused
    assert refused == ([Refused(Line(1, raw), ours)] if isinstance(ours, Rejection) else [])
