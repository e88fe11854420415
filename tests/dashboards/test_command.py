import json
from dataclasses import asdict

import pytest
from typer.testing import CliRunner

from dashboards.checking import EmptyPanel, Report
from deploy import dashboard_check
from deploy.command.main import app

GOOD = Report(7, 12, 150, 9_000, (EmptyPanel("Stock / Negative", "no position is negative"),), ())
BAD = Report(7, 12, 150, 0, (), ("Stock / Negative: it is empty and does not say why",))


@pytest.mark.parametrize(("report", "code"), [(GOOD, 0), (BAD, 1)])
def test_check_tells_its_report_and_ends_with_1_on_errors(
    report: Report, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dashboard_check, "check_demo", lambda _: report)

    done = CliRunner().invoke(app, ["dashboards", "check", "--demo-history", "--json"])

    assert done.exit_code == code
    told = json.loads(done.stdout.splitlines()[-1])
    assert list(told) == ["dashboards", "rules", "queries", "rows", "empty_panels", "errors"]
    assert told == json.loads(json.dumps(asdict(report)))


def test_check_for_people_ends_with_one_line_of_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboard_check, "check_demo", lambda _: BAD)

    lines = CliRunner().invoke(app, ["dashboards", "check", "--demo-history"]).stdout.splitlines()

    assert lines[0] == "ERROR  Stock / Negative: it is empty and does not say why"
    assert lines[-1] == "7 dashboards, 12 rules, 150 queries, 0 rows, 0 empty panels, 1 errors"


def test_the_committed_dashboards_are_up_to_date() -> None:
    done = CliRunner().invoke(app, ["dashboards", "build", "--check", "--json"])

    assert done.exit_code == 0
    told = json.loads(done.stdout)
    assert len(told["files"]) == 7
    assert told["different"] == []
