"""What is kept back while the history is replayed into an empty broker.

Nobody can see what is derived then before the replay has ended (views show the epoch before), so it is derived once, at
the end, and not with every record: of an entity with forty events one state is published, and not forty. Merging, the
changelog and the order of steps stay as they are. Who takes a partition over in the middle keeps back all of it.
"""

from collections.abc import Iterable, Mapping

from streams.entity import Entity


class KeptBack:
    """The entities of a partition of which nothing has been told since a silent load began."""

    __slots__ = ("_names", "_ordered")

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._ordered: list[str] = []

    def __bool__(self) -> bool:
        return bool(self._names or self._ordered)

    def add(self, names: Iterable[str]) -> None:
        """Keep these back, too."""
        self._names.update(names)

    def take(self, entities: Mapping[str, Entity], most: int) -> dict[str, Entity]:
        """Some of them, to be told now: those that were touched longest ago, as who closes first is told first."""
        if self._names:
            names = {*self._names, *self._ordered}
            open_ = (name for name in names if name in entities and entities[name].closed_at is None)
            self._ordered = sorted(open_, key=lambda name: (entities[name].touched_at, name), reverse=True)
            self._names.clear()
        taken = self._ordered[-most:]
        del self._ordered[-most:]
        return {name: entities[name] for name in reversed(taken)}
