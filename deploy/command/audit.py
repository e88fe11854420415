"""`quayside audit`."""

import sys
from typing import Annotated

import typer

from deploy.command.options import AsJson, Data, print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("audit")(audit)


def audit(
    *,
    data: Data = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Read every record of the fact topics too, and compare its bytes.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compute stock, shipments, orders and lead times from the history, and compare with what was published.

    Each difference is told with the events behind it; so is every record that the history should have and has not.
    Exit code 1 if there is any. Late records and events that a correction moved are told apart (docs/audit.md).

    \b
    Example: quayside audit
    Example: quayside audit --deep --json
    """
    from rich.console import Console

    from deploy.audit import audit_stack
    from deploy.command.reach import stack_of
    from sinks.audit.report import lines

    _, stack = stack_of(data)
    console = Console(stderr=True)
    with console.status("auditing") as status:
        report = audit_stack(stack, deep=deep, progress=lambda what: status.update(f"auditing {what}"))
    if as_json:
        print_json(report.as_dict())
    else:
        for line in lines(report):
            print(line)
    sys.exit(0 if report.is_clean else 1)
