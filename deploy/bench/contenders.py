"""Who takes part: how each contender is started, under which group it reads, and where its changelog is."""

import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.bench import peers
from deploy.bench.keeping import java
from deploy.settings import SECURITY
from schemas.topics import of_kind
from streams.agents import WORKER_GROUP

OURS: Final = "quayside"
EPOCH: Final = 1


@dataclass(frozen=True, slots=True)
class Place:
    """Where a contender runs: the broker, its group, what it is to read, and a folder of its own."""

    bootstrap: str
    group: str
    topics: tuple[str, ...]
    events: int
    folder: Path

    @property
    def joined_topics(self) -> str:
        """The topics as one argument."""
        return ",".join(self.topics)


@dataclass(frozen=True, slots=True)
class Contender:
    """One program. `java`: left out by --skip-java. `about`: what it does, for the report."""

    name: str
    about: str
    command: Callable[[Place], list[str]]
    is_changelog: Callable[[str, str], bool] = lambda _topic, _group: False
    """Of a topic and the group: whether it is this contender's changelog."""
    java: bool = False

    def changelogs(self, topics: Iterable[str], group: str) -> list[str]:
        """Its changelogs, of all topics."""
        return [topic for topic in topics if self.is_changelog(topic, group)]


def with_settings(command: list[str], **settings: str) -> list[str]:
    """The command with environment variables set for it."""
    return [shutil.which("env") or "env", *(f"{name}={value}" for name, value in settings.items()), *command]


def quayside_command(bootstrap: str, data: Path, *arguments: str) -> list[str]:
    """A `quayside` command with the benchmark's broker as its own Kafka."""
    command = [sys.executable, "-m", "deploy.command.main", *arguments, "--data", str(data)]
    plain = dict.fromkeys(SECURITY, "")  # the benchmark's broker is, whatever your own one wants
    return with_settings(command, QUAYSIDE_KAFKA=bootstrap, QUAYSIDE_EPOCH=str(EPOCH), **plain)


def _worker(place: Place) -> list[str]:
    return quayside_command(place.bootstrap, place.folder, "worker")


def _faust(place: Place) -> list[str]:
    module = [sys.executable, "-m", "deploy.bench.plain_faust"]
    return [*module, place.bootstrap, place.group, place.joined_topics, str(place.folder)]


def _quix(place: Place) -> list[str]:
    # -P: the folder of the script would shadow other modules there.
    script = [str(peers.quix_python()), "-P", str(Path(__file__).parent / "quix_streams.py")]
    return [*script, place.bootstrap, place.group, place.joined_topics, str(place.events), str(place.folder)]


def _kafka_streams(guarantee: str) -> Callable[[Place], list[str]]:
    def command(place: Place) -> list[str]:
        program = [java(), "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", peers.kafka_streams_classpath()]
        arguments = [place.bootstrap, place.group, place.joined_topics, str(place.events), str(place.folder)]
        return [*program, "StockSum", *arguments, guarantee]

    return command


def _bare(decoder: str) -> Callable[[Place], list[str]]:
    def command(place: Place) -> list[str]:
        module = [sys.executable, "-m", "deploy.bench.bare_loop"]
        return [*module, place.bootstrap, place.group, place.joined_topics, str(place.events), decoder]

    return command


def _is_state(topic: str, _: str) -> bool:
    return topic in {one.name for one in of_kind("state")}


def _is_stock_changelog(topic: str, group: str) -> bool:
    return topic == f"{group}-stock-changelog"


def _is_quix_changelog(topic: str, group: str) -> bool:
    return topic.startswith(f"changelog__{group}--")


CONTENDERS: Final[tuple[Contender, ...]] = (
    Contender(OURS, "our worker: all agents, all promises, in transactions", _worker, _is_state),
    Contender("faust", "Faust as its tutorial writes it: a table", _faust, _is_stock_changelog),
    Contender("quix", "Quix Streams: a stateful apply, RocksDB", _quix, _is_quix_changelog),
    Contender(
        "kafka-streams",
        "Kafka Streams, at least once: a reduce, RocksDB",
        _kafka_streams("at_least_once"),
        _is_stock_changelog,
        java=True,
    ),
    Contender(
        "kafka-streams-exactly-once",
        "Kafka Streams, exactly once",
        _kafka_streams("exactly_once_v2"),
        _is_stock_changelog,
        java=True,
    ),
    Contender("aiokafka-pydantic", "a bare aiokafka loop that decodes with pydantic", _bare("pydantic")),
    Contender("aiokafka-structs", "a bare aiokafka loop with our decoder", _bare("structs")),
)
"""In the order in which they take their turns."""


def group_of(contender: Contender, turn: str) -> str:
    """The consumer group of a contender's turn; ours is always the same, as in a stack."""
    return WORKER_GROUP if contender.name == OURS else f"bench-{contender.name}-{turn}"
