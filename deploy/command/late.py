"""`quayside late list`, `show` and (in late_apply.py) `apply`: events that came after their period had closed."""

from typing import TYPE_CHECKING, Annotated

import typer

from deploy.command.late_apply import apply
from deploy.command.options import AsJson, Data, print_json
from schemas.times import rfc3339, wall_clock

if TYPE_CHECKING:
    from deploy.laterecords import State


def register(app: typer.Typer) -> None:
    """Add the commands."""
    late = typer.Typer(help="Late records: what came after its period had closed.", no_args_is_help=True)
    late.command("list")(list_late)
    late.command("show")(show)
    late.command("apply")(apply)
    late.callback()(_late)
    app.add_typer(late, name="late")


def _late() -> None:
    """Late records: what came after its period had closed."""


def list_late(
    *,
    topic: Annotated[list[str] | None, typer.Option("--topic", metavar="T", help="Of this topic.")] = None,
    source: Annotated[list[str] | None, typer.Option("--source", metavar="S", help="Sent by this source.")] = None,
    entity: Annotated[
        list[str] | None, typer.Option("--entity", metavar="E", help="Of this order, shipment or site|item.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Arrived since: 2h, 7d, 2026-11-22, an RFC 3339 time.")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="Arrived before; as --since.")] = None,
    only_open: Annotated[bool, typer.Option("--open", help="In no figure (the default).")] = False,
    applied: Annotated[bool, typer.Option("--applied", help="Applied after all.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Both.")] = False,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, max=100_000, help="So many at most.")] = 50,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List late records, the newest first.

    \b
    Example: quayside late list --since 7d
    Example: quayside late list --entity 'BER|acme:4711' --all
    """
    from contextlib import closing

    from deploy.command.kept_listing import exactly_one, table
    from deploy.command.reach import stack_of
    from deploy.gate_client import gate_client
    from deploy.kept import span_of
    from deploy.laterecords import WhichLate, count_late, newest_late

    state: State = exactly_one((("open", only_open), ("applied", applied), ("all", every)), "open")
    span = span_of(since, until, wall_clock())
    which = WhichLate(tuple(topic or ()), tuple(source or ()), tuple(entity or ()), span, state)
    with closing(gate_client(stack_of(data)[1])) as store:
        total = count_late(store, which)
        found = newest_late(store, which, limit)
    if as_json:
        print_json({"count": total, "records": [one.as_dict() for one in found]})
        return
    heads = ("id", "arrived", "applied", "source", "entity", "reason")
    lines = [
        (
            *(str(one.place), rfc3339(one.arrived_at), "-" if one.applied_at is None else rfc3339(one.applied_at)),
            *(one.source or "-", one.entity, one.reason),
        )
        for one in found
    ]
    for line in table(heads, lines):
        print(line)
    shown = f"; {len(found)} shown" if len(found) < total else ""
    print(f"{total} late records{'' if state == 'all' else f' ({state})'}{shown}")


def show(
    name: Annotated[str, typer.Argument(metavar="ID", help="As `quayside late list` tells it.")],
    *,
    raw: Annotated[bool, typer.Option("--raw", help="Write exactly its bytes, and nothing else.")] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Show all of one late record, with its bytes.

    \b
    Example: quayside late show 3/warehouse.events/1/1234
    """
    from contextlib import closing

    from deploy.command.kept_listing import described, value_keys, write_raw
    from deploy.command.reach import stack_of
    from deploy.gate_client import gate_client
    from deploy.laterecords import late_of

    with closing(gate_client(stack_of(data)[1])) as store:
        found, value = late_of(store, name)
    if raw:
        write_raw(value)
        return
    told = found.as_dict()
    if as_json:
        print_json(told | value_keys(value))
        return
    told["became"] = f"applied {told['applied_at']}" if found.applied_at is not None else "it is in no figure"
    for line in described(told, ("epoch", "topic", "partition", "offset", "applied_at"), value):
        print(line)
