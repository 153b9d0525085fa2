"""Shards of a batch: together they are the whole, and no image is in two."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_merge.errors import UsageError
from oci_merge.planning.shards import parse_shard, shard


@given(st.integers(0, 200), st.integers(1, 40))
def test_all_shards_together_are_every_image_once_and_of_equal_size(count: int, total: int) -> None:
    items = list(range(count))
    parts = [shard(items, number, total) for number in range(1, total + 1)]
    assert sorted(item for part in parts for item in part) == items
    sizes = {len(part) for part in parts}
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(
    ("text", "result"), [("1/1", (1, 1)), ("3/10", (3, 10)), ("03/10", (3, 10)), (" 2/2 ", (2, 2))]
)
def test_a_shard_is_a_number_of_a_total(text: str, result: tuple[int, int]) -> None:
    assert parse_shard(text) == result


@pytest.mark.parametrize(
    "text", ["", "3", "0/10", "11/10", "1/0", "-1/10", "1/10/2", "a/b", "1.0/2", "²/3", "1 / 2"]
)
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a shard"):
        parse_shard(text)
