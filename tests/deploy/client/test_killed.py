"""A client that is killed in the middle of sending, again and again."""

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deploy.client import Client
from schemas.errors import WrongInput
from tests.deploy.client import fake_gateway as does
from tests.deploy.client.fake_gateway import FakeGateway
from tests.deploy.client.said import HASTY

SEED = 20_261_122
ROUNDS = 6
ROOT = Path(__file__).resolve().parents[3]


def started(gateway: FakeGateway, spool: Path, first: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.deploy.client.sender", gateway.url, str(spool), str(first)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def test_every_event_that_was_promised_arrives_in_order(gateway: FakeGateway, tmp_path: Path) -> None:
    print(f"seed {SEED}")  # noqa: T201  # shown where the test fails
    draw = random.Random(SEED)
    deeds = [does.accept, does.accept, does.answering(503), does.cut, does.drop]

    def usual(handler: Any, request: does.Request) -> None:
        with gateway.lock:
            deed = draw.choice(deeds)
        deed(handler, request)

    gateway.usual = usual
    promised: list[int] = []
    following = 0
    for _ in range(ROUNDS):
        process = started(gateway, tmp_path / "spool", following)
        assert process.stdout is not None
        try:
            promised.extend(int(process.stdout.readline().split()[0]) for _ in range(draw.randrange(1, 60)))
        finally:
            process.kill()
        # What it said between the last line that was read and its end counts as well.
        promised.extend(int(line.split()[0]) for line in process.stdout if line.endswith("\n"))
        process.wait()
        process.stdout.close()
        # The one after the last promise may be in the spool, though nobody was told; another number is another event.
        following = promised[-1] + 2
    gateway.usual = does.accept
    with Client(gateway.url, "secret", spool=tmp_path / "spool", retrying=HASTY, timeout_s=5) as client:
        client.flush()
    arrived = list(
        dict.fromkeys((json.loads(line)["site"], int(json.loads(line)["event_id"][1:])) for line in gateway.taken)
    )
    numbers = [number for _, number in arrived]
    assert set(promised) <= set(numbers)
    assert len(numbers) <= len(promised) + ROUNDS
    for site in ("S0", "S1", "S2"):
        mine = [number for place, number in arrived if place == site]
        assert mine == sorted(mine)


def test_a_second_process_is_refused_until_the_first_is_gone(gateway: FakeGateway, tmp_path: Path) -> None:
    process = started(gateway, tmp_path, 0)
    assert process.stdout is not None
    try:
        process.stdout.readline()
        with pytest.raises(WrongInput, match=f"in use by process {process.pid}"):
            Client(gateway.url, "secret", spool=tmp_path)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    Client(gateway.url, "secret", spool=tmp_path).close()
