import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploy.bench import door, report, restart, suite
from deploy.bench.apache_kafka import NoKafka, jars
from deploy.bench.contenders import CONTENDERS, Contender, Place
from deploy.bench.door_load import DoorFailed, Heard, Task, send
from deploy.bench.figures import Run, contender, delays, percentile, ratios, spread
from deploy.bench.keeping import NotFetched, made_once
from deploy.bench.latency import Probes
from deploy.bench.mix import TOPICS, mix, stock_keys
from schemas.errors import WrongInput
from schemas.times import DAY_MS, to_ms
from schemas.wire import Rejection, read
from tests.e2e.stack import environment

NOW = 1_780_000_000_000


def test_a_median_stands_between_the_least_and_the_most() -> None:
    told = spread([3.0, 1.0, 2.0])
    assert (told.median, told.least, told.most) == (2.0, 1.0, 3.0)
    assert spread([1.0, 2.0]).median == 1.5


def test_rates_are_of_wall_and_of_cpu_time() -> None:
    run = Run(events=1_000, seconds=4.0, cpu_seconds=2.0, changelog_bytes=50_000, complete=True)
    assert (run.rate, run.cpu_rate) == (250.0, 500.0)
    assert replace(run, cpu_seconds=None).cpu_rate is None


def test_a_contender_is_told_by_the_median_of_its_rounds() -> None:
    runs = [
        Run(1_000, seconds, 1.0, 20_000, complete) for seconds, complete in ((1.0, True), (4.0, True), (2.0, False))
    ]
    told = contender(runs)
    assert (told["events_per_s"], told["least"], told["most"]) == (500, 250, 1_000)
    assert told["seconds"] == 2.0
    assert told["events_per_cpu_s"] == 1_000
    assert told["changelog_bytes_per_event"] == 20.0
    assert told["complete"] is False
    assert [one["seconds"] for one in told["rounds"]] == [1.0, 4.0, 2.0]


def test_ratios_are_ours_divided_by_theirs() -> None:
    rates = {"quayside": {"events_per_s": 300}, "faust": {"events_per_s": 2}, "quix": {"events_per_s": 400}}
    assert ratios("quayside", rates) == {"faust": 150.0, "quix": 0.75}
    assert ratios("quayside", {"faust": {"events_per_s": 2}}) == {}


def test_percentiles_are_values_that_occurred() -> None:
    values = [float(number) for number in range(100, 0, -1)]
    assert (percentile(values, 0.5), percentile(values, 0.99), percentile(values, 1.0)) == (50.0, 99.0, 100.0)
    assert percentile([7.0], 0.5) == 7.0


def test_delays_are_told_in_ms() -> None:
    assert delays([0.1, 0.2, 0.3]) == {"count": 3, "p50_ms": 200.0, "p99_ms": 300.0, "most_ms": 300.0}
    assert delays([]) == {"count": 0, "p50_ms": None, "p99_ms": None, "most_ms": None}


def test_a_probe_counts_when_it_is_first_seen_and_missing_ones_are_told() -> None:
    probes = Probes("SITE", published={"a": 1.0, "b": 2.0})
    for now in (1.5, 9.0):
        probes.see("view_record", "a", now)
    told = probes.delays()["view_record"]
    assert (told["count"], told["most_ms"], told["unseen"]) == (1, 500.0, 1)
    assert not probes.are_all_seen()


def test_a_door_is_told_by_what_it_took_and_by_what_that_cost() -> None:
    told = door.batches(1_000, Heard(0.5, [0.02, 0.04]), door.Spent(0.045, 0.02))
    assert (told["events_per_s"], told["cpu_us_per_event"], told["store_cpu_us_per_event"]) == (2_000, 45.0, 20.0)
    assert (told["count"], told["p50_ms"], told["most_ms"]) == (2, 20.0, 40.0)
    one = door.singles(500, Heard(1.0, [0.001, 0.002]), door.Spent(None, None))
    assert (one["rate"], one["p99_ms"], one["cpu_us_per_event"]) == (500, 2.0, None)


def test_the_gateway_stands_beside_the_bare_endpoint() -> None:
    ours, bare = (
        door.batches(1_000, Heard(seconds, [0.1]), door.Spent(cpu, 0.0))
        | {"unchecked": None, "single": door.singles(500, Heard(1.0, [p99]), door.Spent(cpu, 0.0))}
        for seconds, cpu, p99 in ((0.5, 0.04, 0.02), (0.25, 0.02, 0.01))
    )
    told = door.summary(1_000, {"servers": ours, "bare": bare})
    assert (told["events_per_s"], told["bare_events_per_s"], told["ratio"]) == (2_000, 4_000, 0.5)
    assert (told["cpu_us_per_event"], told["bare_cpu_us_per_event"]) == (40.0, 20.0)
    assert (told["single"]["p99_ms"], told["single"]["bare_p99_ms"]) == (20.0, 10.0)
    told |= {"at": "2026-11-22T10:00:00.000Z", "batch": 100, "connections": 8}
    assert "2,000" in report.as_text({"door": told})


async def _answers(delay: float, answer: bytes) -> AsyncIterator[tuple[int, list[int]]]:
    """A server that answers every request the same way, `delay` after all of it is there: its port, bodies' sizes."""
    sizes: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
                await reader.readexactly(size)
                sizes.append(size)
                await asyncio.sleep(delay)
                writer.write(answer[:10])
                await writer.drain()
                writer.write(answer[10:])
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], sizes
    finally:
        server.close()


_TAKEN = b"HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\n{}"


@pytest.mark.parametrize(("batch", "rate", "requests"), [(3, 0.0, 4), (1, 2_000.0, 10)])
async def test_a_load_sends_every_event_once(batch: int, rate: float, requests: int) -> None:
    async with contextlib.asynccontextmanager(_answers)(0.0, _TAKEN) as (port, sizes):
        heard = await send(Task(port, "x", "", 0, 10, batch, 2, rate), [b'"%d"' % number for number in range(10)])
    assert len(heard.requests) == len(sizes) == requests
    commas = 10 - requests
    assert sum(sizes) == 10 * 3 + commas + requests * 2
    assert sum(heard.requests) > 0


async def test_who_waits_for_a_connection_waits_from_the_moment_it_was_due() -> None:
    """Five requests are due at once; with one connection the last waits for the four before it."""
    async with contextlib.asynccontextmanager(_answers)(0.05, _TAKEN) as (port, _):
        heard = await send(Task(port, "x", "", 0, 5, 1, 1, 1e9), [b"1"] * 5)
    assert heard.requests == sorted(heard.requests)
    assert heard.requests[-1] >= 5 * 0.05


@pytest.mark.parametrize("rate", [0.0, 1_000.0])
async def test_a_load_ends_with_the_first_answer_that_is_no_202(rate: float) -> None:
    refused = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n"
    async with contextlib.asynccontextmanager(_answers)(0.0, refused) as (port, _):
        with pytest.raises(DoorFailed, match="401"):
            await send(Task(port, "x", "", 0, 3, 1, 1, rate), [b"1"] * 3)


def test_the_mix_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    told = mix(2_000, 1, NOW)
    assert told == mix(2_000, 1, NOW)
    assert told != mix(2_000, 2, NOW)
    assert {one.topic for one in told} == set(TOPICS)


def test_every_event_of_the_mix_is_readable_recent_and_under_its_own_key() -> None:
    told = mix(20_000, 1, NOW)
    assert len(told) == 20_000
    assert stock_keys(told) == 4 * 144  # four networks
    for one in told:
        event = read(one.topic, one.value, NOW)
        assert not isinstance(event, Rejection), event
        assert one.key.decode() == event.entity_key()
        assert to_ms(event.recorded_at) <= NOW
        if getattr(event, "classifier", "actual") == "actual":
            assert NOW - 2 * DAY_MS <= to_ms(event.occurred_at) <= NOW


def test_mixes_of_other_networks_tell_of_other_events() -> None:
    def identities(first: int) -> set[tuple[str, str]]:
        events = [read(one.topic, one.value, NOW) for one in mix(2_000, 1, NOW, first)]
        return {(event.source, event.event_id) for event in events if not isinstance(event, Rejection)}

    assert identities(0).isdisjoint(identities(35))


def test_a_half_made_folder_is_not_taken_for_a_whole_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.bench.keeping.KEPT", tmp_path)
    source = tmp_path / "source"
    source.write_text("1")

    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise NotFetched("no network.")

    with pytest.raises(NotFetched):
        made_once("kind", [source], fail)
    made = made_once("kind", [source], lambda folder: (folder / "whole").touch())
    assert [path.name for path in made.iterdir()] == ["whole"]
    assert made_once("kind", [source], fail) == made
    source.write_text("2")
    with pytest.raises(NotFetched):
        made_once("kind", [source], fail)


@pytest.mark.parametrize("only", ["nonsense", "quayside,nonsense", ",", ""])
def test_only_refuses_what_cannot_be_measured(only: str) -> None:
    with pytest.raises(WrongInput, match="choose from quayside, faust"):
        suite.plan_of(1_000, 1, only, skip_java=False, facts=1_000, seconds=1)


def test_without_java_it_says_so_in_one_sentence(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "deploy.command.main", "bench", "--only", "memory"],
        env=environment() | {"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 3, ended
    assert ended.stderr == (
        "quayside: Apache Kafka needs `java` (17 or newer) on the PATH, and there is none: install it.\n"
    )


def test_the_page_gets_the_figures_between_its_marks_and_keeps_other_parts(tmp_path: Path) -> None:
    page, figures = tmp_path / "benchmarks.md", tmp_path / "benchmarks.json"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    machine = {"cores": 2, "memory_gib": 8.0, "system": "Linux", "python": "3.11.0", "kafka": "4.1.0"}
    memory = {"at": "2026-11-22T10:00:00.000Z", "facts": 1_000_000, "entities": 5, "bytes_per_fact": 432}
    report.write_page({"machine": machine, "memory": memory}, page, figures)
    recovery = memory | {"seconds": 3.5, "facts_per_s": 285_714, "changelog_bytes_per_fact": 130.0}
    report.write_page({"machine": machine, "recovery": recovery}, page, figures)
    text = page.read_text()
    assert text.startswith(f"before\n{report.BEGIN}\n2 cores, 8 GiB")
    assert text.endswith(f"{report.END}\nafter\n")
    assert "| 432 |" in text
    assert "| 3.50 | 285,714 | 130 |" in text
    assert "old" not in text
    assert json.loads(figures.read_text()).keys() == {"machine", "memory", "recovery"}


def test_the_page_tells_how_many_answers_were_over_the_target_and_which_were_slowest(tmp_path: Path) -> None:
    page, figures = tmp_path / "benchmarks.md", tmp_path / "benchmarks.json"
    page.write_text(f"{report.BEGIN}\n{report.END}\n")
    machine = {"cores": 2, "memory_gib": 8.0, "system": "Linux", "python": "3.11.0", "kafka": "4.1.0"}
    quick, slow = ({"cold_ms": 9.0, "median_ms": ms, "p95_ms": ms} for ms in (100.0, 1_500.0))
    told = {"at": "2026-11-22T10:00:00.000Z", "events": 50_000_000, "runs": 20}
    answers = {"merged": {"a": quick, "b": quick}, "unmerged": {"a": quick, "b": slow}}
    report.write_page({"machine": machine, "history": told | answers}, page, figures)
    text = page.read_text()
    assert "50,000,000 events" in text
    assert "p95 above 300 ms: 0 of them merged, 1 unmerged" in text
    assert text.index("| b | 9 | 100 | 100 | 9 | 1,500 | 1,500 |") < text.index("| a |")


def test_a_page_without_marks_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    with pytest.raises(WrongInput, match="is not there"):
        report.write_page({}, page, tmp_path / "figures.json")
    page.write_text("no marks\n")
    with pytest.raises(WrongInput, match="lost the marks"):
        report.write_page({}, page, tmp_path / "figures.json")
    assert page.read_text() == "no marks\n"


def test_the_projects_page_has_the_marks_and_names_all_contenders() -> None:
    text = report.PAGE.read_text()
    assert text.index(report.BEGIN) < text.index(report.END)
    for one in CONTENDERS:
        assert f"`{one.name}`" in text


def _unobtainable(_: Place) -> list[str]:
    raise NotFetched("It cannot be had.")


@pytest.mark.kafka
def test_a_small_bench_measures_everything_and_goes_on_past_peers_that_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """All parts but Quix Streams and Kafka Streams, whose programs no other test fetches."""
    try:
        jars()
    except NoKafka as reason:
        pytest.skip(f"NOT TESTED AGAINST APACHE KAFKA: {reason}")
    fetched = {"quix", "kafka-streams", "kafka-streams-exactly-once"}
    here = [one for one in CONTENDERS if one.name not in fetched]
    missing = Contender("missing", "", _unobtainable)
    broken = Contender("broken", "", lambda _: [sys.executable, "-c", "raise SystemExit('it broke')"])
    java = Contender("java", "", _unobtainable, java=True)
    monkeypatch.setattr(suite, "CONTENDERS", (missing, broken, java, *here))
    said: list[str] = []
    names = frozenset({"missing", "broken", "java", *(one.name for one in here), *suite.PARTS})
    plan = suite.Plan(
        2_000, 1, names, skip_java=True, facts=3_000, rates=(100,), seconds=2.0, door_events=2_000, door_seconds=0.2
    )
    result = suite.run(plan, suite.News(lambda _: None, said.append))

    throughput = result["throughput"]
    assert throughput["contenders"].keys() == {one.name for one in here}
    for name, told in throughput["contenders"].items():
        assert told["complete"], name
        assert [run["events"] for run in told["rounds"]] == [2_000], name
        assert told["events_per_s"] > 0, name
        assert (told["changelog_bytes_per_event"] > 0) == (name in {"quayside", "faust"}), name
    assert throughput["ratios"].keys() == throughput["contenders"].keys() - {"quayside"}
    assert throughput["skipped"]["missing"] == "It cannot be had."
    assert "it broke" in throughput["skipped"]["broken"]
    assert throughput["skipped"]["java"] == "left out by --skip-java."
    assert [sentence.partition(":")[0] for sentence in said] == ["missing", "broken"]

    assert result["recovery"]["facts"] == 3_000
    assert result["recovery"]["seconds"] > 0
    assert result["memory"]["facts"] == 3_000
    (rate,) = result["latency"]["rates"]
    assert rate["events"] == 200
    assert rate["probes"] > 0
    for stage in ("view_record", "event_row", "view_row"):
        assert rate[stage]["unseen"] == 0, rate
        assert 0 < rate[stage]["p50_ms"] <= rate[stage]["p99_ms"] <= rate[stage]["most_ms"], rate

    told = result["door"]
    assert told["doors"].keys() == set(door.DOORS)
    for name, one in told["doors"].items():
        assert (one["count"], one["single"]["count"]) == (20, 100), name
        assert one["events_per_s"] > 0, name
        assert 0 < one["single"]["p50_ms"] <= one["single"]["p99_ms"] <= one["single"]["most_ms"], name
    assert told["single"]["rate"] == door.RATE

    page = report.PAGE.read_text()
    assert json.loads(json.dumps(result)) == result
    assert {key for key in _keys(result) if f"`{key}`" not in page} <= {"missing", "broken", "java"}
    assert "quayside (our worker" in report.as_text(result)


def _keys(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for key, value in part.items():
            yield key
            yield from _keys(value)
    elif isinstance(part, list):
        for value in part:
            yield from _keys(value)


def test_a_restart_is_told_with_its_audit() -> None:
    audit = {"seconds": 12.5, "compared": 1_234, "differences": 0, "late": 3, "coordinates_missing": 0}
    told = {"at": "2026-11-22T10:00:00.000Z", "events": 5_000, "ready_s": 21.3, "cpu_s": {"worker": 9.5, "store": None}}
    text = report.as_text({"restart": told | {"audit": audit}})
    for said in ("5,000 events", "1,234 figures", "21.3", "12.5", "CPU s, worker", "9.5", "not told"):
        assert said in text


@pytest.mark.slow
@pytest.mark.tansu
def test_a_killed_stack_is_timed_until_it_is_back_with_every_figure(tmp_path: Path) -> None:
    told = restart.run(2_000, print, tmp_path)
    assert told["audit"]["compared"] > 100
    assert (told["audit"]["differences"], told["audit"]["coordinates_missing"]) == (0, 0)
    assert {"broker", "store", "worker", "gateway"} <= told["cpu_s"].keys()
    assert told["ready_s"] > 0
