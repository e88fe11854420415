"""What a mapping says that cannot be: found before any row is read, against the contract of the events."""

from collections.abc import Iterable, Iterator
from collections.abc import Mapping as Named
from decimal import Decimal
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from schemas.mapping.dates import ISO, has_offset, has_time, names_a_day, unknown_codes
from schemas.mapping.model import FILE_TIME, Condition, EventRule, FileSettings, Format, Mapping, Said
from schemas.mapping.numbers import read_number
from schemas.mapping.targets import Target, reference_targets, targets_of
from schemas.mapping.templates import Column, template_of
from schemas.mapping.values import template_in, time_of_day
from schemas.mapping.yaml_lines import Path
from schemas.wire import event_types, topic_of
from schemas.wording import instead, shown

MAPPED_TOPICS: Final = ("supplier.events", "shipment.events", "warehouse.events", "reference.events")

_SETTINGS: Final[Named[Format, tuple[str, ...]]] = {
    "csv": ("encoding", "delimiter", "header_row"),
    "excel": ("sheet", "header_row"),
    "ndjson": ("each",),
}
_TIME: Final = Target("time", "time", required=True)
_TEXT: Final = Target("text", "text", required=True)


class Problem(NamedTuple):
    """Something that is wrong, and where."""

    path: Path
    sentence: str


def problems(mapping: Mapping) -> Iterator[Problem]:
    """All that is wrong with a mapping."""
    if not mapping.events:
        yield Problem(("events",), "`events` is empty: say which events the rows make (docs/mapping.md).")
    yield from _file(mapping)
    yield from _numbers(("numbers",), mapping.numbers.decimal, mapping.numbers.thousands)
    yield from _zone(("zone",), mapping.zone)
    for at, skip in enumerate(mapping.skip):
        if not skip.when:
            yield Problem(("skip", at), "`when` is missing: say which rows are to be skipped.")
        yield from _conditions(("skip", at, "when"), skip.when)
    for at, rule in enumerate(mapping.events):
        yield from _rule(mapping, ("events", at), rule)


def types_of(mapping: Mapping, rule: EventRule) -> tuple[str, ...]:
    """The types of event that a rule can make; empty where that cannot be told."""
    said = rule.type
    if said.map is not None:
        codes = said.map if isinstance(said.map, dict) else mapping.maps.get(said.map, {})
        return tuple(dict.fromkeys([*codes.values(), *([said.default] if said.default else [])]))
    constant = said.constant if said.constant is not None else said.template
    return (constant,) if constant is not None and "{" not in constant else ()


def misplaced(told: FileSettings, kind: Format) -> str | None:
    """A sentence on a setting that a file of this kind has no use for."""
    for name in sorted(told.model_fields_set - {"format"}):
        if name not in _SETTINGS[kind]:
            return f"`{name}` is not for {kind} files, which have {', '.join(_SETTINGS[kind])}: take it out."
    return None


@lru_cache(maxsize=1)
def zones() -> frozenset[str]:
    """The names of all time zones."""
    return frozenset(available_timezones())


def is_zone(name: str) -> bool:
    """Whether this is the name of a time zone (IANA), as it is written there."""
    if name not in zones():
        return False
    ZoneInfo(name)
    return True


def _rule(mapping: Mapping, path: Path, rule: EventRule) -> Iterator[Problem]:
    kinds = types_of(mapping, rule)
    known = [kind for kind in event_types() if topic_of(kind) in MAPPED_TOPICS]
    if not kinds:
        yield Problem((*path, "type"), "`type` has to be one of ours, or a column with a `map` to them.")
    for kind in kinds:
        if kind not in known:
            yield Problem((*path, "type"), f"type {shown(kind)} is not known: {instead(kind, known)}")
            return
        yield from _fields(mapping, rule, path, kind)
    yield from _said(mapping, rule, (*path, "occurred_at"), rule.occurred_at, _TIME)
    recorded = rule.recorded_at or mapping.recorded_at
    if recorded.template != FILE_TIME:
        where: Path = ("recorded_at",) if rule.recorded_at is None else (*path, "recorded_at")
        yield from _said(mapping, rule, where, recorded, _TIME)
    yield from _zone((*path, "zone"), rule.zone)
    yield from _conditions((*path, "when"), rule.when)
    yield from _conditions((*path, "retracted"), rule.retracted)
    yield from _event_id(path, rule)
    for name, said in rule.references.items():
        if name not in reference_targets():
            yield Problem(
                (*path, "references", name), f"`{name}` is no reference: {instead(name, reference_targets())}"
            )
        yield from _said(mapping, rule, (*path, "references", name), said, _TEXT)
    for name, said in rule.attributes.items():
        yield from _said(mapping, rule, (*path, "attributes", name), said, _TEXT)


def _fields(mapping: Mapping, rule: EventRule, path: Path, kind: str) -> Iterator[Problem]:
    targets = targets_of(kind)
    lines = targets.get("lines")
    plain = {name: target for name, target in targets.items() if target.kind != "lines"}
    yield from _filled(mapping, rule, (*path, "fields"), rule.fields, plain, kind)
    if rule.lines and lines is None:
        yield Problem((*path, "lines"), f"{kind} has no lines: take `lines` out.")
    elif lines is not None and (rule.lines or lines.required):
        yield from _filled(mapping, rule, (*path, "lines"), rule.lines, lines.parts, f"a line of {kind}")


def _filled(
    mapping: Mapping, rule: EventRule, path: Path, said: Named[str, Said], targets: Named[str, Target], what: str
) -> Iterator[Problem]:
    for name, value in said.items():
        target = targets.get(name)
        if target is None:
            yield Problem((*path, name), f"`{name}` is no field of {what}: {instead(name, targets)}")
        else:
            yield from _said(mapping, rule, (*path, name), value, target)
    missing = [name for name, target in targets.items() if target.required and name not in said]
    if missing and not said.keys() - targets.keys():
        yield Problem(path, f"{what} needs {', '.join(missing)}: say under `{path[-1]}` where it comes from.")


def _said(mapping: Mapping, rule: EventRule, path: Path, said: Said, target: Target) -> Iterator[Problem]:
    """What is wrong with where a value comes from, and with how it is to be read."""
    given = [name for name in ("column", "constant", "template") if getattr(said, name) is not None]
    if len(given) != 1:
        yield Problem(path, f"Exactly one of column, constant and template is needed, not {len(given)}.")
        return
    try:
        template = template_in(said)
    except ValueError as error:
        yield Problem((*path, "template"), str(error))
        return
    yield from _map(mapping, path, said, target)
    if not template.columns and said.map is None and target.kind != "time":
        yield from _taken(path, said.constant if said.constant is not None else template.render(str) or "", target)
    if said.default is not None and target.kind != "time":
        yield from _taken((*path, "default"), said.default, target)
    if target.kind == "time":
        yield from _times(mapping, rule, path, said)
    elif said.formats or said.zone or said.at:
        yield Problem(path, f"formats, zone and at are for times: {target.name} is none.")
    if target.kind in {"number", "whole"}:
        yield from _numbers(path, said.decimal or mapping.numbers.decimal, _thousands(mapping, said))
        if said.factor is not None and read_number(said.factor, ".", "") is None:
            yield Problem((*path, "factor"), f"factor {shown(said.factor)} is no number: write it as in 0.001.")
    elif said.decimal or said.thousands or said.strip or said.factor:
        yield Problem(path, f"decimal, thousands, strip and factor are for numbers: {target.name} is none.")


def _map(mapping: Mapping, path: Path, said: Said, target: Target) -> Iterator[Problem]:
    if said.map is None:
        return
    codes = said.map if isinstance(said.map, dict) else mapping.maps.get(said.map)
    if codes is None:
        yield Problem(
            (*path, "map"), f"There is no map {shown(said.map)} under `maps`: {instead(str(said.map), mapping.maps)}"
        )
        return
    for code, becomes in codes.items():
        yield from _taken((*path, "map", code), becomes, target)


def _taken(path: Path, text: str, target: Target) -> Iterator[Problem]:
    """A text of the mapping itself that this field does not take."""
    if target.choices and text not in target.choices:
        yield Problem(path, f"{target.name} cannot be {shown(text)}: {instead(text, target.choices)}")
    elif target.kind in {"number", "whole"} and _number(text) is None:
        yield Problem(path, f"{target.name} {shown(text)} is no number: in the mapping write it as in 1234.5.")
    elif target.kind == "flag" and text not in {"true", "false"}:
        yield Problem(path, f"{target.name} {shown(text)} has to be true or false.")


def _number(text: str) -> Decimal | None:
    return read_number(text, ".", "")


def _thousands(mapping: Mapping, said: Said) -> str:
    return mapping.numbers.thousands if said.thousands is None else said.thousands


def _times(mapping: Mapping, rule: EventRule, path: Path, said: Said) -> Iterator[Problem]:
    by_day = rule.precision == "day"
    yield from _zone((*path, "zone"), said.zone)
    at = time_of_day(said.at)
    if said.at is not None and at is None:
        yield Problem((*path, "at"), f"at {shown(said.at)} is no time of day: write it as in 17:00, or end_of_day.")
    for form in said.formats:
        if bad := unknown_codes(form):
            yield Problem(
                (*path, "formats"), f"{shown(form)} has {' and '.join(bad)}, which is no format code of ours."
            )
        elif not names_a_day(form):
            yield Problem((*path, "formats"), f"{shown(form)} tells no whole date: day, month and year are needed.")
        elif form != ISO and not has_time(form) and said.at is None and not by_day:
            yield Problem(
                (*path, "formats"),
                f"{shown(form)} has no time of day: say with `at` which is meant (00:00, 17:00, end_of_day), or that "
                "only days are known, with `precision: day`.",
            )
    zone = said.zone or rule.zone or mapping.zone
    if zone is None and not by_day and any(form != ISO and not has_offset(form) for form in said.formats):
        yield Problem(path, "Its times have no UTC offset: name the zone they are in, as in `zone: Europe/Berlin`.")


def _event_id(path: Path, rule: EventRule) -> Iterator[Problem]:
    where = (*path, "event_id")
    try:
        template = template_of(rule.event_id)
    except ValueError as error:
        yield Problem(where, str(error))
        return
    if not template.columns:
        yield Problem(where, f"event_id {shown(rule.event_id)} names no column: all rows would be one event.")
    if rule.group_by:
        others = [name for name in template.columns if name not in rule.group_by]
        if others:
            yield Problem(
                where,
                f"event_id names {', '.join(others)}, in which the rows of one event may differ: take it from group_by "
                f"({', '.join(rule.group_by)}).",
            )
    for piece in template.pieces:
        if isinstance(piece, Column) and piece.name.startswith("hash("):
            yield Problem(where, f"{{{piece.name}}} is no hash: write {{hash(COLUMN, COLUMN)}}.")


def _conditions(path: Path, conditions: Iterable[Condition]) -> Iterator[Problem]:
    for at, condition in enumerate(conditions):
        said = condition.model_dump(by_alias=True, exclude={"column"}, exclude_none=True)
        if len(said) != 1:
            known = ", ".join(told.alias or name for name, told in Condition.model_fields.items() if name != "column")
            yield Problem((*path, at), f"A condition on a column has exactly one of {known}; this has {len(said)}.")


def _zone(path: Path, name: str | None) -> Iterator[Problem]:
    if name is not None and not is_zone(name):
        yield Problem(path, f"{shown(name)} is no time zone: {_zone_instead(name)}")


def _zone_instead(name: str) -> str:
    near = instead(name, zones())
    return near if near.startswith("did") else "write its IANA name, such as Europe/Berlin."


def _file(mapping: Mapping) -> Iterator[Problem]:
    told = mapping.file
    if len(told.delimiter) != 1 and told.delimiter != "tab":
        yield Problem(("file", "delimiter"), f"delimiter {shown(told.delimiter)} has to be one character, or tab.")
    elif told.delimiter in {'"', "\n", "\r"}:
        yield Problem(("file", "delimiter"), f"delimiter {shown(told.delimiter)} cannot be.")
    if told.format is not None and (sentence := misplaced(told, told.format)):
        yield Problem(("file",), sentence)


def _numbers(path: Path, decimal: str, thousands: str) -> Iterator[Problem]:
    if decimal not in {".", ","}:
        yield Problem(path, f"decimal {shown(decimal)} has to be a point or a comma.")
    if thousands not in {"", ".", ",", " ", "'", "_"} or thousands == decimal:
        yield Problem(
            path, f"thousands {shown(thousands)} has to be one of . , ' _ or a blank, and not the decimal mark."
        )
