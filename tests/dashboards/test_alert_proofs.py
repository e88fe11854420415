"""What the alert rules do when things happen: our provisioning files, our views on the real engine, a stand-in Grafana.

The events go through the agents' own rules (deploy.demo_history.states) into a store in this process; the store's clock
is the real one, that of the evaluations is simulated. Processes that die are in tests/e2e/test_alert_proofs.py.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from dashboards.alerts import AlertSettings
from dashboards.checking import Answer
from dashboards.live.questions import Question, dashboard, statement
from dashboards.names import CONTROL_TOWER_UID
from dashboards.provisioning import GateAddress, write_provisioning
from dashboards.thresholds import shipped
from deploy.dashboard_check import asking
from schemas.coordinates import Mark
from schemas.times import DAY_MS, HOUR_MS, rfc3339
from sinks import epochs
from sinks.embedded import EmbeddedStore
from sinks.migrate import migrate
from sinks.rows import Record
from tests.dashboards.alerting import Refused, wide
from tests.dashboards.notifying import Hook, listening
from tests.dashboards.world import LANE, PAGE, World, left, now_ms, said, wait_past
from tests.schemas.scms_files import SAMPLE, read_bytes
from tests.sinks.watched import forget_all, stop_refreshing

NEWLY: Final = "quayside-newly-late"
TICKET: Final = "quayside-late-shipment"
FRESH: Final = "quayside-data-not-fresh"
LATE_RULES: Final = (PAGE, "quayside-late-by-lane-warning", NEWLY, TICKET)
MINUTE: Final = 60


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    with EmbeddedStore(tmp_path_factory.mktemp("proofs") / "store") as store:
        migrate(store.writer)
        stop_refreshing(store.writer)
        yield store


@pytest.fixture
def hook() -> Iterator[Hook]:
    with listening() as called:
        yield called


@pytest.fixture
def world(opened: EmbeddedStore, hook: Hook, tmp_path: Path) -> Iterator[World]:
    forget_all(opened.writer)
    write_provisioning(tmp_path, GateAddress("127.0.0.1", 1, "reader", "secret"), hook.url, AlertSettings())
    with asking(opened) as ask:
        yield World(opened, ask, tmp_path)


def test_a_shipment_that_becomes_late_by_time_alone_is_on_dashboard_board_and_page(world: World, hook: Hook) -> None:
    lead_ms, due = 2_000, 0
    while now_ms() >= due:  # on a slow machine the promise is over before it was seen that it is not: another one
        lead_ms *= 2
        due = now_ms() + lead_ms
        world.tell(left("S1", due), left("S2", now_ms() + HOUR_MS, lane="OTHER>LANE"))
        world.grafana = world.grafana_of(PAGE)
        world.watch(15)
        before = (world.figure("late_now"), world.firing(), [*hook.calls])
        hook.calls.clear()
    assert before == (0, [], [])
    wait_past(due)
    broken = world.clock
    world.watch(MINUTE)

    assert world.figure("late_now") == 1
    asked = Question(
        CONTROL_TOWER_UID, "panel", _panel("Late now"), now_ms() - DAY_MS, now_ms(), chosen={"lane": (LANE,)}
    )
    assert [int(value) for (value,) in world.ask(statement(asked)).rows] == [1]
    assert [name for (name,) in world.ask("SELECT shipment_id FROM late_shipments").rows] == ["S1"]
    assert world.firing() == [LANE]
    (alert,) = hook.alerts(alertname="late shipments by lane")
    assert alert["labels"]["lane"] == LANE
    assert alert["annotations"]["summary"] == f"1 late on {LANE}, not acknowledged"
    assert world.grafana.notifier.posted[0][0] - broken < MINUTE


def test_delivered_it_goes_away(world: World, hook: Hook) -> None:
    world.tell(left("S1", now_ms() - HOUR_MS))
    world.watch(MINUTE)
    assert world.firing() == [LANE]
    world.tell(said("S1", "delivered", now_ms()))
    assert world.figure("late_now") == 0
    world.watch(30)
    assert hook.alerts("resolved", severity="page") == []  # no flapping: it is kept for a minute
    world.watch(MINUTE)
    assert world.firing() == []
    assert [one["labels"]["lane"] for one in hook.alerts("resolved", severity="page")] == [LANE]
    assert world.ask("SELECT toUInt8(sum(delivered_late)) FROM shipments_now").rows == [[1]]


def test_corrected_it_is_as_if_it_had_never_been_late(world: World, hook: Hook) -> None:
    world.grafana = world.grafana_of(*LATE_RULES)
    world.tell(left("S1", now_ms() - HOUR_MS))
    world.watch(MINUTE)
    later = now_ms() + HOUR_MS
    world.tell(said("S1", "departed", now_ms() - HOUR_MS, promised_at=rfc3339(later), recorded_at=rfc3339(now_ms())))
    world.watch(2 * MINUTE)

    assert [world.firing(uid) for uid in LATE_RULES] == [[], [], [], []]
    assert world.figure("late_now") == 0
    assert len(hook.alerts("resolved", severity="page")) == 1
    assert world.ask("SELECT shipment_id FROM shipments_now WHERE late_now OR delivered_late").rows == []
    assert world.ask("SELECT entity FROM exceptions_open WHERE kind = 'late_delivery'").rows == []


def test_five_thousand_late_shipments_over_twenty_lanes_are_twenty_pages_and_a_21st_lane_is_one_more(
    world: World, hook: Hook
) -> None:
    world.grafana = world.grafana_of(PAGE, TICKET)
    lanes = [f"FROM{number:02}>TO" for number in range(20)]
    world.tell(*(left(f"S{at}", now_ms() - HOUR_MS, lane=lanes[at % 20]) for at in range(5_000)))
    world.watch(2 * MINUTE)
    assert world.figure("late_now") == 5_000
    assert world.firing() == lanes
    pages = hook.alerts(alertname="late shipments by lane")
    assert Counter(one["labels"]["lane"] for one in pages) == dict.fromkeys(lanes, 1)
    assert {one["annotations"]["summary"].split()[0] for one in pages} == {"250"}
    assert len(world.firing(TICKET)) == shipped().late_shipment.at_most
    due = now_ms() + 1_000
    world.tell(left("X", due, lane="AA>BB"))
    wait_past(due)
    broken = world.clock
    world.watch(MINUTE)

    (page,) = [one for one in hook.alerts(alertname="late shipments by lane") if one["labels"]["lane"] == "AA>BB"]
    assert page["status"] == "firing"
    (at,) = [at for at, body in world.grafana.notifier.posted if body["groupLabels"].get("lane") == "AA>BB"][:1]
    assert at - broken < MINUTE
    assert len(hook.alerts(alertname="late shipments by lane")) == 21  # nobody is paged again for the others


def test_a_dead_worker_does_not_silence_the_page(world: World, hook: Hook) -> None:
    due = now_ms() + 1_200
    world.tell(left("S1", due))
    world.is_worker_alive = False
    wait_past(due)
    world.tell(said("OTHER", "departed", now_ms()))
    world.watch(MINUTE)

    assert [one["labels"]["lane"] for one in hook.alerts(alertname="late shipments by lane")] == [LANE]


@pytest.mark.parametrize("how", ["old events", "no events at all", "no answer"])
def test_a_dead_pipeline_raises_the_alert_on_freshness(world: World, hook: Hook, how: str) -> None:
    world.grafana = world.grafana_of(PAGE, FRESH)
    if how == "old events":
        world.tell(left("S1", now_ms() + HOUR_MS, arrived=now_ms() - 20 * MINUTE * 1000))
    if how == "no answer":
        world.tell(left("S1", now_ms() + HOUR_MS))
        world.watch(MINUTE)
        world.is_gate_up = False
    world.watch(2 * MINUTE)

    (alert, *_) = hook.alerts(alertname="data not fresh")
    assert alert["labels"]["severity"] == "page"
    assert {one["labels"]["alertname"] for one in hook.alerts()} == {"data not fresh"}


def test_while_data_comes_the_alert_on_freshness_is_quiet(world: World, hook: Hook) -> None:
    world.grafana = world.grafana_of(FRESH)
    world.tell(left("S1", now_ms() + HOUR_MS))
    world.watch(3 * MINUTE)
    assert hook.alerts() == []


def test_a_restart_of_the_store_pages_nobody_and_ends_no_page(world: World, hook: Hook) -> None:
    world.tell(left("S1", now_ms() - HOUR_MS))
    world.grafana = world.grafana_of(PAGE, FRESH)
    world.watch(MINUTE)
    before = len(hook.calls)
    world.is_gate_up = False
    world.watch(45)
    world.is_gate_up = True
    world.watch(MINUTE)

    assert len(hook.calls) == before
    assert world.firing() == [LANE]


def test_a_backlog_pages_nobody_for_what_was_delivered_in_it(world: World, hook: Hook) -> None:
    """The whole stack was away for an hour; what was published meanwhile waits in Kafka."""
    now = now_ms()
    world.tell(
        left("KEPT", now - HOUR_MS // 2, arrived=now - 5 * HOUR_MS),
        left("BROKEN", now - HOUR_MS // 2, lane="AA>BB", arrived=now - 5 * HOUR_MS),
        left("BEFORE", now - 2 * HOUR_MS, lane="LONG>LATE", arrived=now - 5 * HOUR_MS),
    )
    world.past_the_half_minute()
    # Up again, an hour after. First comes what was said an hour ago; that KEPT arrived comes later.
    world.tell(said("OTHER", "departed", now - HOUR_MS, lane="QUIET>ONE", arrived=now - HOUR_MS + 1000))
    world.watch(MINUTE)
    assert world.ask("SELECT shipment_id, reason FROM late_withheld ORDER BY 1").rows == [
        ["BROKEN", "backlog"],
        ["KEPT", "backlog"],
    ]
    assert world.firing() == ["LONG>LATE"]
    world.tell(said("KEPT", "delivered", now - 40 * 60_000, arrived=now - 40 * 60_000))
    world.watch(MINUTE)
    assert world.firing() == ["LONG>LATE"]
    world.past_the_half_minute()  # nothing more is read
    world.watch(MINUTE)
    assert world.firing() == ["AA>BB", "LONG>LATE"]
    assert LANE not in {one["labels"].get("lane") for one in hook.alerts()}


def test_while_the_states_are_made_anew_nobody_is_paged_for_what_may_have_arrived(world: World) -> None:
    now = now_ms()
    world.tell(
        left("BROKEN", now - HOUR_MS, lane="AA>BB", arrived=now - 5 * HOUR_MS),
        left("BEFORE", now - 9 * HOUR_MS, lane="LONG>LATE", arrived=now - 5 * HOUR_MS),
        left("COME", now - 9 * HOUR_MS, lane=LANE, arrived=now - 5 * HOUR_MS),
    )
    world.is_worker_alive = False
    world.tell(said("COME", "delivered", now - 10 * HOUR_MS, arrived=now - 4 * HOUR_MS))
    world.past_the_half_minute()
    epoch = epochs.begin(world.store.writer)
    world.watch(20)
    assert world.firing() == ["LONG>LATE"]
    world.store.writer.command(
        f"ALTER TABLE epochs UPDATE started_at = started_at - INTERVAL 11 MINUTE WHERE epoch = {epoch} "
        "SETTINGS mutations_sync = 2"
    )
    world.watch(20)
    assert world.firing() == ["AA>BB", "LONG>LATE", LANE]  # a rebuild that never ends silences nothing


def test_a_load_of_history_pages_nobody_while_it_lasts_but_what_happens_meanwhile_does(
    world: World, hook: Hook
) -> None:
    world.grafana = world.grafana_of(PAGE, NEWLY)
    due = now_ms() + 2_000
    world.tell(left("LIVE", due, lane="LIVE>LANE"))
    # Deliveries of years ago: first all that left, then all that arrived, but for one. As loads do, in two partitions.
    old = [left(f"H{at}", now_ms() - (at + 300) * DAY_MS, lane="OLD>LANE") for at in range(40)]
    begin = Mark(begins=True, load="backlog-1").header()
    end = Mark(begins=False, load="backlog-1").header()
    world.tell(*(one._replace(headers=(begin,) if at < 2 else (), partition=at % 2) for at, one in enumerate(old)))
    assert world.late("OLD>LANE") == 40
    wait_past(due)
    world.watch(2 * MINUTE)
    assert world.firing() == ["LIVE>LANE"]
    assert {one["labels"]["lane"] for one in hook.alerts()} == {"LIVE>LANE"}

    come = [said(f"H{at}", "delivered", now_ms() - (at + 301) * DAY_MS, lane="OLD>LANE") for at in range(1, 40)]
    world.tell(*(one._replace(headers=(end,) if at > 36 else (), partition=at % 2) for at, one in enumerate(come)))
    assert world.late("OLD>LANE") == 1
    world.watch(MINUTE)
    assert world.firing() == ["LIVE>LANE"]  # for half a minute more: the last ones may not be worked out yet
    world.past_the_half_minute()
    world.watch(MINUTE)
    assert world.firing() == ["LIVE>LANE", "OLD>LANE"]  # the load is over: what it left open is late
    assert world.firing(NEWLY) == []


def test_a_load_that_nobody_ends_counts_as_ended_after_a_day(world: World) -> None:
    yesterday = now_ms() - DAY_MS - HOUR_MS
    begin = Mark(begins=True, load="gone").header()
    world.tell(left("H1", now_ms() - 9 * DAY_MS, arrived=yesterday)._replace(headers=(begin,)))
    world.past_the_half_minute()
    world.watch(MINUTE)
    assert world.firing() == [LANE]


def test_the_scms_replay_pages_nobody(world: World, hook: Hook) -> None:
    world.grafana = world.grafana_of(*LATE_RULES)
    told = read_bytes(SAMPLE.read_bytes()).events
    # In the worst order: every promise of the whole file comes before the first delivery.
    told = tuple(sorted(told, key=lambda event: b'"classifier":"actual"' in event[2]))
    records = [Record(1, topic, 0, 0, now_ms(), key.encode(), raw) for topic, key, raw in told]
    records[0] = records[0]._replace(headers=(Mark(begins=True, load="scms").header(),))
    records[-1] = records[-1]._replace(headers=(Mark(begins=False, load="scms").header(),))
    late = []
    for start in range(0, len(records), 200):
        world.tell(*records[start : start + 200])
        late.append(world.figure("late_now"))
        world.watch(10)
    world.past_the_half_minute()
    world.watch(20)

    assert max(late) > 100
    assert world.figure("late_now") == 0
    assert hook.calls == []


def _panel(title: str) -> str:
    (found,) = [panel for panel in dashboard(CONTROL_TOWER_UID)["panels"] if panel["title"] == title]
    return str(found["id"])


@pytest.mark.parametrize(
    ("columns", "rows", "complaint"),
    [
        ({"lane": "String", "at": "DateTime64(3, 'UTC')", "late": "Float64"}, [], "must be a wide series"),
        ({"lane": "String"}, [["A"]], "must be a wide series"),
        ({"lane": "String", "late": "Float64"}, [["A", 1.0], ["A", 2.0]], "duplicate results"),
    ],
)
def test_the_stand_in_fails_what_grafana_would_fail(
    columns: dict[str, str], rows: list[list[Any]], complaint: str
) -> None:
    with pytest.raises(Refused, match=complaint):
        wide(Answer(columns, rows))
