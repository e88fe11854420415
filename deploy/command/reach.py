"""Which broker and which store a command talks to."""

from pathlib import Path

from deploy.settings import Settings, load
from deploy.stackfile import StackFile, require_running


def bootstrap_of(data: Path | None) -> str:
    """A Kafka of your own (QUAYSIDE_KAFKA), else the embedded stack's. Raises Unreachable."""
    settings = load(data=data)
    return settings.kafka or require_running(settings.data).kafka


def stack_of(data: Path | None) -> tuple[Settings, StackFile]:
    """The settings and the running stack. Raises Unreachable where none runs."""
    settings = load(data=data)
    return settings, require_running(settings.data)
