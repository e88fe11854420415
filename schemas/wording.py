"""How a word that is none of the known ones is told, with the nearest ones."""

import json
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, Final

_NEAR: Final = 3
_LISTED: Final = 40
_SHOWN: Final = 80
_CUTOFF: Final = 0.6


def nearest(word: str, known: Iterable[str]) -> list[str]:
    """The known words that are most like it, the best first; upper and lower case count as the same."""
    by_folded: dict[str, str] = {}
    for one in known:
        by_folded.setdefault(one.strip().casefold(), one)
    return [by_folded[near] for near in get_close_matches(word.strip().casefold(), by_folded, _NEAR, _CUTOFF)]


def instead(word: str, known: Iterable[str]) -> str:
    """What to write instead of a word that is not known: `did you mean ...?`, else all that are known."""
    words = list(known)
    near = nearest(word, words)
    if near:
        return f"did you mean {' or '.join(map(shown, near))}?"
    more = f" and {len(words) - _LISTED} more" if len(words) > _LISTED else ""
    return f"known are {', '.join(words[:_LISTED])}{more}." if words else "there are none here."


def shown(value: Any) -> str:
    """A value in a sentence: quoted, and cut where it is long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
