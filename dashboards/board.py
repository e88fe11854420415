"""A whole dashboard: its panels, variables, annotations and the links to its siblings."""

from dataclasses import dataclass
from typing import Final

from dashboards.names import AT_FIRST, DATASOURCE_NAME, DATASOURCE_TYPE, DATASOURCE_UID, FOLDER_TITLE, TAG
from dashboards.panels import TABLE, Json, Panel, datasource, target
from dashboards.queries import load

SCHEMA_VERSION: Final = 39
"""What Grafana 10 to 13 read; newer ones migrate it up."""

ALL: Final = "$__all"
"""The value of a variable on which everything is chosen."""


_SHOWN: Final = 0
_HIDDEN: Final = 2


@dataclass(frozen=True, slots=True)
class Choice:
    """A variable whose values a query lists; several may be chosen, and all of them at first.

    `hidden`: its dashboard does not go by it, and only carries the choice on to the next one.
    """

    name: str
    label: str
    description: str
    query: str
    hidden: bool = False

    def json(self) -> Json:
        """As an entry of `templating.list`."""
        sql = load(self.query).sql
        return {
            "type": "query",
            "name": self.name,
            "label": self.label,
            "description": self.description,
            "datasource": datasource(),
            "definition": sql,
            "query": {"editorType": "sql", "refId": f"variable-{self.name}", "rawSql": sql},
            "refresh": 2,
            "regex": "",
            "sort": 0,
            "multi": True,
            "includeAll": True,
            "current": {"selected": True, "text": ["All"], "value": [ALL]},
            "options": [],
            "hide": _HIDDEN if self.hidden else _SHOWN,
        }


@dataclass(frozen=True, slots=True)
class Pick:
    """A variable with a few fixed values, of which one is chosen. `texts`: value -> what people read."""

    name: str
    label: str
    description: str
    texts: tuple[tuple[str, str], ...]

    def json(self) -> Json:
        """As an entry of `templating.list`."""
        options = [
            {"selected": value == AT_FIRST[self.name], "text": text, "value": value} for value, text in self.texts
        ]
        return {
            "type": "custom",
            "name": self.name,
            "label": self.label,
            "description": self.description,
            "query": ", ".join(f"{text} : {value}" for value, text in self.texts),
            "multi": False,
            "includeAll": False,
            "current": next(option for option in options if option["selected"]),
            "options": options,
            "hide": _SHOWN,
        }


@dataclass(frozen=True, slots=True)
class TextBox:
    """A variable into which people type, or which a link fills. `hidden`: as with a `Choice`."""

    name: str
    label: str
    description: str
    hidden: bool = False

    def json(self) -> Json:
        """As an entry of `templating.list`."""
        nothing = {"selected": True, "text": "", "value": ""}
        return {
            "type": "textbox",
            "name": self.name,
            "label": self.label,
            "description": self.description,
            "query": "",
            "current": nothing,
            "options": [nothing],
            "hide": _HIDDEN if self.hidden else _SHOWN,
        }


@dataclass(frozen=True, slots=True)
class Annotation:
    """Marks on all time series, from a query with the columns time, timeEnd, text, title, tags."""

    name: str
    query: str
    color: str

    def json(self) -> Json:
        """As an entry of `annotations.list`."""
        return {
            "name": self.name,
            "datasource": datasource(),
            "enable": True,
            "hide": False,
            "iconColor": self.color,
            "target": target(self.query, TABLE, "annotation"),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """One question, answered by panels.

    `since`: the time range at first, as Grafana writes it (now-24h). `folder`: the title of the folder it stands in.
    """

    uid: str
    file: str
    title: str
    description: str
    panels: tuple[Panel, ...]
    variables: tuple[Choice | Pick | TextBox, ...] = ()
    annotations: tuple[Annotation, ...] = ()
    since: str = "now-24h"
    refresh: str = "10s"
    folder: str = FOLDER_TITLE

    def json(self) -> Json:
        """The dashboard as Grafana reads it from a file or from its API."""
        return {
            "id": None,
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": [TAG],
            "schemaVersion": SCHEMA_VERSION,
            "version": 1,
            "editable": False,
            "graphTooltip": 1,
            "timezone": "browser",
            "time": {"from": self.since, "to": "now"},
            "timepicker": {"refresh_intervals": ["5s", "10s", "30s", "1m", "5m", "15m"]},
            "refresh": self.refresh,
            "links": [_siblings()],
            "annotations": {"list": [annotation.json() for annotation in self.annotations]},
            "templating": {"list": [_source(), *(variable.json() for variable in self.variables)]},
            "panels": [panel.json() for panel in self.panels],
        }


def _siblings() -> Json:
    """Links to all our dashboards, by tag, so that a new one is linked from every other."""
    return {
        "type": "dashboards",
        "title": "Quayside",
        "tags": [TAG],
        "asDropdown": False,
        "includeVars": True,
        "keepTime": True,
        "targetBlank": False,
        "icon": "external link",
        "tooltip": "",
        "url": "",
    }


def _source() -> Json:
    return {
        "type": "datasource",
        "name": "datasource",
        "label": "Source",
        "description": "The ClickHouse data source that holds the history.",
        "query": DATASOURCE_TYPE,
        "current": {"selected": True, "text": DATASOURCE_NAME, "value": DATASOURCE_UID},
        "refresh": 1,
        "regex": "",
        "multi": False,
        "includeAll": False,
        "options": [],
        "hide": 0,
    }
