"""Expands a query as Grafana and its ClickHouse plugin would, so that it can run on the engine without them.

Front end first (`$__conditionalAll`, variables), then the plugin's back end (`$__timeFilter` and the like);
the expansions are those of grafana-clickhouse-datasource 4 (pkg/macros/macros.go, src/data/CHDatasource.ts).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from dashboards.board import ALL
from dashboards.names import AT_FIRST
from schemas.errors import WrongInput

_CONDITIONAL: Final = "$__conditionalAll("
_VARIABLE: Final = re.compile(r"\$\{(\w+)(?::(\w+))?\}")
_MACRO: Final = re.compile(r"\$__(\w+)(?:\(([^()]*)\))?")
_NAME: Final = re.compile(r"\$\{?(\w+)\}?")


@dataclass(frozen=True, slots=True)
class View:
    """What a person looks at: a time range (ms since the epoch), the width of a bucket (s), choices.

    `chosen`: for each variable what is chosen: a text, or several; (ALL,) chooses every option. A variable of ours
    that is not in it has what it has when a dashboard is opened.
    `options`: for each query variable all its values, for which ALL stands.
    """

    from_ms: int
    to_ms: int
    interval_s: int = 60
    chosen: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    options: Mapping[str, Sequence[str]] = field(default_factory=dict)


def expand(sql: str, view: View) -> str:
    """The statement that reaches ClickHouse; WrongInput names a macro or variable that nobody knows."""
    return _MACRO.sub(
        lambda found: _backend(found, view),
        _VARIABLE.sub(lambda found: _variable(found, view), _conditional(sql, view)),
    )


def variables(sql: str) -> frozenset[str]:
    """The names of the dashboard variables that a query uses."""
    conditions = re.findall(r",\s*\$\{?(\w+)\}?\s*\)", sql)
    return frozenset(found.group(1) for found in _VARIABLE.finditer(sql)) | frozenset(
        name for name in conditions if not name.startswith("__")
    )


def _conditional(sql: str, view: View) -> str:
    """`$__conditionalAll(condition, $variable)` is the condition, or 1=1 where all or nothing is chosen."""
    while (start := sql.rfind(_CONDITIONAL)) >= 0:
        condition, variable, end = _arguments(sql, start + len(_CONDITIONAL))
        name = _NAME.search(variable)
        if name is None:
            raise WrongInput(f"$__conditionalAll needs a variable, not {variable.strip()!r}, in: {sql}")
        chosen = _chosen(name.group(1), view)
        phrase = "1=1" if ",".join(chosen) in {"", ALL} else condition
        sql = sql[:start] + phrase + sql[end:]
    return sql


def _arguments(sql: str, start: int) -> tuple[str, str, int]:
    """The two arguments that begin at `start`, and the place after the closing bracket."""
    depth, comma, commas = 1, -1, 0
    for at in range(start, len(sql)):
        if sql[at] == "(":
            depth += 1
        elif sql[at] == ")":
            depth -= 1
            if depth == 0 and commas == 1:
                return sql[start:comma], sql[comma + 1 : at], at + 1
        elif sql[at] == "," and depth == 1:
            comma, commas = at, commas + 1
    raise WrongInput(f"$__conditionalAll needs two arguments and a closing bracket, in: {sql}")


def _chosen(name: str, view: View) -> tuple[str, ...]:
    value = view.chosen.get(name, AT_FIRST.get(name))
    if value is None:
        raise WrongInput(f"the query uses the variable {name!r}, which the dashboard does not have")
    return (value,) if isinstance(value, str) else tuple(value)


def _variable(found: re.Match[str], view: View) -> str:
    name, how = found.group(1), found.group(2)
    chosen = _chosen(name, view)
    if chosen == (ALL,):
        chosen = tuple(view.options.get(name, ()))
    if how == "singlequote":
        return ",".join("'" + value.replace("'", "\\'") + "'" for value in chosen)
    raise WrongInput(f"write ${{{name}:singlequote}} instead of {found.group(0)}: it quotes every value")


def _backend(found: re.Match[str], view: View) -> str:
    name, argument = found.group(1), found.group(2)
    if name not in _EXPANSIONS:
        raise WrongInput(f"the macro $__{name} is not one that the ClickHouse plugin knows")
    return _EXPANSIONS[name](view, (argument or "").strip())


def _time(milliseconds: int) -> str:
    return f"toDateTime({milliseconds // 1000})"


_EXPANSIONS: Final[Mapping[str, Callable[[View, str], str]]] = {
    "fromTime": lambda view, _: _time(view.from_ms),
    "toTime": lambda view, _: _time(view.to_ms),
    "timeFilter": lambda view, column: f"{column} >= {_time(view.from_ms)} AND {column} <= {_time(view.to_ms)}",
    "timeInterval": lambda view, column: (
        f"toStartOfInterval(toDateTime({column}), INTERVAL {max(view.interval_s, 1)} second)"
    ),
    "interval_s": lambda view, _: str(max(view.interval_s, 1)),
}
