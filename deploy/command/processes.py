"""Commands that are one process of a stack: with servers of your own, you run these; `up` runs them else."""

from typing import Annotated

import typer

from deploy.command.options import Data

_Epoch = Annotated[int | None, typer.Option("--epoch", hidden=True)]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("worker")(worker)
    app.command("sink")(sink)
    app.command("store", hidden=True)(store)
    app.command("demo-feed", hidden=True)(demo_feed)


def worker(
    *,
    data: Data = None,
    epoch: _Epoch = None,
    single: Annotated[bool, typer.Option("--single", hidden=True)] = False,
    supervised: Annotated[bool, typer.Option("--supervised", hidden=True)] = False,
    instance: Annotated[str, typer.Option("--instance", help="This worker's name, unique in the group.")] = "worker-1",
) -> None:
    """Run a worker: the four agents, until a signal.

    \b
    Example: QUAYSIDE_KAFKA=localhost:9092 quayside worker --instance worker-1
    """
    from deploy.logs import set_up
    from deploy.processes import end_with_parent
    from deploy.settings import load, unwritable
    from deploy.stackfile import require_running
    from deploy.watching import watch_worker
    from schemas.errors import WrongInput
    from streams.administration import check_topics, partition_counts, usual_partitions
    from streams.worker import WorkerConfig, run

    settings = load(data=data)
    name = "worker" if supervised else instance
    set_up(settings.log_format, settings.log_level, name)
    bootstrap = settings.kafka or require_running(settings.data).kafka
    findings = check_topics(bootstrap)
    if findings:
        raise WrongInput(f"The topic {findings[0].topic} {findings[0].finding}")
    try:
        settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise unwritable(settings.data, error) from None
    if supervised:
        end_with_parent()
    run(
        WorkerConfig(
            bootstrap=bootstrap,
            epoch=epoch or settings.epoch,
            datadir=str(settings.data / "faust"),
            single=single,
            instance=instance,
            horizon=settings.horizon,
            max_facts=settings.max_facts,
            bad_share=settings.bad_share,
            loglevel=settings.log_level,
            partitions=usual_partitions(partition_counts(bootstrap)),
        ),
        watched=lambda agents: watch_worker(agents, bootstrap, settings, name),
    )


def sink(*, data: Data = None, supervised: Annotated[bool, typer.Option("--supervised", hidden=True)] = False) -> None:
    """Run the history sink into a ClickHouse of your own, until a signal.

    \b
    Example: QUAYSIDE_KAFKA=localhost:9092 QUAYSIDE_CLICKHOUSE=http://default@localhost:8123/quayside quayside sink
    """
    from deploy.command.reach import servers
    from deploy.logs import set_up
    from deploy.processes import end_with_parent
    from deploy.server_sink import run
    from deploy.settings import load
    from deploy.watching import watch_sink
    from schemas.errors import WrongInput

    settings = load(data=data)
    set_up(settings.log_format, "info", "sink")
    stack = servers(settings)
    if stack is None:
        raise WrongInput("Set QUAYSIDE_KAFKA and QUAYSIDE_CLICKHOUSE; without them `quayside up` runs its own.")
    if supervised:
        end_with_parent()
    run(stack, watched=lambda history: watch_sink(history, settings))


def store(
    *,
    data: Data = None,
    epoch: _Epoch = None,
    gate_port: Annotated[int, typer.Option("--gate-port")] = 0,
    replay: Annotated[bool, typer.Option("--replay")] = False,
) -> None:
    """Own the embedded store: sink and gate. Started by `quayside up`."""
    from deploy.embedded import GATE_USER, gate_password
    from deploy.logs import set_up
    from deploy.settings import load
    from deploy.stackfile import require_running
    from deploy.store_process import StoreConfig, run

    settings = load(data=data)
    set_up(settings.log_format, "info", "store")
    stack = require_running(settings.data)
    run(
        StoreConfig(
            path=settings.data / "store",
            bootstrap=stack.kafka,
            epoch=epoch or stack.epoch,
            gate_port=gate_port,
            gate_user=GATE_USER,
            gate_password=gate_password(settings, settings.data),
            replay=replay,
            stuck_after_s=settings.stuck_after / 1_000,
        )
    )


def demo_feed(
    *,
    data: Data = None,
    seed: Annotated[int, typer.Option("--seed")] = 1,
    pace: Annotated[float, typer.Option("--pace")] = 1.0,
) -> None:
    """Run the demo supply network. Started by `quayside up --demo`."""
    from deploy.demo_feed import run
    from deploy.logs import set_up
    from deploy.settings import load
    from deploy.stackfile import require_running

    settings = load(data=data)
    set_up(settings.log_format, settings.log_level, "demo")
    run(settings.data, require_running(settings.data).kafka, seed, pace)
