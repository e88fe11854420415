"""What one request is told does not depend on who asks for a rehearsal beside it."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from deploy.door import Door
from deploy.gateway.earlier import Earlier
from deploy.gateway.intake import Intake
from deploy.gateway.tally import Tally
from deploy.spool import Spooled
from deploy.tokens import Grant

NOW = 1_800_000_000_000
GRANT = Grant("acme-wms", ("acme",), (), 1_000, 1_000, 1_000_000)


class Kept:
    """Keeps what is committed."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.records: list[Spooled] = []

    def admit(self) -> None:
        """There is room."""

    async def commit(self, records: Sequence[Spooled]) -> None:
        """Keep them."""
        self.records += records


def received(site: str) -> bytes:
    said = {"event_id": "a-1", "source": "acme", "type": "received", "site": site, "item": "acme:1", "unit": "pcs"}
    when = {"occurred_at": "2027-01-15T07:00:00Z", "recorded_at": "2027-01-15T07:00:00Z"}
    return json.dumps(said | when | {"quantity": "1"}).encode()


def test_a_rehearsal_judged_together_with_an_event_leaves_no_trace() -> None:
    tally, kept = Tally(), Kept()
    commits: Any = kept
    intake = Intake(Earlier(Door(None), tally), commits, tally, lambda: NOW)

    async def both() -> tuple[Any, ...]:
        rehearsed = intake.take(GRANT, [received("RTM")], dry_run=True)
        sent = intake.take(GRANT, [received("BER")])
        return tuple(await asyncio.gather(rehearsed, sent))

    (rehearsed,), (sent,) = asyncio.run(both())
    assert (rehearsed.status, sent.status) == ("accepted", "accepted")
    assert [record.key for record in kept.records] == [b"BER|acme:1"]
    (moved,) = asyncio.run(intake.take(GRANT, [received("RTM")]))
    assert (moved.status, "a correction keeps its key" in moved.reason) == ("refused", True)
