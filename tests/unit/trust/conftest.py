"""Names of tests that are the same in every process, though their keys are made anew in each."""

from __future__ import annotations

_MOST = 40


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a long value, which is a key or a signature, by its argument alone."""
    return argname if isinstance(val, str | bytes) and len(val) > _MOST else None
