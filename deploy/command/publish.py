"""`quayside publish` and `quayside replay`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from deploy.command.options import AsJson, Data, print_json
from schemas.errors import WrongInput

NoWait = Annotated[bool, typer.Option("--no-wait", help="Return when accepted, not when it can be queried.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("publish")(publish)
    replay = typer.Typer(help="Turn deliveries of other systems into events.", no_args_is_help=True)
    replay.command("scms")(replay_scms)
    replay.callback()(_replay)
    app.add_typer(replay, name="replay")


def _replay() -> None:
    """Turn deliveries of other systems into events."""


def publish(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="NDJSON, one event a line; - reads stdin.")],
    *,
    data: Data = None,
    no_wait: NoWait = False,
    as_json: AsJson = False,
    history: Annotated[
        bool, typer.Option("--history", help="A backlog: its old days count as open while it is loaded.")
    ] = False,
    mapping: Annotated[
        Path | None, typer.Option("--map", metavar="MAP", help="FILE is CSV, Excel or NDJSON of somebody else's shape.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --map: show the first ten events and publish nothing.")
    ] = False,
) -> None:
    """Publish events from NDJSON; each type goes to its topic.

    Lines that are no events are told one by one and kept as dead letters; the others go on. Exit code 1 if any
    line was refused. With --map the rows of any CSV, Excel or NDJSON file become events as the mapping says
    (docs/mapping.md).

    \b
    Example: quayside publish events.ndjson
    Example: my-system | quayside publish -
    Example: quayside publish --history movements-2025.ndjson
    Example: quayside publish --map orders.map.yaml orders.xlsx --dry-run
    """
    if mapping is not None:
        _publish_mapped(Path(file), mapping, data, dry_run=dry_run, wait=not no_wait, history=history, as_json=as_json)
        return
    if dry_run:
        raise WrongInput("--dry-run is for files that are read by a mapping: name it with --map.")

    from deploy.publishing import publish_lines

    outcome = publish_lines(file, data, wait=not no_wait, history=history)
    for sentence in outcome.sentences:
        print(sentence, file=sys.stderr)
    if as_json:
        print_json(outcome.as_dict())
    else:
        print(f"{outcome.read} lines read: {outcome.accepted} accepted, {outcome.refused} refused (see dead_letters)")
    sys.exit(1 if outcome.refused else 0)


def _publish_mapped(
    file: Path, mapping: Path, data: Path | None, *, dry_run: bool, wait: bool, history: bool, as_json: bool
) -> None:
    from deploy import mapped

    if dry_run:
        outcome = mapped.dry_run(file, mapping)
    else:
        outcome = mapped.publish_mapped(file, mapping, data, wait=wait, history=history)
    for sentence in outcome.sentences:
        print(sentence, file=sys.stderr)
    if as_json:
        print_json(outcome.as_dict(dry_run=dry_run))
    else:
        for line in outcome.lines(dry_run=dry_run):
            print(line)
    sys.exit(1 if outcome.refused else 0)


def replay_scms(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The SCMS delivery history, CSV.")],
    *,
    data: Data = None,
    no_wait: NoWait = False,
    as_json: AsJson = False,
    shuffle: Annotated[
        int | None, typer.Option("--shuffle", metavar="SEED", help="Publish in a random order: the figures stay.")
    ] = None,
) -> None:
    """Publish USAID's SCMS delivery history as order and shipment events (docs/scms.md).

    The report tells rows, events, and what is odd in the file by kind; each odd cell is in a file beside the
    data, whose path is printed.

    \b
    Example: quayside replay scms scms_delivery_history.csv
    """
    from deploy.publishing import replay_delivery

    outcome = replay_delivery(file, data, wait=not no_wait, shuffle=shuffle)
    if as_json:
        print_json(outcome.as_dict())
        return
    for line in outcome.lines():
        print(line)
