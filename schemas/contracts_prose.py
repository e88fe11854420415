"""What docs/events.md says in words: the rules that no schema can express."""

from typing import Final

from schemas.identifiers import Finding
from schemas.times import HOUR_MS
from schemas.versions import CONTENT_HASH_BYTES
from schemas.wire import CLOCK_TOLERANCE_MS, MAX_RECORD_BYTES, Cause

_CLOCK: Final = f"{CLOCK_TOLERANCE_MS // HOUR_MS} h"

OPENING: Final = """\
# Events

<!-- Made from the models by `python -m schemas.contracts docs`; a test holds the two equal. -->

What suppliers, warehouses, carriers and people may say to Quayside: contract version {version}. The same for
machines: `quayside contracts export DIR` writes a JSON Schema (draft 2020-12) for each event type and each record
that Quayside publishes, and an AsyncAPI 3.0.0 document of all topics.

An event is one JSON object in UTF-8. `quayside publish FILE` takes one event a line (NDJSON) and puts each on its
topic; a program of your own writes to the topic directly.
"""

RULES: Final = f"""\
## Times
- Every time is RFC 3339 text with a UTC offset: `2026-03-02T09:15:00+01:00` or `2026-03-02T08:15:00Z`. A time
  without an offset is refused. The instant is kept to the millisecond (finer parts are dropped), and the offset is
  kept as it was said.
- `occurred_at` is when it happened. Of a milestone that is `planned` or `estimated`, it is when it is to happen.
- `recorded_at` is when it was said. It decides which statement of an event counts, so it has to grow from one
  statement of an event to the next; it may lie long after `occurred_at`.
- A source that knows days only says `"precision": "day"`. Its times are then the starts of days, in the zone of the
  day: 2 March at Hamburg is `2026-03-02T00:00:00+01:00`. A promise of a day is kept until the end of that day.
- A source that knows no zone cannot be published as it is: whoever makes the events has to assume one, and says
  `"zone_assumed": true`.
- A `recorded_at` more than {_CLOCK} ahead of the broker's clock is refused: one fast clock would win for ever. So
  is an `occurred_at` more than {_CLOCK} ahead of it, other than of a plan or an estimate.

## Which statement counts
An event is identified by (`source`, `event_id`) within its topic. It may be stated any number of times; of all
statements the greatest counts, compared by

1. `recorded_at`, in milliseconds;
2. `retracted`, a retraction above what it retracts;
3. the first {CONTENT_HASH_BYTES} bytes of SHA-256 over the record's bytes as they came. It only breaks ties, so
   that all parts of Quayside break them alike.

The order in which statements arrive does not matter, nor does it how often: a record that is sent again, a batch
that is repeated and a backlog that comes late all end in the same figures.

## Corrections and retractions
- To correct an event, send it again, whole, with the same `source` and `event_id` and a later `recorded_at`.
- To withdraw it, do the same with `"retracted": true`. A retraction is a complete event. A later statement with
  `"retracted": false` brings the event back.
- A correction keeps its Kafka key. To move an event to another order, shipment, site or item, retract it and send a
  new one with an `event_id` of its own. `quayside publish` refuses anything else.
- Every figure follows: positions, statuses, lead times and exceptions are computed from the statements that count.
"""

AFTER_CORRECTIONS: Final = f"""\
## Quantities and units
- A quantity is a JSON number or the same number as text, with at most three decimals: `240`, `12.5` or `"12.500"`.
  Text is safer where a program would write 0.1 + 0.2 as 0.30000000000000004, which is refused. Inside, quantities
  are whole thousandths; nothing is rounded.
- Quantities have no sign, except in `adjusted`: the event type says whether goods come or go.
- One item has one unit. Quantities in two units are never summed: the second unit is a finding (`unit_conflict`).
- On hand = counted, received, returned, moved in and adjusted, less shipped, moved out and scrapped. Of movements
  at one instant, what comes in is taken before what goes out, and a count last.
- Negative stock is not refused and not hidden: it is a finding and an exception.

## Items and identifiers
- An item is a GTIN (8, 12, 13 or 14 digits), or `owner:code`, such as `acme:4711`: the same number from two
  suppliers is two items.
- Sites, carriers and other parties go by one name each, in every event of every source. A GLN or a UN/LOCODE makes
  a good name. Names hold no `|`, `>` or control characters.

## The record in Kafka
- Key: as given with each topic below, as UTF-8 text. All parts of a key stand in the event.
- Partition: murmur2 of the key, as Kafka's own Java clients do it (librdkafka: `partitioner=murmur2_random`). A record
  on another partition is still right: it is passed on once to its own, and costs a second.
- Wait for all replicas (`acks=all`). Sending a record twice does no harm.
- At most {MAX_RECORD_BYTES} bytes and 1000 lines; send more in several events, each with an `event_id` of its own.
- Send what happened when it happens. Seven days (a setting) after its end a day of warehouse events closes, and an
  order or shipment that is finished and quiet for so long: what comes for it then is kept in `late.records` and not
  applied. A backlog is loaded between two marks, within which nothing closes: `quayside publish --history FILE`, or
  the header `quayside-mark: begin/NAME` on your first and `end/NAME` on your last record in each partition.
- The header `quayside-origin` belongs to replays by Quayside.

## Refused, or taken with a finding
A record that cannot be read as an event is *refused*: it is kept in `dead.letters` with its bytes, its cause and a
sentence that says what to mend, and the stream goes on. Mend it and send it again. Where several fields are wrong
the sentence names the first and counts the rest. Unknown fields are refused by name, so that a misspelt one is not
lost in silence; what has no field goes under `attributes`.

A record that can be read but holds something doubtful is *taken*, and the finding is shown with it: losing an event
does more harm than a bad digit.
"""

CAUSES: Final[dict[Cause, str]] = {
    "empty": "The record has no value. (There are no tombstones: to withdraw an event, retract it.)",
    "too_large": f"More than {MAX_RECORD_BYTES} bytes.",
    "not_json": "Not one JSON document in UTF-8.",
    "unknown_type": "`type` is missing, or is none of ours.",
    "wrong_topic": "The type belongs to another topic.",
    "invalid": "A field is missing, unknown, or not in its form.",
    "recorded_in_future": f"`recorded_at` is more than {_CLOCK} ahead of the record's arrival.",
    "occurred_in_future": f"Something is said to have happened more than {_CLOCK} after the record's arrival.",
    "unmapped": "A row of another system's file of which no event can be made.",
    "unstorable": "It is an event, but the history's store refused its row.",
}
"""Why a record is refused."""

IDENTIFIER_FINDINGS: Final[dict[Finding, str]] = {
    "gtin_check_digit": "An item that is all digits is no GTIN: its check digit is wrong.",
    "sscc_form": "`references.sscc` has not 18 digits.",
    "sscc_check_digit": "The check digit of `references.sscc` is wrong.",
    "container_check_digit": "`references.container` has the form of ISO 6346 but another check digit.",
    "gln_check_digit": "An adapter read a GLN with a wrong check digit (attribute `finding.gln_check_digit`).",
    "gln_form": "An adapter read a place that is no GLN (attribute `finding.gln_form`).",
    "zone_contradicted": "An adapter read two UTC offsets that differ (attribute `finding.zone_contradicted`).",
}
"""Findings of single events: stored with the event."""

STATE_FINDINGS: Final[dict[str, tuple[str, str]]] = {
    "unit_conflict": ("order line, shipment, stock position", "One item was told in two units."),
    "delivered_before_ordered": ("order line", "Delivered earlier than ordered; gives no lead time."),
    "delivered_more_than_ordered": ("order line", "More was delivered than ordered."),
    "negative_stock": ("stock position", "More was taken out than came in."),
    "quantity_mismatch": ("stock position", "A shipment ended short, or brought more than it shipped."),
}
"""Findings of what is derived from several events: where they are shown, and what they say."""

MILESTONE_RULES: Final = """\
Milestones rank by leg, and within a leg by their place in this list. The status of a shipment is the highest one
that was reported as `actual`, in whatever order the reports came in. Per leg, milestone and classifier what was
said last counts; retracting it brings the one before back. A planned milestone below the reached one that nobody
reported is *inferred*: it is marked, and gives no lead time. *Overdue* (planned, and not seen in time) and *late*
(the promise missed) are two different things.
"""

COMPATIBILITY: Final = """\
## How the contract changes
Within a major version event types, optional fields and milestones may be added; nothing is renamed, taken away or
made required. Since unknown fields are refused, Quayside is updated before those who publish. Who reads what
Quayside publishes has to pass over fields it does not know.
"""

PUBLISHED: Final = """\
## What Quayside publishes
Compacted topics with the whole state of each key as `{"version": [epoch, offset], "state": {...}}`; of several
records with one key the greatest version counts. Integers throughout: times in milliseconds since
1970-01-01T00:00:00Z, quantities in thousandths. The records of `dead.letters` and `late.records` have no version
and no state around them; their bytes are base64. To ask questions in SQL instead, see docs/views.md.
"""
