"""Epochs: the lives of a broker and the rebuilds whose records the store holds.

An epoch begins before its first record is written and is ended when its states are complete. Views show
the newest ended one, so nobody sees half of a rebuild.
"""

from collections.abc import Iterable
from typing import Final

from clickhouse_connect.driver.client import Client

from schemas.errors import WrongInput
from sinks.tables import STATES

_FROM_STATES: Final = ("shipments_under_way", "lead_times_told", "orders_in_brief", "lanes_told")
"""Tables that the engine fills from states, partitioned by epoch as these are."""


def begin(client: Client, epoch: int | None = None) -> int:
    """Begin an epoch: this one, or a new one, greater than all before it. Its states stay unseen until `end`.

    To begin one that the store has already is no harm, and does not take its end back.
    """
    if epoch is None:
        epoch = int(client.query("SELECT max(epoch) + 1 FROM epochs").result_rows[0][0])
    client.command(
        "INSERT INTO epochs (epoch, started_at, ended_at) SELECT {epoch:UInt64}, now64(3, 'UTC'), NULL "
        "WHERE (SELECT count() FROM epochs WHERE epoch = {epoch:UInt64}) = 0",
        parameters={"epoch": epoch},
    )
    return epoch


def begins_at(client: Client, epoch: int, offsets: Iterable[tuple[str, int, int]]) -> None:
    """Note where the epoch begins in the (topic, partition)s of a broker that had records before it."""
    rows = [[epoch, *place] for place in offsets]
    if rows:
        client.insert("epoch_beginnings", rows, column_names=["epoch", "topic", "partition", "offset"])


def end(client: Client, epoch: int) -> None:
    """From now on the views show this epoch, unless a newer one has ended. Ending twice is no harm.

    Raises:
        WrongInput: There is no such epoch.
    """
    if not client.query("SELECT 1 FROM epochs WHERE epoch = {epoch:UInt64}", {"epoch": epoch}).result_rows:
        raise WrongInput(f"The store has no epoch {epoch}: it was never begun, or belongs to another store.")
    client.command(
        "INSERT INTO epochs (epoch, started_at, ended_at) "
        "SELECT epoch, started_at, now64(3, 'UTC') FROM epochs FINAL "
        "WHERE epoch = {epoch:UInt64} AND ended_at IS NULL",
        parameters={"epoch": epoch},
    )


def current(client: Client) -> int | None:
    """The epoch that the views show; None while none has ended."""
    epoch = client.query("SELECT epoch FROM current_epoch").result_rows[0][0]
    return None if epoch is None else int(epoch)


def forget_before(client: Client, epoch: int) -> int:
    """Drop the states of all epochs before this one (facts stay); how many partitions were dropped.

    Only what the views no longer show goes: an epoch newer than the current one is not forgotten.
    """
    shown = current(client)
    dropped = 0
    for name in (*(table.name for table in STATES.values()), *_FROM_STATES):
        found = client.query(
            "SELECT DISTINCT toUInt64(partition) FROM system.parts "
            "WHERE active AND database = currentDatabase() AND table = {name:String}",
            {"name": name},
        ).result_rows
        for (old,) in found:
            if shown is not None and old < min(epoch, shown):
                client.command(f"ALTER TABLE {name} DROP PARTITION {int(old)}")
                dropped += 1
    return dropped
