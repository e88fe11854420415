"""A Kafka that wants a password, TLS, or a certificate of ours: every process of ours on it, and what it refuses."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ScramMechanism, UserScramCredentialUpsertion

from deploy.bench.apache_kafka import SETTINGS
from deploy.broker import free_port
from tests.brokers import Kafka, NoKafka, await_groups
from tests.e2e.recent import movement
from tests.e2e.stack import COMMAND, ROOT, Finished, Stack, await_, environment
from tests.sinks.clickhouse_server import Server, running_server

pytestmark = pytest.mark.kafka

USER: Final = "quayside"
PASSWORD: Final = "not-to-be-told, = anywhere"  # noqa: S105  # the test's own
SQL: Final = "SELECT item, on_hand FROM stock_now ORDER BY item"
LISTENERS: Final = {"SASL": "SASL_PLAINTEXT", "BOTH": "SASL_SSL", "MUTUAL": "SSL"}
JAAS: Final = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


class Secured:
    """The broker's listeners, and a store that is migrated."""

    def __init__(self, folder: Path, kafka: Kafka, ports: Mapping[str, int], store: Server) -> None:
        self.folder = folder
        self.plain = kafka.address
        self.ports = ports
        self.store = store
        self.certificate = str(folder / "certificate.pem")

    def at(self, listener: str, **settings: str) -> Stack:
        """Commands that come by this listener, as it wants them to, but for these settings."""
        wanted = {
            "SASL": {"QUAYSIDE_KAFKA_USER": USER, "QUAYSIDE_KAFKA_PASSWORD": PASSWORD},
            "BOTH": {
                "QUAYSIDE_KAFKA_USER": USER,
                "QUAYSIDE_KAFKA_PASSWORD": PASSWORD,
                "QUAYSIDE_KAFKA_CA": self.certificate,
            },
            "MUTUAL": {
                "QUAYSIDE_KAFKA_CA": self.certificate,
                "QUAYSIDE_KAFKA_CERT": self.certificate,
                "QUAYSIDE_KAFKA_KEY": str(self.folder / "key.pem"),
            },
        }[listener]
        told = {
            "QUAYSIDE_KAFKA": f"127.0.0.1:{self.ports[listener]}",
            "QUAYSIDE_KAFKA_SECURITY": LISTENERS[listener].lower(),
            "QUAYSIDE_CLICKHOUSE": f"http://default@127.0.0.1:{self.store.port}/quayside",
            **wanted,
            **settings,
        }
        return Stack(self.folder / "data", **{name: value for name, value in told.items() if value})

    def unsecured(self, listener: str) -> Stack:
        """Commands that come by this listener in plain text."""
        names = ("SECURITY", "USER", "PASSWORD", "CA", "CERT", "KEY")
        return self.at(listener, **{f"QUAYSIDE_KAFKA_{name}": "" for name in names})

    @contextmanager
    def running(self, command: str, stack: Stack) -> Iterator[Path]:
        """A process of ours that logs everything; the file it logs to."""
        log = self.folder / f"{command}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*COMMAND, command, "--data", str(stack.data)],
                cwd=ROOT,
                env=environment(**stack.settings, QUAYSIDE_LOG_LEVEL="debug"),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            yield log
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(30)
        assert code in {0, -signal.SIGTERM}, log.read_text()


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("secured")
    certify(folder)
    ports = {listener: free_port() for listener in LISTENERS}
    try:
        kafka = Kafka.start(folder / "kafka", properties=properties(folder, ports))
    except NoKafka as reason:
        pytest.skip(f"NOT TESTED AGAINST APACHE KAFKA: {reason}")
    try:
        await_groups(kafka.address)
        with KafkaAdminClient(bootstrap_servers=kafka.address) as admin:
            admin.alter_user_scram_credentials(
                [UserScramCredentialUpsertion(USER, ScramMechanism.SCRAM_SHA_512, PASSWORD)]
            )
        with running_server(folder / "store") as store:
            client = store.client()
            client.command("CREATE DATABASE quayside")
            client.close()
            found = Secured(folder, kafka, ports, store)
            found.at("BOTH").run("migrate").done()
            yield found
    finally:
        kafka.kill()


def certify(folder: Path) -> None:
    """A certificate of a day for 127.0.0.1, which vouches for itself: the broker's, and ours too."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"]
    named = ["-subj", "/CN=quayside-test", "-addext", "subjectAltName=IP:127.0.0.1"]
    try:
        subprocess.run(
            ["openssl", *made, *named, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True
        )
    except FileNotFoundError:
        pytest.skip("NOT TESTED WITH TLS: openssl is missing")
    (folder / "both.pem").write_text(key.read_text() + certificate.read_text())


def properties(folder: Path, ports: Mapping[str, int]) -> str:
    """The broker's settings, with these listeners beside the plain one."""
    ours = "".join(f",{listener}://127.0.0.1:{port}" for listener, port in ports.items())
    kinds = "".join(f",{listener}:{protocol}" for listener, protocol in LISTENERS.items())
    return SETTINGS + "\n".join(
        (
            "listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}" + ours,
            "advertised.listeners=PLAINTEXT://127.0.0.1:{port}" + ours,
            f"listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT{kinds}",
            "inter.broker.listener.name=PLAINTEXT",
            "sasl.enabled.mechanisms=SCRAM-SHA-512",
            f"listener.name.sasl.scram-sha-512.sasl.jaas.config={JAAS}",
            f"listener.name.both.scram-sha-512.sasl.jaas.config={JAAS}",
            "ssl.keystore.type=PEM",
            f"ssl.keystore.location={folder / 'both.pem'}",
            "ssl.truststore.type=PEM",
            f"ssl.truststore.location={folder / 'certificate.pem'}",
            "listener.name.mutual.ssl.client.auth=required",
            "",
        )
    )


def together(*runs: tuple[Stack, str]) -> list[Finished]:
    """Run commands side by side."""
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return list(threads.map(lambda one: one[0].run(one[1], told=movement("counted", 1, 5).raw + b"\n"), runs))


def sentence(told: Finished) -> str:
    """The last thing that a command said which could not reach its Kafka; a sink has logged before."""
    *logged, last = told.err.splitlines(keepends=True)
    assert not any("quayside" in line for line in logged), told
    return told._replace(err=last).complaint(3)


def test_every_process_works_with_a_password_and_with_tls_and_tells_nobody_the_password(secured: Secured) -> None:
    both = secured.at("BOTH")
    both.run("topics create").done()
    told = [movement("received", hour, 3, item=f"I:{hour}", event_id=f"e{hour}") for hour in range(4)]
    with secured.running("worker", secured.at("SASL")) as worker, secured.running("sink", both) as sink:
        await_("the worker has begun", lambda: bool(worker.read_text()))
        assert both.publish([one.raw for one in told]).code == 0
        assert both.run("query", SQL, "--format", "TSV").done().count("\n") == 4
        audited, status = together((both, "audit --json --deep"), (secured.at("SASL"), "status --json"))
        assert audited.last_json()["differences"] == 0, audited
        assert audited.last_json()["coordinates_missing"] == 0, audited
        assert (status.last_json()["events"], status.last_json()["lag"]) == (4, 0)
    for said in (worker.read_text(), sink.read_text(), audited.out, audited.err, status.out, status.err):
        assert PASSWORD not in said


def test_a_certificate_of_ours_is_shown_where_the_broker_wants_one(secured: Secured) -> None:
    named, nameless = together(
        (secured.at("MUTUAL"), "topics create"),
        (secured.at("MUTUAL", QUAYSIDE_KAFKA_CERT="", QUAYSIDE_KAFKA_KEY=""), "topics create"),
    )
    named.done()
    assert "QUAYSIDE_KAFKA_CERT" in nameless.complaint(3)


def test_a_wrong_password_is_told_in_a_sentence_by_every_command(secured: Secured) -> None:
    wrong = secured.at("SASL", QUAYSIDE_KAFKA_PASSWORD="wrong")  # noqa: S106  # it is
    secured.at("SASL").run("topics create").done()
    commands = ("topics create", "worker", "sink", "status", "audit", "publish - --no-wait")
    for command, told in zip(commands, together(*((wrong, command) for command in commands)), strict=True):
        said = sentence(told)
        slow = command == "status" and "has not answered for" in said  # it waits for no broker longer than 4 s
        assert slow or "does not know this user" in said, command


def test_what_does_not_go_with_the_listener_is_told_in_a_sentence(secured: Secured) -> None:
    other = secured.folder / "other"
    other.mkdir()
    certify(other)
    stranger = secured.at("BOTH", QUAYSIDE_KAFKA_CA=str(other / "certificate.pem"))
    told = (
        ("QUAYSIDE_KAFKA_CA", stranger, "topics create"),
        ("opened as plaintext: set QUAYSIDE_KAFKA_SECURITY", secured.unsecured("BOTH"), "topics create"),
        ("opened as plaintext: set QUAYSIDE_KAFKA_SECURITY", secured.unsecured("BOTH"), "sink"),
        ("opened as plaintext: set QUAYSIDE_KAFKA_SECURITY", secured.unsecured("SASL"), "audit"),
        ("does not take", secured.at("SASL", QUAYSIDE_KAFKA_SASL_MECHANISM="SCRAM-SHA-256"), "topics check"),
        ("opened as sasl_ssl: set", secured.at("BOTH", QUAYSIDE_KAFKA=secured.plain), "topics check"),
    )
    found = together(*((stack, command) for _, stack, command in told))
    for (wanted, _, command), said in zip(told, found, strict=True):
        assert wanted in sentence(said), command
