"""The gateway as a process: its parts put together, served by uvicorn until a signal."""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import uvicorn
import uvloop

from deploy.gateway.app import make_app
from deploy.gateway.captures import Captures
from deploy.gateway.commits import BrokerCommits, Commits, SpoolCommits
from deploy.gateway.connections import Connection
from deploy.gateway.earlier import REMEMBERED, Earlier
from deploy.gateway.idempotency import Answers
from deploy.gateway.intake import Intake
from deploy.gateway.keys import GatewayDoor
from deploy.gateway.limits import Limits
from deploy.gateway.listening import Listen
from deploy.gateway.measures import GatewayProbes
from deploy.gateway.receiving import Receiving
from deploy.gateway.routes import Parts
from deploy.gateway.store import store_of
from deploy.gateway.tally import Tally
from deploy.publisher import Publisher
from deploy.stackfile import StackFile
from deploy.tokens import TokenFile
from deploy.watching import note, serve
from schemas.errors import WrongInput
from streams.administration import partition_counts

GRACE_S: Final = 3.0
"""So long requests may take to end, and then what is accepted to reach the broker, when the gateway stops."""

_BACKLOG: Final = 2_048
_KEEP_ALIVE_S: Final = 30
_LOOK_S: Final = 0.05
_SWITCH_S: Final = 0.001
"""The loop waits no longer than this for a thread that judges; Python's own is 5 ms, which each write can cost."""

_log: Final = logging.getLogger("quayside.gateway")
logging.getLogger("urllib3").setLevel(logging.ERROR)  # that the store is away reaches people as our own sentence


def run(
    data: Path, stack: Callable[[], StackFile], listen: Listen, patience_s: float, ready: Callable[[str], None]
) -> None:
    """Serve until a signal; `ready` is told the address.

    `data` holds tokens, kept answers and, for an embedded stack, the spool. `stack` tells where the stack is just now.
    `patience_s`: what waits for the broker for longer is not healthy. Raises WrongInput, Unreachable.
    """
    config = _config(listen)
    listening = _listening(listen)
    while stack().moving:  # it comes up with the stack, and answers when that can take events
        time.sleep(_LOOK_S)
    listening.listen(_BACKLOG)
    try:
        ready(listen.address(listening.getsockname()[1]))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(data, stack, config, listening, patience_s, among_us=listen.is_loopback))
    finally:
        listening.close()


async def _serve(
    data: Path,
    stack: Callable[[], StackFile],
    config: Callable[[object], uvicorn.Config],
    listening: socket.socket,
    patience_s: float,
    *,
    among_us: bool,
) -> None:
    tally = Tally()
    there = stack()
    commits = _commits(data, there)
    door_store, store = store_of(stack), store_of(stack)
    earlier = Earlier(GatewayDoor(door_store, REMEMBERED), tally)
    answers = Answers(data / "gateway" / "idempotency.sqlite")
    captures = Captures(data / "gateway" / "captures.sqlite")
    receiving = Receiving(tally)
    probes = GatewayProbes(tally, commits, patience_s)
    parts = Parts(
        tokens=TokenFile(data / "tokens.json"),
        intake=Intake(earlier, commits, tally),
        limits=Limits(),
        answers=answers,
        receiving=receiving,
        store=store,
        tally=tally,
        probes=probes,
        captures=captures,
        among_us=among_us,
    )
    server = _Server(config(make_app(parts)))
    told = serve(probes, 0)
    note(data, "gateway", told.server_port)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, server.stop)
    looking = asyncio.create_task(probes.looks(commits.probe))
    gc.freeze()  # a full collection through all modules takes 60 ms, in which nobody is answered
    sys.setswitchinterval(_SWITCH_S)
    began = time.monotonic()
    try:
        await server.serve([listening])
    finally:
        looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await looking
        await commits.close(GRACE_S)
        receiving.close()
        earlier.close()
        answers.close()
        captures.close()
        told.shutdown()
        _log.info("served for %.0f s", time.monotonic() - began)


def _commits(data: Path, stack: StackFile) -> Commits:
    if stack.embedded:
        return SpoolCommits(data / "spool", Publisher(stack.kafka, data / "spool"))
    return BrokerCommits(Publisher(stack.kafka, None), lambda: partition_counts(stack.kafka))


def _config(listen: Listen) -> Callable[[object], uvicorn.Config]:
    def config(app: object) -> uvicorn.Config:
        return uvicorn.Config(
            app,  # type: ignore[arg-type]  # an ASGI application
            loop="none",
            http=Connection,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=_BACKLOG,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=int(GRACE_S),
            ssl_certfile=listen.certificate,
            ssl_keyfile=listen.key,
        )

    if listen.certificate is not None and listen.key is not None:
        try:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(listen.certificate, listen.key)
        except (OSError, ssl.SSLError) as error:
            raise WrongInput(
                f"The certificate {listen.certificate} with the key {listen.key} cannot be used ({error}): both are to "
                "be PEM files that belong together, the key without a passphrase."
            ) from None
    return config


def _listening(listen: Listen) -> socket.socket:
    """A socket that is bound; a port that is taken is told at once."""
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            listen.host, listen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(place)
    except OSError as error:
        raise WrongInput(
            f"The gateway cannot listen on {listen.host}:{listen.port} ({error.strerror or error}): choose another "
            "address (--listen, QUAYSIDE_GATEWAY_LISTEN)."
        ) from None
    return listening


class _Server(uvicorn.Server):
    """uvicorn's server, whose signals are ours: it ends in order with exit code 0."""

    def stop(self) -> None:
        """Take no more connections, and answer what is there."""
        self.should_exit = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None."""
        yield
