"""The streams' stories, told of yesterday: on a running stack a day closes a week after its end."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tests.streams import told
from tests.streams.told import Told

YESTERDAY: Final = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=30)
"""When hour 0 of the stories was: so that nothing of them is closed, nor in the future."""


def moment(hour: float) -> str:
    """The time so many hours after the beginning, as RFC 3339 text."""
    return (YESTERDAY + timedelta(hours=hour)).isoformat()


def movement(kind: str, hour: float, quantity: float | str, shipment_id: str | None = None, **said: Any) -> Told:
    """As tests.streams.told has it."""
    when = {"occurred_at": moment(hour), "recorded_at": moment(hour)}
    return told.movement(kind, hour, quantity, shipment_id, **(when | said))


def correction(said: Told, recorded: float, **changes: Any) -> Told:
    """As tests.streams.told has it."""
    document = json.loads(said.raw) | {"recorded_at": moment(recorded)} | changes
    return Told(said.topic, json.dumps(document).encode())
