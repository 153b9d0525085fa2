"""A user who imports everything, for the type checker alone: nothing here is run."""

from __future__ import annotations

from typing import assert_type

from oci_merge import *  # noqa: F403


def join() -> None:
    """Use the names as a star import brings them."""
    assert_type(merge("reg.example/app:1", sources=["reg.example/a:1"]), MergeResult)  # noqa: F405
    assert_type(parse_reference("reg.example/app:1"), Reference)  # noqa: F405
    mergee("reg.example/app:1")  # type: ignore[name-defined]  # noqa: F405
