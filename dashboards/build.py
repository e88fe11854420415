"""Builds the dashboards' JSON: `python -m dashboards.build` writes dashboards/generated/*.json.

The files are committed; a test holds that building again gives the same bytes.
"""

import json
import sys
from pathlib import Path
from typing import Final

from dashboards.board import Dashboard
from dashboards.control_tower import CONTROL_TOWER
from dashboards.shipments_and_delays import SHIPMENTS_AND_DELAYS

DASHBOARDS: Final[tuple[Dashboard, ...]] = (CONTROL_TOWER, SHIPMENTS_AND_DELAYS)
"""All dashboards, general to specific."""

GENERATED: Final = Path(__file__).parent / "generated"


def build() -> dict[str, str]:
    """The text of every dashboard file, by file name."""
    return {f"{board.file}.json": json.dumps(board.json(), indent=2, ensure_ascii=False) + "\n" for board in DASHBOARDS}


def write(folder: Path = GENERATED) -> tuple[Path, ...]:
    """Writes all dashboards into `folder` (made if missing) and returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, text in build().items():
        path = folder / name
        path.write_text(text, encoding="utf-8")
        paths.append(path)
    return tuple(paths)


if __name__ == "__main__":
    for written in write():
        sys.stdout.write(f"{written.name}\n")
