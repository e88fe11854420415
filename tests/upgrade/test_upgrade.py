"""This version on the store and the state that earlier releases wrote: every figure is the one they showed."""

import base64
import json
import sys
from collections import defaultdict
from pathlib import Path
from subprocess import run
from typing import Any

import msgspec
import pytest

from schemas.derived import encode
from sinks.migrate import known
from streams.agents import DERIVATIONS
from streams.clock import HORIZON_MS, Clock
from streams.rows import Codec
from streams.table import Partition
from tests.e2e.stack import new_stack
from tests.upgrade.conftest import RELEASES, Left
from tests.upgrade.make_fixture import VIEWS, question

ROOT = Path(__file__).parents[2]

# In a process of its own: one process opens one embedded store.
_ASK = """
import json, sys
from pathlib import Path
from sinks.embedded import EmbeddedStore
from sinks.migrate import migrate, pending
with EmbeddedStore(Path(sys.argv[1])) as store:
    before = [migration.number for migration in pending(store.writer)]
    applied = [migration.number for migration in migrate(store.writer)]
    answers = {}
    for view, sql in json.load(sys.stdin).items():
        with store.session() as session:
            answers[view] = json.loads(session.ask(sql, "JSONCompact").body.decode(errors="replace"))["data"]
print(json.dumps({"pending": before, "applied": applied, "answers": answers}))
"""


def differing(left: Left, answers: dict[str, list[list[Any]]]) -> list[str]:
    """The rows of the views that are not what the release showed; the first few of each."""
    found = []
    for view, told in left.figures.items():
        before, now = told["rows"], answers[view]
        lost = [row for row in before if row not in now]
        new = [row for row in now if row not in before]
        found += [f"{view} lost {row}" for row in lost[:3]] + [f"{view} has {row}" for row in new[:3]]
        if len(before) != len(now):
            found.append(f"{view} had {len(before)} rows and has {len(now)}")
    return found


def test_there_is_something_of_every_kind_in_a_fixture(left: Left) -> None:
    assert set(left.figures) == set(VIEWS)
    assert all(told["rows"] for told in left.figures.values())
    assert {row["topic"] for row in left.changelog} == {f"{rules.name}.facts" for rules in DERIVATIONS}
    assert list((left.data / "spool").iterdir())


def test_a_store_of_an_earlier_release_is_migrated_and_shows_the_same(left: Left) -> None:
    questions = {view: question(view, told["columns"]) for view, told in left.figures.items()}
    done = run(
        [sys.executable, "-c", _ASK, str(left.data / "store")],
        cwd=ROOT,
        input=json.dumps(questions),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["applied"] == told["pending"]
    assert told["applied"][-1:] == [known()[-1].number]
    assert differing(left, told["answers"]) == []


def test_agents_read_the_changelogs_of_an_earlier_release_and_derive_the_same(left: Left) -> None:
    partitions: dict[tuple[str, int], Partition] = {}
    by_name = {f"{rules.name}.facts": rules for rules in DERIVATIONS}
    for row in left.changelog:
        place = row["topic"], row["partition"]
        if place not in partitions:
            rules = by_name[row["topic"]]()
            partitions[place] = Partition(rules, Codec(rules.payload, rules.base), Clock(HORIZON_MS))
        value = None if row["value"] is None else base64.b64decode(row["value"])
        partitions[place].recover(base64.b64decode(row["key"]), value, row["offset"])
    derived: dict[tuple[str, str], Any] = {}
    for partition in partitions.values():
        partition.recovered()
        assert partition.epoch == 1
        for name, entity in partition.entities.items():
            for view in partition.derive(name, entity).views:
                derived[view.topic, view.key] = msgspec.json.decode(encode(view.state))
    differences = defaultdict(list)
    for told in left.states:
        now = derived[told["topic"], told["key"]]
        # A later version may say more; what was said stays.
        if {name: now.get(name) for name in told["state"]} != told["state"]:
            differences[told["topic"]].append((told["key"], told["state"], now))
    assert not differences


@pytest.mark.tansu
def test_a_stack_that_is_started_on_the_data_of_an_earlier_release_shows_the_same(left: Left) -> None:
    with new_stack(left.data) as stack:
        stack.up()
        stack.settled()
        answers = {view: stack.query(question(view, told["columns"])) for view, told in left.figures.items()}
        assert differing(left, answers) == []
        assert stack.run("migrate", "--check").code == 0
        stack.down()


def test_the_release_before_this_one_has_a_fixture() -> None:
    assert "v0.1.0" in RELEASES
