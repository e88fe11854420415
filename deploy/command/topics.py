"""`quayside topics`, `quayside contracts` and `quayside doctor`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from deploy.command.options import AsJson, Data, print_json


def register(app: typer.Typer) -> None:
    """Add the commands."""
    topics = typer.Typer(help="Kafka topics: create what is missing, check what is there.", no_args_is_help=True)
    topics.command("create")(create)
    topics.command("check")(check)
    app.add_typer(topics, name="topics")
    contracts = typer.Typer(help="The contract of events, for other systems.", no_args_is_help=True)
    contracts.command("export")(export)
    contracts.command("check")(check_contracts)
    app.add_typer(contracts, name="contracts")
    app.command("doctor")(doctor)


def create(
    *,
    data: Data = None,
    replication: Annotated[int, typer.Option("--replication", min=1, help="Replicas of each topic.")] = 1,
    partitions: Annotated[
        int | None,
        typer.Option("--partitions", min=1, max=1_000, help="Partitions of each topic; default as the others, else 4."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create the topics that are missing.

    \b
    Example: QUAYSIDE_KAFKA=localhost:9092 quayside topics create --replication 3
    """
    from deploy.command.reach import bootstrap_of
    from streams.administration import create_topics

    made = create_topics(bootstrap_of(data), replication=replication, partitions=partitions)
    if as_json:
        print_json({"created": made})
    elif made:
        print(f"created {len(made)} topics: {', '.join(made)}")
    else:
        print("all topics are there")


def check(*, data: Data = None, as_json: AsJson = False) -> None:
    """Check that all topics are there with the right number of partitions; exit code 1 if not.

    \b
    Example: quayside topics check
    """
    from deploy.command.reach import bootstrap_of
    from schemas.topics import TOPICS
    from streams.administration import check_topics

    findings = check_topics(bootstrap_of(data))
    if as_json:
        print_json({"topics": len(TOPICS), "findings": [finding._asdict() for finding in findings]})
    else:
        for finding in findings:
            print(f"{finding.topic} {finding.finding}")
        if not findings:
            print(f"{len(TOPICS)} topics are as they should be")
    sys.exit(1 if findings else 0)


def export(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where the files are written.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Write JSON Schema per event type, AsyncAPI 3 of all topics, and OpenAPI 3.1 of the gateway.

    \b
    Example: quayside contracts export contracts/
    """
    written = export_all(directory)
    if as_json:
        print_json({"directory": str(directory), "files": written})
    else:
        print(f"wrote {len(written)} files to {directory}")


def export_all(directory: Path) -> list[str]:
    """Write the whole contract, the gateway's part included; the files written, relative to the directory, sorted."""
    from deploy.gateway.exporting import export_openapi
    from schemas.contracts import export_contracts

    return sorted([*export_contracts(directory), export_openapi(directory)])


def check_contracts(
    old: Annotated[
        str, typer.Argument(metavar="OLD", help="A directory of `contracts export`, a schema, or `current`.")
    ],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The same, of what is to replace it.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Tell what breaks between two contracts; exit code 1 if something does, or may, without a new major version.

    Publishers break where an event that was valid can be refused; readers, where a record can come that the old
    contract rules out. What cannot be decided is told as unknown and counts as breaking. `current` is the contract of
    this version of Quayside. docs/contract.md has the rules.

    JSON: breaking, compatible, unknown (numbers of changes), changes (verdict, file, path, what), old_version,
    new_version, version_ok.

    \b
    Example: quayside contracts check docs/contract/1.0 current
    """
    from dataclasses import asdict

    from schemas.contracts_compare import compare, load_contract

    found = compare(load_contract(old, export_all), load_contract(new, export_all))
    if as_json:
        told = {verdict: found.count(verdict) for verdict in ("breaking", "compatible", "unknown")}
        changes = [asdict(change) for change in found.changes]
        versions = {"old_version": found.old_version, "new_version": found.new_version}
        print_json({**told, "changes": changes, **versions, "version_ok": found.version_ok})
    else:
        for change in found.changes:
            print(f"{change.verdict:10}  {change.file}  {change.path}  {change.what}")
        counts = ", ".join(f"{found.count(verdict)} {verdict}" for verdict in ("breaking", "unknown", "compatible"))
        verdict = "may be published" if found.version_ok else "needs a new major version"
        print(f"{found.old_version or '?'} to {found.new_version or '?'}: {counts}; the new contract {verdict}")
    sys.exit(0 if found.version_ok else 1)


def doctor(*, data: Data = None, as_json: AsJson = False) -> None:
    """Check this machine and the settings: what is there, what is missing, and what to do.

    \b
    Example: quayside doctor
    """
    from deploy.doctor import examine
    from deploy.settings import load

    findings = examine(load(data=data))
    failed = [finding for finding in findings if finding.level == "fail"]
    if as_json:
        print_json({"ok": not failed, "checks": [finding._asdict() for finding in findings]})
    else:
        for finding in findings:
            print(f"{finding.level:4}  {finding.check}: {finding.message}")
    sys.exit(1 if failed else 0)
