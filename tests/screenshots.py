"""`make screenshots`: the pictures of the live board in docs/images, taken from a demo stack by a headless Chromium.

It starts a stack of its own in a temporary directory, lets the demo go on for a while, takes each picture in light and
in dark, and stops the stack. The demo's clock is the present, so two runs differ in their times.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Final
from urllib.parse import quote

from dashboards.names import CONTROL_TOWER_UID, SHIPMENT_UID
from tests.browser import NoBrowser, screenshot
from tests.e2e.stack import ROOT, Stack, await_, new_stack

IMAGES: Final = ROOT / "docs" / "images"
MOST_BYTES: Final = 300_000
_A_STORY: Final = """
SELECT shipment_id
FROM late_shipments
INNER JOIN
(
    SELECT shipment_id, count() AS told, uniqExact(source) AS sources
    FROM shipment_events WHERE milestone != '' GROUP BY shipment_id
) AS events USING (shipment_id)
WHERE late_hours < 200
ORDER BY sources DESC, told DESC, shipment_id
LIMIT 1
"""


def main() -> None:
    """Take all pictures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--seconds", type=float, default=240, help="for how long the demo goes on first")
    parser.add_argument("--to", type=Path, default=IMAGES, help="where the pictures are written")
    told = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="quayside-screenshots-") as folder,
        new_stack(Path(folder) / "data") as stack,
    ):
        stack.up("--demo", "--seed", "1")
        await_("the demo's history is there", lambda: stack.status()["shipments_open"] > 0)
        time.sleep(told.seconds)
        try:
            take(stack, Path(folder), told.to)
        except NoBrowser as reason:
            sys.exit(f"No pictures were taken: {reason}.")


def take(stack: Stack, folder: Path, to: Path) -> None:
    """Take the pictures of a running demo."""
    told = stack.file()
    assert told is not None
    board = told.board
    assert board is not None, "no board is shown where a Grafana is installed"
    to.mkdir(parents=True, exist_ok=True)
    for theme in ("light", "dark"):
        (shipment,) = stack.row(_A_STORY)  # chosen at the last moment: it may arrive while the others are taken
        for name, path in (
            ("late-shipment", f"/d/{SHIPMENT_UID}?from=now-7d&to=now&var-shipment_id={quote(shipment)}"),
            ("control-tower", f"/d/{CONTROL_TOWER_UID}?from=now-15m&to=now"),
        ):
            file = to / f"{name}-{theme}.png"
            screenshot(f"{board}{path}&theme={theme}", folder / "profile", file)
            size = file.stat().st_size
            print(f"{file.name} {size:,} bytes", flush=True)  # noqa: T201  # for who waits
            assert size < MOST_BYTES, file


if __name__ == "__main__":
    main()
