"""What must be true in the end: what is read back from the broker equals what one thread makes of its facts.

The reader is kafka-python's consumer, read committed; the engine runs on aiokafka. The facts are taken as they stand
in the topics (bytes, coordinates, append times) and go once, in one thread and in memory, through the pure agents;
outcomes are also held against the oracle, which shares no code with the agents.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
from kafka import KafkaConsumer, TopicPartition

from schemas.derived import Published
from schemas.topics import DEFAULT_PARTITIONS, TOPICS, forward_topic, of_kind
from schemas.versions import content_hash
from schemas.wire import Rejection, read
from streams.agents import DERIVATIONS
from streams.facts import PASSED, Fact
from streams.settling import ends_of
from tests.chaos.workers import HORIZON_MS
from tests.streams.network import FetchedRecord, Network, Place, Views
from tests.streams.oracle import Expected, expected
from tests.streams.outcomes import outcomes

FACTS: Final = tuple(topic.name for topic in of_kind("fact"))
_EVENTS: Final = {topic for rules in DERIVATIONS for topic in rules().events}
INPUTS: Final = frozenset(
    {*_EVENTS, *map(forward_topic, _EVENTS), *(topic for rules in DERIVATIONS for topic in rules().contributions)}
)
"""All topics that the agents read."""

_SHOWN: Final = 3
_POLL_MS: Final = 500

Logs = dict[Place, list[FetchedRecord]]


@dataclass(slots=True)
class _OneThread(Network):
    """The network in memory, in which it is always the same time."""

    def append(
        self, place: Place, key: bytes, value: bytes | None, at: int = 0, headers: Sequence[tuple[str, bytes]] = ()
    ) -> int:
        """Append to a partition; the offset."""
        return Network.append(self, place, key, value, at or self.now, headers)


def read_back(bootstrap: str) -> Logs:
    """All records of all topics that a read-committed consumer gets, by partition, in order."""
    ends = ends_of(bootstrap, [topic.name for topic in TOPICS])
    logs: Logs = {Place(*place): [] for place in ends}
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    try:
        left = {TopicPartition(*place): end for place, end in ends.items() if end}
        consumer.assign(list(left))
        consumer.seek_to_beginning()
        while left:
            for fetched in consumer.poll(timeout_ms=_POLL_MS).values():
                for one in fetched:
                    place = Place(one.topic, one.partition)
                    said: Any = (one.offset, one.key, one.value, one.timestamp, tuple(one.headers), one.timestamp_type)
                    logs[place].append(FetchedRecord(*place, *said))
            left = {place: end for place, end in left.items() if consumer.position(place) < end}
    finally:
        consumer.close()
    return logs


def offsets_of_inputs(logs: Logs) -> dict[tuple[str, int], list[int]]:
    """Of each partition that the agents read, the offsets of all its records."""
    return {place: [record.offset for record in log] for place, log in logs.items() if place.topic in INPUTS}


def differences(logs: Logs, now: int) -> list[str]:
    """Where the state that the workers left differs from what follows from the facts; empty if nowhere.

    `now`: what time it was for the workers (ms).
    """
    published = Network(partitions=DEFAULT_PARTITIONS)
    published.topics.update(logs)
    shown = published.views()
    once = _in_one_thread(logs, now)
    found = _compared("view", once.views().states, shown.states)
    found += _compared("fact", _told_facts(once), _told_facts(published))
    found += _compared("dead letter", _letters(once), _letters(published))
    found += _compared("late record", _late(once), _late(published))
    twice = published.two_states_of_one_version()
    found += [f"two states of one version: {one}" for one in twice[:_SHOWN]]
    return found + _against_the_oracle(logs, shown)


def missing_in_history(logs: Logs, kept_file: Path) -> list[str]:
    """What the history lacks or has twice, by coordinate and bytes; and views that are not at their last version."""
    kept = json.loads(kept_file.read_text())
    rows = Counter(map(tuple, kept["records"]))
    wanted = {
        (*place, record.offset, content_hash(record.value or b"").hex().upper())
        for place, log in logs.items()
        if place.topic in FACTS
        for record in log
    }
    found = [f"not in the history: {one}" for one in sorted(wanted - rows.keys())[:_SHOWN]]
    found += [f"only in the history: {one}" for one in sorted(rows.keys() - wanted)[:_SHOWN]]
    found += [f"{count} times in the history: {one}" for one, count in rows.items() if count > 1][:_SHOWN]
    if len(rows) + kept["replayed"] != len(wanted):
        found.append(f"stored + dead + replayed = {len(rows)} + {kept['replayed']}, in the topics: {len(wanted)}")
    stored = {(topic, key): (epoch, version) for topic, key, epoch, version in kept["versions"]}
    return found + _compared("version of a view in the history", _versions(logs), stored)


def _in_one_thread(logs: Logs, now: int) -> Network:
    once = _OneThread(partitions=DEFAULT_PARTITIONS, horizon=HORIZON_MS, now=now)
    once.topics.update({place: log for place, log in logs.items() if place.topic in FACTS})
    once.run()
    while once.tick(now):
        once.run()
    return once


def _told_facts(network: Network) -> dict[tuple[str, str, str], Any]:
    """What each fact says, and its version.

    Without the facts that a deadline has passed: one that was corrected since may have passed before, or not. Without
    periods: a fact that came twice has that of the copy that was taken first, and two topics have no order.
    """
    facts = {name: fact for name, fact in network.facts().items() if name[-1] != PASSED}
    return {name: fact[:2] if isinstance(fact, Fact) else fact for name, fact in facts.items()}


def _letters(network: Network) -> dict[tuple[str, int, int], str]:
    return {(letter.topic, letter.partition, letter.offset): letter.cause for letter in network.dead()}


def _late(network: Network) -> dict[tuple[str, int, int], str]:
    return {(late.topic, late.partition, late.offset): late.reason for late in network.late()}


def _versions(logs: Logs) -> dict[tuple[str, str], tuple[int, int]]:
    """The greatest version of each key of each view, without those that are gone."""
    decode = msgspec.json.Decoder(Published[msgspec.Raw]).decode
    views = {topic.name for topic in of_kind("view")}
    greatest: dict[tuple[str, str], tuple[tuple[int, int], bool]] = {}
    for place, log in logs.items():
        for record in log if place.topic in views else ():
            published = decode(record.value or b"")
            name = (place.topic, record.key.decode())
            greatest[name] = max(greatest.get(name, ((0, 0), False)), (published.version, published.gone))
    return {name: version for name, (version, gone) in greatest.items() if not gone}


def _against_the_oracle(logs: Logs, shown: Views) -> list[str]:
    facts: list[tuple[str, bytes]] = []
    for place, log in logs.items():
        for record in log if place.topic in FACTS else ():
            raw = record.value or b""
            if not isinstance(read(place.topic, raw, record.timestamp), Rejection):  # the oracle has no clock
                facts.append((place.topic, raw))
    wanted, came = expected(facts), outcomes(shown.states)
    return [
        line
        for name in Expected.__dataclass_fields__
        for line in _compared(f"oracle's {name}", getattr(wanted, name), getattr(came, name))
    ]


def _compared(what: str, wanted: Mapping[Any, Any], found: Mapping[Any, Any]) -> list[str]:
    """One line for each of the first differences, and how many there are."""
    names = [name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)]
    lines = [f"{what} {name}: {wanted.get(name)!r} != {found.get(name)!r}" for name in _first(names)]
    return [*lines, f"{what}: {len(names)} differences among {len(wanted)}"] if names else []


def _first(names: Iterable[Any]) -> list[Any]:
    return sorted(names, key=str)[:_SHOWN]
