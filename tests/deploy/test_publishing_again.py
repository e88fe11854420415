"""What is left in a spool is asked about in questions that the store takes, however large a frame is."""

from collections.abc import Mapping
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from deploy import publishing_again
from deploy.publishing_again import pieces
from deploy.spool import Spooled
from schemas.versions import content_hash

MOST = 200_000
FRAME = [Spooled("supplier.events", f"{number:06d}".encode() + b"x" * 384, b"%d" % number) for number in range(3_000)]


def test_pieces_keep_the_order_and_none_is_larger_than_a_question_may_be() -> None:
    found = list(pieces(FRAME, MOST))
    assert [told for piece in found for told in piece] == FRAME
    assert all(sum(len(told.key) + 32 for told in piece) <= MOST for piece in found)
    assert len(found) < 10


def test_a_record_that_is_larger_than_a_question_goes_alone() -> None:
    large = Spooled("supplier.events", b"k" * 50, b"")
    assert list(pieces([large, large], 40)) == [[large], [large]]
    assert list(pieces([], 40)) == []


def test_of_a_large_frame_what_the_history_has_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate refuses questions above a mebibyte; before, such a frame kept the stack from starting."""
    known = {told.value for told in FRAME[::7]}
    hashes = {content_hash(value).hex().upper() for value in known}
    asked_about: list[int] = []

    def rows(_store: Client, _sql: str, asked: Mapping[str, Any]) -> list[tuple[str, str]]:
        asked_about.append(sum(map(len, (*asked["hashes"], *asked["entities"]))))
        return [("supplier.events", said) for said in asked["hashes"] if said in hashes]

    monkeypatch.setattr(publishing_again, "rows", rows)
    store: Any = None
    assert publishing_again._missing(store, FRAME) == [told for told in FRAME if told.value not in known]
    assert max(asked_about) <= MOST
