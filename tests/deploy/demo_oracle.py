"""What the demo's emissions say in the end, computed from the records alone, independently of the agents."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple, cast

from deploy.demo.mistakes import BAD
from deploy.demo.network import Network, network
from deploy.demo.reports import Emission
from schemas.event import Event
from schemas.quantities import thousandths
from schemas.shipment import MilestoneReported
from schemas.times import MINUTE_MS, to_ms
from schemas.versions import Version, event_version
from schemas.wire import Rejection, judge, read

if TYPE_CHECKING:
    from schemas.warehouse import WarehouseEvent

START = 1_800_000_000_000
ENDS = frozenset({"delivered", "returned", "cancelled"})
ENTERS = frozenset({"received", "returned", "moved_in", "adjusted"})
LEAVES = frozenset({"shipped", "moved_out", "scrapped"})


class Told(NamedTuple):
    """An emission and what the contract makes of it."""

    emission: Emission
    event: Event | Rejection


@dataclass
class Story:
    """Two weeks of history, three minutes of real time, and what was still to be reported then."""

    network: Network
    told: list[Told]
    late_reports: list[Told]

    def everything(self) -> list[Told]:
        """All emissions: those up to the end, and those that were still to come."""
        return self.told + self.late_reports

    @cached_property
    def truth(self) -> list[Event]:
        """What all of them say in the end: see `standing`."""
        return standing(self.everything())


@dataclass
class Books:
    """The movements of one item at one site, in thousandths."""

    on_hand: int = 0
    lowest: int = 0
    variance: int = 0
    sums: dict[str, int] = field(default_factory=lambda: defaultdict(int))


def read_as_arrived(emission: Emission) -> Event | Rejection:
    """What the record is to whoever receives it: history is all published at the start."""
    found = read(emission.topic, emission.value, max(emission.at_ms, START))
    return found if isinstance(found, Rejection) else judge(emission.topic, emission.value)


@cache
def story(seed: int = 1) -> Story:
    """The story of one seed; told once."""
    running = network(seed, START)
    until = START + 3 * MINUTE_MS
    emissions = list(takewhile(lambda emission: emission.at_ms < until, running))
    told = [Told(emission, read_as_arrived(emission)) for emission in emissions]
    rest = [Told(emission, read_as_arrived(emission)) for emission in running.drain()]
    return Story(running, told, rest)


def accepted(told: Iterable[Told]) -> list[tuple[Emission, Event]]:
    """The emissions that are events."""
    return [(emission, event) for emission, event in told if not isinstance(event, Rejection)]


def standing(told: Iterable[Told]) -> list[Event]:
    """The newest version of each event, without what was retracted, in the order of first mention."""
    newest: dict[tuple[str, str, str], tuple[Version, Event]] = {}
    for emission, event in accepted(told):
        identity = (emission.topic, event.source, event.event_id)
        version = event_version(to_ms(event.recorded_at), emission.value, retracted=event.retracted)
        if identity not in newest or newest[identity][0] < version:
            newest[identity] = (version, event)
    return [event for _, event in newest.values() if not event.retracted]


def books(events: Iterable[Event]) -> dict[tuple[str, str], Books]:
    """Stock by (site, item), taken in the order in which it happened."""
    moves = [event for event in events if event.topic == "warehouse.events"]
    found: dict[tuple[str, str], Books] = defaultdict(Books)
    for event in sorted(moves, key=lambda move: move.occurred_at):
        move = cast("WarehouseEvent", event)
        book = found[move.site, move.item]
        quantity = thousandths(move.quantity)
        if move.type == "counted":
            book.variance += quantity - book.on_hand
            book.on_hand = quantity
            continue
        kind = f"moved_{move.direction}" if move.type == "moved" else move.type
        book.sums[kind] += quantity
        book.on_hand += quantity * ((kind in ENTERS) - (kind in LEAVES))
        book.lowest = min(book.lowest, book.on_hand)
    return dict(found)


def open_promises(events: Iterable[Event]) -> dict[str, int]:
    """The shipments that are booked and not at their end, and when each is promised (ms)."""
    promises: dict[str, int] = {}
    ended: set[str] = set()
    for event in events:
        if not isinstance(event, MilestoneReported) or event.classifier != "actual":
            continue
        if event.promised_at is not None:
            promises[event.shipment_id] = to_ms(event.promised_at)
        if event.milestone in ENDS:
            ended.add(event.shipment_id)
    return {name: promised for name, promised in promises.items() if name not in ended}


def is_bad(emission: Emission) -> bool:
    """Whether the record was planted as one that is no event."""
    return emission.mistake in BAD
