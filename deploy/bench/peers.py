"""The peers that are not among our dependencies, fetched at bench time into the project's `.cache`.

Quix Streams goes into a virtual environment of its own, from requirements-bench.lock (the optional dependency group
`bench`), so that ours stays as it is locked; Kafka Streams is compiled by Maven.
"""

import venv
from pathlib import Path
from typing import Final

from deploy.bench.keeping import ROOT, NotFetched, java, made_once, maven, pip

LOCK: Final = ROOT / "requirements-bench.lock"

_STREAMS: Final = Path(__file__).parent / "kafka_streams"
_SOURCE: Final = _STREAMS / "src" / "main" / "java" / "StockSum.java"


def quix_python() -> Path:
    """The Python of an environment with Quix Streams. Raises NotFetched."""
    if not LOCK.exists():
        raise NotFetched(f"{LOCK.name} is not there: run the benchmark in a checkout of the project.")
    return made_once("bench-peers", [LOCK], _install) / "bin" / "python"


def kafka_streams_classpath() -> str:
    """The class path with the Kafka Streams peer and its jars. Raises NotFetched."""
    java()
    made = made_once("bench-kafka-streams", [_STREAMS / "pom.xml", _SOURCE], _compile)
    return f"{made}/classes:{made}/jars/*"


def _install(folder: Path) -> None:
    venv.create(folder, with_pip=True)
    pip(folder / "bin" / "python", ["install", "--require-hashes", "-r", str(LOCK)], "Quix Streams")


def _compile(folder: Path) -> None:
    goals = ["compile", "dependency:copy-dependencies", f"-DoutputDirectory={folder}/jars", f"-Dmade={folder}"]
    maven(_STREAMS / "pom.xml", goals, "Kafka Streams' jars")
