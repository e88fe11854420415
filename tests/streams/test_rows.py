"""Changelog rows: read back as they were written, and refused where another version wrote them."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.derived import Delivery, DeliveryLine, LeadTime, Transit
from schemas.errors import QuaysideError
from schemas.event import Event
from schemas.versions import Version, identity
from streams.agents import DERIVATIONS
from streams.derivation import Derivation
from streams.facts import Fact, Target, contributor_identity
from streams.leads.derive import LeadTimes
from streams.orders.derive import Orders
from streams.rows import FORMAT, HEADER_KEY, Codec, FactRow, ForeignRow, Header, Row, TargetsRow
from streams.shipments.derive import Shipments
from streams.stock.derive import Stock
from tests.strategies import ITEMS, SITES, raw, shipment_events, supplier_events, warehouse_events

ENTITY = f"BER|{ITEMS[2]}"
CODEC = Codec(Stock().payload)
RULES: dict[str, Derivation] = {
    "supplier.events": Orders(),
    "shipment.events": Shipments(),
    "warehouse.events": Stock(),
}
_numbers = st.integers(-(2**63), 2**63 - 1)
_names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)


def written(row: Row) -> tuple[bytes, bytes]:
    assert row.value is not None
    return row.key, row.value


@settings(deadline=None)
@given(st.one_of(supplier_events(), shipment_events(), warehouse_events()))
def test_every_fact_is_read_back_as_it_was_written(event: Event) -> None:
    rules = RULES[event.topic]
    codec = Codec(rules.payload)
    entity, name, fact = rules.statement(event, raw(event))
    assert codec.read(*written(codec.fact(entity, name, fact))) == FactRow(entity, name, fact)


_lines = st.builds(
    DeliveryLine, _names, st.sampled_from(ITEMS), _names, _numbers, _numbers, *[st.none() | _numbers] * 3
)
_contributions: st.SearchStrategy[tuple[Derivation, Any]] = st.one_of(
    st.tuples(st.just(Orders()), st.builds(Delivery, _names, _names, st.lists(_lines).map(tuple))),
    st.tuples(
        st.just(Stock()),
        st.builds(
            Transit, _names, st.sampled_from(SITES), st.sampled_from(ITEMS), _names, _numbers, _numbers, st.booleans()
        ),
    ),
    st.tuples(
        st.just(LeadTimes()),
        st.builds(LeadTime, _names, _names, _names, st.lists(st.tuples(_numbers, _numbers)).map(tuple)),
    ),
)


@settings(deadline=None)
@given(_contributions, _numbers, _numbers)
def test_every_contribution_is_read_back_as_it_was_written(
    told: tuple[Derivation, Any], epoch: int, offset: int
) -> None:
    rules, state = told
    codec = Codec(rules.payload)
    entity, contributor, payload = rules.contributed(state)
    row = codec.fact(entity, contributor_identity(contributor), Fact(Version(epoch, offset, b""), payload))
    read = codec.read(*written(row))
    assert isinstance(read, FactRow)
    assert (read.entity, read.identity) == (entity, contributor_identity(contributor))
    assert read.fact == Fact(Version(epoch, offset, b""), payload)


@given(st.lists(st.builds(Target, _names, _names)))
def test_targets_are_read_back_as_they_were_written(targets: list[Target]) -> None:
    assert CODEC.read(*written(CODEC.targets(ENTITY, targets))) == TargetsRow(ENTITY, tuple(targets))


@given(st.integers(0, 2**63 - 1))
def test_the_header_is_read_back_as_it_was_written(epoch: int) -> None:
    row = CODEC.header(epoch)
    assert row.key == HEADER_KEY
    assert CODEC.read(*written(row)) == Header(epoch)


def test_no_two_rows_of_a_partition_share_a_key() -> None:
    fact = Fact(Version(1, 0, b""), None)
    keys = [
        CODEC.header(1).key,
        *(CODEC.targets(entity, ()).key for entity in ("a", "af")),
        *(
            CODEC.fact(entity, name, fact).key
            for entity in ("a", "af")
            for name in (identity("s", "1"), identity("s1", ""), "f", contributor_identity("s"))
        ),
    ]
    assert len(set(keys)) == len(keys)


_NEWER = FORMAT + 1
_encode = msgspec.msgpack.encode


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (HEADER_KEY, (_NEWER, 7)),
        (HEADER_KEY, (_NEWER, 7, "more")),
        (b"BER|x\x00fs\x001", (_NEWER, 1, 0, b"", None)),
        (b"BER|x\x00fs\x001", (_NEWER, {"another": "layout"})),
        (b"BER|x\x00t", (_NEWER, ())),
        (b"BER|x\x00t", (_NEWER,)),
        (b"BER|x\x00z", (_NEWER, 5)),
    ],
)
def test_a_row_of_a_newer_format_is_refused_in_a_clear_sentence(key: bytes, value: object) -> None:
    with pytest.raises(ForeignRow) as refused:
        CODEC.read(key, _encode(value))
    sentence = str(refused.value)
    assert f"format {_NEWER}" in sentence
    assert f"reads format {FORMAT}" in sentence
    assert "rebuild" in sentence
    assert sentence.endswith(".")
    assert isinstance(refused.value, QuaysideError)
    assert refused.value.exit_code == 2


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"BER|x\x00fs\x001", b""),
        (b"BER|x\x00fs\x001", b"not msgpack"),
        (b"BER|x\x00fs\x001", _encode((FORMAT, 1, 0, b"", ["?", 1]))),
        (b"BER|x\x00z", _encode((FORMAT, 1))),
        (b"\xff\x00t", _encode((FORMAT, ()))),
        (b"", _encode((FORMAT, 1))),
    ],
)
def test_what_is_no_row_is_refused_and_never_misread(key: bytes, value: bytes) -> None:
    with pytest.raises(ForeignRow):
        CODEC.read(key, value)


def test_every_agent_has_its_own_changelog() -> None:
    names = [rules().name for rules in DERIVATIONS]
    assert len(set(names)) == len(names) == 4
