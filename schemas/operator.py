"""operator.events: what people say of exceptions. Key: exception_id."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schemas.event import Event, Label, Moment, Text

TOPIC = "operator.events"


class _OperatorEvent(Event):
    """What all operator events have."""

    topic: ClassVar[str] = TOPIC
    exception_id: Label

    def entity_key(self) -> str:
        """The exception."""
        return self.exception_id


class Acknowledged(_OperatorEvent):
    """Somebody knows of the exception and has it in hand: it leaves the page's count until `until`."""

    type: Literal["acknowledged"]
    by: Label
    until: Moment
    note: Text = ""


class Unacknowledged(_OperatorEvent):
    """The acknowledgement is taken back."""

    type: Literal["unacknowledged"]
    by: Label
    note: Text = ""


OperatorEvent = Annotated[Acknowledged | Unacknowledged, Field(discriminator="type")]
