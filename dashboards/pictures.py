"""Panels that show places, ways and spreads: map, node graph, heatmap. None of them was ever run in a Grafana by us."""

from dataclasses import dataclass
from typing import ClassVar, Final

from dashboards.panels import TABLE, TIME_SERIES, Json, Panel

OFFLINE_MAP: Final[Json] = {
    "type": "geojson",
    "name": "Countries",
    "config": {
        "src": "public/maps/countries.geojson",
        "rules": [],
        "style": {"color": {"fixed": "text"}, "lineWidth": 1, "opacity": 0.1, "size": {"fixed": 1}},
    },
    "tooltip": False,
}
"""Outlines of the countries that every Grafana serves itself: nothing is asked of the internet."""

ONLINE_MAP: Final[Json] = {"type": "default", "name": "Tiles", "config": {}}
"""The map tiles that Grafana is set up with: CARTO's, from the internet, unless its administrator chose others."""

_MAPS: Final = {"offline": OFFLINE_MAP, "online": ONLINE_MAP}


def over(board: Json, base: str) -> Json:
    """A dashboard with its maps over this base, `offline` (as they are made) or `online`."""
    panels = [
        panel if panel["type"] != Geomap.kind else panel | {"options": panel["options"] | {"basemap": _MAPS[base]}}
        for panel in board["panels"]
    ]
    return board | {"panels": panels}


@dataclass(frozen=True, slots=True, kw_only=True)
class Geomap(Panel):
    """A marker per row, at its columns latitude and longitude, as big and as red as its column `weight` says."""

    kind: ClassVar[str] = "geomap"
    answer_format: ClassVar[int] = TABLE

    weight: str

    def options(self) -> Json:
        """The whole of the data is in sight; a marker tells all columns of its row."""
        return {
            "view": {"id": "fit", "lat": 0, "lon": 0, "zoom": 15, "allLayers": True, "padding": 10},
            "basemap": OFFLINE_MAP,
            "layers": [
                {
                    "type": "markers",
                    "name": self.title,
                    "tooltip": True,
                    "location": {"mode": "coords", "latitude": "latitude", "longitude": "longitude"},
                    "config": {
                        "showLegend": False,
                        "style": {
                            "color": {"field": self.weight, "fixed": "blue"},
                            "size": {"field": self.weight, "fixed": 6, "min": 4, "max": 16},
                            "opacity": 0.7,
                            "symbol": {"mode": "fixed", "fixed": "img/icons/marker/circle.svg"},
                        },
                    },
                }
            ],
            "controls": {
                "showZoom": True,
                "mouseWheelZoom": False,
                "showAttribution": True,
                "showScale": False,
                "showMeasure": False,
                "showDebug": False,
            },
            "tooltip": {"mode": "details"},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGraph(Panel):
    """Places and the ways between them. Grafana tells the two answers apart by the columns source and target.

    `query`: the nodes (id, title, mainstat, secondarystat, arc__*); `edges`: the ways (id, source, target, mainstat).
    `arcs`: the arc__ columns of the nodes and their colours.
    """

    kind: ClassVar[str] = "nodeGraph"
    answer_format: ClassVar[int] = TABLE

    edges: str
    arcs: tuple[tuple[str, str], ...]

    def queries(self) -> dict[str, str]:
        """Two: nodes and edges."""
        return {"nodes": self.query, "edges": self.edges}

    def options(self) -> Json:
        """Numbers without a unit of their own; the ring of a node in the colours of its arcs."""
        return {
            "nodes": {"mainStatUnit": "none", "arcs": [{"field": name, "color": color} for name, color in self.arcs]},
            "edges": {"mainStatUnit": "none"},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Heatmap(Panel):
    """How values spread, and how the spread moves: one row per observation, counted into cells by Grafana."""

    kind: ClassVar[str] = "heatmap"
    answer_format: ClassVar[int] = TIME_SERIES

    column_width: str = "1d"

    def options(self) -> Json:
        """Days across, values up on a logarithmic axis, the more the darker."""
        return {
            "calculate": True,
            "calculation": {
                "xBuckets": {"mode": "size", "value": self.column_width},
                "yBuckets": {"mode": "count", "value": "16"},
            },
            "color": {"mode": "scheme", "scheme": "Oranges", "steps": 32, "exponent": 0.5, "reverse": False},
            "cellGap": 1,
            "filterValues": {"le": 1e-9},
            "yAxis": {"unit": self.unit, "axisPlacement": "left", "reverse": False},
            "legend": {"show": True},
            "tooltip": {"mode": "single", "yHistogram": True, "showColorScale": True},
            "exemplars": {"color": "rgba(255,0,255,0.7)"},
            "rowsFrame": {"layout": "auto"},
        }
