"""Settings: defaults, then the environment (`QUAYSIDE_*`), then what a command line says."""

import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.errors import WrongInput
from streams.clock import HORIZON_MS
from streams.connection import Mechanism, Protocol, Security, secure

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


def _none_if_empty(text: Any) -> Any:
    """A variable that is set to nothing is one that is not set."""
    return None if text == "" else text


def _lower(text: Any) -> Any:
    return (text.strip().lower() or "plaintext") if isinstance(text, str) else text


def _mechanism(text: Any) -> Any:
    return (text.strip().upper() or "SCRAM-SHA-512") if isinstance(text, str) else text


_Text = Annotated[str | None, BeforeValidator(_none_if_empty)]
_Secret = Annotated[SecretStr | None, BeforeValidator(_none_if_empty)]
_File = Annotated[Path | None, BeforeValidator(_none_if_empty)]

SECURITY: Final = (
    "QUAYSIDE_KAFKA_SECURITY",
    "QUAYSIDE_KAFKA_SASL_MECHANISM",
    "QUAYSIDE_KAFKA_USER",
    "QUAYSIDE_KAFKA_PASSWORD",
    "QUAYSIDE_KAFKA_CA",
    "QUAYSIDE_KAFKA_CERT",
    "QUAYSIDE_KAFKA_KEY",
)
"""The variables that say how to connect to a Kafka of your own; an empty one is one that is not set."""

_PROTOCOLS: Final[dict[str, Protocol]] = {
    "plaintext": "PLAINTEXT",
    "ssl": "SSL",
    "sasl_plaintext": "SASL_PLAINTEXT",
    "sasl_ssl": "SASL_SSL",
}


class Settings(BaseSettings):
    """What can be set. Every field is the environment variable QUAYSIDE_<NAME>."""

    model_config = SettingsConfigDict(env_prefix="QUAYSIDE_", extra="ignore")

    data: Path = Path("quayside-data")
    """The stack's directory: history, spool, logs."""

    kafka: str | None = None
    """host:port[,host:port] of a Kafka of your own; none: the embedded broker."""

    kafka_security: Annotated[Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"], BeforeValidator(_lower)] = (
        "plaintext"
    )
    """How to connect to a Kafka of your own: with TLS (ssl), user and password (sasl_plaintext), or both (sasl_ssl)."""

    kafka_sasl_mechanism: Annotated[Mechanism, BeforeValidator(_mechanism)] = "SCRAM-SHA-512"
    """How user and password are told."""

    kafka_user: _Text = None
    """The user, with sasl_plaintext and sasl_ssl."""

    kafka_password: _Secret = None
    """The user's password."""

    kafka_ca: _File = None
    """Who vouches for the brokers' certificates (PEM); none: whom this machine trusts."""

    kafka_cert: _File = None
    """A certificate of ours (PEM), where the brokers want one; set with kafka_key, or neither."""

    kafka_key: _File = None
    """Its key (PEM, without a passphrase)."""

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

    gateway_listen: str = "127.0.0.1:0"
    """HOST:PORT where the suppliers' gateway listens; port 0 takes a free one."""

    gateway_tls_cert: Path | None = None
    """The gateway's certificate (PEM, with the chain behind it); set with gateway_tls_key, or neither."""

    gateway_tls_key: Path | None = None
    """The key of the gateway's certificate (PEM, without a passphrase)."""

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
    """The settings; `given` (None: not given) wins over the environment. Raises WrongInput.

    From then on this process connects to Kafka as they say (streams/connection.py): every one of ours begins here.
    """
    settings = _read(given)
    secure(security_of(settings))
    return settings


def security_of(settings: Settings) -> Security:
    """How to connect to Kafka. Raises WrongInput where the settings do not go together, or name no file."""
    protocol, password = settings.kafka_security, settings.kafka_password
    pairs = (
        ("USER", settings.kafka_user, "PASSWORD", password),
        ("CERT", settings.kafka_cert, "KEY", settings.kafka_key),
    )
    for one, its, other, others in pairs:
        if (its is None) != (others is None):
            there, lacking = (one, other) if others is None else (other, one)
            raise WrongInput(
                f"QUAYSIDE_KAFKA_{there} is set, but QUAYSIDE_KAFKA_{lacking} is not: set both, or neither."
            )
    if protocol != "plaintext" and settings.kafka is None:
        raise WrongInput(
            f"QUAYSIDE_KAFKA_SECURITY is {protocol}, but QUAYSIDE_KAFKA is not set: name your Kafka there, or unset it "
            "(the embedded broker wants neither TLS nor a password)."
        )
    if protocol.startswith("sasl") and settings.kafka_user is None:
        raise WrongInput(
            f"QUAYSIDE_KAFKA_SECURITY is {protocol}, but nobody is named: set QUAYSIDE_KAFKA_USER and "
            "QUAYSIDE_KAFKA_PASSWORD."
        )
    if settings.kafka_user is not None and not protocol.startswith("sasl"):
        raise WrongInput(
            f"QUAYSIDE_KAFKA_USER is set, but with QUAYSIDE_KAFKA_SECURITY {protocol} no password is used: set it to "
            "sasl_ssl (or sasl_plaintext)."
        )
    files = {"CA": settings.kafka_ca, "CERT": settings.kafka_cert, "KEY": settings.kafka_key}
    for name, file in files.items():
        if file is not None and not protocol.endswith("ssl"):
            raise WrongInput(
                f"QUAYSIDE_KAFKA_{name} is set, but QUAYSIDE_KAFKA_SECURITY {protocol} is without TLS: set it to ssl "
                "or sasl_ssl."
            )
        if file is not None and not file.is_file():
            raise WrongInput(f"QUAYSIDE_KAFKA_{name} {file} is no file: name one in PEM.")
    return Security(
        _PROTOCOLS[protocol],
        settings.kafka_sasl_mechanism,
        settings.kafka_user or "",
        password.get_secret_value() if password else "",
        settings.kafka_ca,
        settings.kafka_cert,
        settings.kafka_key,
    )


def _read(given: dict[str, Any]) -> Settings:
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = "QUAYSIDE_" + "_".join(str(part) for part in first["loc"]).upper()
        raise WrongInput(f"The setting {name} is wrong: {first['msg']} (it is {first['input']!r}).") from None


def unwritable(data: Path, error: OSError) -> WrongInput:
    """What to tell about a data directory that cannot be used."""
    return WrongInput(f"The data directory {data} cannot be written: {error.strerror}. Choose another --data.")
