"""How accepted records become durable."""

import asyncio
import os
from pathlib import Path

import pytest

from deploy.gateway.commits import BrokerCommits, SpoolCommits
from deploy.gateway.limits import Busy
from deploy.spool import Spooled, abandoned_files, published_files, read_spool, spool_files
from schemas.errors import Unreachable
from tests.deploy.gateway.gate import Noting, until


def record(number: int, size: int = 10) -> Spooled:
    return Spooled("warehouse.events", b"k", b"%d " % number + b"x" * size)


def test_those_who_wait_at_the_same_time_share_one_fsync_and_keep_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncs: list[int] = []
    sync = os.fsync

    def counted(file: int) -> None:
        syncs.append(file)
        sync(file)

    monkeypatch.setattr(os, "fsync", counted)
    publisher = Noting()

    async def run() -> None:
        commits = SpoolCommits(tmp_path, publisher)
        await asyncio.gather(*(commits.commit([record(number)]) for number in range(100)))
        await commits.close(5)

    asyncio.run(run())
    assert len(syncs) <= 6, "a directory, and a few groups"
    assert publisher.records == [record(number) for number in range(100)]
    (file,) = published_files(tmp_path)
    assert [kept for batch in read_spool(file) for kept in batch] == publisher.records


def test_a_file_is_closed_only_when_the_broker_has_all_of_it(tmp_path: Path) -> None:
    publisher = Noting(held=asyncio.Event())

    async def run() -> None:
        commits = SpoolCommits(tmp_path, publisher)
        for number in range(4):
            await commits.commit([record(number, 3 << 20)])
        await asyncio.sleep(0.05)
        assert len(spool_files(tmp_path)) == 2
        assert published_files(tmp_path) == [], "it could be trimmed before the broker has it"
        assert publisher.held is not None
        publisher.held.set()
        await until(lambda: not commits.queued)
        await asyncio.sleep(0.05)
        assert len(published_files(tmp_path)) == 2, "full files are closed"
        await commits.close(5)

    asyncio.run(run())
    assert len(publisher.records) == 4


def test_an_old_file_is_closed_though_nothing_comes_any_more(tmp_path: Path) -> None:
    async def run() -> None:
        commits = SpoolCommits(tmp_path, Noting(), file_age=0.05)
        await commits.commit([record(1)])
        await until(lambda: published_files(tmp_path))
        await commits.commit([record(2)])
        assert len(spool_files(tmp_path)) == 2
        await commits.close(5)

    asyncio.run(run())


def test_a_broker_that_is_away_is_tried_again_in_order(tmp_path: Path) -> None:
    publisher = Noting(away=True)

    async def run() -> None:
        commits = SpoolCommits(tmp_path, publisher)
        await commits.commit([record(1)])
        await commits.commit([record(2)])
        await until(lambda: publisher.sends)
        assert (commits.queued, commits.sent) == (2, 0)
        publisher.away = False
        await until(lambda: not commits.queued)
        await commits.close(5)

    asyncio.run(run())
    assert publisher.records == [record(1), record(2)]


def test_what_the_broker_did_not_get_before_the_end_stays_in_the_spool(tmp_path: Path) -> None:
    publisher = Noting(away=True)

    async def run() -> None:
        commits = SpoolCommits(tmp_path, publisher)
        await commits.commit([record(1)])
        await commits.close(0.05)

    asyncio.run(run())
    assert published_files(tmp_path) == []
    (file,) = spool_files(tmp_path)
    assert [kept for batch in read_spool(file) for kept in batch] == [record(1)]
    assert abandoned_files(tmp_path) == [], "whoever writes it lives"


def test_a_spool_that_is_no_directory_any_more_is_unreachable(tmp_path: Path) -> None:
    async def run() -> None:
        commits = SpoolCommits(tmp_path / "spool", Noting())
        (tmp_path / "spool").rmdir()
        with pytest.raises(Unreachable):
            await commits.commit([record(1)])
        assert commits.refuses
        with pytest.raises(Unreachable):
            await commits.probe()
        (tmp_path / "spool").mkdir()
        await commits.probe()
        assert not commits.refuses
        await commits.commit([record(1)])
        await commits.close(1)

    asyncio.run(run())


def test_a_kafka_of_ones_own_acknowledges_before_anybody_is_told() -> None:
    publisher = Noting(held=asyncio.Event())

    async def run() -> None:
        commits = BrokerCommits(publisher, lambda: None, patience=0.1, away=0.1)
        first = asyncio.create_task(commits.commit([record(1)]))
        with pytest.raises(Busy, match="did not acknowledge"):
            await first
        with pytest.raises(Busy):
            commits.admit()
        await commits.probe()
        assert publisher.held is not None
        publisher.held.set()
        await asyncio.sleep(0.12)
        await asyncio.gather(*(commits.commit([record(number)]) for number in range(5)))
        assert commits.sent == 5
        await commits.close(1)

    asyncio.run(run())
    assert publisher.sends <= 4, "those who wait at the same time share a send"
