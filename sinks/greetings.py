"""The questions that drivers ask before anything else, where the engine's own answer would mislead them.

- clickhouse-go from 2.40 (Grafana's plugin from 4.10.2) asks for Native blocks of its protocol's revision
  and learns from this answer which revision later blocks have. The embedded engine writes revision 0 only:
  so this one answer is encoded here, with `revision()` = 0 in it.
- clickhouse-connect reads from `system.settings` which settings it may send. In a `readonly=1` session
  that is none; the truth is what the gate passes on.
"""

from __future__ import annotations

import json
import re
import struct
from typing import TYPE_CHECKING, Final

from sinks.readonly import CAPPED, PASSED_ON

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sinks.embedded import Session
    from sinks.readonly import Statement

WRITABLE: Final = tuple(sorted(PASSED_ON | CAPPED | {"enable_http_compression"}))

_GO = "select displayname(), version(), revision(), timezone()"
_CONNECT = re.compile(r"SELECT name, value, readonly FROM system\.settings( LIMIT \d+)?( FORMAT \w+)?")

# In ClickHouse's sources, src/Core/ProtocolDefines.h: DBMS_MIN_REVISION_WITH_CUSTOM_SERIALIZATION.
_CUSTOM_SERIALIZATION = 54454
_BLOCK_INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"  # field 1: no overflow rows; field 2: bucket -1; end


def native_greeting(session: Session, statement: Statement, revision: int) -> bytes | None:
    """clickhouse-go's greeting, answered as a Native block of its `revision`; None for other statements."""
    text = statement.text.lower().removesuffix(" format native")
    if revision <= 0 or text != _GO:
        return None
    answer = json.loads(session.ask(statement.text.split(" FORMAT ")[0], "JSONCompact").body)
    names = [column["name"] for column in answer["meta"]]
    host, version, _, zone = answer["data"][0]
    columns = [
        (names[0], "String", _string(host)),
        (names[1], "String", _string(version)),
        (names[2], "UInt32", struct.pack("<I", 0)),
        (names[3], "String", _string(zone)),
    ]
    return native_block(columns, rows=1, revision=revision)


def rewritten(statement: Statement) -> str:
    """The SQL to run: clickhouse-connect's question about settings answered truthfully, the rest as it is."""
    if not _CONNECT.fullmatch(statement.text):
        return statement.text
    names = ", ".join(f"'{name}'" for name in WRITABLE)
    return statement.text.replace(" readonly ", f" toUInt8(name NOT IN ({names})) AS readonly ", 1)


def native_block(columns: Sequence[tuple[str, str, bytes]], rows: int, revision: int) -> bytes:
    """Encode one block of ClickHouse's Native format.

    Args:
        columns: Name, type and the values already in binary.
        rows: How many values each column has.
        revision: The protocol revision of the reader; 0 means none of the later additions.
    """
    block = bytearray(_BLOCK_INFO if revision > 0 else b"")
    block += _varint(len(columns)) + _varint(rows)
    for name, kind, values in columns:
        block += _string(name) + _string(kind)
        if revision >= _CUSTOM_SERIALIZATION:
            block += b"\x00"
        block += values
    return bytes(block)


def _varint(value: int) -> bytes:
    """Unsigned LEB128."""
    out = bytearray()
    while value > 0x7F:  # noqa: PLR2004 - seven bits a byte
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _string(text: str) -> bytes:
    data = text.encode()
    return _varint(len(data)) + data
