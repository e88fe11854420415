"""`quayside gateway`: where suppliers, warehouses and carriers send events over HTTP."""

import sys
from typing import Annotated

import typer

from deploy.command.options import Data


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("gateway")(gateway)


def gateway(
    *,
    listen: Annotated[
        str | None,
        typer.Option(
            "--listen",
            metavar="HOST:PORT",
            help="Where (QUAYSIDE_GATEWAY_LISTEN; default 127.0.0.1 and a free port); port 0: a free one.",
        ),
    ] = None,
    supervised: Annotated[bool, typer.Option("--supervised", hidden=True)] = False,
    data: Data = None,
) -> None:
    """Take events over HTTP and tell what became of them, until a signal; part of `quayside up`.

    Tokens are made with `quayside tokens create`. With QUAYSIDE_KAFKA and QUAYSIDE_CLICKHOUSE it works with servers of
    your own. TLS: QUAYSIDE_GATEWAY_TLS_CERT and QUAYSIDE_GATEWAY_TLS_KEY. The address is printed first; /docs there
    is a page to try it with (docs/gateway.md).

    \b
    Example: quayside gateway --listen 0.0.0.0:8443
    """
    from deploy.command.reach import servers, stack_of
    from deploy.gateway.listening import listen_of
    from deploy.gateway.process import run
    from deploy.logs import set_up
    from deploy.processes import end_with_parent
    from deploy.settings import load, unwritable
    from streams.connection import prove

    settings = load(data=data)
    place = listen_of(listen or settings.gateway_listen, settings.gateway_tls_cert, settings.gateway_tls_key)
    stack_of(data)
    set_up(settings.log_format, settings.log_level, "gateway")
    try:
        (settings.data / "gateway").mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise unwritable(settings.data, error) from None
    if supervised:
        end_with_parent()
    elif place.warning:
        print(place.warning, file=sys.stderr, flush=True)
    own = servers(settings)
    if own:
        prove(own.kafka)
    run(
        settings.data,
        lambda: own or stack_of(data)[1],
        place,
        settings.stuck_after / 1_000,
        lambda address: None if supervised else print(address, flush=True),
    )
