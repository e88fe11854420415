"""The table of guards in docs/correctness.md, made from the catalogue of mutants."""

from pathlib import Path
from typing import Final

from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import Mutant

_PAGE: Final = Path("docs", "correctness.md")
_BEGIN: Final = "<!-- guards: written by `python -m tests.mutants --docs` -->"
_END: Final = "<!-- /guards -->"


def section() -> str:
    """The section as it has to stand in the page, its two marks included."""
    rows = "\n".join(_row(mutant) for mutant in sorted(MUTANTS, key=lambda one: one.promise))
    kafka = sum(mutant.kafka for mutant in MUTANTS)
    return f"""{_BEGIN}
## Each guard, and the test that notices when it is gone

`make mutants` takes each of these {len(MUTANTS)} guards out of a copy of the tree, one at a time, and runs the tests
named beside it: one of them has to fail, or the run ends with 1. {kafka} of them need a real Apache Kafka (marked K).

| promise | guard | where | without it | noticed by |
| --- | --- | --- | --- | --- |
{rows}
{_END}"""


def standing(root: Path) -> str:
    """The section as it stands in the page; empty if there is none."""
    page = (root / _PAGE).read_text(encoding="utf-8")
    begin, end = page.find(_BEGIN), page.find(_END)
    return page[begin : end + len(_END)] if 0 <= begin < end else ""


def write(root: Path) -> None:
    """Write the section into the page, in place of the one that stands there or at its end."""
    path = root / _PAGE
    page, old = path.read_text(encoding="utf-8"), standing(root)
    fresh = page.replace(old, section()) if old else f"{page.rstrip()}\n\n{section()}\n"
    path.write_text(fresh, encoding="utf-8")


def _row(mutant: Mutant) -> str:
    tests = "<br>".join(f"`{test.removeprefix('tests/').replace('.py::', ' ')}`" for test in mutant.tests)
    where = f"{mutant.file} K" if mutant.kafka else mutant.file
    return f"| {mutant.promise} | {mutant.name.replace('-', ' ')} | {where} | {mutant.breaks} | {tests} |"
