"""How fast requests go to a registry."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_merge.http.rate_limit import RateLimiter


def test_without_a_rate_all_go_at_once() -> None:
    limiter = RateLimiter(None)
    assert [limiter.reserve(5.0) for _ in range(1000)] == [5.0] * 1000


def test_a_rate_lets_so_many_go_at_once_and_the_next_a_second_later() -> None:
    limiter = RateLimiter(3)
    assert [limiter.reserve(10.0) for _ in range(7)] == [10, 10, 10, 11, 11, 11, 12]


def test_only_a_pace_without_a_rate_that_is_not_held_is_free() -> None:
    limiter = RateLimiter(None)
    assert limiter.is_free(1.0)
    limiter.hold(2.0)
    assert (limiter.is_free(1.0), limiter.is_free(2.0)) == (False, True)
    assert not RateLimiter(1).is_free(1.0)


def test_time_that_has_passed_counts() -> None:
    limiter = RateLimiter(2)
    assert [limiter.reserve(now) for now in (0.0, 0.5, 0.6, 2.0)] == [0.0, 0.5, 1.0, 2.0]


def test_a_rate_below_one_is_a_request_every_few_seconds() -> None:
    limiter = RateLimiter(0.25)
    assert [limiter.reserve(0.0) for _ in range(3)] == [0.0, 4.0, 8.0]


def test_nothing_goes_while_it_is_held_and_a_shorter_hold_does_not_end_a_longer_one() -> None:
    limiter = RateLimiter(None)
    assert limiter.held(1.0) == 0
    limiter.hold(6.0)
    limiter.hold(3.0)
    assert (limiter.held(1.0), limiter.held(6.0), limiter.held(7.0)) == (5.0, 0.0, 0.0)


@given(
    rate=st.floats(0.1, 50),
    gaps=st.lists(st.floats(0, 2), min_size=1, max_size=200),
)
def test_no_second_has_more_requests_than_the_rate(rate: float, gaps: list[float]) -> None:
    limiter, now, times = RateLimiter(rate), 0.0, []
    for gap in gaps:
        now += gap
        times.append(limiter.reserve(now))
    assert times == sorted(times)
    together = max(int(rate), 1)
    window = max(together / rate, 1.0)
    for first, later in zip(times, times[together:], strict=False):
        assert later - first == pytest.approx(window) or later - first > window


def test_a_rate_of_any_size_is_taken() -> None:
    limiter = RateLimiter(1e300)
    assert [limiter.reserve(5.0) for _ in range(3)] == [5.0, 5.0, 5.0]
