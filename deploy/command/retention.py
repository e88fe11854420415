"""`quayside retention`: what is old leaves the history, and what it adds up to stays."""

from typing import Annotated

import typer

from deploy.command.options import AsJson, Data, print_json

_group = typer.Typer(
    help="Let old records leave the history; all figures stay (docs/retention.md).", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    _group.command("run")(run)
    _group.command("list")(list_runs)
    app.add_typer(_group, name="retention")


def run(
    *,
    older_than: Annotated[
        str | None,
        typer.Option("--older-than", metavar="AGE", help="What arrived longer ago, as 400d; else QUAYSIDE_RETENTION."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go at most, change nothing.")] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Let what arrived longer ago leave the history; it may be repeated, and one that was cut off goes on.

    Old movements become opening balances, orders and shipments that have ended keep what counts of them. Prints how
    many rows of which tables went (JSON: dry_run, cutoff, runs, positions, openings, left_alone, dropped).

    \b
    Example: quayside retention run --older-than 400d --dry-run
    Example: quayside retention run --older-than 400d
    """
    from deploy.command.reach import stack_of
    from deploy.retaining import preview_retention, retention_of, run_retention
    from deploy.settings import duration_ms
    from schemas.errors import WrongInput

    try:
        given = duration_ms(older_than)
    except ValueError as error:
        raise WrongInput(f"--older-than is wrong: {error}.") from None
    settings, stack = stack_of(data)
    retention = retention_of(settings, given)
    told = (preview_retention if dry_run else run_retention)(stack, settings, retention)
    if as_json:
        print_json(told.as_dict())
        return
    print(f"what arrived before {told.cutoff} {'would go, at most' if dry_run else 'has gone'}:")
    for table, rows in sorted(told.dropped.items()):
        print(f"{table:24} {rows}")
    print(f"{told.positions} positions, {told.openings} openings, {told.left_alone} positions left as they are")


def list_runs(*, data: Data = None, as_json: AsJson = False) -> None:
    """The runs so far.

    JSON: retention_ms (null: it does not run by itself) and runs, each with run, cutoff, stage (begun, staged, visible,
    finished, abandoned), ended_at, positions, openings, left_alone, dropped, reason.

    \b
    Example: quayside retention list --json
    """
    from deploy.command.reach import stack_of
    from deploy.retaining import retention_runs

    settings, stack = stack_of(data)
    found = retention_runs(stack)
    if as_json:
        print_json({"retention_ms": settings.retention, "runs": [one.as_dict() for one in found]})
        return
    for one in found:
        told, rows = one.as_dict(), sum(one.dropped.values())
        print(f"{told['run']}  before {told['cutoff']}  {one.stage:9}  {rows} rows  {one.reason}".rstrip())
    if not found:
        print("no runs yet")
