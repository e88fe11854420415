"""`quayside up` on a terminal, without one, and in the background; `quayside down`."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

from clickhouse_connect.driver.client import Client
from rich.console import Console
from rich.live import Live
from rich.table import Table

from dashboards.provisioning import environment, write_provisioning
from deploy import grafana
from deploy.command.options import print_json
from deploy.dashboard_addresses import gate_address
from deploy.embedded import Demo
from deploy.gate_client import gate_client, rows
from deploy.settings import Settings, unwritable
from deploy.stackfile import ROTATE, StackFile, require_running, running
from deploy.status import Status, status
from deploy.supervisor import Supervisor
from schemas.errors import QuaysideError, Unreachable, error_of

_LOOK_S: Final = 0.2
_REFRESH_S: Final = 1.0
_ENDING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_START_PATIENCE_S: Final = 1_800.0


class _Stop(BaseException):  # not an error, and nobody may swallow it: a signal came
    """A signal asked for the end."""


@dataclass(slots=True)
class _Screen:
    """What a person sees: a live table on a terminal, lines elsewhere."""

    console: Console

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """A spinner while something takes its time, on a terminal."""
        if not self.console.is_terminal:
            yield
            return
        with self.console.status(what):
            yield

    def say(self, sentence: str) -> None:
        """One line of news."""
        self.console.print(sentence, highlight=False, soft_wrap=True)


def foreground(settings: Settings, demo: Demo | None, *, seconds: float | None, as_json: bool) -> None:
    """Run the stack until a signal, or for so many seconds. Raises QuaysideError."""
    began = time.monotonic()
    until = None if seconds is None else began + seconds
    screen = _Screen(Console())
    with _signals():
        supervisor = Supervisor(settings, demo, screen.say)
        signal.signal(ROTATE, lambda *_: supervisor.ask_to_move())
        shown: grafana.Running | None = None
        try:
            with screen.waiting("starting: broker, store, history, worker"):
                supervisor.start()
            shown = _start_grafana(settings, supervisor, screen)
            if shown is None:
                supervisor.stack.start_board()
            _run(supervisor, screen, began, until, demo, shown, as_json=as_json)
        except _Stop:
            screen.say("stopping: everything accepted is in the history or in the spool")
        finally:
            with _deaf():
                if shown is not None:
                    grafana.stop(shown.pid)
                supervisor.stop()


def detached(settings: Settings, demo: Demo | None, *, seconds: float | None, as_json: bool) -> None:
    """Start the stack as a process of its own; return when it is ready. Raises Unreachable."""
    data = settings.data.resolve()
    arguments = [sys.executable, "-m", "deploy.command.main", "up", "--data", str(data)]
    if demo is not None:
        arguments += ["--demo", "--seed", str(demo.seed), "--pace", str(demo.pace)]
    if seconds is not None:
        arguments += ["--for", str(seconds)]
    log = _log_file(data)
    with log.open("ab") as output:
        before = output.tell()
        process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    deadline = time.monotonic() + _START_PATIENCE_S
    while time.monotonic() < deadline:
        stack = running(data)
        if stack is not None and stack.pid == process.pid and stack.ready:
            if as_json:
                print_json(status(stack, data).as_dict())
            else:
                _print_addresses(stack)
            return
        if process.poll() is not None:
            said = log.read_bytes()[before:].decode(errors="replace").strip().splitlines()
            raise error_of(process.returncode, said[-1] if said else "The stack ended at once.")
        time.sleep(_LOOK_S)
    process.terminate()
    raise Unreachable(f"The stack was not ready within {_START_PATIENCE_S:g} s and was stopped: see {log}.")


def _run(
    supervisor: Supervisor,
    screen: _Screen,
    began: float,
    until: float | None,
    demo: Demo | None,
    shown: grafana.Running | None,
    *,
    as_json: bool,
) -> None:
    stack = supervisor.stack
    address = shown.control_tower if shown else None
    with closing(gate_client(stack.stack_file())) as client:
        with screen.waiting("waiting for the first stock position" if demo else "waiting for the store"):
            while not _is_ready(client, demo):
                if not _pause(supervisor, until):
                    raise Unreachable("The stack was not ready within the time that --for gives it.")
        stack.describe(ready=True, grafana=address)
        screen.say(f"ready in {time.monotonic() - began:.1f} s")
        _announce(screen, stack.stack_file(), address)
        if stack.gateway_warning:
            screen.say(stack.gateway_warning)
        if screen.console.is_terminal and not as_json:
            _show(supervisor, screen, until, address)
        else:
            while _pause(supervisor, until):
                if not (running(stack.data) or stack.stack_file()).ready:
                    stack.describe(ready=True, grafana=address)
    if as_json:
        print_json(status(require_running(stack.data), stack.data).as_dict())


def _show(supervisor: Supervisor, screen: _Screen, until: float | None, address: str | None) -> None:
    """The live summary. Its figures are asked for beside, so that a slow store does not stop the looking after."""
    stack = supervisor.stack
    latest: list[Status] = []
    done = threading.Event()

    def ask() -> None:
        while not done.wait(_REFRESH_S):
            try:
                latest[:] = [status(stack.stack_file())]
            except QuaysideError:
                continue  # a part is being restarted; the next look finds it

    asking = threading.Thread(target=ask, name="summary", daemon=True)
    asking.start()
    try:
        with Live(console=screen.console, refresh_per_second=4, transient=False) as live:
            while _pause(supervisor, until):
                if not (running(stack.data) or stack.stack_file()).ready:
                    stack.describe(ready=True, grafana=address)
                if latest:
                    live.update(_summary(latest[0]))
    finally:
        done.set()


def _summary(told: Status) -> Table:
    table = Table(show_header=False, box=None, padding=(0, 2))
    table.add_row("events in", f"{told.events:,}", "stock positions", f"{told.positions:,}")
    table.add_row("shipments under way", f"{told.shipments_open:,}", "late now", f"{told.late_now:,}")
    table.add_row("dead letters", f"{told.dead:,}", "lag", f"{told.lag:,}")
    gone = [process.name for process in told.processes if not process.alive]
    restarted = sum(process.restarts for process in told.processes)
    state = f"{', '.join(gone)} gone" if gone else "all running"
    table.add_row("processes", state, "restarts", f"{restarted:,}")
    return table


def _pause(supervisor: Supervisor, until: float | None) -> bool:
    """Look after the stack, wait a little; whether to go on."""
    supervisor.watch()
    time.sleep(_LOOK_S)
    return until is None or time.monotonic() < until


def _is_ready(client: Client, demo: Demo | None) -> bool:
    """With a demo: once a stock position can be queried. Without: once the store answers."""
    try:
        found = rows(client, "SELECT count() FROM stock_now" if demo else "SELECT 1")
    except QuaysideError:
        return False
    return bool(found[0][0])


def _announce(screen: _Screen, stack: StackFile, address: str | None) -> None:
    screen.say(f"store   {stack.gate}  (user {stack.gate_user}, password in {_password_place()})")
    screen.say(f"kafka   {stack.kafka}")
    screen.say(f"gateway {stack.gateway}  (tokens: `quayside tokens create`; {stack.gateway}/docs to try it)")
    screen.say(f"grafana {address}" if address else f"board   {stack.board}  (grafana is not on PATH)")


def _password_place() -> str:
    return "gate-password in the data directory"


def _print_addresses(stack: StackFile) -> None:
    print(f"ready: process {stack.pid}, epoch {stack.epoch}")
    print(f"store  {stack.gate}")
    print(f"kafka  {stack.kafka}")
    if stack.gateway:
        print(f"gateway {stack.gateway}")
    if stack.grafana:
        print(f"grafana {stack.grafana}")
    if stack.board:
        print(f"board  {stack.board}")


def _start_grafana(settings: Settings, supervisor: Supervisor, screen: _Screen) -> grafana.Running | None:
    """Start Grafana with our provisioning where its binary is found; its absence stops nothing."""
    installation = grafana.find()
    if installation is None:
        return None
    if installation.lack is not None:
        screen.say(f"grafana: {installation.lack}")
    gate = gate_address(supervisor.stack.stack_file())
    folder = supervisor.stack.data / "grafana"
    try:
        write_provisioning(folder / "provisioning", gate, settings.webhook)
        return grafana.start(installation, folder / "provisioning", folder / "data", environment(gate))
    except QuaysideError as error:
        screen.say(f"grafana: {error}")
        return None


def _log_file(data: Path) -> Path:
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        (data / "logs").mkdir(exist_ok=True)
    except OSError as error:
        raise unwritable(data, error) from None
    return data / "logs" / "supervisor.log"


@contextmanager
def _signals() -> Iterator[None]:
    """SIGTERM, SIGINT and SIGHUP (a closed terminal) raise _Stop in the main thread."""

    def stop(_: int, __: FrameType | None) -> None:
        raise _Stop

    before = {number: signal.signal(number, stop) for number in _ENDING}
    before[ROTATE] = signal.signal(ROTATE, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _deaf() -> Iterator[None]:
    """Ignore further signals while everything is stopped."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
