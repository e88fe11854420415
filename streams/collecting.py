"""When Python looks for objects that hold each other, in the processes where facts and rows pass by the million.

What they make of a record leaves no cycles behind (tests/streams/test_collecting.py, tests/sinks/test_let_go.py):
counting references lets go of it at once, and looking for cycles among what stays is in vain. Python's own thresholds
(700, 10, 10) take a third of the time with that (measured: 64 against 39 microseconds an event).
"""

import gc
from typing import Final

_THRESHOLDS: Final = (100_000, 10, 1_000)
"""The youngest 100,000 objects take 60 ms. Ten times as many come second: with more, nothing else is done for too long
for a consumer's session (a second)."""


def begin() -> None:
    """For a process that has loaded its modules: they stay, and are not looked through again."""
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)


def pause() -> None:
    """Look for nothing while a history is loaded: nearly all that is made then stays."""
    gc.disable()


def resume(*, all_stays: bool = False) -> None:
    """Look again after a pause. `all_stays`: what is there now is not looked through any more."""
    if gc.isenabled():
        return
    if all_stays:
        gc.freeze()
    gc.enable()
