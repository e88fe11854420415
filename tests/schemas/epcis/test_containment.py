"""What is in what: in whatever order it is told, and derived again for what is concerned only."""

import itertools
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.epcis import containment, goods
from schemas.epcis.containment import Containment, statement_of
from schemas.epcis.deriving import Captured, Derived, Link, affected, derive, links_of
from schemas.epcis.events import AggregationEvent
from schemas.epcis.identifiers import identify
from schemas.epcis.mapping import Draft, Key
from tests.schemas.epcis.making import (
    CASE,
    DRILL,
    HERE,
    PALLET,
    RICE,
    THERE,
    captured,
    epcis,
    put,
    received,
    said,
    seen,
    shipped,
)

OTHER = "urn:epc:id:sscc:0614141.1234567891"
ONE, TWO, THREE = (f"{DRILL}{serial}" for serial in (1, 2, 3))


def inside(parent: str, hour: float, *events: dict[str, Any], source: str = "acme") -> set[str]:
    """What is in a parent at an hour, by what one source tells: things, and classes with their quantities."""
    moment = captured(seen("at", hour, "other", [ONE]))[0].event.event_time
    statements = []
    for one in captured(*events):
        assert isinstance(one.event, AggregationEvent)
        statement = statement_of(one.key.source, one.key.event_id, one.event)
        assert statement is not None
        statements.append(statement)
    found = Containment(statements).inside(identify(parent).canonical, moment, source)
    return {f"{one.identified.said}" + (f" {one.quantity} {one.unit}" if one.unit else "") for one in found}


def names(*epcs: str) -> set[str]:
    return {identify(epc).canonical for epc in epcs}


def taken(event_id: str, hour: float, parent: str, children: list[str], **fields: Any) -> dict[str, Any]:
    return put(event_id, hour, parent, children, **{"action": "DELETE", **fields})


def test_things_are_inside_from_when_they_were_put_in_until_they_were_taken_out() -> None:
    events = (put("a", 1, PALLET, [ONE, TWO]), taken("b", 3, PALLET, [ONE]))
    assert inside(PALLET, 0.5, *events) == set()
    assert inside(PALLET, 1, *events) == names(ONE, TWO)
    assert inside(PALLET, 3, *events) == names(ONE, TWO)
    assert inside(PALLET, 4, *events) == names(TWO)


def test_a_delete_without_children_empties_the_parent() -> None:
    events = (
        put("a", 1, PALLET, [ONE], childQuantityList=[{"epcClass": RICE, "quantity": 5}]),
        epcis("AggregationEvent", "b", 2, action="DELETE", parentID=PALLET),
        put("c", 3, PALLET, [TWO]),
    )
    assert inside(PALLET, 2.5, *events) == set()
    assert inside(PALLET, 3.5, *events) == names(TWO)


def test_a_thing_is_in_one_parent_only() -> None:
    events = (put("a", 1, PALLET, [ONE, TWO]), put("b", 2, OTHER, [ONE]))
    assert inside(PALLET, 3, *events) == names(TWO)
    assert inside(OTHER, 3, *events) == names(ONE)
    assert inside(PALLET, 1.5, *events) == names(ONE, TWO)


def test_nested_contents_move_with_the_outermost() -> None:
    events = (put("a", 1, CASE, [ONE, TWO]), put("b", 2, PALLET, [CASE, THREE]))
    assert inside(PALLET, 3, *events) == names(CASE, ONE, TWO, THREE)


def test_a_parent_within_itself_is_followed_once() -> None:
    assert inside(PALLET, 3, put("a", 1, PALLET, [OTHER]), put("b", 2, OTHER, [PALLET])) == names(OTHER, PALLET)


def test_quantities_add_up_and_come_out_again() -> None:
    rice = {"epcClass": RICE, "uom": "KGM"}
    events = (
        put("a", 1, PALLET, [], childQuantityList=[{**rice, "quantity": 5}]),
        put("b", 2, PALLET, [], childQuantityList=[{**rice, "quantity": 2}]),
        taken("c", 3, PALLET, [], childQuantityList=[{**rice, "quantity": 3}]),
        put("d", 5, PALLET, [], action="OBSERVE", childQuantityList=[{**rice, "quantity": 4}]),
    )
    canonical = identify(RICE).canonical
    assert inside(PALLET, 2.5, *events) == {f"{canonical} 7 KGM"}
    assert inside(PALLET, 4, *events) == {f"{canonical} 4 KGM"}
    assert inside(PALLET, 6, *events) == {f"{canonical} 4 KGM"}


def test_what_the_mover_told_itself_counts_before_what_others_tell() -> None:
    other = captured(put("a", 1, PALLET, [ONE]), source="supplier")
    own = captured(put("b", 1, PALLET, [TWO]), source="warehouse")
    moved = captured(received("r", 9, [PALLET]), source="warehouse")
    items = {True: {TWO}, False: {ONE}}
    for with_own in (True, False):
        derived = derive([*other, *(own if with_own else []), *moved])
        drafts = [draft for draft in derived.drafts[moved[0].key] if draft.document["type"] == "received"]
        assert [draft.document["quantity"] for draft in drafts] == ["1"]
        assert drafts[0].document["attributes"].get("contents_told_by") == (None if with_own else "supplier")
        assert len(items[with_own]) == 1


EVENTS: tuple[dict[str, Any], ...] = (
    epcis("ObjectEvent", "made", 1, action="ADD", epcList=[ONE, TWO, THREE], bizLocation={"id": HERE}),
    put("cased", 2, CASE, [ONE, TWO]),
    put("packed", 3, PALLET, [CASE], childQuantityList=[{"epcClass": RICE, "quantity": 5, "uom": "KGM"}]),
    put("repacked", 4, OTHER, [TWO]),
    shipped("left", 5, [PALLET]),
    shipped("gate", 6, [PALLET, OTHER], bizStep="departing"),
    {**put("packed", 3, PALLET, [CASE]), "errorDeclaration": {"declarationTime": "2026-11-02T00:00:00Z"}},
    received("arrived", 8, [PALLET], bizStep="arriving"),
    received("came", 9, [PALLET, THREE]),
    taken("unpacked", 10, PALLET, [CASE]),
    seen("void", 7, "void_shipping", [OTHER], bizTransactionList=[{"type": "po", "bizTransaction": "urn:x:1"}]),
    shipped("plain", 11, [CASE], bizTransactionList=[], bizLocation={"id": THERE}),
)


def all_captured() -> list[Captured]:
    read = captured(*EVENTS)
    return [
        one._replace(
            key=Key("wms" if one.key.event_id in {"came", "arrived", "unpacked"} else "acme", one.key.event_id)
        )
        for one in read
    ]


def told(derived: Derived) -> dict[Key, tuple[Draft, ...]]:
    return {key: drafts for key, drafts in derived.drafts.items() if drafts}


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.permutations(range(len(EVENTS))), st.integers(min_value=1, max_value=len(EVENTS)))
def test_what_follows_is_the_same_in_every_order(order: list[int], count: int) -> None:
    events = all_captured()
    chosen = sorted(order[:count])
    assert derive([events[place] for place in order[:count]]) == derive([events[place] for place in chosen])


class Kept:
    """Events as they come, and what follows, derived again only for what is concerned."""

    def __init__(self) -> None:
        self.events: list[Captured] = []
        self.drafts: dict[Key, tuple[Draft, ...]] = {}

    def lookup(self, link: Link) -> list[Captured]:
        """All events with a link."""
        return [one for one in self.events if link in links_of(one.key, one.event)]

    def take(self, *new: Captured) -> int:
        """Take events in; how many were derived again."""
        self.events += new
        keys, needed = affected(new, self.lookup)
        derived = derive(needed)
        for key in keys:
            self.drafts[key] = derived.drafts.get(key, ())
        return len(keys)


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.permutations(range(len(EVENTS))), st.integers(min_value=1, max_value=3))
def test_deriving_what_is_concerned_comes_to_the_same_as_deriving_all(order: list[int], batch: int) -> None:
    events = all_captured()
    kept = Kept()
    for start in range(0, len(order), batch):
        kept.take(*(events[place] for place in order[start : start + batch]))
        assert {key: drafts for key, drafts in kept.drafts.items() if drafts} == told(derive(kept.events))


def test_only_what_is_concerned_is_derived_again() -> None:
    kept = Kept()
    for number in range(20):
        kept.take(*captured(seen(f"e{number}", number, "storing", [f"{DRILL}{number}"], bizLocation={"id": HERE})))
    kept.take(*captured(shipped("left", 5, [PALLET])))
    assert kept.take(*captured(put("packed", 3, PALLET, [ONE]))) == 2


def test_every_event_of_ours_keeps_its_identity_and_its_key_whatever_came_before() -> None:
    seen_keys: dict[tuple[str, str], tuple[Any, ...]] = {}
    events = all_captured()
    for size in range(1, 4):
        for chosen in itertools.combinations(range(len(events)), size):
            for key, drafts in derive([events[place] for place in chosen]).drafts.items():
                assert len({draft.event_id for draft in drafts}) == len(drafts)
                for draft in drafts:
                    where = tuple(draft.document.get(name) for name in ("type", "site", "item", "shipment_id", "lot"))
                    assert seen_keys.setdefault((key.source, draft.event_id), where) == where


def aggregated(number: int, parent: str, children: list[str], source: str = "acme") -> Captured:
    (one,) = captured(put(f"{source}/{number}", 1, parent, children), source=source)
    return one


class Counted(Kept):
    """Counts how many events are looked at."""

    def __init__(self, *events: Captured) -> None:
        super().__init__()
        self.events += events
        self.by_link: dict[Link, list[Captured]] = {}
        for one in events:
            for link in links_of(one.key, one.event):
                self.by_link.setdefault(link, []).append(one)
        self.looked = 0

    def lookup(self, link: Link) -> list[Captured]:
        """All events with a link."""
        found = self.by_link.get(link, [])
        self.looked += len(found)
        return found


def test_children_that_many_parents_share_are_looked_up_once() -> None:
    looked = []
    for parents in (20, 40):
        children = [f"urn:x:child:{number}" for number in range(30)]
        events = [aggregated(number, f"urn:x:parent:{number}", children) for number in range(parents)]
        kept = Counted(*events)
        affected(events, kept.lookup)
        looked.append(kept.looked)
    assert looked[1] <= 2 * looked[0] <= 2 * 20 * (30 + 2)


def test_what_can_be_reached_by_many_ways_is_listed_once() -> None:
    statements = []
    for source in "ab":
        for level in range(18):
            children = [f"urn:x:{name}{level + 1}" for name in "ab"]
            one = aggregated(level, f"urn:x:{source}{level}", children, source)
            assert isinstance(one.event, AggregationEvent)
            statement = statement_of(one.key.source, one.key.event_id, one.event)
            assert statement is not None
            statements.append(statement)
    found = Containment(statements).inside("urn:x:a0", statements[-1].at, "c")
    assert len(found) == len({one.identified.canonical for one in found}) == 36


def test_a_thing_with_too_many_contents_is_followed_as_far_as_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (containment, goods):
        monkeypatch.setattr(module, "MOST_CONTENTS", 5)
    events = captured(put("p", 1, PALLET, [f"{DRILL}{number}" for number in range(9)]), shipped("left", 3, [PALLET]))
    derived = derive(events)
    (movement,) = [one for one in derived.drafts[events[1].key] if one.document["type"] == "shipped"]
    assert movement.document["quantity"] == "5"
    assert any("5 things or more" in note for note in derived.notes[events[1].key])


def test_what_others_tell_to_be_in_a_pallet_never_keeps_it_from_moving() -> None:
    much = [{"epcClass": RICE, "quantity": 900_000_000_000, "uom": "KGM"}]
    odd = [{"epcClass": "https://id.gs1.org/01/00614141777778/10/%7C", "quantity": 1, "uom": "KGM"}]
    others = captured(
        put("a", 1, PALLET, [ONE], childQuantityList=much),
        put("b", 1, PALLET, [], childQuantityList=much),
        put("c", 1, PALLET, [], childQuantityList=odd),
        source="other",
    )
    moved = captured(shipped("left", 3, [PALLET]))
    drafts = derive([*others, *moved]).drafts[moved[0].key]
    assert len(said(drafts)) == len(drafts)
    left = {(one.document["item"], one.document.get("lot")): one.document["quantity"] for one in drafts[1:]}
    assert left == {("00614141111114", None): "1", ("00614141777778", None): "1"}


def test_a_statement_of_numbers_that_nobody_can_reckon_with_counts_for_nothing() -> None:
    (one,) = captured(put("a", 1, PALLET, [], childQuantityList=[{"epcClass": RICE, "quantity": 1}]))
    assert isinstance(one.event, AggregationEvent)
    (element,) = one.event.child_quantity_list
    huge = one.event.model_copy(
        update={"child_quantity_list": (element.model_copy(update={"quantity": Decimal("9e999999")}),)}
    )
    statement = statement_of("other", "a", huge)
    assert statement is not None
    assert statement.goods == {}
