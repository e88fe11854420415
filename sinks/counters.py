"""What the history sink has done, and how it is: for whoever watches it."""

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from streams.tally import Seconds

State = Literal["working", "waiting_for_store", "stopped"]


@dataclass(slots=True)
class Counters:
    """What the sink has done since it started, and how it is. `last_error` is empty while all is well."""

    records: int = 0
    rows: int = 0
    dead: int = 0
    late: int = 0
    replayed: int = 0
    unstorable: int = 0
    """Rows that the store refused for what is in them; they are dead letters, and not counted in `dead`."""
    tables: Counter[str] = field(default_factory=Counter)
    """Rows by table."""
    batches: int = 0
    seconds: Seconds = field(default_factory=Seconds)
    """How long storing a batch took, the pauses between failures included."""
    failures: int = 0
    last_error: str = ""
    state: State = "stopped"
    """`waiting_for_store`: an insert failed and will be tried again; what has been fetched is kept."""
    reason: str = "It has not been started."
    """Why it is not working; empty while it is."""
    store_refuses_since: float | None = None
    """Since when it has been waiting for the store, in seconds since the epoch; None: it is not."""
    records_in_hand: int = 0
    """Fetched, but not stored yet."""
    bytes_in_hand: int = 0
    """The keys and values of these."""
    stored_at: float | None = None
    """When a batch was last stored, in seconds since the epoch; None: never yet."""

    @property
    def seconds_since_success(self) -> float | None:
        """How long ago a batch was last stored; None: never yet. A quiet stream makes it grow, with nothing in hand."""
        return None if self.stored_at is None else max(0.0, time.time() - self.stored_at)
