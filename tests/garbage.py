"""What only a search for cycles lets go of."""

import gc
from collections.abc import Callable


def left_behind(work: Callable[[], object]) -> int:
    """How many objects the work leaves that nothing refers to but they themselves."""
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        work()
        return gc.collect()
    finally:
        if was_enabled:
            gc.enable()
