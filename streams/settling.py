"""How far the pipeline is: lag, and waiting until everything that is there now can be queried.

Records go in levels: facts, then those of them that were passed on, then contributions between agents, then views,
then the history. When each
level's consumer has committed past the ends that the level had when it was looked at, everything that was in
the fact topics at the beginning has had its whole effect.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from aiokafka import AIOKafkaClient
from aiokafka.errors import KafkaError

from schemas.errors import Unreachable
from schemas.topics import forward_topic, of_kind
from streams.administration import committed_offsets
from streams.agents import DERIVATIONS, HISTORY_GROUP, WORKER_GROUP
from streams.connection import for_aiokafka, refusal
from streams.ends import last_records

_POLL_S: Final = 0.1
_STUCK_S: Final = 120.0
_TAKEN: Final = 3
"""The levels of facts, and of what agents contribute to entities that have facts of their own."""

Ends = dict[tuple[str, int], int]


@dataclass(frozen=True, slots=True)
class Lag:
    """Records not yet processed by the agents, and not yet in the history."""

    worker: int
    history: int

    @property
    def total(self) -> int:
        """Both together."""
        return self.worker + self.history


def facts_of_agents() -> tuple[str, ...]:
    """The fact topics that agents read."""
    return tuple(sorted({topic for rule in DERIVATIONS for topic in rule().events}))


def worker_topics() -> tuple[str, ...]:
    """All topics that the agents read."""
    contributed = {topic for rule in DERIVATIONS for topic in rule().contributions}
    return (*facts_of_agents(), *map(forward_topic, facts_of_agents()), *sorted(contributed))


def history_topics() -> tuple[str, ...]:
    """All topics that the history sink reads."""
    return tuple(topic.name for topic in of_kind("fact", "view", "account"))


def lag(bootstrap: str) -> Lag:
    """The lag of worker and history, by the true ends of their topics."""
    committed = committed_offsets(bootstrap, (WORKER_GROUP, HISTORY_GROUP))
    return Lag(
        worker=_missing(ends_of(bootstrap, worker_topics()), committed[WORKER_GROUP]),
        history=_missing(ends_of(bootstrap, history_topics()), committed[HISTORY_GROUP]),
    )


def settle(
    bootstrap: str,
    *,
    alive: Callable[[], bool] = lambda: True,
    progress: Callable[[int], None] = lambda _: None,
    stored: bool = True,
) -> bool:
    """Wait until what is in the topics now can be queried; False if `alive` says no before.

    Not `stored`: only until agents have taken it, and what other agents told them of their entities.

    Raises Unreachable when nothing moves for two minutes.

    `progress` is told how many records are missing on the present level.
    """
    levels: tuple[tuple[Iterable[str], str], ...] = (
        (facts_of_agents(), WORKER_GROUP),
        (tuple(map(forward_topic, facts_of_agents())), WORKER_GROUP),
        (("delivery.contributions", "transit.contributions"), WORKER_GROUP),
        (("lead.contributions",), WORKER_GROUP),
        (history_topics(), HISTORY_GROUP),
    )
    for topics, group in levels if stored else levels[:_TAKEN]:
        ends = ends_of(bootstrap, topics)
        least, moved_at = sum(ends.values()) + 1, time.monotonic()
        while True:
            missing = _missing(ends, committed_offsets(bootstrap, (group,))[group])
            progress(missing)
            if missing == 0:
                break
            if missing < least:
                least, moved_at = missing, time.monotonic()
            elif time.monotonic() - moved_at > _STUCK_S:
                raise Unreachable(
                    f"{missing} records were not taken by {group} for {_STUCK_S:g} s: see that it runs "
                    "(`quayside status`, logs); what was accepted stays, and is processed when it does."
                )
            if not alive():
                return False
            time.sleep(_POLL_S)
    return True


def ends_of(bootstrap: str, topics: Iterable[str]) -> Ends:
    """Per partition of the topics, the offset behind the last record that a reader gets.

    Not the end: after a transaction a control record stands there, which nobody is handed and nobody commits.
    """
    return asyncio.run(_ends_of(bootstrap, tuple(topics)))


async def _ends_of(bootstrap: str, topics: tuple[str, ...]) -> Ends:
    client = AIOKafkaClient(bootstrap_servers=bootstrap, **for_aiokafka())
    try:
        await client.bootstrap()
        await client.set_topics(topics)
        places = [(topic, number) for topic in topics for number in client.cluster.partitions_for_topic(topic) or ()]
        return {tuple(place): last + 1 for place, last in (await last_records(client, places)).items()}
    except KafkaError as error:
        raise Unreachable(
            await asyncio.to_thread(refusal, bootstrap)
            or f"The broker at {bootstrap} does not answer ({type(error).__name__}): check that it runs."
        ) from None
    finally:
        await client.close()


def _missing(ends: Ends, committed: Ends) -> int:
    return sum(max(0, end - committed.get(place, 0)) for place, end in ends.items())
