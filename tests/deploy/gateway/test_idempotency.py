"""Answers by Idempotency-Key."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from deploy.gateway.idempotency import KEPT_MS, Answer, Answers, UnderWay, UsedOtherwise
from schemas.errors import Unreachable

ANSWER = Answer(202, "application/json", b'{"accepted":1}')


def on(path: Path, tried: Callable[[Answers], Awaitable[None]], now: int = 0) -> None:
    async def run() -> None:
        answers = Answers(path, lambda: now)
        try:
            await tried(answers)
        finally:
            answers.close()

    asyncio.run(run())


async def answer(answers: Answers) -> None:
    assert await answers.begin("acme", "k", b"1") is None
    await answers.keep("acme", "k", ANSWER)


async def is_known(answers: Answers) -> None:
    assert await answers.begin("acme", "k", b"1") == ANSWER
    with pytest.raises(UsedOtherwise):
        await answers.begin("acme", "k", b"2")
    assert await answers.begin("other", "k", b"2") is None


async def is_unknown(answers: Answers) -> None:
    assert await answers.begin("acme", "k", b"2") is None


def test_an_answer_outlives_the_process_for_a_day(tmp_path: Path) -> None:
    path = tmp_path / "gateway" / "idempotency.sqlite"
    on(path, answer, now=1_000)
    on(path, is_known, now=KEPT_MS)
    on(path, is_unknown, now=KEPT_MS + 1_000)


def test_what_is_under_way_has_no_answer_yet_and_what_got_none_is_free_again(tmp_path: Path) -> None:
    async def tried(answers: Answers) -> None:
        assert await answers.begin("acme", "k", b"1") is None
        with pytest.raises(UnderWay):
            await answers.begin("acme", "k", b"1")
        with pytest.raises(UsedOtherwise):
            await answers.begin("acme", "k", b"2")
        answers.drop("acme", "k")
        assert await answers.begin("acme", "k", b"2") is None

    on(tmp_path / "answers", tried)


def test_old_answers_are_swept_away(tmp_path: Path) -> None:
    path = tmp_path / "answers"
    on(path, answer, now=1)

    async def other(answers: Answers) -> None:
        assert await answers.begin("acme", "new", b"1") is None
        await answers.keep("acme", "new", ANSWER)

    on(path, other, now=10 * KEPT_MS)
    on(path, is_unknown, now=2)


def test_a_file_that_cannot_be_used_is_told_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "answers"
    path.write_bytes(b"this is no database at all, and it is longer than a header" * 20)

    async def tried(answers: Answers) -> None:
        for _ in range(2):
            with pytest.raises(Unreachable, match="answers"):
                await answers.begin("acme", "k", b"1")

    on(path, tried)
