"""What the agents published, compared with the history at one instant, also while both go on.

On a running stack a view may be newer or older than the facts that a question sees. So whatever differs is looked at
again once all records that were there at the first look have had their effect: it agrees then; or it differs and
nothing new has come of it, which is a real difference; or something has, and it is looked at once more.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sinks.audit.figures import Difference, Found, Look, differences, events_behind, look
from sinks.audit.questions import KINDS, ORDERS, Ask, Kind, Scope, question, slices

ROUNDS: Final = 3
"""How often what differs is looked at again before it counts as moving."""

SLICE_ROWS: Final = 2_000_000
"""Of so many rows at most one question is asked: a million took 0.6 GB of the gate's 2 GB (measured)."""

_MOST: Final = 5_000
_LISTED: Final = 100
_EVENTS: Final = 20


@dataclass(frozen=True, slots=True)
class States:
    """What came of comparing.

    Attributes:
        compared: Entities, by kind.
        differing: How many figures differ.
        listed: The first hundred of them, with the events behind.
        moving: Entities that kept changing, as KIND/ENTITY.
        closed: Entities that differ because they had closed when a shipment told something new, as KIND/ENTITY.
    """

    compared: dict[str, int]
    differing: int
    listed: tuple[Difference, ...]
    moving: tuple[str, ...]
    closed: tuple[str, ...]


@dataclass(slots=True)
class _Open:
    """What is still to be decided of a kind."""

    last: Look
    real: dict[str, Found]
    unnamed: int = 0

    @property
    def is_decided(self) -> bool:
        return not self.last.found


def compare(
    ask: Ask,
    settle: Callable[[], object],
    kinds: Sequence[Kind] = KINDS,
    progress: Callable[[str], None] = lambda _: None,
    pause: Callable[[float], object] = time.sleep,
) -> States:
    """Compare all entities of these kinds.

    Args:
        ask: Asks the store.
        settle: Waits until everything that is there now has had its effect and can be queried.
        kinds: What to compare.
        progress: Is told what is being looked at.
        pause: Waits so many seconds.
    """
    compared: dict[str, int] = {}
    undecided: dict[str, _Open] = {}
    for kind in kinds:
        progress(kind.name)
        seen = look(ask, kind, slices(ask, kind.tables, SLICE_ROWS), _MOST)
        compared[kind.name] = seen.compared
        undecided[kind.name] = _Open(seen, {})
    for _ in range(ROUNDS):
        waiting = [kind for kind in kinds if not undecided[kind.name].is_decided]
        if not waiting:
            break
        progress("what was still on its way")
        settle()
        for kind in waiting:
            progress(kind.name)
            if _is_told_in_time(ask, kind, undecided[kind.name], pause):
                continue
            _look_again(ask, kind, undecided[kind.name])
    closed = _excused(ask, undecided)
    found = [
        difference
        for kind in kinds
        for entity, told in undecided[kind.name].real.items()
        for difference in differences(kind, entity, told)
    ]
    return States(
        compared,
        len(found) + sum(one.unnamed for one in undecided.values()),
        tuple(_with_events(ask, kinds, found[:_LISTED])),
        tuple(f"{kind.name}/{entity}" for kind in kinds for entity in undecided[kind.name].last.found),
        closed,
    )


def _is_told_in_time(ask: Ask, kind: Kind, undecided: _Open, pause: Callable[[float], object]) -> bool:
    """Give the agents a kind's time to tell what it waits for; whether all of it agrees before that is over."""
    named = tuple(undecided.last.found)
    if kind.patience_s and undecided.last.differing <= len(named):
        pause(kind.patience_s / 3)
        seen = look(ask, kind, [Scope(entities=named)], _MOST)
        if not seen.differing:
            undecided.last = seen
            return True
        pause(kind.patience_s * 2 / 3)
    elif kind.patience_s:
        pause(kind.patience_s)
    return False


def _look_again(ask: Ask, kind: Kind, undecided: _Open) -> None:
    """Decide what can be decided now, after everything that was there at the last look has had its effect."""
    before = undecided.last
    all_named = before.differing <= len(before.found)
    scopes = [Scope(entities=tuple(before.found))] if all_named else slices(ask, kind.tables, SLICE_ROWS)
    seen = look(ask, kind, scopes, _MOST)
    still = {
        entity: told
        for entity, told in seen.found.items()
        if entity in before.found and before.found[entity].recomputed == told.recomputed
    }
    undecided.real |= still
    if not all_named:  # more than can be named: so many are not all on the move
        undecided.unnamed = seen.differing - len(seen.found)
    moving = {entity: told for entity, told in seen.found.items() if entity not in still}
    undecided.last = Look(len(moving), len(moving), moving)


def _excused(ask: Ask, undecided: dict[str, _Open]) -> tuple[str, ...]:
    """Take out orders that had closed when a shipment told something new: that is kept, and not applied."""
    opened = undecided.get(ORDERS.name)
    if opened is None or not opened.real:
        return ()
    closed = {order_id for order_id, _ in ask(question("closed_orders"), {})} & opened.real.keys()
    for entity in closed:
        del opened.real[entity]
    return tuple(f"{ORDERS.name}/{entity}" for entity in sorted(closed))


def _with_events(ask: Ask, kinds: Sequence[Kind], found: Sequence[Difference]) -> Iterable[Difference]:
    behind = {
        kind.name: events_behind(ask, kind, sorted({one.entity for one in found if one.kind == kind.name}), _EVENTS)
        for kind in kinds
    }
    for one in found:
        events = behind[one.kind].get(one.entity, ())
        yield Difference(one.kind, one.entity, one.field, one.published, one.recomputed, events)
