"""The check itself must be able to fail: a store that answers what it is told to."""

from dashboards.checking import Answer, check
from dashboards.panels import Json
from schemas.errors import WrongInput

NOW = 1_800_000_000_000


def board(sql: str, empty: str = "nothing is late") -> Json:
    target = {"refId": "A", "rawSql": sql, "format": 1, "datasource": {"uid": "${datasource}"}}
    panel = {
        "id": 1,
        "type": "stat",
        "title": "Late",
        "gridPos": {"x": 0, "y": 0, "w": 4, "h": 4},
        "targets": [target],
        "fieldConfig": {"defaults": {"noValue": empty}, "overrides": []},
    }
    return {
        "uid": "quayside-one",
        "title": "One",
        "time": {"from": "now-24h"},
        "panels": [panel],
        "templating": {"list": []},
        "annotations": {"list": []},
    }


def rule(sql: str) -> Json:
    model = {"rawSql": sql, "format": 1}
    return {"groups": [{"name": "g", "interval": "10s", "rules": [{"title": "r", "data": [{"model": model}]}]}]}


def ask(sql: str) -> Answer:
    match sql:
        case "none":
            return Answer({"n": "UInt64"}, [])
        case "null":
            return Answer({"n": "Nullable(UInt64)"}, [[None]])
        case "text":
            return Answer({"n": "String"}, [["1"]])
        case "twice":
            return Answer({"lane": "String", "n": "Float64"}, [["A>B", 1.0], ["A>B", 2.0]])
        case "broken":
            raise WrongInput("Code: 62. DB::Exception: Syntax error")
        case _:
            return Answer({"n": "UInt64"}, [[1]])


def errors(one: Json, *rules: Json) -> str:
    return "\n".join(check(ask, [one], rules, NOW).errors)


def test_an_empty_panel_is_told_with_its_reason_and_is_an_error_without_one() -> None:
    for sql in ("none", "null"):
        (empty,) = check(ask, [board(sql)], [], NOW).empty_panels
        assert (empty.panel, empty.reason) == ("One / Late", "nothing is late")
    assert "One / Late: it is empty and does not say why" in errors(board("none", ""))
    assert "it must say why there is nothing" in errors(board("none", "nothing"))


def test_what_the_engine_refuses_and_what_the_panel_cannot_draw_are_errors() -> None:
    assert "One / Late: Code: 62. DB::Exception: Syntax error" in errors(board("broken"))
    assert "One / Late: it needs a number" in errors(board("text"))
    assert "needs a number" not in errors(board("fine"))


def test_a_rule_with_two_rows_of_the_same_labels_or_without_a_value_is_an_error() -> None:
    assert "g / r: two of its rows have the same labels" in errors(board("fine"), rule("twice"))
    assert "g / r: one of its values is NULL" in errors(board("fine"), rule("null"))
    assert "g / r: it needs one number" in errors(board("fine"), rule("text"))
