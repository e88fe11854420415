"""What people get wrong: one clear sentence and an exit code each, and what is good goes on."""

# ruff: noqa: S608  # the queries are put together from names of our own
import hashlib
import json
import signal
import socket
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic

from deploy.gate_client import gate_client
from deploy.reference_loading import listed
from deploy.stackfile import require_running
from schemas.mapping.reference import KINDS
from schemas.topics import TOPICS
from streams.administration import create_topics
from tests.brokers import running_tansu
from tests.e2e.recent import correction, movement
from tests.e2e.stack import ROOT, Finished, Stack, await_, new_stack, quayside
from tests.schemas.scms_files import SAMPLE
from tests.streams.told import Told

# The door: lines of NDJSON.


def document(place: str, **said: Any) -> bytes:
    """A received event at this site, with something else said in it."""
    return json.dumps(json.loads(movement("received", 1, 5, site=place).raw) | said).encode()


BAD_LINES: dict[str, tuple[bytes, str, str]] = {
    "cut_off": (document("BAD-1")[:-7], "not_json", "not JSON"),
    "not_utf_8": (document("BAD-2", event_id="Caf\u00e9").replace(b"\\u00e9", b"\xe9"), "not_json", "UTF-8"),
    "an_array": (b'[{"type": "received"}]', "unknown_type", "no `type`"),
    "unknown_type": (document("BAD-3", type="teleported"), "unknown_type", "'teleported' is not known"),
    "type_of_another_kind": (document("BAD-4", type=7), "unknown_type", "no `type`"),
    "wrong_type": (document("BAD-5", retracted="no"), "invalid", 'retracted "no" is wrong'),
    "naive_time": (document("BAD-6", occurred_at="2026-03-01T10:00:00"), "invalid", "has no UTC offset"),
    "unknown_field": (document("BAD-7", colour="blue"), "invalid", "colour is not a field"),
    "negative_quantity": (document("BAD-8", quantity=-1), "invalid", "quantity -1 is wrong"),
    "recorded_in_future": (document("BAD-9", recorded_at="2199-01-01T00:00:00Z"), "recorded_in_future", "clock"),
    "occurred_in_future": (document("BAD-10", occurred_at="2199-01-01T00:00:00Z"), "occurred_in_future", "clock"),
    "too_large": (document("BAD-11", reason="x" * 1_200_000), "too_large", "more than 900000"),
    "large_and_wrong": (document("BAD-12", reason="x" * 800_000), "invalid", "reason"),
}


class Mixed:
    """The published file and what became of it."""

    def __init__(self, stack: Stack, path: Path, lines: list[bytes]) -> None:
        path.write_bytes(b"\r\n".join(lines))
        self.stack = stack
        self.path = path
        self.lines = lines
        self.told = stack.run("publish", path, "--json")
        self.told_again = stack.run("publish", path, "--json")
        sql = f"SELECT origin, cause, reason, hex(SHA256(value)) FROM dead_letters WHERE startsWith(origin, '{path}:')"
        self.letters = {origin: tuple(letter) for origin, *letter in stack.query(sql)}
        """Cause, reason and digest of the bytes, by origin."""

    def number(self, line: bytes) -> int:
        """Where a line stands, from 1."""
        return self.lines.index(line) + 1


@pytest.fixture(scope="module")
def mixed(plain: Stack, tmp_path_factory: pytest.TempPathFactory) -> Mixed:
    """A file with good lines, every sort of bad one, and blank ones, published twice."""
    good = [document("GOOD", event_id=f"good/{number}") for number in range(5)]
    moved = [document("GOOD", event_id="good/0", site="ELSEWHERE")]
    lines = [good[0], *(line for line, _, _ in BAD_LINES.values()), b"", *moved, b"  ", *good[1:]]
    return Mixed(plain, tmp_path_factory.mktemp("mixed") / "mixed.ndjson", lines)


def test_a_file_with_bad_lines_ends_with_1_and_counts_both(mixed: Mixed) -> None:
    assert mixed.told.code == 1, mixed.told
    outcome = mixed.told.last_json()
    assert (outcome["accepted"], outcome["refused"]) == (5, len(BAD_LINES) + 1)
    assert outcome["read"] == outcome["accepted"] + outcome["refused"]


def test_each_refused_line_gets_one_sentence_with_file_and_line(mixed: Mixed) -> None:
    sentences = mixed.told.err.splitlines()
    assert len(sentences) == len(BAD_LINES) + 1
    assert "Traceback" not in mixed.told.err
    for sentence in sentences:
        assert sentence.startswith(f"{mixed.path}:"), sentence
        assert sentence.endswith("."), sentence
        assert len(sentence) < 1_000, sentence


@pytest.mark.parametrize("kind", BAD_LINES)
def test_a_bad_line_is_told_and_kept_with_its_bytes(mixed: Mixed, kind: str) -> None:
    line, cause, words = BAD_LINES[kind]
    origin = f"{mixed.path}:{mixed.number(line)}"
    (sentence,) = [said for said in mixed.told.err.splitlines() if said.startswith(f"{origin}: ")]
    assert words in sentence
    found, reason, digest = mixed.letters[origin]
    assert (found, digest) == (cause, hashlib.sha256(line).hexdigest().upper())
    assert words in reason  # not the very sentence: some tell the time of arrival, and the file came twice


def test_the_good_lines_are_in_the_history_and_in_the_stock(mixed: Mixed) -> None:
    sql = "SELECT uniqExact(event_id), uniqExact(raw) FROM warehouse_events WHERE site = 'GOOD'"
    assert mixed.stack.row(sql) == [5, 5]
    assert mixed.stack.row("SELECT toInt64(on_hand), movements FROM stock_now WHERE site = 'GOOD'") == [25, 5]


def test_nothing_of_a_bad_line_reaches_the_history(mixed: Mixed) -> None:
    sql = "SELECT count() FROM warehouse_events WHERE site LIKE 'BAD-%' OR site = 'ELSEWHERE'"
    assert mixed.stack.row(sql) == [0]


def test_a_correction_that_changes_its_key_is_refused_within_a_file(mixed: Mixed) -> None:
    (sentence,) = [said for said in mixed.told.err.splitlines() if "keeps its key" in said]
    for words in ("'good/0'", "GOOD|acme:4711", "ELSEWHERE|acme:4711", "retract"):
        assert words in sentence


NAME = 'it\'s \\ a "name" -- ; DROP'


@pytest.fixture(scope="module")
def again(mixed: Mixed) -> Finished:
    """A second file: corrections of what the store has from the first one."""
    first = Told("warehouse.events", document("GOOD", event_id="good/1"))
    lines = [
        correction(first, 2, site="THERE").raw,
        correction(first, 3, quantity="7").raw,
        document("QUOTED", event_id=NAME),
    ]
    return mixed.stack.publish(lines)


def test_a_correction_that_changes_its_key_is_refused_against_the_store(again: Finished, plain: Stack) -> None:
    assert (again.code, again.last_json()["accepted"], again.last_json()["refused"]) == (1, 2, 1)
    assert "stdin:1: event 'good/1'" in again.err
    assert "keeps its key" in again.err
    assert plain.query("SELECT site, toInt64(on_hand) FROM stock_now WHERE site IN ('GOOD', 'THERE')") == [["GOOD", 27]]


def test_the_same_bad_lines_again_are_told_again_and_kept_once(mixed: Mixed) -> None:
    assert mixed.told_again.code == 1
    assert [said.split(": ")[0] for said in mixed.told_again.err.splitlines()] == [
        said.split(": ")[0] for said in mixed.told.err.splitlines()
    ]
    sql = f"SELECT count() FROM dead_letters WHERE startsWith(origin, '{mixed.path}:')"
    assert mixed.stack.row(sql) == [len(BAD_LINES) + 1]


def test_quotes_and_backslashes_in_identifiers_reach_the_store_as_they_are(again: Finished, plain: Stack) -> None:
    assert again.code == 1
    assert plain.row("SELECT count(), any(event_id) FROM warehouse_events WHERE site = 'QUOTED'") == [1, NAME]


def test_no_lines_at_all_are_no_mistake(plain: Stack) -> None:
    told = plain.run("publish", "-", "--json", "--no-wait", told=b"\n\n")
    assert told.done()
    assert told.last_json()["read"] == 0


# Files of another kind.


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of files that are not what is wanted."""
    folder = tmp_path_factory.mktemp("files")
    with zipfile.ZipFile(folder / "sheet.xlsx", "w") as sheet:
        sheet.writestr("xl/workbook.xml", "<workbook/>")
    (folder / "noise.bin").write_bytes(bytes(range(256)) * 40)
    (folder / "other.csv").write_text("sku,count\nA,1\nB,2\n")
    (folder / "empty.csv").write_text("")
    (folder / "utf16.ndjson").write_text('{"type": "received"}\n', encoding="utf-16")
    return folder


@pytest.mark.parametrize("name", ["sheet.xlsx", "other.csv", "utf16.ndjson"])
def test_publish_refuses_a_file_that_is_no_ndjson(plain: Stack, files: Path, name: str) -> None:
    sentence = plain.run("publish", files / name).complaint(2)
    assert name in sentence
    assert "NDJSON" in sentence


@pytest.mark.parametrize("name", ["noise.bin", "sheet.xlsx", "other.csv", "empty.csv"])
def test_replay_refuses_a_file_that_is_no_delivery_history(plain: Stack, files: Path, name: str) -> None:
    assert name in plain.run("replay scms", files / name).complaint(2)


@pytest.mark.parametrize(
    ("command", "name"), [("publish", "."), ("publish", "missing"), ("replay scms", "missing.csv")]
)
def test_a_file_that_cannot_be_read_is_named(plain: Stack, files: Path, command: str, name: str) -> None:
    assert str(files / name) in plain.run(command, files / name).complaint(2)


def test_refused_files_leave_no_dead_letters(plain: Stack, files: Path) -> None:
    assert plain.row(f"SELECT count() FROM dead_letters WHERE startsWith(origin, '{files}')") == [0]


# Files of somebody else's shape, and what is known of places and goods.


def test_files_are_published_by_a_mapping_and_reference_data_is_loaded_both_twice_with_one_effect(plain: Stack) -> None:
    examples = ROOT / "docs/examples"
    file, mapping = examples / "purchase-orders.csv", examples / "purchase-orders.map.yaml"
    for options in (["--no-wait"], []):
        told = plain.run("publish", file, "--map", mapping, "--json", *options)
        assert told.code == 1, told
        outcome = told.last_json()
        assert (outcome["accepted"], outcome["refused"], outcome["late"]) == (3, 1, 0)
        assert told.err.startswith(f"{file}:8: quantity: ")
    sql = "SELECT event_id, uniqExact(raw) FROM supplier_events WHERE source = 'erp-berlin' GROUP BY 1 ORDER BY 1"
    assert plain.query(sql) == [[f"order/450000{number}", 1] for number in (1, 2, 3)]
    sql = "SELECT order_id, count() FROM order_lines_now WHERE order_id LIKE '450000_' GROUP BY 1 ORDER BY 1"
    assert plain.query(sql) == [["4500001", 2], ["4500002", 1]]
    sql = f"SELECT cause, value FROM dead_letters WHERE startsWith(origin, '{file}:')"
    assert plain.query(sql) == [["unmapped", file.read_text().splitlines()[7]]]

    changes = []
    for _ in range(2):
        told = plain.run("reference load", examples / "reference.yaml", "--json")
        told.done()
        changes.append(told.last_json()["changed"])
    assert changes == [6, 0]
    with closing(gate_client(require_running(plain.data))) as store:
        described = {kind: listed(store, kind) for kind in KINDS}
    (site,) = [site for site in described["site"] if site["site"] == "BER-DC"]
    assert (site["time_zone"], site["capacity_per_day"], site["country"]) == ("Europe/Berlin", "4000", "DE")
    assert {"lane": "NLRTM>BER-DC", "transit_promise": 36.0} in described["lane"]
    assert {item["item"]: item["reorder_point"] for item in described["item"]}["erp-berlin:4712"] == "25.5"
    assert {source["source"]: source["expected_cadence"] for source in described["source"]}["erp-berlin"] == 24.0


# Queries and wrong usage.


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT nothing FROM shipments_now", "nothing"),
        ("SELEKT 1", "position 8"),
        ("DROP TABLE supplier_events", "DROP"),
        ("", ""),
    ],
)
def test_a_query_that_cannot_be_answered_is_one_sentence(plain: Stack, sql: str, words: str) -> None:
    told = plain.run("query", sql)
    assert told.code == 2, told
    assert "Traceback" not in told.err
    assert told.err.count("\n") == 1
    assert words in told.err


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["up", "--for", "soon"], ["publish"]],
    ids=" ".join,
)
def test_wrong_usage_ends_with_2(arguments: list[str]) -> None:
    told = quayside(*arguments)
    assert told.code == 2, told
    assert "Traceback" not in told.out + told.err


def test_an_interrupted_publish_ends_with_130_and_keeps_what_it_accepted(plain: Stack) -> None:
    process = plain.begin("publish", "-")
    assert process.stdin is not None
    lines = [document("INTERRUPTED", event_id=f"interrupted/{number}") for number in range(2_000)]
    sql = "SELECT uniqExact(event_id) FROM warehouse_events WHERE site = 'INTERRUPTED'"
    try:
        process.stdin.write(b"\n".join(lines))
        process.stdin.flush()
        await_("the first lines are in the history", lambda: plain.row(sql) >= [1_000])
        process.send_signal(signal.SIGINT)
        code = process.wait(timeout=20)
    finally:
        process.kill()
        _, said = process.communicate()
    assert b"Traceback" not in said
    assert code == 130
    assert plain.row(sql) >= [1_000]


def test_what_comes_through_a_pipe_is_published_while_the_pipe_is_open(plain: Stack) -> None:
    process = plain.begin("publish", "-")
    assert process.stdin is not None
    sql = "SELECT count() FROM warehouse_events WHERE site = 'PIPED'"
    try:
        process.stdin.write(document("PIPED") + b"\n")
        process.stdin.flush()
        await_("the line is in the history", lambda: plain.row(sql) == [1], 20)
        process.stdin.close()
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.wait()


# Settings, ports, directories.


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("QUAYSIDE_HORIZON", "soon"),
        ("QUAYSIDE_GATE_PORT", "70000"),
    ],
)
def test_a_wrong_setting_is_named_with_its_value(tmp_path: Path, name: str, value: str) -> None:
    with new_stack(tmp_path / "data", **{name: value}) as stack:
        sentence = stack.run("up").complaint(2)
    assert name in sentence
    assert value in sentence


def test_a_gate_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with new_stack(tmp_path / "data", QUAYSIDE_GATE_PORT=str(port)) as stack:
            sentence = stack.run("up", "--detach").complaint(2)
            assert str(port) in sentence
            assert "QUAYSIDE_GATE_PORT" in sentence
            assert "quayside:" not in sentence
            assert stack.file() is None


@pytest.mark.parametrize(("place", "way"), [("file", []), ("file/below", ["--detach"])], ids=str)
def test_a_data_directory_that_cannot_be_written_is_named(tmp_path: Path, place: str, way: list[str]) -> None:
    (tmp_path / "file").write_text("in the way")
    with new_stack(tmp_path / place) as stack:
        sentence = stack.run("up", *way).complaint(2)
    assert str(tmp_path / place) in sentence
    assert "--data" in sentence
    assert (tmp_path / "file").read_text() == "in the way"


@pytest.mark.parametrize("way", [[], ["--detach"]], ids=["foreground", "detached"])
def test_a_second_stack_on_the_same_directory_is_refused_and_the_first_goes_on(plain: Stack, way: list[str]) -> None:
    before = plain.note()
    sentence = plain.run("up", *way).complaint(2)
    assert "already runs" in sentence
    assert "quayside down" in sentence
    assert plain.pids() == before
    assert plain.status()["ready"]


def test_an_epoch_file_that_holds_no_number_is_named(tmp_path: Path) -> None:
    (tmp_path / "epoch").write_text("zwei")
    with new_stack(tmp_path) as stack:
        assert str(tmp_path / "epoch") in stack.run("up").complaint(2)


@pytest.mark.parametrize(
    "command", [["query", "SELECT 1"], ["status"], ["publish", "-"], ["replay scms", str(SAMPLE)], ["down"]], ids=str
)
def test_without_a_running_stack_a_command_says_how_to_start_one(tmp_path: Path, command: list[str]) -> None:
    sentence = Stack(tmp_path).run(*command).complaint(3)
    assert "quayside up" in sentence
    assert list(tmp_path.iterdir()) == []


def test_a_broker_that_is_not_there_is_named(tmp_path: Path) -> None:
    """All at once, since each waits for the broker for a while."""
    place = "127.0.0.1:1"
    commands = [("up",), ("up", "--detach"), ("topics check",), ("topics create",), ("worker",)]
    with ThreadPoolExecutor() as pool:
        stacks = [Stack(tmp_path / str(number), QUAYSIDE_KAFKA=place) for number in range(len(commands))]
        said = list(pool.map(lambda stack, command: stack.run(*command), stacks, commands))
    for told in said:
        assert place in told.complaint(3)
    for stack in stacks:
        assert stack.file() is None


# Topics.


@pytest.fixture(scope="module")
def wrong_topics(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker with all topics but one, one of them with a wrong number of partitions."""
    with running_tansu(tmp_path_factory.mktemp("topics")) as broker:
        by_name = {topic.name: topic for topic in TOPICS}
        create_topics(broker.address, [topic for topic in TOPICS if topic.name not in {"exceptions", "lead.stats"}])
        with KafkaAdminClient(bootstrap_servers=broker.address) as admin:
            admin.create_topics([NewTopic("lead.stats", by_name["lead.stats"].partitions + 3, 1)])
        yield broker.address


def test_topics_check_names_what_is_missing_or_wrong(wrong_topics: str, tmp_path: Path) -> None:
    told = Stack(tmp_path, QUAYSIDE_KAFKA=wrong_topics).run("topics check")
    assert told.code == 1, told
    assert told.err == ""
    missing, wrong = sorted(told.out.splitlines())
    assert missing.startswith("exceptions is missing")
    assert "quayside topics create" in missing
    assert wrong.startswith("lead.stats has 7 partitions, but 4 are needed")
    as_json = Stack(tmp_path, QUAYSIDE_KAFKA=wrong_topics).run("topics check", "--json")
    assert as_json.code == 1
    assert {finding["topic"] for finding in as_json.last_json()["findings"]} == {"exceptions", "lead.stats"}


def test_a_worker_refuses_topics_that_are_wrong(wrong_topics: str, tmp_path: Path) -> None:
    sentence = Stack(tmp_path, QUAYSIDE_KAFKA=wrong_topics).run("worker").complaint(2)
    assert "lead.stats" in sentence or "exceptions" in sentence


def test_a_stack_refuses_topics_that_are_wrong(wrong_topics: str, tmp_path: Path) -> None:
    with new_stack(tmp_path / "data", QUAYSIDE_KAFKA=wrong_topics) as stack:
        sentence = stack.run("up").complaint(2)
    assert "lead.stats" in sentence
    assert "7 partitions" in sentence


def test_topics_that_were_created_are_as_they_should_be(tansu: str, tmp_path: Path) -> None:
    stack = Stack(tmp_path, QUAYSIDE_KAFKA=tansu)
    stack.run("topics create").done()
    assert "all topics are there" in stack.run("topics create").done()
    assert "as they should be" in stack.run("topics check").done()


# The same at Apache Kafka, which has limits that the embedded broker has not.


@pytest.mark.kafka
def test_large_bad_lines_are_kept_at_apache_kafka_too(own_kafka: str, tmp_path: Path) -> None:
    names = ("too_large", "large_and_wrong", "wrong_type")
    with new_stack(tmp_path / "data", QUAYSIDE_KAFKA=own_kafka) as stack:
        stack.up()
        good = document("GOOD", event_id="good")
        told = stack.publish([*(BAD_LINES[name][0] for name in names), good])
        assert told.code == 1, told
        assert (told.last_json()["accepted"], told.last_json()["refused"]) == (1, 3)
        assert stack.row("SELECT count() FROM dead_letters WHERE startsWith(origin, 'stdin')") == [3]
        stack.down()
        stack.up()
        assert stack.row("SELECT count() FROM warehouse_events WHERE event_id = 'good'") == [1]


@pytest.mark.kafka
def test_a_large_bad_record_in_a_topic_does_not_stop_the_stream(own_kafka: str, tmp_path: Path) -> None:
    """A program that writes to Kafka directly sends one: as a dead letter it must still fit into a record."""
    large = document("LARGE", event_id="large", reason="x" * 880_000)
    good = document("AFTER", event_id="after")
    with new_stack(tmp_path / "data", QUAYSIDE_KAFKA=own_kafka) as stack:
        stack.up()
        with KafkaProducer(bootstrap_servers=own_kafka, max_request_size=1_000_000) as producer:
            for line in (large, good):
                producer.send("warehouse.events", key=b"AFTER|acme:4711", value=line).get(timeout=30)
        sql = "SELECT count() FROM stock_now WHERE site = 'AFTER'"
        await_("the record behind it is processed", lambda: stack.row(sql) == [1], 60)
        stack.settled()
        assert all(process["restarts"] == 0 for process in stack.status()["processes"])
        sql = "SELECT count(), any(hex(SHA256(value))) FROM dead_letters WHERE topic = 'warehouse.events'"
        assert stack.row(sql) == [1, hashlib.sha256(large).hexdigest().upper()]
