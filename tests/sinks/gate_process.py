"""A store with a gate in a process of its own: the engine allows one path per process.

Started as `python -m tests.sinks.gate_process DIR`; prints the port, then obeys the lines on its stdin:
`start` (insert batches of 1,000 rows into `events` without pause), `stop` (print how many rows there are
now). Ends when its stdin ends.
"""

import asyncio
import sys
import threading
from pathlib import Path

from sinks.embedded import EmbeddedStore
from sinks.gate import gate, open_gate
from sinks.readonly import Limits

PASSWORD = "harbour"  # noqa: S105 - of a test
BATCH = 1_000


class Inserter:
    """Inserts until told to stop, on a thread of its own."""

    def __init__(self, store: EmbeddedStore) -> None:
        self.rows = 0
        self._store = store
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> int:
        """End after the batch under way; how many rows there are."""
        self._stop.set()
        self._thread.join()
        return self.rows

    def _run(self) -> None:
        while not self._stop.is_set():
            data = [[self.rows + n, f"E{self.rows + n}"] for n in range(BATCH)]
            self._store.writer.insert("events", data, column_names=["id", "name"])
            self.rows += BATCH


async def serve(path: Path) -> None:
    """Open the store and the gate and obey stdin."""
    with EmbeddedStore(path) as store:
        store.writer.command(
            "CREATE TABLE shipments (id UInt64, lane String, at DateTime64(3, 'UTC')) ENGINE = MergeTree ORDER BY id"
        )
        store.writer.command(
            "INSERT INTO shipments VALUES (1, 'CNSHA-NLRTM', '2024-05-01 10:00:00.250'), "
            "(2, 'NLRTM-DEHAM', '2024-05-02 11:00:00.500')"
        )
        store.writer.command("CREATE TABLE events (id UInt64, name String) ENGINE = MergeTree ORDER BY id")
        inserter = Inserter(store)
        opened = await open_gate(gate(store, PASSWORD, limits=Limits(seconds=20, rows=50_000)))
        print(opened.port, flush=True)  # noqa: T201 - how the test learns it
        while line := await asyncio.to_thread(sys.stdin.readline):
            if line.strip() == "start":
                inserter.start()
            elif line.strip() == "stop":
                print(await asyncio.to_thread(inserter.stop), flush=True)  # noqa: T201 - the answer
        await opened.close()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
