"""`quayside`: the commands, and how errors reach a person.

Exit codes: 0 done, 1 findings, 2 wrong usage or input, 3 something unreachable, 130 interrupted.
"""

import sys

import typer

from deploy.command import bench, dashboards, operate, processes, publish, query, topics
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
operate.register(app)
publish.register(app)
query.register(app)
topics.register(app)
dashboards.register(app)
processes.register(app)
bench.register(app)


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
