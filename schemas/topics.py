"""The topic registry: every topic's name, key, payload, partitions, retention and compaction."""

from dataclasses import dataclass, field
from typing import Final, Literal

from schemas.times import DAY_MS, HOUR_MS

Kind = Literal["fact", "forward", "contribution", "state", "view", "account"]
"""`fact`: what others say. `forward`: facts that came to another partition than their entity's, passed on once.
`contribution`: what agents tell each other. `state`: the agents' changelogs.
`view`: whole derived state per key. `account`: what could not be processed or came too late."""

DEFAULT_PARTITIONS: Final = 4

_LARGEST: Final = 1_048_588
"""Kafka's own default, in bytes."""

_LARGEST_LETTER: Final = 2 * _LARGEST
"""A dead letter holds the largest record in base64, which makes it a third larger, and the reason beside."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. Retention in ms; None keeps for ever (compacted topics)."""

    name: str
    kind: Kind
    key: str
    payload: str
    retention_ms: int | None
    compacted: bool = False
    partitions: int = DEFAULT_PARTITIONS
    purpose: str = field(default="", compare=False)

    def config(self) -> dict[str, str]:
        """The topic's settings, as Kafka names them."""
        largest = _LARGEST_LETTER if self.kind == "account" else _LARGEST
        settings = {"message.timestamp.type": "LogAppendTime", "max.message.bytes": str(largest)}
        if self.compacted:
            settings |= {"cleanup.policy": "compact", "min.compaction.lag.ms": str(HOUR_MS)}
        else:
            settings |= {"cleanup.policy": "delete", "retention.ms": str(self.retention_ms)}
        return settings


_FORWARD: Final = ".repartition"


def forward_topic(topic: str) -> str:
    """Where records of a fact topic go that stand in another partition than their entity's."""
    return topic + _FORWARD


def fact_topic(topic: str) -> str:
    """The fact topic that a record of this topic (a fact topic's own, or where it forwards to) came to first."""
    return topic.removesuffix(_FORWARD)


_MONTH: Final = 30 * DAY_MS
_WEEK: Final = 7 * DAY_MS

TOPICS: Final[tuple[Topic, ...]] = (
    Topic("supplier.events", "fact", "order_id", "SupplierEvent", _MONTH, purpose="orders and ship notices"),
    Topic(
        "shipment.events",
        "fact",
        "shipment_id",
        "ShipmentEvent",
        _MONTH,
        purpose="milestones, positions, conditions",
    ),
    Topic(
        "warehouse.events",
        "fact",
        "site|item",
        "WarehouseEvent",
        _MONTH,
        purpose="movements of one item at one site",
    ),
    Topic(
        "reference.events",
        "fact",
        "kind|name",
        "ReferenceEvent",
        None,
        compacted=True,
        purpose="sites, items, lanes, sources",
    ),
    Topic("operator.events", "fact", "exception_id", "OperatorEvent", _MONTH, purpose="acknowledgements"),
    *(
        Topic(forward_topic(topic), "forward", key, payload, _WEEK, purpose="records on another entity's partition")
        for topic, key, payload in (
            ("supplier.events", "order_id", "SupplierEvent"),
            ("shipment.events", "shipment_id", "ShipmentEvent"),
            ("warehouse.events", "site|item", "WarehouseEvent"),
        )
    ),
    Topic(
        "delivery.contributions",
        "contribution",
        "order_id",
        "Delivery",
        _WEEK,
        purpose="shipments agent to orders agent",
    ),
    Topic(
        "transit.contributions",
        "contribution",
        "site|item",
        "Transit",
        _WEEK,
        purpose="shipments agent to stock agent",
    ),
    Topic(
        "lead.contributions",
        "contribution",
        "measure|route",
        "LeadTime",
        _WEEK,
        purpose="observed lead times",
    ),
    *(
        Topic(f"{agent}.facts", "state", "fact row", "streams.rows", None, compacted=True, purpose="changelog")
        for agent in ("orders", "shipments", "stock", "leads")
    ),
    Topic(
        "order.status",
        "view",
        "order_id",
        "OrderStatus",
        None,
        compacted=True,
        purpose="an order and its lines",
    ),
    Topic("shipment.status", "view", "shipment_id", "ShipmentStatus", None, compacted=True, purpose="a shipment"),
    Topic(
        "stock.positions",
        "view",
        "site|item",
        "StockPosition",
        None,
        compacted=True,
        purpose="an item at a site",
    ),
    Topic(
        "lead.stats",
        "view",
        "measure|route",
        "LeadStats",
        None,
        compacted=True,
        purpose="lead times of a route",
    ),
    Topic(
        "exceptions",
        "view",
        "entity",
        "ExceptionSet",
        None,
        compacted=True,
        purpose="an entity's open exceptions",
    ),
    Topic("dead.letters", "account", "topic", "DeadLetter", _MONTH, purpose="records that could not be read"),
    Topic(
        "late.records",
        "account",
        "topic",
        "LateRecord",
        _MONTH,
        purpose="records that came too late to be applied",
    ),
)

BY_NAME: Final[dict[str, Topic]] = {topic.name: topic for topic in TOPICS}


def of_kind(*kinds: Kind) -> tuple[Topic, ...]:
    """The topics of these kinds, in registry order."""
    return tuple(topic for topic in TOPICS if topic.kind in kinds)
