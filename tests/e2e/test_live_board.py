"""The live board in a real browser: every dashboard opens, and the figures on the screen are those of the events."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from dashboards.live.questions import dashboards
from dashboards.names import CONTROL_TOWER_UID, SHIPMENTS_UID
from tests.browser import NoBrowser, Page, opened
from tests.e2e.stack import Stack, running_stack

if TYPE_CHECKING:
    from subprocess import Popen

NOW: Final = datetime.now(UTC)
LANES: Final = {"HAM>CPH": 3, "SZX>MIL": 2, "OPO>BER": 1}
"""How many shipments of each lane are late."""


def name(lane: str, number: int) -> str:
    return f"{lane.replace('>', '-')}-{number}"


def said(shipment_id: str, milestone: str, classifier: str, lane: str, hours: float, **more: Any) -> bytes:
    origin, _, destination = lane.partition(">")
    when = (NOW + timedelta(hours=hours)).isoformat()
    event = {
        "event_id": f"{shipment_id}/{milestone}/{classifier}",
        "source": "carrier",
        "type": "milestone",
        "occurred_at": when,
        "recorded_at": (NOW - timedelta(hours=40)).isoformat(),
        "shipment_id": shipment_id,
        "milestone": milestone,
        "classifier": classifier,
        "origin": origin,
        "destination": destination,
        "carrier": "BLUE",
    }
    return json.dumps(event | more).encode()


def shipment(shipment_id: str, lane: str, due: float) -> list[bytes]:
    """A shipment that has left and is promised so many hours from now."""
    promised = (NOW + timedelta(hours=due)).isoformat()
    return [said(shipment_id, "departed", "actual", lane, -40, promised_at=promised)]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("board") / "data") as running:
        lines = [
            line
            for lane, count in LANES.items()
            for number in range(count + 1)
            for line in shipment(name(lane, number), lane, -5.0 if number < count else 50.0)
        ]
        running.publish(lines).done()
        yield running


@pytest.fixture(scope="module")
def address(stack: Stack) -> Iterator[str]:
    process: Popen[bytes] = stack.begin("board")
    assert process.stdout is not None
    told = process.stdout.readline().decode().strip()
    assert told.startswith("http://127.0.0.1:"), told
    yield told
    process.terminate()
    assert process.wait(10) == 0


def looked(address: str, path: str, folder: Path) -> Page:
    try:
        return opened(f"{address}{path}", folder)
    except NoBrowser as reason:
        pytest.skip(f"NOT TESTED IN A BROWSER: {reason}")


@pytest.mark.parametrize("uid", sorted(dashboards()))
def test_every_dashboard_opens_without_an_error(address: str, tmp_path: Path, uid: str) -> None:
    page = looked(address, f"/d/{uid}", tmp_path)
    assert page.failed == 0, page
    assert [title for title, panel in page.panels.items() if panel.odd] == []
    drawn = [panel["title"] for panel in dashboards()[uid]["panels"] if panel["type"] != "row"]
    assert sorted(page.titles) == sorted(drawn)
    assert all(panel.words.strip() for panel in page.panels.values())


def test_the_figures_on_the_screen_are_those_of_the_events(address: str, tmp_path: Path) -> None:
    page = looked(address, f"/d/{CONTROL_TOWER_UID}", tmp_path)
    assert page.panels["Late now"].values == (str(sum(LANES.values())),)
    bars = page.panels["Late by lane"]
    assert bars.values == tuple(str(count) for count in sorted(LANES.values(), reverse=True))
    assert all(lane in bars.words for lane in LANES)


def test_a_choice_in_the_address_narrows_what_is_shown_and_a_lane_leads_to_its_shipments(
    address: str, tmp_path: Path
) -> None:
    page = looked(address, f"/d/{SHIPMENTS_UID}?var-lane=SZX%3EMIL", tmp_path)
    assert page.panels["Late now"].values == ("2",)
    tower = looked(address, f"/d/{CONTROL_TOWER_UID}?from=now-7d&to=now", tmp_path)
    found = [link for link in tower.links if "var-lane=SZX%3EMIL" in link]
    assert found
    assert "from=now-7d" in found[0]
    assert looked(address, found[0], tmp_path).panels["Late now"].values == ("2",)


def test_delivered_it_goes_away_and_corrected_it_is_as_if_it_had_never_been_late(
    stack: Stack, address: str, tmp_path: Path
) -> None:
    assert looked(address, f"/d/{CONTROL_TOWER_UID}", tmp_path).panels["Late now"].values == ("6",)
    stack.publish([said(name("HAM>CPH", 0), "delivered", "actual", "HAM>CPH", -1)]).done()
    assert looked(address, f"/d/{CONTROL_TOWER_UID}", tmp_path).panels["Late now"].values == ("5",)
    promised = (NOW + timedelta(hours=9)).isoformat()
    corrected = said(name("HAM>CPH", 1), "departed", "actual", "HAM>CPH", -40, promised_at=promised)
    event = json.loads(corrected) | {"recorded_at": (NOW - timedelta(hours=1)).isoformat()}
    stack.publish([json.dumps(event).encode()]).done()
    assert looked(address, f"/d/{CONTROL_TOWER_UID}", tmp_path).panels["Late now"].values == ("4",)
    ever_late = stack.query("SELECT shipment_id FROM shipments_now WHERE late_now OR delivered_late")
    assert [name("HAM>CPH", 1)] not in ever_late
