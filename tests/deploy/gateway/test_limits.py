"""How much a token may send."""

import pytest

from deploy.gateway.limits import Limits, TooFast
from deploy.tokens import Grant


def grant(name: str = "acme") -> Grant:
    return Grant(name, ("acme",), (), events_per_s=10, burst=20, max_bytes=1_000)


class Clock:
    """A clock that goes when it is told to."""

    now = 100.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


def test_the_burst_goes_at_once_and_then_the_rate() -> None:
    clock = Clock()
    limits = Limits(clock)
    limits.charge(grant(), 20)
    with pytest.raises(TooFast) as found:
        limits.charge(grant(), 5)
    assert found.value.retry_after == 1
    clock.now += 0.5
    limits.charge(grant(), 5)
    with pytest.raises(TooFast):
        limits.charge(grant(), 1)
    limits.charge(grant("other"), 20)


def test_more_than_the_burst_goes_when_the_bucket_is_full_and_is_paid_for_later() -> None:
    clock = Clock()
    limits = Limits(clock)
    limits.charge(grant(), 120)
    with pytest.raises(TooFast) as found:
        limits.charge(grant(), 1)
    assert found.value.retry_after == 11
    clock.now += 11
    limits.charge(grant(), 1)


def test_a_bucket_never_holds_more_than_the_burst() -> None:
    clock = Clock()
    limits = Limits(clock)
    limits.charge(grant(), 1)
    clock.now += 1_000_000
    limits.charge(grant(), 20)
    with pytest.raises(TooFast):
        limits.charge(grant(), 1)
