"""What the tests of signatures share: a key in a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.edge.operations.signing import OTHER, OWN, write_key


@pytest.fixture
def key(tmp_path: Path) -> str:
    """The file of the key to sign with."""
    return write_key(tmp_path / "own.key", OWN)


@pytest.fixture
def other_key(tmp_path: Path) -> str:
    """The file of somebody else's key."""
    return write_key(tmp_path / "other.key", OTHER)
