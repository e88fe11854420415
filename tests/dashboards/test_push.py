import socket
from collections.abc import Iterator

import pytest

from dashboards.build import DASHBOARDS
from dashboards.contacts import Receivers
from dashboards.names import FOLDER_UID, FOLDERS
from dashboards.provisioning import GateAddress
from dashboards.push import GrafanaAddress, push
from schemas.errors import Unreachable, WrongInput
from tests.dashboards.grafana_api_stand_in import PASSWORD, StandIn, stand_in

GATE = GateAddress("127.0.0.1", 8123, "reader", "secret")


@pytest.fixture
def grafana() -> Iterator[StandIn]:
    with stand_in() as state:
        yield state


def pushed(grafana: StandIn, gate: GateAddress = GATE, *, dry_run: bool = False) -> dict[str, str]:
    """What was done, by name."""
    receivers = Receivers("http://127.0.0.1:9/hook", ("a@example.org",))
    changes = push(GrafanaAddress(grafana.url, password=PASSWORD), gate, None, receivers, dry_run=dry_run)
    return {f"{change.kind} {change.name}": change.action for change in changes}


def test_into_a_fresh_grafana_everything_is_created(grafana: StandIn) -> None:
    assert pushed(grafana) == {
        "data source Quayside": "created",
        "folder Quayside": "created",
        "folder Quayside pipeline": "created",
        **{f"dashboard {board.title}": "created" for board in DASHBOARDS},
        **{f"alert rules quayside-{group}": "created" for group in ("late", "tickets", "data")},
        "templates quayside": "created",
        "quiet hours quayside-quiet": "created",
        "contact point quayside (webhook)": "created",
        "contact point quayside (email)": "created",
    }
    assert {board["meta"]["folderUid"] for board in grafana.boards.values()} == set(FOLDERS.values())
    assert sum(len(group["rules"]) for group in grafana.groups.values()) == 12
    assert grafana.passwords == ["secret"]


def test_a_second_push_changes_nothing_but_sets_the_password_again(grafana: StandIn) -> None:
    pushed(grafana)
    before = {uid: board["dashboard"]["version"] for uid, board in grafana.boards.items()}

    assert set(pushed(grafana, GateAddress("127.0.0.1", 8123, "reader", "new")).values()) == {"unchanged"}
    assert {uid: board["dashboard"]["version"] for uid, board in grafana.boards.items()} == before
    assert grafana.passwords == ["secret", "new"]


def test_a_moved_gate_and_an_edited_dashboard_are_brought_up_to_date(grafana: StandIn) -> None:
    pushed(grafana)
    grafana.boards["quayside-shipments"]["dashboard"]["title"] = "Edited by hand"

    changes = pushed(grafana, GateAddress("127.0.0.1", 9000, "reader", "secret"))

    assert changes["data source Quayside"] == "updated"
    assert changes["dashboard Control tower"] == "unchanged"
    assert changes["dashboard Shipments and delays"] == "updated"
    assert grafana.sources[0]["jsonData"]["port"] == 9000
    assert grafana.boards["quayside-shipments"]["dashboard"]["title"] == "Shipments and delays"


def test_a_dry_run_tells_the_same_and_writes_nothing(grafana: StandIn) -> None:
    told = pushed(grafana, dry_run=True)

    assert grafana.writes == []
    assert told == pushed(grafana)


def test_what_is_not_ours_is_left_alone(grafana: StandIn) -> None:
    grafana.sources.append({"id": 1, "uid": "theirs", "name": "Quayside", "isDefault": True})
    grafana.boards["quayside-shipments"] = {"dashboard": {"tags": ["theirs"]}, "meta": {}}
    grafana.boards["quayside-control-tower"] = {
        "dashboard": {"tags": ["quayside"]},
        "meta": {"provisioned": True},
    }
    grafana.folders[FOLDER_UID] = {"uid": FOLDER_UID, "title": "Renamed"}
    rule = {"uid": "quayside-late-by-lane", "labels": {}}
    grafana.groups["theirs"] = {"rules": [rule, {"uid": "quayside-at-risk", "provenance": "file", "labels": {}}]}
    grafana.others["templates/quayside"] = {"template": "", "provenance": "file"}

    changes = push(GrafanaAddress(grafana.url, password=PASSWORD), GATE)

    left = {change.name: change.note for change in changes if change.action == "left alone"}
    assert left.keys() == {
        *("Quayside", "Control tower", "Shipments and delays"),
        *("quayside-late", "quayside-tickets", "quayside"),
    }
    assert all(left.values())
    assert not any("Quayside" in write or "policies" in write for write in grafana.writes)
    assert grafana.groups["theirs"]["rules"][0] == rule


def test_a_rule_that_people_put_into_our_group_stays_and_one_they_changed_comes_back(grafana: StandIn) -> None:
    pushed(grafana)
    theirs = {"uid": "theirs", "title": "their own", "labels": {}, "for": "0s"}
    grafana.groups["quayside-late"]["rules"].append(theirs)
    grafana.groups["quayside-late"]["rules"][0]["isPaused"] = True

    assert pushed(grafana)["alert rules quayside-late"] == "updated"
    rules = {rule["uid"]: rule for rule in grafana.groups["quayside-late"]["rules"]}
    assert rules["theirs"]["title"] == "their own"
    assert rules["quayside-late-by-lane"]["isPaused"] is False


def test_the_policy_tree_is_never_touched(grafana: StandIn) -> None:
    pushed(grafana)

    assert not any("policies" in write for write in grafana.writes)


def test_the_default_data_source_of_others_stays_the_default(grafana: StandIn) -> None:
    grafana.sources.append({"id": 1, "uid": "theirs", "name": "Theirs", "isDefault": True})
    pushed(grafana)

    assert {source["name"]: source["isDefault"] for source in grafana.sources} == {
        "Theirs": True,
        "Quayside": False,
    }


def test_a_wrong_password_is_said_in_one_sentence_and_not_repeated(grafana: StandIn) -> None:
    address = GrafanaAddress(grafana.url, password="guess")  # noqa: S106 - wrong on purpose
    with pytest.raises(WrongInput, match="refuses the token or password") as caught:
        push(address, GATE)

    assert "guess" not in str(caught.value) + repr(address)


def test_a_grafana_that_is_not_there_is_unreachable() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(Unreachable, match=f"Grafana at http://127.0.0.1:{port} does not answer"):
        push(GrafanaAddress(f"http://127.0.0.1:{port}"), GATE)


def test_an_address_without_a_scheme_is_refused() -> None:
    with pytest.raises(WrongInput, match="write it as http://HOST:PORT"):
        push(GrafanaAddress("localhost:3000"), GATE)
