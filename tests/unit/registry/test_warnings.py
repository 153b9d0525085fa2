"""Warnings in headers: which are read, how they are shown, and how often."""

from __future__ import annotations

import pytest

from oci_merge.registry.warnings import WarningsOnce, parse_warnings


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        (['299 - "going away"'], ["going away"]),
        (['299 - "a", 299 host "b, c"'], ["a", "b, c"]),
        (['299 - "say \\"hi\\""'], ['say "hi"']),
        (['299 - "x" "Wed, 21 Oct 2026 07:28:00 GMT"'], ["x"]),
        (['299 - "a"', '299 - "a"'], ["a"]),
        (['110 - "stale"', "garbage", "", '299 - ""'], []),
        (['299 - "\x1b[2Jboo"'], ["\\x1b[2Jboo"]),
    ],
)
def test_only_warnings_for_people_are_read_and_made_printable(
    headers: list[str], found: list[str]
) -> None:
    assert parse_warnings(headers) == found


def test_each_warning_is_told_once_and_no_more_than_ten() -> None:
    told: list[str] = []
    warnings = WarningsOnce("reg.example", told.append)
    for number in [0, 0, *range(20)]:
        warnings.note([f'299 - "{number}"'])
    assert told == [f"reg.example warns: {number}" for number in range(10)]
