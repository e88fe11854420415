"""Health is progress: what is stuck says so, what is idle does not; and the status says it of each process."""

import asyncio
import json
import os
import signal
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy import watching
from deploy.health import Progress, Sight
from deploy.watching import Watched, note, noted, serve, sink_watched
from deploy.wellbeing import processes_of, sink_of
from schemas.errors import Unreachable, WrongInput
from schemas.topics import Topic
from sinks.history import Counters
from streams.administration import create_topics
from streams.lag import LagLook
from streams.sending import Record, Sender
from tests.brokers import running_tansu
from tests.e2e.recent import movement
from tests.e2e.stack import Stack, await_, begin, quayside, running_stack
from tests.sinks.clickhouse_server import running_server


class Clock:
    """Seconds that the test says."""

    def __init__(self) -> None:
        self.at = 1_000.0

    def __call__(self) -> float:
        """The time."""
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def progress(clock: Clock) -> Progress:
    return Progress(60, clock)


def seen(progress: Progress, clock: Clock, at: float, sight: Sight) -> str:
    """The cause that health names at this moment, after this look."""
    clock.at = at
    progress.saw(sight)
    return progress.health().cause


def test_who_has_nothing_to_do_is_well_for_ever(progress: Progress, clock: Clock) -> None:
    for at in range(1_000, 9_000, 50):
        assert seen(progress, clock, at, Sight(0, "same")) == ""


def test_who_takes_something_now_and_then_is_well_however_long_the_queue(progress: Progress, clock: Clock) -> None:
    for at in range(1_000, 9_000, 50):
        assert seen(progress, clock, at, Sight(1_000_000, at)) == ""


def test_who_takes_nothing_for_the_patience_is_stuck_since_it_last_did(progress: Progress, clock: Clock) -> None:
    assert seen(progress, clock, 1_000, Sight(0, 1)) == ""
    assert seen(progress, clock, 1_060, Sight(7, 1)) == ""
    assert seen(progress, clock, 1_061, Sight(7, 1)) == "no_progress"
    told = progress.health().as_dict()
    assert told == {
        "status": "stuck", "cause": "no_progress", "lag": 7, "since": "1970-01-01T00:16:40.000Z",
        "reason": "7 records wait, and none was taken for 61 s.",
    }  # fmt: skip
    assert seen(progress, clock, 1_062, Sight(6, 2)) == ""


def test_a_recovery_that_moves_is_progress_and_one_that_hangs_is_told(progress: Progress, clock: Clock) -> None:
    for at in range(1_000, 2_000, 50):
        assert seen(progress, clock, at, Sight(5, at, "stock [0]")) == ""
    assert seen(progress, clock, 2_100, Sight(0, "same", "stock [0]")) == ""
    assert seen(progress, clock, 2_161, Sight(0, "same", "stock [0]")) == "recovery"
    assert "stock [0]" in progress.health().reason


def test_a_store_that_refuses_is_told_at_once_with_its_words(progress: Progress, clock: Clock) -> None:
    assert seen(progress, clock, 1_001, Sight(5, 1, store_refuses=(990.0, "Code: 243. No space"))) == "store"
    assert progress.health().reason == "The store does not take what is in hand: Code: 243. No space."
    assert progress.health().since == 990.0


def test_a_silent_broker_is_told_after_the_patience(progress: Progress, clock: Clock) -> None:
    assert seen(progress, clock, 1_060, Sight(None, 0)) == ""
    assert seen(progress, clock, 1_121, Sight(None, 0)) == "broker"


def test_a_process_in_which_nobody_looks_any_more_hangs(progress: Progress, clock: Clock) -> None:
    progress.saw(Sight(0, 1))
    clock.at += 61
    assert "hangs" in progress.health().reason


class _Sink:
    """As much of a history sink as is looked at."""

    bootstrap = "nowhere:9092"

    def __init__(self) -> None:
        self.counters = Counters()


def test_a_sink_is_ready_once_it_has_caught_up_and_tells_what_the_store_says() -> None:
    sink = _Sink()
    watched = sink_watched(lambda: sink)  # type: ignore[arg-type,return-value]  # as much as is looked at
    assert watched.sight({("late.records", 0): 2}).lag == 2
    assert not watched.is_ready()
    assert watched.sight({}).store_refuses is None
    assert watched.is_ready()
    sink.counters.store_refuses_since, sink.counters.last_error = 5.0, "OperationalError: gone."
    assert watched.sight({}).store_refuses == (5.0, "OperationalError: gone")


# The lag, on both brokers.


async def test_the_lag_is_what_a_group_has_not_committed_and_no_control_record(
    broker: str, fresh_topic: Callable[[str], str]
) -> None:
    topic, group = fresh_topic("lag"), fresh_topic("group")
    create_topics(broker, [Topic(topic, "fact", "", "", 1_000_000, partitions=2)])
    look = LagLook(lambda: broker, group, [topic])
    assert await look.look() == {}
    sender = Sender(broker, "test", {topic: 2})
    await sender.send_to(topic, 1, [Record(b"k", b"v")] * 5)
    await sender.stop()
    assert await look.look() == {(topic, 1): 5}
    consumer = AIOKafkaConsumer(bootstrap_servers=broker, group_id=group, enable_auto_commit=False)
    await consumer.start()
    consumer.assign([TopicPartition(topic, 1)])
    await consumer.commit({TopicPartition(topic, 1): 3})
    assert await look.look() == {(topic, 1): 2}
    await consumer.commit({TopicPartition(topic, 1): 5})
    await consumer.stop()
    assert await look.look() == {}
    await look.close()


@pytest.mark.kafka
async def test_what_a_transaction_leaves_behind_is_no_lag(kafka: str, fresh_topic: Callable[[str], str]) -> None:
    topic, group = fresh_topic("lag"), fresh_topic("group")
    create_topics(kafka, [Topic(topic, "fact", "", "", 1_000_000, partitions=1)])
    sender = Sender(kafka, "test", {topic: 1}, transactional_id=fresh_topic("sender"))
    producer = await sender.start()
    async with producer.transaction():
        await sender.send_to(topic, 0, [Record(b"k", b"v")] * 3)
    await sender.stop()
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, group_id=group, enable_auto_commit=False)
    await consumer.start()
    consumer.assign([TopicPartition(topic, 0)])
    await consumer.commit({TopicPartition(topic, 0): 3})
    await consumer.stop()
    look = LagLook(lambda: kafka, group, [topic])
    assert await look.look() == {}
    await look.close()


async def test_a_request_that_the_client_cancels_is_a_silent_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    async def cancelled(_: Any) -> Any:
        raise asyncio.CancelledError

    monkeypatch.setattr(LagLook, "_connected", cancelled)
    with pytest.raises(Unreachable):
        await LagLook(lambda: "somewhere", "group", []).look()


async def test_a_broker_that_is_not_there_is_told_in_a_sentence() -> None:
    look = LagLook(lambda: "127.0.0.1:1", "group", ["late.records"])
    with pytest.raises(Unreachable, match=r"^The broker at 127.0.0.1:1 does not answer"):
        await look.look()


# What is served.


class _Told:
    """Probes that say what the test wants."""

    is_ok = True

    def metrics(self) -> tuple[bytes, str]:
        return b"up 1\n", "text/plain"

    def health(self) -> tuple[bool, dict[str, Any]]:
        return self.is_ok, {"status": "ok" if self.is_ok else "stuck"}

    ready = health


def got(url: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310  # loopback
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@pytest.fixture
def served() -> Iterator[tuple[_Told, str]]:
    told = _Told()
    server = serve(told, 0)
    yield told, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_health_and_readiness_are_status_codes_with_one_object(served: tuple[_Told, str]) -> None:
    told, url = served
    assert got(f"{url}/health") == (200, b'{"status": "ok"}')
    told.is_ok = False
    assert got(f"{url}/health") == (503, b'{"status": "stuck"}')
    assert got(f"{url}/ready")[0] == 503
    assert got(f"{url}/metrics") == (200, b"up 1\n")
    assert got(f"{url}/elsewhere")[0] == 404


def test_a_taken_port_is_told_in_a_sentence(served: tuple[_Told, str]) -> None:
    port = int(served[1].rpartition(":")[2])
    with pytest.raises(WrongInput, match=rf"^Port {port} on 127.0.0.1 .* QUAYSIDE_METRICS_PORT"):
        serve(_Told(), port)


def test_looks_go_on_whatever_one_of_them_meets(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []

    async def look(_: Any) -> Any:
        looks.append(1)
        raise (Unreachable("gone."), RuntimeError("odd"))[len(looks) % 2]

    monkeypatch.setattr(LagLook, "look", look)
    watched = Watched(lambda: "", "group", (), lambda _: Sight(None, 0), lambda: True, lambda _: ())
    watch = watching.Watch(watched, 60, look_s=0)

    async def for_a_while() -> None:
        going = asyncio.create_task(watch._go_on())
        while len(looks) < 4:  # noqa: ASYNC110  # nothing tells
            await asyncio.sleep(0)
        going.cancel()

    asyncio.run(for_a_while())
    assert watch.behind is None
    assert watch.health()[0]


def test_the_address_of_a_process_that_has_gone_is_not_believed(tmp_path: Path) -> None:
    note(tmp_path, "worker", 1)
    (tmp_path / "run" / "odd.metrics").write_text("{")
    assert noted(tmp_path) == {"worker": (os.getpid(), "http://127.0.0.1:1")}


# A stack.


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    settings = {"QUAYSIDE_LOG_FORMAT": "json", "QUAYSIDE_LOG_LEVEL": "info"}
    with running_stack(tmp_path_factory.mktemp("health") / "data", **settings) as running:
        running.publish([movement("received", 1, 5).raw, b"{"])
        yield running


@pytest.mark.tansu
def test_status_tells_how_each_process_is_and_where_its_metrics_are(stack: Stack) -> None:
    told = stack.status()
    health = {process["name"]: process["health"] for process in told["processes"]}
    assert (health["store"], health["worker"]) == ("ok", "ok")
    assert told["sink"] == {"state": "storing", "since": None, "reason": ""}
    assert set(told["metrics"]) == {"store", "worker", "gateway"}
    assert b"quayside_gate_queries_total" in got(f"{told['metrics']['store']}/metrics")[1]
    await_("the worker has caught up", lambda: got(f"{told['metrics']['worker']}/ready")[0] == 200)
    scraped = got(f"{told['metrics']['worker']}/metrics")[1].decode()
    assert 'quayside_worker_facts_total{agent="stock",outcome="accepted"} 1.0' in scraped


@pytest.mark.tansu
def test_every_line_of_a_process_is_a_json_object(stack: Stack) -> None:
    for name in ("store", "worker", "gateway"):
        lines = (stack.data / "logs" / f"{name}.log").read_text().splitlines()
        assert lines
        for line in lines:
            told = json.loads(line)
            assert told["process"] == name
            assert told.keys() >= {"time", "level", "logger", "message"}


@pytest.mark.tansu
def test_a_broker_that_hangs_does_not_keep_the_status_waiting(stack: Stack) -> None:
    broker = stack.note()["broker"]
    os.kill(broker, signal.SIGSTOP)
    try:
        told = stack.run("status", "--json")
    finally:
        os.kill(broker, signal.SIGCONT)
    assert told.complaint(3).startswith("The broker at ")
    known = told.last_json()
    assert (known["lag"], known["events"], known["accepted"], known["dead"]) == (None, None, 1, 1)
    assert {process["name"] for process in known["processes"]} == {"broker", "store", "worker", "gateway", "board"}


@pytest.mark.tansu
def test_a_process_that_does_not_answer_is_unknown_and_one_that_is_gone_is_stuck(stack: Stack) -> None:
    file = stack.file()
    assert file is not None
    worker = stack.note()["worker"]
    os.kill(worker, signal.SIGSTOP)
    try:
        found = {process.name: process for process in processes_of(file, stack.data)}
    finally:
        os.kill(worker, signal.SIGCONT)
    assert found["worker"].health == "unknown"
    assert "did not answer" in found["worker"].reason
    gone = processes_of(file, stack.data / "nowhere")
    assert {process.health for process in gone} == {"unknown"}
    assert sink_of(gone).state == "unknown"


# A sink of its own, over a stand-in for a ClickHouse server.


@pytest.mark.tansu
def test_a_sink_whose_store_refuses_says_so_and_goes_on_when_it_takes_again(tmp_path: Path) -> None:
    with running_tansu(tmp_path) as kafka, running_server(tmp_path / "server") as server:
        server.client().command("CREATE DATABASE tracking")
        create_topics(kafka.address)
        settings: dict[str, Any] = {
            "QUAYSIDE_KAFKA": kafka.address,
            "QUAYSIDE_CLICKHOUSE": f"http://default@127.0.0.1:{server.port}/tracking",
            "QUAYSIDE_DATA": str(tmp_path / "data"),
        }
        process = begin("sink", **settings)
        try:
            await_("the sink tells where it is", lambda: "sink" in noted(tmp_path / "data"))
            url = noted(tmp_path / "data")["sink"][1]
            await_("it has caught up", lambda: got(f"{url}/ready")[0] == 200)
            server.fault("error", code=243, name="NOT_ENOUGH_SPACE")
            asyncio.run(_sent(kafka.address, movement("received", 1, 5).raw))
            await_("it says that the store refuses", lambda: got(f"{url}/health")[0] == 503)
            told = json.loads(got(f"{url}/health")[1])
            assert (told["status"], told["cause"]) == ("stuck", "store")
            assert "NOT_ENOUGH_SPACE" in told["reason"]
            assert b"quayside_sink_waiting_for_store 1.0" in got(f"{url}/metrics")[1]
            status = quayside("status", "--json", **settings).last_json()
            assert (status["sink"]["state"], status["sink"]["since"]) == ("waiting_for_store", told["since"])
            server.fault("")
            await_("it goes on", lambda: got(f"{url}/health")[0] == 200)
            assert b'quayside_sink_rows_total{table="warehouse_events"} 1.0' in got(f"{url}/metrics")[1]
        finally:
            process.terminate()
            process.communicate(timeout=30)


async def _sent(bootstrap: str, raw: bytes) -> None:
    sender = Sender(bootstrap, "test", {"warehouse.events": 1})
    await sender.send([("warehouse.events", Record(b"k", raw))])
    await sender.stop()
