"""The rules that our dashboards and alert rules keep, as pure functions over their JSON that return findings.

They are those of Grafana's own dashboard-linter that are not about PromQL, and ours: what a person needs to
read a panel, and what makes a dashboard or an alert fail only once it is in a Grafana.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from dashboards.board import SCHEMA_VERSION
from dashboards.inventory import every_query
from dashboards.macros import variables
from dashboards.names import DATASOURCE_UID, TAG
from dashboards.panels import TABLE, TIME_SERIES, Json

GRID: Final = 24
"""Columns of Grafana's grid."""

SMALLEST: Final = (4, 3)
"""Width and height below which a panel cannot be read at 1366 x 768."""

UNITS: Final = frozenset({"short", "none", "percentunit", "percent", "s", "m", "h", "d", "ms", "bytes", "cpm"})

BARE: Final = frozenset({"nothing", "none", "no data", "n/a", "-", "?"})
"""What does not say why there is nothing."""

_CHOSEN_SOURCE: Final = "${datasource}"
_UID: Final = re.compile(r"quayside-[a-z0-9-]{1,30}")
_LINKED: Final = re.compile(r"^/d/([^/?]+)")
_STEP: Final = re.compile(r"([1-9]\d*)0s")
_DURATION: Final = re.compile(r"\d+s")
_EVALUATORS: Final = frozenset({"gt", "lt", "within_range", "outside_range"})
_LONE: Final = frozenset({"text", "row"})
_TIMED: Final = frozenset({"timeseries", "heatmap"})


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken rule. `where`: DASHBOARD / PANEL, or the rule group and rule. `what`: one sentence."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def check(dashboards: Sequence[Json], rule_files: Sequence[Json] = ()) -> tuple[Finding, ...]:
    """All findings; an empty tuple where every rule is kept. `rule_files`: provisioned alert rule groups."""
    found: list[Finding] = []
    uids = {board.get("uid") for board in dashboards}
    for key in ("uid", "title"):
        found += [
            Finding(str(one[key]), f"another dashboard has the same {key}")
            for one, other in combinations(dashboards, 2)
            if one.get(key) == other.get(key)
        ]
    for board in dashboards:
        found += _dashboard(board)
        found += _links(board, uids)
    found += _queries(dashboards)
    rules = [rule for file in rule_files for group in file["groups"] for rule in group["rules"]]
    for key in ("uid", "title"):
        found += [
            Finding(str(one.get("title")), f"another alert rule has the same {key}")
            for one, other in combinations(rules, 2)
            if one.get(key) == other.get(key)
        ]
    if rules and not any(rule.get("noDataState") == "Alerting" for rule in rules):
        found.append(Finding("alert rules", "one must fire where there is no data: OK hides the pipeline's own death"))
    panels = {(str(board.get("uid")), str(panel.get("id"))) for board in dashboards for panel in board["panels"]}
    for file in rule_files:
        found += _rules(file, panels)
    return tuple(found)


def _dashboard(board: Json) -> Iterator[Finding]:
    where = str(board.get("title") or board.get("uid"))
    if not _UID.fullmatch(str(board.get("uid"))):
        yield Finding(where, "its uid must be readable: quayside- and small letters, at most 40 characters")
    if board.get("schemaVersion") != SCHEMA_VERSION:
        yield Finding(where, f"its schemaVersion must be {SCHEMA_VERSION}, which Grafana 10 to 13 read")
    if board.get("id") is not None:
        yield Finding(where, "its id must be null: the number belongs to one Grafana")
    if not board.get("title") or not board.get("description"):
        yield Finding(where, "it needs a title, and a description that states its question")
    if TAG not in board.get("tags", []):
        yield Finding(where, f"it needs the tag {TAG}, by which the dashboards are linked and known as ours")
    if not any(one["type"] == "datasource" for one in board["templating"]["list"]):
        yield Finding(where, "it needs a variable for the data source")
    if not any(_leads_to_siblings(link) for link in board.get("links", [])):
        yield Finding(where, "it needs a link to its siblings by tag that keeps time and variables")
    yield from _grid(board["panels"], where)
    for panel in board["panels"]:
        yield from _panel(panel, f"{where} / {panel.get('title') or panel.get('id')}")


def _grid(panels: Sequence[Json], where: str) -> Iterator[Finding]:
    """No two panels share an id or a place."""
    for one, other in combinations(panels, 2):
        if one.get("id") == other.get("id"):
            yield Finding(where, f"two panels have the id {one.get('id')}: {one['title']}, {other['title']}")
        if _overlap(one["gridPos"], other["gridPos"]):
            yield Finding(where, f"two panels overlap: {one['title']}, {other['title']}")


def _panel(panel: Json, where: str) -> Iterator[Finding]:
    if not panel.get("title") or not panel.get("description"):
        yield Finding(where, "it needs a title, and a description that says what the figure means")
    box = panel["gridPos"]
    if box["x"] < 0 or box["y"] < 0 or box["x"] + box["w"] > GRID:
        yield Finding(where, f"it stands outside of the grid of {GRID} columns")
    if box["w"] < SMALLEST[0] or box["h"] < SMALLEST[1]:
        yield Finding(where, f"it is smaller than {SMALLEST[0]} x {SMALLEST[1]} and cannot be read")
    if panel["type"] in _LONE:
        return
    if panel.get("datasource", {}).get("uid") != _CHOSEN_SOURCE:
        yield Finding(where, "its data source must be ${datasource}")
    defaults = panel.get("fieldConfig", {}).get("defaults", {})
    if defaults.get("unit") not in UNITS:
        yield Finding(where, f"its unit {defaults.get('unit')!r} is none of those in use: {sorted(UNITS)}")
    steps = defaults.get("thresholds", {}).get("steps", [])
    if not steps or steps[0].get("value") is not None:
        yield Finding(where, "it needs thresholds, the first from minus infinity (null)")
    values = [step["value"] for step in steps[1:]]
    if values != sorted(values):
        yield Finding(where, "its thresholds must ascend")
    if str(defaults.get("noValue", "")).lower() in BARE | {""}:
        yield Finding(where, "it must say why there is nothing, or what to publish, where there is no data (noValue)")
    yield from _targets(panel, where)


def _targets(panel: Json, where: str) -> Iterator[Finding]:
    targets = panel.get("targets", [])
    if not targets:
        yield Finding(where, "it has no query")
    if len({one.get("refId") for one in targets}) < len(targets):
        yield Finding(where, "two of its queries have the same refId")
    for one in targets:
        if one.get("datasource", {}).get("uid") != _CHOSEN_SOURCE:
            yield Finding(where, "the data source of its query must be ${datasource}")
        if not one.get("rawSql") or one.get("format") not in {0, 1}:
            yield Finding(where, "its query needs rawSql, and the format 0 (time series) or 1 (table)")
        if (panel["type"] in _TIMED) != (one.get("format") == TIME_SERIES):
            yield Finding(where, "a time series or heatmap, and no other panel, needs a query of format 0")
        if panel["type"] in _TIMED and not re.search(r"\$__(timeFilter|fromTime)", one.get("rawSql", "")):
            yield Finding(where, "a time series must ask for no more than the time range")


def _queries(dashboards: Iterable[Json]) -> Iterator[Finding]:
    """No query uses a variable that its dashboard lacks."""
    for board in dashboards:
        known = {one["name"] for one in board["templating"]["list"]}
        for query in every_query((board,)):
            for name in sorted(variables(query.sql) - known):
                yield Finding(query.name, f"its query uses the variable {name}, which the dashboard lacks")


def _links(board: Json, uids: Collection[str | None]) -> Iterator[Finding]:
    known = {one["name"] for one in board["templating"]["list"]}
    for where, url in _urls(board, str(board.get("title"))):
        linked = _LINKED.match(url)
        if linked is None or linked.group(1) not in uids:
            yield Finding(where, f"the link {url} leads to no dashboard of ours")
        for name in re.findall(r"\$\{(\w+):queryparam\}", url):
            if name not in known:
                yield Finding(where, f"the link {url} uses the variable {name}, which the dashboard lacks")


def _urls(value: object, where: str) -> Iterator[tuple[str, str]]:
    """Every link in a piece of JSON, with the nearest title above it."""
    if isinstance(value, dict):
        here = f"{where} / {value['title']}" if "gridPos" in value else where
        if value.get("url"):
            yield here, str(value["url"])
        for each in value.values():
            yield from _urls(each, here)
    elif isinstance(value, list):
        for each in value:
            yield from _urls(each, where)


def _rules(file: Json, panels: Collection[tuple[str, str]]) -> Iterator[Finding]:
    for group in file["groups"]:
        if not _STEP.fullmatch(str(group.get("interval"))):
            yield Finding(str(group.get("name")), "its interval must be a multiple of 10 s, written in seconds")
        for rule in group["rules"]:
            yield from _rule(rule, f"{group['name']} / {rule.get('title')}", panels)


def _rule(rule: Json, where: str, panels: Collection[tuple[str, str]]) -> Iterator[Finding]:
    for key in ("uid", "title", "condition", "for", "noDataState", "execErrState", "labels"):
        if not rule.get(key):
            yield Finding(where, f"it needs {key}")
    notes = rule.get("annotations", {})
    for key in ("summary", "description", "runbook_url"):
        if not notes.get(key):
            yield Finding(where, f"it needs the annotation {key}")
    if (notes.get("__dashboardUid__"), notes.get("__panelId__")) not in panels:
        yield Finding(where, "its annotations __dashboardUid__ and __panelId__ name no panel of ours")
    if rule.get("condition") not in {each.get("refId") for each in rule.get("data", [])}:
        yield Finding(where, "its condition is none of its queries")
    yield from _rule_words(rule, where)
    yield from _rule_queries(rule, where)


def _rule_words(rule: Json, where: str) -> Iterator[Finding]:
    notes = rule.get("annotations", {})
    for key in ("for", "keep_firing_for"):
        if not _DURATION.fullmatch(str(rule.get(key, "0s"))):
            yield Finding(where, f"its {key} must be a duration in seconds, such as 0s")
    if any("$" in str(text) for text in (rule.get("title"), *rule.get("labels", {}).values())):
        yield Finding(where, "a dollar sign in a title or label is expanded from the environment: write none")
    if any("${" in str(text) for text in notes.values()):
        yield Finding(where, "newer versions expand ${X} in annotations: write {{ $labels.x }}")
    if not rule.get("labels", {}).get("severity"):
        yield Finding(where, "it needs the label severity, by which it is routed")


def _rule_queries(rule: Json, where: str) -> Iterator[Finding]:
    for each in rule.get("data", []):
        model = each["model"]
        if "rawSql" not in model:
            kinds = {one.get("evaluator", {}).get("type") for one in model.get("conditions", [])}
            if not kinds <= _EVALUATORS:
                yield Finding(where, f"a threshold knows only {', '.join(sorted(_EVALUATORS))}")
            continue
        if model.get("format") != TABLE:
            yield Finding(where, "its query needs the format 1 (table)")
        if each.get("datasourceUid") != DATASOURCE_UID:
            yield Finding(where, f"its query needs the literal data source uid {DATASOURCE_UID}")
        if "$" in model["rawSql"] or "@{" in model["rawSql"]:
            yield Finding(where, "its query must stand without macros, variables and open settings")


def _leads_to_siblings(link: Json) -> bool:
    by_tag = link.get("type") == "dashboards" and TAG in link.get("tags", [])
    return by_tag and bool(link.get("keepTime")) and bool(link.get("includeVars"))


def _overlap(one: Json, other: Json) -> bool:
    return bool(
        one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    )
