"""`quayside migrate`."""

import sys
from typing import Annotated

import typer

from deploy.command.options import AsJson, Data, print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("migrate")(migrate)


def migrate(
    *,
    data: Data = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only tell what is pending; exit code 1 if anything is.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring the tables and views of a ClickHouse of your own (QUAYSIDE_CLICKHOUSE) up to date.

    An embedded stack does so itself whenever it starts; of a running one the state is told. A store that a newer
    version made is refused (exit code 2). With --json the last line has: store (server or embedded), address, applied
    and pending (lists of number and name), up_to_date.

    \b
    Example: QUAYSIDE_CLICKHOUSE=http://default@localhost:8123/quayside quayside migrate --check
    """
    from deploy.migrating import migrate_store
    from deploy.settings import load

    told = migrate_store(load(data=data), check=check)
    if as_json:
        print_json(told.as_dict())
    else:
        for line in told.lines():
            print(line)
    sys.exit(0 if told.up_to_date else 1)
