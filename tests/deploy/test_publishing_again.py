"""What is left in a spool: asked about in questions that the store takes, and given to a broker while there is one."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from deploy import embedded, publishing_again
from deploy.embedded import EmbeddedStack
from deploy.publishing_again import pieces, publish_again
from deploy.settings import Settings
from deploy.spool import Spooled
from deploy.stackfile import StackFile
from schemas.errors import Unreachable
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


def test_a_broker_that_ends_is_given_nothing_more(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Aiokafka takes 40 seconds to find out, in which a stack that was killed again would not come back."""
    cancelled: list[bool] = []

    async def never(_stack: StackFile, _files: Iterable[Path]) -> int:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise
        return 0

    stack = EmbeddedStack(Settings(data=tmp_path), None)
    lives: Iterator[bool] = iter((True, False))
    monkeypatch.setattr(embedded, "publish_again", never)
    monkeypatch.setattr(stack, "broker_alive", lambda: next(lives))
    with pytest.raises(Unreachable, match="the spool keeps it"):
        asyncio.run(stack._publish_again([tmp_path]))
    assert cancelled == [True]


@pytest.mark.parametrize(("fails", "ends"), [(False, "close"), (True, "close"), (None, "leave")])
def test_a_load_is_ended_where_there_is_a_broker_to_end_it_in(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, fails: bool | None, ends: str
) -> None:
    """`fails`: whether the store does; None: the broker is gone, and publishing is cancelled."""
    ended: list[str] = []

    class Publisher:
        def __init__(self, *_: object, **__: object) -> None: ...

        async def send(self, _records: Sequence[Spooled]) -> None:
            if fails:
                raise Unreachable("no store")
            if fails is None:
                await asyncio.Event().wait()

        async def close(self) -> None:
            ended.append("close")

        async def leave(self) -> None:
            ended.append("leave")

    @contextmanager
    def nothing(_: object) -> Iterator[None]:
        yield

    async def publish() -> None:
        publishing = asyncio.create_task(
            publish_again(EmbeddedStack(Settings(data=tmp_path), None).stack_file(), [tmp_path])
        )
        await asyncio.wait({publishing}, timeout=0.1)
        publishing.cancel()
        with suppress(Unreachable, asyncio.CancelledError):
            await publishing

    monkeypatch.setattr(publishing_again, "Publisher", Publisher)
    monkeypatch.setattr(publishing_again, "gate_client", lambda _stack: None)
    monkeypatch.setattr(publishing_again, "closing", nothing)
    monkeypatch.setattr(publishing_again, "_read_wherever", lambda _path: [FRAME[:1]])
    monkeypatch.setattr(publishing_again, "_missing", lambda _store, batch: batch)
    asyncio.run(publish())
    assert ended == [ends]
