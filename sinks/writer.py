"""Writing batches to the store: one columnar insert per table, durable when it returns.

Where the store refuses an insert because of a value in it, the insert is cut in two again and again until the row is
found, and that row becomes a dead letter. Everything else that can go wrong is the store's affair: the batch keeps
what is not stored yet, and `write` may be called again.
"""

from collections import Counter, deque
from typing import Final

from clickhouse_connect.driver.client import Client

from schemas.errors import QuaysideError
from sinks.batch import Batch, Piece, piece_of
from sinks.blame import blame_of, told
from sinks.rows import UNSTORABLE, Placed, dead
from sinks.tables import TABLES

__all__ = ["Batch", "TableRefuses", "Writer", "Writing"]

STORM: Final = 20
"""When so many rows of one table in a row were refused, none between them taken, the rows are not to blame."""

_SETTINGS: Final = {
    # Offsets are committed after the insert, so it must be durable on return; newer engines default to 1.
    "async_insert": 0,
    # A replay brings months of history at once, and one forged append time must not stop the sink.
    "max_partitions_per_insert_block": 0,
}


class TableRefuses(QuaysideError):
    """A table takes none of the rows it is given: it is not the table that this version writes."""


class Writing:
    """What is left of a batch to be stored."""

    def __init__(self, batch: Batch) -> None:
        self.unstorable = 0
        """How many rows became dead letters because the store refuses them."""
        self.left: deque[Piece] = deque(batch.pieces())
        self.refused: list[tuple[Piece, str]] = []
        """Single rows that the store refuses, each with the reason."""
        self.letters: deque[Piece] = deque()

    @property
    def done(self) -> bool:
        """Whether all is stored."""
        return not (self.left or self.refused or self.letters)


class Writer:
    """Writes batches through one client, whose current database has the tables."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._refusals: Counter[str] = Counter()

    def write(self, batch: Batch | Writing) -> None:
        """Insert all rows, or what is left of them; they are durable when it returns.

        What was being written when it failed may be written twice: the tables keep one row of each.

        Raises:
            TableRefuses: The table refuses so many rows that they cannot be to blame.
            Exception: What clickhouse-connect raises; the store is to blame.
        """
        writing = batch if isinstance(batch, Writing) else Writing(batch)
        while writing.left:
            self._write_next(writing)
        if writing.refused:
            writing.letters.append(piece_of([_letter(piece, reason) for piece, reason in writing.refused]))
            writing.unstorable += len(writing.refused)
            writing.refused.clear()
        while writing.letters:
            self._insert(writing.letters[0])
            writing.letters.popleft()

    def _write_next(self, writing: Writing) -> None:
        piece = writing.left[0]
        try:
            self._insert(piece)
        except Exception as error:
            blame = blame_of(error)
            if blame == "store" or (blame == "size" and piece.count == 1):
                raise
            if piece.count > 1:
                writing.left.popleft()
                writing.left.extendleft(reversed(piece.halves()))
                return
            self._refuse(writing, piece, told(error))
        else:
            self._refusals[piece.table] = 0
        writing.left.popleft()

    def _refuse(self, writing: Writing, piece: Piece, reason: str) -> None:
        """Put a row aside; where too many are, put them all back."""
        self._refusals[piece.table] += 1
        if self._refusals[piece.table] >= STORM:
            writing.left.extend(one for one, _ in writing.refused if one.table == piece.table)
            writing.refused = [one for one in writing.refused if one[0].table != piece.table]
            raise TableRefuses(
                f"The table {piece.table} refuses every row ({reason}): see that nobody has changed it, "
                "and that `quayside migrate` has been run."
            )
        writing.refused.append((piece, reason))

    def _insert(self, piece: Piece) -> None:
        table = TABLES[piece.table]
        columns = [*piece.cut()]
        try:
            self._client.insert(
                piece.table,
                columns,
                column_names=table.names,
                column_type_names=table.types,
                column_oriented=True,
                settings=_SETTINGS,
            )
        finally:
            columns.clear()  # clickhouse-connect's context holds itself, and all its rows until they are collected


def _letter(piece: Piece, reason: str) -> Placed:
    """The dead letter of a row that the store refuses."""
    record = piece.record()
    if record is None:
        message = f"a row of {piece.table} has no record"
        raise LookupError(message)
    return dead(record, UNSTORABLE, f"The store refuses it as a row of {piece.table}: {reason}")
