"""Trying all dashboards and alert rules on a store: the running stack's, through its gate, or the demo's history."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dashboards import build
from dashboards.alerts import AlertSettings, rule_groups
from dashboards.checking import Answer, Ask, Report, check
from deploy.demo_history import demo_history
from deploy.gate_client import raw
from deploy.stackfile import StackFile
from schemas.errors import WrongInput
from schemas.times import wall_clock
from sinks.embedded import EmbeddedStore
from sinks.readonly import Limits, Rules

_FORMAT = "JSONCompact"


def check_stack(stack: StackFile, settings: AlertSettings) -> Report:
    """Try them on a stack's store. Raises Unreachable where its gate does not answer."""

    def ask(sql: str) -> Answer:
        return answer_of(raw(stack, sql, _FORMAT))

    return _check(ask, settings, wall_clock())


def check_demo(settings: AlertSettings) -> Report:
    """Try them on the demo's history, in a temporary store of this process."""
    now = wall_clock()
    with (
        tempfile.TemporaryDirectory(prefix="quayside-dashboards-", ignore_cleanup_errors=True) as folder,
        demo_history(Path(folder) / "store", now) as history,
        asking(history.store) as ask,
    ):
        return _check(ask, settings, now)


@contextmanager
def asking(store: EmbeddedStore) -> Iterator[Ask]:
    """Puts statements to an open store as its gate does: checked first, read-only, within the gate's limits."""
    limits = Limits().settings({})
    with store.session() as session:
        rules = Rules.of(session)

    def ask(sql: str) -> Answer:
        with store.session(limits) as session:
            return answer_of(session.ask(rules.check(session, sql, {}).text, _FORMAT).body)

    yield ask


def answer_of(body: bytes) -> Answer:
    """An answer in the format JSONCompact. Raises WrongInput for anything else."""
    try:
        told: dict[str, Any] = json.loads(body)
        return Answer({column["name"]: column["type"] for column in told["meta"]}, told["data"])
    except (ValueError, KeyError) as error:
        raise WrongInput(f"The store answered something that is no {_FORMAT}: {error}.") from None


def _check(ask: Ask, settings: AlertSettings, now_ms: int) -> Report:
    boards = [board for folder in build.boards(settings.thresholds.map.base).values() for board in folder]
    return check(ask, boards, [rule_groups(settings)], now_ms)
