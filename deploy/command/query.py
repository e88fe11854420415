"""`quayside query` and `quayside status`."""

import sys
from typing import Annotated

import typer

from deploy.command.options import AsJson, Data, print_json


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("query")(query)
    app.command("status")(status)


def query(
    sql: Annotated[str, typer.Argument(help="A SELECT on the views (docs/views.md); - reads it from stdin.")],
    *,
    data: Data = None,
    output: Annotated[
        str | None, typer.Option("--format", metavar="FMT", help="ClickHouse format; a table on a terminal, else TSV.")
    ] = None,
) -> None:
    """Ask the store.

    \b
    Example: quayside query "SELECT * FROM late_shipments LIMIT 5" --format PrettyCompact
    Example: quayside query "SELECT count() FROM shipments_now"
    """
    from deploy.command.reach import stack_of
    from deploy.gate_client import raw

    _, stack = stack_of(data)
    text = sys.stdin.read() if sql == "-" else sql
    answer = raw(stack, text, output or ("PrettyCompact" if sys.stdout.isatty() else "TabSeparated"))
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()


def status(*, data: Data = None, as_json: AsJson = False) -> None:
    """What the stack is doing: events, lag, lateness, processes.

    \b
    Example: quayside status --json
    """
    from deploy.command.reach import stack_of
    from deploy.status import status as ask

    _, stack = stack_of(data)
    told = ask(stack)
    if as_json:
        print_json(told.as_dict())
        return
    for name, value in told.as_dict().items():
        if name != "processes":
            print(f"{name:15} {'-' if value is None else value}")
    for process in told.processes:
        state = "running" if process.alive else "GONE"
        print(f"{'process':15} {process.name} {process.pid} {state}, restarted {process.restarts} times")
