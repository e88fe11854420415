"""Tokens: who may publish as whom, what a running gateway notices, and what is on disk."""

import json
import os
import re
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from typer.testing import CliRunner, Result

from deploy.command.main import app
from deploy.tokens import ANY_SOURCE, PARTNER_TOPICS, Grant, TokenFile
from schemas.errors import WrongInput
from schemas.wire import event_types

HOUR_MS: Final = 3_600_000


class Clock:
    """A clock that stands still until it is told otherwise."""

    def __init__(self) -> None:
        self.ms = 1_800_000_000_000

    def __call__(self) -> int:
        """The time, in ms."""
        return self.ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "tokens.json"


@pytest.fixture
def opened(path: Path, clock: Clock) -> Callable[[], TokenFile]:
    """Opens the file as another process would, and looks at it at every question."""
    return lambda: TokenFile(path, clock=clock, every_s=0)


def test_a_secret_is_good_for_what_was_granted_and_nothing_else_is_good_for_anything(
    opened: Callable[[], TokenFile],
) -> None:
    made = opened().create("acme-wms", ["acme", "acme-2"], types=["received"], events_per_s=5, burst=7, max_bytes=9)
    assert made.grant == Grant("acme-wms", ("acme", "acme-2"), ("received",), 5, 7, 9)
    gateway = opened()
    assert gateway.grant_of(made.secret) == made.grant
    swapped = made.secret[:-1] + ("A" if made.secret[-1] != "A" else "B")
    for wrong in ("", "x", swapped, made.secret + " ", made.secret[:-1], "\ud800" * 46, "ü" * 46, "qs_" + "A" * 43):
        assert gateway.grant_of(wrong) is None


def test_a_secret_has_256_bits_of_its_own(opened: Callable[[], TokenFile]) -> None:
    file = opened()
    found = {file.create(f"t{number}", ["acme"]).secret for number in range(20)}
    assert len(found) == 20
    assert all(re.fullmatch(r"qs_[A-Za-z0-9_-]{43}", secret) for secret in found)


def test_who_may_say_what() -> None:
    some = Grant("t", ("acme",), ("received", "counted"), 1, 1, 1)
    assert some.speaks_for("acme")
    assert not some.speaks_for("globex")
    assert some.may_say("acme", "received")
    assert not some.may_say("acme", "shipped")
    assert not some.may_say("globex", "received")
    assert Grant("t", (ANY_SOURCE,), (), 1, 1, 1).may_say("globex", "received")
    assert not Grant("t", ("acme",), (), 1, 1, 1).speaks_for(ANY_SOURCE)


def test_without_named_types_a_token_cannot_change_what_everybody_is_shown() -> None:
    grant = Grant("t", ("acme",), (), 1, 1, 1)
    for kind, model in event_types().items():
        assert grant.may_say("acme", kind) == (model.topic in PARTNER_TOPICS), kind
    assert not grant.may_say("acme", "nonsense")
    assert Grant("t", ("acme",), ("acknowledged",), 1, 1, 1).may_say("acme", "acknowledged")


def test_a_running_gateway_notices_what_another_process_does(opened: Callable[[], TokenFile]) -> None:
    gateway, person = opened(), opened()
    assert gateway.grant_of("qs_" + "A" * 43) is None
    first = person.create("a", ["acme"])
    assert gateway.grant_of(first.secret) == first.grant
    second = person.create("b", ["acme"])
    assert gateway.grant_of(second.secret) == second.grant
    person.revoke("a")
    assert gateway.grant_of(first.secret) is None
    assert gateway.grant_of(second.secret) == second.grant
    person.revoke("b")
    assert gateway.grant_of(second.secret) is None


def test_the_file_is_looked_at_no_more_than_it_was_asked_to(
    path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = [100.0]
    monkeypatch.setattr("deploy.tokens.time.monotonic", lambda: ticks[0])
    person = TokenFile(path, clock=clock)
    made = person.create("a", ["acme"])
    gateway = TokenFile(path, clock=clock)
    assert gateway.grant_of(made.secret) is not None
    person.revoke("a")
    ticks[0] += 0.15
    assert gateway.grant_of(made.secret) is not None
    ticks[0] += 0.1
    assert gateway.grant_of(made.secret) is None


def test_what_has_not_changed_is_read_once(path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    made = TokenFile(path, clock=clock).create("a", ["acme"])
    gateway = TokenFile(path, clock=clock, every_s=0)
    assert gateway.grant_of(made.secret) == made.grant
    monkeypatch.setattr(Path, "open", lambda *_, **__: pytest.fail("read again"))
    assert gateway.grant_of(made.secret) == made.grant


def test_a_rotated_token_has_its_old_secret_for_the_grace_and_no_longer(
    opened: Callable[[], TokenFile], clock: Clock
) -> None:
    file, gateway = opened(), opened()
    first = file.create("a", ["acme"])
    second = file.rotate("a", HOUR_MS)
    assert second.grant == first.grant
    assert second.old_until == clock.ms + HOUR_MS
    assert second.secret != first.secret
    assert gateway.grant_of(first.secret) == gateway.grant_of(second.secret) == first.grant
    clock.ms += HOUR_MS - 1
    assert gateway.grant_of(first.secret) == first.grant
    clock.ms += 1
    assert gateway.grant_of(first.secret) is None
    assert gateway.grant_of(second.secret) == first.grant
    (listed,) = file.listed()
    assert listed.old_until is None


def test_without_grace_every_older_secret_ends_at_once(opened: Callable[[], TokenFile]) -> None:
    file, gateway = opened(), opened()
    first = file.create("a", ["acme"])
    second = file.rotate("a", HOUR_MS)
    third = file.rotate("a")
    assert third.old_until is None
    assert [gateway.grant_of(one.secret) for one in (first, second, third)] == [None, None, first.grant]


def test_a_later_grace_does_not_lengthen_an_earlier_one(opened: Callable[[], TokenFile], clock: Clock) -> None:
    file, gateway = opened(), opened()
    first = file.create("a", ["acme"])
    second = file.rotate("a", HOUR_MS)
    file.rotate("a", 5 * HOUR_MS)
    clock.ms += 2 * HOUR_MS
    assert gateway.grant_of(first.secret) is None
    assert gateway.grant_of(second.secret) == first.grant


def test_a_revoked_name_is_free_again_and_its_secrets_stay_dead(opened: Callable[[], TokenFile]) -> None:
    file = opened()
    first = file.create("a", ["acme"])
    file.rotate("a", HOUR_MS)
    file.revoke("a")
    again = file.create("a", ["globex"])
    assert file.grant_of(first.secret) is None
    assert file.grant_of(again.secret) == again.grant


@pytest.mark.parametrize(
    ("name", "sources", "more", "said"),
    [
        ("a", ["acme"], {}, "There is a token 'a' already"),
        ("", ["acme"], {}, "'' is no name for a token"),
        ("a b", ["acme"], {}, "'a b' is no name"),
        ("b\n", ["acme"], {}, "is no name"),
        ("b", [], {}, "'b' needs a source"),
        ("b", [""], {}, "'' is no source"),
        ("b", ["a\x00"], {}, "is no source"),
        ("b", ["x" * 201], {}, "is no source"),
        ("b", ["acme"], {"types": ["recieved"]}, "There is no event type 'recieved': types are order_placed"),
        ("b", ["acme"], {"events_per_s": 0}, "The rate of a token cannot be 0"),
        ("b", ["acme"], {"burst": 0}, "The burst of a token cannot be 0"),
        ("b", ["acme"], {"max_bytes": -1}, "The largest body of a token cannot be -1"),
    ],
)
def test_what_cannot_be_granted_is_refused_with_a_sentence_and_changes_nothing(
    opened: Callable[[], TokenFile], path: Path, name: str, sources: list[str], more: dict[str, Any], said: str
) -> None:
    opened().create("a", ["acme"])
    before = path.read_bytes()
    with pytest.raises(WrongInput, match=re.escape(said)):
        opened().create(name, sources, **more)
    assert path.read_bytes() == before


def test_an_unknown_name_is_told_with_the_known_ones(opened: Callable[[], TokenFile]) -> None:
    file = opened()
    with pytest.raises(WrongInput, match="there is none at all"):
        file.revoke("a")
    file.create("b", ["acme"])
    for act in (file.revoke, file.rotate):
        with pytest.raises(WrongInput, match=r"There is no token 'a' in .*; there is b"):
            act("a")


def test_the_file_is_for_its_owner_only_and_holds_no_secret(opened: Callable[[], TokenFile], path: Path) -> None:
    old = os.umask(0)
    try:
        file = opened()
        made = [file.create("a", ["acme"]), file.rotate("a", HOUR_MS)]
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text()
    for one in made:
        assert one.secret not in text
        assert one.secret[3:] not in text
        assert one.secret not in repr(one)
        assert one.secret not in str(file.listed())


def test_a_rewritten_file_is_another_one_so_that_nobody_reads_half_of_it(
    opened: Callable[[], TokenFile], path: Path
) -> None:
    file = opened()
    file.create("a", ["acme"])
    with path.open("rb") as reader:
        before = path.read_bytes()
        file.create("b", ["acme"])
        assert reader.read() == before
    assert len(json.loads(path.read_text())["tokens"]) == 2
    assert not path.with_suffix(".new").exists()


def test_what_a_crash_left_beside_the_file_is_in_nobodys_way(opened: Callable[[], TokenFile], path: Path) -> None:
    path.parent.mkdir()
    path.with_suffix(".new").write_text("half of")
    made = opened().create("a", ["acme"])
    assert opened().grant_of(made.secret) == made.grant


def test_two_writers_at_once_lose_nothing(opened: Callable[[], TokenFile]) -> None:
    def write(first: int) -> None:
        file = opened()
        for number in range(first, first + 10):
            file.create(f"t{number}", ["acme"])

    writers = [threading.Thread(target=write, args=(10 * number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert {one.grant.name for one in opened().listed()} == {f"t{number}" for number in range(40)}


BROKEN: Final = [
    b"",
    b"{",
    b"[]",
    b"\xff",
    b'{"format": 1}',
    b'{"format": 1, "tokens": [{"name": "a"}]}',
    b'{"format": 1, "tokens": [], "more": 1}',
]


@pytest.mark.parametrize("content", BROKEN)
def test_a_broken_file_is_told_and_lets_nobody_in(opened: Callable[[], TokenFile], path: Path, content: bytes) -> None:
    gateway = opened()
    made = gateway.create("a", ["acme"])
    assert gateway.grant_of(made.secret) is not None
    path.write_bytes(content)
    for act in (
        lambda: gateway.grant_of(made.secret),
        gateway.listed,
        lambda: gateway.create("b", ["acme"]),
        lambda: gateway.revoke("a"),
    ):
        with pytest.raises(WrongInput, match=rf"{re.escape(str(path))} is broken .*mend it, or move it away"):
            act()
    assert path.read_bytes() == content
    path.unlink()
    assert gateway.grant_of(made.secret) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "a b"}, "is broken"),
        ({"sources": []}, "is broken"),
        ({"burst": 0}, "is broken"),
        ({"secrets": []}, "is broken"),
        ({"secrets": [{"sha256": "AB"}]}, "is broken"),
    ],
)
def test_a_token_that_cannot_be_is_a_broken_file(
    opened: Callable[[], TokenFile], path: Path, change: dict[str, Any], said: str
) -> None:
    opened().create("a", ["acme"])
    document = json.loads(path.read_text())
    document["tokens"][0] |= change
    path.write_bytes(msgspec.json.encode(document))
    with pytest.raises(WrongInput, match=said):
        opened().listed()


def test_a_file_of_a_newer_version_and_two_of_one_name_are_told(opened: Callable[[], TokenFile], path: Path) -> None:
    opened().create("a", ["acme"])
    document = json.loads(path.read_text())
    path.write_bytes(msgspec.json.encode(document | {"format": 2, "new": True}))
    with pytest.raises(WrongInput, match="has format 2, and this version of Quayside knows format 1"):
        opened().listed()
    path.write_bytes(msgspec.json.encode(document | {"tokens": document["tokens"] * 2}))
    with pytest.raises(WrongInput, match="two tokens of one name"):
        opened().listed()


def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WrongInput, match=r"cannot be written: .*Choose another --data"):
        TokenFile(tmp_path / "file" / "tokens.json").create("a", ["acme"])


# The commands.


def say(data: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["tokens", *words, "--data", str(data)])


def test_create_prints_the_secret_once_and_how_to_use_it(tmp_path: Path) -> None:
    told = say(tmp_path, "create", "acme-wms", "--source", "acme", "--source", "acme-2", "--type", "received")
    assert told.exit_code == 0
    (secret,) = set(re.findall(r"qs_[A-Za-z0-9_-]{43}", told.output))
    assert told.output.count(secret) == 1
    assert 'curl -H "Authorization: Bearer $QUAYSIDE_TOKEN"' in told.output
    assert "acme-wms may publish as acme, acme-2 (received): 1000 events/s, 10000 at once" in told.output
    grant = TokenFile(tmp_path / "tokens.json").grant_of(secret)
    assert grant == Grant("acme-wms", ("acme", "acme-2"), ("received",), 1_000, 10_000, 10_000_000)


def test_the_commands_in_json(tmp_path: Path) -> None:
    words = ("--rate", "50/s", "--burst", "9", "--max-body", "1000", "--json")
    created = json.loads(say(tmp_path, "create", "a", "--source", "acme", *words).output)
    grant = {
        "name": "a",
        "sources": ["acme"],
        "types": [],
        "events_per_s": 50,
        "burst": 9,
        "max_body_bytes": 1000,
    }
    assert created == grant | {"secret": created["secret"], "old_until": None}
    rotated = json.loads(say(tmp_path, "rotate", "a", "--grace", "1h", "--json").output)
    assert rotated == grant | {"secret": rotated["secret"], "old_until": rotated["old_until"]}
    assert rotated["old_until"].endswith("Z")
    (listed,) = json.loads(say(tmp_path, "list", "--json").output)["tokens"]
    times = {name: listed.pop(name) for name in ("created_at", "rotated_at", "old_until")}
    assert listed == grant
    assert times["created_at"] <= times["rotated_at"] < times["old_until"] == rotated["old_until"]


def test_list_shows_who_speaks_as_whom_and_no_secret(tmp_path: Path) -> None:
    say(tmp_path, "create", "b", "--any-source")
    secret = json.loads(say(tmp_path, "create", "a", "--source", "acme", "--json").output)["secret"]
    told = say(tmp_path, "list").output
    assert secret not in told
    heads, first, second, total = told.splitlines()
    assert heads.split()[0] == "name"
    assert (first.split()[0], first.split()[-1]) == ("a", "acme")
    assert (second.split()[0], second.split()[-1]) == ("b", "anybody")
    assert total == "2 tokens"


def test_revoke_and_rotate_end_what_was(tmp_path: Path) -> None:
    first = json.loads(say(tmp_path, "create", "a", "--source", "acme", "--json").output)["secret"]
    told = say(tmp_path, "rotate", "a").output
    (second,) = re.findall(r"qs_[A-Za-z0-9_-]{43}", told)
    file = TokenFile(tmp_path / "tokens.json", every_s=0)
    assert file.grant_of(first) is None
    assert file.grant_of(second) is not None
    assert say(tmp_path, "revoke", "a").output == "a is revoked\n"
    assert file.grant_of(second) is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create", "a"), "A token needs a source"),
        (("create", "a", "--source", "*"), "write --any-source"),
        (("create", "a", "--source", "acme", "--any-source"), "leave --source out"),
        (("create", "a", "--source", "acme", "--rate", "fast"), "'fast' is no rate"),
        (("create", "a", "--source", "acme", "--rate", "5/min"), "'5/min' is no rate"),
        (("create", "a", "--source", "acme", "--rate", "0/s"), "The rate of a token cannot be 0"),
        (("rotate", "a", "--grace", "soon"), "--grace is wrong: 'soon' is not a duration"),
        (("revoke", "a"), "There is no token 'a'"),
    ],
)
def test_wrong_usage_is_a_sentence_and_makes_nothing(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    told = say(tmp_path, *words)
    assert isinstance(told.exception, WrongInput)
    assert said in str(told.exception)
    assert TokenFile(tmp_path / "tokens.json").listed() == []
