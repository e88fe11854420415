"""Nothing is lost (promise 4): stored + dead + replayed = records of the topic, per epoch and partition.

Of the broker that runs, the records are known: what lies between the beginning of a partition and what the history has
read. Of a broker that is gone only gaps can be told: its offsets were dense.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from schemas.coordinates import Coordinate
from schemas.topics import of_kind
from sinks.audit.questions import Ask, question
from sinks.audit.reading import Extent, Place, extents, hashes, present

_LISTED: Final = 100
_ASKED_AT_ONCE: Final = 1_000
_CHUNK: Final = 100_000

Verify = Callable[[dict[Place, Sequence[int]]], dict[Place, list[int]]]
"""Tells at which of the offsets of the running broker's partitions a record stands."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """An epoch: how many coordinates the store accounts for, and how many are missing."""

    epoch: int
    stored: int
    missing: int


@dataclass(frozen=True, slots=True)
class Coordinates:
    """What came of it. `listed`: the first hundred that are missing, or (only by `deep`) hold other bytes."""

    epochs: tuple[Epoch, ...]
    missing: int
    listed: tuple[Coordinate, ...]


def of_broker(ask: Ask, bootstrap: str, epoch: int, *, deep: bool = False) -> Coordinates:
    """Check all epochs, that of the running broker by what is in it; `deep`: record by record, bytes and all."""
    begins = {(topic, partition): offset for topic, partition, offset in ask(question("beginnings"), {"epoch": epoch})}
    running = [
        replace(extent, first=max(extent.first, begins.get((extent.topic, extent.partition), 0)))
        for extent in extents(bootstrap)
    ]
    found = check(ask, epoch, running, lambda wanted: present(bootstrap, wanted))
    if not deep:
        return found
    differ = [place for extent in running for place in _unlike(ask, bootstrap, epoch, extent)]
    more = [place for place in differ if place not in set(found.listed)]
    epochs = tuple(
        Epoch(one.epoch, one.stored, one.missing + len(more)) if one.epoch == epoch else one for one in found.epochs
    )
    return Coordinates(epochs, found.missing + len(more), (*found.listed, *more)[:_LISTED])


def check(ask: Ask, epoch: int, running: Iterable[Extent], verify: Verify) -> Coordinates:
    """Check all epochs; `epoch` is the running broker's, whose partitions go as far as `running` tells."""
    topics = {"topics": [topic.name for topic in of_kind("fact")]}
    stored: defaultdict[int, int] = defaultdict(int)
    missing: defaultdict[int, int] = defaultdict(int)
    listed: list[Coordinate] = []
    known: dict[Place, tuple[int, int, int]] = {}
    for its_epoch, topic, partition, count, least, greatest in ask(question("coordinates"), topics):
        stored[its_epoch] += count
        if its_epoch == epoch:
            known[topic, partition] = (count, least, greatest)
        elif count < greatest - least + 1:
            total, offsets = _absent(ask, its_epoch, Extent(topic, partition, least, greatest + 1), topics)
            missing[its_epoch] += total
            listed += [Coordinate(its_epoch, topic, partition, offset) for offset in offsets]
    wanted: dict[Place, Sequence[int]] = {}
    beyond: dict[Place, int] = {}
    for extent in running:
        place = (extent.topic, extent.partition)
        count, least, greatest = known.get(place, (0, 0, 0))
        if extent.first >= extent.behind or (
            count == greatest - least + 1 and least <= extent.first and greatest + 1 >= extent.behind
        ):
            continue
        total, offsets = _absent(ask, epoch, extent, topics)
        if total:
            wanted[place] = offsets
            beyond[place] = total - len(offsets)
    for place, offsets in verify(wanted).items() if wanted else ():
        missing[epoch] += len(offsets) + (beyond[place] if offsets else 0)
        listed += [Coordinate(epoch, *place, offset) for offset in offsets]
    epochs = tuple(Epoch(one, stored[one], missing[one]) for one in sorted(stored.keys() | missing.keys()))
    return Coordinates(epochs, sum(missing.values()), tuple(sorted(listed)[:_LISTED]))


def _absent(ask: Ask, epoch: int, extent: Extent, topics: dict[str, list[str]]) -> tuple[int, list[int]]:
    """How many offsets of an extent the store does not account for, and the first of them."""
    about = {"epoch": epoch, "topic": extent.topic, "partition": extent.partition}
    ((total, offsets),) = ask(question("missing"), topics | about | {"first": extent.first, "behind": extent.behind})
    return int(total), list(offsets)


def _unlike(ask: Ask, bootstrap: str, epoch: int, extent: Extent) -> list[Coordinate]:
    """Where a record stands that the store has with other bytes, or not at all (retention may have dropped it)."""
    sql = question(f"hashes_{extent.topic.partition('.')[0]}")
    found: list[Coordinate] = []
    kept: dict[int, str] = {}
    until = extent.first
    for part in hashes(bootstrap, extent):
        last = max(part)
        while last >= until:
            about = {"epoch": epoch, "partition": extent.partition, "first": until, "behind": until + _CHUNK}
            kept |= dict(ask(sql, about))
            until += _CHUNK
        unlike = {offset: known for offset, told in part.items() if (known := kept.pop(offset, "")) != told}
        gone = _dropped(ask, epoch, extent, [offset for offset, known in unlike.items() if not known])
        found += [Coordinate(epoch, extent.topic, extent.partition, offset) for offset in unlike if offset not in gone]
    return found


def _dropped(ask: Ask, epoch: int, extent: Extent, offsets: Sequence[int]) -> set[int]:
    """Those of the offsets whose bytes retention has dropped from the store."""
    gone: set[int] = set()
    about = {"epoch": epoch, "topic": extent.topic, "partition": extent.partition}
    for start in range(0, len(offsets), _ASKED_AT_ONCE):
        some = {"offsets": list(offsets[start : start + _ASKED_AT_ONCE])}
        gone.update(offset for (offset,) in ask(question("dropped"), about | some))
    return gone
