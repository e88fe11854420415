"""The errors that a person may meet, each one clear sentence, and the exit code that goes with it."""

from typing import ClassVar


class QuaysideError(Exception):
    """Root of all our errors. The message says what happened, with which value, and what to do."""

    exit_code: ClassVar[int] = 1


class WrongInput(QuaysideError):
    """Wrong usage, settings or input: something the person can mend."""

    exit_code = 2


class Unreachable(QuaysideError):
    """A broker, a store or a stack that does not answer."""

    exit_code = 3


def error_of(exit_code: int | None, message: str) -> QuaysideError:
    """The error that a process of ours ended with, from its exit code and its last words."""
    kinds: dict[int | None, type[QuaysideError]] = {kind.exit_code: kind for kind in (WrongInput, Unreachable)}
    return kinds.get(exit_code, QuaysideError)(message.removeprefix("quayside: "))
