"""The shape of a mapping file: how a file of somebody else's is read, and what events its rows make (docs/mapping.md).

Strict: keys that are not known are refused by name. All scalars come as texts (schemas.mapping.yaml_lines).
"""

from re import Pattern
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from schemas.event import Label, Precision, Text

FILE_TIME: Final = "file_time"
"""As `recorded_at`: when the file was last written."""

EVERYTHING_ELSE: Final = "*"
"""In a value map: what every code becomes that is not listed."""

Format = Literal["csv", "excel", "ndjson"]
Encoding = Literal["utf-8", "latin-1", "cp1252"]


def _one_or_several(value: Any) -> Any:
    return value if isinstance(value, list) else [] if value is None else [value]


def _plain_text(value: Any) -> Any:
    """A value that is said as a text alone is a template."""
    return {"template": value} if isinstance(value, str) else value


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Condition(_Strict):
    """What a column holds; exactly one test."""

    column: str
    equals: str | None = None
    not_equals: str | None = None
    among: Annotated[tuple[str, ...] | None, Field(alias="in")] = None
    not_among: Annotated[tuple[str, ...] | None, Field(alias="not_in")] = None
    empty: bool | None = None
    matches: Pattern[str] | None = None


Conditions = Annotated[tuple[Condition, ...], BeforeValidator(_one_or_several)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_one_or_several)]


class Said(_Strict):
    """Where a value comes from (one of column, constant, template), and how it is read."""

    column: str | None = None
    constant: str | None = None
    template: str | None = None
    map: str | dict[str, str] | None = None
    default: str | None = None
    empty: Texts = ()
    optional: bool = False
    formats: Texts = ()
    zone: str | None = None
    at: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    strip: Texts = ()
    factor: str | None = None


Value = Annotated[Said, BeforeValidator(_plain_text)]


class FileSettings(_Strict):
    """How the file is written. `format` None: by the end of its name."""

    format: Format | None = None
    encoding: Encoding = "utf-8"
    delimiter: str = ","
    sheet: str | None = None
    header_row: Annotated[int, Field(ge=1, le=1_000)] = 1
    each: str | None = None


class Numbers(_Strict):
    """How numbers are written."""

    decimal: str = "."
    thousands: str = ""


class Skip(_Strict):
    """Rows that are meant to make no event, and why."""

    when: Conditions
    reason: str


class EventRule(_Strict):
    """The events that rows make: one of each row, or with `group_by` one of all rows that agree in those columns."""

    type: Value
    when: Conditions = ()
    event_id: str
    occurred_at: Value
    recorded_at: Value | None = None
    retracted: Conditions = ()
    precision: Precision = "instant"
    zone: str | None = None
    group_by: Texts = ()
    fields: dict[str, Value] = {}
    references: dict[str, Value] = {}
    attributes: dict[Label, Value] = {}
    lines: dict[str, Value] = {}


class Mapping(_Strict):
    """A mapping file."""

    source: Label
    description: Text | None = None
    file: FileSettings = FileSettings()
    zone: str | None = None
    numbers: Numbers = Numbers()
    empty: Texts = ()
    maps: dict[str, dict[str, str]] = {}
    recorded_at: Value = Said(template=FILE_TIME)
    skip: tuple[Skip, ...] = ()
    events: tuple[EventRule, ...]
