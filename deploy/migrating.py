"""Migrations as a command of their own: of a ClickHouse server; of an embedded store only what is to be told."""

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal

from clickhouse_connect.driver.exceptions import ClickHouseError

from deploy.command.reach import servers
from deploy.gate_client import gate_client
from deploy.settings import Settings
from deploy.stackfile import StackFile, require_running
from schemas.errors import Unreachable
from sinks.migrate import Migration, migrate, pending


@dataclass(frozen=True, slots=True)
class Migrations:
    """What was applied now, and what is pending still, each as number and name."""

    store: Literal["server", "embedded"]
    address: str
    applied: tuple[tuple[int, str], ...]
    pending: tuple[tuple[int, str], ...]

    @property
    def up_to_date(self) -> bool:
        """Whether the store has all that this version comes with."""
        return not self.pending

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "store": self.store,
            "address": self.address,
            "applied": [{"number": number, "name": name} for number, name in self.applied],
            "pending": [{"number": number, "name": name} for number, name in self.pending],
            "up_to_date": self.up_to_date,
        }

    def lines(self) -> list[str]:
        """For a person."""
        said = [f"applied {number:04d} {name}" for number, name in self.applied]
        said += [f"pending {number:04d} {name}" for number, name in self.pending]
        if self.store == "embedded":
            said.append("An embedded stack migrates its store itself whenever it starts.")
        if self.up_to_date:
            return [*said, f"the store at {self.address} is up to date"]
        remedy = "restart the stack" if self.store == "embedded" else "run `quayside migrate`"
        return [*said, f"the store at {self.address} is not up to date: {remedy}"]


def migrate_store(settings: Settings, *, check: bool) -> Migrations:
    """Migrate the server of the settings, or tell what is pending there or in the running embedded stack.

    Raises:
        WrongInput: A newer version made the store.
        Unreachable: The server does not answer or refuses, or no stack runs.
    """
    # Migrations need no Kafka; `servers` wants both, since everything else does.
    server = servers(settings.model_copy(update={"kafka": settings.kafka or "none"}))
    if server is None:
        stack = require_running(settings.data)
        return Migrations("embedded", stack.gate, (), _names(_asked(stack, check=True)[1]))
    applied, left = _asked(server, check=check)
    return Migrations("server", server.gate, _names(applied), _names(left))


def _asked(stack: StackFile, *, check: bool) -> tuple[tuple[Migration, ...], tuple[Migration, ...]]:
    """What was applied, and what is pending then."""
    with closing(gate_client(stack)) as client:
        try:
            applied = () if check else migrate(client)
            return applied, pending(client)
        except ClickHouseError as error:
            said = str(error).strip().splitlines()[0]
            raise Unreachable(f"The ClickHouse at {stack.gate} refused the migrations: {said}") from None


def _names(migrations: Iterable[Migration]) -> tuple[tuple[int, str], ...]:
    return tuple((migration.number, migration.name) for migration in migrations)
