"""`quayside audit` on a running demo, while events come in: nothing differs, nothing is missing."""

from collections.abc import Iterator

import pytest

from tests.e2e.stack import Stack, new_stack, quayside

pytestmark = pytest.mark.tansu

KEYS = {
    "compared", "compared_by_kind", "differences", "difference_list", "late", "coordinates_missing", "missing_list",
    "moving", "moving_list", "moved_entities", "moved_list", "closed", "closed_list", "seconds", "epoch", "epochs",
}  # fmt: skip


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A demo that goes on while it is audited."""
    with new_stack(tmp_path_factory.mktemp("audit") / "data") as stack:
        stack.up("--demo", "--seed", 5)
        yield stack


def test_an_audit_of_a_demo_that_goes_on_finds_nothing(demo: Stack) -> None:
    told = demo.run("audit", "--json")
    told.done()
    report = told.last_json()
    assert set(report) == KEYS
    assert report["difference_list"] == report["missing_list"] == report["moving_list"] == []
    assert report["differences"] == report["coordinates_missing"] == report["moving"] == 0
    assert report["compared"] == sum(report["compared_by_kind"].values()) > 1_000
    assert min(report["compared_by_kind"].values()) > 0
    assert report["epochs"][-1]["stored"] > 10_000


def test_reading_every_record_finds_the_same_bytes(demo: Stack) -> None:
    told = demo.run("audit", "--deep")
    assert "0 differences, 0 coordinates missing" in told.done().splitlines()[-1]


def test_without_a_stack_it_says_so_in_one_sentence(demo: Stack) -> None:
    told = quayside("audit", "--data", demo.data / "nowhere")
    assert "No stack is running" in told.complaint(3)
