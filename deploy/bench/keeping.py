"""What benchmarks and tests fetch once: the folder it is kept in, by the content of what it was made from."""

import fcntl
import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from schemas.errors import Unreachable

ROOT: Final = Path(__file__).parents[2]
"""The project's folder, where this is a checkout."""

KEPT: Final = ROOT / ".cache" if (ROOT / "pyproject.toml").exists() else Path.home() / ".cache" / "quayside"

_PATIENCE_S: Final = 600


class NotFetched(Unreachable):
    """Something that is fetched at run time could not be; the message says what is missing."""


def made_once(kind: str, sources: Sequence[Path], make: Callable[[Path], None]) -> Path:
    """The folder that `make` filled for these sources, now or in an earlier run.

    `make` gets an empty folder, which is moved to its place when it returns: a run that was killed leaves no half of
    it. Runs at the same time make it once.
    """
    home = KEPT / kind
    home.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources))
    wanted = home / digest.hexdigest()[:12]
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not wanted.exists():
            with tempfile.TemporaryDirectory(dir=home) as unfinished:
                made = Path(unfinished) / "made"
                made.mkdir()
                make(made)
                made.rename(wanted)
    return wanted


def maven(pom: Path, goals: Sequence[str], what: str) -> None:
    """Run Maven on a pom. Raises NotFetched, naming `what` is wanted."""
    if shutil.which("mvn") is None:
        raise NotFetched(f"{what} are fetched by `mvn` (Maven), and there is none on the PATH: install it.")
    _run(["mvn", "-q", "-B", "-f", str(pom), *goals], f"Maven could not fetch {what}")


def pip(python: Path, arguments: Sequence[str], what: str) -> None:
    """Run the pip of a virtual environment. Raises NotFetched, naming `what` is wanted."""
    _run([str(python), "-m", "pip", "--disable-pip-version-check", "-q", *arguments], f"pip could not install {what}")


def java() -> str:
    """The `java` on the PATH. Raises NotFetched where there is none."""
    found = shutil.which("java")
    if found is None:
        raise NotFetched("Apache Kafka needs `java` (17 or newer) on the PATH, and there is none: install it.")
    return found


def _run(command: list[str], failed: str) -> None:
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
    except subprocess.TimeoutExpired:
        raise NotFetched(f"{failed} within {_PATIENCE_S} s: see that the network is there, and try again.") from None
    if ended.returncode:
        said = (ended.stdout + ended.stderr).strip().splitlines()
        raise NotFetched(f"{failed}: {said[0] if said else 'it said nothing'}")
