"""Every query of the dashboards and alert rules, with the place it stands in and what its place needs of it."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from dashboards.panels import Json

Place = Literal["panel", "variable", "annotation", "alert"]

_NUMBER: Final = ("UInt", "Int", "Float", "Decimal")
_TIME: Final = ("DateTime",)
_TEXT: Final = ("String", "FixedString", "Enum")
_LINKED: Final = re.compile(r"\$\{__data\.fields\.(\w+)")
_ANNOTATION: Final = ("time", "timeEnd", "text", "title", "tags")


@dataclass(frozen=True, slots=True)
class PlacedQuery:
    """A query and where it stands. `name`: DASHBOARD / PLACE, for people. `kind`: the panel's type, or the place.

    `shown`: the columns that overrides and links of the panel name. `empty`: what the panel says where there is
    nothing.
    """

    name: str
    place: Place
    kind: str
    sql: str
    format: int
    shown: tuple[str, ...] = ()
    empty: str = ""


def every_query(dashboards: Iterable[Json], rule_files: Iterable[Json] = ()) -> tuple[PlacedQuery, ...]:
    """All queries, in the order of the dashboards and rules."""
    found: list[PlacedQuery] = []
    for board in dashboards:
        found.extend(_of_dashboard(board))
    for file in rule_files:
        found.extend(_of_rules(file))
    return tuple(found)


def missing_columns(query: PlacedQuery, columns: Mapping[str, str]) -> tuple[str, ...]:
    """What the place of a query needs and its answer lacks; `columns`: name -> ClickHouse type, in order.

    Each entry is a sentence; an empty tuple means that the panel, variable or rule can use the answer.
    """
    plain = {name: _plain(kind) for name, kind in columns.items()}
    found = [f"the panel shows a column {name}, which is not there" for name in query.shown if name not in plain]
    numbers = [name for name, kind in plain.items() if kind.startswith(_NUMBER)]
    match query.kind:
        case "stat" | "bargauge" if not numbers:
            found.append("it needs a number")
        case "timeseries" | "heatmap" if not plain.get("time", "").startswith(_TIME) or not numbers:
            found.append("it needs a time in the column time, and a number")
        case "state-timeline" if not plain.get("time", "").startswith(_TIME):
            found.append("it needs a time in the column time")
        case "geomap":
            found += [f"it needs the column {name}" for name in ("latitude", "longitude") if name not in plain]
        case "nodeGraph":
            needed = ("id", "source", "target") if "source" in plain else ("id", "title", "mainstat")
            found += [f"it needs the column {name}" for name in needed if name not in plain]
        case "annotation":
            found += [f"it needs the column {name}" for name in _ANNOTATION if name not in plain]
        case "variable" if len(plain) != 1:
            found.append("it needs one column")
        case "alert" if len(numbers) != 1 or any(
            not kind.startswith(_TEXT) for name, kind in plain.items() if name not in numbers
        ):
            found.append("it needs one number and nothing else but text")
        case _:
            pass
    return tuple(found)


def shown_columns(panel: Json) -> tuple[str, ...]:
    """The columns that a panel's overrides name."""
    overrides: Sequence[Json] = panel.get("fieldConfig", {}).get("overrides", [])
    return tuple(each["matcher"]["options"] for each in overrides if each["matcher"]["id"] == "byName")


def _linked_columns(panel: Json) -> tuple[str, ...]:
    """The columns that the links of a panel's values take something from."""
    config: Json = panel.get("fieldConfig", {})
    return tuple(dict.fromkeys(_LINKED.findall(json.dumps(config))))


def _of_dashboard(board: Json) -> Iterator[PlacedQuery]:
    title = board["title"]
    for panel in board["panels"]:
        for each in panel.get("targets", []):
            yield PlacedQuery(
                f"{title} / {panel['title']}",
                "panel",
                panel["type"],
                each["rawSql"],
                each["format"],
                (*shown_columns(panel), *_linked_columns(panel)),
                panel.get("fieldConfig", {}).get("defaults", {}).get("noValue", ""),
            )
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            name = f"{title} / variable {variable['name']}"
            yield PlacedQuery(name, "variable", "variable", variable["query"]["rawSql"], 1)
    for annotation in board["annotations"]["list"]:
        each = annotation["target"]
        name = f"{title} / annotation {annotation['name']}"
        yield PlacedQuery(name, "annotation", "annotation", each["rawSql"], each["format"])


def _of_rules(file: Json) -> Iterator[PlacedQuery]:
    for group in file["groups"]:
        for rule in group["rules"]:
            for each in rule["data"]:
                if "rawSql" in each["model"]:
                    model = each["model"]
                    name = f"{group['name']} / {rule['title']}"
                    yield PlacedQuery(name, "alert", "alert", model["rawSql"], model["format"])


def _plain(kind: str) -> str:
    """A ClickHouse type without Nullable and LowCardinality."""
    for wrapper in ("LowCardinality(", "Nullable("):
        if kind.startswith(wrapper):
            kind = kind.removeprefix(wrapper).removesuffix(")")
    return kind
