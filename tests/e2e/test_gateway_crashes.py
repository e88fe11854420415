"""SIGKILL of gateway, broker or all of a stack under load: what got a 202 is in the history, and counts once."""

import json
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from kafka import KafkaConsumer

from deploy.broker import free_port
from deploy.stackfile import is_alive
from deploy.tokens import TokenFile
from schemas.errors import Unreachable
from streams.administration import create_topics
from tests.brokers import NoKafka, running_kafka
from tests.e2e.recent import moment
from tests.e2e.stack import ORPHANS_S, Stack, await_, begin, new_stack

SOURCE: Final = "crash-wms"
PARTNERS: Final = 4
_PATIENCE_S: Final = 100.0
_PAUSE_S: Final = 0.05
"""Between two requests of one partner: the kills are what is tried, not the speed."""


class Partner(threading.Thread):
    """Somebody who sends event after event and, as one does, the same again until there is an answer."""

    def __init__(self, number: int, address: str, secret: str, seed: int) -> None:
        super().__init__(name=f"partner-{number}")
        place = urlsplit(address)
        self._host, self._port = place.hostname or "", place.port or 0
        self._headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
        self._chance = random.Random(seed)
        self._number = number
        self._count = 0
        self._enough = threading.Event()
        self._connection: HTTPConnection | None = None
        self.accepted: set[str] = set()
        """What a 202 told."""
        self.unsure: set[str] = set()
        """What was sent, and the end came before the answer."""
        self.answers: list[int] = []
        self.retry_afters: set[str] = set()
        self.failure: BaseException | None = None

    def run(self) -> None:
        """Send until `stop`."""
        try:
            while not self._enough.is_set():
                self._send(self._batch())
                time.sleep(_PAUSE_S)
        except BaseException as error:  # noqa: BLE001  # the test's thread raises it
            self.failure = error
        finally:
            if self._connection is not None:
                self._connection.close()

    def stop(self) -> None:
        """Send no more; what is under way is given up."""
        self._enough.set()
        self.join()
        if self.failure is not None:
            raise self.failure

    def _batch(self) -> list[str]:
        size = 1 if self._chance.random() < 0.5 else self._chance.randrange(2, 60)
        self._count += size
        return [f"p{self._number}/{self._count - left}" for left in range(size)]

    def _send(self, names: list[str]) -> None:
        events = [self._event(name) for name in names]
        body = json.dumps(events if len(events) > 1 else events[0]).encode()
        headers = self._headers | ({"Idempotency-Key": names[0]} if self._chance.random() < 0.5 else {})
        self.unsure.update(names)
        while not self._enough.is_set():
            answer = self._ask(body, headers)
            if answer is None or answer in {409, 429, 503}:
                time.sleep(0.05)
                continue
            assert answer == 202, answer
            self.accepted.update(names)
            self.unsure.difference_update(names)
            return

    def _event(self, name: str) -> dict[str, Any]:
        return {
            "event_id": name,
            "source": SOURCE,
            "type": "received",
            "site": f"CRASH-{self._number}",
            "item": f"acme:{self._chance.randrange(20)}",
            "unit": "pcs",
            "quantity": 1,
            "occurred_at": moment(0),
            "recorded_at": moment(0),
        }

    def _ask(self, body: bytes, headers: dict[str, str]) -> int | None:
        """The status of the answer; None where there was none."""
        try:
            if self._connection is None:
                self._connection = HTTPConnection(self._host, self._port, timeout=30)
            self._connection.request("POST", "/v1/events", body, headers)
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, HTTPException):
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            return None
        self.answers.append(answer.status)
        if answer.status == 503:
            self.retry_afters.add(answer.headers["Retry-After"])
        return answer.status


class Load:
    """Partners who send to a gateway at the same time."""

    def __init__(self, address: str, secret: str, seed: int) -> None:
        self.chance = random.Random(seed)
        self._partners = [Partner(number, address, secret, seed + number) for number in range(PARTNERS)]
        for partner in self._partners:
            partner.start()

    @property
    def accepted(self) -> set[str]:
        """What got a 202 so far."""
        return set[str]().union(*(tuple(partner.accepted) for partner in self._partners))

    @property
    def unsure(self) -> set[str]:
        """What never got an answer."""
        return set[str]().union(*(partner.unsure for partner in self._partners))

    def goes_on(self) -> None:
        """Wait until events are accepted, and more of them."""
        before = len(self.accepted)
        await_("events are accepted", lambda: len(self.accepted) > before + 20, _PATIENCE_S)

    def await_503(self) -> None:
        """Wait until each partner has been told so, and when to come again."""
        for partner in self._partners:
            partner.answers.clear()
        await_("all are told 503", lambda: all(503 in partner.answers for partner in self._partners), _PATIENCE_S)
        assert all(int(told) >= 1 for partner in self._partners for told in partner.retry_afters)

    def stop(self) -> None:
        """Nobody sends any more."""
        for partner in self._partners:
            partner.stop()


class Chaos:
    """Kills processes of a stack under load. Its gateway stays where it is."""

    def __init__(self, stack: Stack, seed: int) -> None:
        self.stack = stack
        made = stack.run("tokens create", SOURCE, "--source", SOURCE, "--rate", "100000/s", "--json")
        made.done()
        address = f"http://{stack.settings['QUAYSIDE_GATEWAY_LISTEN']}"
        self.load = Load(address, made.last_json()["secret"], seed)
        self.chance = random.Random(seed)

    def kill(self, *names: str) -> None:
        """SIGKILL these processes, or all there are, at once at some moment under load."""
        await_("it is whole", self.stack.is_ready)
        self.load.goes_on()
        pids = self.stack.note()
        time.sleep(self.chance.random())
        for name in names or pids:
            with suppress(ProcessLookupError):  # its supervisor was the first
                os.kill(pids[name], signal.SIGKILL)
        for name in names:
            await_(f"{name} is gone", lambda pid=pids[name]: not is_alive(pid))  # type: ignore[misc]  # a lambda's default

    def kill_group(self) -> None:
        """SIGKILL all of the stack at once, and start it again."""
        self.kill()
        self.stack.assert_gone(ORPHANS_S)
        self.stack.up()

    def pause_broker(self) -> None:
        """While the embedded broker does not answer, events are accepted all the same: the spool keeps them."""
        self.load.goes_on()
        broker = self.stack.note()["broker"]
        os.kill(broker, signal.SIGSTOP)
        try:
            time.sleep(0.3)  # what was on its way is through
            self.load.goes_on()
        finally:
            os.kill(broker, signal.SIGCONT)

    def assert_kept(self) -> None:
        """What got a 202 is in the history, nothing else is but what lost its answer, and all of it counts once."""
        self.load.goes_on()
        self.load.stop()
        accepted, unsure = self.load.accepted, self.load.unsure
        await_(f"{len(accepted)} events are in the history", lambda: self._has(accepted), _PATIENCE_S)
        self.stack.settled()
        there = self._there()
        assert there.keys() <= accepted | unsure
        assert set(there.values()) == {1.0}
        counted = self.stack.row("SELECT toInt64(sum(on_hand)) FROM stock_now WHERE site LIKE 'CRASH-%'")
        assert counted == [len(there)], "an event counts twice, or not at all"
        audited = self.stack.run("audit", "--json")
        audited.done()
        assert audited.last_json()["differences"] == 0, audited.out

    def _has(self, accepted: set[str]) -> bool:
        """Whether the history has all of these; not yet, while a store that was killed comes back."""
        try:
            return not accepted - self._there().keys()
        except Unreachable:
            return False

    def _there(self) -> dict[str, float]:
        rows = self.stack.query(f"SELECT event_id, quantity FROM warehouse_events_now WHERE source = '{SOURCE}'")  # noqa: S608  # our own name
        assert len({name for name, _ in rows}) == len(rows), "an event is there twice"
        return {name: float(quantity) for name, quantity in rows}


def seeded() -> int:
    """A seed, which is printed."""
    seed = int(os.environ.get("CHAOS_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"to repeat this: CHAOS_SEED={seed}")  # noqa: T201  # the way to repeat a failure
    return seed


@pytest.fixture
def chaos(tmp_path: Path) -> Iterator[Chaos]:
    """A new stack under load."""
    with new_stack(tmp_path / "data", QUAYSIDE_GATEWAY_LISTEN=f"127.0.0.1:{free_port()}") as stack:
        stack.up()
        made = Chaos(stack, seeded())
        try:
            yield made
        finally:
            made.load.stop()


@pytest.mark.chaos
@pytest.mark.slow
@pytest.mark.tansu
def test_what_got_a_202_outlives_the_gateway_the_broker_and_the_whole_stack(chaos: Chaos) -> None:
    chaos.kill("gateway")
    chaos.pause_broker()
    chaos.kill("broker")
    chaos.kill_group()
    chaos.assert_kept()


@pytest.mark.chaos
@pytest.mark.slow
@pytest.mark.tansu
@pytest.mark.timeout(900)
def test_again_and_again(chaos: Chaos) -> None:
    for _ in range(4):
        for names in chaos.chance.sample([("gateway",), ("broker",), ("gateway", "broker"), ("store",), ()], 5):
            if names:
                chaos.kill(*names)
            else:
                chaos.kill_group()
    chaos.assert_kept()


@pytest.mark.kafka
@pytest.mark.timeout(600)
def test_a_kafka_that_does_not_answer_is_a_503_and_heals(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    secret = TokenFile(data / "tokens.json").create(SOURCE, [SOURCE], events_per_s=10**6).secret
    nobody = f"http://127.0.0.1:{free_port()}"
    try:
        with running_kafka() as kafka:
            create_topics(kafka.address)
            own = {"QUAYSIDE_KAFKA": kafka.address, "QUAYSIDE_CLICKHOUSE": nobody}
            process = begin("gateway", "--listen", "127.0.0.1:0", "--data", data, **own)
            assert process.stdout is not None
            load = Load(process.stdout.readline().decode().strip(), secret, seeded())
            again = kafka
            try:
                load.goes_on()
                os.kill(kafka.process.pid, signal.SIGSTOP)
                load.await_503()
                os.kill(kafka.process.pid, signal.SIGCONT)
                load.goes_on()
                kafka.kill()
                load.await_503()
                again = kafka.restarted()
                load.goes_on()
                load.stop()
                assert load.accepted <= recorded(kafka.address) <= load.accepted | load.unsure
            finally:
                load.stop()
                process.kill()
                process.communicate()
                again.kill()
    except NoKafka as reason:
        pytest.skip(f"NOT TESTED AGAINST APACHE KAFKA: {reason}")


def recorded(address: str) -> set[str]:
    """The ids of all events in the topic."""
    found: set[str] = set()
    with KafkaConsumer(
        "warehouse.events", bootstrap_servers=address, auto_offset_reset="earliest", consumer_timeout_ms=5_000
    ) as consumer:
        for record in consumer:
            found.add(json.loads(record.value)["event_id"])
    return found
