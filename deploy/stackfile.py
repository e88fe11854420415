"""DATA/stack.json: where the running stack of a data directory can be reached."""

import fcntl
import json
import os
import signal
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from schemas.errors import Unreachable

ROTATE: Final = signal.SIGUSR1
"""Asks the supervisor of an embedded stack to go on in a new broker."""


@dataclass(frozen=True, slots=True)
class StackFile:
    """What a running stack tells of itself. Readable by its owner only, since it holds the gate's password."""

    pid: int
    epoch: int
    kafka: str
    gate: str
    gate_user: str
    gate_password: str
    database: str = "quayside"
    embedded: bool = True
    """Whether its records are kept in a spool until the history has them; a Kafka of your own keeps them itself."""
    ready: bool = False
    moving: bool = False
    """Whether the history is on its way into a broker that nothing else may be sent to yet (deploy/following.py)."""
    gateway: str | None = None
    grafana: str | None = None
    board: str | None = None
    """Where the live board is, which is shown where no Grafana is installed."""
    broker_since_ms: int = 0
    data: str = ""
    """The data directory; empty for servers of your own."""

    processes: dict[str, dict[str, int]] = field(default_factory=dict)
    """By name: pid and restarts."""

    def write(self, data: Path) -> None:
        """Replace the file in one step."""
        path = _path(data)
        fresh = path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(asdict(self), file, indent=1)
        fresh.replace(path)


def running(data: Path) -> StackFile | None:
    """The stack that runs on this data directory; None if there is none."""
    try:
        told = StackFile(**json.loads(_path(data).read_text()))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, TypeError):
        return None
    return told if is_alive(told.pid) and _is_held(data) else None


def require_running(data: Path) -> StackFile:
    """The running stack; raises Unreachable where there is none."""
    told = running(data)
    if told is None:
        raise Unreachable(f"No stack is running on {data}: start one with `quayside up --data {data}`.")
    return told


def forget(data: Path) -> None:
    """Take the file away when the stack has stopped."""
    _path(data).unlink(missing_ok=True)


def is_alive(pid: int) -> bool:
    """Whether a process with this id lives (a zombie does not)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return True


def _is_held(data: Path) -> bool:
    """Whether a supervisor holds the directory's lock; a process id alone may be a stranger's by now."""
    try:
        with (data / "lock").open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _path(data: Path) -> Path:
    return data / "stack.json"
