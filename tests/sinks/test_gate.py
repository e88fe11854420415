import gzip
import json
import struct
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import clickhouse_connect
import pytest
import requests
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from schemas.errors import WrongInput
from sinks.embedded import QueryError
from sinks.gate import gate
from sinks.readonly import Limits
from tests.sinks.gate_process import BATCH, PASSWORD

ROOT = Path(__file__).resolve().parents[2]
BASIC = ("default", PASSWORD)


@dataclass(frozen=True)
class Gate:
    """The process under test."""

    port: int
    process: subprocess.Popen[str]
    folder: Path

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/"

    def ask(self, sql: str, **fields: str) -> requests.Response:
        """Post a statement, with URL parameters."""
        return requests.post(self.url, params=fields, data=sql.encode(), auth=BASIC, timeout=60)

    def tell(self, word: str) -> None:
        """Give the process an order."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()

    def hear(self) -> int:
        """Read the process's answer."""
        assert self.process.stdout is not None
        return int(self.process.stdout.readline())


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    folder = tmp_path_factory.mktemp("gate")
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.sinks.gate_process", str(folder / "store")],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield Gate(int(process.stdout.readline()), process, folder)
    finally:
        process.communicate(timeout=60)  # closes its stdin: it ends by itself


@pytest.fixture
def client(door: Gate) -> Iterator[Client]:
    client = clickhouse_connect.get_client(
        host="127.0.0.1", port=door.port, username="default", password=PASSWORD, database="quayside"
    )
    yield client
    client.close()


def refused(answer: requests.Response, code: int) -> str:
    assert answer.status_code == 500, answer.text
    assert answer.headers["X-ClickHouse-Exception-Code"] == str(code), answer.text
    assert answer.text.startswith(f"Code: {code}. DB::Exception: ")
    return answer.text


# Who may ask


def test_ping_needs_no_password(door: Gate) -> None:
    assert requests.get(f"{door.url}ping", timeout=60).text == "Ok.\n"
    assert requests.get(door.url, timeout=60).text == "Ok.\n"


@pytest.mark.parametrize("credentials", [None, ("default", "wrong"), ("somebody", PASSWORD), ("default", ""), ("", "")])
def test_without_the_right_password_there_is_no_answer(door: Gate, credentials: tuple[str, str] | None) -> None:
    answer = requests.post(door.url, data="SELECT 1", auth=credentials, timeout=60)
    assert answer.status_code == 401
    assert answer.text.startswith("Code: 516. DB::Exception: ")
    assert answer.headers["X-ClickHouse-Exception-Code"] == "516"


def test_a_broken_authorization_header_is_a_wrong_password(door: Gate) -> None:
    for header in ("Basic", "Basic !!!", "Bearer abc", "Basic " + "A" * 11):
        answer = requests.post(door.url, data="SELECT 1", headers={"Authorization": header}, timeout=60)
        assert answer.status_code == 401


def test_the_password_comes_as_headers_or_in_the_url_too(door: Gate) -> None:
    headers = {"X-ClickHouse-User": "default", "X-ClickHouse-Key": PASSWORD}
    assert requests.post(door.url, data="SELECT 1", headers=headers, timeout=60).text == "1\n"
    fields = {"user": "default", "password": PASSWORD, "query": "SELECT 2"}
    assert requests.get(door.url, params=fields, timeout=60).text == "2\n"


def test_a_gate_without_a_password_is_not_opened() -> None:
    with pytest.raises(WrongInput, match="password is empty"):
        gate(None, "")  # type: ignore[arg-type]  # the store is not looked at


# How answers look


def test_plain_answers_are_tab_separated(door: Gate) -> None:
    answer = door.ask("SELECT id, lane, at FROM shipments ORDER BY id")
    first = "1\tCNSHA-NLRTM\t2024-05-01 10:00:00.250\n"
    assert answer.text == first + "2\tNLRTM-DEHAM\t2024-05-02 11:00:00.500\n"
    assert answer.headers["X-ClickHouse-Format"] == "TabSeparated"
    assert answer.headers["Content-Type"].startswith("text/tab-separated-values")
    assert answer.headers["X-ClickHouse-Timezone"] == "UTC"
    assert json.loads(answer.headers["X-ClickHouse-Summary"])["read_rows"] == "2"


def test_the_format_clause_wins_over_header_and_url(door: Gate) -> None:
    sql = "SELECT count() AS n FROM shipments"
    in_url = door.ask(sql, default_format="JSONEachRow")
    assert in_url.json() == {"n": 2}
    headers = {"X-ClickHouse-Format": "CSVWithNames"}
    in_header = requests.post(door.url, data=sql, headers=headers, auth=BASIC, timeout=60)
    assert in_header.text == '"n"\n2\n'
    in_sql = door.ask(f"{sql} FORMAT JSON", default_format="CSV")
    assert in_sql.json()["data"] == [{"n": 2}]
    assert in_sql.headers["X-ClickHouse-Format"] == "JSON"
    assert in_sql.headers["Content-Type"].startswith("application/json")


def test_the_url_and_the_body_make_one_statement(door: Gate) -> None:
    assert door.ask("+ 1", query="SELECT 1").text == "2\n"


def test_the_query_id_comes_back(door: Gate) -> None:
    assert door.ask("SELECT 1", query_id="mine").headers["X-ClickHouse-Query-Id"] == "mine"
    assert door.ask("SELECT 1", query_id="a\r\nb: c").headers["X-ClickHouse-Query-Id"] != "a\r\nb: c"


def test_the_database_is_looked_up(door: Gate) -> None:
    assert door.ask("SELECT currentDatabase()").text == "quayside\n"
    assert door.ask("SELECT currentDatabase()", database="system").text == "system\n"
    assert "nowhere" in refused(door.ask("SELECT 1", database="nowhere"), 81)


def test_big_answers_are_compressed_where_it_is_asked_for(door: Gate) -> None:
    sql = "SELECT number FROM numbers(5000)"
    answer = requests.post(
        door.url,
        params={"enable_http_compression": "1"},
        data=sql,
        headers={"Accept-Encoding": "lz4, gzip;q=0.5"},
        auth=BASIC,
        stream=True,
        timeout=60,
    )
    assert answer.headers["Content-Encoding"] == "gzip"
    plain = door.ask(sql)
    assert "Content-Encoding" not in plain.headers
    assert gzip.decompress(answer.raw.read(decode_content=False)) == plain.content


def test_blocks_compressed_by_clickhouses_own_method_are_refused_not_sent_plain(door: Gate) -> None:
    refused(door.ask("SELECT 1", compress="1"), 48)


# Parameters and settings


def test_parameters_are_bound_by_the_engine(door: Gate) -> None:
    sql = "SELECT {lane:String}, {ids:Array(UInt8)}, {none:Nullable(String)}"
    fields = {"param_lane": "a'b\\tc", "param_ids": "[1,2]", "param_none": "\\N"}
    answer = door.ask(sql, default_format="JSONCompact", **fields)
    assert answer.json()["data"] == [["a'b\tc", [1, 2], None]]
    refused(door.ask("SELECT {n:UInt8}", param_n="many"), 457)
    refused(door.ask("SELECT {n:UInt8}"), 456)


def test_known_settings_are_passed_on_and_unknown_ones_ignored(door: Gate) -> None:
    sql = "SELECT toUInt64(1) AS n FORMAT JSONEachRow"
    assert door.ask(sql, output_format_json_quote_64bit_integers="1").json() == {"n": "1"}
    assert door.ask(sql, output_format_json_quote_64bit_integers="0").json() == {"n": 1}
    ignored = {"limit": "0", "session_id": "x", "client_protocol_version": "54460", "no_such_thing": "1"}
    assert door.ask("SELECT 1", **ignored).text == "1\n"
    in_tokyo = door.ask("SELECT toDateTime(0)", session_timezone="Asia/Tokyo")
    assert in_tokyo.text == "1970-01-01 09:00:00\n"
    assert in_tokyo.headers["X-ClickHouse-Timezone"] == "Asia/Tokyo"
    assert door.ask("SELECT toDateTime(0)").text == "1970-01-01 00:00:00\n"


# Limits


def test_too_many_rows_are_an_error_not_a_shorter_answer(door: Gate) -> None:
    assert len(door.ask("SELECT number FROM numbers(50000)").text.splitlines()) == 50_000
    refused(door.ask("SELECT number FROM numbers(50001)"), 396)
    refused(door.ask("SELECT number FROM numbers(11)", max_result_rows="10"), 396)
    for wish in ("1000000", "0"):
        refused(door.ask("SELECT number FROM numbers(50001)", max_result_rows=wish), 396)
    refused(door.ask("SELECT number FROM numbers(50001)", result_overflow_mode="break"), 396)


def test_time_is_limited(door: Gate) -> None:
    refused(door.ask("SELECT count() FROM numbers(1000000000000)", max_execution_time="0.2"), 159)
    refused(door.ask("SELECT 1", max_execution_time="soon"), 36)


@pytest.mark.parametrize(
    ("wish", "seconds"), [("5", 5), ("31", 30), ("0", 30), ("-1", 30), ("", 30), ("inf", 30), ("nan", 30)]
)
def test_a_request_can_only_lower_a_limit(wish: str, seconds: float) -> None:
    assert Limits(seconds=30).settings({"max_execution_time": wish})["max_execution_time"] == seconds


def test_a_limit_that_is_no_number_is_named() -> None:
    with pytest.raises(QueryError, match="max_execution_time is 'soon'"):
        Limits().settings({"max_execution_time": "soon"})


def test_limits_cannot_be_lifted_from_inside_the_statement(door: Gate) -> None:
    for setting in ("max_result_rows = 0", "max_execution_time = 0", "readonly = 0", "max_threads = 1"):
        refused(door.ask(f"SELECT 1 SETTINGS {setting}"), 164)


# What may be asked

ALLOWED = [
    "SELECT count() FROM shipments",
    "  -- a comment\n/* and another */ SELECT 1",
    "SELECT 1;",
    "(SELECT 1) UNION ALL (SELECT 2)",
    "WITH 1 AS one SELECT one",
    "SHOW TABLES",
    "SHOW CREATE TABLE shipments",
    "DESCRIBE TABLE shipments",
    "DESC shipments",
    "EXPLAIN SELECT count() FROM shipments",
    "EXISTS TABLE shipments",
    "SELECT 'DROP TABLE shipments', 'file(' AS `into`, format('{} INTO OUTFILE', 1)",
    "SELECT url FROM (SELECT 'x' AS url)",
    "SELECT * FROM numbers(3)",
    "SELECT * FROM generateRandom('a UInt8') LIMIT 1",
]


@pytest.mark.parametrize("sql", ALLOWED)
def test_what_reads_the_store_is_answered(door: Gate, sql: str) -> None:
    answer = door.ask(sql)
    assert answer.status_code == 200, answer.text
    assert answer.text


WRITES = [
    "INSERT INTO shipments VALUES (3, 'x', 0)",
    "INSERT INTO shipments SELECT * FROM shipments",
    "WITH 3 AS n INSERT INTO shipments SELECT n, 'x', 0",
    "CREATE TABLE mine (a UInt8) ENGINE = Memory",
    "CREATE TEMPORARY TABLE mine (a UInt8)",
    "CREATE DATABASE mine",
    "CREATE FUNCTION mine AS x -> x",
    "CREATE USER mine",
    "DROP TABLE shipments",
    "DROP DATABASE quayside",
    "ALTER TABLE shipments DELETE WHERE 1",
    "DELETE FROM shipments WHERE 1",
    "UPDATE shipments SET lane = 'x' WHERE 1",
    "TRUNCATE TABLE shipments",
    "OPTIMIZE TABLE shipments FINAL",
    "RENAME TABLE shipments TO mine",
    "DETACH TABLE shipments",
    "ATTACH TABLE shipments",
    "UNDROP TABLE shipments",
    "KILL QUERY WHERE 1",
    "kill /* quietly */ query WHERE 1",
    "SYSTEM FLUSH LOGS",
    "SET readonly = 0",
    "USE system",
    "GRANT ALL ON *.* TO default",
    "BACKUP TABLE shipments TO File('x')",
    "CHECK TABLE shipments",
]


@pytest.mark.parametrize("sql", WRITES)
def test_what_does_more_than_read_is_refused(door: Gate, sql: str) -> None:
    text = refused(door.ask(sql), 164)
    assert "read-only" in text
    assert "(READONLY)" in text
    assert door.ask("SELECT count() FROM shipments").text == "2\n"


REACHES = [
    "SELECT file('{secret}')",
    "SELECT file /* hidden */ ('{secret}')",
    "SELECT file // hidden\n ('{secret}')",
    "SELECT `file`('{secret}')",
    "SELECT \"file\"('{secret}')",
    "SELECT arrayMap(file, ['{secret}'])",
    "SELECT arrayMap(x -> file(x), ['{secret}'])",
    "SELECT * APPLY(file) FROM (SELECT '{secret}' AS a)",
    "SELECT (SELECT file('{secret}'))",
    "WITH file('{secret}') AS a SELECT a",
    "SELECT * FROM file('{secret}')",
    "SELECT * FROM shipments WHERE lane IN file('{secret}')",
    "DESCRIBE TABLE file('{secret}')",
    "EXPLAIN SELECT * FROM file('{secret}')",
    "SELECT * FROM `{secret}`",
    "DESCRIBE TABLE default.`{secret}`",
    "SELECT 1 INTO OUTFILE '{written}'",
    "SELECT 1 INTO /* hidden */ OUTFILE '{written}' FORMAT CSV",
    "SELECT * FROM sqlite('{written}', 't')",
    "DESCRIBE TABLE url('http://127.0.0.1:1/x')",
    "SELECT * FROM url('http://127.0.0.1:1/x', 'CSV', 'a String')",
    "SELECT * FROM s3('http://127.0.0.1:1/bucket/x', 'CSV', 'a String')",
    "SELECT * FROM remote('127.0.0.1:1', 'system', 'one')",
    "SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "SELECT * FROM executable('ls', 'TSV', 'a String')",
    "SELECT * FROM Python(secret)",
    "SELECT aiGenerate('x')",
]


@pytest.mark.parametrize("sql", REACHES)
def test_what_reaches_outside_the_store_is_refused(door: Gate, sql: str) -> None:
    secret, written = door.folder / "secret.csv", door.folder / "written"
    secret.write_text("treasure,map\n1,2\n")
    answer = door.ask(sql.format(secret=secret, written=written))
    assert answer.status_code == 500, answer.text
    assert "treasure" not in answer.text
    assert not written.exists()


def test_a_parameter_cannot_name_what_is_refused(door: Gate) -> None:
    secret = door.folder / "secret.csv"
    secret.write_text("treasure,map\n1,2\n")
    sql = "SELECT arrayMap({f:Identifier}, [{path:String}])"
    for name in ("file", "`file`", " file "):
        answer = door.ask(sql, param_f=name, param_path=str(secret))
        assert answer.status_code == 500
        assert "treasure" not in answer.text
    assert door.ask("SELECT {word:String}", param_word="file").text == "file\n"
    assert door.ask("SELECT {c:Identifier} FROM shipments LIMIT 1", param_c="id").text == "1\n"


def test_two_statements_are_refused(door: Gate) -> None:
    refused(door.ask("SELECT 1; SELECT 2"), 62)
    refused(door.ask("SELECT 1; DROP TABLE shipments"), 62)
    refused(door.ask("SELECT 1 -- x\n; KILL QUERY WHERE 1"), 62)


# Errors


def test_a_mistake_in_sql_is_answered_in_clickhouses_words(door: Gate) -> None:
    assert "nope" in refused(door.ask("SELECT * FROM nope"), 60)
    assert "no_column" in refused(door.ask("SELECT no_column FROM shipments"), 47)
    syntax = refused(door.ask("SELECT count( FROM shipments"), 62)
    assert "Syntax error" in syntax
    assert "formatQuery" not in syntax
    assert "Empty query" in refused(door.ask(""), 62)
    refused(door.ask("SELECT throwIf(number = 3) FROM numbers(5)"), 395)


def test_an_unknown_format_is_an_error(door: Gate) -> None:
    refused(door.ask("SELECT 1 FORMAT Nope"), 73)
    for name in ("Nope", "ArrowTable", "DataFrame", "DataStore"):
        refused(door.ask("SELECT 1", default_format=name), 73)


def test_a_body_that_is_too_long_is_an_error(door: Gate) -> None:
    assert "Max query size" in refused(door.ask(f"SELECT 1 /* {'x' * 1024 * 1024} */"), 62)


def test_bytes_that_are_no_text_are_refused(door: Gate) -> None:
    refused(requests.post(door.url, data=b"SELECT '\xff'", auth=BASIC, timeout=60), 62)
    assert door.ask("SELECT hex('a\0b')").text == "610062\n"
    assert door.ask(r"SELECT hex('\xFF')").text == "FF\n"
    assert door.ask("SELECT 'Zürich 港 \ufffd'").text == "Zürich 港 \ufffd\n"


# Native, as Grafana's plugin reads it


def native(body: bytes, revision: int) -> list[tuple[str, str, list[object]]]:
    """Decode one Native block of String, UInt8, UInt32 and UInt64 columns."""
    at = 0

    def take(count: int) -> bytes:
        nonlocal at
        at += count
        assert at <= len(body)
        return body[at - count : at]

    def varint() -> int:
        value = shift = 0
        while True:
            byte = take(1)[0]
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    if revision > 0:
        assert take(8) == b"\x01\x00\x02\xff\xff\xff\xff\x00"
    numbers = {"UInt8": "<B", "UInt32": "<I", "UInt64": "<Q"}
    columns: list[tuple[str, str, list[object]]] = []
    width, rows = varint(), varint()
    for _ in range(width):
        name, kind = take(varint()).decode(), take(varint()).decode()
        if revision >= 54454:
            assert take(1) == b"\x00"
        values: list[object] = []
        for _ in range(rows):
            if kind == "String":
                values.append(take(varint()).decode())
            else:
                values.append(struct.unpack(numbers[kind], take(struct.calcsize(numbers[kind])))[0])
        columns.append((name, kind, values))
    assert at == len(body)
    return columns


@pytest.mark.parametrize("revision", [54460, 54453])
def test_the_new_drivers_greeting_is_encoded_at_its_revision(door: Gate, revision: int) -> None:
    answer = door.ask(
        "SELECT displayName(), version(), revision(), timezone()",
        default_format="Native",
        client_protocol_version=str(revision),
    )
    host, version, told, zone = native(answer.content, revision)
    assert (host[0], host[1]) == ("displayName()", "String")
    assert version == ("version()", "String", [door.ask("SELECT version()").text.strip()])
    assert told == ("revision()", "UInt32", [0])
    assert zone == ("timezone()", "String", ["UTC"])


def test_after_the_greeting_blocks_have_revision_0(door: Gate) -> None:
    fields = {"default_format": "Native", "limit": "0", "max_execution_time": "34"}
    answer = door.ask("SELECT id, lane FROM shipments ORDER BY id", client_protocol_version="54460", **fields)
    assert native(answer.content, 0) == [
        ("id", "UInt64", [1, 2]),
        ("lane", "String", ["CNSHA-NLRTM", "NLRTM-DEHAM"]),
    ]
    older = door.ask("SELECT timezone()", **fields)
    assert native(older.content, 0) == [("timezone()", "String", ["UTC"])]
    assert native(door.ask("SELECT 1", **fields).content, 0) == [("1", "UInt8", [1])]


def test_no_rows_are_no_bytes_in_native(door: Gate) -> None:
    answer = door.ask("SELECT id FROM shipments WHERE 0", default_format="Native")
    assert answer.status_code == 200
    assert answer.headers["Content-Length"] == "0"
    assert answer.headers["X-ClickHouse-Format"] == "Native"


# clickhouse-connect over HTTP


def test_clickhouse_connect_reads(client: Client) -> None:
    assert client.ping()
    sql = "SELECT lane FROM shipments WHERE id = {id:UInt64}"
    rows = client.query(sql, parameters={"id": 2}, settings={"max_execution_time": 5}).result_rows
    assert rows == [("NLRTM-DEHAM",)]
    assert client.query("SELECT id FROM shipments WHERE lane = %(lane)s", {"lane": "x"}).result_rows == []
    assert client.query_np("SELECT number FROM numbers(3)").tolist() == [[0], [1], [2]]
    assert client.query_arrow("SELECT lane FROM shipments WHERE id = 1").to_pydict() == {"lane": ["CNSHA-NLRTM"]}
    assert client.query("SELECT id, at FROM shipments LIMIT 0").column_names == ("id", "at")
    assert client.query("SELECT number FROM numbers(50000)").row_count == 50_000


def test_clickhouse_connect_sends_long_parameters_as_a_form(client: Client) -> None:
    text = "a'\\\t\n" * 20_000
    assert client.query("SELECT length({text:String})", {"text": text}).result_rows == [(len(text),)]


def test_clickhouse_connect_cannot_write(client: Client) -> None:
    with pytest.raises(DatabaseError, match="164") as refusal:
        client.insert("events", [[200, "\xff" * 200]], column_names=["id", "name"])
    assert refusal.value.code == 164
    with pytest.raises(DatabaseError, match="164"):
        client.command("DROP TABLE events")
    with pytest.raises(DatabaseError, match="nope"):
        client.query("SELECT * FROM nope")


# Several at once


def test_questions_run_at_the_same_time(door: Gate) -> None:
    slow = "SELECT 'slow', sleepEachRow(1) FROM numbers(3)"
    count = "SELECT count() FROM system.processes WHERE startsWith(query, 'SELECT \\'slow')"
    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(door.ask, slow) for _ in range(2)]
        most = 0
        while most < 2 and not all(one.done() for one in running):
            most = max(most, int(door.ask(count).text))
        assert most == 2
        assert all(one.result().status_code == 200 for one in running)


def test_readers_see_the_history_grow_while_it_is_written(door: Gate) -> None:
    def watch() -> list[int]:
        seen = [0]
        while len(set(seen)) < 4:
            answer = door.ask("SELECT count() FROM events")
            assert answer.status_code == 200, answer.text
            seen.append(int(answer.text))
        return seen

    door.tell("start")
    try:
        with ThreadPoolExecutor(4) as pool:
            watched = [watcher.result() for watcher in [pool.submit(watch) for _ in range(4)]]
    finally:
        door.tell("stop")
        total = door.hear()
    assert door.ask("SELECT count(), uniqExact(id) FROM events").text == f"{total}\t{total}\n"
    for seen in watched:
        assert seen == sorted(seen)
        assert all(rows % BATCH == 0 for rows in seen)  # a batch is seen whole or not at all
