"""Finds a `grafana` on this machine, starts it with our provisioning on loopback, and stops it.

Grafana is not part of Quayside and is not installed by it: where there is no binary, `find` gives None and
`start` is not called. Its data (users, its own database) stays in the folder it is given.
"""

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.error import URLError
from urllib.request import urlopen

from dashboards.names import CONTROL_TOWER_UID, DATASOURCE_TYPE, FOLDER_TITLE
from deploy.broker import free_port
from schemas.errors import Unreachable

LOOPBACK: Final = "127.0.0.1"
ADMIN: Final = "admin"

_NAMES: Final = ("grafana", "grafana-server")
_HOMES: Final = (
    Path("/usr/share/grafana"),
    Path("/opt/homebrew/share/grafana"),
    Path("/usr/local/share/grafana"),
)
_PLUGINS: Final = (Path("/var/lib/grafana/plugins"), Path("/opt/homebrew/var/lib/grafana/plugins"))
_POLL_SECONDS: Final = 0.1
_TAIL: Final = 5


@dataclass(frozen=True, slots=True)
class Installation:
    """A Grafana on this machine. `plugins`: the folder with the ClickHouse plugin; None where it is missing."""

    binary: Path
    home: Path
    plugins: Path | None

    @property
    def lack(self) -> str | None:
        """What is missing for our dashboards to show anything, in one sentence; None if nothing is."""
        if self.plugins is not None:
            return None
        return (
            f"{self.binary} is there, but not its ClickHouse plugin: install it with "
            f"`grafana cli plugins install {DATASOURCE_TYPE}`"
        )


@dataclass(frozen=True, slots=True)
class Running:
    """A Grafana that we started and that answers. `password` is that of its user `admin`."""

    pid: int
    url: str
    log: Path
    password: str = field(repr=False)

    @property
    def control_tower(self) -> str:
        """The address at which people begin."""
        return f"{self.url}/d/{CONTROL_TOWER_UID}"


def find(binary: Path | None = None, home: Path | None = None, plugins: Path | None = None) -> Installation | None:
    """The Grafana of this machine, or None where there is none.

    Each argument overrides a search: the binary on PATH (`grafana`, else `grafana-server`), its home (the
    folder with conf/defaults.ini) next to the binary or where packages put it, the plugins below its data.
    """
    found = binary or next((Path(path) for name in _NAMES if (path := shutil.which(name))), None)
    if found is None or not os.access(found, os.X_OK) or not found.is_file():
        return None
    beside = found.resolve().parent.parent
    where = home or next((each for each in (beside, *_HOMES) if (each / "conf" / "defaults.ini").is_file()), beside)
    places = (plugins,) if plugins is not None else _plugin_places(where)
    return Installation(found, where, next((each for each in places if _has_plugin(each)), None))


def start(
    installation: Installation,
    provisioning: Path,
    data: Path,
    environment: Mapping[str, str] | None = None,
    port: int | None = None,
    patience_seconds: float = 60.0,
) -> Running:
    """Starts Grafana on loopback and returns when it answers.

    Args:
        installation: What `find` found.
        provisioning: What `dashboards.provisioning.write_provisioning` wrote.
        data: A folder for its database and log; made if missing.
        environment: The variables to which the provisioning refers (`dashboards.provisioning.environment`).
        port: The port to listen on; a free one if None.
        patience_seconds: How long its first answer may take; the first start makes its database.

    Raises:
        Unreachable: It ended, or did not answer in time; the message quotes the end of its log.
    """
    data.mkdir(parents=True, exist_ok=True)
    log = data / "grafana.log"
    password = _password(data / "admin.password")
    port = port or free_port()
    own = _settings(installation, provisioning, data, port, password)
    command = [str(installation.binary)]
    if installation.binary.name == "grafana":
        command.append("server")
    command += ["--homepath", str(installation.home)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env={**os.environ, **(environment or {}), **own},
            cwd=data,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a Ctrl-C in the terminal is ours to handle: we stop it by its pid
        )
    url = f"http://{LOOPBACK}:{port}"
    until = time.monotonic() + patience_seconds
    while not _healthy(url):
        ended = process.poll() is not None
        if ended or time.monotonic() > until:
            stop(process.pid)
            how = f"ended with {process.returncode}" if ended else f"did not answer in {patience_seconds:.0f} s"
            raise Unreachable(f"Grafana ({installation.binary}) {how}; see {log}, which ends: {_end_of(log)}")
        time.sleep(_POLL_SECONDS)
    return Running(process.pid, url, log, password)


def stop(pid: int, grace_seconds: float = 5.0) -> None:
    """Ends the Grafana with this pid: asks first, kills it after `grace_seconds`. Harmless if it is gone."""
    for sign, seconds in ((signal.SIGTERM, grace_seconds), (signal.SIGKILL, grace_seconds)):
        try:
            os.kill(pid, sign)
        except ProcessLookupError:
            return
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if not _alive(pid):
                return
            time.sleep(_POLL_SECONDS)


def _settings(installation: Installation, provisioning: Path, data: Path, port: int, password: str) -> dict[str, str]:
    home = provisioning.resolve() / "files" / FOLDER_TITLE / "control-tower.json"
    settings = {
        "GF_SERVER_HTTP_ADDR": LOOPBACK,
        "GF_SERVER_HTTP_PORT": str(port),
        "GF_SERVER_ROOT_URL": f"http://{LOOPBACK}:{port}/",
        "GF_PATHS_PROVISIONING": str(provisioning.resolve()),
        "GF_PATHS_DATA": str(data.resolve()),
        "GF_PATHS_LOGS": str(data.resolve() / "log"),
        "GF_LOG_MODE": "console",
        "GF_SECURITY_ADMIN_USER": ADMIN,
        "GF_SECURITY_ADMIN_PASSWORD": password,
        "GF_AUTH_ANONYMOUS_ENABLED": "true",
        "GF_AUTH_ANONYMOUS_ORG_ROLE": "Viewer",
        "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH": str(home),
        "GF_DASHBOARDS_MIN_REFRESH_INTERVAL": "5s",
        # The policy tree that files bring is read at this poll only: with the default of 60 s, the first
        # alerts of a fresh Grafana go to its default receiver instead of ours.
        "GF_UNIFIED_ALERTING_ADMIN_CONFIG_POLL_INTERVAL": "10s",
        "GF_UNIFIED_ALERTING_MIN_INTERVAL": "10s",
        # Nothing is asked of or told to anyone outside.
        "GF_ANALYTICS_REPORTING_ENABLED": "false",
        "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
        "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
        "GF_ANALYTICS_FEEDBACK_LINKS_ENABLED": "false",
        "GF_NEWS_NEWS_FEED_ENABLED": "false",
        "GF_SECURITY_DISABLE_GRAVATAR": "true",
        "GF_SNAPSHOTS_EXTERNAL_ENABLED": "false",
        "GF_PLUGINS_PREINSTALL_DISABLED": "true",
        "GF_PLUGINS_PUBLIC_KEY_RETRIEVAL_DISABLED": "true",
    }
    if installation.plugins is not None:
        settings["GF_PATHS_PLUGINS"] = str(installation.plugins.resolve())
    return settings


def _plugin_places(home: Path) -> Iterable[Path]:
    told = os.environ.get("GF_PATHS_PLUGINS")
    return (*((Path(told),) if told else ()), home / "data" / "plugins", home / "plugins-bundled", *_PLUGINS)


def _has_plugin(folder: Path) -> bool:
    """Whether a folder holds the plugin, under whatever name."""
    for description in (*folder.glob("*/plugin.json"), *folder.glob("*/dist/plugin.json")):
        with contextlib.suppress(OSError, ValueError):
            if json.loads(description.read_text(encoding="utf-8")).get("id") == DATASOURCE_TYPE:
                return True
    return False


def _password(path: Path) -> str:
    """The password of `admin`: made once, for Grafana takes it only when it makes its database."""
    if not path.is_file():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(18), encoding="utf-8")
    return path.read_text(encoding="utf-8").strip()


def _healthy(url: str) -> bool:
    try:
        with urlopen(f"{url}/api/health", timeout=2) as answer:  # noqa: S310 - our own loopback address
            return bool(answer.status == 200)  # noqa: PLR2004 - HTTP's OK
    except (URLError, OSError):
        return False


def _alive(pid: int) -> bool:
    with contextlib.suppress(ChildProcessError):  # not our child: somebody else started it
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _end_of(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-_TAIL:]
    return " | ".join(lines) or "nothing"
