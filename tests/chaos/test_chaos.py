"""The short form of the chaos runs: a few of each of what `make chaos` does many times."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest

from tests.brokers import NoKafka
from tests.chaos import scenarios
from tests.chaos.trial import Outcome, Trial, on_kafka, on_tansu

pytestmark = pytest.mark.chaos

Place = Callable[[str, Path, int], AbstractContextManager[Trial]]
MakeTrial = Callable[[Place, int], Trial]


@pytest.fixture
def trial(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[MakeTrial]:
    """Makes a trial on a broker of its own, from a seed."""
    with ExitStack() as stack:

        def make(place: Place, seed: int) -> Trial:
            try:
                return stack.enter_context(place(request.node.name, tmp_path, seed))
            except NoKafka as reason:
                pytest.skip(f"NOT TESTED AGAINST APACHE KAFKA: {reason}")

        yield make


def told(outcome: Outcome) -> None:
    """Nothing differs from the truth, and there was load whenever something was done to a worker."""
    print(outcome)  # noqa: T201  # kills, lags, records read again: what the run was worth
    assert not outcome.differences
    assert min(outcome.lags) > 0


@pytest.mark.tansu
def test_a_worker_killed_after_each_step_leaves_nothing_wrong(trial: MakeTrial) -> None:
    made = trial(on_tansu, 11)
    scenarios.crashes(made, kills=8, per_step=1)
    outcome = made.conclude()
    told(outcome)
    assert outcome.kills >= 8
    assert outcome.steps.keys() >= {1, 2, 3, 4, 5}
    assert outcome.again > 0


@pytest.mark.kafka
def test_a_worker_killed_after_each_step_leaves_nothing_wrong_on_apache_kafka(trial: MakeTrial) -> None:
    made = trial(on_kafka, 12)
    scenarios.crashes(made, kills=8, per_step=1)
    outcome = made.conclude()
    told(outcome)
    assert outcome.kills >= 8
    assert outcome.steps.keys() >= {1, 2, 3, 4, 5}
    assert outcome.again > 0


@pytest.mark.tansu
def test_a_worker_stopped_past_its_session_goes_on_where_it_was(trial: MakeTrial) -> None:
    made = trial(on_tansu, 13)
    scenarios.pauses(made, 2)
    told(made.conclude())


@pytest.mark.kafka
def test_workers_that_come_and_go_leave_nothing_wrong(trial: MakeTrial) -> None:
    made = trial(on_kafka, 14)
    scenarios.storm(made, workers=3, changes=4)
    outcome = made.conclude()
    told(outcome)
    assert outcome.rebalances > 3


@pytest.mark.kafka
def test_a_worker_that_was_stopped_past_its_session_is_fenced(trial: MakeTrial) -> None:
    made = trial(on_kafka, 15)
    scenarios.zombies(made, [3])
    outcome = made.conclude()
    told(outcome)
    assert outcome.ended.total() == 1
    assert "ProducerFenced" in outcome.last_words[0]


@pytest.mark.kafka
def test_workers_outlive_a_restart_of_the_broker(trial: MakeTrial) -> None:
    made = trial(on_kafka, 16)
    scenarios.broker_restarts(made, [("killed", 1.0), ("stopped", 0.0)])
    outcome = made.conclude()
    told(outcome)
    assert outcome.broker_restarts == 2
