"""The store that a benchmark's gateway asks what was said before: migrated, empty, behind its gate.

Run as `python -m deploy.bench.door_store FOLDER PASSWORD`; its first line is the gate's address.
"""

import asyncio
import sys
from pathlib import Path

from sinks.embedded import EmbeddedStore
from sinks.gate import gate, open_gate
from sinks.migrate import migrate


async def _serve(folder: Path, password: str) -> None:
    with EmbeddedStore(folder) as store:
        migrate(store.writer)
        opened = await open_gate(gate(store, password))
        print(f"http://127.0.0.1:{opened.port}", flush=True)  # noqa: T201  # its result
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), sys.argv[2]))
