"""The settings of a Kafka of one's own that wants a password or TLS, and what the clients are given of them."""

import inspect
import logging
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiokafka
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth
from kafka import KafkaAdminClient, KafkaConsumer

from deploy.bench.contenders import quayside_command
from deploy.settings import SECURITY, Settings, load, security_of
from schemas.errors import WrongInput
from streams.connection import Security, for_aiokafka, for_faust, for_kafka_python, prove, refusal, secure

SECRET = "s3cret"  # noqa: S105  # the test's own


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No setting of whoever runs the tests, and none left for the next one."""
    for name in (*SECURITY, "QUAYSIDE_KAFKA"):
        monkeypatch.delenv(name, raising=False)
    yield
    secure(Security())


@pytest.fixture
def pair(tmp_path: Path) -> tuple[str, str]:
    """A certificate that vouches for itself, and its key."""
    certificate, key = str(tmp_path / "certificate.pem"), str(tmp_path / "key.pem")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1", "-subj", "/CN=test"]
    try:
        subprocess.run(
            ["openssl", "req", "-x509", *curve, "-keyout", key, "-out", certificate], check=True, capture_output=True
        )
    except FileNotFoundError:
        pytest.skip("NOT TESTED WITH TLS: openssl is missing")
    return certificate, key


def sasl(security: str = "sasl_plaintext", **more: str) -> Any:
    """The settings of a Kafka that wants a password."""
    told = {"kafka": "k:9092", "kafka_security": security, "kafka_user": "me", "kafka_password": SECRET}
    return load(**(told | more))


def test_without_settings_connections_are_plain() -> None:
    assert security_of(load()) == Security()
    assert for_aiokafka() == for_kafka_python() == {"security_protocol": "PLAINTEXT"}
    assert for_faust() is None


def test_user_and_password_reach_every_client() -> None:
    sasl()
    wanted = {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "me",
        "sasl_plain_password": SECRET,
    }
    assert for_aiokafka() == for_kafka_python() == wanted
    assert credentials_to_aiokafka_auth(for_faust()) == wanted | {"ssl_context": None}


def test_tls_comes_with_names_checked_and_with_our_certificate(pair: tuple[str, str]) -> None:
    certificate, key = pair
    load(kafka="k:9092", kafka_security="SSL", kafka_ca=certificate, kafka_cert=certificate, kafka_key=key)
    told = for_aiokafka()
    context = told.pop("ssl_context")
    assert told == {"security_protocol": "SSL"}
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert [authority["subject"] for authority in context.get_ca_certs()] == [((("commonName", "test"),),)]
    assert for_kafka_python()["ssl_context"] is context
    assert credentials_to_aiokafka_auth(for_faust()) == {"security_protocol": "SSL", "ssl_context": context}
    sasl("sasl_ssl", kafka_ca=certificate, kafka_sasl_mechanism="plain")
    wanted = for_aiokafka()
    assert (wanted["security_protocol"], wanted["sasl_mechanism"]) == ("SASL_SSL", "PLAIN")
    assert credentials_to_aiokafka_auth(for_faust()) == wanted


@pytest.mark.parametrize(
    "client",
    [aiokafka.AIOKafkaClient, aiokafka.AIOKafkaConsumer, aiokafka.AIOKafkaProducer, AIOKafkaAdminClient],
)
def test_the_names_are_those_of_the_installed_aiokafka(client: Any, pair: tuple[str, str]) -> None:
    sasl("sasl_ssl", kafka_ca=pair[0])
    assert for_aiokafka().keys() <= inspect.signature(client).parameters.keys()


@pytest.mark.parametrize("client", [KafkaAdminClient, KafkaConsumer])
def test_the_names_are_those_of_the_installed_kafka_python(client: Any, pair: tuple[str, str]) -> None:
    sasl("sasl_ssl", kafka_ca=pair[0])
    assert for_kafka_python().keys() <= client.DEFAULT_CONFIG.keys()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"kafka_user": "me"}, "QUAYSIDE_KAFKA_USER is set, but QUAYSIDE_KAFKA_PASSWORD is not"),
        ({"kafka_password": SECRET}, "QUAYSIDE_KAFKA_PASSWORD is set, but QUAYSIDE_KAFKA_USER is not"),
        ({"kafka_security": "ssl", "kafka_cert": "x"}, "QUAYSIDE_KAFKA_CERT is set, but QUAYSIDE_KAFKA_KEY is not"),
        ({"kafka_security": "sasl_ssl"}, "nobody is named: set QUAYSIDE_KAFKA_USER"),
        ({"kafka_user": "me", "kafka_password": SECRET}, "with QUAYSIDE_KAFKA_SECURITY plaintext no password is used"),
        ({"kafka_ca": "x"}, "QUAYSIDE_KAFKA_CA is set, but QUAYSIDE_KAFKA_SECURITY plaintext is without TLS"),
        ({"kafka_security": "ssl", "kafka_ca": "nowhere.pem"}, "QUAYSIDE_KAFKA_CA nowhere.pem is no file"),
        ({"kafka_security": "ssl", "kafka_ca": __file__}, "cannot be used .*: name a PEM file"),
        ({"kafka_security": "tls"}, "QUAYSIDE_KAFKA_SECURITY is wrong: .*'sasl_ssl'.*'tls'"),
        ({"kafka_sasl_mechanism": "GSSAPI"}, "QUAYSIDE_KAFKA_SASL_MECHANISM is wrong"),
    ],
)
def test_what_does_not_go_together_is_refused_in_a_sentence(given: dict[str, str], sentence: str) -> None:
    with pytest.raises(WrongInput, match=sentence) as refused:
        load(**({"kafka": "k:9092"} | given))
    assert SECRET not in str(refused.value)
    assert str(refused.value).endswith(".")


def test_a_certificate_without_its_own_key_is_refused(pair: tuple[str, str]) -> None:
    with pytest.raises(WrongInput, match="belong together"):
        load(kafka="k:9092", kafka_security="ssl", kafka_cert=pair[0], kafka_key=pair[0])


def test_security_without_a_kafka_is_refused() -> None:
    with pytest.raises(WrongInput, match="QUAYSIDE_KAFKA is not set"):
        load(kafka_security="ssl")


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SECURITY:
        monkeypatch.setenv(name, "")
    assert security_of(load()) == Security()
    assert all(f"{name}=" in quayside_command("k:9092", Path("data"), "worker") for name in SECURITY)


def test_each_of_the_variables_is_a_setting() -> None:
    assert set(SECURITY) <= {f"QUAYSIDE_{name.upper()}" for name in Settings.model_fields}


def test_the_password_stands_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    settings = sasl()
    assert SECRET not in f"{settings!r} {settings.model_dump()} {security_of(settings)!r} {for_faust()!r}"
    logging.getLogger("aiokafka").setLevel(logging.DEBUG)
    try:
        assert not logging.getLogger("aiokafka.conn").isEnabledFor(logging.DEBUG)
        assert not logging.getLogger("kafka.admin.client").isEnabledFor(logging.DEBUG)
    finally:
        logging.getLogger("aiokafka").setLevel(logging.NOTSET)
    assert not capsys.readouterr().out


def test_a_broker_that_is_not_there_gives_no_reason() -> None:
    sasl()
    assert refusal("127.0.0.1:1") == ""
    prove("127.0.0.1:1")
