"""The gateway of a running stack: from an HTTP request to a row of the history, and back to whoever sent it."""

import gzip
import json
import os
import shutil
import signal
import ssl
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError

import pytest

from deploy.stackfile import require_running
from tests.e2e.recent import moment
from tests.e2e.stack import Stack, await_, begin

pytestmark = pytest.mark.tansu


class Told(NamedTuple):
    """An answer."""

    status: int
    body: Any


class Partner:
    """Somebody with a token."""

    def __init__(self, stack: Stack, source: str) -> None:
        self.source = source
        self.address = require_running(stack.data).gateway or ""
        made = stack.run("tokens create", source, "--source", source, "--json")
        made.done()
        self._secret = made.last_json()["secret"]

    def event(self, event_id: str, **other: Any) -> dict[str, Any]:
        """A movement of goods that this partner says."""
        return {
            "event_id": event_id,
            "source": self.source,
            "type": "received",
            "site": f"SITE-{self.source}",
            "item": "acme:drill",
            "unit": "pcs",
            "quantity": 5,
            "occurred_at": moment(0),
            "recorded_at": moment(0),
        } | other

    def ask(self, path: str, body: bytes | None = None, **headers: str) -> Told:
        """A request; a header's underscores are dashes."""
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        told["Authorization"] = f"Bearer {self._secret}"
        request = urllib.request.Request(self.address + path, body, told)  # noqa: S310  # loopback
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  # as above
                return Told(answer.status, json.loads(answer.read()))
        except HTTPError as error:
            return Told(error.code, json.loads(error.read()))

    def send(self, *events: dict[str, Any], path: str = "/v1/events", **headers: str) -> Told:
        """Events, as an array."""
        return self.ask(path, json.dumps(events).encode(), Content_Type="application/json", **headers)

    def state(self, event_id: str) -> str:
        """What has become of an event."""
        told = self.ask(f"/v1/events/{self.source}/{event_id}")
        return str(told.body["state"]) if told.status == 200 else str(told.status)

    def await_state(self, event_id: str, state: str) -> None:
        """Wait until that has become of it."""
        await_(f"{event_id} is {state}", lambda: self.state(event_id) == state)


def rows_of(stack: Stack, source: str) -> dict[str, Any]:
    """By event_id, the quantity that counts."""
    sql = f"SELECT event_id, toString(quantity) FROM warehouse_events_now WHERE source = '{source}'"  # noqa: S608  # ours
    return dict(stack.query(sql))


def test_what_is_sent_is_in_the_history_and_its_sender_is_told(plain: Stack) -> None:
    partner = Partner(plain, "gw-life")
    answer = partner.send(partner.event("a/1"), partner.event("a/2", quantity=-1), partner.event("b", source="other"))
    assert answer.status == 207
    assert [receipt["cause"] for receipt in answer.body["receipts"]] == ["", "invalid", "forbidden"]
    assert partner.state("a/1") in {"pending", "accepted"}
    partner.await_state("a/1", "accepted")
    partner.await_state("a/2", "dead")
    assert partner.send(partner.event("a/1", quantity=7, recorded_at=moment(1))).status == 202
    partner.await_state("a/1", "corrected")
    assert partner.send(partner.event("a/1", retracted=True, recorded_at=moment(2))).status == 202
    partner.await_state("a/1", "retracted")
    moved = partner.send(partner.event("a/1", site="ELSEWHERE", recorded_at=moment(3)))
    assert moved.status == 422
    assert partner.state("never") == "404"
    assert partner.ask("/v1/events/other/b").status == 403
    broken = partner.ask("/v1/events", b'{"broken\n', Content_Type="application/x-ndjson")
    assert broken.status == 422

    def causes() -> list[str]:
        return [one["cause"] for one in partner.ask("/v1/rejections?since=1h").body["rejections"]]

    await_("the refused ones are told", lambda: sorted(causes()) == ["invalid", "invalid", "not_json"])
    dead = plain.query("SELECT origin, source FROM dead_letters WHERE origin = 'gateway:gw-life' ORDER BY source")
    assert dead == [["gateway:gw-life", ""], *[["gateway:gw-life", "gw-life"]] * 2]


def test_lines_that_are_compressed_and_dry_runs(plain: Stack) -> None:
    partner = Partner(plain, "gw-forms")
    lines = "\n".join(json.dumps(partner.event(f"n/{number}")) for number in range(100)).encode()
    packed = gzip.compress(lines)
    headers = {"Content_Type": "application/x-ndjson", "Content_Encoding": "gzip"}
    dry = partner.ask("/v1/events?dry_run=true", packed, **headers)
    assert (dry.status, dry.body["accepted"], dry.body["dry_run"]) == (202, 100, True)
    partner.send(partner.event("seen"))
    partner.await_state("seen", "accepted")
    assert set(rows_of(plain, "gw-forms")) == {"seen"}
    for _ in range(2):
        assert partner.ask("/v1/events", packed, Idempotency_Key="once", **headers).status == 202
    await_("all are in the history", lambda: len(rows_of(plain, "gw-forms")) == 101)


def test_a_gateway_that_is_killed_comes_back_and_what_it_accepted_is_in_the_history(plain: Stack) -> None:
    partner = Partner(plain, "gw-killed")
    sent = [f"k/{number}" for number in range(50)]
    for number, event_id in enumerate(sent):
        assert partner.send(partner.event(event_id)).status == 202
        if number == 30:
            os.kill(plain.pids()["gateway"], signal.SIGKILL)
            await_("the gateway answers again", lambda: _answers(lambda: partner.ask("/health").status == 200))
    await_("all are in the history", lambda: set(rows_of(plain, "gw-killed")) == set(sent))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make a certificate with")
def test_a_gateway_beside_the_stack_serves_with_tls(plain: Stack, tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", str(key),
         "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    pair = {"QUAYSIDE_GATEWAY_TLS_CERT": str(certificate), "QUAYSIDE_GATEWAY_TLS_KEY": str(key)}
    process = begin("gateway", "--listen", "localhost:0", "--data", plain.data, **pair)
    try:
        assert process.stdout is not None
        address = process.stdout.readline().decode().strip()
        assert address.startswith("https://localhost:")
        trusted = ssl.create_default_context(cafile=str(certificate))
        with urllib.request.urlopen(f"{address}/ready", context=trusted, timeout=30) as answer:  # noqa: S310  # loopback
            assert json.loads(answer.read())["ready"] is True
    finally:
        process.terminate()
        _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (0, b"")
    half = plain.run("gateway", "--listen", "127.0.0.1:99999")
    assert "HOST:PORT" in half.complaint(2)


def _answers(holds: Callable[[], bool]) -> bool:
    try:
        return holds()
    except OSError:
        return False
