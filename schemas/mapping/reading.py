"""From the text of a mapping file to a mapping that is sound, or to one sentence with the line of what is wrong."""

from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from schemas.errors import WrongInput
from schemas.mapping.checking import Problem, problems
from schemas.mapping.model import Condition, EventRule, FileSettings, Mapping, Numbers, Said, Skip
from schemas.mapping.yaml_lines import Located, Path, read_yaml
from schemas.wording import instead, shown


def read_mapping(name: str, raw: bytes) -> Mapping:
    """The mapping in a file of this name. Raises WrongInput: FILE:LINE, what is wrong there, and what to write."""
    document = read_yaml(name, raw)
    if not isinstance(document.value, dict):
        raise WrongInput(f"{name} is no mapping: it has to begin with `source:` (docs/mapping.md).")
    try:
        mapping = Mapping.model_validate(document.value)
    except ValidationError as error:
        found = [_problem(problem) for problem in error.errors(include_url=False)]
    else:
        found = list(dict.fromkeys(problems(mapping)))
        if not found:
            return mapping
    raise _told(document, found)


def _told(document: Located, found: list[Problem]) -> WrongInput:
    """The first one by line, and how many more there are."""
    found.sort(key=lambda problem: document.line(problem.path))
    more = len(found) - 1
    behind = f" (and {more} more problem{'s' if more > 1 else ''})" if more else ""
    return document.wrong(found[0].path, found[0].sentence + behind)


def _problem(problem: ErrorDetails) -> Problem:
    path: Path = tuple(problem["loc"])
    where, kind = _dotted(path), problem["type"]
    if kind == "missing":
        return Problem(path, f"{where} is missing: it is required (docs/mapping.md).")
    if kind == "extra_forbidden":
        return Problem(path, f"`{path[-1]}` is no key here: {instead(str(path[-1]), _keys(path[:-1]))}")
    message = problem["msg"]
    sentence = f"{where} {shown(problem.get('input'))} is wrong: {message[:1].lower()}{message[1:]}"
    return Problem(path, sentence.rstrip(".") + ".")


def _keys(path: Path) -> list[str]:
    """The keys that are known where this path leads."""
    match [part for part in path if isinstance(part, str)]:
        case []:
            model: type = Mapping
        case ["file"]:
            model = FileSettings
        case ["numbers"]:
            model = Numbers
        case ["skip"]:
            model = Skip
        case ["events"]:
            model = EventRule
        case [*_, "when" | "retracted"]:
            model = Condition
        case _:
            model = Said
    fields: Final = getattr(model, "model_fields", {})
    return [told.alias or name for name, told in fields.items()]


def _dotted(path: Path) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return f"`{text}`"
