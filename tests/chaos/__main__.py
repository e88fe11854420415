"""The long form: `python -m tests.chaos [--seed N] [--kills N] [--broker kafka|tansu|both]`.

Prints a table in the end; its exit code is 1 if anything hung or differs from the truth.
"""

import argparse
import random
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.brokers import NoKafka
from tests.chaos import scenarios
from tests.chaos.trial import Outcome, Trial, on_kafka, on_tansu

_LEAST_KILLS: Final = 50
_PER_STEP: Final = 3
_ZOMBIES: Final = (0, 1, 2, 3, 4, 5, 0)
_OUTAGES: Final = (("killed", 0.0), ("stopped", 2.0), ("killed", 45.0), ("stopped", 0.0), ("killed", 3.0))


class Form(NamedTuple):
    """One scenario of the long form."""

    name: str
    broker: str
    play: Callable[[Trial], None]


def long_form(kills: int) -> tuple[Form, ...]:
    """The scenarios, with so many kills each where only one worker is killed."""
    return (
        Form("crashes", "tansu", lambda trial: scenarios.crashes(trial, kills, _PER_STEP)),
        Form("stopped and continued", "tansu", lambda trial: scenarios.pauses(trial, 5)),
        Form("crashes", "kafka", lambda trial: scenarios.crashes(trial, kills, _PER_STEP)),
        Form("rebalances, 2 workers", "kafka", lambda trial: scenarios.storm(trial, 2, 16)),
        Form("rebalances, 3 workers", "kafka", lambda trial: scenarios.storm(trial, 3, 24)),
        Form("stopped and continued", "kafka", lambda trial: scenarios.zombies(trial, _ZOMBIES)),
        Form("broker restarts", "kafka", lambda trial: scenarios.broker_restarts(trial, _OUTAGES)),
    )


def main(arguments: list[str]) -> int:
    """Run it; the exit code."""
    told = _told(arguments)
    outcomes: list[Outcome] = []
    broken: list[str] = []
    for form in long_form(told.kills):
        if told.broker not in {form.broker, "both"} or told.only not in form.name:
            continue
        place = on_kafka if form.broker == "kafka" else on_tansu
        folder = Path(tempfile.mkdtemp(prefix="quayside-chaos-"))
        try:
            with place(form.name, folder, told.seed) as trial:
                form.play(trial)
                outcomes.append(trial.conclude())
                broken += [f"{form.name} on {form.broker}: {line}" for line in outcomes[-1].differences]
        except NoKafka as reason:
            broken.append(f"{form.name} on {form.broker} was not run: {reason}")
        except Exception:  # noqa: BLE001  # the other scenarios are to run all the same
            broken.append(f"{form.name} on {form.broker}, logs in {folder}:\n{traceback.format_exc()}")
    console = Console(width=180 if not sys.stdout.isatty() else None)
    console.print(_table(outcomes))
    for outcome in outcomes:
        for line in outcome.last_words:
            console.print(f"{outcome.scenario} on {outcome.broker}: {escape(line)}", highlight=False)
    for line in broken:
        console.print(f"WRONG: {escape(line)}", style="bold red", highlight=False)
    if not broken:
        console.print(f"no difference in {len(outcomes)} scenarios; to repeat this: --seed {told.seed}")
    return 1 if broken or not outcomes else 0


def _told(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32), help="repeats a run")
    parser.add_argument("--kills", type=int, default=_LEAST_KILLS, help="SIGKILLs of the only worker, per broker")
    parser.add_argument("--broker", choices=["kafka", "tansu", "both"], default="both")
    parser.add_argument("--only", default="", help="only scenarios whose name has this in it")
    return parser.parse_args(arguments)


def _table(outcomes: list[Outcome]) -> Table:
    table = Table("scenario", "broker", "seed", title="chaos")
    for name in (
        "kills", "by step (0: any)", "stops", "lag then", "sink kills", "broker restarts", "rebalances",
        "ended themselves", "asked to end", "read again", "events", "differences",
    ):  # fmt: skip
        table.add_column(name, justify="right")
    for told in outcomes:
        table.add_row(
            told.scenario, told.broker, str(told.seed), str(told.kills), _counts(told.steps), str(told.stops),
            f"{min(told.lags)}-{max(told.lags)}" if told.lags else "-", str(told.sink_kills),
            str(told.broker_restarts), str(told.rebalances), _counts(told.ended, "code "),
            _counts(told.asked, "code "), str(told.again), str(told.events), str(len(told.differences)),
        )  # fmt: skip
    return table


def _counts(counted: Counter[int], what: str = "") -> str:
    return "\n".join(f"{what}{key}: {count}" for key, count in sorted(counted.items()) if count) or "-"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
