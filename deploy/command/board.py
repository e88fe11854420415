"""`quayside board`: the dashboards in a browser, where no Grafana is installed."""

from typing import Annotated

import typer

from deploy.command.options import Data


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("board")(board)


def board(
    *,
    listen: Annotated[int, typer.Option("--listen", metavar="PORT", min=0, max=65_535, help="0: a free port.")] = 0,
    supervised: Annotated[bool, typer.Option("--supervised", hidden=True)] = False,
    data: Data = None,
) -> None:
    """Show the dashboards in a browser, drawn from the same files as in Grafana; part of `quayside up`.

    It listens on 127.0.0.1 and asks the stack's store. A way to look, not a second Grafana: no editing, no alerts.

    \b
    Example: quayside board --listen 3001
    """
    from deploy.board import serve
    from deploy.command.reach import stack_of
    from deploy.processes import end_with_parent

    stack_of(data)
    if supervised:
        end_with_parent()
    serve(data, listen, lambda address: print(address, flush=True))
