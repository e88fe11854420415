"""What was accepted is on disk first, whole or not at all, and published again if nobody knows that it was."""

import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest

from deploy.spool import (
    Spooled,
    SpoolWriter,
    abandoned_files,
    published_files,
    read_spool,
    spool_files,
    spooled_count,
)

FIRST = [Spooled("warehouse.events", b"key", b"one"), Spooled("warehouse.events", b"key", b"two")]
SECOND = [Spooled("supplier.events", b"key", b"three")]


def spooled(folder: Path, *, published: bool = True) -> Path:
    """A closed file with two batches."""
    writer = SpoolWriter(folder)
    writer.append(FIRST)
    writer.append(SECOND)
    writer.close(published=published)
    (path,) = spool_files(folder)
    return path


def test_what_was_accepted_is_read_back(tmp_path: Path) -> None:
    path = spooled(tmp_path)
    assert list(read_spool(path)) == [FIRST, SECOND]
    assert spooled_count([path]) == 3


def test_a_batch_is_synced_to_disk_before_it_is_accepted(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path)
    writer.append(FIRST)
    with patch.object(os, "fsync") as synced:
        writer.append(SECOND)
    assert synced.call_count == 1
    writer.close()


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_frame_that_was_cut_off_was_never_accepted(tmp_path: Path, cut: int) -> None:
    path = spooled(tmp_path)
    path.write_bytes(path.read_bytes()[:-cut])
    assert list(read_spool(path)) == [FIRST]


def test_a_damaged_frame_is_not_published(tmp_path: Path) -> None:
    path = spooled(tmp_path)
    written = bytearray(path.read_bytes())
    written[-1] ^= 1
    path.write_bytes(written)
    assert list(read_spool(path)) == [FIRST]


def test_a_file_that_was_not_published_by_a_process_that_is_gone_is_published_again(tmp_path: Path) -> None:
    mine = spooled(tmp_path / "mine", published=False)
    assert abandoned_files(tmp_path / "mine") == [], "this process may still be publishing it"
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    theirs = mine.rename(mine.with_suffix(f".{gone.pid}-open"))
    assert abandoned_files(tmp_path / "mine") == [theirs]
    spooled(tmp_path / "published")
    assert abandoned_files(tmp_path / "published") == []
    assert len(published_files(tmp_path / "published")) == 1


def test_a_file_that_cannot_be_renamed_is_published_again_and_stops_nobody(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path)
    writer.append(FIRST)
    with patch("deploy.spool.mark_published", side_effect=OSError(28, "No space left on device")):
        writer.close()
    assert published_files(tmp_path) == []
    assert spooled_count(spool_files(tmp_path)) == len(FIRST)
