"""`quayside bench`: our worker beside its peers."""

import sys
from typing import Annotated

import typer

from deploy.command.options import AsJson, print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("bench")(bench)


def bench(
    *,
    events: Annotated[int, typer.Option("--events", metavar="N", min=1_000, help="How many events.")] = 200_000,
    rounds: Annotated[int, typer.Option("--rounds", metavar="N", min=1, help="How many rounds.")] = 3,
    only: Annotated[
        str | None, typer.Option("--only", metavar="NAME[,NAME]", help="Only these contenders and parts.")
    ] = None,
    skip_java: Annotated[bool, typer.Option("--skip-java", help="Leave Kafka Streams out.")] = False,
    facts: Annotated[int, typer.Option("--facts", min=1_000, hidden=True)] = 1_000_000,
    seconds: Annotated[float, typer.Option("--seconds", min=1, hidden=True)] = 20.0,
    write_docs: Annotated[
        bool, typer.Option("--write-docs", help="Put the figures into docs/benchmarks.md (in a checkout).")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare our worker with Faust, Quix Streams, Kafka Streams and a bare loop, on an Apache Kafka of its own.

    Needs Java and Maven for the broker; the peers are fetched once into .cache. Names for --only: quayside, faust,
    quix, kafka-streams, kafka-streams-exactly-once, aiokafka-pydantic, aiokafka-structs, recovery, memory, latency.

    \b
    Example: quayside bench --events 50000 --rounds 1 --skip-java
    Example: quayside bench --only latency --json
    """
    from deploy.bench import report, suite

    plan = suite.plan_of(events, rounds, only, skip_java=skip_java, facts=facts, seconds=seconds)
    result = suite.run(plan, suite.News(_progress, _skipped))
    if write_docs:
        report.write_page(result)
    if as_json:
        print_json(result)
    else:
        print(report.as_text(result))


def _progress(sentence: str) -> None:
    """To whoever watches."""
    if sys.stderr.isatty():
        print(sentence, file=sys.stderr, flush=True)


def _skipped(sentence: str) -> None:
    """To everybody, also in a log."""
    print(f"!! SKIPPED {sentence}", file=sys.stderr, flush=True)
