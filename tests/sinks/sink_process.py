"""A history sink in a process of its own: `sink_process.py PATH BOOTSTRAP hang|finish`.

`hang` prints `inserted` after the first insert and then waits, instead of committing, until it is killed.
`finish` works until nothing is left and prints how many rows there are, before and after FINAL.
"""

import asyncio
import json
import sys

import clickhouse_connect

from sinks.history import History
from sinks.migrate import migrate


class Hanging(History):
    """Never commits."""

    async def _commit(self) -> None:
        print("inserted", flush=True)  # noqa: T201
        await asyncio.Event().wait()


async def _run(path: str, bootstrap: str, mode: str) -> None:
    client = clickhouse_connect.get_client(interface="chdb", path=path)
    client.command("CREATE DATABASE IF NOT EXISTS sink")
    client.database = "sink"
    migrate(client)
    if mode == "hang":
        await Hanging(client, bootstrap, 1, batch_records=100).run()
    history = History(client, bootstrap, 1)
    await history.start()
    while await history.lag():  # noqa: ASYNC110  # the store grows; nothing tells
        await asyncio.sleep(0.05)
    await history.stop()
    raw, final = (
        client.query(f"SELECT count() FROM shipment_events {how}").result_rows[0][0]  # noqa: S608
        for how in ("", "FINAL")
    )
    client.close()
    print(json.dumps({"raw": raw, "final": final, "read": history.counters.records}), flush=True)  # noqa: T201


if __name__ == "__main__":
    asyncio.run(_run(*sys.argv[1:]))
