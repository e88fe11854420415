"""From a fetched batch of records to statements, and to dead letters for what cannot be read."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from schemas.coordinates import Coordinate, Origin, origin_of
from schemas.derived import DeadLetter, Published
from schemas.versions import Version
from schemas.wire import Rejection, read
from streams.derivation import Derivation
from streams.facts import Fact, Statement, contributor_identity


@dataclass(slots=True)
class Reading:
    """What a batch of records says."""

    statements: list[Statement] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)


class Reader:
    """Reads the records of one agent's inputs."""

    def __init__(self, derivation: Derivation, epoch: int) -> None:
        self._derivation: Final = derivation
        self._epoch: Final = epoch
        self._decoders: Final[dict[str, msgspec.json.Decoder[Any]]] = {
            topic: msgspec.json.Decoder(Published[state])  # type: ignore[valid-type]  # a type made at run time
            for topic, state in derivation.contributions.items()
        }

    def read(self, records: Iterable[Any]) -> Reading:
        """The statements in aiokafka's records; each one that cannot be read costs itself only."""
        reading = Reading()
        for record in records:
            contributed = record.topic in self._decoders
            said = self._contribution(record) if contributed else self._event(record)
            if isinstance(said, Statement):
                reading.statements.append(said)
            else:
                reading.dead_letters.append(said)
        return reading

    def _event(self, record: Any) -> Statement | DeadLetter:
        origin = origin_of(record.headers, record.timestamp)
        appended_at = record.timestamp if origin is None else origin.appended_at
        event = read(record.topic, record.value, appended_at)
        if isinstance(event, Rejection):
            return self._dead(record, origin, event)
        return self._derivation.statement(event, record.value)

    def _contribution(self, record: Any) -> Statement | DeadLetter:
        try:
            published = self._decoders[record.topic].decode(record.value)
        except (msgspec.DecodeError, TypeError, RecursionError, UnicodeDecodeError) as error:
            reason = f"The contribution cannot be read ({error}): another version wrote it, or a stranger."
            return self._dead(record, None, Rejection("invalid", reason))
        entity, contributor, payload = self._derivation.contributed(published.state)
        version = Version(published.version[0], published.version[1], b"")
        return Statement(entity, contributor_identity(contributor), Fact(version, payload))

    def _dead(self, record: Any, origin: Origin | None, rejection: Rejection) -> DeadLetter:
        return dead_letter(record, origin, rejection, self._epoch)


def dead_letter(record: Any, origin: Origin | None, rejection: Rejection, epoch: int) -> DeadLetter:
    """The dead letter of a record; a replayed one keeps its first coordinate and append time."""
    where = origin.coordinate if origin else Coordinate(epoch, record.topic, record.partition, record.offset)
    return DeadLetter(
        epoch=where.epoch,
        topic=where.topic,
        partition=where.partition,
        offset=where.offset,
        appended_at=origin.appended_at if origin else record.timestamp,
        cause=rejection.cause,
        reason=rejection.reason,
        field=rejection.field,
        key=record.key or b"",
        value=record.value or b"",
    )
