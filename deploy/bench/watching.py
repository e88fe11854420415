"""What the benchmark sees of a contender from outside: its group, its offsets, what it wrote, and its CPU time.

Everything is asked of the broker and of the kernel, so that all contenders are judged by the same eye.
"""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from kafka.errors import KafkaError, UnknownTopicOrPartitionError

from deploy.bench.mix import Told
from schemas.errors import Unreachable
from schemas.topics import BY_NAME, TOPICS, Topic
from streams.sending import Record, Sender
from streams.settling import ends_of

PAUSE_S: Final = 0.1
"""How often a contender is looked at: the resolution of all its times."""

COPY: Final = "bench."
"""Begins the names of the topics with the copy of the same bytes that the peers read."""

logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # its news of fresh topics tell nobody anything

_PATIENCE_S: Final = 60.0
_BATCH: Final = 5_000
_TICKS: Final = os.sysconf("SC_CLK_TCK")

Offsets = dict[tuple[str, int], int]


class Watcher:
    """One admin connection to the benchmark's broker, for one thread."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap: Final = bootstrap
        self._admin: Any = KafkaAdminClient(bootstrap_servers=bootstrap, client_id="quayside-bench")

    def close(self) -> None:
        """Disconnect."""
        self._admin.close()

    def is_joined(self, group: str) -> bool:
        """Whether the group has members, and each topic partition it reads has been given to one of them."""
        told = self._described(group)
        return told["group_state"] == "Stable" and any(member["member_assignment"] for member in told["members"])

    def committed(self, group: str) -> Offsets:
        """The group's offsets."""
        try:
            listed = self._admin.list_group_offsets({group: None}).get(group, {})
        except KafkaError:
            return {}
        return {tuple(place): told.offset for place, told in listed.items()}

    def forget(self, group: str) -> None:
        """Wait until the group has no members any more, and delete it with its offsets."""
        await_(f"the group {group} to be empty", lambda: self._described(group)["group_state"] in {"Empty", "Dead"})
        if self._described(group)["group_state"] == "Empty":
            self._admin.delete_groups([group])

    def make_anew(self, topics: Iterable[Topic], prefix: str = "") -> None:
        """Delete the topics if they are there, and create them, all with the registry's settings."""
        wanted = {prefix + topic.name: topic for topic in topics}
        self.remove(wanted)
        made = [NewTopic(name, topic.partitions, 1, topic_configs=topic.config()) for name, topic in wanted.items()]
        await_("the topics to be created", lambda: self._created(made))
        ends_of(self.bootstrap, wanted)  # answered once all partitions have their leaders

    def remove(self, names: Iterable[str]) -> None:
        """Delete the topics that are there, and wait until they are gone."""
        gone = [name for name in self.names() if name in set(names)]
        if gone:
            with contextlib.suppress(UnknownTopicOrPartitionError):  # somebody was quicker
                self._admin.delete_topics(gone)
            await_("the topics to be deleted", lambda: not set(gone) & set(self.names()))

    def names(self) -> list[str]:
        """All topics."""
        return list(self._admin.list_topics())

    def size(self, topics: Sequence[str]) -> int:
        """How many bytes the logs of these topics take on disk, in all partitions."""
        if not topics:
            return 0
        brokers = self._admin.describe_log_dirs(list(topics))
        return sum(
            partition["partition_size"]
            for broker in brokers
            for folder in broker["log_dirs"]
            for topic in folder["topics"]
            for partition in topic["partitions"]
        )

    def _described(self, group: str) -> dict[str, Any]:
        try:
            told: dict[str, Any] = self._admin.describe_groups([group])[group]
        except KafkaError:
            return {"group_state": "Unknown", "members": []}
        return told

    def _created(self, topics: list[NewTopic]) -> bool:
        """Whether they are all there; one whose namesake is still being deleted is tried again."""
        there = set(self.names())
        missing = [topic for topic in topics if topic.name not in there]
        if missing:
            self._admin.create_topics(missing, raise_errors=False)
        return not missing


def publish(bootstrap: str, told: Sequence[Told], prefix: str = "") -> Offsets:
    """Publish records, acknowledged; the end that each partition has then, if it was empty before."""
    return asyncio.run(_publish(bootstrap, told, prefix))


async def _publish(bootstrap: str, told: Sequence[Told], prefix: str) -> Offsets:
    counts = {prefix + topic.name: topic.partitions for topic in TOPICS}
    sender = Sender(bootstrap, "quayside-bench", counts)
    ends: Offsets = {}
    try:
        for start in range(0, len(told), _BATCH):
            batch = told[start : start + _BATCH]
            sent = await sender.send((prefix + one.topic, Record(one.key, one.value)) for one in batch)
            ends |= {place: last + 1 for place, last in sent.items()}
    finally:
        await sender.stop()
    return ends


def copies(names: Iterable[str]) -> list[str]:
    """The names of the peers' topics."""
    return [COPY + name for name in names]


def registered(names: Iterable[str]) -> list[Topic]:
    """The registry's entries."""
    return [BY_NAME[name] for name in names]


def await_(what: str, holds: Callable[[], bool], patience_s: float = _PATIENCE_S) -> None:
    """Wait until something holds. Raises Unreachable if it does not within the time."""
    deadline = time.monotonic() + patience_s
    while not holds():
        if time.monotonic() > deadline:
            raise Unreachable(f"The benchmark waited {patience_s:g} s in vain for {what}.")
        time.sleep(PAUSE_S)


def cpu_seconds(pid: int) -> float | None:
    """The CPU time of a process, all its threads, in user and system mode; None where /proc does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / _TICKS
