"""The tables that the history sink writes: their columns in insert order, and the types they are sent as.

The migrations make the tables; a test holds that both agree. Texts are sent as plain `String` and the
engine turns them into `LowCardinality` where a table says so: building the dictionaries in Python costs
more than the rest of the row. Times are sent as integers (ms), which is how `DateTime64(3)` keeps them.
"""

from dataclasses import dataclass
from typing import Final

_TEXT: Final = "String"
_NUMBER: Final = "Int64"
_MAYBE: Final = "Nullable(Int64)"
_FLAG: Final = "UInt8"
_MOMENT: Final = "DateTime64(3, 'UTC')"
_MAYBE_MOMENT: Final = "Nullable(DateTime64(3, 'UTC'))"
_TEXTS: Final = "Array(String)"
_NUMBERS: Final = "Array(Int64)"


@dataclass(frozen=True, slots=True)
class Table:
    """One table. `keys`: of a table of states, how many columns after (epoch, version) name the entity."""

    name: str
    columns: tuple[tuple[str, str], ...]
    keys: int = 0

    @property
    def names(self) -> list[str]:
        """The columns' names, in insert order."""
        return [name for name, _ in self.columns]

    @property
    def types(self) -> list[str]:
        """The types that the columns are sent as."""
        return [kind for _, kind in self.columns]


def _each(kind: str, names: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, kind) for name in names.split())


def _nested(prefix: str, *columns: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    """Parallel arrays, as a Nested column has them."""
    return tuple((f"{prefix}.{name}", f"Array({kind})") for name, kind in columns)


_COORDINATE: Final = (("epoch", "UInt64"), ("partition", "UInt32"), ("offset", "UInt64"))
_TOPIC_COORDINATE: Final = (("epoch", "UInt64"), ("topic", _TEXT), ("partition", "UInt32"), ("offset", "UInt64"))
_VERSION: Final = (("epoch", "UInt64"), ("version", "UInt64"))

_EVENT: Final = (
    *_COORDINATE,
    ("appended_at", _MOMENT),
    ("source", _TEXT),
    ("event_id", _TEXT),
    ("type", _TEXT),
    ("occurred_at", _MOMENT),
    ("recorded_at", _MOMENT),
    ("offset_minutes", "Int16"),
    ("retracted", _FLAG),
    ("precision", _TEXT),
    ("zone_assumed", _FLAG),
    ("content_hash", "FixedString(16)"),
    ("references", "Map(String, String)"),
    ("attributes", "Map(String, String)"),
    ("findings", _TEXTS),
    ("raw", _TEXT),
)

_LEAD_WINDOW: Final = (
    ("count", _NUMBER),
    ("negative", _NUMBER),
    ("total", _NUMBER),
    ("squares", "Int256"),
    ("p50", _MAYBE),
    ("p90", _MAYBE),
    ("p95", _MAYBE),
    ("buckets", _NUMBERS),
    ("counts", _NUMBERS),
)

FACTS: Final[dict[str, Table]] = {
    "supplier.events": Table("supplier_events", (*_EVENT, ("order_id", _TEXT))),
    "shipment.events": Table(
        "shipment_events", (*_EVENT, *_each(_TEXT, "shipment_id milestone classifier"), ("leg", "UInt8"))
    ),
    "warehouse.events": Table(
        "warehouse_events",
        (*_EVENT, *_each(_TEXT, "site item"), ("quantity_thousandths", _NUMBER), *_each(_TEXT, "unit direction")),
    ),
    "reference.events": Table("reference_events", (*_EVENT, ("entity", _TEXT))),
    "operator.events": Table(
        "operator_events", (*_EVENT, *_each(_TEXT, "entity operator"), ("until", _MAYBE_MOMENT), ("note", _TEXT))
    ),
}
"""The table of each fact topic."""

REPLAYED: Final = Table(
    "replayed_records",
    (*_TOPIC_COORDINATE, ("first_epoch", "UInt64"), ("first_partition", "UInt32"), ("first_offset", "UInt64")),
)

DEAD: Final = Table(
    "dead_letter_records",
    (*_TOPIC_COORDINATE, ("appended_at", _MOMENT), *_each(_TEXT, "origin source cause reason field key value")),
)

LATE: Final = Table(
    "late_event_records",
    (*_TOPIC_COORDINATE, ("appended_at", _MOMENT), *_each(_TEXT, "entity source event_id reason value")),
)

HANDLED: Final = Table(
    "handled_records",
    (
        ("kind", _TEXT),
        ("first_epoch", "UInt64"),
        ("first_topic", _TEXT),
        ("first_partition", "UInt32"),
        ("first_offset", "UInt64"),
        *_TOPIC_COORDINATE,
        ("handled_at", _MOMENT),
    ),
)
"""Dead letters that were sent again and late records that were applied: where they stood first, and then."""

MARKS: Final = Table("load_marks", (*_TOPIC_COORDINATE, ("appended_at", _MOMENT), ("load", _TEXT), ("begins", _FLAG)))
"""Where loads of history begin and end."""

STATES: Final[dict[str, Table]] = {
    "order.status": Table(
        "order_status",
        (
            *_VERSION,
            *_each(_TEXT, "order_id status supplier buyer destination"),
            ("ordered_at", _MAYBE_MOMENT),
            ("final", _FLAG),
            *_nested(
                "lines",
                *_each(_TEXT, "line_id status item unit"),
                *_each(_NUMBER, "ordered shipped delivered"),
                *_each(_MAYBE_MOMENT, "ordered_at requested_at promised_at due_at delivered_at"),
                ("late", _FLAG),
                ("late_ms", _NUMBER),
                ("unit_cost_micros", _MAYBE),
                ("currency", _TEXT),
                *_each(_TEXTS, "shipments findings"),
            ),
            ("gone", _FLAG),
        ),
        keys=1,
    ),
    "shipment.status": Table(
        "shipment_status",
        (
            *_VERSION,
            *_each(_TEXT, "shipment_id status"),
            ("leg", _NUMBER),
            ("final", _FLAG),
            *_each(_TEXT, "carrier mode origin destination lane"),
            *_each(_MAYBE_MOMENT, "promised_at due_at estimated_at departed_at delivered_at"),
            ("late", _FLAG),
            ("late_ms", _NUMBER),
            *_each(_MAYBE, "latitude_micros longitude_micros"),
            ("seen_at", _MAYBE_MOMENT),
            *_each(_TEXTS, "orders findings"),
            *_nested(
                "milestones",
                ("leg", _NUMBER),
                ("milestone", _TEXT),
                *_each(_MAYBE_MOMENT, "planned_at planned_due_at estimated_at actual_at"),
                ("inferred", _FLAG),
                ("location", _TEXT),
            ),
            *_nested(
                "lines",
                *_each(_TEXT, "item unit order_id line_id"),
                *_each(_NUMBER, "shipped delivered"),
                *_each(_MAYBE_MOMENT, "delivered_at promised_at due_at"),
                ("late", _FLAG),
                ("late_ms", _NUMBER),
            ),
            ("gone", _FLAG),
        ),
        keys=1,
    ),
    "stock.positions": Table(
        "stock_positions",
        (
            *_VERSION,
            *_each(_TEXT, "site item unit"),
            *_each(_NUMBER, "on_hand reserved quarantined available in_transit"),
            *_each(_NUMBER, "received returned moved_in adjusted count_variance shipped moved_out scrapped"),
            *_each(_NUMBER, "picked packed put_away mismatch movements"),
            *_each(_MAYBE_MOMENT, "last_movement_at negative_since stockout_since"),
            ("findings", _TEXTS),
            ("gone", _FLAG),
        ),
        keys=2,
    ),
    "lead.stats": Table(
        "lead_stats",
        (
            *_VERSION,
            *_each(_TEXT, "measure route"),
            ("last_day", "Nullable(Date32)"),
            *((f"recent_{name}", kind) for name, kind in _LEAD_WINDOW),
            *((f"all_{name}", kind) for name, kind in _LEAD_WINDOW),
            ("gone", _FLAG),
        ),
        keys=2,
    ),
    "exceptions": Table(
        "exceptions",
        (
            *_VERSION,
            ("entity", _TEXT),
            *_nested("open", *_each(_TEXT, "exception_id kind"), ("opened_at", _MOMENT), ("detail", _TEXT)),
            ("gone", _FLAG),
        ),
        keys=1,
    ),
}
"""The table of each view topic."""

TABLES: Final[dict[str, Table]] = {
    table.name: table for table in (MARKS, *FACTS.values(), REPLAYED, DEAD, LATE, HANDLED, *STATES.values())
}
"""All of them by name, in the order in which they are written."""
