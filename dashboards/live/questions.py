"""What a dashboard asks of the store: the statement behind one of its panels, variables or annotations.

Pure. The dashboards are the generated JSON that Grafana reads too; the statement is expanded as Grafana would
(dashboards.macros). Nobody can ask anything else: a question names a dashboard and a place in it, never SQL.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal

import msgspec

from dashboards.macros import View, expand
from schemas.errors import WrongInput

Json = dict[str, Any]

MOST_ROWS: Final = 10_000
"""A question answers with so many rows at most; a browser draws no more."""


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One question of a browser. Times in ms since the epoch, `interval_s` in seconds.

    `kind` and `name`: a panel's id (as text) and `ref`, the name of a variable, or that of an annotation.
    `chosen`: what is chosen of each variable; `options`: all values of each query variable.
    """

    dashboard: str
    kind: Literal["panel", "variable", "annotation"]
    name: str
    from_ms: int
    to_ms: int
    ref: str = "A"
    interval_s: int = 60
    chosen: dict[str, tuple[str, ...]] = {}
    options: dict[str, tuple[str, ...]] = {}


@cache
def dashboards() -> Mapping[str, Json]:
    """All generated dashboards by uid, in the order of their titles' folders and files."""
    found = [json.loads(file.read_text(encoding="utf-8")) for file in _generated()]
    return {one["uid"]: one for one in found}


def dashboard(uid: str) -> Json:
    """One dashboard. Raises WrongInput where there is none of this uid."""
    try:
        return dashboards()[uid]
    except KeyError:
        raise WrongInput(f"There is no dashboard {uid!r}: there are {', '.join(dashboards())}.") from None


def statement(question: Question) -> str:
    """The statement that reaches the store. Raises WrongInput for a place that the dashboard does not have."""
    found = _find(dashboard(question.dashboard), question)
    view = View(
        question.from_ms,
        question.to_ms,
        question.interval_s,
        {name: values if len(values) != 1 else values[0] for name, values in question.chosen.items()},
        question.options,
    )
    return expand(found, view)


def _find(board: Json, question: Question) -> str:
    places: Mapping[str, Mapping[str, str]] = {
        "panel": {
            f"{panel['id']}/{target['refId']}": target["rawSql"]
            for panel in board["panels"]
            for target in panel.get("targets", ())
        },
        "variable": {
            f"{one['name']}/A": one["query"]["rawSql"] for one in board["templating"]["list"] if one["type"] == "query"
        },
        "annotation": {f"{one['name']}/A": one["target"]["rawSql"] for one in board["annotations"]["list"]},
    }
    name = f"{question.name}/{question.ref}"
    try:
        return places[question.kind][name]
    except KeyError:
        raise WrongInput(f"The dashboard {question.dashboard!r} has no {question.kind} {name!r}.") from None


def _generated() -> list[Any]:
    """The files, in folders or not; sorted by name."""
    found: list[Any] = []
    waiting = [files("dashboards").joinpath("generated")]
    while waiting:
        for entry in sorted(waiting.pop(0).iterdir(), key=lambda one: one.name):
            if entry.is_dir():
                waiting.append(entry)
            elif entry.name.endswith(".json"):
                found.append(entry)
    return found
