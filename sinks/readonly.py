"""What may be asked of the store from outside: one statement that reads, and nothing that reaches out.

Three layers, because each alone has holes (all tried on the engine, see tests/sinks/test_gate.py):

1. The session is `readonly=1`: the engine refuses writes, changes of settings and most table functions.
   It does not refuse `KILL QUERY`, `INTO OUTFILE`, the function `file`, `DESCRIBE TABLE url(...)`, nor a
   second statement after a semicolon.
2. So the engine's own parser writes the statement out again (no comments, one spelling), which also
   refuses a second statement; a parser of our own could be led astray by a comment it does not know.
3. On that text we look at the first word and at every name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from sinks.embedded import QueryError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sinks.embedded import Session

READONLY: Final = 164
SYNTAX_ERROR: Final = 62
UNKNOWN_FORMAT: Final = 73
BAD_ARGUMENTS: Final = 36

ALLOWED: Final = ("SELECT", "WITH", "SHOW", "DESCRIBE", "EXPLAIN", "EXISTS")

PASSED_ON: Final = frozenset(
    {
        "date_time_output_format",
        "final",
        "join_use_nulls",
        "max_block_size",
        "max_bytes_to_read",
        "max_rows_to_read",
        "max_threads",
        "output_format_arrow_compression_method",
        "output_format_arrow_string_as_string",
        "output_format_json_quote_64bit_integers",
        "output_format_json_quote_decimals",
        "output_format_json_quote_denormals",
        "output_format_json_quote_64bit_floats",
        "session_timezone",
    }
)
"""Settings a request may set as it likes. Not `limit`, not `result_overflow_mode`: they cut silently."""

CAPPED: Final = frozenset({"max_execution_time", "max_result_rows"})
"""Settings a request may only lower."""

_TOKEN = re.compile(
    r"""'(?:[^'\\]|\\.|'')*' | `(?:[^`\\]|\\.|``)*` | "(?:[^"\\]|\\.|"")*" | \d[\w.]* | \w+ | \S""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\b": "\\b", "\f": "\\f", "\0": "\\0"})
_SCOPE = re.compile(r":? ?In scope SELECT formatQuerySingleLine\(.*\)\. \((\w+)\)\s*$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one question may take.

    Attributes:
        seconds: Of running time; a request may ask for less.
        rows: Of the result; more is an error, never a shorter answer. A request may ask for less.
        result_bytes: Of the result before formatting.
        memory_bytes: While it runs.
        request_bytes: Of the request's body.
    """

    seconds: float = 30.0
    rows: int = 1_000_000
    result_bytes: int = 256 * 1024 * 1024
    memory_bytes: int = 2 * 1024 * 1024 * 1024
    request_bytes: int = 1024 * 1024

    def settings(self, asked: Mapping[str, str]) -> dict[str, str | float]:
        """The session's settings for a request's URL parameters; names we do not know are left out.

        Raises:
            QueryError: A limit that is not a number.
        """
        return {
            **{name: value for name, value in asked.items() if name in PASSED_ON},
            "max_execution_time": _lower("max_execution_time", asked, self.seconds),
            "timeout_overflow_mode": "throw",
            "max_result_rows": int(_lower("max_result_rows", asked, self.rows)),
            "max_result_bytes": self.result_bytes,
            "result_overflow_mode": "throw",
            "max_memory_usage": self.memory_bytes,
            # Rows that FINAL makes one are always of one partition: a coordinate keeps its month of arrival, a state
            # its epoch. A day of events of 50 million takes 40 ms so, and seconds without (measured).
            "do_not_merge_across_partitions_select_final": "1",
        }


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that may run.

    Attributes:
        text: As the engine's parser writes it: one line, no comments. This is what runs, so that what was
            checked and what runs are one. Bytes that are not UTF-8 stand as surrogates.
        fmt: The name in its `FORMAT` clause, or None.
    """

    text: str
    fmt: str | None


@dataclass(frozen=True, slots=True)
class Rules:
    """What this engine knows that reaches outside, and the formats it can write (lower case: name, MIME)."""

    table_functions: frozenset[str]
    functions: frozenset[str]
    formats: Mapping[str, tuple[str, str]]

    @classmethod
    def of(cls, session: Session) -> Rules:
        """Read the lists from the engine, once."""
        sql = files("sinks").joinpath("outside.sql").read_text(encoding="utf-8")
        kinds = [line.split("\t") for line in session.ask(sql, "TSVRaw").body.decode().splitlines()]
        formats = session.ask("SELECT name, content_type FROM system.formats WHERE is_output", "TSVRaw")
        rows = [line.split("\t") for line in formats.body.decode().splitlines()]
        return cls(
            table_functions=frozenset(name for kind, name in kinds if kind == "table function"),
            functions=frozenset(name for kind, name in kinds if kind == "function"),
            formats={name.lower(): (name, mime) for name, mime in rows},
        )

    def format(self, name: str) -> tuple[str, str]:
        """The engine's spelling of an output format, and its MIME type.

        Raises:
            QueryError: There is no such output format. (The engine's Python side knows more names, which
                answer with Python objects.)
        """
        try:
            return self.formats[name.lower()]
        except KeyError:
            raise _refused(UNKNOWN_FORMAT, f"Unknown format {name}.", "UNKNOWN_FORMAT") from None

    def check(self, session: Session, sql: str, parameters: Mapping[str, str]) -> Statement:
        """Let a statement pass or refuse it.

        Raises:
            QueryError: It does not parse (62), or is not one that only reads this store (164).
        """
        text = _canonical(session, sql)
        words = [match[0] for match in _TOKEN.finditer(text)]
        first = next(word for word in words if word != "(").upper()
        if first not in ALLOWED:
            raise _readonly(f"{first} is not allowed, only {', '.join(ALLOWED)} are")
        for word, following in pairwise([*words, ""]):
            if (word, following) == ("INTO", "OUTFILE"):
                raise _readonly("INTO OUTFILE is not allowed; take the answer and write it yourself")
            name = _name(word)
            # A function's bare name is enough to call it: arrayMap(file, [...]), APPLY file.
            if name in self.functions or (following == "(" and name in self.table_functions):
                raise _readonly(f"{name} reaches outside the store and is not allowed")
        for name, value in parameters.items():
            # {f:Identifier} puts its value where a name stands.
            if value.strip("`\"' ").lower() in self.functions and re.search(
                rf"\{{\s*{re.escape(name)}\s*:\s*Identifier", text, re.IGNORECASE
            ):
                raise _readonly(f"{value} reaches outside the store and is not allowed")
        return Statement(text, _format_clause(words))


def _canonical(session: Session, sql: str) -> str:
    try:
        answer = session.ask(
            "SELECT formatQuerySingleLine({query:String})", "TSVRaw", {"query": sql.translate(_ESCAPES)}
        )
    except QueryError as error:
        raise QueryError(_SCOPE.sub(r" (\1)", str(error)), error.code) from error
    text = answer.body.decode("utf-8", errors="surrogateescape").rstrip("\n")
    if "\0" in text:  # the engine would stop reading there
        raise _refused(SYNTAX_ERROR, "The query has a NUL character in it.", "SYNTAX_ERROR")
    return text


def _format_clause(words: list[str]) -> str | None:
    depth = 0
    for position in range(len(words) - 1, 0, -1):
        depth += {")": 1, "(": -1}.get(words[position], 0)
        if depth == 0 and words[position - 1] == "FORMAT":
            return _name(words[position])
    return None


def _name(word: str) -> str:
    return word.strip('`"').lower() if word[0] != "'" else ""


def _lower(name: str, asked: Mapping[str, str], cap: float) -> float:
    try:
        value = float(asked.get(name) or 0)
    except ValueError:
        raise _refused(BAD_ARGUMENTS, f"{name} is {asked[name]!r}, not a number.", "BAD_ARGUMENTS") from None
    return value if 0 < value < cap else cap  # 0 is ClickHouse's word for no limit


def _readonly(reason: str) -> QueryError:
    return _refused(READONLY, f"This gate is read-only: {reason}.", "READONLY")


def _refused(code: int, reason: str, symbol: str) -> QueryError:
    return QueryError(f"Code: {code}. DB::Exception: {reason} ({symbol})", code)
