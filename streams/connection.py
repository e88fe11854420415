"""How every process of ours connects to Kafka: in plain text, with TLS, with a user and a password, or both.

One value for the whole process, told once at its start (`deploy.settings.load`) and asked by whoever opens a
connection. Nobody else knows a password. The brokers that we start ourselves (embedded, tests, benchmarks) are plain.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from schemas.errors import Unreachable, WrongInput

Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]

_PATIENCE_S: Final = 5.0
"""So long a broker that is asked for its reasons may take."""

# Below a warning aiokafka logs each request, the one with the password too. Its warning is about PLAIN without TLS.
logging.getLogger("aiokafka.conn").setLevel(logging.ERROR)
logging.getLogger("kafka").setLevel(logging.CRITICAL)  # kafka-python logs all its settings


@dataclass(frozen=True, slots=True)
class Security:
    """What a Kafka wants of those who connect. User and password stand in no repr.

    `protocol` and `mechanism` as Kafka names them. `ca`: who vouches for the brokers; None: whom this machine trusts.
    `certificate`, `key`: ours, both or neither. All files in PEM, the key without a passphrase.
    """

    protocol: Protocol = "PLAINTEXT"
    mechanism: Mechanism = "SCRAM-SHA-512"
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @property
    def is_plain(self) -> bool:
        """Whether neither TLS nor a password is wanted."""
        return self.protocol == "PLAINTEXT"

    @property
    def has_tls(self) -> bool:
        """Whether the connection is TLS."""
        return self.protocol in {"SSL", "SASL_SSL"}

    @property
    def has_sasl(self) -> bool:
        """Whether user and password are told."""
        return self.protocol in {"SASL_PLAINTEXT", "SASL_SSL"}


_PLAIN: Final = Security()
_told: Security = _PLAIN
_proven: set[str] = set()


def secure(security: Security) -> None:
    """From now on this process connects so. Raises WrongInput for files that cannot be used."""
    global _told  # noqa: PLW0603  # the one place of the process
    if security.has_tls:
        _tls(security)
    if security != _told:
        _told = security
        _proven.clear()


def for_aiokafka() -> dict[str, Any]:
    """The keyword arguments for aiokafka's clients (client, consumer, producer, administration)."""
    return _arguments()


def for_kafka_python() -> dict[str, Any]:
    """The keyword arguments for kafka-python's clients.

    They are aiokafka's today: kafka-python takes a context too, and then none of its own ssl_ settings.
    """
    return _arguments()


def for_faust() -> Any:
    """What a Faust app's `broker_credentials` are: None, SSLCredentials or SASLCredentials."""
    if _told.is_plain:
        return None
    import faust  # noqa: PLC0415  # a second of start-up that only a worker needs

    context = _tls(_told) if _told.has_tls else None
    if not _told.has_sasl:
        return faust.SSLCredentials(context)
    return faust.SASLCredentials(
        username=_told.user, password=_told.password, ssl_context=context, mechanism=_told.mechanism
    )


def prove(bootstrap: str) -> None:
    """Connect once, if not in plain text, so that a wrong password is told at once and with its reason.

    kafka-python tries the same password again and again, and says then that nobody answered. Raises Unreachable.
    """
    if _told.is_plain or bootstrap in _proven:
        return
    reason = _beside(_refusal(bootstrap))
    if reason:
        raise Unreachable(reason)
    if reason is None:
        _proven.add(bootstrap)


def refusal(bootstrap: str) -> str:
    """Why brokers to which there was no connection do not let us in, in one sentence; empty if they say nothing.

    Asks them once more, for 5 s each at most.
    """
    return _beside(_refusal(bootstrap)) or ""


def _arguments() -> dict[str, Any]:
    arguments: dict[str, Any] = {"security_protocol": _told.protocol}
    if _told.has_tls:
        arguments["ssl_context"] = _tls(_told)
    if _told.has_sasl:
        arguments |= {
            "sasl_mechanism": _told.mechanism,
            "sasl_plain_username": _told.user,
            "sasl_plain_password": _told.password,
        }
    return arguments


@cache
def _tls(security: Security) -> ssl.SSLContext:
    """The context of these files; names and chains are checked. Raises WrongInput."""
    try:
        context = ssl.create_default_context(cafile=security.ca)
    except (OSError, ssl.SSLError) as error:
        raise WrongInput(
            f"QUAYSIDE_KAFKA_CA {security.ca} cannot be used ({error}): name a PEM file of certificates."
        ) from None
    if security.certificate is not None:
        try:
            # With a password at hand OpenSSL asks nobody for one.
            context.load_cert_chain(security.certificate, security.key, password="")
        except (OSError, ssl.SSLError) as error:
            raise WrongInput(
                f"QUAYSIDE_KAFKA_CERT {security.certificate} with QUAYSIDE_KAFKA_KEY {security.key} cannot be used "
                f"({error}): both are to be PEM files that belong together, the key without a passphrase."
            ) from None
    return context


def _beside(asking: Coroutine[Any, Any, str | None]) -> str | None:
    """Run it in a thread of its own: the caller's may have an event loop that runs."""
    with ThreadPoolExecutor(1, thread_name_prefix="connection") as executor:
        return executor.submit(asyncio.run, asking).result()


async def _refusal(bootstrap: str) -> str | None:
    """Why no broker of these lets us in, in one sentence, or empty where none says anything; None if one does."""
    from aiokafka.conn import collect_hosts  # noqa: PLC0415  # most commands never come here

    reason = ""
    for host, port, family in collect_hosts(bootstrap):
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await _met(host, port, family)
        except Exception as error:  # noqa: BLE001  # aiokafka lets many kinds out; whoever asks has one of their own
            reason = reason or _sentence(f"{host}:{port}", error)
        else:
            return None
    return reason


async def _met(host: str, port: int, family: socket.AddressFamily) -> None:
    """Connect as a client does, and ask for what a broker tells only those whom it has let in."""
    from aiokafka.conn import create_conn  # noqa: PLC0415  # as above
    from aiokafka.protocol.metadata import MetadataRequest  # noqa: PLC0415  # as above

    _, writer = await asyncio.open_connection(host, port, family=family)  # so far it is only the network
    writer.close()
    try:
        connection = await create_conn(host, port, request_timeout_ms=int(_PATIENCE_S * 1000), **_arguments())
    except ConnectionResetError as error:
        raise _Closed from error
    try:
        await connection.send(MetadataRequest([]))
    finally:
        connection.close()


class _Closed(Exception):
    """The connection was there, and the broker ended it."""


def _sentence(place: str, error: Exception) -> str:
    from aiokafka import errors  # noqa: PLC0415  # as above

    kinds: Mapping[tuple[type[Exception], ...], str] = {
        (errors.SaslAuthenticationFailed, errors.AuthenticationFailedError): (
            f"The Kafka at {place} does not know this user with this password by {_told.mechanism}: check "
            "QUAYSIDE_KAFKA_USER, QUAYSIDE_KAFKA_PASSWORD and QUAYSIDE_KAFKA_SASL_MECHANISM."
        ),
        (errors.UnsupportedSaslMechanismError,): (
            f"The Kafka at {place} does not take {_told.mechanism}: set QUAYSIDE_KAFKA_SASL_MECHANISM to what its "
            "listener has."
        ),
        (ssl.SSLCertVerificationError,): (
            f"The Kafka at {place} shows a certificate that is not trusted "
            f"({getattr(error, 'verify_message', '')}): name who signed it in QUAYSIDE_KAFKA_CA, and the broker as it "
            "stands in the certificate in QUAYSIDE_KAFKA."
        ),
        (ssl.SSLError, _Closed, errors.KafkaConnectionError, errors.IllegalSaslStateError): (
            f"The Kafka at {place} ended a connection that was opened as {_told.protocol.lower()}: set "
            "QUAYSIDE_KAFKA_SECURITY to what its listener has (and QUAYSIDE_KAFKA_CERT if it wants one of us)."
        ),
    }
    return next((sentence for kind, sentence in kinds.items() if isinstance(error, kind)), "")
