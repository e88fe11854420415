"""A peer: Faust as its tutorial writes it, an agent that adds up in a table, with default settings.

Two settings differ from the defaults, in its favour or for the machine's sake: it serves no web pages, and its
number of partitions is that of the topics. A tutorial would send the stream through `group_by`, another topic; the
records have the right keys already, so that is left out.

Run as `python -m deploy.bench.plain_faust BOOTSTRAP GROUP TOPICS FOLDER`; it runs until it is stopped.
"""

import sys
from typing import Any, Final

import faust

from schemas.topics import DEFAULT_PARTITIONS

_SIGN: Final = {"received": 1, "returned": 1, "adjusted": 1, "shipped": -1, "scrapped": -1}


def build(bootstrap: str, group: str, topics: list[str], folder: str) -> Any:
    """The app."""
    app = faust.App(
        group,
        broker=f"kafka://{bootstrap}",
        store="memory://",
        datadir=folder,
        topic_partitions=DEFAULT_PARTITIONS,
        web_enabled=False,
        autodiscover=False,
    )
    events = app.topic(*topics)
    stock = app.Table("stock", default=float)

    @app.agent(events)  # type: ignore[untyped-decorator]  # Faust is untyped
    async def count(stream: Any) -> None:
        async for event in stream:
            if "site" in event:
                stock[f"{event['site']}|{event['item']}"] += _change(event)
            else:
                stock[event.get("shipment_id") or event["order_id"]] += 1

    return app


def _change(event: dict[str, Any]) -> float:
    quantity: float = event["quantity"]
    if event["type"] == "moved":
        return quantity if event["direction"] == "in" else -quantity
    return _SIGN.get(event["type"], 0) * quantity


if __name__ == "__main__":
    _, bootstrap_, group_, topics_, folder_ = sys.argv
    app_ = build(bootstrap_, group_, topics_.split(","), folder_)
    faust.Worker(app_, loglevel="warn", redirect_stdouts=False).execute_from_commandline()
