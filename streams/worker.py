"""The worker: a Faust app with the four agents on the batched transport.

Faust brings membership, assignment, flow and commits; what an agent does with a batch is `streams.agent`.
An agent's body must not raise, since Faust then acknowledges the batch all the same: what fails ends the
process before the acknowledgement, and whoever supervises it starts it again.
"""

import asyncio
import logging
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import faust
from aiokafka.errors import KafkaConnectionError

from schemas.errors import QuaysideError, Unreachable
from schemas.times import wall_clock
from schemas.topics import TOPICS
from streams import collecting
from streams.agent import Agent, Passed, Rules
from streams.agents import DERIVATIONS, WORKER_GROUP
from streams.clock import HORIZON_MS, TICK_S
from streams.connection import for_faust
from streams.inbox import Inbox
from streams.reading import BAD_SHARE
from streams.steps import AcknowledgedSteps, Steps, Transactions
from streams.table import MOST_FACTS
from streams.transport.driver import Undecoded

FAILED: Final = 70
"""Exit code when a batch could not be processed; nothing of it was acknowledged."""

_LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}

_log = logging.getLogger("quayside.worker")


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """What a worker has to know. Times in seconds.

    `single`: there is never a second worker (the embedded stack). Tansu then wants a short session and no
    static membership, since its first join takes half a session (measured: 1 s); Apache Kafka refuses
    sessions below 6 s, and with a static member a restart after SIGKILL takes over in 0.02 s.
    `max_batch`: the most records of a batch; None: 20,000, and 5,000 for a single worker with its short session.
    `partitions`: how many all topics have; None: as the registry says.
    `horizon` (ms), `max_facts` and `bad_share`: see `streams.agent.Rules`.
    """

    bootstrap: str
    epoch: int
    datadir: str
    single: bool
    instance: str = "worker-1"
    max_batch: int | None = None
    horizon: int = HORIZON_MS
    max_facts: int = MOST_FACTS
    bad_share: float = BAD_SHARE
    loglevel: str = "warn"
    partitions: int | None = None


def run(config: WorkerConfig, watched: Callable[[Sequence[Agent]], None] = lambda _: None) -> None:
    """Run a worker until it is stopped by a signal; `watched` is given its agents before they start.

    Where logging has been set up already it is left as it is.
    """
    for library in ("aiokafka", "faust", "mode", "asyncio"):
        # Their news below the level is made before Faust's handlers drop it: a tenth of the time at small batches.
        logging.getLogger(library).setLevel(_LEVELS[config.loglevel])
    app = build(config, watched=watched)
    collecting.begin()
    ours = bool(logging.root.handlers)
    # No banner and no spinner between the lines of a log.
    worker = faust.Worker(app, loglevel=config.loglevel, quiet=ours, redirect_stdouts=False, override_logging=not ours)
    if ours:
        worker.spinner = None
    worker.execute_from_commandline()


def build(
    config: WorkerConfig,
    passed: Passed = lambda _agent, _step: None,
    now: Callable[[], int] = wall_clock,
    watched: Callable[[Sequence[Agent]], None] = lambda _: None,
) -> Any:
    """The Faust app with its agents; `passed` is told each step of each batch, `now` is the time in ms.

    `watched` is given the agents, to look at from beside.
    """
    session = 1.0 if config.single else 10.0
    max_batch = config.max_batch or (5_000 if config.single else 20_000)
    app = faust.App(
        WORKER_GROUP,
        broker=f"batched://{config.bootstrap}",
        broker_credentials=for_faust(),
        store="memory://",
        datadir=config.datadir,
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        autodiscover=False,
        broker_max_poll_records=max_batch,
        consumer_max_fetch_size=4 << 20,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=None if config.single else config.instance,
        broker_session_timeout=session,
        broker_rebalance_timeout=session if config.single else 30.0,
        broker_heartbeat_interval=session / 4,
        broker_request_timeout=30.0,
        broker_commit_interval=0.2,
        broker_commit_every=1,
        stream_wait_empty=False,
        stream_buffer_maxsize=16,
    )
    counts = {topic.name: config.partitions or topic.partitions for topic in TOPICS}
    steps: Steps = (AcknowledgedSteps if config.single else Transactions)(config.bootstrap, counts)
    app.offsets_in_transactions = steps.transactional
    rules = Rules(
        config.epoch,
        config.horizon,
        most_facts=config.max_facts,
        bad_share=config.bad_share,
        now=now,
        partitions=config.partitions,
    )
    agents = [Agent(derivation(), steps, config.bootstrap, rules, passed) for derivation in DERIVATIONS]

    @app.on_before_shutdown.connect  # type: ignore[untyped-decorator]  # Faust is untyped
    async def finish(*_: Any, **__: Any) -> None:
        for agent in agents:
            await agent.revoke(agent.owned)  # waits for the batches in hand
        await steps.stop()

    @app.on_partitions_revoked.connect  # type: ignore[untyped-decorator]  # Faust is untyped
    async def forget(_: Any, revoked: Iterable[Any], **__: Any) -> None:
        for agent in agents:
            await agent.revoke({place.partition for place in revoked if place.topic in agent.inputs})

    @app.on_partitions_assigned.connect  # type: ignore[untyped-decorator]  # Faust is untyped
    async def own(_: Any, assigned: Iterable[Any], **__: Any) -> None:
        for agent in agents:
            agent.assigned({place.partition for place in assigned if place.topic in agent.inputs})

    @app.task  # type: ignore[untyped-decorator]  # Faust is untyped
    async def collect() -> None:
        await _mind_collections(agents)

    for agent in agents:
        _attach(app, agent, max_batch)
    watched(agents)
    return app


def _attach(app: Any, agent: Agent, max_batch: int) -> None:
    """Register the agent's body: it only collects; what has come is processed beside, and acknowledged then.

    Each partition is worked on by a task of its own: while one waits for an acknowledgement the others go on.
    """
    topic = app.topic(*agent.inputs, schema=Undecoded(), key_type=bytes, value_type=bytes)
    working: list[asyncio.Task[None]] = []

    async def body(stream: Any) -> None:
        inboxes: dict[int, Inbox] = {}
        working.append(asyncio.create_task(_guarded(app, agent, _let_time_pass(agent))))
        async for event in stream.noack().events():
            number = event.message.partition
            if number not in inboxes:
                inboxes[number] = Inbox(max_batch)
                working.append(asyncio.create_task(_guarded(app, agent, _work(app, agent, inboxes[number]))))
            await inboxes[number].put(event)

    app.agent(topic, name=agent.derivation.name)(body)


async def _mind_collections(agents: Sequence[Agent]) -> None:
    """Collect no cycles while the history is replayed."""
    while True:
        partitions = (partition for agent in agents for partition in agent.partitions.values())
        if any(partition.clock.is_silent for partition in partitions):
            collecting.pause()
        else:
            collecting.resume(all_stays=True)
        await asyncio.sleep(TICK_S)


async def _let_time_pass(agent: Agent) -> None:
    """Look every now and then which deadlines have passed."""
    while True:
        await asyncio.gather(*map(agent.tick, agent.owned))
        await asyncio.sleep(TICK_S)


async def _work(app: Any, agent: Agent, inbox: Inbox) -> None:
    """Process one batch of a partition after the other."""
    while True:
        events = await inbox.take()
        present = [event for event in events if event.message.generation_id == app.consumer_generation_id]
        batches: defaultdict[str, list[Any]] = defaultdict(list)
        for event in present:
            batches[event.message.topic].extend(event.value)
        if batches and await agent.process(present[0].message.partition, batches):
            for event in present:
                event.message.done = True
        for event in events:
            event.ack()


async def _guarded(app: Any, agent: Agent, work: Coroutine[Any, Any, None]) -> None:
    """Whatever goes wrong with a batch ends the process before an acknowledgement.

    A cancellation too, unless the app is stopping: nobody here cancels anything, but aiokafka cancels what waits for
    a connection that is lost, and a task that ended by that in silence would leave its partition to nobody.
    """
    try:
        await work
    except asyncio.CancelledError:
        if app.should_stop:
            raise
        _die(f"{agent.derivation.name}: a request was cancelled, the broker's connection was lost.", FAILED)
    except QuaysideError as error:
        _die(f"{agent.derivation.name}: {error}", error.exit_code)
    except KafkaConnectionError as error:
        _die(
            f"{agent.derivation.name}: the broker does not answer ({error}): it is read again after a restart.",
            Unreachable.exit_code,
        )
    except Exception:  # noqa: BLE001  # whatever it is, the batch must not be acknowledged
        _log.exception("%s: a batch failed; it is read again after a restart", agent.derivation.name)
        _die("", FAILED)


def _die(message: str, code: int) -> None:
    """End the process at once: nothing that is under way may still be acknowledged."""
    if message:
        _log.critical(message)
    logging.shutdown()
    sys.stderr.flush()
    os._exit(code)
