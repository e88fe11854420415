import copy
from collections.abc import Callable

import pytest

from dashboards import lint
from dashboards.alerts import AlertSettings, rule_groups
from dashboards.build import DASHBOARDS
from dashboards.panels import Json


def boards() -> list[Json]:
    return [copy.deepcopy(board.json()) for board in DASHBOARDS]


def rules() -> Json:
    return copy.deepcopy(rule_groups(AlertSettings()))


def test_our_dashboards_and_rules_keep_every_rule() -> None:
    assert [str(finding) for finding in lint.check(boards(), [rules()])] == []


def _panel(board: Json, title: str) -> Json:
    panel: Json = next(panel for panel in board["panels"] if panel["title"] == title)
    return panel


def _set_uid(board: Json) -> None:
    board["uid"] = "x7Ad9_3"


def _drop_tag(board: Json) -> None:
    board["tags"] = []


def _drop_links(board: Json) -> None:
    board["links"] = []


def _forget_time(board: Json) -> None:
    board["links"][0]["keepTime"] = False


def _keep_id(board: Json) -> None:
    board["id"] = 7


def _newer_schema(board: Json) -> None:
    board["schemaVersion"] = 42


def _drop_source(board: Json) -> None:
    board["templating"]["list"] = [one for one in board["templating"]["list"] if one["type"] != "datasource"]


def _drop_variable(board: Json) -> None:
    board["templating"]["list"] = [one for one in board["templating"]["list"] if one["name"] != "lane"]


def _same_id(board: Json) -> None:
    board["panels"][1]["id"] = board["panels"][0]["id"]


def _same_place(board: Json) -> None:
    board["panels"][1]["gridPos"] = board["panels"][0]["gridPos"]


def _off_grid(board: Json) -> None:
    board["panels"][-1]["gridPos"]["x"] = 20


def _tiny(board: Json) -> None:
    board["panels"][0]["gridPos"]["h"] = 2


def _no_description(board: Json) -> None:
    _panel(board, "Late now")["description"] = ""


def _no_unit(board: Json) -> None:
    del _panel(board, "Late now")["fieldConfig"]["defaults"]["unit"]


def _no_thresholds(board: Json) -> None:
    _panel(board, "Late now")["fieldConfig"]["defaults"]["thresholds"]["steps"] = []


def _no_words_for_nothing(board: Json) -> None:
    _panel(board, "Late now")["fieldConfig"]["defaults"]["noValue"] = ""


def _no_target(board: Json) -> None:
    _panel(board, "Late now")["targets"] = []


def _fixed_source(board: Json) -> None:
    _panel(board, "Late now")["targets"][0]["datasource"]["uid"] = "quayside-clickhouse"


def _wrong_format(board: Json) -> None:
    _panel(board, "Events in, per minute")["targets"][0]["format"] = 1


def _all_time(board: Json) -> None:
    _panel(board, "Events in, per minute")["targets"][0]["rawSql"] = "SELECT now() AS time, 1"


def _dead_link(board: Json) -> None:
    _panel(board, "Late now")["links"][0]["url"] = "/d/quayside-nowhere"


def _link_with_unknown_variable(board: Json) -> None:
    _panel(board, "Late now")["links"][0]["url"] = "/d/quayside-shipments?${source:queryparam}"


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (_set_uid, "uid must be readable"),
        (_drop_tag, "needs the tag"),
        (_drop_links, "needs a link to its siblings"),
        (_forget_time, "needs a link to its siblings"),
        (_keep_id, "id must be null"),
        (_newer_schema, "schemaVersion must be 39"),
        (_drop_source, "needs a variable for the data source"),
        (_drop_variable, "uses the variable lane"),
        (_same_id, "two panels have the id"),
        (_same_place, "two panels overlap"),
        (_off_grid, "outside of the grid"),
        (_tiny, "cannot be read"),
        (_no_description, "needs a title, and a description"),
        (_no_unit, "its unit None"),
        (_no_thresholds, "needs thresholds"),
        (_no_words_for_nothing, "noValue"),
        (_no_target, "it has no query"),
        (_fixed_source, "must be ${datasource}"),
        (_wrong_format, "format 0"),
        (_all_time, "no more than the time range"),
        (_dead_link, "leads to no dashboard"),
        (_link_with_unknown_variable, "uses the variable source"),
    ],
)
def test_a_spoilt_dashboard_is_found(spoil: Callable[[Json], None], sentence: str) -> None:
    spoilt = boards()
    spoil(spoilt[0])

    assert any(sentence in str(finding) for finding in lint.check(spoilt))


def test_two_dashboards_with_one_uid_are_found() -> None:
    spoilt = boards()
    spoilt[1]["uid"] = spoilt[0]["uid"]

    assert any("same uid" in str(finding) for finding in lint.check(spoilt))


def _rule_of(file: Json) -> Json:
    rule: Json = file["groups"][0]["rules"][0]
    return rule


def _odd_interval(file: Json) -> None:
    file["groups"][0]["interval"] = "15s"


def _no_for(file: Json) -> None:
    del _rule_of(file)["for"]


def _variable_source(file: Json) -> None:
    _rule_of(file)["data"][0]["datasourceUid"] = "${datasource}"


def _macro(file: Json) -> None:
    _rule_of(file)["data"][0]["model"]["rawSql"] += " WHERE $__conditionalAll(a, $lane)"


def _no_runbook(file: Json) -> None:
    del _rule_of(file)["annotations"]["runbook_url"]


def _wrong_panel(file: Json) -> None:
    _rule_of(file)["annotations"]["__panelId__"] = "99"


def _wrong_condition(file: Json) -> None:
    _rule_of(file)["condition"] = "C"


def _odd_duration(file: Json) -> None:
    _rule_of(file)["for"] = "soon"


def _dollar_in_a_label(file: Json) -> None:
    _rule_of(file)["labels"]["team"] = "$TEAM"


def _brace_in_an_annotation(file: Json) -> None:
    _rule_of(file)["annotations"]["summary"] = "${HOME}"


def _no_severity(file: Json) -> None:
    del _rule_of(file)["labels"]["severity"]


def _unknown_threshold(file: Json) -> None:
    _rule_of(file)["data"][1]["model"]["conditions"][0]["evaluator"]["type"] = "gte"


def _as_time_series(file: Json) -> None:
    _rule_of(file)["data"][0]["model"]["format"] = 0


def _open_setting(file: Json) -> None:
    _rule_of(file)["data"][0]["model"]["rawSql"] += " LIMIT @{late.page.count}"


def _same_rule_uid(file: Json) -> None:
    file["groups"][1]["rules"][0]["uid"] = _rule_of(file)["uid"]


def _silent_death(file: Json) -> None:
    for group in file["groups"]:
        for rule in group["rules"]:
            rule["noDataState"] = "OK"


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (_odd_duration, "duration in seconds"),
        (_dollar_in_a_label, "expanded from the environment"),
        (_brace_in_an_annotation, "in annotations"),
        (_no_severity, "the label severity"),
        (_unknown_threshold, "a threshold knows only gt, lt"),
        (_as_time_series, "format 1 (table)"),
        (_open_setting, "open settings"),
        (_same_rule_uid, "same uid"),
        (_silent_death, "hides the pipeline's own death"),
        (_odd_interval, "multiple of 10 s"),
        (_no_for, "it needs for"),
        (_variable_source, "literal data source uid"),
        (_macro, "without macros"),
        (_no_runbook, "annotation runbook_url"),
        (_wrong_panel, "name no panel of ours"),
        (_wrong_condition, "condition is none"),
    ],
)
def test_a_spoilt_alert_rule_is_found(spoil: Callable[[Json], None], sentence: str) -> None:
    spoilt = rules()
    spoil(spoilt)

    assert any(sentence in str(finding) for finding in lint.check(boards(), [spoilt]))
