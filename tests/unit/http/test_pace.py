"""What counts as bytes of no use on a connection."""

from __future__ import annotations

from itertools import pairwise

from hyperframe.frame import ContinuationFrame, DataFrame, Frame, HeadersFrame, PingFrame
from hypothesis import given
from hypothesis import strategies as st

from oci_merge.http.pace import Overhead

_MIB = 1024 * 1024


def _is_endless(content: bytes, cuts: list[int], *, is_http2: bool = True) -> bool:
    counted = Overhead(is_http2=is_http2)
    ends = [0, *sorted(cut % (len(content) + 1) for cut in cuts), len(content)]
    return any(counted.is_endless(content[one:other]) for one, other in pairwise(ends))


@given(st.lists(st.integers(0, 10**9), max_size=20))
def test_content_over_http2_does_not_count_wherever_it_is_cut(cuts: list[int]) -> None:
    frames = [DataFrame(1, b"\x00\x00\x00\x06" * 4096).serialize() for _ in range(128)]
    assert not _is_endless(b"".join(frames), cuts)


@given(
    st.lists(st.integers(0, 10**9), max_size=20),
    st.sampled_from(
        [
            PingFrame(0, b"12345678"),
            DataFrame(1, b""),
            HeadersFrame(1, b"x" * 50),
            ContinuationFrame(1, b""),
        ]
    ),
)
def test_every_other_frame_counts_wherever_it_is_cut(cuts: list[int], frame: Frame) -> None:
    content = frame.serialize()
    assert _is_endless(content * (_MIB // len(content)), cuts)


def test_over_http1_every_byte_counts_until_a_part_of_a_response_has_come() -> None:
    assert _is_endless(b"x" * _MIB, [], is_http2=False)
    counted = Overhead(is_http2=False)
    for _ in range(100):
        assert not counted.is_endless(b"x" * 65536)
        counted.reset()
