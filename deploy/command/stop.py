"""`quayside down`: stopping a running stack from outside."""

import os
import signal
import time
from typing import Final

from deploy.command.options import print_json
from deploy.settings import Settings
from deploy.stackfile import is_alive, require_running
from schemas.errors import Unreachable

_LOOK_S: Final = 0.05
_STOP_PATIENCE_S: Final = 20.0


def stop_running(settings: Settings, *, as_json: bool) -> None:
    """Stop the running stack and wait for its end. Raises Unreachable where none runs, or it does not end."""
    stack = require_running(settings.data)
    os.kill(stack.pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_PATIENCE_S
    while is_alive(stack.pid):
        if time.monotonic() > deadline:
            raise Unreachable(f"Process {stack.pid} did not stop within {_STOP_PATIENCE_S:g} s: kill it.")
        time.sleep(_LOOK_S)
    if as_json:
        print_json({"stopped": True, "pid": stack.pid})
    else:
        print(f"stopped (process {stack.pid})")
