"""`quayside query` and `quayside status`."""

import sys
from typing import Annotated, Any

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
    """What the stack is doing: events, lag, lateness, processes and how they are.

    Of a process `health` is ok, stuck or unknown, with the reason (docs/operations.md). Where the broker or the store
    does not answer, what is known is printed all the same, and the exit code is 3.

    \b
    Example: quayside status --json
    """
    from deploy.command.reach import stack_of
    from deploy.status import PartlyKnown
    from deploy.status import status as ask

    settings, stack = stack_of(data)
    unreachable: PartlyKnown | None = None
    try:
        told = ask(stack, settings.data).as_dict()
    except PartlyKnown as error:
        unreachable, told = error, error.known
    if as_json:
        print_json(told)
    else:
        _print_status(told)
    if unreachable is not None:
        raise unreachable


def _print_status(told: dict[str, Any]) -> None:
    for name, value in told.items():
        if name not in {"processes", "sink", "metrics"}:
            print(f"{name:15} {'-' if value is None else value}")
    sink = told["sink"]
    since = f" since {sink['since']}: {sink['reason']}" if sink["since"] else ""
    print(f"{'sink':15} {sink['state']}{since}")
    for process in told["processes"]:
        state = "running" if process["alive"] else "GONE"
        print(f"{'process':15} {process['name']} {process['pid']} {state}, restarted {process['restarts']} times")
        print(f"{'health':15} {process['name']} {process['health']} {process['reason']}".rstrip())
    for name, url in told["metrics"].items():
        print(f"{'metrics':15} {name} {url}/metrics")
