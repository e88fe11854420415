"""What every event says, whatever its type, and the checked text types that events are made of."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from schemas.times import due_ms, to_ms

Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f|>]+$")]
"""A name that becomes part of a key: no control characters, no `|` (joins keys), no `>` (joins lanes)."""

Item = Annotated[
    str,
    Field(
        max_length=300,
        pattern=r"^(?:[0-9]{8}|[0-9]{12,14}|[^\x00-\x1f\x7f|>:]+:[^\x00-\x1f\x7f]+)$",
    ),
]
"""An item, unique in the world: a GTIN, or `owner:code`. Last in every key, so a code may hold `|`."""

Text = Annotated[str, Field(max_length=2_000, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$")]
"""Free text, without control characters other than tab and line ends."""

Label = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""An identifier that stands alone: no control characters."""

Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
"""ISO 4217 code."""

Unit = Annotated[str, Field(min_length=1, max_length=20, pattern=r"^[^\x00-\x20\x7f|>]+$")]
"""Unit of measure, as the parties agreed it (UN/ECE Recommendation 20 codes, `pack`, `pallet`, ...)."""


def _dated(value: Any) -> Any:
    """Refuse numbers and digits alone, which pydantic would take for seconds since the epoch."""
    if not isinstance(value, datetime) and not (isinstance(value, str) and value[4:5] == "-"):
        raise PydanticCustomError("datetime_parsing", "not an RFC 3339 time")
    return value


Moment = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_dated)]
"""An RFC 3339 time with an offset, kept as it was said."""

Precision = Literal["instant", "day"]


class Part(BaseModel):
    """A part of an event: strict, immutable, unknown fields refused by name."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class References(Part):
    """What else the event belongs to. None is checked against other events; all can be searched for."""

    order_id: Name | None = None
    shipment_id: Name | None = None
    container: Label | None = None
    sscc: Label | None = None
    booking: Label | None = None
    bill_of_lading: Label | None = None
    asn: Label | None = None
    invoice: Label | None = None


class Event(Part):
    """The fields that every event has.

    `occurred_at` is when it happened or, for a plan or an estimate, when it is to happen; `recorded_at`
    is when it was said. Both are RFC 3339 with an offset. `precision: day` says that the source knows
    days only: its times are then starts of days, and late means after the end of that day.
    """

    event_id: Label
    source: Label
    occurred_at: Moment
    recorded_at: Moment
    retracted: bool = False
    precision: Precision = "instant"
    zone_assumed: bool = False
    references: References = References()
    attributes: dict[Label, Text] = Field(default={}, max_length=100)

    topic: ClassVar[str]
    """The Kafka topic that this type of event travels on."""

    def entity_key(self) -> str:
        """The key of the entity that the event is about; also its Kafka key."""
        raise AssertionError(type(self).__name__)

    @property
    def occurred_ms(self) -> int:
        """`occurred_at` in ms since the epoch."""
        return to_ms(self.occurred_at)

    @property
    def recorded_ms(self) -> int:
        """`recorded_at` in ms since the epoch."""
        return to_ms(self.recorded_at)

    @property
    def by_day(self) -> bool:
        """Whether the source knows days only."""
        return self.precision == "day"

    def due(self, promised: AwareDatetime | None) -> int | None:
        """The last instant (ms) at which this promise of the event is kept; None without a promise."""
        return None if promised is None else due_ms(to_ms(promised), day_precision=self.by_day)
