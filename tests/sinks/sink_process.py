"""A history sink in a process of its own: `sink_process.py PATH BOOTSTRAP hang|work|finish`.

`hang` prints `inserted` after the first insert and then waits, instead of committing, until it is killed.
`work` works, in small batches, until it is killed, and prints `stored` after each of them.
`finish` works until nothing is left and prints how many rows there are, before and after FINAL, and what they are.
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


class Telling(History):
    """Tells of each batch that is in the store, committed or not."""

    def _commit_soon(self) -> None:
        print("stored", flush=True)  # noqa: T201
        super()._commit_soon()


async def _run(path: str, bootstrap: str, mode: str) -> None:
    client = clickhouse_connect.get_client(interface="chdb", path=path)
    client.command("CREATE DATABASE IF NOT EXISTS sink")
    client.database = "sink"
    migrate(client)
    if mode == "hang":
        await Hanging(client, bootstrap, 1, batch_records=100).run()
    if mode == "work":
        await Telling(client, bootstrap, 1, batch_records=50, batch_ms=0).run()
    history = History(client, bootstrap, 1)
    await history.start()
    while await history.lag():  # noqa: ASYNC110  # the store grows; nothing tells
        await asyncio.sleep(0.05)
    await history.stop()
    raw, final = (
        client.query(f"SELECT count() FROM shipment_events {how}").result_rows[0][0]  # noqa: S608
        for how in ("", "FINAL")
    )
    told = {"raw": raw, "final": final, "read": history.counters.records}
    told["events"] = client.query("SELECT partition, offset, event_id FROM shipment_events FINAL").result_rows
    told["states"] = client.query("SELECT order_id, version FROM order_status FINAL").result_rows
    told["dead"] = client.query("SELECT topic, partition, offset FROM dead_letters").result_rows
    client.close()
    print(json.dumps(told), flush=True)  # noqa: T201


if __name__ == "__main__":
    asyncio.run(_run(*sys.argv[1:]))
