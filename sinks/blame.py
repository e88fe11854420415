"""Whose fault a failed insert is: the store's, one row's, or the size of what was sent at once.

What is not known for certain to be about the data counts as the store's fault, which only means waiting: a full disk
or a dead server must never make a dead letter of a good record.
"""

import re
import struct
from types import TracebackType
from typing import Final, Literal

from clickhouse_connect.driver.exceptions import DataError, Error

Blame = Literal["store", "data", "size"]
"""`data`: a value cannot be stored, ever. `size`: less at once might do. `store`: everything else."""


def blame_of(error: BaseException) -> Blame:
    """Whose fault it is that an insert by clickhouse-connect failed."""
    code = code_of(error)
    if code is not None:
        return "data" if code in _DATA else "size" if code in _SIZE else "store"
    if isinstance(error, DataError) or (isinstance(error, _ENCODING) and _came_from_encoding(error.__traceback__)):
        return "data"
    return "size" if isinstance(error, MemoryError) else "store"


def code_of(error: BaseException) -> int | None:
    """ClickHouse's number of an error; None where the engine did not answer at all."""
    if not isinstance(error, Error):
        return None
    if error.code is not None:
        return int(error.code)
    found = _CODE.search(str(error))
    return int(found[1]) if found else None


def told(error: BaseException, most: int = 500) -> str:
    """The reason as one line for people, without the engine's stack trace."""
    text = str(error)
    start = text.find("Code: ")
    text = " ".join(text[max(start, 0) :].split("Stack trace", 1)[0].split())
    return (text if isinstance(error, Error) else f"{type(error).__name__}: {text}")[:most]


_CODE: Final = re.compile(r"Code: (\d+)")

# The names are those of ClickHouse's own table (src/Common/ErrorCodes.cpp; `SELECT errorCodeToName(6)`).
_DATA: Final = {
    6: "CANNOT_PARSE_TEXT",
    19: "SIZE_OF_FIXED_STRING_DOESNT_MATCH",
    25: "CANNOT_PARSE_ESCAPE_SEQUENCE",
    26: "CANNOT_PARSE_QUOTED_STRING",
    27: "CANNOT_PARSE_INPUT_ASSERTION_FAILED",
    38: "CANNOT_PARSE_DATE",
    41: "CANNOT_PARSE_DATETIME",
    53: "TYPE_MISMATCH",
    69: "ARGUMENT_OUT_OF_BOUND",
    70: "CANNOT_CONVERT_TYPE",
    72: "CANNOT_PARSE_NUMBER",
    117: "INCORRECT_DATA",
    128: "TOO_LARGE_ARRAY_SIZE",
    131: "TOO_LARGE_STRING_SIZE",
    169: "BAD_TYPE_OF_FIELD",
    190: "SIZES_OF_ARRAYS_DONT_MATCH",
    321: "VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE",
    349: "CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN",
    366: "SIZES_OF_NESTED_COLUMNS_ARE_INCONSISTENT",
    376: "CANNOT_PARSE_UUID",
    395: "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO",
    407: "DECIMAL_OVERFLOW",
    441: "CANNOT_PARSE_DOMAIN_VALUE_FROM_STRING",
    467: "CANNOT_PARSE_BOOL",
    469: "VIOLATED_CONSTRAINT",
    632: "UNEXPECTED_DATA_AFTER_PARSED_VALUE",
    691: "UNKNOWN_ELEMENT_OF_ENUM",
    760: "UNICODE_ERROR",
}

_SIZE: Final = {
    158: "TOO_MANY_ROWS",
    173: "CANNOT_ALLOCATE_MEMORY",
    241: "MEMORY_LIMIT_EXCEEDED",
    307: "TOO_MANY_BYTES",
    396: "TOO_MANY_ROWS_OR_BYTES",
}

_ENCODING: Final = (TypeError, ValueError, ArithmeticError, AttributeError, LookupError, struct.error)
_ENCODERS: Final = ("clickhouse_connect.datatypes", "clickhouse_connect.driver.insert")


def _came_from_encoding(trace: TracebackType | None) -> bool:
    """Whether the driver was turning our values into bytes: any other bug is nothing that a row is to blame for."""
    while trace is not None:
        if str(trace.tb_frame.f_globals.get("__name__", "")).startswith(_ENCODERS):
            return True
        trace = trace.tb_next
    return False
