import copy
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


def stale_things(grafana: StandIn) -> None:
    """What an earlier version of ours left, and things of others that look like it."""
    ours, folder = {"tags": ["quayside"]}, {"folderUid": FOLDER_UID}
    grafana.boards["quayside-of-old"] = {"dashboard": ours | {"title": "Of old"}, "meta": folder}
    grafana.boards["random"] = {"dashboard": ours | {"title": "A copy of ours"}, "meta": folder}
    grafana.boards["quayside-theirs"] = {"dashboard": {"title": "Theirs", "tags": []}, "meta": folder}
    grafana.boards["quayside-moved"] = {"dashboard": ours | {"title": "Moved"}, "meta": {"folderUid": "their-folder"}}
    grafana.boards["quayside-of-files"] = {"dashboard": ours, "meta": folder | {"provisioned": True}}
    rule = {"title": "of old", "labels": {"product": "quayside"}, "folderUID": FOLDER_UID, "for": "0s"}
    grafana.groups["quayside-late"]["rules"] += [
        rule | {"uid": "quayside-of-old"},
        rule | {"uid": "theirs"},
        rule | {"uid": "quayside-theirs", "labels": {}},
        rule | {"uid": "quayside-moved", "folderUID": "their-folder"},
    ]
    grafana.groups["of files"] = {"rules": [rule | {"uid": "quayside-of-files", "provenance": "file"}]}


def test_what_an_earlier_version_left_is_told_and_stays(grafana: StandIn) -> None:
    pushed(grafana)
    stale_things(grafana)
    before = copy.deepcopy((grafana.boards, grafana.groups))
    told = pushed(grafana)

    assert {name for name, action in told.items() if action == "stale"} == {"dashboard Of old", "alert rule of old"}
    assert (grafana.boards, grafana.groups) == before
    grafana.groups["quayside-late"]["interval"] = 60
    assert pushed(grafana)["alert rules quayside-late"] == "updated"
    assert "quayside-of-old" in {rule["uid"] for rule in grafana.groups["quayside-late"]["rules"]}


def test_prune_deletes_that_and_nothing_else(grafana: StandIn) -> None:
    pushed(grafana)
    stale_things(grafana)
    boards = set(grafana.boards)
    rules = {rule["uid"] for group in grafana.groups.values() for rule in group["rules"]}
    address = GrafanaAddress(grafana.url, password=PASSWORD)
    before = copy.deepcopy((grafana.boards, grafana.groups))
    assert {change.name for change in push(address, GATE, dry_run=True, prune=True) if change.action == "deleted"} == {
        "Of old",
        "of old",
    }
    assert (grafana.boards, grafana.groups) == before

    assert {change.name for change in push(address, GATE, prune=True) if change.action == "deleted"} == {
        "Of old",
        "of old",
    }
    assert boards - set(grafana.boards) == {"quayside-of-old"}
    assert rules - {rule["uid"] for group in grafana.groups.values() for rule in group["rules"]} == {"quayside-of-old"}
    assert "stale" not in pushed(grafana).values()


def test_a_grafana_that_keeps_nothing_firing_is_not_brought_up_to_date_for_ever(grafana: StandIn) -> None:
    pushed(grafana)
    for group in grafana.groups.values():
        for rule in group["rules"]:
            del rule["keep_firing_for"]

    assert set(pushed(grafana).values()) == {"unchanged"}


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
