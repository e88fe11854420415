"""A stand-in for Grafana's alerting, after what Grafana documents of it. It is no Grafana and proves nothing about one.

It reads the provisioning files that we generate, asks the real engine what the rules ask, and turns the answers into
alert instances: one for each label set, pending for `for`, firing, recovering for `keep_firing_for`, resolved; no rows
by noDataState, a failed question by execErrState; an instance whose row is gone for two evaluations is resolved
("stale"). tests.dashboards.notifying groups them by the policy tree and posts the webhook. What Grafana alone can show
is left out: message templates, its own database, high availability, jitter between rules.

The clock is given: `run` works through simulated seconds as fast as the questions are answered, or through real ones.
"""

import re
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import yaml

from dashboards.checking import Answer, Ask
from dashboards.macros import View, expand
from schemas.errors import QuaysideError
from tests.dashboards.notifying import Alert, Notifier

Json = dict[str, Any]
Labels = frozenset[tuple[str, str]]
State = Literal["normal", "pending", "alerting", "recovering"]

STALE_AFTER: Final = 2
"""Evaluations without its row after which an instance is resolved (missing_series_evals_to_resolve)."""

_EXPRESSION: Final = "__expr__"
_NUMBERS: Final = re.compile(r"(Nullable\()?(U?Int|Float|Decimal)")
_TEXTS: Final = re.compile(r"(Nullable\(|LowCardinality\()*String")
_PLACE: Final = re.compile(r"{{\s*(.+?)\s*}}")


class Refused(QuaysideError):
    """A rule that Grafana fails as a whole: its files or its answer have not the form that it needs."""


@dataclass(slots=True)
class Instance:
    """One label set of a rule. Times in seconds since the epoch."""

    state: State = "normal"
    since: float = 0.0
    started_at: float = 0.0
    missing: int = 0
    value: float = 0.0

    @property
    def is_firing(self) -> bool:
        """Whether it is told to the Alertmanager as firing."""
        return self.state in {"alerting", "recovering"}

    def step(self, holds: bool, now: float, pending_s: float, keep_s: float) -> None:
        """One evaluation: whether the condition holds."""
        match self.state, holds:
            case "normal", True:
                self.state, self.since = "pending", now
            case "recovering", True:
                self.state = "alerting"
            case "pending", False:
                self.state = "normal"
            case "alerting", False:
                self.state, self.since = "recovering", now
            case _:
                pass
        if self.state == "pending" and now - self.since >= pending_s:
            self.state, self.started_at = "alerting", now
        if self.state == "recovering" and now - self.since >= keep_s:
            self.state = "normal"


@dataclass(slots=True)
class Evaluated:
    """A rule and its instances. `errors`: what its evaluations failed of, the last one last."""

    rule: Json
    group: Json
    instances: dict[Labels, Instance] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    evaluations: int = 0


class Alerting:
    """Grafana's alerting over a provisioning folder.

    Args:
        folder: What `dashboards.provisioning.write_provisioning` wrote.
        ask: Puts a statement to the store.
        began: When it was started (seconds since the epoch): the first evaluation of every group.
        environment: What `$NAME` in contact points stands for.
        rules: The uids of those that are to be evaluated, where not all of them are.
    """

    def __init__(
        self,
        folder: Path,
        ask: Ask,
        began: float,
        environment: Mapping[str, str] | None = None,
        rules: Collection[str] = (),
    ) -> None:
        file, sources = _read(folder / "alerting" / "rules.yaml"), _read(folder / "datasources" / "quayside.yaml")
        self._ask: Final = ask
        self._sources: Final = {source["uid"] for source in sources["datasources"]}
        self._groups: Final = [(seconds(group["interval"]), group) for group in file["groups"]]
        self._next: Final = {group["name"]: began for _, group in self._groups}
        self.notifier: Final = Notifier(folder / "alerting", environment or {})
        self.rules: Final = {
            rule["uid"]: Evaluated(rule, group)
            for _, group in self._groups
            for rule in group["rules"]
            if not rule["isPaused"] and (not rules or rule["uid"] in rules)
        }

    def run(self, until: float, *, sleep: Callable[[float], None] | None = None) -> None:
        """Let everything happen up to a moment. `sleep`: waits for that many real seconds; None: time is simulated."""
        while (moment := self.due()) <= until:
            if sleep is not None and (wait := moment - time.time()) > 0:
                sleep(wait)
            self.happen(moment if sleep is None else max(moment, time.time()), moment)

    def due(self) -> float:
        """The next moment at which something happens."""
        return min(*self._next.values(), self.notifier.due())

    def happen(self, now: float, planned: float) -> None:
        """What was planned for a moment, at this one."""
        for interval, group in self._groups:
            if self._next[group["name"]] <= planned:
                self._next[group["name"]] += interval
                for uid in [uid for uid, told in self.rules.items() if told.group is group]:
                    self.evaluate(uid, now)
        self.notifier.flush(now)

    def evaluate(self, uid: str, now: float) -> None:
        """Evaluate one rule and tell the Alertmanager."""
        told = self.rules[uid]
        told.evaluations += 1
        try:
            found = self._values(told.rule)
        except QuaysideError as error:
            told.errors.append(str(error))
            self._all(told, now, told.rule["execErrState"], "DatasourceError")
        else:
            if not found:
                self._all(told, now, told.rule["noDataState"], "DatasourceNoData")
            else:
                self._each(told, now, found)
        self._send(told, now)

    def firing(self, uid: str) -> list[dict[str, str]]:
        """The labels of a rule's firing instances."""
        return [dict(labels) for labels, one in self.rules[uid].instances.items() if one.is_firing]

    def _values(self, rule: Json) -> dict[Labels, tuple[float, bool]]:
        """Of each label set its number, and whether the condition holds."""
        queries = {one["refId"]: one for one in rule["data"]}
        condition = queries[rule["condition"]]
        if condition["datasourceUid"] != _EXPRESSION or condition["model"]["type"] != "threshold":
            raise Refused(f"The condition of {rule['title']} is no threshold: the stand-in knows no other.")
        query = queries[condition["model"]["expression"]]
        if query["datasourceUid"] not in self._sources:
            raise Refused(f"There is no data source {query['datasourceUid']}.")
        ((evaluator),) = (one["evaluator"] for one in condition["model"]["conditions"])
        holds = _EVALUATORS[evaluator["type"]]
        window = query["relativeTimeRange"]
        now_ms = time.time_ns() // 1_000_000
        view = View(now_ms - window["from"] * 1000, now_ms - window["to"] * 1000)
        values = wide(self._ask(expand(query["model"]["rawSql"], view)))
        return {labels: (value, holds(value, evaluator["params"])) for labels, value in values.items()}

    def _each(self, told: Evaluated, now: float, found: Mapping[Labels, tuple[float, bool]]) -> None:
        pending_s, keep_s = seconds(told.rule["for"]), seconds(told.rule.get("keep_firing_for", "0s"))
        for labels, (value, holds) in found.items():
            one = told.instances.setdefault(labels, Instance())
            one.missing, one.value = 0, value
            one.step(holds, now, pending_s, keep_s)
        for labels in told.instances.keys() - found.keys():
            one = told.instances[labels]
            one.missing += 1
            if one.missing >= STALE_AFTER:
                one.state = "normal"

    def _all(self, told: Evaluated, now: float, meaning: str, name: str) -> None:
        """No rows, or no answer: what the rule says that means, for all its instances at once."""
        pending_s, keep_s = seconds(told.rule["for"]), seconds(told.rule.get("keep_firing_for", "0s"))
        match meaning:
            case "OK" | "Alerting":
                if not told.instances and meaning == "Alerting":
                    told.instances[frozenset()] = Instance()
                for one in told.instances.values():
                    one.step(meaning == "Alerting", now, pending_s, keep_s)
            case "KeepLast":
                for one in told.instances.values():
                    one.step(one.state in {"pending", "alerting"}, now, pending_s, keep_s)
            case "Error" | "NoData":
                labels = frozenset({("alertname", name), ("rulename", told.rule["title"])})
                told.instances.setdefault(labels, Instance()).step(True, now, pending_s, keep_s)
            case _:
                raise AssertionError(meaning)

    def _send(self, told: Evaluated, now: float) -> None:
        rule = told.rule
        for labels, one in [*told.instances.items()]:
            known = {"alertname": rule["title"], "grafana_folder": told.group["folder"]} | rule["labels"]
            alert = Alert(
                labels=known | dict(labels),
                annotations={
                    name: _written(text, dict(labels), one.value) for name, text in rule["annotations"].items()
                },
                starts_at=one.started_at,
                value=one.value,
            )
            if one.is_firing:
                self.notifier.fire(alert, now)
            elif self.notifier.knows(alert):
                self.notifier.resolve(alert, now)
            if one.state == "normal" and one.missing >= STALE_AFTER:
                del told.instances[labels]


def wide(answer: Answer) -> dict[Labels, float]:
    """A table as Grafana takes it for an alert: one number a row, every other column a text that becomes a label.

    Raises Refused where Grafana fails the rule.
    """
    numbers = [name for name, kind in answer.columns.items() if _NUMBERS.match(kind)]
    others = [name for name, kind in answer.columns.items() if name not in numbers]
    if len(numbers) != 1 or not all(_TEXTS.match(answer.columns[name]) for name in others):
        raise Refused(f"input data must be a wide series but got type long ({dict(answer.columns)}).")
    found: dict[Labels, float] = {}
    for row in answer.rows:
        told = dict(zip(answer.columns, row, strict=True))
        labels = frozenset((name, str(told[name])) for name in others)
        if labels in found:
            raise Refused(f"frame cannot uniquely be identified by its labels: has duplicate results with {labels}.")
        found[labels] = float(told[numbers[0]])
    return found


def seconds(duration: str) -> float:
    """A duration as Grafana's files have it."""
    return sum(
        int(figure) * {"s": 1, "m": 60, "h": 3_600, "d": 86_400}[unit]
        for figure, unit in re.findall(r"(\d+)([smhd])", duration)
    )


_EVALUATORS: Final[Mapping[str, Callable[[float, list[float]], bool]]] = {
    "gt": lambda value, told: value > told[0],
    "lt": lambda value, told: value < told[0],
    "within_range": lambda value, told: told[0] < value < told[1],
    "outside_range": lambda value, told: value < told[0] or value > told[1],
}


def _written(text: str, labels: Mapping[str, str], value: float) -> str:
    """An annotation with its places filled: only what our rules use is known."""

    def filled(found: re.Match[str]) -> str:
        match found.group(1).split():
            case [name] if name.startswith("$labels."):
                return labels.get(name.removeprefix("$labels."), "<no value>")
            case ["printf", "`%.0f`", "$values.A.Value"]:
                return f"{value:.0f}"
            case ["humanizePercentage", "$values.A.Value"]:
                return f"{100 * value:.4g}%"
            case ["humanizeDuration", "$values.A.Value"]:
                return f"{value:.4g}s"
            case other:
                raise AssertionError(other)

    return _PLACE.sub(filled, text)


def _read(path: Path) -> Json:
    content: Json = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert content["apiVersion"] == 1, path
    return content
