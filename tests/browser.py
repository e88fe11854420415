"""A headless Chromium that opens a page, lets its scripts run, and tells what stands there then."""

import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Final, NamedTuple

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
_PATIENCE_S: Final = 90


class NoBrowser(Exception):
    """There is no Chromium on this machine."""


class Panel(NamedTuple):
    """A panel as it stands on the page: its title, its figures as they are kept (not as shown), and its words."""

    title: str
    values: tuple[str, ...]
    words: str
    odd: bool


class Page(NamedTuple):
    """A page: how many panels failed, and all of them by title.

    `titles`: of all panels, in the order of the page. Of two that are the same the last one is in `panels`.
    """

    failed: int
    panels: dict[str, Panel]
    links: tuple[str, ...]
    titles: tuple[str, ...]


def opened(url: str, folder: Path, *, width: int = 1366, height: int = 2600) -> Page:
    """Open a page of the live board. Raises NoBrowser."""
    dom = subprocess.run(
        [*_command(folder, width, height), "--dump-dom", url], capture_output=True, timeout=_PATIENCE_S, check=True
    )
    reader = _Reader()
    reader.feed(dom.stdout.decode())
    panels = reader.panels()
    titles = tuple(panel.title for panel in panels)
    return Page(reader.failed, {panel.title: panel for panel in panels}, tuple(reader.links), titles)


def screenshot(url: str, folder: Path, file: Path, *, width: int = 1366, height: int = 768) -> None:
    """Take a picture of a page. Raises NoBrowser."""
    command = [*_command(folder, width, height), f"--screenshot={file}", "--hide-scrollbars", url]
    subprocess.run(command, capture_output=True, timeout=_PATIENCE_S, check=True)


def _command(folder: Path, width: int, height: int) -> list[str]:
    found = next((path for path in map(shutil.which, _NAMES) if path), None)
    if found is None:
        raise NoBrowser("no chromium is installed: `apt-get install chromium` or the like")
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--virtual-time-budget=20000",
        f"--user-data-dir={folder}",
    ]
    return [found, *options, f"--window-size={width},{height}"]


class _Reader(HTMLParser):
    """Reads sections (panels), their data-value attributes, and links."""

    def __init__(self) -> None:
        super().__init__()
        self.failed = -1
        self.links: list[str] = []
        self._found: list[tuple[str, list[str], list[str], list[bool]]] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "body":
            self.failed = int(given.get("data-failed") or -1)
        if tag == "section":
            self._found.append((given.get("data-title") or "", [], [], []))
            self._inside = True
        if tag == "a" and given.get("href"):
            self.links.append(given["href"] or "")
        if self._inside:
            if given.get("data-value") is not None:
                self._found[-1][1].append(given["data-value"] or "")
            if given.get("class") == "odd":
                self._found[-1][3].append(True)

    def handle_endtag(self, tag: str) -> None:
        if tag == "section":
            self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self._found[-1][2].append(data)

    def panels(self) -> list[Panel]:
        return [Panel(title, tuple(values), " ".join(words), bool(odd)) for title, values, words, odd in self._found]
