"""How hypothesis tries the properties: not long, and in CI the same on every run."""

from __future__ import annotations

import os

from hypothesis import settings

_IN_CI = bool(os.environ.get("CI") or os.environ.get("OCI_MERGE_REQUIRE_REAL_REGISTRY"))

settings.register_profile("unit", max_examples=100, deadline=None, derandomize=_IN_CI)
settings.load_profile("unit")
