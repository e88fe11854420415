"""`quayside rebuild`: state made anew from the history."""

import sys
from typing import Annotated

import typer

from deploy.command.options import AsJson, Data, print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("rebuild")(rebuild)


def rebuild(
    *,
    key: Annotated[
        list[str] | None,
        typer.Option(
            "--key", metavar="K", help="Only this order, shipment or SITE|ITEM; what came too late is applied."
        ),
    ] = None,
    partitions: Annotated[
        int | None, typer.Option("--partitions", metavar="N", min=1, max=1_000, help="Into so many partitions.")
    ] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Make the state anew from the history; views change only at the end, and repeating it is harmless.

    With --key: one entity from its whole history, with the events that came after its period had closed. Prints how
    many entities were derived anew, from how many records, and how many of those had come too late (JSON: entities,
    records, applied, left_out: records that correct what retention dropped, which stay out).

    Without: everything. An embedded stack goes on in a new broker. With servers of your own, stop workers and sink,
    raise QUAYSIDE_EPOCH by one, run this (it runs a worker and a sink of its own), and start workers and sink with the
    new epoch. If it is cut off, run it again: it goes on where it was (JSON: epoch, records, partitions, resumed,
    left_out).

    \b
    Example: quayside rebuild --key 'BER|04012345678901'
    Example: QUAYSIDE_EPOCH=2 quayside rebuild --partitions 8
    """
    from contextlib import closing

    from deploy.command.reach import stack_of
    from deploy.gate_client import gate_client
    from deploy.rebuilding import rebuild_all, rebuild_embedded
    from deploy.rebuilding_keys import entities_of, rebuild_entities
    from schemas.errors import WrongInput

    if key and partitions is not None:
        raise WrongInput("--key and --partitions do not go together: one entity is rebuilt where it is.")
    settings, stack = stack_of(data)
    if key:
        with closing(gate_client(stack)) as client:
            wanted = [entity for one in key for entity in entities_of(client, one)]
        told = rebuild_entities(stack, wanted)
        _tell(told.left_out)
        if as_json:
            print_json(told.as_dict())
        else:
            print(f"{told.entities} entities derived anew from {told.records} records, {told.applied} of them late")
        return
    whole = (
        rebuild_embedded(stack, settings, partitions) if stack.embedded else rebuild_all(settings, stack, partitions)
    )
    _tell(whole.left_out)
    if as_json:
        print_json(whole.as_dict())
    else:
        print(f"epoch {whole.epoch} is complete: {whole.records} records in {whole.partitions} partitions")


def _tell(left_out: int) -> None:
    """Say what was left out."""
    from sinks.retention.forgotten import told

    if left_out:
        print(told(left_out), file=sys.stderr)
