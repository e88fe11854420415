"""docs/publishing.md: what can be copied from it works, and what it names exists."""

import ast
import json
import os
import re
from pathlib import Path
from typing import Any, Final

import pytest
import typer
from typer.main import get_command

from deploy.client import Client, Receipt
from deploy.command.main import app
from deploy.gateway.told import Dead, Rejected, Told, TooLate
from deploy.settings import Settings
from schemas.event import Event
from schemas.times import DAY_MS, rfc3339
from schemas.versions import Version, event_version
from schemas.wire import read, topic_of

PAGE: Final = (Path(__file__).parents[2] / "docs" / "publishing.md").read_text(encoding="utf-8")
NOW: Final = 1_800_000_000_000
FOLDER: Final = Path(__file__).parents[2] / "docs"


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def events() -> list[tuple[bytes, Event]]:
    """The page's events, the first one with the time at which it is copied."""
    (first,) = (
        found for block in blocks("sh") for found in re.findall(r"<<END\n(.*?)^END$", block, re.MULTILINE | re.DOTALL)
    )
    told = []
    for text in (first.replace("$NOW", rfc3339(NOW - DAY_MS * 300)), *blocks("json")):
        topic = topic_of(json.loads(text)["type"])
        assert topic is not None
        event = read(topic, text.encode(), NOW)
        assert isinstance(event, Event), event
        told.append((text.encode(), event))
    return told


def test_the_events_of_the_page_are_events_and_the_last_counts() -> None:
    told = events()
    assert len(told) == 3
    assert {(event.source, event.event_id, event.entity_key()) for _, event in told} == {
        ("ham-wms", "gr/77", "HAM-DC1|4006381333931")
    }
    versions: list[Version] = [event_version(one.recorded_ms, raw, retracted=one.retracted) for raw, one in told[1:]]
    assert versions == sorted(versions)
    assert [one.retracted for _, one in told] == [False, False, True]
    assert f"has the key `{told[0][1].entity_key()}` and goes to `{told[0][1].topic}`" in PAGE


def commands() -> list[list[str]]:
    """Each `quayside ...` of the page, as words."""
    lines = re.findall(r"^    (quayside .*)$", PAGE, re.MULTILINE)
    named = re.findall(r"`(quayside [a-z][^`]*)`", PAGE)
    return [line.partition("#")[0].split()[1:] for line in (*lines, *named)]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_the_commands_of_the_page_exist_with_their_options(words: list[str]) -> None:
    """Parsed as the command line would, and not run."""
    found: Any = get_command(app)
    name = "quayside"
    while isinstance(found, typer.core.TyperGroup):
        name, *words = words
        found = found.commands[name]
    assert found.make_context(name, words).params is not None


def test_every_option_that_the_page_names_is_one_of_tokens() -> None:
    found: Any = get_command(app)
    known = {
        option
        for command in found.commands["tokens"].commands.values()
        for parameter in command.params
        for option in parameter.opts
    }
    kafkas = {"--producer"}
    assert set(re.findall(r"`(--[a-z-]+)[^`]*`", PAGE)) <= known | kafkas


def test_every_setting_that_the_page_names_is_one_or_is_the_partners_own() -> None:
    known = {f"QUAYSIDE_{name.upper()}" for name in Settings.model_fields} | {"QUAYSIDE_GATEWAY", "QUAYSIDE_TOKEN"}
    assert set(re.findall(r"QUAYSIDE_[A-Z_]+", PAGE)) <= known


def test_the_python_of_the_page_is_python_and_names_what_the_client_has() -> None:
    plain, client = blocks("python")
    for block in (plain, client):
        ast.parse(block)
    assert "quayside_client import Client" in client
    assert {"status", "event_id", "field", "reason"} <= set(Receipt.__dataclass_fields__)
    names = {node.attr for node in ast.walk(ast.parse(client)) if isinstance(node, ast.Attribute)}
    assert names - set(Receipt.__dataclass_fields__) - set(dir(Client)) - set(dir(os)) == {"read_bytes"}


def test_the_keys_that_the_page_tells_are_those_of_the_answers() -> None:
    late, dead = TooLate("r", None), Dead(NOW, "c", "r", "f", None)
    told = Told("s", "e", "late", "t", "k", "y", NOW, NOW, NOW, NOW, 1, late, dead, (("t", "k"),)).as_dict()
    (table,) = re.findall(r"^\| key \| meaning \|\n\|.*?\n(.*?)\n\n", PAGE, re.MULTILINE | re.DOTALL)
    rows = {
        key: text
        for keys, text in re.findall(r"^\| (.*?) \| (.*) \|$", table, re.MULTILINE)
        for key in keys.split(", ")
    }
    assert set(rows) | {"source", "event_id"} == set(told) | {"pending"}
    assert all(state in rows["state"] for state in ("accepted", "corrected", "retracted", "late", "dead", "pending"))
    assert all(key in rows["late"] for key in told["late"])
    assert all(key in rows["dead"] for key in told["dead"])
    (listed,) = re.findall(r"`rejections`, each with(.*?)`more`", PAGE, re.DOTALL)
    keys = Rejected("dead", "i", NOW, "t", "o", "s", "e", "c", "f", "r", None).as_dict()
    assert set(re.findall(r"`([a-z_]+)`", listed)) == set(keys)


def test_what_the_page_leads_to_is_there() -> None:
    headings = re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        file, _, anchor = target.partition("#")
        if file:
            assert (FOLDER / file).exists(), target
        else:
            assert anchor in anchors, target


def test_users_get_write_on_fact_topics_and_nothing_else() -> None:
    lines = [line for block in blocks("sh") for line in block.replace("\\\n", " ").splitlines()]
    granted = [line for line in lines if "kafka-acls.sh" in line and "--add" in line]
    assert granted
    for line in granted:
        assert set(re.findall(r"--operation (\w+)", line)) == {"Write"}
        assert "--producer" not in line
        assert set(re.findall(r"--topic (\S+)", line)) <= {"supplier.events", "shipment.events", "warehouse.events"}
