"""Panels of a classic Grafana dashboard (schemaVersion 39), as immutable values that know their JSON.

Only the kinds that our dashboards use: stat, bar gauge, time series, table, state timeline, text; what shows places
and spreads stands in `dashboards.pictures`.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Final

from dashboards.names import DATASOURCE_TYPE
from dashboards.queries import load

Json = dict[str, Any]
"""A JSON object as Grafana reads it."""

Steps = tuple[tuple[float | None, str], ...]
"""Thresholds: (from this value on, colour), the first from minus infinity (None)."""

TIME_SERIES: Final = 0
TABLE: Final = 1
"""The plugin's integer `format`: how its backend shapes the answer."""

NEUTRAL: Final[Steps] = ((None, "blue"),)
"""For figures that are neither good nor bad."""


def bad_from(red: float, yellow: float | None = None) -> Steps:
    """Green, then yellow from `yellow` (if given), then red from `red` on."""
    middle = () if yellow is None else ((yellow, "yellow"),)
    return ((None, "green"), *middle, (red, "red"))


def good_from(green: float, yellow: float) -> Steps:
    """Red, then yellow from `yellow`, then green from `green` on."""
    return ((None, "red"), (yellow, "yellow"), (green, "green"))


@dataclass(frozen=True, slots=True)
class Box:
    """Where a panel stands: a grid 24 wide, rows of about 38 px (1366 x 768 shows about 17 rows)."""

    x: int
    y: int
    w: int
    h: int


@dataclass(frozen=True, slots=True)
class Link:
    """A link from a value or a panel to another page of the same Grafana."""

    title: str
    url: str

    def json(self) -> Json:
        """As `links` holds it."""
        return {"title": self.title, "url": self.url, "targetBlank": False}


@dataclass(frozen=True, slots=True)
class Column:
    """How one field of a table or a series is shown; `field` is the column's name in the query."""

    field: str
    title: str | None = None
    unit: str | None = None
    width: int | None = None
    decimals: int | None = None
    link: Link | None = None
    thresholds: Steps | None = None

    def json(self) -> Json:
        """As an entry of `fieldConfig.overrides`."""
        properties: list[Json] = []
        if self.title is not None:
            properties.append({"id": "displayName", "value": self.title})
        if self.unit is not None:
            properties.append({"id": "unit", "value": self.unit})
        if self.decimals is not None:
            properties.append({"id": "decimals", "value": self.decimals})
        if self.width is not None:
            properties.append({"id": "custom.width", "value": self.width})
        if self.thresholds is not None:
            properties.append({"id": "thresholds", "value": _thresholds(self.thresholds)})
            properties.append({"id": "custom.cellOptions", "value": {"type": "color-text"}})
        if self.link is not None:
            properties.append({"id": "links", "value": [self.link.json()]})
        return {"matcher": {"id": "byName", "options": self.field}, "properties": properties}


def datasource() -> Json:
    """The data source of a panel: the one chosen on the dashboard."""
    return {"type": DATASOURCE_TYPE, "uid": "${datasource}"}


def target(query: str, answer_format: int, ref_id: str = "A") -> Json:
    """One query of a panel, by the name of its .sql file."""
    return {
        "refId": ref_id,
        "datasource": datasource(),
        "editorType": "sql",
        "queryType": "timeseries" if answer_format == TIME_SERIES else "table",
        "format": answer_format,
        "rawSql": load(query).sql,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """What all panels have. `description`: what the figure means and what to do about it.

    `empty`: what stands there when the query returns nothing, and why that may be so: what has to be published, where
    nothing means that something was not told. `links`: where the figure can be opened. `query` is the first of its
    queries; what more there are have their own names (see `queries`).
    """

    kind: ClassVar[str] = ""
    answer_format: ClassVar[int] = TABLE

    id: int
    title: str
    description: str
    box: Box
    query: str = ""
    unit: str = "short"
    thresholds: Steps = NEUTRAL
    decimals: int | None = None
    empty: str = ""
    columns: tuple[Column, ...] = ()
    links: tuple[Link, ...] = ()

    def json(self) -> Json:
        """The panel as it stands in the dashboard."""
        defaults: Json = {
            "unit": self.unit,
            "thresholds": _thresholds(self.thresholds),
            "color": {"mode": "thresholds"},
            "mappings": [],
            "noValue": self.empty,
        }
        if self.decimals is not None:
            defaults["decimals"] = self.decimals
        return {
            "id": self.id,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "gridPos": {"x": self.box.x, "y": self.box.y, "w": self.box.w, "h": self.box.h},
            "datasource": datasource(),
            "targets": [target(name, self.answer_format, ref_id) for ref_id, name in self.queries().items()],
            "fieldConfig": {
                "defaults": defaults | self.defaults(),
                "overrides": [column.json() for column in self.columns],
            },
            "options": self.options(),
            "links": [link.json() for link in self.links],
        } | self.extra()

    def queries(self) -> dict[str, str]:
        """The names of its queries, by refId."""
        return {"A": self.query}

    def defaults(self) -> Json:
        """What this kind adds to `fieldConfig.defaults`."""
        return {}

    def options(self) -> Json:
        """The `options` of this kind."""
        return {}

    def extra(self) -> Json:
        """What this kind adds to the panel itself."""
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stat(Panel):
    """One figure, coloured by its thresholds."""

    kind: ClassVar[str] = "stat"

    def options(self) -> Json:
        """The last value, with a coloured background."""
        return {
            "colorMode": "background",
            "graphMode": "none",
            "justifyMode": "auto",
            "orientation": "auto",
            "textMode": "value",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class BarGauge(Panel):
    """One bar per row: a text column names it, a number gives its length. `link`: where a bar leads."""

    kind: ClassVar[str] = "bargauge"

    link: Link | None = None
    limit: int = 20

    def defaults(self) -> Json:
        """Bars begin at zero."""
        links = [] if self.link is None else [self.link.json()]
        return {"min": 0, "links": links}

    def options(self) -> Json:
        """Every row is shown, names at the left."""
        return {
            "displayMode": "basic",
            "orientation": "horizontal",
            "valueMode": "color",
            "showUnfilled": True,
            "namePlacement": "left",
            "sizing": "auto",
            "minVizWidth": 8,
            "minVizHeight": 16,
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "limit": self.limit, "values": True},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeSeries(Panel):
    """Lines over the time range. `label`: the text column whose values name the lines, if there are several.

    `least_interval`: no bucket is shorter (a Grafana duration). `top`: the greatest value of the axis.
    """

    kind: ClassVar[str] = "timeseries"
    answer_format: ClassVar[int] = TIME_SERIES

    label: str | None = None
    least_interval: str = "1m"
    top: float | None = None
    points: bool = False
    from_zero: bool = True
    stacked: bool = False

    def defaults(self) -> Json:
        """Thin lines over a light fill, from zero up."""
        found: Json = {
            "color": {"mode": "palette-classic"},
            "custom": {
                "drawStyle": "bars" if self.stacked else "line",
                "stacking": {"mode": "normal" if self.stacked else "none", "group": "A"},
                "lineWidth": 1,
                "fillOpacity": 60 if self.stacked else 12,
                "showPoints": "always" if self.points else "auto",
                "pointSize": 5,
                "spanNulls": False,
                "thresholdsStyle": {"mode": "off" if len(self.thresholds) == 1 else "dashed"},
            },
        }
        if self.from_zero:
            found["min"] = 0
        if self.top is not None:
            found["max"] = self.top
        if self.label is not None:
            found["displayName"] = f"${{__field.labels.{self.label}}}"
        return found

    def options(self) -> Json:
        """All lines in the tooltip, the legend below."""
        return {
            "legend": {
                "showLegend": self.label is not None or len(self.columns) > 1,
                "displayMode": "list",
                "placement": "bottom",
                "calcs": [],
            },
            "tooltip": {"mode": "multi", "sort": "desc"},
        }

    def extra(self) -> Json:
        """The shortest bucket."""
        return {"interval": self.least_interval}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(Panel):
    """Rows, in the order of the query."""

    kind: ClassVar[str] = "table"

    unit: str = "none"

    def defaults(self) -> Json:
        """Columns that can be filtered and sorted by whoever looks."""
        return {"custom": {"align": "auto", "filterable": True, "cellOptions": {"type": "auto"}}}

    def options(self) -> Json:
        """A header and small rows."""
        return {"showHeader": True, "cellHeight": "sm", "footer": {"show": False}}


@dataclass(frozen=True, slots=True, kw_only=True)
class StateTimeline(Panel):
    """One band per value of the column `band`, in the state of the other text column from each time on."""

    kind: ClassVar[str] = "state-timeline"

    band: str
    unit: str = "none"

    def defaults(self) -> Json:
        """Each state has its colour; a band is named for its entity."""
        return {
            "color": {"mode": "palette-classic-by-name"},
            "custom": {"fillOpacity": 70, "lineWidth": 0},
            "displayName": f"${{__field.labels.{self.band}}}",
        }

    def options(self) -> Json:
        """Equal neighbours become one region."""
        return {
            "mergeValues": True,
            "showValue": "auto",
            "rowHeight": 0.85,
            "alignValue": "left",
            "legend": {"showLegend": True, "displayMode": "list", "placement": "bottom"},
            "tooltip": {"mode": "single", "sort": "none"},
        }

    def extra(self) -> Json:
        """The rows are split by their entity, since text has no long form of time series."""
        options = {"fields": [self.band], "keepFields": False, "naming": {"asLabels": True}}
        return {"transformations": [{"id": "partitionByValues", "options": options}]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Text(Panel):
    """A few sentences in Markdown; it has no query."""

    kind: ClassVar[str] = "text"

    content: str

    def json(self) -> Json:
        """The panel as it stands in the dashboard."""
        return {
            "id": self.id,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "gridPos": {"x": self.box.x, "y": self.box.y, "w": self.box.w, "h": self.box.h},
            "options": {"mode": "markdown", "content": self.content},
        }


def _thresholds(steps: Steps) -> Json:
    return {
        "mode": "absolute",
        "steps": [{"color": color, "value": value} for value, color in steps],
    }
