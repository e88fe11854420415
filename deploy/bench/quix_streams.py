"""A peer: Quix Streams as its documentation writes it, a stateful function per topic, with default settings.

It runs in a virtual environment of its own, where nothing of Quayside is installed: this file imports nothing of it.

Run as `python quix_streams.py BOOTSTRAP GROUP TOPICS EVENTS FOLDER`; it stops in order after so many records.
"""

import sys
from typing import Any

from quixstreams import Application, State

_SIGN = {"received": 1, "returned": 1, "adjusted": 1, "shipped": -1, "scrapped": -1}


def run(bootstrap: str, group: str, topics: list[str], events: int, folder: str) -> None:
    """Handle so many records."""
    app = Application(
        broker_address=bootstrap,
        consumer_group=group,
        auto_offset_reset="earliest",
        state_dir=folder,
        loglevel="WARNING",
    )
    for name in topics:
        app.dataframe(app.topic(name)).apply(add_up, stateful=True)
    app.run(count=events, collect=False)


def add_up(event: dict[str, Any], state: State) -> float:
    """The stock sum of a position; of orders and shipments how many events they had. State is kept by record key."""
    total: float = state.get("sum", 0) + _change(event)
    state.set("sum", total)
    return total


def _change(event: dict[str, Any]) -> float:
    if "site" not in event:
        return 1
    quantity: float = event["quantity"]
    if event["type"] == "moved":
        return quantity if event["direction"] == "in" else -quantity
    return _SIGN.get(event["type"], 0) * quantity


if __name__ == "__main__":
    _, bootstrap_, group_, topics_, events_, folder_ = sys.argv
    run(bootstrap_, group_, topics_.split(","), int(events_), folder_)
