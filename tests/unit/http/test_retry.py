"""What is tried again, how often, and after how long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_merge.http.retry import (
    LONGEST_WAIT,
    PASSING_STATUSES,
    RetryPolicy,
    is_pull_limit,
    parse_retry_after,
    pull_limit_window,
)

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
HUB = b'{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit."}]}'


def wait_for(status: int = 503, failures: int = 1, content: bytes = b"", **headers: str) -> float:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    wait = RetryPolicy().wait_after_response(failures, status, named, content, NOW)
    assert wait is not None
    return wait


def test_every_other_status_is_an_answer() -> None:
    retried = {
        status
        for status in range(100, 600)
        if RetryPolicy().wait_after_response(1, status, {"retry-after": "1"}, b"") is not None
    }
    assert retried == PASSING_STATUSES


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_status_that_may_pass_is_tried_again(status: int) -> None:
    assert 0.5 <= wait_for(status) <= 1


def test_waits_double_and_vary_by_half() -> None:
    for failures, longest in enumerate([1, 2, 4, 8], start=1):
        waits = {RetryPolicy().wait_after_loss(failures) for _ in range(50)}
        assert len(waits) > 1
        assert all(wait and longest / 2 <= wait <= longest for wait in waits)


def test_a_request_is_tried_five_times_unless_the_caller_says_otherwise() -> None:
    assert RetryPolicy().wait_after_loss(4) is not None
    assert RetryPolicy().wait_after_loss(5) is None
    assert RetryPolicy(0).wait_after_loss(1) is None
    assert RetryPolicy(0).wait_after_response(1, 503, {"retry-after": "1"}, b"") is None


def test_a_request_that_timed_out_is_tried_once_more() -> None:
    assert RetryPolicy().wait_after_loss(1, time_outs=1) is not None
    assert RetryPolicy().wait_after_loss(2, time_outs=2) is None
    assert RetryPolicy().wait_after_loss(3, time_outs=1) is not None
    assert RetryPolicy(0).wait_after_loss(1, time_outs=1) is None


def test_the_first_wait_may_be_another() -> None:
    assert 2 <= (RetryPolicy(first_wait=4.0).wait_after_loss(1) or 0) <= 4


def test_waits_without_advice_have_a_bound_too() -> None:
    wait = RetryPolicy(10_000).wait_after_loss(9_999)
    assert wait is not None
    assert wait <= LONGEST_WAIT


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("7", 7),
        (" 7 ", 7),
        ("1.5", 1.5),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30),
        ("Sunday, 01-Mar-26 12:00:30 GMT", 30),
        ("Sun Mar  1 12:00:30 2026", 30),
        ("Sun, 01 Mar 2026 13:00:30 +0100", 30),
        ("Sun, 01 Mar 2026 12:00:30 -0000", 30),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
    ],
)
def test_retry_after_is_read_in_every_form(value: str, seconds: float) -> None:
    assert parse_retry_after(value, NOW) == seconds


@pytest.mark.parametrize(
    "value", ["", "soon", "-5", "+5", "1e3", "inf", "nan", "\u0664", "1 2", "9" * 40, "Sun, 99 Mar"]
)
def test_a_retry_after_that_says_nothing_is_left_alone(value: str) -> None:
    assert parse_retry_after(value, NOW) is None
    assert 0.5 <= wait_for(retry_after=value) <= 1


@given(st.text(max_size=40))
def test_any_retry_after_gives_a_wait_within_bounds(value: str) -> None:
    assert 0 < wait_for(retry_after=value) <= LONGEST_WAIT


def test_the_server_s_advice_is_taken_where_it_is_longer() -> None:
    assert wait_for(retry_after="7") == 7
    assert wait_for(retry_after=format_datetime(NOW + timedelta(seconds=20), usegmt=True)) == 20
    assert 0.5 <= wait_for(retry_after="0") <= 1
    assert 0.5 <= wait_for(retry_after=format_datetime(NOW - timedelta(days=1), usegmt=True)) <= 1


@pytest.mark.parametrize("value", ["121", "3600", "1893456000", "Fri, 01 Mar 2126 12:00:00 GMT"])
def test_no_server_makes_anybody_wait_for_longer_than_two_minutes(value: str) -> None:
    assert wait_for(retry_after=value) == LONGEST_WAIT == 120


@pytest.mark.parametrize(
    ("headers", "content"),
    [
        ({}, HUB),
        ({}, b"toomanyrequests: You have reached your pull rate limit. You may increase ..."),
        ({"ratelimit-remaining": "0;w=21600"}, b""),
        ({"ratelimit-remaining": "0", "retry-after": "1"}, b""),
    ],
)
def test_a_pull_limit_is_not_waited_for(headers: dict[str, str], content: bytes) -> None:
    assert is_pull_limit(429, headers, content)
    assert RetryPolicy().wait_after_response(1, 429, headers, content) is None


def test_other_limits_pass_by_themselves() -> None:
    assert wait_for(429, content=b'{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}')
    assert wait_for(429, ratelimit_remaining="76;w=21600")
    assert wait_for(503, content=HUB, ratelimit_remaining="0")


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({}, "6 hours"),
        ({"ratelimit-limit": "100;w=21600"}, "6 hours"),
        ({"ratelimit-remaining": "0;w=86400"}, "24 hours"),
        ({"ratelimit-limit": "100;w=3600"}, "60 minutes"),
        ({"ratelimit-limit": "100;w=0"}, "1 minutes"),
        ({"ratelimit-limit": "many;w=long"}, "6 hours"),
    ],
)
def test_the_time_over_which_pulls_are_counted_is_said(headers: dict[str, str], words: str) -> None:
    assert pull_limit_window(headers) == words
