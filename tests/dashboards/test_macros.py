import pytest

from dashboards.board import ALL
from dashboards.macros import View, expand, variables
from schemas.errors import WrongInput

HOUR = View(
    from_ms=1_700_000_000_999,
    to_ms=1_700_003_600_000,
    interval_s=30,
    chosen={"lane": ("A>B", "it's"), "carrier": (ALL,), "shipment_id": "", "one": "x"},
    options={"carrier": ("DHL", "MSC")},
)


@pytest.mark.parametrize(
    ("sql", "expanded"),
    [
        ("$__fromTime", "toDateTime(1700000000)"),
        ("$__toTime", "toDateTime(1700003600)"),
        ("$__interval_s", "30"),
        ("$__timeFilter(at)", "at >= toDateTime(1700000000) AND at <= toDateTime(1700003600)"),
        ("$__timeInterval(at)", "toStartOfInterval(toDateTime(at), INTERVAL 30 second)"),
        ("${lane:singlequote}", "'A>B','it\\'s'"),
        ("${carrier:singlequote}", "'DHL','MSC'"),
        ("x = ${shipment_id:singlequote}", "x = ''"),
        ("$__conditionalAll(lane IN (${lane:singlequote}), $lane)", "lane IN ('A>B','it\\'s')"),
        ("$__conditionalAll(if(c = '', '?', c) IN (${carrier:singlequote}), $carrier)", "1=1"),
        ("$__conditionalAll(x = 1, $shipment_id)", "1=1"),
        ("$__conditionalAll(f(a, b), ${one}) AND $__conditionalAll(g(c), $carrier)", "f(a, b) AND 1=1"),
    ],
)
def test_a_macro_expands_as_the_plugin_does(sql: str, expanded: str) -> None:
    assert expand(sql, HOUR) == expanded


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("$__dayFilter(at)", "__dayFilter is not one"),
        ("${nobody:singlequote}", "variable 'nobody'"),
        ("${lane}", "write \\$\\{lane:singlequote\\}"),
        ("$__conditionalAll(x = 1)", "two arguments"),
        ("$__conditionalAll(x = 1, $lane", "closing bracket"),
    ],
)
def test_what_cannot_be_expanded_is_named(sql: str, message: str) -> None:
    with pytest.raises(WrongInput, match=message):
        expand(sql, HOUR)


def test_the_variables_of_a_query_are_found_in_conditions_too() -> None:
    sql = "$__conditionalAll(a IN (${lane:singlequote}), $carrier) AND $__timeFilter(at)"

    assert variables(sql) == {"lane", "carrier"}
