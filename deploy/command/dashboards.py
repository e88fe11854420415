"""`quayside dashboards`: the provisioning for a Grafana, and installing through its API."""

from pathlib import Path
from typing import Annotated

import typer

from deploy.command.options import AsJson, Data, print_json


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Grafana: data source, dashboards, alert rule.", no_args_is_help=True)
    group.command("provision")(provision)
    group.command("push")(push)
    app.add_typer(group, name="dashboards")


def provision(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Grafana's provisioning folder.")],
    *,
    data: Data = None,
) -> None:
    """Write provisioning files for a Grafana of your own.

    The store's password is not among them: give it to Grafana as QUAYSIDE_GATE_PASSWORD. With QUAYSIDE_WEBHOOK a
    contact point and a policy tree are written too; a provisioned tree replaces the whole tree of that Grafana.

    \b
    Example: quayside dashboards provision /etc/grafana/provisioning
    """
    from dashboards.provisioning import write_provisioning
    from deploy.command.reach import stack_of
    from deploy.dashboard_addresses import gate_address

    settings, stack = stack_of(data)
    write_provisioning(directory, gate_address(stack), settings.webhook)
    print(f"wrote {directory}")


def push(
    url: Annotated[str, typer.Argument(metavar="URL", help="http://user:password@host:3000 of the Grafana.")],
    *,
    data: Data = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Install or update data source, folder and dashboards in a running Grafana, through its API.

    \b
    Example: quayside dashboards push http://admin:admin@127.0.0.1:3000 --dry-run
    """
    from dataclasses import asdict

    from dashboards.push import push as send
    from deploy.command.reach import stack_of
    from deploy.dashboard_addresses import gate_address, grafana_address

    _, stack = stack_of(data)
    changes = send(grafana_address(url), gate_address(stack), dry_run=dry_run)
    if as_json:
        print_json({"changes": [asdict(change) for change in changes], "dry_run": dry_run})
        return
    for change in changes:
        print(" ".join(str(value) for value in asdict(change).values()))
