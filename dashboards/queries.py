"""The queries behind panels, variables, annotations and alert rules: one .sql file each, by name.

A file begins with comment lines that say what it returns; they stay in the file, since the read-only gate
and Grafana's macro expansion are to see nothing but the statement.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from schemas.errors import WrongInput

_COMMENT: Final = "--"
_FOLDER: Final = "queries"


@dataclass(frozen=True, slots=True)
class Query:
    """One named query. `returns`: its comment, in one line. `sql`: the statement, macros unexpanded."""

    name: str
    returns: str
    sql: str


@cache
def load(name: str) -> Query:
    """The query in dashboards/queries/NAME.sql; WrongInput where it is missing or has no comment."""
    file = files("dashboards").joinpath(_FOLDER, f"{name}.sql")
    if not file.is_file():
        raise WrongInput(f"there is no query {name!r}: add dashboards/queries/{name}.sql")
    lines = file.read_text(encoding="utf-8").splitlines()
    start = next((at for at, line in enumerate(lines) if not line.startswith(_COMMENT)), len(lines))
    returns = " ".join(line.removeprefix(_COMMENT).strip() for line in lines[:start])
    sql = "\n".join(lines[start:]).strip()
    if not returns or not sql:
        raise WrongInput(f"the query {name!r} must begin with a comment line of what it returns, and have a statement")
    return Query(name, returns, sql)


def names() -> tuple[str, ...]:
    """The names of all queries, sorted."""
    found = files("dashboards").joinpath(_FOLDER).iterdir()
    return tuple(sorted(file.name.removesuffix(".sql") for file in found if file.name.endswith(".sql")))
