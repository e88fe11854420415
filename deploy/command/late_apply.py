"""`quayside late apply`: events that came too late are applied after all, by rebuilding what they are about."""

import sys
from typing import Annotated

import typer

from deploy.command.options import AsJson, Data, print_json
from schemas.times import wall_clock


def apply(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="As `quayside late list` tells them.")
    ] = None,
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
    every: Annotated[bool, typer.Option("--all", help="All that are in no figure yet.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be applied, change nothing.")] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Apply late records: each entity they are about is derived anew from its whole history, its late events included.

    Which means that other late events of the same entities are applied too. A shipment's orders are derived anew with
    it. Late contributions between agents follow from that and are passed over. Prints how many records were selected,
    and how many entities were derived from how many records, of which how many had come too late (JSON: selected,
    entities, records, applied, left_out: records that correct what retention dropped, which stay out).

    \b
    Example: quayside late apply 3/warehouse.events/1/1234
    Example: quayside late apply --source acme --since 7d --dry-run
    """
    from contextlib import closing

    from deploy.command.reach import stack_of
    from deploy.gate_client import gate_client
    from deploy.kept import span_of
    from deploy.laterecords import WhichLate, late_of, newest_late
    from deploy.rebuilding_keys import APPLIED, Entity, rebuild_entities
    from schemas.errors import WrongInput
    from sinks.retention.forgotten import told as sentence

    filters = (topic, source, entity, since, until)
    if bool(ids) + any(filters) + every != 1:
        raise WrongInput("Say which late records: their IDs, or filters (see --help), or --all.")
    _, stack = stack_of(data)
    with closing(gate_client(stack)) as store:
        if ids:
            found = [late_of(store, name)[0] for name in ids]
        else:
            span = span_of(since, until, wall_clock())
            which = WhichLate(tuple(topic or ()), tuple(source or ()), tuple(entity or ()), span, "open")
            found = newest_late(store, which, 1_000_000)
    wanted = {Entity(one.place.coordinate.topic, one.entity) for one in found if one.place.coordinate.topic in APPLIED}
    told = {"selected": len(found), "entities": len(wanted), "records": 0, "applied": 0, "left_out": 0}
    if wanted and not dry_run:
        told |= rebuild_entities(stack, wanted).as_dict()
    if told["left_out"]:
        print(sentence(told["left_out"]), file=sys.stderr)
    if as_json:
        print_json(told)
    elif dry_run:
        print(f"{told['selected']} late records of {told['entities']} entities would be applied")
    else:
        print(
            f"{told['selected']} late records selected: {told['entities']} entities derived anew from "
            f"{told['records']} records, {told['applied']} of them late"
        )
