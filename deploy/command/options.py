"""Options that several commands take, and how results are printed."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="The stack's directory (QUAYSIDE_DATA; default quayside-data)."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object, on the last line.")]


def print_json(value: Any) -> None:
    """One JSON object on one line."""
    print(json.dumps(value, ensure_ascii=False), flush=True)
