"""Texts made of columns: `{PO}`, `acme:{Article}`, `{hash(PO, Line)}`."""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

_PIECE: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_HASH: Final = re.compile(r"hash\((.*)\)")
_HASH_DIGITS: Final = 24


class Column(NamedTuple):
    """The text of a column."""

    name: str


class Hash(NamedTuple):
    """Twenty-four hexadecimal digits of the texts of some columns (SHA-256 of them as a JSON array)."""

    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Template:
    """The pieces of a text. `columns`: those that are named in it; `only_column`: where it is nothing but that."""

    pieces: tuple[str | Column | Hash, ...]
    columns: tuple[str, ...] = field(init=False)
    only_column: str | None = field(init=False)

    def __post_init__(self) -> None:
        named: dict[str, None] = {}
        for piece in self.pieces:
            if isinstance(piece, Column):
                named[piece.name] = None
            elif isinstance(piece, Hash):
                named |= dict.fromkeys(piece.columns)
        object.__setattr__(self, "columns", tuple(named))
        first = self.pieces[0] if len(self.pieces) == 1 else None
        object.__setattr__(self, "only_column", first.name if isinstance(first, Column) else None)

    def render(self, text: Callable[[str], str | None]) -> str | None:
        """The text; None where a column in it is empty (of a hash: all of its columns)."""
        parts: list[str] = []
        for piece in self.pieces:
            part: str | None
            if isinstance(piece, str):
                part = piece
            elif isinstance(piece, Column):
                part = text(piece.name)
            else:
                texts = [text(name) or "" for name in piece.columns]
                part = _digest(texts) if any(texts) else None
            if part is None:
                return None
            parts.append(part)
        return "".join(parts)


def template_of(text: str) -> Template:
    """The template that a text describes. Raises ValueError with a sentence for one that is none."""
    if (whole := _HASH.fullmatch(text.strip())) is not None:
        return Template((_hash(whole[1]),))
    pieces: list[str | Column | Hash] = []
    literal, end = "", 0
    for found in _PIECE.finditer(text):
        literal += text[end : found.start()]
        end = found.end()
        if found[0] in {"{{", "}}"}:
            literal += found[0][0]
            continue
        if found[0] in {"{", "}"}:
            raise ValueError(f"{text!r} has a brace without its partner: write {{{{ or }}}} for one that is meant.")
        if literal:
            pieces.append(literal)
            literal = ""
        inside = found[1].strip()
        if not inside:
            raise ValueError(f"{text!r} names no column between its braces.")
        hashed = _HASH.fullmatch(inside)
        pieces.append(Column(inside) if hashed is None else _hash(hashed[1]))
    literal += text[end:]
    if literal:
        pieces.append(literal)
    return Template(tuple(pieces))


def _hash(inside: str) -> Hash:
    columns = tuple(name.strip() for name in inside.split(","))
    if not all(columns):
        raise ValueError(f"hash({inside}) names no column: write hash(COLUMN, COLUMN).")
    return Hash(columns)


def _digest(texts: list[str]) -> str:
    return hashlib.sha256(json.dumps(texts, ensure_ascii=False).encode()).hexdigest()[:_HASH_DIGITS]
