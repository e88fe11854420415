"""A gateway as the process that it is, without a stack behind it: it keeps events in its spool for a broker to come."""

import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from deploy.stackfile import StackFile
from deploy.tokens import TokenFile
from tests.e2e.stack import begin

_NOBODY = "127.0.0.1:9"


class Apart(NamedTuple):
    """Where it is, the secret of a token that speaks as `acme`, its process, and what that held at first, in bytes."""

    host: str
    port: int
    secret: str
    pid: int
    base: int = 0

    def memory(self) -> int:
        """The most that it has ever held, in bytes."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("it has ended")


@contextmanager
def running_apart(data: Path) -> Iterator[Apart]:
    """`quayside gateway` on a directory in which a stack seems to run whose broker and store do not answer."""
    data.mkdir(parents=True)
    secret = TokenFile(data / "tokens.json").create("acme", ["acme"], events_per_s=10**9).secret
    with (data / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        StackFile(os.getpid(), 1, _NOBODY, f"http://{_NOBODY}", "gate", "secret", ready=True, data=str(data)).write(
            data
        )
        process = begin("gateway", "--listen", "127.0.0.1:0", "--data", data)
        try:
            assert process.stdout is not None
            address = process.stdout.readline().decode().strip()
            host, _, port = address.removeprefix("http://").partition(":")
            assert port, address
            gateway = Apart(host, int(port), secret, process.pid)
            yield gateway._replace(base=gateway.memory())
        finally:
            process.send_signal(signal.SIGKILL)
            process.communicate()
