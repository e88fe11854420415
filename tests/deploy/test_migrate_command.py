"""`quayside migrate`: what a person sees of pending, applied and foreign migrations."""

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client
from typer.testing import CliRunner

from deploy import migrating
from deploy.command.main import app
from schemas.errors import QuaysideError, Unreachable, WrongInput
from sinks.migrate import known, migrate
from tests.e2e.stack import quayside
from tests.sinks.clickhouse_server import running_server

_NUMBERS = itertools.count()


class Said(NamedTuple):
    """How a command ended. `error`: what it raised for a person; None if nothing."""

    code: int
    lines: list[str]
    error: QuaysideError | None


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Client]]:
    path = str(tmp_path_factory.mktemp("engine"))
    clients: list[Client] = []

    def client() -> Client:
        clients.append(clickhouse_connect.get_client(interface="chdb", path=path))
        return clients[-1]

    client()
    yield client
    for made in clients:
        with suppress(Exception):
            made.close()


@pytest.fixture
def server(engine: Callable[[], Client], monkeypatch: pytest.MonkeyPatch) -> Client:
    """A client on a new database, which the command takes for that of QUAYSIDE_CLICKHOUSE."""
    name = f"test_{next(_NUMBERS)}"

    def on_it(_: Any = None) -> Client:
        client = engine()
        client.database = name
        return client

    engine().command(f"CREATE DATABASE {name}")
    monkeypatch.setattr(migrating, "gate_client", on_it)
    monkeypatch.setenv("QUAYSIDE_CLICKHOUSE", "http://default@localhost:8123/quayside")
    monkeypatch.delenv("QUAYSIDE_KAFKA", raising=False)
    return on_it()


def run(*arguments: str) -> Said:
    """Run `quayside migrate`."""
    result = CliRunner().invoke(app, ["migrate", *arguments])
    error = result.exception if isinstance(result.exception, QuaysideError) else None
    return Said(error.exit_code if error else result.exit_code, result.output.splitlines(), error)


@pytest.mark.usefixtures("server")
def test_check_tells_what_is_pending_and_ends_with_1() -> None:
    said = run("--check")
    assert said.code == 1
    assert said.lines[:-1] == [f"pending {one.number:04d} {one.name}" for one in known()]
    assert "run `quayside migrate`" in said.lines[-1]


def test_check_changes_nothing(server: Client) -> None:
    run("--check")
    assert server.command("EXISTS TABLE migrations") == 0


def test_pending_migrations_are_applied_and_then_none_is_left(server: Client) -> None:
    said = run("--json")
    assert said.code == 0
    told = json.loads(said.lines[-1])
    assert (told["store"], told["up_to_date"], told["pending"]) == ("server", True, [])
    assert told["applied"] == [{"number": one.number, "name": one.name} for one in known()]
    assert server.query("SELECT count() FROM migrations FINAL").result_rows == [(len(known()),)]
    again = run("--check", "--json")
    assert (again.code, json.loads(again.lines[-1])["applied"]) == (0, [])


@pytest.mark.parametrize("arguments", [(), ("--check",)])
def test_a_store_of_a_newer_version_is_refused(server: Client, arguments: tuple[str, ...]) -> None:
    migrate(server)
    server.command("INSERT INTO migrations (number, name, checksum) VALUES (9999, 'future', 'x')")
    said = run(*arguments)
    assert (said.code, type(said.error)) == (2, WrongInput)
    assert "the store was made by a newer version" in str(said.error)


def test_a_server_that_refuses_is_told_in_one_sentence(server: Client) -> None:
    server.command("CREATE VIEW migrations AS SELECT 1 AS one")
    said = run()
    assert (said.code, type(said.error)) == (3, Unreachable)
    assert "refused the migrations: " in str(said.error)
    assert "\n" not in str(said.error)


def test_without_a_stack_and_without_a_server_there_is_nothing_to_ask(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("QUAYSIDE_CLICKHOUSE", raising=False)
    said = run("--data", str(tmp_path / "none"))
    assert said.code == 3
    assert "No stack is running" in str(said.error)


def test_a_server_is_migrated_over_http(tmp_path: Path) -> None:
    with running_server(tmp_path / "server") as server:
        server.client().command("CREATE DATABASE tracking")
        address = f"http://default@127.0.0.1:{server.port}/tracking"
        before = quayside("migrate", "--check", "--json", QUAYSIDE_CLICKHOUSE=address)
        assert (before.code, before.last_json()["applied"]) == (1, [])
        done = quayside("migrate", "--json", QUAYSIDE_CLICKHOUSE=address)
        assert (done.code, done.last_json()["up_to_date"]) == (0, True)
        assert quayside("migrate", "--check", QUAYSIDE_CLICKHOUSE=address).code == 0
