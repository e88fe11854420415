"""What a push did, or would do, to one thing in a Grafana."""

from dataclasses import dataclass
from typing import Final, Literal

Action = Literal["created", "updated", "unchanged", "left alone", "stale", "deleted"]
Kind = Literal[
    "data source", "folder", "dashboard", "alert rules", "alert rule", "contact point", "templates", "quiet hours"
]

NOT_FOUND: Final = 404


@dataclass(frozen=True, slots=True)
class Change:
    """What was done (with `dry_run`: would be done) to one thing. `note` says why, where that is not plain.

    `stale`: it is ours and belongs to no present build; it was left, since nobody asked for it to be deleted.
    """

    kind: Kind
    name: str
    action: Action
    note: str = ""


def stale(uid: str, *, prune: bool) -> tuple[Action, str]:
    """What is done to a thing of ours that no present build has, and what to say of it."""
    if prune:
        return "deleted", f"{uid} is of an earlier version"
    return "stale", f"{uid} is of an earlier version: delete it with --prune"
