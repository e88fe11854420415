"""What our own door decides about lines."""

import pytest

from deploy.door import Door, Line

NOW = 1_800_000_000_000
GOOD = (
    b'{"event_id":"1","source":"acme","type":"received","site":"BER","item":"acme:1","unit":"pcs","quantity":1,'
    b'"occurred_at":"2026-01-01T00:00:00Z","recorded_at":"2026-01-01T00:00:00Z"}'
)


@pytest.mark.parametrize(
    "bad",
    [
        *(b'{"a":' * depth + b"1" + b"}" * depth for depth in (10, 950, 3_000, 100_000)),
        b'{"type":"received","a":' * 3_000,
        b'{"type":"rec\xff"}',
        GOOD.replace(b"2026-01-01T00:00:00Z", b"9999-12-31T23:59:59-14:00"),
    ],
    ids=lambda bad: f"{len(bad)} bytes",
)
def test_a_line_that_nothing_can_be_made_of_costs_itself_only(bad: bytes) -> None:
    decision = Door(None).decide([Line(1, bad), Line(2, GOOD)], NOW)
    assert [refused.line.number for refused in decision.refused] == [1]
    assert [accepted.value for accepted in decision.accepted] == [GOOD]
