"""Tries every query of the dashboards and alert rules on a store, as Grafana would put it, and tells what is wrong.

Each panel, variable, annotation and rule is asked twice: as it is when its dashboard is opened, and with one value
chosen in every variable, so that the conditions of choices are seen by the engine too.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from dashboards import lint
from dashboards.board import ALL
from dashboards.inventory import PlacedQuery, every_query, missing_columns
from dashboards.macros import View, expand
from dashboards.names import AT_FIRST
from dashboards.panels import Json
from schemas.errors import WrongInput
from schemas.times import DAY_MS, HOUR_MS, MINUTE_MS

PIXELS: Final = 1_000
"""How wide a panel is taken to be: with so many points the width of a bucket is chosen."""

MOST_ROWS: Final = 50_000
"""More than a browser draws."""

_SPANS: Final = {"m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}
_SINCE: Final = re.compile(r"now-(\d+)([mhd])")
_A_SHIPMENT: Final = """
SELECT shipment_id FROM shipments_now ORDER BY late_now DESC, lines > 0 DESC, length(orders) > 0 DESC, shipment_id
LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the store answered. `columns`: name -> ClickHouse type, in order."""

    columns: Mapping[str, str]
    rows: Sequence[Sequence[Any]]


Ask = Callable[[str], Answer]
"""Puts a statement to the store; raises WrongInput with the engine's own words."""


@dataclass(frozen=True, slots=True)
class EmptyPanel:
    """A panel without data, and the reason that it shows."""

    panel: str
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """What was tried and what came of it. `rows`: of all queries together, as the dashboards are when opened."""

    dashboards: int
    rules: int
    queries: int
    rows: int
    empty_panels: tuple[EmptyPanel, ...]
    errors: tuple[str, ...]


@dataclass(slots=True)
class _Trial:
    rows: int = 0
    empty: list[EmptyPanel] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def check(ask: Ask, boards: Sequence[Json], rule_files: Sequence[Json], now_ms: int) -> Report:
    """Try everything at this moment (ms); a rule that is broken (`dashboards.lint`) is an error as well."""
    ask = _remembering(ask)
    trial = _Trial()
    trial.errors += map(str, lint.check(boards, rule_files))
    asked = 0
    for board in boards:
        queries = every_query([board])
        view = opened(ask, board, now_ms, trial.errors)
        asked += len(queries)
        for query in queries:
            answer = _tried(ask, query, view, trial)
            if answer is not None:
                trial.rows += len(answer.rows)
                if query.place == "panel" and not _shows(answer):
                    _note_empty(query, trial)
            _tried(ask, query, _chosen(view), trial)
    rules = every_query([], rule_files)
    for query in rules:
        answer = _tried(ask, query, View(now_ms - HOUR_MS, now_ms), trial)
        if answer is not None:
            trial.rows += len(answer.rows)
            trial.errors += (f"{query.name}: {what}" for what in _unfit_for_alerts(answer))
    return Report(
        len(boards),
        sum(len(group["rules"]) for file in rule_files for group in file["groups"]),
        asked + len(rules),
        trial.rows,
        tuple(trial.empty),
        tuple(dict.fromkeys(trial.errors)),
    )


def opened(ask: Ask, board: Json, now_ms: int, errors: list[str]) -> View:
    """A dashboard as it is when opened, with a shipment chosen; what keeps its variables from being filled is noted."""
    since = _SINCE.fullmatch(board["time"]["from"])
    span = int(since.group(1)) * _SPANS[since.group(2)] if since else DAY_MS
    view = View(now_ms - span, now_ms, max(span // 1000 // PIXELS, 60), dict(AT_FIRST), {})
    options: dict[str, Sequence[str]] = {}
    for query in every_query([board]):
        if query.place != "variable":
            continue
        try:
            rows = ask(expand(query.sql, view)).rows
        except WrongInput as error:
            errors.append(f"{query.name}: {error}")
            continue
        options[query.name.rpartition(" ")[2]] = [str(value) for (value, *_) in rows]
    shipments = ask(_A_SHIPMENT).rows
    chosen = dict(AT_FIRST) | ({"shipment_id": str(shipments[0][0])} if shipments else {})
    return replace(view, chosen=chosen, options=options)


def _remembering(ask: Ask) -> Ask:
    """Asks each statement once: the same variables stand on every dashboard."""
    known: dict[str, Answer | WrongInput] = {}

    def once(sql: str) -> Answer:
        if sql not in known:
            try:
                known[sql] = ask(sql)
            except WrongInput as error:
                known[sql] = error
        told = known[sql]
        if isinstance(told, WrongInput):
            raise told
        return told

    return once


def _chosen(view: View) -> View:
    """The same with the first value of every list chosen."""
    firsts = {name: values[0] for name, values in view.options.items() if values}
    return replace(view, chosen={**view.chosen, **firsts, **_odd(view, firsts)})


def _odd(view: View, firsts: Mapping[str, str]) -> dict[str, str]:
    """For lists that have no values: one that there is not, with a character that has to be quoted."""
    return {name: "it's none" for name, value in view.chosen.items() if value == ALL and name not in firsts}


def _tried(ask: Ask, query: PlacedQuery, view: View, trial: _Trial) -> Answer | None:
    try:
        answer = ask(expand(query.sql, view))
    except WrongInput as error:
        trial.errors.append(f"{query.name}: {error}")
        return None
    trial.errors += (f"{query.name}: {what}" for what in missing_columns(query, answer.columns))
    if len(answer.rows) > MOST_ROWS:
        trial.errors.append(f"{query.name}: it returns {len(answer.rows)} rows, more than a browser draws")
    return answer


def _shows(answer: Answer) -> bool:
    """Whether there is anything to be drawn: a row, and in it something that is not NULL."""
    return any(value is not None for row in answer.rows for value in row)


def _note_empty(query: PlacedQuery, trial: _Trial) -> None:
    if query.empty:
        trial.empty.append(EmptyPanel(query.name, query.empty))
    else:
        trial.errors.append(f"{query.name}: it is empty and does not say why")


def _unfit_for_alerts(answer: Answer) -> Iterator[str]:
    """What makes Grafana fail the whole rule: two rows with the same labels, or a value that is none."""
    numbers = [at for at, kind in enumerate(answer.columns.values()) if "Float" in kind or "Int" in kind]
    labels = [tuple(value for at, value in enumerate(row) if at not in numbers) for row in answer.rows]
    if len(set(labels)) < len(labels):
        yield "two of its rows have the same labels"
    if any(row[at] is None for row in answer.rows for at in numbers):
        yield "one of its values is NULL"
