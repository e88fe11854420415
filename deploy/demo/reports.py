"""From what happens in the network to the records that its sources send, in the order they are sent."""

from collections import Counter
from collections.abc import Iterator
from heapq import heappop, heappush
from random import Random
from typing import Any, NamedTuple

import msgspec
import simpy

from deploy.demo.mistakes import BAD, Mistakes, Shares, Statement
from deploy.demo.tempo import Tempo
from deploy.demo.world import Source
from schemas.times import MINUTE_MS

_SAYING_MS = 4 * MINUTE_MS
"""How long a source takes at most to record what happened, in natural time."""

_SENDING_MS = MINUTE_MS
"""How long a record takes at most to be sent, in natural time."""


class Emission(NamedTuple):
    """A record, and when it is sent (ms since the epoch, on the wall clock).

    `mistake`: the kind of mistake that was planted in it, one of `mistakes.BAD` or `mistakes.READABLE`, or
    empty. A readable mistake is a valid event all the same.
    """

    at_ms: int
    topic: str
    key: bytes
    value: bytes
    mistake: str = ""


class Reports:
    """Everything that was said and is not sent yet; memory is bounded by what is under way."""

    def __init__(self, env: simpy.Environment, tempo: Tempo, seed: int, shares: Shares) -> None:
        """Reports of the sources of one network, on its clock."""
        self.tempo = tempo
        self.mistakes: Counter[str] = Counter()
        self._env = env
        self._rng = Random(f"{seed}/reports")
        self._mistakes = Mistakes(Random(f"{seed}/mistakes"), shares, tempo)
        self._numbers: dict[str, int] = {}
        self._waiting: list[tuple[int, int, Statement, str]] = []
        self._said = 0
        self._encode = msgspec.json.Encoder().encode

    def say(
        self,
        source: Source,
        topic: str,
        key: str,
        kind: str,
        body: dict[str, Any],
        occurred: int | None = None,
        *,
        planned: bool = False,
        exact: bool = False,
    ) -> None:
        """A source reports an event that happened at running time `occurred` (now, if it is not given).

        `body` must not be changed afterwards: it is encoded when it is sent. `exact`: no mistake is made.
        """
        tempo, env_now, draw = self.tempo, self._env.now, self._rng.random
        if occurred is None:
            occurred = tempo.run(env_now)
        said = env_now + int(draw() * _SAYING_MS)
        recorded = tempo.run(said)
        if recorded < occurred and not planned:
            recorded = occurred
        at = max(recorded, tempo.run(said + int(draw() * _SENDING_MS)))
        number = self._numbers[source.name] = self._numbers.get(source.name, 0) + 1
        event_id = f"{source.name}-{number:06d}"
        by_day = source.by_day and not planned
        statement = Statement(topic, key, source, event_id, kind, occurred, recorded, body, planned, by_day=by_day)
        sendings = None if exact else self._mistakes.planted(env_now, at, statement)
        if sendings is None:
            self._said += 1
            heappush(self._waiting, (at, self._said, statement, ""))
            return
        for sending in sendings:
            self._said += 1
            heappush(self._waiting, (sending.at, self._said, sending.statement, sending.mistake))

    def text(self, source: Source, natural: int) -> str:
        """A natural instant as the source writes it; by the day, if that is all it knows."""
        write = self.tempo.day_text if source.by_day else self.tempo.text
        return write(self.tempo.run(natural), source.offset)

    def due(self, until: int) -> Iterator[Emission]:
        """The records to be sent up to running time `until`, in order."""
        waiting = self._waiting
        while waiting and waiting[0][0] <= until:
            at, _, statement, mistake = heappop(waiting)
            if mistake:
                self.mistakes[mistake] += 1
            if mistake in BAD:
                value = self._mistakes.spoiled(mistake, statement, at)
            else:
                value = self._encode(statement.encode(self.tempo))
            yield Emission(self.tempo.wall(at), statement.topic, statement.key.encode(), value, mistake)

    def pass_over(self, until: int, limit: int) -> int:
        """Forget up to `limit` of the records due up to `until`, as if they had been sent; how many."""
        waiting, passed = self._waiting, 0
        while passed < limit and waiting and waiting[0][0] <= until:
            mistake = heappop(waiting)[3]
            if mistake:
                self.mistakes[mistake] += 1
            passed += 1
        return passed
