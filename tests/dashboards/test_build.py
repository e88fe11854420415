import json
from pathlib import Path

import pytest

from dashboards import build, queries
from dashboards.inventory import every_query
from schemas.errors import WrongInput


def test_building_again_gives_the_committed_files_byte_for_byte(tmp_path: Path) -> None:
    build.write(tmp_path)

    committed = {path.name: path.read_bytes() for path in build.GENERATED.glob("*.json")}
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == committed


def test_the_two_dashboards_keep_their_uids() -> None:
    uids = [json.loads(text)["uid"] for text in build.build().values()]

    assert uids == ["quayside-control-tower", "quayside-shipments"]


def test_every_query_file_says_what_it_returns_and_names_its_columns() -> None:
    for name in queries.names():
        query = queries.load(name)
        assert len(query.returns) > 20, name
        assert "--" not in query.sql, name


def test_no_query_file_is_left_over() -> None:
    used = {query.sql for query in every_query([board.json() for board in build.DASHBOARDS])}

    unused = [name for name in queries.names() if queries.load(name).sql not in used]
    assert unused == ["alert_late_by_lane"]


def test_an_unknown_query_is_named_in_one_sentence() -> None:
    with pytest.raises(WrongInput, match="there is no query 'nonsense'"):
        queries.load("nonsense")
