"""The brokers that tests run against: Tansu as the embedded stack starts it, and Apache Kafka.

Apache Kafka comes as jars by Maven, once, into `.cache/kafka` under the project root, and runs as a single
node in KRaft mode with its data in a folder of the test run. Both listen on loopback, on free ports, and end
with the test process.
"""

import fcntl
import hashlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from deploy.broker import Broker, await_kafka, free_port, last_line, launch, stop

_ROOT: Final = Path(__file__).parents[1]
_POM: Final = Path(__file__).parent / "kafka" / "pom.xml"
_CACHE: Final = _ROOT / ".cache" / "kafka"
_MAVEN_S: Final = 300
_READY_S: Final = 60.0
_STOP_S: Final = 10.0
_PAUSE_S: Final = 0.05
_STARTS: Final = 3  # a free port may be taken by another program in the meantime
_HEAP: Final = ("-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")

_SETTINGS: Final = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
num.network.threads=2
num.io.threads=4
log.cleaner.threads=1
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
"""


class NoKafka(Exception):
    """Apache Kafka cannot be run here: a reason to skip. The message says what is missing."""


@dataclass(frozen=True, slots=True)
class Kafka:
    """A running Apache Kafka. `address` is its host:port; its data outlives a stop, for a restart."""

    process: subprocess.Popen[bytes]
    address: str
    folder: Path

    @classmethod
    def start(cls, folder: Path) -> Self:
        """Format and start a new broker whose settings, data and log stand in `folder`.

        Raises:
            NoKafka: Java, Maven or the jars are missing.
            RuntimeError: it did not start.
        """
        libraries = jars()
        for attempt in range(_STARTS):
            place = folder / str(attempt)
            place.mkdir(parents=True)
            port, controller = free_port(), free_port()
            settings = place / "kraft.properties"
            settings.write_text(_SETTINGS.format(port=port, controller=controller, data=place / "data"))
            _format(libraries, settings)
            kafka = cls(_run(libraries, place), f"127.0.0.1:{port}", place)
            if await_kafka(kafka.process, kafka.address, _READY_S):
                return kafka
            kafka.kill()
        raise RuntimeError(f"Apache Kafka did not start: {last_line(place / 'kafka.log')}")

    def restarted(self) -> Self:
        """The broker again, on the same port and data, after `stop` or `kill`."""
        kafka = type(self)(_run(jars(), self.folder), self.address, self.folder)
        if not await_kafka(kafka.process, kafka.address, _READY_S):
            kafka.kill()
            raise RuntimeError(f"Apache Kafka did not start again: {last_line(self.folder / 'kafka.log')}")
        return kafka

    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process.poll() is None

    def stop(self) -> None:
        """Shut it down in order, and kill it if that takes more than 10 s."""
        stop(self.process, _STOP_S)

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()


@contextmanager
def running_tansu(folder: Path) -> Iterator[Broker]:
    """A Tansu of one's own, for tests that stop it or need it empty."""
    broker = Broker.start(folder / "tansu.log")
    try:
        yield broker
    finally:
        broker.stop()


@contextmanager
def running_kafka() -> Iterator[Kafka]:
    """An Apache Kafka of one's own, its data in a temporary folder that goes with it."""
    with tempfile.TemporaryDirectory(prefix="quayside-kafka-", ignore_cleanup_errors=True) as folder:
        kafka = Kafka.start(Path(folder))
        try:
            yield kafka
        finally:
            kafka.kill()  # nobody reads its data again


def await_groups(address: str) -> None:
    """Wait until a new Apache Kafka answers for groups; until its offsets topic is there, it refuses.

    So no test depends on being the first or not.
    """
    deadline = time.monotonic() + _READY_S
    with KafkaAdminClient(bootstrap_servers=address) as admin:
        while True:
            try:
                admin.list_group_offsets({"nobody": None})
            except KafkaError:  # not there, then loading, then elsewhere
                if time.monotonic() > deadline:
                    raise
                time.sleep(_PAUSE_S)
            else:
                return


def jars() -> Path:
    """The folder of the broker's jars; fetched by Maven if they are not there for the present pom.xml.

    Raises:
        NoKafka: Java or Maven is missing, or Maven could not fetch them.
    """
    if shutil.which("java") is None:
        raise NoKafka("Apache Kafka needs `java` (17 or newer) on the PATH, and there is none.")
    _CACHE.mkdir(parents=True, exist_ok=True)
    wanted = _CACHE / hashlib.sha256(_POM.read_bytes()).hexdigest()[:12]
    with (_CACHE / "lock").open("w") as lock:  # test runs at the same time fetch them once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not wanted.exists():
            _fetch(wanted)
    return wanted


def _fetch(wanted: Path) -> None:
    if shutil.which("mvn") is None:
        raise NoKafka("Apache Kafka's jars are fetched by `mvn` (Maven), and there is none on the PATH.")
    with tempfile.TemporaryDirectory(dir=_CACHE) as unfinished:
        goal = ["dependency:copy-dependencies", f"-DoutputDirectory={unfinished}/jars"]
        result = subprocess.run(
            ["mvn", "-q", "-B", "-f", str(_POM), *goal],
            capture_output=True,
            text=True,
            timeout=_MAVEN_S,
            check=False,
        )
        if result.returncode:
            said = (result.stdout + result.stderr).strip().splitlines()
            raise NoKafka(f"Maven could not fetch Apache Kafka's jars: {said[0] if said else 'it said nothing'}")
        (Path(unfinished) / "jars").rename(wanted)


def _format(libraries: Path, settings: Path) -> None:
    tool = ["java", *_HEAP, "-cp", f"{libraries}/*", "kafka.tools.StorageTool"]
    cluster = "cXVheXNpZGUtdGVzdHMtMQ"  # 16 bytes in base64, as Kafka writes cluster ids
    formatted = subprocess.run(
        [*tool, "format", "-t", cluster, "-c", str(settings)], capture_output=True, text=True, check=False
    )
    if formatted.returncode:
        raise RuntimeError(f"Apache Kafka's folder could not be formatted: {formatted.stderr.strip()}")


def _run(libraries: Path, place: Path) -> subprocess.Popen[bytes]:
    java = shutil.which("java") or "java"
    return launch(
        [java, *_HEAP, "-cp", f"{libraries}/*", "kafka.Kafka", str(place / "kraft.properties")],
        place / "kafka.log",
    )
