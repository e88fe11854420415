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
    history_events: Annotated[
        int | None,
        typer.Option(
            "--history-events", metavar="N", min=10_000, help="Time every query on a store of N events instead."
        ),
    ] = None,
    runs: Annotated[int, typer.Option("--runs", min=3, hidden=True)] = 20,
    restart_events: Annotated[
        int | None,
        typer.Option(
            "--restart-events", metavar="N", min=1_000, help="Time a start after SIGKILL, with N events behind it."
        ),
    ] = None,
    write_docs: Annotated[
        bool, typer.Option("--write-docs", help="Put the figures into docs/benchmarks.md (in a checkout).")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare our worker with Faust, Quix Streams, Kafka Streams and a bare loop, on an Apache Kafka of its own.

    Needs Java and Maven for the broker; the peers are fetched once into .cache. Names for --only: quayside, faust,
    quix, kafka-streams, kafka-streams-exactly-once, aiokafka-pydantic, aiokafka-structs, recovery, memory, latency,
    sink, door.

    With --history-events it makes a store of that many events (a million: a minute and 150 MB; 50 million: 20 minutes
    and 8 GB in the temporary directory), times every view, panel and alert rule on it, and deletes it. With
    --restart-events it starts an embedded stack on a history of that many, kills it, and times its next start and an
    audit (a million: five minutes and 1 GB). Neither needs Kafka or Java. --json: see deploy/bench/history.py and
    restart.py.

    \b
    Example: quayside bench --events 50000 --rounds 1 --skip-java
    Example: quayside bench --only latency --json
    Example: quayside bench --history-events 1000000
    """
    if history_events is not None:
        _history(history_events, runs, as_json=as_json, write_docs=write_docs)
        return
    if restart_events is not None:
        _restart(restart_events, as_json=as_json, write_docs=write_docs)
        return
    from deploy.bench import report, suite

    plan = suite.plan_of(events, rounds, only, skip_java=skip_java, facts=facts, seconds=seconds)
    result = suite.run(plan, suite.News(_progress, _skipped))
    if write_docs:
        report.write_page(result)
    if as_json:
        print_json(result)
    else:
        print(report.as_text(result))


def _history(events: int, runs: int, *, as_json: bool, write_docs: bool) -> None:
    from deploy.bench import history, report

    result = history.run(events, runs, _progress)
    if write_docs:
        report.write_page({"history": result})
    if as_json:
        print_json(result)
    else:
        print(history.as_text(result))


def _restart(events: int, *, as_json: bool, write_docs: bool) -> None:
    from deploy.bench import report, restart

    result = {"restart": restart.run(events, _progress)}
    if write_docs:
        report.write_page(result)
    if as_json:
        print_json(result["restart"])
    else:
        print(report.as_text(result))


def _progress(sentence: str) -> None:
    """To whoever watches."""
    if sys.stderr.isatty():
        print(sentence, file=sys.stderr, flush=True)


def _skipped(sentence: str) -> None:
    """To everybody, also in a log."""
    print(f"!! SKIPPED {sentence}", file=sys.stderr, flush=True)
