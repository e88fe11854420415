"""An Apache Kafka of one's own, for benchmarks and tests.

It comes as jars by Maven, once, into the project's `.cache/kafka`, and runs as a single node in KRaft mode on
free ports of the loopback interface, its data in a folder of the caller's. It ends with the process that started it.
"""

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

from deploy.bench.keeping import NotFetched, java, made_once, maven
from deploy.broker import await_kafka, free_port, last_line, launch, stop
from schemas.errors import Unreachable

VERSION: Final = "4.1.0"
"""As kafka/pom.xml has it."""

QUICK_START: Final = ("-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""Java options for tests: up sooner, slower later."""

LONG_RUN: Final = ("-Xms1g", "-Xmx1g")
"""Java options for benchmarks: the heap that Kafka's own start script gives, and Java's own choice of the rest."""

NoKafka = NotFetched
"""Apache Kafka cannot be run here: a reason to skip. The message says what is missing."""

_POM: Final = Path(__file__).parent / "kafka" / "pom.xml"
_READY_S: Final = 60.0
_STOP_S: Final = 10.0
_PAUSE_S: Final = 0.05
_STARTS: Final = 3  # a free port may be taken by another program in the meantime

SETTINGS: Final = """\
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
"""The broker's properties, with {port}, {controller} (ports) and {data} (a folder); the last line of a name counts."""


@dataclass(frozen=True, slots=True)
class Kafka:
    """A running Apache Kafka. `address` is its host:port; its data outlives a stop, for a restart."""

    process: subprocess.Popen[bytes]
    address: str
    folder: Path
    options: tuple[str, ...] = QUICK_START

    @classmethod
    def start(cls, folder: Path, options: tuple[str, ...] = QUICK_START, properties: str = SETTINGS) -> Self:
        """Format and start a new broker whose settings, data and log stand in `folder`; `options` are Java's.

        Whatever its `properties`, {port} has to be a plain listener on loopback: it is asked there whether it is up.

        Raises:
            NoKafka: Java, Maven or the jars are missing.
            Unreachable: it did not start.
        """
        libraries = jars()
        for attempt in range(_STARTS):
            place = folder / str(attempt)
            place.mkdir(parents=True)
            port, controller = free_port(), free_port()
            settings = place / "kraft.properties"
            settings.write_text(properties.format(port=port, controller=controller, data=place / "data"))
            _format(libraries, settings)
            kafka = cls(_run(libraries, place, options), f"127.0.0.1:{port}", place, options)
            if await_kafka(kafka.process, kafka.address, _READY_S):
                return kafka
            kafka.kill()
        raise Unreachable(f"Apache Kafka did not start: {last_line(place / 'kafka.log')}")

    def restarted(self) -> Self:
        """The broker again, on the same port and data, after `stop` or `kill`. Raises Unreachable."""
        kafka = type(self)(_run(jars(), self.folder, self.options), self.address, self.folder, self.options)
        if not await_kafka(kafka.process, kafka.address, _READY_S):
            kafka.kill()
            raise Unreachable(f"Apache Kafka did not start again: {last_line(self.folder / 'kafka.log')}")
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
def running_kafka(options: tuple[str, ...] = QUICK_START) -> Iterator[Kafka]:
    """An Apache Kafka of one's own, its data in a temporary folder that goes with it. Raises as `Kafka.start`."""
    with tempfile.TemporaryDirectory(prefix="quayside-kafka-", ignore_cleanup_errors=True) as folder:
        kafka = Kafka.start(Path(folder), options)
        try:
            yield kafka
        finally:
            kafka.kill()  # nobody reads its data again


def await_groups(address: str) -> None:
    """Wait until a new Apache Kafka answers for groups; until its offsets topic is there, it refuses.

    So nothing depends on being the first or not.
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
    java()
    return made_once("kafka", [_POM], _fetch)


def _fetch(folder: Path) -> None:
    maven(_POM, ["dependency:copy-dependencies", f"-DoutputDirectory={folder}"], "Apache Kafka's jars")


def _format(libraries: Path, settings: Path) -> None:
    tool = [java(), *QUICK_START, "-cp", f"{libraries}/*", "kafka.tools.StorageTool"]
    cluster = "cXVheXNpZGUtdGVzdHMtMQ"  # 16 bytes in base64, as Kafka writes cluster ids
    formatted = subprocess.run(
        [*tool, "format", "-t", cluster, "-c", str(settings)], capture_output=True, text=True, check=False
    )
    if formatted.returncode:
        raise Unreachable(f"Apache Kafka's folder could not be formatted: {formatted.stderr.strip()}")


def _run(libraries: Path, place: Path, options: tuple[str, ...]) -> subprocess.Popen[bytes]:
    command = [java(), *options, "-cp", f"{libraries}/*", "kafka.Kafka", str(place / "kraft.properties")]
    return launch(command, place / "kafka.log")
