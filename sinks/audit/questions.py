"""The audit's questions: SQL put together from the files of sinks/audit/sql.

`{{name}}` in a file stands for the file of that name as a subquery; `{{unapplied:TOPIC}}` for the coordinates of that
topic's late events that were not applied, `{{remembered:TOPIC}}` for the condition that retention has not dropped the
event of a row before. Scopes stand for the entities that a question is about: of the published
and recomputed rows `{{scope}}`, of the facts behind them `{{warehouse_scope}}` and the like. Where a question is about
entities of another kind than the facts', all facts are read.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

Ask = Callable[[str, Mapping[str, Any]], Sequence[tuple[Any, ...]]]
"""Asks the store: a query and its parameters, and the rows of the answer."""

_REFERENCE: Final = re.compile(r"\{\{([\w.:]+)\}\}")

_ORDER_LINE: Final = (
    "line_id", "status", "item", "unit", "ordered", "shipped", "delivered", "ordered_at", "requested_at",
    "promised_at", "due_at", "delivered_at", "late", "late_ms", "unit_cost_micros", "currency", "shipments", "findings",
)  # fmt: skip
_SHIPMENT_LINE: Final = (
    "item", "unit", "order_id", "line_id", "shipped", "delivered", "delivered_at", "promised_at", "due_at", "late",
    "late_ms",
)  # fmt: skip
_MILESTONE: Final = (
    "leg", "milestone", "planned_at", "planned_due_at", "estimated_at", "actual_at", "inferred", "location",
)  # fmt: skip
_WINDOW: Final = ("count", "negative", "total", "squares", "p50", "p90", "p95", "buckets", "counts")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of entity that is compared, or a part of its entities.

    Attributes:
        name: What it is called in the report.
        published: The file of what was published: (entity, figures).
        recomputed: The file of what follows from the history: (entity, figures).
        figures: The figures' names, in the order of both files.
        nested: Of figures that are lists of parts, the names within a part.
        entity: The expression over a published or recomputed row that scopes look at.
        facts: Of a fact table whose entities are this kind's own, the expression over its rows.
        tables: The fact tables that the question reads, by which its size is known.
        observations: Of lead times, the file of the observations: (measure, route, day, duration).
        measures: Of lead times, the measures that it observes.
        patience_s: When all records have had their effect, so long it may take until the agents tell what time brings.
    """

    name: str
    published: str
    recomputed: str
    figures: tuple[str, ...]
    nested: Mapping[str, tuple[str, ...]]
    entity: str
    facts: Mapping[str, str]
    tables: tuple[str, ...]
    observations: str = ""
    measures: tuple[str, ...] = ()
    patience_s: float = 0.0


STOCK: Final = Kind(
    name="stock",
    published="stock_published",
    recomputed="stock",
    figures=(
        "unit", "on_hand", "reserved", "quarantined", "available", "in_transit", "received", "returned", "moved_in",
        "adjusted", "count_variance", "shipped", "moved_out", "scrapped", "picked", "packed", "put_away", "mismatch",
        "movements", "last_movement_at", "negative_since", "stockout_since", "findings",
    ),
    nested={},
    entity="concat(site, '|', item)",
    facts={"warehouse": "concat(site, '|', item)"},
    tables=("warehouse_events", "shipment_events"),
)  # fmt: skip
SHIPMENTS: Final = Kind(
    name="shipments",
    published="shipments_published",
    recomputed="shipments_figures",
    figures=(
        "status", "leg", "final", "carrier", "mode", "origin", "destination", "lane", "promised_at", "due_at",
        "estimated_at", "departed_at", "delivered_at", "late", "late_ms", "latitude_micros", "longitude_micros",
        "seen_at", "orders", "findings", "milestones", "lines",
    ),
    nested={"milestones": _MILESTONE, "lines": _SHIPMENT_LINE},
    entity="shipment_id",
    facts={"shipment": "shipment_id"},
    tables=("shipment_events",),
)  # fmt: skip
ORDERS: Final = Kind(
    name="orders",
    published="orders_published",
    recomputed="orders_figures",
    figures=("status", "supplier", "buyer", "destination", "ordered_at", "final", "lines"),
    nested={"lines": _ORDER_LINE},
    entity="order_id",
    facts={"supplier": "order_id"},
    tables=("supplier_events", "shipment_events"),
)


def _leads(name: str, observations: str, measures: tuple[str, ...], *tables: str) -> Kind:
    return Kind(
        name=f"lead_times_{name}",
        published="leads_published",
        recomputed="leads",
        figures=("last_day", *(f"{window}_{figure}" for window in ("recent", "all") for figure in _WINDOW)),
        nested={},
        entity="concat(measure, '|', route)",
        facts={},
        tables=tables,
        observations=observations,
        measures=measures,
    )


LEADS: Final = (
    _leads("of_shipments", "transit_times", ("transit", "carrier_transit", "leg_transit"), "shipment_events"),
    _leads("of_orders", "order_times", ("order_to_delivery",), "supplier_events", "shipment_events"),
    _leads("of_stock", "dock_times", ("dock_to_stock",), "warehouse_events"),
)
EXCEPTIONS: Final = Kind(
    name="exceptions",
    published="exceptions_published",
    recomputed="exceptions_following",
    figures=("kind", "opened_at"),
    nested={},
    entity="exception_id",
    facts={},
    tables=("exceptions", "shipments_under_way", "stock_positions"),
    patience_s=3.0,
)
"""Ticks come four times a second (streams.clock), and what they tell has to be stored."""

KINDS: Final = (STOCK, SHIPMENTS, *LEADS, ORDERS, EXCEPTIONS)
"""What is compared, in this order."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which entities a question is about: all of them, a slice of so many, or the named ones.

    `forgets`: whether retention may have dropped events; if it has not, nobody need look.
    """

    slice: int = 0
    slices: int = 1
    entities: tuple[str, ...] = ()
    forgets: bool = True

    def condition(self, entity: str) -> str:
        """The condition on an expression that tells the entity."""
        if self.entities:
            return f"{entity} IN {{entities:Array(String)}}"
        return f"cityHash64({entity}) % {self.slices} = {self.slice}" if self.slices > 1 else "1"

    def parameters(self) -> dict[str, Any]:
        """What the condition's parameters stand for."""
        return {"entities": list(self.entities)} if self.entities else {}


def comparison(kind: Kind, scope: Scope, most: int) -> str:
    """The question that compares entities of a kind; at most so many different ones are named."""
    return _Text(kind, scope, {"most": str(most)}).of("compare")


def question(name: str) -> str:
    """The question in a file, about everything."""
    return _Text(None, Scope(), {}).of(name)


def slices(ask: Ask, tables: Iterable[str], rows: int) -> tuple[Scope, ...]:
    """As many scopes as it takes for each to be about so many rows of the tables at most, as the engine counts them."""
    ((counted, forgets),) = ask(question("table_rows"), {"tables": list(tables)})
    count = max(1, -(-int(counted) // rows))
    return tuple(Scope(number, count, forgets=bool(forgets)) for number in range(count))


@dataclass(frozen=True, slots=True)
class _Text:
    """Fills in what a file refers to. `words`: what stands for itself, and not for a file."""

    kind: Kind | None
    scope: Scope
    words: Mapping[str, str]

    def of(self, name: str) -> str:
        return _REFERENCE.sub(self._meant, _file(name))

    def _meant(self, match: re.Match[str]) -> str:
        name, _, argument = match[1].partition(":")
        if name in self.words:
            return self.words[name]
        if argument:
            return self._remembered(argument) if name == "remembered" else self._unapplied(argument)
        if self.kind is not None:
            if name == "scope":
                return self.scope.condition(self.kind.entity)
            # What the kind calls its files by other names.
            name = {
                "published": self.kind.published,
                "recomputed": self.kind.recomputed,
                "observations": self.kind.observations,
            }.get(name, name)
            if name == "measures":
                return ", ".join(f"'{measure}'" for measure in self.kind.measures)
        if name.endswith("_scope"):
            return self._own(name.removesuffix("_scope"))
        return f"({self.of(name)})"

    def _own(self, facts: str) -> str:
        """The condition on rows of a fact table."""
        entity = self.kind.facts.get(facts) if self.kind is not None else None
        return self.scope.condition(entity) if entity is not None else "1"

    def _unapplied(self, topic: str) -> str:
        return _Text(None, self.scope, {"topic": topic}).of("unapplied")

    def _remembered(self, topic: str) -> str:
        if not self.scope.forgets:
            return "1"
        words = {"topic": topic, "table": topic.replace(".", "_"), "own_scope": self._own(topic.partition(".")[0])}
        return f"({_Text(None, self.scope, words).of('remembered')})"


@cache
def _file(name: str) -> str:
    return files("sinks").joinpath(f"audit/sql/{name}.sql").read_text(encoding="utf-8")
