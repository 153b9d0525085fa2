"""Which moments of a merge a picture shows."""

from __future__ import annotations

import pytest

from tools.pictures.scenes import Frame, MomentMissedError, moments
from tools.pictures.screen import PLAIN, text_of

_MANIFESTS = ["reading manifests ━━ 0/3"]
_BEGUN = ["reading manifests ━━ 3/3", "reading configs   ━━ 0/3", "mounting blobs    ━━ 0/7"]
_HALF = ["reading manifests ━━ 3/3", "reading configs   ━━ 3/3", "mounting blobs    ━╸ 5/7"]
_MOUNTED = [
    "reading manifests ━━ 3/3",
    "reading configs   ━━ 3/3",
    "mounting blobs    ━━ 7/7",
    "putting manifests ━━ 0/3",
]
_TAGS = [*_MOUNTED[:3], "putting manifests ━━ 3/3", "moving tags       ━━ 0/2"]
_MOVED = ["tag 1.0 moved", *_TAGS]
_END = ["tag latest moved", "tag 1.0 moved", "platform  digest"]


def _frame(lines: list[str]) -> Frame:
    return tuple(tuple((character, PLAIN) for character in line) for line in lines)


def _texts(frames: tuple[Frame, ...]) -> list[list[str]]:
    return [[text_of(row) for row in frame] for frame in frames]


def test_each_step_is_shown_as_it_begins_and_then_the_end() -> None:
    every = (_MANIFESTS, _MANIFESTS, _BEGUN[:2], _BEGUN, _HALF, _MOUNTED, _TAGS, _MOVED, _END)
    shown = _texts(moments([_frame(lines) for lines in every]))
    assert shown[:-1] == [_MANIFESTS, _BEGUN, _MOUNTED, _TAGS]
    assert shown[-1] == ["tag 1.0 moved", "tag latest moved", "platform  digest"]


def test_a_step_that_no_frame_shows_is_an_error() -> None:
    with pytest.raises(MomentMissedError, match="putting manifests"):
        moments([_frame(lines) for lines in (_MANIFESTS, _BEGUN, _HALF, _TAGS, _END)])
