"""Ids, times and bytes of what is kept: how people name a record, and how it is shown to them."""

import sys
from pathlib import Path
from unittest.mock import Mock, patch

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from deploy.command import dlq
from deploy.command.kept_listing import described, exactly_one, read_value, table, value_keys
from deploy.kept import ALWAYS, Place, moment_of, place_of, shown_bytes, span_of
from schemas.coordinates import Coordinate
from schemas.errors import WrongInput
from schemas.times import DAY_MS
from tests.sinks.records import NOON


@given(
    st.builds(
        Place,
        st.builds(
            Coordinate,
            st.integers(0, 2**63 - 1),
            st.sampled_from(["warehouse.events", "publish", "scms/12ab"]),
            st.integers(0, 2**32 - 1),
            st.integers(0, 2**63 - 1),
        ),
        st.text(),
    )
)
def test_an_id_is_one_word_for_a_shell_and_tells_the_place(place: Place) -> None:
    name = str(place)
    assert place_of(name) == place
    assert not set(name) & set(" \t\n'\"\\$`;&|<>()*?[]{}!#~") - {"~"}


@pytest.mark.parametrize("name", ["", "x", "1/t/2", "1/t/x/3", "-1/t/2/3", "1/t/2/3@", "99999999999999999999/t/2/3"])
def test_what_is_no_id_is_told_how_ids_look(name: str) -> None:
    with pytest.raises(WrongInput, match="EPOCH/TOPIC/PARTITION/OFFSET"):
        place_of(name)


def test_times_are_so_long_ago_or_a_day_or_with_an_offset() -> None:
    assert moment_of("2h", NOON) == NOON - 7_200_000
    assert moment_of("2026-11-22", 0) == NOON - DAY_MS // 2
    assert moment_of("2026-11-22T13:00:00+01:00", 0) == NOON
    for wrong in ("yesterday", "2026-11-22T12:00:00", "5"):
        with pytest.raises(WrongInput, match="is no time"):
            moment_of(wrong, NOON)


def test_a_span_that_holds_nothing_is_refused() -> None:
    assert span_of(None, None, NOON) == ALWAYS
    assert span_of("2h", "1h", NOON) == (NOON - 7_200_000, NOON - 3_600_000)
    with pytest.raises(WrongInput, match="exchange them"):
        span_of("1h", "2h", NOON)


def test_json_is_shown_indented_with_its_figures_as_they_came() -> None:
    assert list(shown_bytes(b'{"a":1.10,"b":[1e400]}')) == ["{", '  "a": 1.10,', '  "b": [', "    1e400", "  ]", "}"]


def test_other_text_is_shown_as_it_is_and_cannot_command_the_terminal() -> None:
    assert list(shown_bytes("{broken\nÜ \x1b[2J\u009b1m".encode())) == ["{broken", "Ü \\x1b[2J\\x9b1m"]


def test_what_is_no_text_is_a_hex_dump() -> None:
    assert list(shown_bytes(b"\xff" * 16 + b"a\n")) == [
        "00000000  " + " ".join(["ff"] * 16) + "  " + "." * 16,
        f"00000010  {'61 0a':47}  a.",
    ]


def test_columns_stand_under_each_other() -> None:
    assert list(table(("id", "why"), [("1", "x\ny"), ("22", "")])) == ["id  why", "1   x\\ny", "22  "]
    assert list(table(("id",), [])) == []


def test_a_record_is_described_line_by_line() -> None:
    told = {"id": "1", "source": "", "epoch": 3, "count": 0, "became": ("dead", "stored")}
    lines = list(described(told, ("epoch",), b"text"))
    assert lines == ["id          1", "count       0", "became      dead", "became      stored", "", "text"]


def test_json_has_the_text_where_there_is_one_and_always_the_bytes() -> None:
    assert value_keys(b"\xff") == {"text": None, "base64": "/w=="}
    assert value_keys(b"a")["text"] == "a"


def test_one_flag_or_none() -> None:
    assert exactly_one((("open", False), ("all", True)), "open") == "all"
    assert exactly_one((("open", False), ("all", False)), "open") == "open"
    with pytest.raises(WrongInput, match="--open and --all"):
        exactly_one((("open", True), ("all", True)), "open")


def test_mended_bytes_come_without_the_line_end(tmp_path: Path) -> None:
    file = tmp_path / "mended.json"
    file.write_bytes(b' {"a": 1}\r\n')
    assert read_value(str(file)) == b' {"a": 1}'
    file.write_bytes(b"\n")
    with pytest.raises(WrongInput, match="is empty"):
        read_value(str(file))
    with pytest.raises(WrongInput, match="cannot be read"):
        read_value(str(tmp_path / "none"))


@pytest.mark.parametrize(("sits_there", "says"), [(True, False), (True, True), (False, None)])
def test_a_person_is_asked_and_a_script_is_not(*, sits_there: bool, says: bool | None) -> None:
    with (
        patch.object(sys, "stdin", Mock(isatty=lambda: sits_there)),
        patch.object(typer, "confirm", return_value=says) as asked,
    ):
        assert dlq._agreed(7) is (says is not False)
    assert asked.call_count == sits_there
