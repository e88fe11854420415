"""Events for the client's tests."""

from typing import Any

from deploy.client import Retrying

HASTY = Retrying(tries=4, first_s=0.001, longest_s=0.01)
"""All tries in a few ms."""


def received(event_id: str, **other: Any) -> dict[str, Any]:
    """Goods that came in, as a mapping."""
    return {
        "event_id": event_id,
        "source": "acme-wms",
        "type": "received",
        "site": "HAM-DC1",
        "item": "acme:4711",
        "quantity": 5,
        "unit": "EA",
        "occurred_at": "2026-04-16T09:00:00+02:00",
        "recorded_at": "2026-04-16T09:00:05+02:00",
        **other,
    }


def numbered(first: int, last: int) -> list[dict[str, Any]]:
    """Events e0, e1, ... from first up to, not with, last."""
    return [received(f"e{number}") for number in range(first, last)]
