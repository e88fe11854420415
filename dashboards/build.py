"""Builds the dashboards' JSON: `quayside dashboards build` writes dashboards/generated/*.json.

The files are committed; a test holds that building again gives the same bytes.
"""

import json
import sys
from pathlib import Path
from typing import Final

from dashboards.board import Dashboard
from dashboards.control_tower import CONTROL_TOWER
from dashboards.lead_times import LEAD_TIMES
from dashboards.panels import Json
from dashboards.pictures import over
from dashboards.pipeline import PIPELINE
from dashboards.shipment import SHIPMENT
from dashboards.shipments_and_delays import SHIPMENTS_AND_DELAYS
from dashboards.stock import STOCK
from dashboards.suppliers import SUPPLIERS

DASHBOARDS: Final[tuple[Dashboard, ...]] = (
    CONTROL_TOWER,
    SHIPMENTS_AND_DELAYS,
    SHIPMENT,
    STOCK,
    LEAD_TIMES,
    SUPPLIERS,
    PIPELINE,
)
"""All dashboards, general to specific."""

GENERATED: Final = Path(__file__).parent / "generated"


def boards(base: str = "offline") -> dict[str, list[Json]]:
    """All dashboards as Grafana reads them, by the title of their folder. `base`: what the maps lie over."""
    found: dict[str, list[Json]] = {}
    for board in DASHBOARDS:
        found.setdefault(board.folder, []).append(over(board.json(), base))
    return found


def text(board: Json) -> str:
    """A dashboard as its file has it."""
    return json.dumps(board, indent=2, ensure_ascii=False) + "\n"


def build() -> dict[str, str]:
    """The text of every dashboard file, by file name."""
    return {f"{board.file}.json": text(board.json()) for board in DASHBOARDS}


def write(folder: Path = GENERATED) -> tuple[Path, ...]:
    """Writes all dashboards into `folder` (made if missing) and returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, told in build().items():
        path = folder / name
        path.write_text(told, encoding="utf-8")
        paths.append(path)
    return tuple(paths)


def differences(folder: Path = GENERATED) -> tuple[str, ...]:
    """The names of files in `folder` that building again would change, make or leave over, sorted."""
    there = {path.name: path.read_bytes() for path in folder.glob("*.json")}
    wanted = {name: told.encode() for name, told in build().items()}
    return tuple(sorted(name for name in there.keys() | wanted.keys() if there.get(name) != wanted.get(name)))


if __name__ == "__main__":
    for written in write():
        sys.stdout.write(f"{written.name}\n")
