"""`quayside up` and `quayside down`."""

from typing import Annotated

import typer

from deploy.command.options import AsJson, Data


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("up")(up)
    app.command("down")(down)


def up(
    *,
    demo: Annotated[bool, typer.Option("--demo", help="Run a demo supply network too.")] = False,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="The demo network's seed.")] = 1,
    pace: Annotated[float, typer.Option("--pace", metavar="X", min=0.1, help="How lively the demo is.")] = 1.0,
    seconds: Annotated[
        float | None, typer.Option("--for", metavar="SECONDS", min=1, help="Stop by itself after so many seconds.")
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Return when it is ready; it goes on by itself.")] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Start the embedded stack: broker, worker, history and the store's gate.

    Ports are free ones, so several stacks live side by side, each on its own directory. Ctrl-C stops everything;
    starting again on the same directory continues from the history on disk. With --for and --json the last line is
    the object that `status --json` prints.

    \b
    Example: quayside up --demo
    Example: quayside up --data /srv/quayside --detach
    """
    from deploy.command.run_stack import detached, foreground
    from deploy.embedded import Demo
    from deploy.settings import load
    from schemas.errors import WrongInput

    settings = load(data=data)
    if settings.clickhouse is not None:
        raise WrongInput(
            "QUAYSIDE_CLICKHOUSE is set, but `up` runs the embedded store: unset it, or run `quayside worker` and "
            "`quayside sink`."
        )
    network = Demo(seed, pace) if demo else None
    if detach:
        detached(settings, network, seconds=seconds, as_json=as_json)
    else:
        foreground(settings, network, seconds=seconds, as_json=as_json)


def down(*, data: Data = None, as_json: AsJson = False) -> None:
    """Stop the stack of a data directory.

    \b
    Example: quayside down --data /srv/quayside
    """
    from deploy.command.stop import stop_running
    from deploy.settings import load

    stop_running(load(data=data), as_json=as_json)
