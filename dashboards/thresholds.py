"""The settings of all alert rules: thresholds.yaml, or a copy of it with other figures.

The queries of rules name a setting as `@{late.page.count}`; one that has exceptions for lanes becomes an expression
over the column `lane`.
"""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from schemas.errors import WrongInput

_PLACE: Final = re.compile(r"@\{([a-z_.]+)\}")
_STEP_S: Final = 10

Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[int, Field(ge=0, le=86_400, multiple_of=_STEP_S)]
Share = Annotated[float, Field(ge=0, le=1)]
Duration = Annotated[str, Field(pattern=r"^[0-9]+(s|m|h|d)$")]
Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class _Settings(BaseModel):
    """Immutable; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TooManyLate(_Settings):
    """More than `count` late on a lane, or more than `share` of its open ones (of at least `of_at_least`)."""

    count: Count
    share: Share
    of_at_least: Count
    for_s: Seconds = 0


class LaneLate(_Settings):
    """The thresholds of a single lane, where they differ."""

    page: TooManyLate | None = None
    warning: TooManyLate | None = None


class Late(_Settings):
    """Late shipments by lane."""

    page: TooManyLate
    warning: TooManyLate
    lanes: Mapping[str, LaneLate] = {}


class NewlyLate(_Settings):
    """Shipments that became late within the window, by lane. `lanes`: other counts for single lanes."""

    count: Count
    window_minutes: Annotated[int, Field(ge=1, le=1_440)]
    lanes: Mapping[str, Count] = {}


class LateShipment(_Settings):
    """How many late shipments have a ticket of their own, at most."""

    at_most: Annotated[int, Field(ge=1, le=2_000)]


class TooMany(_Settings):
    """More than `count`, for so long. `lanes`: other counts for single lanes, where it goes by lane."""

    count: Count
    for_s: Seconds = 0
    lanes: Mapping[str, Count] = {}


class DeadShare(_Settings):
    """More than `share` of what arrived on a topic within the window, if that was `of_at_least` or more."""

    share: Share
    of_at_least: Count
    window_minutes: Annotated[int, Field(ge=1, le=1_440)]
    for_s: Seconds


class Silent(_Settings):
    """For how long a source has to be silent beyond its own limit (three times its usual gap)."""

    for_s: Seconds


class NotFresh(_Settings):
    """Older than so many seconds, for so long."""

    age_s: Annotated[int, Field(ge=1)]
    for_s: Seconds


class Evaluation(_Settings):
    """How often the rules are evaluated, and for how long an alert goes on that is over: multiples of 10 s."""

    late_s: Seconds
    tickets_s: Seconds
    data_s: Seconds
    keep_s: Seconds

    @field_validator("late_s", "tickets_s", "data_s")
    @classmethod
    def _at_least_once(cls, seconds: int) -> int:
        if seconds < _STEP_S:
            message = f"the interval of alert rules must be a multiple of {_STEP_S} seconds, not {seconds}"
            raise ValueError(message)
        return seconds


class Timing(_Settings):
    """Of one severity in the policy tree."""

    group_wait: Duration
    group_interval: Duration
    repeat_interval: Duration


class Delivery(_Settings):
    """Of each severity."""

    page: Timing
    warning: Timing
    ticket: Timing


class Hours(_Settings):
    """From `start` to `end`, over midnight where that is later."""

    start: Clock
    end: Clock


class Quiet(_Settings):
    """When tickets are not sent."""

    tickets: bool
    hours: Hours
    weekends: bool
    time_zone: str


class Map(_Settings):
    """What lies below the markers."""

    base: Literal["offline", "online"]


class Thresholds(_Settings):
    """All settings; see the comments in thresholds.yaml."""

    late: Late
    newly_late: NewlyLate
    late_shipment: LateShipment
    at_risk: TooMany
    overdue_milestone: TooMany
    negative_stock: TooMany
    stockout: TooMany
    lead_time_shift: TooMany
    dead_letter_share: DeadShare
    silent_source: Silent
    not_fresh: NotFresh
    evaluation: Evaluation
    delivery: Delivery
    quiet: Quiet
    runbooks: str
    map: Map

    def fill(self, sql: str) -> str:
        """A rule's query with its settings in place. Raises WrongInput for a setting that there is not."""
        return _PLACE.sub(lambda found: self._expression(found.group(1)), sql)

    def _expression(self, path: str) -> str:
        *parents, name = path.split(".")
        place: object = self
        for each in parents:
            place = getattr(place, each, None)
        usual = getattr(place, name, None)
        if not isinstance(usual, int | float):
            raise WrongInput(f"a query asks for the setting {path!r}, which thresholds.yaml does not have")
        others = self._others(parents, name)
        if not others:
            return _number(usual)
        lanes = ", ".join("'" + lane.replace("\\", "\\\\").replace("'", "\\'") + "'" for lane in sorted(others))
        figures = ", ".join(f"toFloat64({_number(others[lane])})" for lane in sorted(others))
        return f"transform(toString(on_lane), [{lanes}], [{figures}], toFloat64({_number(usual)}))"

    def _others(self, parents: list[str], name: str) -> dict[str, float]:
        """What single lanes have instead."""
        match parents:
            case ["late", severity]:
                own = {lane: getattr(one, severity) for lane, one in self.late.lanes.items()}
                return {lane: getattr(told, name) for lane, told in own.items() if told is not None}
            case [matter] if name == "count":
                return dict(getattr(getattr(self, matter), "lanes", {}))
            case _:
                return {}


@cache
def shipped() -> Thresholds:
    """The settings that Quayside comes with."""
    return _read(
        files("dashboards").joinpath("thresholds.yaml").read_text(encoding="utf-8"), "dashboards/thresholds.yaml"
    )


def read(path: Path | None) -> Thresholds:
    """The settings in a file, or those that Quayside comes with. Raises WrongInput with what is wrong in it."""
    if path is None:
        return shipped()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WrongInput(
            f"The thresholds in {path} cannot be read ({error}): copy dashboards/thresholds.yaml."
        ) from None
    return _read(text, str(path))


def _read(text: str, name: str) -> Thresholds:
    try:
        return Thresholds.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise WrongInput(f"The thresholds in {name} are no YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise WrongInput(f"The thresholds in {name} are wrong at {where}: {first['msg']}.") from None


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
