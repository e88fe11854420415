"""History that is loaded: its first and its last record in each partition carry the marks that say so.

Between the two nothing closes and nobody is paged (streams/clock.py), so a backlog of months can be taken as if it
had come in time. The last record is known only at the end, so one record per partition is held back until then.
"""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from schemas.coordinates import SILENT, Mark
from schemas.topics import BY_NAME
from streams.sending import Grouped, Record, grouped
from streams.settling import facts_of_agents

Addressed = tuple[str, Record]
"""A topic, and a record for it."""


class Load:
    """One load, from its first record to `rest`. `what`: says in the marks what is loaded.

    Each batch goes through `hold_back` once, and what that returns through `begun` as often as it is sent.
    """

    def __init__(self, what: str, partitions: Mapping[str, int] | None = None, *, silent: bool = False) -> None:
        """`partitions`: how many each topic has; None: as the registry says.

        `silent`: nothing is published of what the load touches before `end_silence` or `rest`.
        """
        self._name: Final = f"{what}-{time.time_ns()}"
        self._silence: Final = f"{SILENT}{self._name}"
        self._partitions: Final = {name: topic.partitions for name, topic in BY_NAME.items()} | dict(partitions or {})
        self._held: Final[dict[tuple[str, int], Record]] = {}
        self._begun: Final[set[tuple[str, int]]] = set()
        self._topics: Final = frozenset(facts_of_agents())
        self._silent_in: frozenset[str] = self._topics if silent else frozenset()

    @property
    def holds_back(self) -> bool:
        """Whether records have still to go out."""
        return bool(self._held)

    @property
    def is_silent(self) -> bool:
        """Whether its silence goes on in any topic."""
        return bool(self._silent_in)

    def hold_back(self, records: Iterable[Addressed]) -> Grouped:
        """What is to be sent now, by partition and in its order."""
        going: dict[tuple[str, int], Sequence[Record]] = {}
        for place, group in grouped(records, self._partitions).items():
            if place[0] not in self._topics:
                going[place] = group
                continue
            before = self._held.get(place)
            self._held[place] = group[-1]
            ready = group[:-1] if before is None else [before, *group[:-1]]
            if ready:
                going[place] = ready
        return going

    def begun(self, going: Grouped) -> Grouped:
        """The same records, marked as the beginning where they are the first in their partition."""
        marked = dict(going)
        for place, group in going.items():
            topic, _ = place
            if topic in self._topics and place not in self._begun:
                self._begun.add(place)
                marked[place] = [_with(group[0], *self._marks(topic, begins=True)), *group[1:]]
        return marked

    def begin_anew(self) -> None:
        """Another broker: the partitions there know nothing of the load yet."""
        self._begun.clear()

    def end_silence(self, topics: Collection[str] | None = None) -> Grouped:
        """The last record so far of each partition, marked as the end of the silence; the load goes on.

        `topics`: in these only; None: in all in which it has not ended.
        """
        ending = self._silent_in if topics is None else self._silent_in.intersection(topics)
        mark = Mark(begins=False, load=self._silence)
        last = {place: [_with(record, mark)] for place, record in self._held.items() if place[0] in ending}
        going = self.begun(last)  # as long as it says of a partition that begins only now that it is silent
        self._silent_in -= ending
        return going

    def rest(self) -> Grouped:
        """The last record of each partition, marked as that."""
        held = self._held.items()
        rest = {place: [_with(record, *self._marks(place[0], begins=False))] for place, record in held}
        self._held.clear()
        return rest

    def _marks(self, topic: str, *, begins: bool) -> tuple[Mark, ...]:
        loads = (self._silence, self._name) if topic in self._silent_in else (self._name,)
        return tuple(Mark(begins=begins, load=load) for load in loads)


def _with(record: Record, *marks: Mark) -> Record:
    return record._replace(headers=(*record.headers, *(mark.header() for mark in marks)))
