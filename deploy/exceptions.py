"""The open exceptions, read: which there are, since when, and who has them in hand."""

from dataclasses import dataclass
from typing import Any, Final, Literal

from clickhouse_connect.driver.client import Client

from deploy.gate_client import rows
from deploy.kept import sql
from schemas.times import rfc3339

State = Literal["open", "acknowledged", "all"]
"""`open`: nobody has it in hand."""


@dataclass(frozen=True, slots=True)
class WhichExceptions:
    """Which exceptions: all that fit every filter. Empty: no filter."""

    kinds: tuple[str, ...] = ()
    lanes: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    suppliers: tuple[str, ...] = ()
    state: State = "open"

    def parameters(self) -> dict[str, Any]:
        """What deploy/sql/exceptions_which.sql wants."""
        return {
            "kinds": list(self.kinds),
            "lanes": list(self.lanes),
            "sites": list(self.sites),
            "suppliers": list(self.suppliers),
            "state": self.state,
        }


@dataclass(frozen=True, slots=True)
class OpenException:
    """A row of exceptions_open (docs/views.md). Times in ms."""

    exception_id: str
    kind: str
    entity_kind: str
    entity: str
    lane: str
    carrier: str
    site: str
    item: str
    opened_at: int
    detail: str
    acknowledged: bool
    acknowledged_by: str
    acknowledged_until: int | None
    note: str

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON: the view's columns, times as RFC 3339 text."""
        until = self.acknowledged_until
        return {
            **{name: getattr(self, name) for name in self.__slots__},
            "opened_at": rfc3339(self.opened_at),
            "acknowledged": bool(self.acknowledged),
            "acknowledged_until": None if until is None else rfc3339(until),
        }


def count_exceptions(store: Client, which: WhichExceptions) -> int:
    """How many exceptions there are."""
    ((found,),) = rows(store, _COUNT, which.parameters())
    return int(found)


def latest_exceptions(store: Client, which: WhichExceptions, limit: int) -> list[OpenException]:
    """The exceptions, the newest first."""
    return [OpenException(*row) for row in rows(store, _LATEST, which.parameters() | {"limit": limit})]


_WHICH: Final = sql("exceptions_which")
_COUNT: Final = _WHICH + sql("which_count")
_LATEST: Final = _WHICH + sql("exceptions_latest")
