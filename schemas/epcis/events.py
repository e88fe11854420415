"""The five types of EPCIS events as pydantic models, with the standard's own rules and names.

EPCIS 2.0 (GS1, ISO/IEC 19987), sections 7.3 and 7.4, and its JSON schema. Words of CBV come out bare, in whichever form
they were written. Messages of rules are advice: `schemas.epcis.document` puts the path before them.
"""

import re
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, NoReturn, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from schemas.epcis import vocabulary
from schemas.epcis.vocabulary import word

_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
_NAMES: Final = {
    "event_id": "eventID",
    "parent_id": "parentID",
    "child_epcs": "childEPCs",
    "epc_list": "epcList",
    "input_epc_list": "inputEPCList",
    "output_epc_list": "outputEPCList",
    "transformation_id": "transformationID",
    "device_id": "deviceID",
    "corrective_event_ids": "correctiveEventIDs",
    "s_dev": "sDev",
}


_MOST: Final = Decimal(10) ** 15
_DIGITS: Final = 40
"""So many digits a number may have: more than any float is written with, few enough to be reckoned with."""


def _refuse(field: str, advice: str) -> NoReturn:
    raise PydanticCustomError("rule", "{advice}", {"field": field, "advice": advice})


def _dated(value: Any) -> Any:
    if not isinstance(value, str) or _TIME.fullmatch(value) is None:
        raise PydanticCustomError("datetime", "not an RFC 3339 time")
    return value


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise PydanticCustomError("number", "not a JSON number")
    number = Decimal(value)
    _, digits, exponent = number.as_tuple()
    if not (isinstance(exponent, int) and len(digits) <= _DIGITS and -_DIGITS <= exponent <= _DIGITS):
        raise PydanticCustomError("magnitude", "too many digits")
    if number.copy_abs() >= _MOST:
        raise PydanticCustomError("magnitude", "too large")
    return number


def _known(words: frozenset[str]) -> AfterValidator:
    """A word of CBV in any of its forms, as its bare word, or a URI of one's own."""

    def check(text: str) -> str:
        bare = word(text)
        if bare not in words and ":" not in bare:
            raise PydanticCustomError("vocabulary", "{known}", {"known": ", ".join(sorted(words))})
        return bare

    return AfterValidator(check)


_Part = TypeVar("_Part")
Many = Annotated[tuple[_Part, ...], Field(fail_fast=True)]
"""The first that is wrong is told: a list of what is wrong with each would be a hundred times as large as they are."""

Uri = Annotated[str, Field(min_length=1, max_length=2_000, pattern=r"^[^\x00-\x20\x7f]+$")]
Time = Annotated[AwareDatetime, BeforeValidator(_dated)]
Number = Annotated[Decimal, BeforeValidator(_number)]
BizStep = Annotated[str, Field(min_length=1), _known(vocabulary.BIZ_STEPS)]
Disposition = Annotated[str, Field(min_length=1), _known(vocabulary.DISPOSITIONS)]
TransactionType = Annotated[str, Field(min_length=1), _known(vocabulary.TRANSACTION_TYPES)]
PartyType = Annotated[str, Field(min_length=1), _known(vocabulary.PARTY_TYPES)]
ErrorReason = Annotated[str, Field(min_length=1), _known(vocabulary.ERROR_REASONS)]
Action = Literal["ADD", "OBSERVE", "DELETE"]


def _camel(name: str) -> str:
    """`event_id` as EPCIS writes it: `eventID`."""
    if name in _NAMES:
        return _NAMES[name]
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


class Part(BaseModel):
    """A part of an event, with the standard's names; fields of other namespaces have been left out before."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=_camel)


class Quantity(Part):
    """So much of a class of goods. Without `quantity`: some, not told how much."""

    epc_class: Uri
    quantity: Number | None = Field(default=None, ge=0)
    uom: Annotated[str, Field(pattern=r"^[A-Z0-9]{2,3}$")] | None = None

    @model_validator(mode="after")
    def _measured(self) -> "Quantity":
        if self.quantity is None and self.uom is not None:
            _refuse("uom", "it measures a quantity, and none is told: add quantity, or leave uom out")
        return self


class Place(Part):
    """A read point or business location."""

    id: Uri


class Transaction(Part):
    """A business document that the event belongs to."""

    type: TransactionType | None = None
    biz_transaction: Uri


class Source(Part):
    """Where the goods come from, or whom."""

    type: PartyType
    source: Uri


class Destination(Part):
    """Where the goods go, or to whom."""

    type: PartyType
    destination: Uri


class PersistentDisposition(Part):
    """Dispositions that stay until they are unset."""

    set: Many[Disposition] = ()
    unset: Many[Disposition] = ()


class SensorMetadata(Part):
    """What all reports of a sensor element share."""

    time: Time | None = None
    start_time: Time | None = None
    end_time: Time | None = None
    device_id: Uri | None = None
    device_metadata: Uri | None = None
    raw_data: Uri | None = None
    data_processing_method: Uri | None = None
    biz_rules: Uri | None = None


class SensorReport(Part):
    """One measurement. `type` is a word of the GS1 Web Vocabulary, such as Temperature."""

    type: str | None = None
    exception: str | None = None
    device_id: Uri | None = None
    device_metadata: Uri | None = None
    raw_data: Uri | None = None
    data_processing_method: Uri | None = None
    time: Time | None = None
    microorganism: Uri | None = None
    chemical_substance: Uri | None = None
    value: Number | None = None
    component: str | None = None
    string_value: str | None = None
    boolean_value: bool | None = None
    hex_binary_value: str | None = None
    uri_value: Uri | None = None
    min_value: Number | None = None
    max_value: Number | None = None
    mean_value: Number | None = None
    s_dev: Number | None = None
    perc_rank: Number | None = None
    perc_value: Number | None = None
    uom: str | None = None
    coordinate_reference_system: Uri | None = None
    biz_rules: Uri | None = None


class SensorElement(Part):
    """What sensors measured."""

    sensor_metadata: SensorMetadata | None = None
    sensor_report: Annotated[Many[SensorReport], Field(min_length=1)]


class ErrorDeclaration(Part):
    """The event that repeats this eventID did not happen, or not so."""

    declaration_time: Time
    reason: ErrorReason | None = None
    corrective_event_ids: Many[Uri] = ()


class EpcisEvent(Part):
    """What every event says. `event_time` is the instant; `event_time_zone_offset` the clock on the wall there."""

    event_id: Annotated[Uri, Field(max_length=500)] | None = None
    event_time: Time
    event_time_zone_offset: Annotated[str, Field(pattern=r"^[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00)$")]
    record_time: Time | None = None
    error_declaration: ErrorDeclaration | None = None
    certification_info: Uri | Many[Uri] | None = None
    biz_step: BizStep | None = None
    disposition: Disposition | None = None
    persistent_disposition: PersistentDisposition | None = None
    read_point: Place | None = None
    biz_location: Place | None = None
    biz_transaction_list: Many[Transaction] = ()
    source_list: Many[Source] = ()
    destination_list: Many[Destination] = ()
    sensor_element_list: Many[SensorElement] = ()


class ObjectEvent(EpcisEvent):
    """Something happened to things, or to goods of a class."""

    type: Literal["ObjectEvent"]
    action: Action
    epc_list: Many[Uri] = ()
    quantity_list: Many[Quantity] = ()
    ilmd: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _about_something(self) -> "ObjectEvent":
        if not self.epc_list and not self.quantity_list and not (self.sensor_element_list and self.read_point):
            _refuse("", "it is about nothing: give epcList or quantityList (or sensorElementList with readPoint)")
        if self.ilmd is not None and self.action != "ADD":
            _refuse("ilmd", "instance/lot master data is told when things begin: only with action ADD")
        return self


class _Joining(EpcisEvent):
    """Things were joined to a parent, seen in it, or taken out of it."""

    action: Action
    parent_id: Uri | None = None
    child_epcs: Many[Uri] = ()
    child_quantity_list: Many[Quantity] = ()

    @model_validator(mode="after")
    def _joined(self) -> "_Joining":
        if self.parent_id is None and self.action != "OBSERVE":
            _refuse("parentID", f"it is required with action {self.action}: say which parent")
        if self.action != "DELETE" and not self.child_epcs and not self.child_quantity_list:
            _refuse("childEPCs", f"with action {self.action} it must name children (or childQuantityList)")
        return self


class AggregationEvent(_Joining):
    """Things were put into a container, seen in it, or taken out of it."""

    type: Literal["AggregationEvent"]


class AssociationEvent(_Joining):
    """Things were fixed to another one, as an engine to a truck."""

    type: Literal["AssociationEvent"]
    parent_id: Uri


class TransactionEvent(EpcisEvent):
    """Things belong to a business transaction from now on, or no more."""

    type: Literal["TransactionEvent"]
    action: Action
    biz_transaction_list: Annotated[Many[Transaction], Field(min_length=1)]
    parent_id: Uri | None = None
    epc_list: Many[Uri] = ()
    quantity_list: Many[Quantity] = ()


class TransformationEvent(EpcisEvent):
    """Inputs were used up, and outputs made of them."""

    type: Literal["TransformationEvent"]
    input_epc_list: Many[Uri] = ()
    input_quantity_list: Many[Quantity] = ()
    output_epc_list: Many[Uri] = ()
    output_quantity_list: Many[Quantity] = ()
    transformation_id: Uri | None = None
    ilmd: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _whole(self) -> "TransformationEvent":
        inputs = bool(self.input_epc_list or self.input_quantity_list)
        outputs = bool(self.output_epc_list or self.output_quantity_list)
        if self.transformation_id is None and not (inputs and outputs):
            _refuse("", "it must have inputs and outputs, or a transformationID that ties it to an event which has")
        if not inputs and not outputs:
            _refuse("", "it has neither inputs nor outputs")
        return self


AnyEvent = ObjectEvent | AggregationEvent | AssociationEvent | TransactionEvent | TransformationEvent
Joining = AggregationEvent | AssociationEvent
