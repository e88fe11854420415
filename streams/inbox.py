"""What has been fetched and not yet processed: batches grow with the load, and stay small without it.

Fetches bring what is there, often little. Whatever came for one partition while the agent was busy is handed over
together, so that a step's fixed cost (a transaction takes some 10 ms) is paid once for all of it.
"""

import asyncio
from collections import OrderedDict
from typing import Any

Place = tuple[str, int]


class Inbox:
    """Messages by (topic, partition), the longest waiting first. `most_records` bounds a batch and the waiting."""

    def __init__(self, most_records: int) -> None:
        self._most = most_records
        self._waiting: OrderedDict[Place, list[Any]] = OrderedDict()
        self._held = 0
        self._changed = asyncio.Condition()

    async def put(self, event: Any) -> None:
        """Add an event whose value is a list of records; waits while too much is waiting."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._held < self._most)
            place = (event.message.topic, event.message.partition)
            self._waiting.setdefault(place, []).append(event)
            self._held += len(event.value)
            self._changed.notify_all()

    async def take(self) -> list[Any]:
        """All events of the topic's partition that has waited longest, as far as a batch may hold; at least one."""
        async with self._changed:
            await self._changed.wait_for(lambda: bool(self._waiting))
            place, events = next(iter(self._waiting.items()))
            size = taken = 0
            for event in events:
                if taken and size + len(event.value) > self._most:
                    break
                size += len(event.value)
                taken += 1
            del self._waiting[place]
            if events[taken:]:
                self._waiting[place] = events[taken:]
            self._held -= size
            self._changed.notify_all()
            return events[:taken]
