"""`quayside publish --map`: the rows of a file, made into events by a mapping, through the door and published."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from importlib.resources import files
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

from deploy.command.reach import stack_of
from deploy.door import Door, Line
from deploy.gate_client import gate_client, rows
from deploy.mapped_excel import excel_rows
from deploy.mapped_files import RowsRead, csv_rows, digest_of, ndjson_rows, opened
from deploy.progress import Bar, progress, settled
from deploy.publisher import Publisher
from deploy.spool import Spooled
from schemas.derived import encode
from schemas.errors import WrongInput
from schemas.mapping.checking import misplaced
from schemas.mapping.model import Format, Mapping
from schemas.mapping.reading import read_mapping
from schemas.mapping.rows import NOTES, Made, Mapper, Unmapped, require_columns
from schemas.times import wall_clock

FIRST: Final = 10
"""So many events a dry run shows."""

_LATE_SINCE: Final = files("deploy").joinpath("sql/late_since.sql").read_text(encoding="utf-8")
_BATCH: Final = 1_000
_SHOWN: Final = 20
_ENDINGS: Final[dict[str, Format]] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".xlsx": "excel",
    ".xlsm": "excel",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".json": "ndjson",
}


@dataclass(slots=True)
class Mapped:
    """What became of a file. `read`: rows that are not blank; `accepted`: events; `refused`: rows told as unmapped.

    `late`: of the accepted, how many came after their period had closed; known only where it was waited for.
    `first`: the first events, of a dry run. `sentences`: the first refusals, and what else people have to know.
    """

    read: int = 0
    blank: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    accepted: int = 0
    refused: int = 0
    late: int = 0
    by_type: Counter[str] = field(default_factory=Counter)
    notes: dict[str, int] = field(default_factory=dict)
    sentences: list[str] = field(default_factory=list)
    first: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self, *, dry_run: bool) -> dict[str, Any]:
        """Ready for JSON; the keys are explained in docs/mapping.md."""
        return {
            "dry_run": dry_run,
            "read": self.read,
            "blank": self.blank,
            "skipped": dict(self.skipped),
            "accepted": self.accepted,
            "refused": self.refused,
            "late": self.late,
            "by_type": dict(sorted(self.by_type.items())),
            "notes": dict(self.notes),
            "sentences": self.sentences,
            "events": self.first,
        }

    def lines(self, *, dry_run: bool) -> Iterator[str]:
        """For people: the first events of a dry run, and the sums."""
        for event in self.first:
            yield json.dumps(event, ensure_ascii=False, indent=2)
        skipped = "".join(f", {count} skipped ({reason})" for reason, count in self.skipped.items())
        by_type = ", ".join(f"{count} {kind}" for kind, count in sorted(self.by_type.items()))
        made = f"{self.accepted} events" + (f" ({by_type})" if by_type else "")
        if dry_run:
            shown = f"the first {len(self.first)} are shown, " if self.accepted > len(self.first) else ""
            end = f"{made} would be published, {self.refused} rows refused; {shown}nothing was published"
        else:
            end = f"{made} accepted, {self.refused} rows refused" + (" (see dead_letters)" if self.refused else "")
        yield f"{self.read} rows read{skipped}: {end}"


def load_mapping(path: Path) -> Mapping:
    """The mapping in a file. Raises WrongInput."""
    with opened(path) as file:
        return read_mapping(str(path), file.read())


def publish_mapped(file: Path, map_file: Path, data: Path | None, *, wait: bool, history: bool = False) -> Mapped:
    """Publish what the rows of a file make; `history`: a backlog, whose old days count as open.

    Raises WrongInput for a mapping or a file that is wrong as a whole, Unreachable.
    """
    work = _Work(file, load_mapping(map_file))
    settings, stack = stack_of(data)
    with closing(gate_client(stack)) as store:
        began = wall_clock()
        spool = settings.data / "spool" if stack.embedded else None
        publisher = Publisher(stack.kafka, spool, "publish" if history else None)
        said = asyncio.run(_publish(work, Door(store), publisher))
        if wait:
            settled(stack)
            told = (str(value).encode() for (value,) in rows(store, _LATE_SINCE, {"since": began}))
            work.outcome.late = sum(hash(value) in said for value in told)
    if work.outcome.late:
        work.outcome.sentences.append(
            f"{work.outcome.late} events came too late to be applied, since their days have closed (QUAYSIDE_HORIZON): "
            "they are in late_records. Load old history with --history."
        )
    return work.outcome


def dry_run(file: Path, map_file: Path) -> Mapped:
    """What the rows of a file would make, by themselves: nothing is published, and no stack is asked.

    Raises WrongInput for a mapping or a file that is wrong as a whole.
    """
    work = _Work(file, load_mapping(map_file))
    door = Door(None)
    with progress("reading", None) as bar:
        for accepted, _ in work.batches(door, bar):
            room = max(0, FIRST - len(work.outcome.first))
            work.outcome.first.extend(json.loads(told.value) for told in accepted[:room])
    return work.outcome


class _Work:
    """One file, from its rows to records."""

    def __init__(self, file: Path, mapping: Mapping) -> None:
        if str(file) == "-":
            raise WrongInput("With --map a file is needed, not stdin: its rows are told by file and line.")
        self.outcome: Final = Mapped()
        self._file: Final = file
        self._digest: Final = digest_of(file)
        self._read: Final = _rows_of(file, mapping)
        self._mapper: Final = Mapper(mapping, file.stat().st_mtime_ns // 1_000_000)
        self._refused: Final[set[int]] = set()
        self._untold = 0
        self.outcome.sentences.extend(self._read.told)

    def batches(self, door: Door, bar: Bar) -> Iterator[tuple[list[Spooled], list[Spooled]]]:
        """The records of events and of dead letters, batch by batch; the outcome is whole when there are no more."""
        made = chain(
            (told for row in self._read.rows for told in self._mapper.take(row)),
            self._mapper.finish(),
        )
        while batch := list(islice(made, _BATCH)):
            yield self._judged(batch, door)
            bar.advance(len(batch))
        sums, outcome = self._mapper.sums, self.outcome
        outcome.read, outcome.blank, outcome.skipped = sums.rows, self._read.blank, dict(sums.skipped)
        if self._untold:
            outcome.sentences.append(f"... and {self._untold} more refused: see dead_letters")
        for kind, (count, first) in sums.notes.items():
            outcome.notes[kind] = count
            outcome.sentences.append(
                f"{count} {NOTES[kind]}: {'; '.join(first)}{'; ...' if count > len(first) else ''}"
            )

    def _judged(self, batch: list[Made | Unmapped], door: Door) -> tuple[list[Spooled], list[Spooled]]:
        now = wall_clock()
        made = [told for told in batch if isinstance(told, Made)]
        unmapped = [told for told in batch if isinstance(told, Unmapped)]
        decision = door.decide((Line(at, told.raw) for at, told in enumerate(made)), now)
        refused = {told.line.number for told in decision.refused}
        for told in decision.refused:
            event = made[told.line.number]
            unmapped += [
                Unmapped(row, told.rejection.reason, told.rejection.field, grouped=len(event.rows) > 1)
                for row in event.rows
            ]
        self.outcome.by_type.update(told.type for at, told in enumerate(made) if at not in refused)
        self.outcome.accepted += len(decision.accepted)
        told_once = _one_of_each_row(unmapped)
        for one in told_once:
            self._refuse(one)
        letters = [one.dead_letter(str(self._file), self._digest, now) for one in told_once]
        return decision.accepted, [Spooled("dead.letters", one.topic.encode(), encode(one)) for one in letters]

    def _refuse(self, told: Unmapped) -> None:
        self._refused.add(told.row.number)
        self.outcome.refused = len(self._refused)
        if len(self.outcome.sentences) < _SHOWN:
            self.outcome.sentences.append(f"{self._file}:{told.row.place}: {told.reason}")
        else:
            self._untold += 1


async def _publish(work: _Work, door: Door, publisher: Publisher) -> set[int]:
    """Publish it all; the hashes of the events that were accepted."""
    said: set[int] = set()
    try:
        with progress("publishing", None) as bar:
            batches = work.batches(door, bar)
            while (batch := await asyncio.to_thread(next, batches, None)) is not None:
                accepted, letters = batch
                await publisher.accept([*accepted, *letters])
                said.update(hash(told.value) for told in accepted)
    finally:
        await publisher.close()
    return said


def _one_of_each_row(unmapped: list[Unmapped]) -> list[Unmapped]:
    """What is told of a row at several places, put together: it is one dead letter."""
    found: dict[tuple[int, bool], Unmapped] = {}
    for told in sorted(unmapped, key=lambda one: (one.row.number, one.grouped)):
        before = found.get((told.row.number, told.grouped))
        reason = told.reason if before is None else f"{before.reason} {told.reason}"
        found[told.row.number, told.grouped] = (before or told)._replace(reason=reason)
    return list(found.values())


def _rows_of(file: Path, mapping: Mapping) -> RowsRead:
    """The rows of the file, of whatever kind it is. Raises WrongInput."""
    told = mapping.file
    kind = told.format or _ENDINGS.get(file.suffix.lower())
    if kind is None:
        raise WrongInput(f"{file}: The end of the name does not say what it is: write `format: csv` (excel, ndjson).")

    if sentence := misplaced(told, kind):
        raise WrongInput(f"{file}: In the mapping, {sentence}")

    def require(header: Any, hint: str) -> None:
        require_columns(str(file), mapping, list(header), hint)

    if kind == "csv":
        return csv_rows(file, told.encoding, told.delimiter, told.header_row, require)
    if kind == "excel":
        return excel_rows(file, told.sheet, told.header_row, require)
    return ndjson_rows(file, told.each, require)
