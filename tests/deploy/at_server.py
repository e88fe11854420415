"""Questions of a browser to the live board, in short."""

from collections.abc import Mapping
from typing import Final, Literal

from dashboards.live.questions import Question
from dashboards.names import CONTROL_TOWER_UID

TOWER: Final = CONTROL_TOWER_UID


def question(
    uid: str,
    kind: Literal["panel", "variable", "annotation"],
    name: str,
    ref: str,
    chosen: Mapping[str, tuple[str, ...]],
    to_ms: int = 86_400_000,
) -> Question:
    """A question with a time range of a day."""
    return Question(uid, kind, name, 0, to_ms, ref, 60, dict(chosen), {})
