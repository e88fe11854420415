import json
from pathlib import Path

import pytest

from dashboards import build, queries
from dashboards.inventory import every_query
from dashboards.rules import RULES
from schemas.errors import WrongInput


def test_building_again_gives_the_committed_files_byte_for_byte(tmp_path: Path) -> None:
    build.write(tmp_path)

    committed = {path.name: path.read_bytes() for path in build.GENERATED.glob("*.json")}
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == committed


def test_a_changed_a_missing_and_a_left_over_file_are_told(tmp_path: Path) -> None:
    build.write(tmp_path)
    assert build.differences(tmp_path) == ()
    (tmp_path / "stock.json").write_text("{}", encoding="utf-8")
    (tmp_path / "pipeline.json").unlink()
    (tmp_path / "of-an-older-version.json").touch()

    assert build.differences(tmp_path) == ("of-an-older-version.json", "pipeline.json", "stock.json")


def test_the_dashboards_keep_their_uids() -> None:
    uids = [json.loads(text)["uid"] for text in build.build().values()]

    assert uids == [
        "quayside-control-tower",
        "quayside-shipments",
        "quayside-shipment",
        "quayside-stock",
        "quayside-lead-times",
        "quayside-suppliers",
        "quayside-pipeline",
    ]


def test_the_first_figures_stand_on_the_first_screen_of_a_small_laptop() -> None:
    for text in build.build().values():
        board = json.loads(text)
        assert sum(panel["gridPos"]["y"] + panel["gridPos"]["h"] <= 17 for panel in board["panels"]) >= 2, board[
            "title"
        ]


def test_every_dashboard_carries_the_choices_of_the_others() -> None:
    for text in build.build().values():
        names = {variable["name"] for variable in json.loads(text)["templating"]["list"]}
        assert names >= {"lane", "carrier", "supplier", "site", "item", "shipment_id"}


def test_every_query_file_says_what_it_returns_and_names_its_columns() -> None:
    for name in queries.names():
        query = queries.load(name)
        assert len(query.returns) > 20, name
        assert "--" not in query.sql, name


def test_no_query_file_is_left_over() -> None:
    used = {query.sql for query in every_query([board.json() for board in build.DASHBOARDS])}
    used |= {queries.load(rule.query).sql for rule in RULES}

    assert [name for name in queries.names() if queries.load(name).sql not in used] == []


def test_an_unknown_query_is_named_in_one_sentence() -> None:
    with pytest.raises(WrongInput, match="there is no query 'nonsense'"):
        queries.load("nonsense")
