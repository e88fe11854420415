"""`quayside dashboards`: building, trying, and the two ways into a Grafana."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.command.options import AsJson, Data, print_json

if TYPE_CHECKING:
    from dashboards.alerts import AlertSettings
    from dashboards.checking import Report

ThresholdsFile = Annotated[
    Path | None,
    typer.Option("--thresholds", metavar="FILE", help="A copy of dashboards/thresholds.yaml with figures of your own."),
]
Emails = Annotated[
    list[str] | None,
    typer.Option("--email", metavar="ADDRESS", help="Send alerts there, by Grafana's SMTP settings; may be repeated."),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Grafana: data source, dashboards, alert rules.", no_args_is_help=True)
    group.command("build")(build)
    group.command("check")(check)
    group.command("provision")(provision)
    group.command("push")(push)
    app.add_typer(group, name="dashboards")


def build(
    *,
    compare: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 if the files are not up to date.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write dashboards/generated/*.json anew, or compare (--check).

    JSON keys: files (names, all of them), different (names that were, or would be, made, changed or deleted by hand).

    \b
    Example: quayside dashboards build --check
    """
    from dashboards import build as building
    from schemas.errors import WrongInput

    different = building.differences()
    names = sorted(building.build())
    if not compare:
        try:
            building.write()
        except OSError as error:
            raise WrongInput(f"{building.GENERATED} cannot be written ({error.strerror}).") from None
    if as_json:
        print_json({"files": names, "different": list(different)})
    else:
        for name in names:
            print(f"{name} {('differs' if compare else 'written') if name in different else 'unchanged'}")
        for name in sorted(set(different) - set(names)):
            print(f"{name} is left over: delete it")
    if compare and different:
        sys.exit(1)


def check(
    *,
    data: Data = None,
    demo: Annotated[
        bool, typer.Option("--demo-history", help="On a history of the demo in a temporary store; needs no stack.")
    ] = False,
    thresholds: ThresholdsFile = None,
    as_json: AsJson = False,
) -> None:
    """Try every panel, variable, annotation and alert query on the store, and lint all dashboards and rules.

    JSON keys: dashboards, rules, queries, rows (numbers), empty_panels (panel, reason), errors (sentences). A panel
    that is empty and does not say why is an error. Exit 1 where there are errors.

    \b
    Example: quayside dashboards check --demo-history
    """
    from dataclasses import asdict

    from deploy.command.reach import stack_of
    from deploy.dashboard_check import check_demo, check_stack

    settings = _settings(thresholds)
    report = check_demo(settings) if demo else check_stack(stack_of(data)[1], settings)
    if as_json:
        print_json(asdict(report))
    else:
        _print(report)
    if report.errors:
        sys.exit(1)


def provision(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Grafana's provisioning folder.")],
    *,
    data: Data = None,
    thresholds: ThresholdsFile = None,
    email: Emails = None,
) -> None:
    """Write provisioning files for a Grafana of your own.

    The store's password is not among them: give it to Grafana as QUAYSIDE_GATE_PASSWORD. With QUAYSIDE_WEBHOOK or
    --email a contact point and a policy tree are written too; a provisioned tree replaces the whole tree of that
    Grafana.

    \b
    Example: quayside dashboards provision /etc/grafana/provisioning
    """
    from dashboards.provisioning import write_provisioning
    from deploy.command.reach import stack_of
    from deploy.dashboard_addresses import gate_address

    settings, stack = stack_of(data)
    write_provisioning(
        directory, gate_address(stack), settings.webhook, _settings(thresholds), emails=tuple(email or ())
    )
    print(f"wrote {directory}")


def push(
    url: Annotated[str, typer.Argument(metavar="URL", help="http://user:password@host:3000 of the Grafana.")],
    *,
    data: Data = None,
    thresholds: ThresholdsFile = None,
    email: Emails = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, change nothing.")] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Delete dashboards and rules of ours that this version does not have.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Install or update data source, folders, dashboards and alerting in a running Grafana, through its API.

    With QUAYSIDE_WEBHOOK or --email a contact point is made too; which alerts go to it is for your policy tree to
    say, which is never touched. Dashboards and rules of ours that this version does not have any more are told as
    stale; --prune deletes them, and nothing that is not ours. JSON keys: changes (kind, name, action, note), dry_run.

    \b
    Example: quayside dashboards push http://admin:admin@127.0.0.1:3000 --dry-run
    """
    from dataclasses import asdict

    from dashboards.contacts import Receivers
    from dashboards.push import push as send
    from deploy.command.reach import stack_of
    from deploy.dashboard_addresses import gate_address, grafana_address

    settings, stack = stack_of(data)
    changes = send(
        grafana_address(url),
        gate_address(stack),
        _settings(thresholds),
        Receivers(settings.webhook, tuple(email or ())),
        dry_run=dry_run,
        prune=prune,
    )
    if as_json:
        print_json({"changes": [asdict(change) for change in changes], "dry_run": dry_run})
        return
    for change in changes:
        print(f"{change.kind:13} {change.name:28} {change.action:10} {change.note}".rstrip())
    touched = sum(change.action in {"created", "updated", "deleted"} for change in changes)
    print(f"{touched} of {len(changes)} {'would change' if dry_run else 'changed'}")


def _settings(thresholds: Path | None) -> "AlertSettings":
    from dashboards.alerts import AlertSettings
    from dashboards.thresholds import read

    return AlertSettings(read(thresholds))


def _print(report: "Report") -> None:
    for empty in report.empty_panels:
        print(f"empty  {empty.panel}: {empty.reason}")
    for error in report.errors:
        print(f"ERROR  {error}")
    print(
        f"{report.dashboards} dashboards, {report.rules} rules, {report.queries} queries, {report.rows} rows, "
        f"{len(report.empty_panels)} empty panels, {len(report.errors)} errors"
    )
