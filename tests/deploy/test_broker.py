import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from kafka import KafkaAdminClient

from deploy.broker import Broker, launch, stop
from schemas.errors import Unreachable
from tests.brokers import running_tansu

_PATIENCE_S = 10.0


def _program(path: Path, text: str) -> Path:
    path.write_text(f"#!{sys.executable}\n{text}\n")
    path.chmod(0o755)
    return path


def _ends(pid: int) -> bool:
    """Whether a process that may not be our child ends (or is a zombie) soon."""
    status = Path(f"/proc/{pid}/stat")
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        try:
            state = status.read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


@pytest.mark.tansu
def test_a_started_broker_answers_at_once_and_a_stopped_one_is_gone(tmp_path: Path) -> None:
    broker = Broker.start(tmp_path / "tansu.log")
    try:
        assert broker.alive()
        with KafkaAdminClient(bootstrap_servers=broker.address) as admin:
            assert admin.list_topics() == []
    finally:
        broker.stop()
    assert not broker.alive()
    broker.stop()  # once more is harmless
    assert "listening on" in (tmp_path / "tansu.log").read_text()


@pytest.mark.tansu
def test_two_brokers_do_not_get_into_each_others_way(tmp_path: Path) -> None:
    with running_tansu(tmp_path) as one, running_tansu(tmp_path) as other:
        assert one.address != other.address
        assert one.alive()
        assert other.alive()


@pytest.mark.tansu
def test_a_broker_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    started: list[Broker] = []
    thread = threading.Thread(target=lambda: started.append(Broker.start(tmp_path / "tansu.log")))
    thread.start()
    thread.join()
    (broker,) = started
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            broker.process.wait(0.3)
    finally:
        broker.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can tie a child to its parent")
@pytest.mark.tansu
def test_a_broker_dies_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    parent = (
        "import sys, time; from pathlib import Path; from deploy.broker import Broker;"
        "print(Broker.start(Path(sys.argv[1])).process.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent, str(tmp_path / "tansu.log")],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        os.kill(pid, 0)  # it runs
        process.send_signal(signal.SIGKILL)
    assert _ends(pid)


def test_a_machine_without_a_broker_program_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CALF_TANSU_BIN", str(tmp_path / "missing"))
    with pytest.raises(Unreachable, match="QUAYSIDE_KAFKA"):
        Broker.start(tmp_path / "tansu.log")


def test_a_broker_that_ends_at_start_is_reported_with_its_last_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log = tmp_path / "tansu.log"
    log.write_text("words of an earlier one\n")
    broken = _program(tmp_path / "tansu", r"print('\033[31mno memory left\033[0m\n'); raise SystemExit(3)")
    monkeypatch.setenv("CALF_TANSU_BIN", str(broken))
    with pytest.raises(Unreachable, match=r"exit code 3, last said: 'no memory left'"):
        Broker.start(log)


def test_a_program_that_ignores_a_request_to_end_is_killed(tmp_path: Path) -> None:
    stubborn = _program(
        tmp_path / "stubborn",
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\ntime.sleep(60)",
    )
    log = tmp_path / "log"
    process = launch([str(stubborn)], log)
    deadline = time.monotonic() + _PATIENCE_S
    while not (log.exists() and log.read_text()) and time.monotonic() < deadline:
        time.sleep(0.01)
    stop(process, grace_s=0.1)
    assert process.returncode == -signal.SIGKILL


def test_a_program_that_cannot_be_run_ends_with_the_reason_in_its_log(tmp_path: Path) -> None:
    try:
        process = launch([str(tmp_path / "missing")], tmp_path / "log")
    except OSError:  # where there is no wrapper around it
        return
    assert process.wait() != 0
    assert "No such file" in (tmp_path / "log").read_text()
