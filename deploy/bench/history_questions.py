"""What is asked of a store with a long history: the views as people ask them, every panel and alert rule, our own SQL.

Panels are asked as the dashboards ask them, over a day, a week and 90 days where the time range matters, with every
lane and carrier chosen, and with the first of our late shipments as the chosen one.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Final

from dashboards.alerts import AlertSettings, rule_groups
from dashboards.board import ALL
from dashboards.build import DASHBOARDS
from dashboards.inventory import every_query
from dashboards.macros import View, expand
from deploy.bench.history_store import Sizes, scattered
from schemas.times import DAY_MS

_VIEWS: Final = files("deploy").joinpath("bench/history_sql/questions.sql")
_OURS: Final = files("deploy").joinpath("sql")
_WHOLE: Final = ("status.sql", "late_since.sql")
"""Statements of ours that are run as they stand; the others there are pieces of one."""
_NAME: Final = re.compile(r"^-- (?P<name>\w+(?: FINAL)?: .+)\n(?P<sql>[^;]+);", re.MULTILINE)
_PARAMETER: Final = re.compile(r"\{(\w+):[^}]+\}")
_RANGES: Final = (("24 h", 1, 60), ("7 d", 7, 600), ("90 d", 90, 7_200))
"""Name, days, and the width of a bucket (s) that Grafana asks for at some 1,000 pixels."""
_TIMED: Final = ("$__timeFilter", "$__fromTime")


@dataclass(frozen=True, slots=True)
class Question:
    """One statement to be timed. `parameters`: as ClickHouse's HTTP interface takes them."""

    name: str
    sql: str
    parameters: Mapping[str, str] = field(default_factory=dict)


def every_question(sizes: Sizes) -> tuple[Question, ...]:
    """All that is asked of a store of these sizes, in a fixed order; no statement twice."""
    found = [*_of_views(sizes), *_of_dashboards(sizes), *_ours(sizes)]
    return tuple({(each.sql, *each.parameters.items()): each for each in reversed(found)}.values())[::-1]


def _subjects(sizes: Sizes) -> dict[str, str]:
    """The entities that are asked for: a late shipment, an old order and movement, a busy position."""
    late = int(sizes.shipments * (1 - 8 / 548)) // 10 * 10
    old = sizes.movements // 3 // sizes.positions * sizes.positions
    return {
        "shipment": scattered("SHP", late),
        "order": scattered("PO", sizes.orders // 2),
        "site": "SITE-0",
        "item": "9520000000000",
        "lane": f"SITE-{late % 35}>SITE-{35 + late % 140}",
        "source": f"carrier-edi-{late % 35:02d}",
        "event": f"carrier-edi-{late % 35:02d}-{late:07d}-1",
        "wms": "wms-0",
        "movement": f"wms-0-{old:08d}",
        "since": str(sizes.now_ms - DAY_MS),
    }


def _of_views(sizes: Sizes) -> Iterator[Question]:
    for match in _NAME.finditer(_VIEWS.read_text(encoding="utf-8")):
        yield _question(match["name"], match["sql"].strip(), sizes)


def _ours(sizes: Sizes) -> Iterator[Question]:
    for name in _WHOLE:
        yield _question(f"deploy/sql/{name}", _OURS.joinpath(name).read_text(encoding="utf-8").strip(), sizes)


def _question(name: str, sql: str, sizes: Sizes) -> Question:
    wanted = _PARAMETER.findall(sql)
    return Question(name, sql, {each: value for each, value in _subjects(sizes).items() if each in wanted})


def _of_dashboards(sizes: Sizes) -> Iterator[Question]:
    rules = rule_groups(AlertSettings())
    chosen = {"lane": (ALL,), "carrier": (ALL,), "shipment_id": _subjects(sizes)["shipment"]}
    for query in every_query([board.json() for board in DASHBOARDS], [rules]):
        ranges = _RANGES if any(macro in query.sql for macro in _TIMED) else _RANGES[:1]
        for span, days, width in ranges:
            view = View(sizes.now_ms - days * DAY_MS, sizes.now_ms, width, chosen, {})
            name = f"{query.name}, {span}" if len(ranges) > 1 else query.name
            yield Question(name, expand(query.sql, view))
