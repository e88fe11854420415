"""YAML with the line of everything in it, and all scalars as the texts they are.

A mapping file is full of other people's codes: that `NO` is false, `010` is eight and `2026-03-01` is a date is what
nobody means there. So scalars stay texts, and whoever reads them knows what they are to be.
"""

from typing import Any, Final, NamedTuple

import yaml

from schemas.errors import WrongInput

Path = tuple[str | int, ...]

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MOST_NODES: Final = 500_000


class Located(NamedTuple):
    """A document of dicts, lists, texts and None, and on which line (from 1) each path in it stands."""

    name: str
    value: Any
    lines: dict[Path, int]

    def line(self, path: Path) -> int:
        """The line of what stands there, or of what it stands in."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def wrong(self, path: Path, sentence: str) -> WrongInput:
        """The error that tells of something in it."""
        return WrongInput(f"{self.name}:{self.line(path)}: {sentence}")


def read_yaml(name: str, raw: bytes) -> Located:
    """The document in a YAML file. Raises WrongInput for what is no YAML, or has a key twice."""
    try:
        node = yaml.compose(raw.decode("utf-8-sig"), Loader=_LOADER)
        reader = _Reader(name)
        value = None if node is None else reader.read(node, ())
    except UnicodeDecodeError:
        raise WrongInput(f"{name} is not UTF-8 text: save it as UTF-8.") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f":{mark.line + 1}" if mark else ""
        raise WrongInput(f"{name}{at}: It is not YAML: {error.problem or error.context}.") from None
    except (yaml.YAMLError, RecursionError) as error:
        said = str(error).splitlines()[0].rstrip(".") if not isinstance(error, RecursionError) else "nested too deeply"
        raise WrongInput(f"{name} is not YAML: {said}.") from None
    return Located(name, value, reader.lines)


class _Reader:
    def __init__(self, name: str) -> None:
        self.lines: dict[Path, int] = {}
        self._name = name
        self._inside: set[int] = set()
        self._nodes = 0

    def read(self, node: yaml.Node, path: Path) -> Any:
        self._nodes += 1
        if id(node) in self._inside or self._nodes > _MOST_NODES:
            raise WrongInput(
                f"{self._name}:{node.start_mark.line + 1}: An alias leads into itself, or to too much: write it out."
            )
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.ScalarNode):
            return None if not node.style and node.value in {"", "~", "null"} else node.value
        self._inside.add(id(node))
        try:
            return self._items(node, path) if isinstance(node, yaml.SequenceNode) else self._keys(node, path)
        finally:
            self._inside.discard(id(node))

    def _items(self, node: yaml.SequenceNode, path: Path) -> list[Any]:
        return [self.read(item, (*path, at)) for at, item in enumerate(node.value)]

    def _keys(self, node: Any, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise WrongInput(
                    f"{self._name}:{line}: A key is a list or a mapping: texts with braces or brackets need quotes."
                )
            if key.value in found:
                before = self.lines[*path, key.value]
                raise WrongInput(f"{self._name}:{line}: {key.value!r} is there twice, first on line {before}.")
            self.lines[*path, key.value] = line
            found[key.value] = self.read(value, (*path, key.value))
        return found
