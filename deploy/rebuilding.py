"""The state of a Kafka of one's own made anew from the history: on an empty broker, on the same, with more partitions.

The steps, each of which may be repeated; how far it came is noted in DATA/rebuild.json:

1. On a broker that has our topics: let the history take all that is there, and note where that is; delete the
   topics of the agents (changelogs, contributions, views), make them again, and let the agents go on in the fact
   topics from the noted place: what stands before it, the history brings.
2. Begin the new epoch in the store: its states stay unseen.
3. Run a worker and a sink for it, and replay the history into the fact topics.
4. When all of that has had its effect, end the epoch: from now on the views show it.
"""

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
from clickhouse_connect.driver.client import Client

from deploy.gate_client import gate_client
from deploy.processes import Child
from deploy.progress import progress
from deploy.settings import Settings, unwritable
from deploy.stackfile import ROTATE, StackFile, is_alive, running
from schemas.errors import QuaysideError, Unreachable, WrongInput, error_of
from schemas.topics import of_kind
from sinks import epochs
from sinks.migrate import migrate
from sinks.replay import Place, count, passed_over, replay
from streams.administration import (
    create_topics,
    delete_topics,
    forget_offsets,
    grow_topics,
    members_of,
    partition_counts,
    set_offsets,
    usual_partitions,
)
from streams.agents import DERIVATIONS, HISTORY_GROUP, WORKER_GROUP
from streams.rows import Codec
from streams.sending import Record, Sender
from streams.settling import ends_of, facts_of_agents, lag, settle

_NOTE: Final = "rebuild.json"
_GRACE_S: Final = 10.0
_LEAVING_S: Final = 13.0
"""A worker that has stopped is a member of its group until its session of 10 s is over."""

_LOOK_S: Final = 0.2


class Note(msgspec.Struct, frozen=True):
    """How far a rebuild came. `offsets`: from where the agents go on in the fact topics; `after`: replayed so far."""

    epoch: int
    partitions: int
    prepared: bool = False
    offsets: tuple[tuple[str, int, int], ...] = ()
    after: Place | None = None
    replayed: int = 0


@dataclass(frozen=True, slots=True)
class RebuiltAll:
    """What a rebuild did. `resumed`: it went on where an earlier one had been cut off.

    `left_out`: records that were not taken, since retention had dropped what they correct or repeat.
    """

    epoch: int
    records: int
    partitions: int
    resumed: bool
    left_out: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


def rebuild_all(settings: Settings, stack: StackFile, partitions: int | None) -> RebuiltAll:
    """Make the state of all agents anew under the epoch of the settings.

    Raises:
        WrongInput: The epoch is not a new one, workers run, or the partitions would become fewer.
        Unreachable: Broker or store do not answer, or nothing takes the records.
    """
    with closing(gate_client(stack)) as client:
        migrate(client)
        note, resumed = _noted(settings, client, stack.kafka, partitions)
        if not note.prepared:
            note = _prepared(settings, stack, note)
        epochs.begin(client, note.epoch)
        epochs.begins_at(client, note.epoch, note.offsets)
        with _processes(settings, note.epoch, ("worker", "sink")) as alive:
            note = asyncio.run(_replay(settings, client, stack.kafka, note, alive))
            with progress("processing", None) as bar:
                settle(stack.kafka, alive=alive, progress=bar.missing)
        epochs.end(client, note.epoch)
        epochs.forget_before(client, note.epoch)
        left = passed_over(client, topics=_replayed(note))
    (settings.data / _NOTE).unlink(missing_ok=True)
    return RebuiltAll(note.epoch, note.replayed, note.partitions, resumed, left)


def rebuild_embedded(stack: StackFile, settings: Settings, partitions: int | None) -> RebuiltAll:
    """Let an embedded stack go on in a new broker, rebuilt from the history; returns when views show it.

    Raises WrongInput for another number of partitions, Unreachable where the stack stops meanwhile.
    """
    if partitions is not None:
        raise WrongInput("An embedded stack makes its topics itself: --partitions is for servers of your own.")
    os.kill(stack.pid, ROTATE)
    with progress("rebuilding", None):
        while True:
            if not is_alive(stack.pid):
                raise Unreachable(
                    "The stack stopped before the rebuild was complete: start it again, it rebuilds then."
                )
            now = running(settings.data)
            if now is not None and now.epoch > stack.epoch and now.ready and not now.moving:
                break
            time.sleep(_LOOK_S)
    with closing(gate_client(now)) as client:
        records, left = count(client), passed_over(client)
    partitions_now = usual_partitions(partition_counts(now.kafka))
    return RebuiltAll(now.epoch, records, partitions_now, resumed=False, left_out=left)


def _noted(settings: Settings, client: Client, bootstrap: str, partitions: int | None) -> tuple[Note, bool]:
    """Where to go on, or begin."""
    path = settings.data / _NOTE
    counts = partition_counts(bootstrap)
    wanted = partitions or usual_partitions(counts)
    known = [int(epoch) for (epoch,) in client.query("SELECT epoch FROM epochs FINAL ORDER BY epoch").result_rows]
    ended = epochs.current(client) or 0
    if settings.epoch <= ended:
        raise WrongInput(
            f"Epoch {ended} of the store is complete: stop workers and sink, set QUAYSIDE_EPOCH to {max(known) + 1} "
            "for the rebuild and from then on for workers and sink, and run `quayside rebuild` again."
        )
    if path.exists():
        note = msgspec.json.decode(path.read_bytes(), type=Note)
        if note.epoch == settings.epoch and partitions in {None, note.partitions}:
            return note, True
    if settings.epoch in known:
        raise WrongInput(
            f"Epoch {settings.epoch} was begun by a rebuild of which {path} has no note: set QUAYSIDE_EPOCH to "
            f"{max(known) + 1}, and run `quayside rebuild` again."
        )
    most = max((counts.get(topic, 0) for topic in facts_of_agents()), default=0)
    if wanted < most:
        raise WrongInput(
            f"The fact topics have {most} partitions, and Kafka takes none away: give --partitions {most} or more, or "
            "rebuild into an empty broker."
        )
    return Note(settings.epoch, wanted), False


def _prepared(settings: Settings, stack: StackFile, note: Note) -> Note:
    """Make the broker ready: topics without state, and offsets of what the history holds already."""
    bootstrap = stack.kafka
    deadline = time.monotonic() + _LEAVING_S
    while members_of(bootstrap, WORKER_GROUP):
        if time.monotonic() < deadline:
            time.sleep(_LOOK_S)
            continue
        raise WrongInput("Workers are running: stop them (and the sink) before the rebuild; it starts its own.")
    facts = [topic.name for topic in of_kind("fact")]
    there = set(partition_counts(bootstrap))
    if not note.offsets and there.intersection(facts):
        _drain(settings, stack, note.epoch)
        ends = ends_of(bootstrap, facts)
        note = _keep(
            settings, msgspec.structs.replace(note, offsets=tuple((*place, end) for place, end in ends.items()))
        )
    derived = [topic.name for topic in of_kind("forward", "contribution", "state", "view")]
    forget_offsets(bootstrap, HISTORY_GROUP, derived)
    delete_topics(bootstrap, derived)
    grow_topics(bootstrap, [topic.name for topic in of_kind("fact", "account")], note.partitions)
    create_topics(bootstrap, partitions=note.partitions)
    read = facts_of_agents()
    goes_on = {(topic, number): offset for topic, number, offset in note.offsets if topic in read}
    set_offsets(bootstrap, WORKER_GROUP, goes_on)
    asyncio.run(_write_headers(bootstrap, note))
    return _keep(settings, msgspec.structs.replace(note, prepared=True))


def _drain(settings: Settings, stack: StackFile, epoch: int) -> None:
    """Let the history take everything under the epoch before."""
    with closing(gate_client(stack)) as client:
        latest = epochs.current(client)
    if latest is None or not lag(stack.kafka).history:
        return
    with _processes(settings, latest, ("sink",)) as alive, progress("storing", None) as bar:
        while left := lag(stack.kafka).history:
            bar.missing(left)
            if not alive():
                raise Unreachable(f"The sink of epoch {latest} ended before the rebuild of {epoch} could begin.")
            time.sleep(_LOOK_S)


async def _write_headers(bootstrap: str, note: Note) -> None:
    """Offsets without a header mean that a changelog was lost (streams.recovery): here they mean the history."""
    sender = Sender(bootstrap, "quayside-rebuild")
    try:
        for rules in DERIVATIONS:
            header = Codec(rules().payload, rules().base).header(note.epoch)
            for number in range(note.partitions):
                await sender.send_to(f"{rules().name}.facts", number, [header])
    finally:
        await sender.stop()


async def _replay(settings: Settings, client: Client, bootstrap: str, note: Note, alive: Callable[[], bool]) -> Note:
    topics = _replayed(note)
    total = count(client, topics=topics)
    sender = Sender(bootstrap, "quayside-rebuild")
    try:
        with progress("replaying", total) as bar:
            bar.advance(note.replayed)
            chunks = replay(client, topics=topics, after=note.after)
            while chunk := await asyncio.to_thread(next, chunks, None):
                alive()
                await sender.send((one.topic, Record(one.key, one.raw, (one.header,))) for one in chunk)
                done = note.replayed + len(chunk)
                note = _keep(settings, msgspec.structs.replace(note, after=chunk[-1].place, replayed=done))
                bar.advance(len(chunk))
    finally:
        await sender.stop()
    return note


def _replayed(note: Note) -> tuple[str, ...]:
    """The topics that are replayed: a broker that has records of its own keeps those that no agent reads."""
    return facts_of_agents() if note.offsets else tuple(topic.name for topic in of_kind("fact"))


@contextmanager
def _processes(settings: Settings, epoch: int, names: tuple[str, ...]) -> Iterator[Callable[[], bool]]:
    """Run processes of our own for this epoch; what is yielded raises when one of them has ended."""
    logs = settings.data / "logs"
    try:
        logs.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(settings.data, error) from None
    children = [_child(settings, epoch, name, logs / f"rebuild-{name}.log") for name in names]

    def alive() -> bool:
        for child in children:
            code = child.exit_code()
            if code is not None:
                raise _ended(child, code)
        return True

    try:
        for child in children:
            child.start()
        yield alive
    finally:
        for child in children:
            child.stop(_GRACE_S)


def _child(settings: Settings, epoch: int, name: str, log: Path) -> Child:
    arguments = [name, "--supervised", "--data", str(settings.data)]
    if name == "worker":
        arguments += ["--instance", f"rebuild-{os.getpid()}"]
    return Child(name, arguments, log, {"QUAYSIDE_EPOCH": str(epoch)})


def _ended(child: Child, code: int) -> QuaysideError:
    if code in {WrongInput.exit_code, Unreachable.exit_code}:
        return error_of(code, child.last_words())
    return QuaysideError(f"The {child.name} of the rebuild ended ({child.last_words()}): run the rebuild again.")


def _keep(settings: Settings, note: Note) -> Note:
    """Note how far it came, on disk when this returns."""
    path = settings.data / _NOTE
    fresh = path.with_suffix(".new")
    try:
        settings.data.mkdir(parents=True, exist_ok=True)
        with fresh.open("wb") as file:
            file.write(msgspec.json.encode(note))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        raise unwritable(settings.data, error) from None
    return note
