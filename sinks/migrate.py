"""Numbered migrations: the tables and views of the store, the same on a server and on the embedded engine.

Migrations go forward only and are applied in order; each is recorded with its checksum once all of its
statements have run. A migration that was cut off in the middle is run again from its start, so every
statement in it may be repeated (`IF NOT EXISTS`, `OR REPLACE`). Table names in them are unqualified: they
belong to the client's current database.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from clickhouse_connect.driver.client import Client

from schemas.errors import WrongInput

_NAME: Final = re.compile(r"(\d{4})_(\w+)\.sql")

_TOKEN: Final = re.compile(
    r"""
      (?P<comment> --[^\n]* | /\*.*?\*/ )
    | (?P<quoted> '(?:[^'\\]|\\.|'')*' | "(?:[^"\\]|\\.|"")*" | `(?:[^`\\]|\\.|``)*` )
    | (?P<end> ; )
    | (?P<other> . )
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file. `checksum` is SHA-256 over its bytes, in hex."""

    number: int
    name: str
    checksum: str
    statements: tuple[str, ...]


def statements(sql: str) -> tuple[str, ...]:
    """The statements of a script, without comments. A `;` in quotes or in a comment ends nothing."""
    return tuple(statement for statement in _split(sql) if statement)


def known() -> tuple[Migration, ...]:
    """The migrations that this version of Quayside comes with, in order."""
    found = []
    for file in files("sinks").joinpath("migrations").iterdir():
        match = _NAME.fullmatch(file.name)
        if match:
            raw = file.read_bytes()
            checksum = hashlib.sha256(raw).hexdigest()
            found.append(Migration(int(match.group(1)), match.group(2), checksum, statements(raw.decode("utf-8"))))
    return tuple(sorted(found, key=lambda migration: migration.number))


def pending(client: Client) -> tuple[Migration, ...]:
    """The migrations that this store still lacks, in order.

    Raises:
        WrongInput: The store has a migration that this version does not know, or knows differently.
    """
    by_number = {migration.number: migration for migration in known()}
    applied = _applied(client)
    for number, (name, checksum) in applied.items():
        migration = by_number.get(number)
        if migration is None:
            raise WrongInput(
                f"The store has migration {number:04d} ({name}), but this version of Quayside knows only up to "
                f"{max(by_number):04d}: the store was made by a newer version, so install that one or a later one."
            )
        if migration.checksum != checksum:
            raise WrongInput(
                f"Migration {number:04d} ({name}) of the store is not the one that this version of Quayside "
                "comes with: use the version that made the store, or rebuild into a new one."
            )
    return tuple(migration for number, migration in by_number.items() if number not in applied)


def migrate(client: Client) -> tuple[Migration, ...]:
    """Bring the store of the client's current database up to date; what was applied now, in order.

    Raises:
        WrongInput: The store comes from a newer version.
    """
    client.command(_MIGRATIONS_TABLE)
    lacking = pending(client)
    for migration in lacking:
        for statement in migration.statements:
            client.command(statement)
        client.insert(
            "migrations",
            [[migration.number, migration.name, migration.checksum]],
            column_names=["number", "name", "checksum"],
            column_type_names=["UInt32", "String", "String"],
            settings={"async_insert": 0},
        )
    return lacking


def store_id(client: Client) -> str:
    """The store's own id, made at its first migration.

    Raises:
        WrongInput: The store has never been migrated.
    """
    if not pending(client):
        rows = client.query("SELECT toString(store_id) FROM store ORDER BY created_at, store_id LIMIT 1")
        for (found,) in rows.result_rows:
            return str(found)
    raise WrongInput("The store's tables are not made, or not up to date: run `quayside migrate` first.")


_MIGRATIONS_TABLE: Final = """
CREATE TABLE IF NOT EXISTS migrations
(
    number UInt32,
    name String,
    checksum String,
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree
ORDER BY number
"""


def _applied(client: Client) -> dict[int, tuple[str, str]]:
    """Name and checksum of each applied migration, by number."""
    if client.command("EXISTS TABLE migrations") != 1:
        return {}
    rows = client.query("SELECT number, name, checksum FROM migrations FINAL ORDER BY number").result_rows
    return {number: (name, checksum) for number, name, checksum in rows}


def _split(sql: str) -> Iterator[str]:
    """Text between statement ends, comments taken out, outer white space stripped."""
    text: list[str] = []
    for token in _TOKEN.finditer(sql):
        if token.lastgroup == "end":
            yield "".join(text).strip()
            text.clear()
        elif token.lastgroup == "comment":
            text.append(" ")
        else:
            text.append(token.group())
    yield "".join(text).strip()
