"""The statements of retention (sinks/retention/sql), put together, and the store asked by them."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from sinks.migrate import statements
from sinks.tables import FACTS

DURABLE: Final = {"async_insert": 0}
"""For writing: it is in the store when the statement returns."""

_NOW: Final = {"mutations_sync": 1}
_REFERENCE: Final = re.compile(r"\{\{([\w.]+)(?::([\w.]+))?\}\}")
_SLICES: Final = {
    "warehouse.events": "cityHash64(site, item) % {slices:UInt32} = {slice:UInt32}",
    "shipment.events": "cityHash64(shipment_id) % {slices:UInt32} = {slice:UInt32}",
    "supplier.events": "cityHash64(order_id) % {slices:UInt32} = {slice:UInt32}",
}
"""Of each topic whose events retention drops: the events that one run decides about."""

DROPPED_FROM: Final = tuple(_SLICES)
"""The topics whose events retention drops."""


@cache
def text(name: str, topic: str = "", which: str = "") -> str:
    """A statement, with the files that it names in double braces put in.

    `{{topic}}` and `{{table}}`: of a fact topic; `{{which}}`: a condition on its rows, by default those of one run.
    """
    (said,) = statements(files("sinks").joinpath("retention", "sql", f"{name}.sql").read_text(encoding="utf-8"))
    if topic:
        said = said.replace("{{topic}}", topic).replace("{{table}}", FACTS[topic].name)
        said = said.replace("{{which}}", which or _SLICES.get(topic, "1"))
    if name == "differing":
        sides = {side: text("figures").replace("{{movements}}", text(side)) for side in ("before", "after")}
        return said.replace("{{before}}", sides["before"]).replace("{{after}}", sides["after"])
    if name == "figures":
        return said
    return _REFERENCE.sub(lambda found: text(found[1], found[2] or "", which), said)


def rows(client: Client, sql: str, about: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
    """What a query answers."""
    return [tuple(row) for row in client.query(sql, parameters=dict(about or {})).result_rows]


def number(client: Client, name: str, about: Mapping[str, Any]) -> int:
    """The one number that a statement answers."""
    return int(rows(client, text(name), about)[0][0])


def numbers(client: Client, name: str, about: Mapping[str, Any]) -> str:
    """Numbers as a list in SQL; one that is never met where there are none."""
    return ", ".join(str(int(found)) for (found,) in rows(client, text(name), about)) or str(2**64 - 1)


def do(client: Client, sql: str, about: Mapping[str, Any]) -> None:
    """Let a statement write; it is in the store when this returns."""
    client.command(sql, parameters=dict(about), settings=DURABLE)


def drop(client: Client, table: str, which: str) -> None:
    """Let rows go, which have gone when this returns; where there are none, nothing is rewritten."""
    if client.query(f"SELECT 1 FROM {table} WHERE {which} LIMIT 1").result_rows:  # noqa: S608  # our own names
        client.command(f"ALTER TABLE {table} DELETE WHERE {which}", settings=_NOW)
