"""Load: the demo network's events of the last hour, with many mistakes, published as a stranger would.

Published by kafka-python, which shares no code with the engine. The events are the same for the same seed and
start; repeats, corrections, retractions and records that cannot be read are far more common than in the demo, and
some records go astray, to another partition than their key's.
"""

import random
import time
from typing import Final

from kafka import KafkaProducer

from deploy.demo.feed import Feed
from deploy.demo.mistakes import Shares
from schemas.topics import BY_NAME as TOPICS
from schemas.topics import DEFAULT_PARTITIONS, forward_topic
from streams.sending import partition_of

_SHARES: Final = Shares(
    duplicate=0.03, late=0.01, out_of_order=0.03, correction=0.04, retraction=0.02, bad=0.01, check_digit=0.0
)
_LAST_HOUR_MS: Final = 3_600_000
_BACKFILL_BATCH: Final = 5_000
_ASTRAY: Final = 0.02
_PATIENCE_S: Final = 60.0
_CLOSE_S: Final = 5.0


class Load:
    """The events of one seed, sent piece by piece; `sent` counts them. `now_ms`: none is from after that."""

    def __init__(self, bootstrap: str, seed: int) -> None:
        self.sent = 0
        self.now_ms: Final = time.time_ns() // 1_000_000
        self._chance: Final = random.Random(seed)
        self._feed: Final = Feed(seed, self.now_ms - _LAST_HOUR_MS, shares=_SHARES)
        while self._feed.in_backfill:  # two weeks old: what is stock's is closed by now
            self._feed.take(self._feed.start_ms - 1, _BACKFILL_BATCH)
        self._bootstrap: Final = bootstrap
        self._connect()

    def send(self, count: int) -> int:
        """Send the next events and wait until the broker has them; how many that were (fewer at the very end)."""
        batch = self._feed.take(self.now_ms, count)
        waiting = [
            self._producer.send(
                told.topic, key=told.key, value=told.value, partition=self._partition(told.topic, told.key)
            )
            for told in batch
        ]
        self._producer.flush(timeout=_PATIENCE_S)
        for acknowledgement in waiting:
            acknowledgement.get(timeout=_PATIENCE_S)
        self.sent += len(batch)
        return len(batch)

    def _partition(self, topic: str, key: bytes) -> int | None:
        """None: the key's own."""
        if forward_topic(topic) not in TOPICS or self._chance.random() >= _ASTRAY:
            return None
        return (partition_of(key, DEFAULT_PARTITIONS) + 1) % DEFAULT_PARTITIONS

    def reconnect(self) -> None:
        """Begin anew with a broker that was away."""
        self.close()
        self._connect()

    def close(self) -> None:
        """Disconnect."""
        self._producer.close(timeout=_CLOSE_S)

    def _connect(self) -> None:
        self._producer = KafkaProducer(bootstrap_servers=self._bootstrap, acks="all", linger_ms=5)
