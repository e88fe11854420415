"""`quayside`: the commands, and how errors reach a person.

Exit codes: 0 done, 1 findings, 2 wrong usage or input, 3 something unreachable, 130 interrupted.
"""

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from deploy.command import (
    audit,
    bench,
    board,
    dashboards,
    dlq,
    exceptions,
    gateway,
    late,
    migrate,
    operate,
    processes,
    publish,
    query,
    rebuild,
    reference,
    retention,
    tokens,
    topics,
)
from schemas.errors import QuaysideError

app = typer.Typer(
    name="quayside",
    help="Event-driven supply chain tracking: Kafka, Faust, ClickHouse, Grafana.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"quayside {version('quayside-tracking')}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Event-driven supply chain tracking: Kafka, Faust, ClickHouse, Grafana."""


migrate.register(app)
operate.register(app)
publish.register(app)
query.register(app)
topics.register(app)
dashboards.register(app)
board.register(app)
dlq.register(app)
late.register(app)
exceptions.register(app)
processes.register(app)
bench.register(app)
audit.register(app)
rebuild.register(app)
reference.register(app)
retention.register(app)
tokens.register(app)
gateway.register(app)


def run() -> None:
    """The entry point: runs a command; an error becomes one sentence on stderr and an exit code."""
    try:
        app()
    except QuaysideError as error:
        print(f"quayside: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.exit(0)
    except KeyboardInterrupt:
        print("quayside: interrupted", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    run()
