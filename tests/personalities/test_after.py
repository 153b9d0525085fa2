"""What is done once the tags have moved, at each of the registries that people use."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.embedded.personalities import NAMES, personality
from tests.edge.rows import row

#: Mount nothing as they are usually set up.
_WITHOUT_MOUNTS = ("ghcr", "ecr")


@pytest.mark.parametrize("name", NAMES)
def test_a_merge_is_verified_and_deletes_tags_at_every_registry(name: str, home: Path) -> None:
    with row(personality(name), home) as at:
        copies = name in _WITHOUT_MOUNTS
        result = at.merge(delete_sources=True, copy_layers=copies, tags=[])
        assert result.verified
        assert at.tags == {"latest": result.digest}
        # A registry may want a right that its usual login does not have; then the tags stay.
        assert result.deleted or result.warnings
