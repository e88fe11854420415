"""`quayside reference load` and `list`: what is known of sites, items, lanes and sources."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from deploy.command.options import AsJson, Data, print_json

Kind = Annotated[
    str | None, typer.Option("--kind", metavar="KIND", help="site, item, lane or source.", show_default=False)
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    reference = typer.Typer(help="What is known of sites, items, lanes and sources.", no_args_is_help=True)
    reference.command("load")(load)
    reference.command("list")(list_reference)
    app.add_typer(reference, name="reference")


def load(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="YAML, CSV, Excel or NDJSON (docs/mapping.md).")],
    *,
    kind: Kind = None,
    source: Annotated[str, typer.Option("--source", metavar="S", help="Who says it.")] = "operator",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and publish nothing.")] = False,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Return when accepted, not when it can be queried.")
    ] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Publish what a file says of sites, items, lanes and sources, where the store does not have it yet.

    A description replaces the one before as a whole. What is wrong is told with its line and the rest goes on: exit
    code 1. The JSON has read, changed, unchanged, refused, changes, sentences and dry_run.

    \b
    Example: quayside reference load reference.yaml --dry-run
    Example: quayside reference load sites.csv --kind site
    """
    from deploy.reference_loading import load_reference

    outcome = load_reference(file, data, kind=kind, source=source, dry_run=dry_run, wait=not no_wait)
    for sentence in outcome.sentences:
        print(sentence, file=sys.stderr)
    if as_json:
        print_json(outcome.as_dict(dry_run=dry_run))
    else:
        for change in outcome.changes if dry_run else ():
            print(change.sentence())
        would = "would change" if dry_run else "changed"
        print(
            f"{outcome.read} read: {outcome.changed} {would}, {outcome.unchanged} unchanged, {outcome.refused} refused"
        )
    sys.exit(1 if outcome.refused else 0)


def list_reference(*, kind: Kind = None, data: Data = None, as_json: AsJson = False) -> None:
    """List what is described of sites, items, lanes and sources; hours for transit promises and cadences.

    The JSON has a list for each kind, named site, item, lane and source.

    \b
    Example: quayside reference list --kind site
    """
    from contextlib import closing

    from deploy.command.kept_listing import table
    from deploy.command.reach import stack_of
    from deploy.gate_client import gate_client
    from deploy.reference_loading import listed
    from schemas.errors import WrongInput
    from schemas.mapping.reference import KINDS
    from schemas.wording import instead

    if kind is not None and kind not in KINDS:
        raise WrongInput(f"--kind {kind} is not known: {instead(kind, KINDS)}")
    with closing(gate_client(stack_of(data)[1])) as store:
        found = {one: listed(store, one) for one in KINDS if kind in {None, one}}
    if as_json:
        print_json(found)
        return
    for one, entries in found.items():
        print(f"{len(entries)} {one}{'' if len(entries) == 1 else 's'}")
        if entries:
            cells = [tuple("-" if value in {None, ""} else str(value) for value in entry.values()) for entry in entries]
            for line in table(tuple(entries[0]), cells):
                print(f"  {line}")
