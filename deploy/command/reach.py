"""Which broker and which store a command talks to.

With QUAYSIDE_KAFKA and QUAYSIDE_CLICKHOUSE both set, those; else the stack that runs on the data directory.
"""

import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from deploy.settings import Settings, load
from deploy.stackfile import StackFile, require_running
from schemas.errors import WrongInput


def bootstrap_of(data: Path | None) -> str:
    """A Kafka of your own (QUAYSIDE_KAFKA), else the embedded stack's. Raises Unreachable."""
    settings = load(data=data)
    return settings.kafka or require_running(settings.data).kafka


def stack_of(data: Path | None) -> tuple[Settings, StackFile]:
    """The settings, and where broker and store are. Raises Unreachable where no stack runs."""
    settings = load(data=data)
    stack = servers(settings)
    if stack is None:
        stack = require_running(settings.data)
        if settings.kafka not in {None, stack.kafka}:
            raise WrongInput(
                f"QUAYSIDE_KAFKA is {settings.kafka}, but the stack on {settings.data} runs on {stack.kafka}: "
                "unset it, or name another --data."
            )
    return settings, stack


def servers(settings: Settings) -> StackFile | None:
    """Your own servers, described as a stack is; None unless both are set. Raises WrongInput."""
    if settings.clickhouse is None:
        return None
    if settings.kafka is None:
        raise WrongInput("QUAYSIDE_CLICKHOUSE is set, but QUAYSIDE_KAFKA is not: set both, or neither.")
    place = urlsplit(settings.clickhouse)
    if not re.fullmatch(r"[0-9]*", place.netloc.rpartition(":")[2]) and place.netloc.rpartition("@")[2].count(":"):
        raise WrongInput("QUAYSIDE_CLICKHOUSE names no port: write http://user:password@host:8123/database.")
    if place.scheme not in {"http", "https"} or not place.hostname:
        raise WrongInput(
            f"QUAYSIDE_CLICKHOUSE {place.scheme}://{place.hostname or ''} is no address: write "
            "http://user:password@host:8123/database."
        )
    port = place.port or (8443 if place.scheme == "https" else 8123)
    return StackFile(
        pid=os.getpid(),
        epoch=settings.epoch,
        kafka=settings.kafka,
        gate=f"{place.scheme}://{place.hostname}:{port}",
        gate_user=unquote(place.username or "default"),
        gate_password=unquote(place.password or ""),
        database=place.path.strip("/") or "quayside",
        embedded=False,
        ready=True,
    )
