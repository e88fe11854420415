"""History that is loaded: its first and its last record in each partition carry the marks that say so.

Between the two nothing closes and nobody is paged (streams/clock.py), so a backlog of months can be taken as if it
had come in time. The last record is known only at the end, so one record per partition is held back until then.
"""

import time
from collections.abc import Iterable, Iterator
from typing import Final

from schemas.coordinates import Mark
from schemas.topics import BY_NAME
from streams.sending import Record, partition_of
from streams.settling import facts_of_agents

Addressed = tuple[str, Record]
"""A topic, and a record for it."""


class Load:
    """One load, from its first record to `rest`. `what`: says in the marks what is loaded."""

    def __init__(self, what: str) -> None:
        self._name: Final = f"{what}-{time.time_ns()}"
        self._held: Final[dict[tuple[str, int], Record]] = {}
        self._topics: Final = frozenset(facts_of_agents())

    @property
    def holds_back(self) -> bool:
        """Whether records have still to go out."""
        return bool(self._held)

    def marked(self, records: Iterable[Addressed]) -> Iterator[Addressed]:
        """What is to be sent now, in the order of each partition."""
        for topic, record in records:
            if topic not in self._topics:
                yield topic, record
                continue
            place = (topic, partition_of(record.key, BY_NAME[topic].partitions))
            before = self._held.get(place)
            if before is None:
                self._held[place] = _with(record, Mark(begins=True, load=self._name))
            else:
                self._held[place] = record
                yield topic, before

    def rest(self) -> Iterator[Addressed]:
        """The last record of each partition, marked as that."""
        for (topic, _), record in self._held.items():
            yield topic, _with(record, Mark(begins=False, load=self._name))
        self._held.clear()


def _with(record: Record, mark: Mark) -> Record:
    return record._replace(headers=(*record.headers, mark.header()))
