"""A person mends what died: lists it, looks at it, sends it again, and sees what became of it."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from kafka import KafkaProducer

from deploy.stackfile import require_running
from schemas.derived import DeadLetter, encode
from schemas.times import to_ms
from streams.settling import ends_of, settle
from tests.e2e.recent import YESTERDAY, movement
from tests.e2e.stack import ROOT, Stack, await_, environment

SITE: Final = "DLQ"
BROKEN: Final = b'{"source": "mender", "colour": "\xff\x00\x1b[2J"\r\n'
"""No JSON, no UTF-8, and nothing that a terminal should see."""


def good(event_id: str, quantity: float = 5, **said: Any) -> bytes:
    """A receipt at our site that nothing is wrong with."""
    told = json.loads(movement("received", 1, quantity, site=SITE).raw)
    return json.dumps(told | {"event_id": f"dlq/{event_id}", "source": "mender"} | said).encode()


def produce(stack: Stack, topic: str, *values: bytes) -> list[str]:
    """Send values to the stack's broker, past the door; the id of each."""
    epoch = require_running(stack.data).epoch
    producer = KafkaProducer(bootstrap_servers=require_running(stack.data).kafka)
    places = [producer.send(topic, key=b"elsewhere", value=value).get(30) for value in values]
    producer.close()
    return [f"{epoch}/{topic}/{place.partition}/{place.offset}" for place in places]


def letters(stack: Stack, *arguments: object) -> list[dict[str, Any]]:
    told = stack.run("dlq list", "--json", *arguments)
    told.done()
    found: list[dict[str, Any]] = told.last_json()["letters"]
    return found


def raw(stack: Stack, name: str) -> bytes:
    process = stack.begin("dlq show", name, "--raw")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return out


def on_hand(stack: Stack) -> list[Any]:
    return stack.query(f"SELECT toInt64(on_hand) FROM stock_now WHERE site = '{SITE}'")  # noqa: S608  # a name of ours


def counts(told: dict[str, Any]) -> list[int]:
    return [told[name] for name in ("selected", "sent", "accepted", "still_bad", "already_resent", "late")]


def resent(name: str) -> Callable[[dict[str, Any]], bool]:
    return lambda letter: letter["id"] == name and letter["resent_at"] is not None


@pytest.fixture(scope="module")
def stack(plain: Stack, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """A stack with a broken line of a file and good ones around it."""
    file = tmp_path_factory.mktemp("dlq") / "in box.ndjson"
    file.write_bytes(b"\n".join([good("1"), good("line", quantity=-1), good("2")]))
    assert plain.run("publish", file, "--json").last_json()["refused"] == 1
    return plain


@pytest.fixture
def mended(tmp_path: Path) -> Callable[[bytes], Path]:
    def write(value: bytes) -> Path:
        path = tmp_path / "mended.json"
        path.write_bytes(value + b"\n")
        return path

    return write


def test_a_broken_record_is_listed_shown_byte_for_byte_mended_and_sent_once(
    stack: Stack, mended: Callable[[bytes], Path]
) -> None:
    (name,) = produce(stack, "warehouse.events", BROKEN)
    chosen = ("--topic", "warehouse.events", "--cause", "not_json", "--since", "1h")
    await_("it is a dead letter", lambda: name in [letter["id"] for letter in letters(stack, *chosen)])
    assert raw(stack, name) == BROKEN
    shown = stack.run("dlq show", name).done()
    assert "\x1b" not in shown
    assert "1b 5b 32 4a" in shown

    refused = stack.run("dlq replay", name, "--json")
    assert (refused.code, counts(refused.last_json())) == (1, [1, 0, 0, 1, 0, 0])
    assert refused.err.startswith(f"{name}: ")

    value = mended(good("mended", quantity=7))
    before = on_hand(stack)[0][0]
    told = stack.run("dlq replay", name, "--value", value, "--json")
    assert (told.code, counts(told.last_json())) == (0, [1, 1, 1, 0, 0, 0])
    assert on_hand(stack)[0][0] == before + 7
    assert stack.query("SELECT source, entity FROM warehouse_events WHERE event_id = 'dlq/mended'") == [
        ["mender", f"{SITE}|acme:4711"]
    ]
    assert name not in [letter["id"] for letter in letters(stack, *chosen)]
    assert any(map(resent(name), letters(stack, "--resent", *chosen)))
    assert raw(stack, name) == BROKEN
    became = stack.run("dlq show", name, "--json").last_json()
    assert [one["became"] for one in became["sent_again"]] == ["stored"]
    assert became["text"] is None

    again = stack.run("dlq replay", name, "--value", value, "--json")
    assert (again.code, counts(again.last_json())) == (0, [1, 0, 0, 0, 1, 0])
    assert stack.row("SELECT count() FROM warehouse_events FINAL WHERE event_id = 'dlq/mended'") == [1]


def test_what_died_of_a_mistake_that_is_mended_is_sent_again_by_a_filter(stack: Stack) -> None:
    for number in range(3):
        value = good(f"innocent/{number}")
        at = to_ms(YESTERDAY)
        told = DeadLetter(0, "warehouse.events", 0, number, at, "invalid", "A bug of version 0.", "", b"", value)
        produce(stack, "dead.letters", encode(told))
    chosen = ("--reason", "bug of VERSION 0", "--cause", "invalid")
    await_("they are dead letters", lambda: len(letters(stack, *chosen)) == 3)
    summary = stack.run("dlq list", "--summary", "--json", *chosen).last_json()
    assert [group["count"] for group in summary["groups"]] == [3]
    before = on_hand(stack)[0][0]
    looked = stack.run("dlq replay", "--dry-run", "--json", *chosen)
    assert counts(looked.last_json()) == [3, 0, 3, 0, 0, 0]
    told_first = stack.run("dlq replay", "--json", *chosen)
    assert (told_first.code, counts(told_first.last_json())) == (0, [3, 3, 3, 0, 0, 0])
    assert on_hand(stack)[0][0] == before + 15
    told_again = stack.run("dlq replay", "--json", *chosen)
    assert (told_again.code, counts(told_again.last_json())) == (0, [3, 0, 0, 0, 3, 0])
    assert on_hand(stack)[0][0] == before + 15


DIES: Final = """
import os, signal
from deploy.command.main import run
from deploy.publisher import Publisher

async def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

Publisher.send = die
run()
"""


@pytest.mark.chaos
def test_a_kill_between_the_spool_and_the_broker_loses_neither_the_record_nor_what_it_takes_up(
    stack: Stack, mended: Callable[[bytes], Path]
) -> None:
    (letter,) = letters(stack, "--topic", "publish", "--source", "mender")
    assert letter["id"].endswith("in%20box.ndjson:2")
    value = mended(good("line", quantity=3))
    command = ["dlq", "replay", letter["id"], "--value", value, "--data", stack.data]
    ended = subprocess.run(
        [sys.executable, "-c", DIES, *map(str, command)],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL, ended
    await_("it is sent again by the stack", lambda: any(map(resent(letter["id"]), letters(stack, "--resent"))))
    assert stack.row("SELECT toInt64(quantity) FROM warehouse_events WHERE event_id = 'dlq/line'") == [3]


def test_nothing_is_lost_in_between(stack: Stack) -> None:
    """Stored + dead + replayed = records, by distinct coordinates, with what was sent again among them."""
    assert settle(require_running(stack.data).kafka)
    ends = ends_of(require_running(stack.data).kafka, ["warehouse.events"])
    epoch = require_running(stack.data).epoch
    kinds = (
        f"SELECT partition, offset FROM warehouse_events WHERE epoch = {epoch}",  # noqa: S608  # a number of ours
        f"SELECT partition, offset FROM dead_letters WHERE epoch = {epoch} AND topic = 'warehouse.events'",  # noqa: S608
        f"SELECT partition, offset FROM replayed_records WHERE epoch = {epoch} AND topic = 'warehouse.events'",  # noqa: S608
    )
    assert stack.row(f"SELECT uniqExact(partition, offset) FROM ({' UNION ALL '.join(kinds)})") == [sum(ends.values())]  # noqa: S608


def test_wrong_usage_is_one_sentence(stack: Stack) -> None:
    assert "ids look like" in stack.run("dlq show", "9/warehouse.events/0/1").complaint(2)
    assert "EPOCH/TOPIC/PARTITION/OFFSET" in stack.run("dlq replay", "nonsense").complaint(2)
    assert "Say which dead letters" in stack.run("dlq replay").complaint(2)
    assert "not_json" in stack.run("dlq list", "--cause", "nonsense").complaint(2)
    assert "ids look like" in stack.run("late show", "9/warehouse.events/0/1").complaint(2)


def test_late_records_are_listed(stack: Stack) -> None:
    told = stack.run("late list", "--entity", "nobody|nothing", "--json").last_json()
    assert told == {"count": 0, "records": []}
    assert "late records (open)" in stack.run("late list").done()


def test_where_no_stack_runs_it_is_unreachable(tmp_path: Path) -> None:
    for command in ("dlq list", "late list"):
        assert "No stack is running" in Stack(tmp_path / "none").run(command).complaint(3)
