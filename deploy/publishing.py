"""Publishing files: lines of NDJSON through the door, and the SCMS delivery history through its adapter."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Any, Final

from deploy.arriving import arriving
from deploy.command.reach import stack_of
from deploy.door import Door, Line
from deploy.gate_client import gate_client, rows
from deploy.progress import progress, settled
from deploy.publisher import Publisher
from deploy.settings import Settings
from deploy.spool import Spooled
from deploy.stackfile import StackFile
from schemas.derived import encode
from schemas.errors import WrongInput
from schemas.scms import ScmsReport, read_scms
from schemas.times import wall_clock

_LATE_SINCE: Final = files("deploy").joinpath("sql/late_since.sql").read_text(encoding="utf-8")
_BATCH: Final = 1_000
_SHOWN: Final = 20
_SNIFFED_LINES: Final = 20


@dataclass(slots=True)
class Published:
    """What became of a file of lines. `sentences`: the first refusals, and how many more there are.

    `late`: of the accepted, how many came after their period had closed; known only where it was waited for.
    """

    read: int = 0
    accepted: int = 0
    refused: int = 0
    late: int = 0
    sentences: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of an SCMS file. `odd_file`: where each odd cell stands."""

    report: ScmsReport
    published: int
    dead: int
    odd_file: Path

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON: the report's sums, without each odd cell."""
        told = self.report
        return {
            "file": told.file,
            "rows": told.rows,
            "mapped": told.mapped,
            "unmapped": told.unmapped,
            "blank": told.blank,
            "orders": told.orders,
            "shipments": told.shipments,
            "events": self.published,
            "events_by_type": dict(told.events),
            "dead_letters": self.dead,
            "odd": told.counts(),
            "odd_file": str(self.odd_file),
        }

    def lines(self) -> Iterator[str]:
        """The report as text."""
        told = self.report
        yield f"{told.rows} rows read: {told.mapped} made into events, {told.unmapped} into dead letters"
        by_type = ", ".join(f"{count} {kind}" for kind, count in told.events.items())
        yield f"{self.published} events published ({by_type})"
        yield f"{told.orders} orders, {told.shipments} shipments"
        counts = told.counts()
        if counts:
            yield "odd in the file (each cell: " + str(self.odd_file) + ")"
            width = max(map(len, counts))
            for kind, count in counts.items():
                yield f"  {kind:{width}} {count:>7}"


def publish_lines(name: str, data: Path | None, *, wait: bool, history: bool = False) -> Published:
    """Publish a file of NDJSON (`-`: stdin); `history`: a backlog, whose old days count as open.

    Raises WrongInput for what is no such file, Unreachable.
    """
    settings, stack = stack_of(data)
    outcome = Published()
    with closing(gate_client(stack)) as store, _opened(name) as descriptor:
        door = Door(store)
        publisher = _publisher(settings, stack, "publish" if history else None)
        began = wall_clock()
        said = asyncio.run(_publish(arriving(descriptor, _BATCH), door, outcome, name, publisher))
        if wait:
            settled(stack)
            told = (str(value).encode() for (value,) in rows(store, _LATE_SINCE, {"since": began}))
            outcome.late = sum(hash(value) in said for value in told)
    if outcome.late:
        outcome.sentences.append(
            f"{outcome.late} events came too late to be applied, since their days have closed (QUAYSIDE_HORIZON): they "
            "are in late_records. Load old history with --history."
        )
    return outcome


def replay_delivery(file: Path, data: Path | None, *, wait: bool, shuffle: int | None) -> Replayed:
    """Publish the SCMS delivery history. Raises WrongInput for what is no such file, Unreachable."""
    settings, stack = stack_of(data)
    delivery = read_scms(file)
    now = wall_clock()
    records = [Spooled(told.topic, told.key.encode(), told.raw) for told in delivery.events]
    letters = [
        Spooled("dead.letters", letter.topic.encode(), encode(letter))
        for letter in (row.dead_letter(now) for row in delivery.unmapped)
    ]
    if shuffle is not None:
        random.Random(shuffle).shuffle(records)  # noqa: S311  # an order, no secret
    asyncio.run(_send([*records, *letters], _publisher(settings, stack, "scms")))
    if wait:
        settled(stack)
    odd_file = settings.data / "replays" / f"{file.stem}.odd.json"
    odd_file.parent.mkdir(parents=True, exist_ok=True)
    odd_file.write_text(json.dumps(delivery.report.as_dict(), indent=1, ensure_ascii=False))
    return Replayed(delivery.report, len(records), len(letters), odd_file)


def _publisher(settings: Settings, stack: StackFile, load: str | None) -> Publisher:
    """With a spool where the broker keeps nothing itself."""
    return Publisher(stack.kafka, settings.data / "spool" if stack.embedded else None, load)


async def _publish(
    lines: AsyncIterator[list[Line]], door: Door, outcome: Published, name: str, publisher: Publisher
) -> set[int]:
    """Publish the lines as they come, and count them in the outcome; the hashes of those that were accepted."""
    said: set[int] = set()
    shown = "stdin" if name == "-" else name
    try:
        with progress("publishing", None) as bar:
            async for batch in lines:
                _refuse_other_files(batch, name)
                now = wall_clock()
                decision = await asyncio.to_thread(door.decide, batch, now)
                await publisher.accept(
                    [*decision.accepted, *(refused.dead_letter(shown, now) for refused in decision.refused)]
                )
                outcome.accepted += len(decision.accepted)
                said.update(hash(told.value) for told in decision.accepted)
                outcome.refused += len(decision.refused)
                outcome.read += len(decision.accepted) + len(decision.refused)
                room = max(0, _SHOWN - len(outcome.sentences))
                outcome.sentences.extend(refused.sentence(shown) for refused in decision.refused[:room])
                bar.advance(len(batch))
    finally:
        await publisher.close()
    if outcome.refused > len(outcome.sentences):
        outcome.sentences.append(f"... and {outcome.refused - len(outcome.sentences)} more: see dead_letters")
    return said


async def _send(records: Sequence[Spooled], publisher: Publisher) -> None:
    try:
        with progress("publishing", len(records)) as bar:
            for batch in _batches(records):
                await publisher.accept(batch)
                bar.advance(len(batch))
    finally:
        await publisher.close()


def _batches(items: Iterable[Any]) -> Iterator[list[Any]]:
    remaining = iter(items)
    while batch := list(islice(remaining, _BATCH)):
        yield batch


def _refuse_other_files(batch: list[Line], name: str) -> None:
    """Raise WrongInput for a file whose first lines are no JSON objects at all: it is of another kind."""
    if batch[0].number != 1:
        return
    first = [line.raw.strip() for line in batch[:_SNIFFED_LINES] if line.raw.strip()]
    if first and (any(b"\x00" in raw for raw in first) or not any(raw.startswith(b"{") for raw in first)):
        raise WrongInput(
            f"{name} is not NDJSON: its lines are no JSON objects. Write one event per line, as docs/events.md shows."
        )


@contextmanager
def _opened(name: str) -> Iterator[int]:
    """The file's descriptor."""
    if name == "-":
        yield 0
        return
    with ExitStack() as stack:
        try:
            file = stack.enter_context(Path(name).open("rb", buffering=0))
        except OSError as error:
            raise WrongInput(f"{name} cannot be read: {error.strerror}. Check the path.") from None
        yield file.fileno()
