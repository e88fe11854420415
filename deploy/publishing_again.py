"""Publishing again what a spool holds: what an empty broker cannot have, and what dead processes left."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from importlib.resources import files as resources
from pathlib import Path
from typing import Final

from clickhouse_connect.driver.client import Client

from deploy.gate_client import gate_client, rows
from deploy.publisher import Publisher
from deploy.spool import Spooled, closed_name, read_spool
from deploy.stackfile import StackFile
from schemas.topics import of_kind
from schemas.versions import content_hash

_KNOWN: Final = resources("deploy").joinpath("sql/spooled_known.sql").read_text(encoding="utf-8")


async def publish_again(stack: StackFile, files: Iterable[Path]) -> int:
    """Publish the files of a spool once more, as one load; how many records.

    What the history holds already is left out: it was replayed, or it was judged late, and as a part of a load it
    would be applied all the same. To be cancelled where the broker is gone: that takes aiokafka 40 seconds to find out.
    """
    publisher = Publisher(stack.kafka, None, load="spool")
    end = publisher.close
    count = 0
    try:
        with closing(gate_client(stack)) as store:
            for path in files:
                for batch in _read_wherever(path):
                    missing = _missing(store, batch)
                    await publisher.send(missing)
                    count += len(missing)
    except asyncio.CancelledError:
        end = publisher.leave
        raise
    finally:
        await end()
    return count


def accepting_topics() -> tuple[str, ...]:
    """The topics that accepted records go to."""
    return (*(topic.name for topic in of_kind("fact")), "dead.letters")


def _missing(store: Client, batch: Sequence[Spooled]) -> list[Spooled]:
    """Those of a batch that the history does not hold. A frame may be larger than one question."""
    return [told for piece in pieces(batch) for told in _missing_of(store, piece)]


def pieces(batch: Iterable[Spooled], most: int = 200_000) -> Iterator[list[Spooled]]:
    """Records in their order, so many together that their keys and hashes have at most `most` bytes (or one alone)."""
    piece: list[Spooled] = []
    size = 0
    for told in batch:
        weight = _HASH_CHARACTERS + len(told.key)
        if piece and size + weight > most:
            yield piece
            piece, size = [], 0
        piece.append(told)
        size += weight
    if piece:
        yield piece


_HASH_CHARACTERS: Final = 35  # 32, and what separates it from the next one


def _missing_of(store: Client, batch: Sequence[Spooled]) -> list[Spooled]:
    hashes = [content_hash(told.value).hex().upper() for told in batch]
    asked = {"hashes": hashes, "entities": sorted({told.key.decode(errors="replace") for told in batch})}
    known = {tuple(row) for row in rows(store, _KNOWN, asked)}
    return [told for told, said in zip(batch, hashes, strict=True) if (told.topic, said) not in known]


def _read_wherever(path: Path) -> Iterator[list[Spooled]]:
    """A spool file's batches; its writer may have closed it meanwhile, which renames it."""
    try:
        yield from read_spool(path)
    except FileNotFoundError:
        yield from read_spool(closed_name(path))
