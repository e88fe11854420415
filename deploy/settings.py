"""Settings: defaults, then the environment (`QUAYSIDE_*`), then what a command line says."""

import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.errors import WrongInput
from streams.clock import HORIZON_MS

_UNITS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")


def duration_ms(text: Any) -> Any:
    """Milliseconds of `250ms`, `30s`, `15m`, `12h` or `7d`; other values go through unchanged."""
    if not isinstance(text, str):
        return text
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        message = f"{text!r} is not a duration: write a number with ms, s, m, h or d, such as 7d"
        raise ValueError(message)
    return round(float(found[1]) * _UNITS[found[2]])


Duration = Annotated[int, BeforeValidator(duration_ms), Field(gt=0)]
"""A duration in ms, written as text."""


def _port_or_off(text: Any) -> Any:
    return None if isinstance(text, str) and text.strip().lower() in {"off", "no", "none"} else text


MetricsPort = Annotated[Annotated[int, Field(ge=0, le=65_535)] | None, BeforeValidator(_port_or_off)]
"""A port, or `off`."""


class Settings(BaseSettings):
    """What can be set. Every field is the environment variable QUAYSIDE_<NAME>."""

    model_config = SettingsConfigDict(env_prefix="QUAYSIDE_", extra="ignore")

    data: Path = Path("quayside-data")
    """The stack's directory: history, spool, logs."""

    kafka: str | None = None
    """host:port[,host:port] of a Kafka of your own; none: the embedded broker."""

    clickhouse: str | None = None
    """http(s)://user:password@host:port/database of a ClickHouse of your own; none: the embedded store."""

    epoch: int = Field(default=1, ge=1)
    """The epoch of a Kafka of your own; raise it by one when its topics are made anew."""

    horizon: Duration = HORIZON_MS
    """How long after its end a period stays open for late events."""

    max_facts: int = Field(default=5_000_000, ge=1_000)
    """A worker that holds more facts than this closes its oldest periods early."""

    bad_share: float = Field(default=0.5, ge=0, le=1)
    """Above this share of unreadable records among the last 1,000 of a topic the worker stops; 1: never."""

    webhook: str | None = None
    """Where alerts are posted; none: they are shown in Grafana only."""

    broker_limit: int = Field(default=1_000_000_000, ge=1)
    """Above so many bytes of memory of the embedded broker the stack goes on in a new one."""

    broker_records: int = Field(default=0, ge=0)
    """And after so many new records in it; 0: however many."""

    gate_port: int = Field(default=0, ge=0, le=65_535)
    """The port of the store's HTTP gate on 127.0.0.1; 0 takes a free one."""

    board_port: int = Field(default=0, ge=0, le=65_535)
    """The port of the live board on 127.0.0.1, where no Grafana is installed; 0 takes a free one."""

    gate_password: SecretStr | None = None
    """The gate's password; none: one is made for each data directory."""

    log_level: Literal["debug", "info", "warn", "error"] = "warn"
    """From which level on the worker logs."""

    log_format: Literal["text", "json"] = "text"
    """How every process logs: lines for people, or one JSON object per line."""

    metrics_port: MetricsPort = 0
    """Where worker and sink serve /metrics, /health and /ready on 127.0.0.1; 0 takes a free one, None (off) none."""

    retention: Duration | None = None
    """What arrived longer ago leaves the history, once a day (docs/retention.md); none: nothing ever does."""

    stuck_after: Duration = 60_000
    """A process that has records to take and has taken none for so long is not healthy."""


def load(**given: Any) -> Settings:
    """The settings; `given` (None: not given) wins over the environment. Raises WrongInput."""
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = "QUAYSIDE_" + "_".join(str(part) for part in first["loc"]).upper()
        raise WrongInput(f"The setting {name} is wrong: {first['msg']} (it is {first['input']!r}).") from None


def unwritable(data: Path, error: OSError) -> WrongInput:
    """What to tell about a data directory that cannot be used."""
    return WrongInput(f"The data directory {data} cannot be written: {error.strerror}. Choose another --data.")
