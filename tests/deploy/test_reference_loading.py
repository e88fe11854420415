"""Reference data out of files: what is read, what is wrong in it, and what goes out."""

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import openpyxl
import pytest
import typer

from deploy import reference_loading
from deploy.command import reference as reference_command
from deploy.door import Door
from deploy.reference_loading import Loaded, load_reference
from deploy.settings import Settings
from deploy.spool import Spooled
from deploy.stackfile import StackFile
from schemas.errors import WrongInput
from schemas.mapping.reference import FIELDS, KINDS, Description, Entry, described, event_id_of
from schemas.wire import Rejection, judge
from tests.e2e.stack import ROOT

EXAMPLE: Final = ROOT / "docs/examples/reference.yaml"


class _Store:
    """Stands for broker and store: what was published is what it has."""

    def __init__(self) -> None:
        self.known: dict[str, bytes] = {}
        self.published: list[Spooled] = []

    def query(self, *_: object, **__: object) -> Any:
        class _Answer:
            result_rows: Final = [(entity, raw.decode()) for entity, raw in self.known.items()]

        return _Answer()

    def close(self) -> None:
        """Nothing is open."""

    async def accept(self, records: Sequence[Spooled]) -> None:
        await asyncio.sleep(0)
        self.published.extend(records)
        self.known |= {record.key.decode(): record.value for record in records}


class _Publisher:
    def __init__(self, store: _Store) -> None:
        self.accept = store.accept

    async def close(self) -> None:
        await asyncio.sleep(0)


@pytest.fixture
def store() -> _Store:
    return _Store()


@pytest.fixture
def load(tmp_path: Path, store: _Store) -> Callable[..., Loaded]:
    """Loads a file, or this content under a name, into `store`."""
    stack = StackFile(0, 1, "nowhere:1", "", "", "", embedded=False)

    def loaded(content: Path | str, name: str = "r.yaml", **options: Any) -> Loaded:
        file = content if isinstance(content, Path) else tmp_path / name
        if isinstance(content, str):
            file.write_text(content)
        with (
            patch.object(reference_loading, "stack_of", lambda _: (Settings(data=tmp_path), stack)),
            patch.object(reference_loading, "gate_client", lambda _: store),
            patch.object(reference_loading, "Door", lambda _: Door(None)),
            patch.object(reference_loading, "Publisher", lambda *_: _Publisher(store)),
        ):
            return load_reference(file, None, wait=False, **options)

    return loaded


def numbers(outcome: Loaded) -> tuple[int, int, int, int]:
    return outcome.read, outcome.changed, outcome.unchanged, outcome.refused


def test_the_example_is_loaded_once_and_changes_nothing_the_second_time(
    load: Callable[..., Loaded], store: _Store
) -> None:
    assert numbers(load(EXAMPLE)) == (6, 6, 0, 0)
    told = [json.loads(record.value) for record in store.published]
    assert [one["event_id"] for one in told] == [
        "reference/site/BER-DC",
        "reference/site/NLRTM",
        "reference/item/erp-berlin:4711",
        "reference/item/erp-berlin:4712",
        "reference/lane/NLRTM>BER-DC",
        "reference/source/erp-berlin",
    ]
    assert {one["source"] for one in told} == {"operator"}
    assert (told[0]["attributes"], told[5]["describes"]) == ({"country": "DE"}, "erp-berlin")
    for record in store.published:
        assert not isinstance(judge("reference.events", record.value), Rejection)
    assert numbers(load(EXAMPLE)) == (6, 0, 6, 0)
    assert len(store.published) == 6


def test_only_what_differs_goes_out_and_a_dry_run_shows_it(load: Callable[..., Loaded], store: _Store) -> None:
    load(EXAMPLE)
    text = EXAMPLE.read_text().replace("daily_capacity: 4000 ", "daily_capacity: 5000 ").replace("    unit: kg\n", "")
    shown = load(text, dry_run=True)
    assert [change.sentence() for change in shown.changes] == [
        "site BER-DC: daily_capacity 4000 -> 5000",
        "item erp-berlin:4712: unit kg -> -",
    ]
    assert len(store.published) == 6
    assert numbers(load(text, source="planning")) == (6, 2, 4, 0)
    assert json.loads(store.published[-1].value)["source"] == "planning"


def test_numbers_that_are_the_same_are_no_change_however_they_are_written(load: Callable[..., Loaded]) -> None:
    load("sites: [{site: A, latitude: 52.5, longitude: 13.40}]")
    again = load('{"kind": "site", "site": "A", "latitude": 52.500, "longitude": 13.4}', "r.ndjson")
    assert numbers(again) == (1, 0, 1, 0)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("{site: A, latitude: 91, longitude: 0}", 'latitude "91" is wrong'),
        ("{site: A, latitude: 9}", "Only one of latitude and longitude"),
        ("{site: A, zone: Europe/Berln}", 'zone "Europe/Berln" is no time zone: did you mean Europe/Berlin'),
        ("{site: A, daily_capacity: -1}", 'daily_capacity "-1" is wrong'),
        ("{site: A, capacity: 1}", '"capacity" is no field of a site: did you mean "daily_capacity"?'),
        ("{name: A}", "site is missing: it says which site is described."),
        ("{site: 'A|B'}", 'site "A|B" has a character or form that is not allowed here'),
        ("{site: GOOD}", "site GOOD is described already at"),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_the_rest_goes_on(
    load: Callable[..., Loaded], tmp_path: Path, said: str, words: str
) -> None:
    outcome = load(f"sites:\n  - site: GOOD\n  - {said}\n  - {{site: LAST}}\n")
    assert numbers(outcome) == (3, 2, 0, 1)
    (sentence,) = outcome.sentences
    assert sentence.startswith(f"{tmp_path}/r.yaml:3: ")
    assert words in sentence


@pytest.mark.parametrize(
    ("kind", "said", "words"),
    [
        ("lane", {"origin": "A", "destination": "B", "transit_promise": "0"}, "transit_promise"),
        ("lane", {"origin": "A"}, "destination is missing"),
        ("source", {"source": "a", "expected_cadence": "soon"}, "expected_cadence"),
        ("item", {"item": "4711"}, "is not an item"),
        ("item", {"item": "a:1", "unit": "two words"}, "unit"),
        ("place", {}, 'kind "place" is not known'),
    ],
)
def test_each_kind_is_held_to_the_contract(kind: str, said: dict[str, str], words: str) -> None:
    told = described(Entry("f:1", kind, said))
    assert isinstance(told, str)
    assert words in told
    assert told.endswith((".", "?"))


def test_a_wrong_check_digit_is_a_warning(load: Callable[..., Loaded]) -> None:
    outcome = load('sites: [{site: "4012345000008"}, {site: "4012345000009"}]\nitems: [{item: "4006381333932"}]')
    assert numbers(outcome) == (3, 3, 0, 0)
    gln, gtin = outcome.sentences
    assert "warning: 4012345000008 looks like a GLN" in gln or "warning: 4012345000009 looks like a GLN" in gln
    assert "warning: 4006381333932 looks like a GTIN" in gtin


def test_tables_have_a_column_kind_or_are_of_one(load: Callable[..., Loaded], tmp_path: Path) -> None:
    text = "kind;site;origin;destination;zone\nsite;A;;;Europe/Berlin\nlane;;A;B;\nlane;;A;;\n"
    outcome = load(text, "r.csv")
    assert numbers(outcome) == (3, 2, 0, 1)
    assert outcome.sentences == [f"{tmp_path}/r.csv:4: destination is missing: it says which lane is described."]
    assert numbers(load("site,name\nA2,Name\n", "r.csv", kind="site")) == (1, 1, 0, 0)
    book = openpyxl.Workbook()
    sheet: Any = book.active
    for row in (["item", "unit", "reorder_point"], ["acme:1", "pcs", 12.5], ["acme:2", "pcs", None]):
        sheet.append(row)
    book.save(tmp_path / "r.xlsx")
    assert numbers(load(tmp_path / "r.xlsx", kind="item")) == (2, 2, 0, 0)
    assert numbers(load("- {item: acme:1, unit: pcs, reorder_point: 12.5}", kind="item")) == (1, 0, 1, 0)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("r.yaml", "", "describes nothing"),
        ("r.yaml", "sights: []", 'r.yaml:1: `sights` is no key here: did you mean "sites"'),
        ("r.yaml", "sites: BER", "r.yaml:1: `sites` has to be a list"),
        ("r.yaml", "sites: [BER]", "r.yaml:1: Each of `sites` is a mapping"),
        ("r.csv", "site,name\nA,B\n", "no column kind"),
        ("r.csv", "kind,sight\nsite,B\n", 'a column "sight", which is no field: did you mean "site"'),
        ("r.csv", "kind,site,site\n", 'more than one column "site"'),
        ("r.csv", "kind,site\nsite\n", "r.csv:2: the row has 1 cells"),
        ("r.csv", "", "is empty"),
        ("r.xlsx", "no", "is no Excel workbook"),
        ("r.dat", "x", ".yaml, .csv, .xlsx or .ndjson"),
    ],
)
def test_a_file_that_describes_nothing_is_one_sentence(
    load: Callable[..., Loaded], name: str, content: str, words: str
) -> None:
    with pytest.raises(WrongInput) as told:
        load(content, name)
    assert words in str(told.value)
    assert "\n" not in str(told.value)


def test_a_kind_that_is_none_is_told(load: Callable[..., Loaded]) -> None:
    with pytest.raises(WrongInput, match='--kind sites is not known: did you mean "site"'):
        load(EXAMPLE, kind="sites")


def test_ids_are_stable_short_enough_and_never_the_same_for_two() -> None:
    assert event_id_of("site", "A") == "reference/site/A"
    long, other = event_id_of("item", "a:" + "x" * 298), event_id_of("item", "a:" + "x" * 297 + "y")
    assert len(long) <= 200
    assert long != other


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_of_a_kind_reaches_its_event(kind: str) -> None:
    values = {
        "latitude": "1.5", "longitude": "2.5", "zone": "UTC", "daily_capacity": "3", "reorder_point": "4",
        "unit": "pcs", "transit_promise": "5", "expected_cadence": "6", "item": "acme:1",
    }  # fmt: skip
    fields = next(named for one, named in FIELDS.items() if one == kind)
    told = described(Entry("f:1", kind, {name: values.get(name, name) for name in fields}))
    assert isinstance(told, Description)
    event = judge("reference.events", told.event("s", 0))
    assert not isinstance(event, Rejection)
    assert event.entity_key() == told.entity
    assert all(json.dumps(values.get(name, name)) in told.event("s", 0).decode() for name in fields)


def test_the_command_says_what_changed_and_ends_with_1_where_something_was_refused(
    load: Callable[..., Loaded], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app = typer.Typer()
    reference_command.register(app)
    outcome = load("sites: [{site: A}, {site: A}]", dry_run=True)
    with patch.object(reference_loading, "load_reference", lambda *_, **__: outcome):
        for arguments in (["--dry-run"], ["--json"]):
            with pytest.raises(SystemExit) as ended:
                app(["reference", "load", str(tmp_path / "r.yaml"), *arguments], standalone_mode=False)
            assert ended.value.code == 1
    said = capsys.readouterr()
    first, second, last = said.out.splitlines()
    assert (first, second) == ("site A: new", "2 read: 1 would change, 0 unchanged, 1 refused")
    told = json.loads(last)
    assert (told["read"], told["changed"], told["refused"], told["changes"]) == (2, 1, 1, ["site A: new"])
    assert said.err.count("is described already at") == 2


def test_what_is_described_is_listed_by_kind(capsys: pytest.CaptureFixture[str]) -> None:
    class _Views:
        def query(self, sql: str) -> Any:
            class _Answer:
                column_names: Final = ("lane", "transit_promise") if "lane_reference" in sql else ("name",)
                result_rows: Final = [("A>B", 36.0), ("A>C", None)] if "lane_reference" in sql else []

            return _Answer()

        def close(self) -> None:
            """Nothing is open."""

    app = typer.Typer()
    reference_command.register(app)
    with (
        patch("deploy.command.reach.stack_of", lambda _: (None, None)),
        patch("deploy.gate_client.gate_client", lambda _: _Views()),
    ):
        app(["reference", "list"], standalone_mode=False)
        app(["reference", "list", "--kind", "lane", "--json"], standalone_mode=False)
        with pytest.raises(WrongInput, match="--kind lanes is not known"):
            app(["reference", "list", "--kind", "lanes"], standalone_mode=False)
    *lines, last = capsys.readouterr().out.splitlines()
    assert lines == [
        "0 sites",
        "0 items",
        "2 lanes",
        "  lane  transit_promise",
        "  A>B   36.0",
        "  A>C   -",
        "0 sources",
    ]
    assert json.loads(last) == {
        "lane": [{"lane": "A>B", "transit_promise": 36.0}, {"lane": "A>C", "transit_promise": None}]
    }
