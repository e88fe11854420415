"""`quayside reference load` and `list`: what is known of sites, items, lanes and sources, out of files."""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from deploy.command.reach import stack_of
from deploy.door import Door, Line
from deploy.gate_client import gate_client, rows
from deploy.kept import sql
from deploy.mapped_excel import excel_rows
from deploy.mapped_files import RowsRead, csv_rows, ndjson_rows, opened
from deploy.progress import settled
from deploy.publisher import Publisher
from deploy.spool import Spooled
from schemas.errors import WrongInput
from schemas.mapping.cells import Fault, Unreadable, text_of
from schemas.mapping.reference import FIELDS, KINDS, SECTIONS, Description, Entry, content_of, described
from schemas.mapping.yaml_lines import Located, read_yaml
from schemas.mapping.yaml_lines import Path as Where
from schemas.times import wall_clock
from schemas.wording import instead, shown

SOURCE: Final = "operator"
"""Who says it, unless another source is named."""

_BATCH: Final = 1_000
_DELIMITERS: Final = (",", ";", "\t")


@dataclass(frozen=True, slots=True)
class Change:
    """A description that differs from what the store has; `was`: empty for what was not described before."""

    description: Description
    was: Mapping[str, Any]
    becomes: Mapping[str, Any]

    def sentence(self) -> str:
        """`site BER-DC: daily_capacity 4000 -> 5000`; what is not said any more becomes -."""
        about = f"{self.description.kind} {self.description.key}"
        if not self.was:
            return f"{about}: new"
        named = [name for name in {**self.was, **self.becomes} if self.was.get(name) != self.becomes.get(name)]
        return f"{about}: " + ", ".join(
            f"{name} {_value(self.was, name)} -> {_value(self.becomes, name)}" for name in named
        )


@dataclass(slots=True)
class Loaded:
    """What became of a file. read = changed + unchanged + refused."""

    read: int = 0
    changed: int = 0
    unchanged: int = 0
    refused: int = 0
    changes: list[Change] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)
    """Each refusal and each warning, with its line."""

    def as_dict(self, *, dry_run: bool) -> dict[str, Any]:
        """Ready for JSON: dry_run, read, changed, unchanged, refused, changes, sentences (docs/mapping.md)."""
        return {
            "dry_run": dry_run,
            "read": self.read,
            "changed": self.changed,
            "unchanged": self.unchanged,
            "refused": self.refused,
            "changes": [change.sentence() for change in self.changes],
            "sentences": self.sentences,
        }


def load_reference(
    file: Path,
    data: Path | None,
    *,
    kind: str | None = None,
    source: str = SOURCE,
    dry_run: bool = False,
    wait: bool = True,
) -> Loaded:
    """Publish the descriptions in a file that differ from what the store has; a dry run publishes nothing.

    `kind`: of all of them, where the file does not say it. Raises WrongInput for what is no such file, Unreachable.
    """
    if kind is not None and kind not in KINDS:
        raise WrongInput(f"--kind {kind} is not known: {instead(kind, KINDS)}")
    entries = list(entries_in(file, kind))
    outcome = Loaded(read=len(entries))
    sound = list(_sound(entries, outcome))
    settings, stack = stack_of(data)
    with closing(gate_client(stack)) as store:
        going = _differing(sound, known_to(store), outcome)
        accepted = _judged(going, source, Door(store), outcome)
    if accepted and not dry_run:
        publisher = Publisher(stack.kafka, settings.data / "spool" if stack.embedded else None)
        asyncio.run(_publish(accepted, publisher))
        if wait:
            settled(stack)
    return outcome


def listed(store: Client, kind: str) -> list[dict[str, Any]]:
    """What is described of a kind, by name. The keys are the columns of deploy/sql/reference_KIND.sql."""
    answer = store.query(sql(f"reference_{kind}"))
    return [dict(zip(answer.column_names, row, strict=True)) for row in answer.result_rows]


def entries_in(file: Path, kind: str | None) -> Iterator[Entry]:
    """The descriptions in a YAML, CSV, Excel or NDJSON file. Raises WrongInput."""
    suffix = file.suffix.lower()
    if suffix in {".yaml", ".yml"}:
        with opened(file) as content:
            yield from _of_yaml(read_yaml(str(file), content.read()), kind)
        return
    known = {name for names in FIELDS.values() for name in names} | {"kind"}

    def require(header: Sequence[str], _hint: str) -> None:
        named = [name for name in header if name]
        for name in named:
            if name not in known:
                raise WrongInput(
                    f"{file} has a column {shown(name)}, which is no field: {instead(name, sorted(known))}"
                )
            if named.count(name) > 1:
                raise WrongInput(f"{file} has more than one column {shown(name)}: leave only the right one.")
        if kind is None and "kind" not in header:
            raise WrongInput(f"{file} has no column kind: say with --kind what it describes ({', '.join(KINDS)}).")

    if suffix in {".csv", ".tsv", ".txt"}:
        read = csv_rows(file, "utf-8", _delimiter(file), 1, require)
    elif suffix in {".xlsx", ".xlsm"}:
        read = excel_rows(file, None, 1, require)
    elif suffix in {".ndjson", ".jsonl", ".json"}:
        read = ndjson_rows(file, None, lambda _header, _hint: None)
    else:
        raise WrongInput(f"{file}: The end of its name has to say what it is: .yaml, .csv, .xlsx or .ndjson.")
    yield from _of_rows(file, read, kind)


def known_to(store: Client) -> dict[str, dict[str, Any]]:
    """What the store has, by entity: the description that counts, without its head."""
    found = ((str(entity), content_of(str(raw).encode())) for entity, raw in rows(store, sql("reference_now")))
    return {entity: said for entity, said in found if said is not None}


def _of_yaml(document: Located, kind: str | None) -> Iterator[Entry]:
    value = document.value
    of_one_kind = isinstance(value, list) and kind is not None
    if of_one_kind:
        value = {name: value for name, one in SECTIONS.items() if one == kind}
    if not isinstance(value, dict) or not value:
        raise WrongInput(f"{document.name} describes nothing: it needs lists named {', '.join(SECTIONS)}.")
    for section, entries in value.items():
        if section not in SECTIONS:
            raise document.wrong((section,), f"`{section}` is no key here: {instead(section, SECTIONS)}")
        if not isinstance(entries, list):
            raise document.wrong(
                (section,), f"`{section}` has to be a list: write each on a line with a dash before it."
            )
        for at, said in enumerate(entries):
            where: Where = (at,) if of_one_kind else (section, at)
            if not isinstance(said, dict) or any(isinstance(one, (list, dict)) for one in said.values()):
                raise document.wrong(where, f"Each of `{section}` is a mapping of names to plain values.")
            yield Entry(f"{document.name}:{document.line(where)}", SECTIONS[section], said)


def _of_rows(file: Path, read: RowsRead, kind: str | None) -> Iterator[Entry]:
    for row in read.rows:
        place = f"{file}:{row.place}"
        if row.problem:
            raise WrongInput(f"{place}: {row.problem}.")
        said: dict[str, str | None] = {}
        for name, cell in row.cells.items():
            if isinstance(cell, Fault):
                raise WrongInput(f"{place}: {name}: {cell.reason}.")
            try:
                said[name] = text_of(cell)
            except Unreadable as error:
                raise WrongInput(f"{place}: {name}: {error.reason}.") from None
        own = said.pop("kind", None)
        told = {name: text for name, text in said.items() if name and text is not None}
        yield Entry(place, own or kind or "", told)


def _delimiter(file: Path) -> str:
    with opened(file) as content:
        first = content.readline(1 << 16).decode("utf-8", "replace")
    return max(_DELIMITERS, key=first.count)


def _sound(entries: Sequence[Entry], outcome: Loaded) -> Iterator[Description]:
    """The descriptions that can be said; each problem and warning goes to the outcome."""
    first: dict[str, str] = {}
    for entry in entries:
        description = described(entry)
        if isinstance(description, str):
            _refuse(outcome, entry.place, description)
            continue
        before = first.setdefault(description.entity, entry.place)
        if before is not entry.place:
            _refuse(outcome, entry.place, f"{description.kind} {description.key} is described already at {before}.")
            continue
        outcome.sentences.extend(f"{entry.place}: warning: {warning}" for warning in description.warnings)
        yield description


def _differing(sound: Sequence[Description], known: Mapping[str, Mapping[str, Any]], outcome: Loaded) -> list[Change]:
    going = []
    for description in sound:
        becomes = content_of(description.event("check", 0)) or {}
        was = known.get(description.entity, {})
        if was == becomes:
            outcome.unchanged += 1
        else:
            going.append(Change(description, was, becomes))
    return going


def _judged(going: Sequence[Change], source: str, door: Door, outcome: Loaded) -> list[Spooled]:
    """What the door takes of it; the rest is refused."""
    now = wall_clock()
    decision = door.decide((Line(at, change.description.event(source, now)) for at, change in enumerate(going)), now)
    refused = {told.line.number for told in decision.refused}
    for told in decision.refused:
        _refuse(outcome, going[told.line.number].description.place, told.rejection.reason)
    outcome.changes = [change for at, change in enumerate(going) if at not in refused]
    outcome.changed = len(outcome.changes)
    return decision.accepted


async def _publish(records: Sequence[Spooled], publisher: Publisher) -> None:
    try:
        for start in range(0, len(records), _BATCH):
            await publisher.accept(records[start : start + _BATCH])
    finally:
        await publisher.close()


def _refuse(outcome: Loaded, place: str, reason: str) -> None:
    outcome.refused += 1
    outcome.sentences.append(f"{place}: {reason}")


def _value(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name)
    return "-" if value is None else json.dumps(value) if isinstance(value, dict) else str(value)
