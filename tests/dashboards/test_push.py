import socket
from collections.abc import Iterator

import pytest

from dashboards.names import FOLDER_UID
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
    changes = push(GrafanaAddress(grafana.url, password=PASSWORD), gate, dry_run=dry_run)
    return {f"{change.kind} {change.name}": change.action for change in changes}


def test_into_a_fresh_grafana_everything_is_created(grafana: StandIn) -> None:
    assert pushed(grafana) == {
        "data source Quayside": "created",
        "folder Quayside": "created",
        "dashboard Control tower": "created",
        "dashboard Shipments and delays": "created",
    }
    assert {board["meta"]["folderUid"] for board in grafana.boards.values()} == {FOLDER_UID}
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

    changes = push(GrafanaAddress(grafana.url, password=PASSWORD), GATE)

    assert {change.action for change in changes} == {"left alone"}
    assert all(change.note for change in changes)
    assert grafana.writes == []


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
