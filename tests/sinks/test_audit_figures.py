"""The audit's SQL says what the agents say, for any history: corrections, retractions, repeats, any order."""

from random import Random

from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, Phase, given, settings

from schemas.buckets import bucket_of, quantile, value_of
from tests.sinks.audited import asking, audited, keep, played, renamed
from tests.streams.strategies import histories
from tests.streams.told import Told

HISTORIES = 100


def collected() -> list[list[Told]]:
    """Histories as Hypothesis makes them, the same each time."""
    found: list[list[Told]] = []

    @settings(
        max_examples=HISTORIES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(told=histories(strangers=24))
    def collect(told: list[Told]) -> None:
        found.append(told)

    collect()
    return found


def test_the_history_says_what_the_agents_say(store: Client) -> None:
    """All histories side by side, each about names of its own (NAME~NUMBER), in one random order, some of it twice.

    One question for all of them: the engine takes long to plan a question, and hardly longer for more entities.
    """
    worlds = collected()
    told = [renamed(said, number) for number, world in enumerate(worlds) for said in world]
    chance = Random(7)
    told += chance.sample(told, len(told) // 20)
    chance.shuffle(told)
    keep(store, played(told))
    states = audited(store)
    assert states.listed == ()
    assert states.differing == 0
    assert min(states.compared.values()) > 10


def test_buckets_and_their_values_are_the_same_in_both_languages(store: Client) -> None:
    durations = sorted({round(1.013**power) for power in range(1, 1_900)})
    ask = asking(store)
    said = ask(
        "SELECT toInt64(ceil(log(ms) / log(1.01 / 0.99))) AS bucket, "
        "toInt64(round(2 * pow(1.01 / 0.99, bucket) / (1.01 / 0.99 + 1))) "
        "FROM (SELECT arrayJoin({durations:Array(Int64)}) AS ms)",
        {"durations": durations},
    )
    assert len(durations) > 1_000
    assert [tuple(row) for row in said] == [(bucket_of(one), value_of(bucket_of(one))) for one in durations]
    assert quantile([(bucket_of(durations[0]), 1)], 0.5) == said[0][1]
