"""What changed between two contracts, as `quayside contracts export` writes them, and whom it breaks.

Who publishes is broken where an event that was valid is not any more; who reads, where a record can come that the old
schema does not allow, or without something that it promised. Both are one question, asked of the two schemas in
opposite order (schemas/contracts_inclusion.py). What cannot be decided is `unknown`, never `compatible`.
"""

import json
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from schemas.contracts import export_contracts
from schemas.contracts_surfaces import asyncapi_changes, openapi_changes
from schemas.contracts_verdicts import Change, Side, Verdict, schema_changes
from schemas.errors import WrongInput

__all__ = ["CURRENT", "Change", "Comparison", "Contract", "Verdict", "compare", "load_contract"]

CURRENT: Final = "current"
"""Stands for the contract of the running code."""

_ID: Final = re.compile(r"urn:quayside:(event|derived):(.+):v([0-9]+)")
_KINDS: Final[tuple[tuple[str, Literal["publishers", "readers"], str], ...]] = (
    ("events/", "publishers", "event type"),
    ("derived/", "readers", "record"),
)


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract, or one schema of it. `documents`: JSON by file name. `version`: MAJOR.MINOR, or what is known."""

    name: str
    documents: Mapping[str, Any]
    version: str | None
    is_file: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed. `version_ok`: the new version may be published under its number."""

    old_version: str | None
    new_version: str | None
    changes: tuple[Change, ...]

    def count(self, verdict: Verdict) -> int:
        """How many changes have this verdict."""
        return sum(change.verdict == verdict for change in self.changes)

    @property
    def version_ok(self) -> bool:
        """Whether the major version grew, or nothing breaks, nothing is unknown and the version does not go back."""
        old, new = _numbers(self.old_version), _numbers(self.new_version)
        if old and new and new[0] > old[0]:
            return True
        return self.count("breaking") == self.count("unknown") == 0 and not (old and new and new < old)


def load_contract(name: str, export: Callable[[Path], object] = export_contracts) -> Contract:
    """The contract in a directory, the JSON Schema in a file, or (`current`) what `export` writes into a directory.

    Raises WrongInput where there is none.
    """
    if name == CURRENT:
        with tempfile.TemporaryDirectory() as folder:
            export(Path(folder))
            return _of_directory(name, Path(folder))
    path = Path(name)
    if path.is_dir():
        return _of_directory(name, path)
    if not path.is_file():
        raise WrongInput(
            f"There is no contract at {name}: name a directory of `contracts export`, a schema, or `current`."
        )
    schema = _read(path)
    if not isinstance(schema, dict) or not schema.keys() & {"$schema", "$id", "type", "properties", "$ref", "anyOf"}:
        raise WrongInput(
            f"{name} is no JSON Schema: name a file of `contracts export`, such as events/received.schema.json."
        )
    found = _ID.fullmatch(str(schema.get("$id", "")))
    return Contract(name, {path.name: schema}, found[3] if found else None, is_file=True)


def compare(old: Contract, new: Contract) -> Comparison:
    """What changed from one contract to another. Raises WrongInput where there is nothing to compare."""
    if old.is_file or new.is_file:
        return _of_files(old, new)
    own = _own(old.documents)
    changes = [change for kind in _KINDS for change in _schemas(old.documents, new.documents, *kind)]
    changes = [change for change in changes if change.file not in own] + [
        Change("compatible", file, "$", "A record that only Quayside's own agents send each other changed.")
        for file in sorted({change.file for change in changes} & own)
    ]
    for file, changed in (("asyncapi.json", asyncapi_changes), ("openapi.json", openapi_changes)):
        if file in old.documents and file in new.documents:
            changes += changed(file, old.documents[file], new.documents[file])
        elif file in old.documents:
            changes.append(Change("breaking", file, "$", f"{file} was taken away, and what it says with it."))
        elif file in new.documents:
            changes.append(Change("compatible", file, "$", f"{file} was added."))
    return Comparison(old.version, new.version, _ordered(changes))


def _schemas(old: Mapping[str, Any], new: Mapping[str, Any], folder: str, side: Side, called: str) -> Iterator[Change]:
    for file in sorted(name for name in {*old, *new} if name.startswith(folder)):
        kind = file.removeprefix(folder).removesuffix(".schema.json")
        if file not in new:
            yield Change("breaking", file, "$", f"The {called} {kind} was taken away.")
        elif file not in old:
            yield Change("compatible", file, "$", f"The {called} {kind} was added.")
        else:
            yield from schema_changes(file, old[file], new[file], side)


def _own(documents: Mapping[str, Any]) -> frozenset[str]:
    """The files of records that no operation sends or receives: nobody else is broken where they change."""
    talk = documents.get("asyncapi.json")
    if talk is None:
        return frozenset()
    used = {
        str(message.get("$ref", "")).rpartition("/")[2]
        for operation in talk.get("operations", {}).values()
        for message in operation.get("messages", ())
    }
    records = (file for file in documents if file.startswith("derived/"))
    return frozenset(file for file in records if file[len("derived/") :].removesuffix(".schema.json") not in used)


def _of_files(old: Contract, new: Contract) -> Comparison:
    """Two schemas; where one is a whole contract, the schema in it that has the other's $id."""
    one, other = _schema_of(old, new), _schema_of(new, old)
    found = _ID.fullmatch(str(one.get("$id", "")))
    side: Side = "readers" if found and found[1] == "derived" else "publishers"
    changes = schema_changes(old.name if old.is_file else new.name, one, other, side)
    versions = [re.sub(r".*:v([0-9]+)$", r"\1", str(schema.get("$id", ""))) or None for schema in (one, other)]
    return Comparison(versions[0], versions[1], _ordered(changes))


def _schema_of(contract: Contract, beside: Contract) -> dict[str, Any]:
    if contract.is_file:
        (schema,) = contract.documents.values()
        return dict(schema)
    (given,) = beside.documents.values()
    wanted = _ID.fullmatch(str(given.get("$id", "")))
    for schema in contract.documents.values():
        found = _ID.fullmatch(str(schema.get("$id", "")))
        if found and wanted and found.groups()[:2] == wanted.groups()[:2]:
            return dict(schema)
    raise WrongInput(f"{contract.name} has no schema with the $id {given.get('$id')!r} of {beside.name}: name a file.")


def _of_directory(name: str, path: Path) -> Contract:
    files = sorted((*path.glob("events/*.json"), *path.glob("derived/*.json")))
    files += [file for file in (path / "asyncapi.json", path / "openapi.json") if file.is_file()]
    documents = {file.relative_to(path).as_posix(): _read(file) for file in files}
    if not documents:
        raise WrongInput(f"There is no contract in {name}: name a directory that `quayside contracts export` wrote.")
    for file, document in documents.items():
        if not isinstance(document, dict):
            raise WrongInput(f"{path / file} is no JSON object: export the contract again.")
    told = documents.get("asyncapi.json", {}).get("info", {}).get("version")
    return Contract(name, documents, None if told is None else str(told))


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise WrongInput(f"{path} cannot be read as JSON ({error}): export the contract again.") from None


def _numbers(version: str | None) -> tuple[int, ...]:
    parts = (version or "").split(".")
    return tuple(map(int, parts)) if all(part.isdigit() for part in parts) else ()


def _ordered(changes: Iterable[Change]) -> tuple[Change, ...]:
    """What breaks first, then what is unknown, each in the order of the files."""
    ranks: Mapping[Verdict, int] = {"breaking": 0, "unknown": 1, "compatible": 2}
    return tuple(sorted(dict.fromkeys(changes), key=lambda change: ranks[change.verdict]))
