import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from schemas.errors import Unreachable, WrongInput
from sinks.embedded import EmbeddedStore, QueryError

ROOT = Path(__file__).resolve().parents[2]

HOLDER = """
import sys
from pathlib import Path
from sinks.embedded import EmbeddedStore
with EmbeddedStore(Path(sys.argv[1])) as store:
    with store.reader() as reader, store.session() as session:
        zones = [
            store.writer.query("SELECT timezone(), toString(toDateTime(0))").result_rows[0],
            reader.query("SELECT timezone(), toString(toDateTime(0))").result_rows[0],
            tuple(session.ask("SELECT timezone(), toDateTime(0)").body.decode().strip().split("\\t")),
        ]
        print(zones, store.writer.server_tz, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    with EmbeddedStore(tmp_path / "store", readers=2) as store:
        store.writer.command("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
        store.writer.insert("t", [[1], [2]], column_names=["a"])
        yield store


def hold(path: Path, zone: str = "UTC") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        cwd=ROOT,
        env={**os.environ, "TZ": zone},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_what_the_writer_inserts_readers_see_at_once(store: EmbeddedStore) -> None:
    with store.reader() as reader:
        assert reader.query("SELECT sum(a) FROM t").result_rows == [(3,)]
    assert store.writer.query("SELECT getSetting('async_insert')").result_rows == [(False,)]


def test_the_history_is_there_after_closing_and_opening(tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path / "a") as store:
        store.writer.command("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
        store.writer.insert("t", [[7]], column_names=["a"])
    with EmbeddedStore(tmp_path / "b") as other:
        assert other.writer.query("EXISTS TABLE t").result_rows == [(0,)]
    with EmbeddedStore(tmp_path / "a") as again, again.reader() as reader:
        assert reader.query("SELECT a FROM t").result_rows == [(7,)]


def test_readers_cannot_write_but_may_use_settings(store: EmbeddedStore) -> None:
    with store.reader() as reader:
        with pytest.raises(DatabaseError, match="READONLY"):
            reader.command("INSERT INTO t VALUES (3)")
        with pytest.raises(DatabaseError, match="READONLY"):
            reader.command("DROP TABLE t")
        one = reader.query("SELECT getSetting('max_threads')", settings={"max_threads": 1}).result_rows
        assert one == [(1,)]


def test_borrowers_get_different_clients_and_wait_for_a_free_one(store: EmbeddedStore) -> None:
    got: list[object] = []

    def borrow() -> None:
        with store.reader() as third:
            got.append(third)

    with store.reader() as first:
        with store.reader() as second:
            assert first is not second
            waiting = threading.Thread(target=borrow)
            waiting.start()
            assert got == []
        waiting.join(timeout=60)
        assert got == [second]


def test_a_session_cannot_write_nor_change_its_settings(store: EmbeddedStore) -> None:
    with store.session({"max_result_rows": 1, "result_overflow_mode": "throw"}) as session:
        assert session.ask("SELECT count() FROM t").body == b"2\n"
        for sql in ("INSERT INTO t VALUES (3)", "DROP TABLE t", "SET readonly = 0", "SET max_threads = 1"):
            with pytest.raises(QueryError) as refusal:
                session.ask(sql)
            assert refusal.value.code == 164
        with pytest.raises(QueryError) as refusal:
            session.ask("SELECT a FROM t")
        assert refusal.value.code == 396


def test_nothing_of_a_session_is_left_for_the_next(store: EmbeddedStore) -> None:
    with store.session({"session_timezone": "Asia/Tokyo"}, database="system") as session:
        assert session.ask("SELECT timezone(), currentDatabase()").body == b"Asia/Tokyo\tsystem\n"
    with store.session() as session:
        assert session.ask("SELECT timezone(), currentDatabase()").body == b"UTC\tquayside\n"


def test_a_setting_cannot_smuggle_another(store: EmbeddedStore) -> None:
    with (
        pytest.raises(QueryError, match="Invalid time zone"),
        store.session({"session_timezone": "UTC', readonly = '0"}),
    ):
        pass


def test_a_session_answers_in_bytes_with_parameters(store: EmbeddedStore) -> None:
    with store.session() as session:
        answer = session.ask("SELECT a FROM t WHERE a = {a:UInt64}", "CSVWithNames", {"a": "2"})
        assert answer.body == b'"a"\n2\n'
        assert answer.rows_read > 0
        with pytest.raises(QueryError, match=r"^Code: 60\. DB::Exception: ") as refusal:
            session.ask("SELECT * FROM nope")
        assert refusal.value.code == 60


def test_a_directory_held_by_another_process_is_named_with_that_process(tmp_path: Path) -> None:
    holder = hold(tmp_path / "store")
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline()
        with pytest.raises(Unreachable, match=f"is held by process {holder.pid}; stop that"):
            EmbeddedStore(tmp_path / "store")
    finally:
        holder.communicate(timeout=60)
    EmbeddedStore(tmp_path / "store").close()


def test_all_connections_speak_utc_whatever_the_machines_zone(tmp_path: Path) -> None:
    said, _ = hold(tmp_path / "store", zone="America/New_York").communicate(timeout=60)
    row = ("UTC", "1970-01-01 00:00:00")
    assert said == f"{[row, row, row]} UTC\n"


def test_a_second_directory_in_one_process_is_refused(store: EmbeddedStore, tmp_path: Path) -> None:
    with pytest.raises(WrongInput, match="has another store open"):
        EmbeddedStore(tmp_path / "other")
    with store.reader() as reader:
        assert reader.query("SELECT count() FROM t").result_rows == [(2,)]


def test_a_path_that_is_no_directory_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for path in (file, file / "below"):
        with pytest.raises(WrongInput, match="cannot be made"):
            EmbeddedStore(path)
    with pytest.raises(WrongInput, match="question mark"):
        EmbeddedStore(tmp_path / "what?")


def test_a_directory_that_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Said by os.access, not by the permissions: root may write anywhere.
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(WrongInput, match="cannot be written"):
        EmbeddedStore(tmp_path)


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path / "store")
    with store.reader() as lent:
        store.close()
        store.close()
        assert lent.query("SELECT 1").result_rows == [(1,)]
    with pytest.raises(Unreachable, match="is closed"):
        _ = store.writer
    with pytest.raises(Unreachable, match="is closed"), store.reader():
        pass
    with pytest.raises(Unreachable, match="is closed"), store.session():
        pass
