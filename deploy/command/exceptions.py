"""`quayside ack` and `quayside exceptions list`: what is amiss, and who has it in hand."""

import getpass
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.command.options import AsJson, Data, print_json

if TYPE_CHECKING:
    from deploy.exceptions import State


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("ack")(ack)
    exceptions = typer.Typer(help="Open exceptions: what is late, missing, at risk or silent.", no_args_is_help=True)
    exceptions.command("list")(list_exceptions)
    exceptions.callback()(_exceptions)
    app.add_typer(exceptions, name="exceptions")


def _exceptions() -> None:
    """Open exceptions: what is late, missing, at risk or silent."""


def ack(
    exception: Annotated[str, typer.Argument(metavar="EXCEPTION", help="KIND/ENTITY_KIND/ENTITY, as the list tells.")],
    *,
    until: Annotated[
        str, typer.Option("--until", metavar="T", help="Until then: 4h, 2d (from now), or an RFC 3339 time.")
    ] = "24h",
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="Why, and what is being done.")] = "",
    by: Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who has it in hand; else you.")] = None,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Nobody has it in hand any more.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also where no such exception is open.")] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Say that somebody has an open exception in hand: until then it is not in the page's count.

    Returns when it can be queried. JSON: exception_id, until, by, acknowledged.

    \b
    Example: quayside ack late_delivery/shipment/S-4711 --until 4h --note "carrier called, arrives tonight"
    Example: quayside ack late_delivery/shipment/S-4711 --withdraw
    """
    from deploy.acknowledging import acknowledge

    told = acknowledge(data, exception, by or _user(), note, None if withdraw else until, force=force).as_dict()
    if as_json:
        print_json(told)
    elif told["acknowledged"]:
        print(f"{told['by']} has {told['exception_id']} in hand until {told['until']}")
    else:
        print(f"nobody has {told['exception_id']} in hand any more")


def list_exceptions(
    *,
    kind: Annotated[list[str] | None, typer.Option("--kind", metavar="K", help="Of this kind.")] = None,
    lane: Annotated[list[str] | None, typer.Option("--lane", metavar="L", help="On this lane.")] = None,
    site: Annotated[list[str] | None, typer.Option("--site", metavar="S", help="At this site.")] = None,
    supplier: Annotated[list[str] | None, typer.Option("--supplier", metavar="S", help="Of this supplier.")] = None,
    only_open: Annotated[bool, typer.Option("--open", help="Nobody has them in hand (the default).")] = False,
    acknowledged: Annotated[bool, typer.Option("--acknowledged", help="Somebody has them in hand.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Both.")] = False,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, max=100_000, help="So many at most.")] = 50,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List open exceptions, the newest first.

    JSON: count (of all that fit), exceptions (the columns of exceptions_open, docs/views.md).

    \b
    Example: quayside exceptions list --kind late_delivery --lane 'CNSHA>DEHAM'
    Example: quayside exceptions list --all --json
    """
    from contextlib import closing

    from deploy.command.kept_listing import exactly_one, table
    from deploy.command.reach import stack_of
    from deploy.exceptions import WhichExceptions, count_exceptions, latest_exceptions
    from deploy.gate_client import gate_client
    from schemas.times import minute

    state: State = exactly_one((("open", only_open), ("acknowledged", acknowledged), ("all", every)), "open")
    which = WhichExceptions(tuple(kind or ()), tuple(lane or ()), tuple(site or ()), tuple(supplier or ()), state)
    with closing(gate_client(stack_of(data)[1])) as store:
        found = latest_exceptions(store, which, limit)
        total = len(found) if len(found) < limit else count_exceptions(store, which)
    if as_json:
        print_json({"count": total, "exceptions": [one.as_dict() for one in found]})
        return
    heads = ("id", "opened", "lane or site", "in hand of", "detail")
    lines = [
        (one.exception_id, minute(one.opened_at), one.lane or one.site or "-", one.acknowledged_by or "-", one.detail)
        for one in found
    ]
    for line in table(heads, lines):
        print(line)
    shown = f"; {len(found)} shown" if len(found) < total else ""
    print(f"{total} exceptions{'' if state == 'all' else f' ({state})'}{shown}")


def _user() -> str:
    """Whoever runs this."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "somebody"
