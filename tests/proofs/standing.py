"""Which statements stand, worked out from raw records alone; and the agents' views after all kinds of mishaps."""

from collections.abc import Iterable
from random import Random
from typing import Any, NamedTuple

from schemas.times import to_ms
from schemas.versions import Version, event_version
from schemas.wire import Rejection, judge
from tests.streams.network import Network, Views
from tests.streams.told import Told


class Statement(NamedTuple):
    """One statement of an event. `identity`: (topic, entity, source, event_id)."""

    identity: tuple[str, str, str, str]
    version: Version
    raw: bytes
    event: Any


def statements(records: Iterable[tuple[str, bytes]]) -> list[Statement]:
    """What the readable ones among these records state."""
    found = []
    for topic, raw in records:
        event: Any = judge(topic, raw)
        if isinstance(event, Rejection):
            continue
        version = event_version(to_ms(event.recorded_at), raw, retracted=event.retracted)
        found.append(Statement((topic, event.entity_key(), event.source, event.event_id), version, raw, event))
    return found


def standing(records: Iterable[tuple[str, bytes]]) -> list[Statement]:
    """Of each event the greatest version, if it is not retracted; oldest statement first."""
    newest: dict[tuple[str, str, str, str], Statement] = {}
    for said in statements(records):
        known = newest.setdefault(said.identity, said)
        if known.version < said.version:
            newest[said.identity] = said
    return sorted((said for said in newest.values() if not said.event.retracted), key=lambda said: said.version)


def views_in_disorder(records: Iterable[Told], seed: int, most: int = 20) -> Views:
    """The views after the records came in any order, some repeatedly, through crashes, repeats and rewinds.

    `most`: how many records a batch has at most, once the crashes are over.
    """
    chaos = Random(seed)
    disordered = list(records)
    disordered += [told for told in disordered if chaos.random() < 0.3]
    chaos.shuffle(disordered)
    network = Network(chaos=chaos)
    middle = chaos.randint(0, len(disordered))
    network.feed(disordered[:middle])
    network.run([chaos.choice((None, 0, 1, 3, 8)) for _ in range(6)], most=9)
    network.rewind_somewhere()
    network.feed(disordered[middle:])
    network.run(most=most)
    if chaos.random() < 0.5:
        network.restart()
        network.rewind_somewhere()
    network.run(most=3 * most)
    return network.views()
