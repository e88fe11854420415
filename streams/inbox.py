"""What has been fetched and not yet processed: batches grow with the load, and stay small without it.

Fetches bring what is there, often little. Whatever came for one partition of an agent's inputs while it was busy is
handed over together, so that a step's fixed cost (a transaction takes some 10 ms) is paid once for all of it.
"""

import asyncio
from collections import deque
from typing import Any


class Inbox:
    """Messages for one partition of an agent, in the order they came. `most_records` bounds a batch and the waiting."""

    def __init__(self, most_records: int) -> None:
        self._most = most_records
        self._waiting: deque[Any] = deque()
        self._held = 0
        self._changed = asyncio.Condition()

    async def put(self, event: Any) -> None:
        """Add an event whose value is a list of records; waits while too much is waiting."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._held < self._most)
            self._waiting.append(event)
            self._held += len(event.value)
            self._changed.notify_all()

    async def take(self) -> list[Any]:
        """The events that have waited longest, of all topics, as far as a batch may hold; at least one."""
        async with self._changed:
            await self._changed.wait_for(lambda: bool(self._waiting))
            taken = [self._waiting.popleft()]
            size = len(taken[0].value)
            while self._waiting and size + len(self._waiting[0].value) <= self._most:
                taken.append(self._waiting.popleft())
                size += len(taken[-1].value)
            self._held -= size
            self._changed.notify_all()
            return taken
