"""Log buckets for durations: quantiles within 1 % from a few hundred counters.

The mapping of DDSketch (Masson, Rim, Lee: "DDSketch: a fast and fully-mergeable quantile sketch with
relative-error guarantees", PVLDB 12, 2019): with relative accuracy a, gamma = (1 + a) / (1 - a), and a
value x >= 1 ms falls into bucket ceil(log(x) / log(gamma)). Counters can be added and taken away exactly.
"""

import math
from collections.abc import Iterable
from typing import Final

ACCURACY: Final = 0.01
GAMMA: Final = (1 + ACCURACY) / (1 - ACCURACY)
ZERO: Final = -1
"""The bucket of durations of 0 ms, which have no logarithm."""

_LOG_GAMMA: Final = math.log(GAMMA)


def bucket_of(duration: int) -> int:
    """The bucket of a duration of 0 ms or more."""
    return ZERO if duration == 0 else math.ceil(math.log(duration) / _LOG_GAMMA)


def value_of(bucket: int) -> int:
    """The duration in ms that stands for a bucket: within 1 % of all that fall into it."""
    return 0 if bucket == ZERO else round(2 * GAMMA**bucket / (GAMMA + 1))


def quantile(buckets: Iterable[tuple[int, int]], q: float) -> int | None:
    """The q-quantile (0 < q <= 1) in ms of (bucket, count) pairs in ascending order; None of nothing.

    It is the value of the bucket that holds the observation of rank ceil(q * n), counted from 1.
    """
    pairs = tuple(buckets)
    rank = math.ceil(q * sum(count for _, count in pairs))
    for bucket, count in pairs:
        rank -= count
        if rank <= 0:
            return value_of(bucket)
    return None
