"""What a push did, or would do, to one thing in a Grafana."""

from dataclasses import dataclass
from typing import Final, Literal

Action = Literal["created", "updated", "unchanged", "left alone"]
Kind = Literal["data source", "folder", "dashboard", "alert rules", "contact point", "templates", "quiet hours"]

NOT_FOUND: Final = 404


@dataclass(frozen=True, slots=True)
class Change:
    """What was done (with `dry_run`: would be done) to one thing. `note` says why, where that is not plain."""

    kind: Kind
    name: str
    action: Action
    note: str = ""
