"""A user who misspells a name, for the type checker alone: nothing here is run."""

from __future__ import annotations

from oci_merge import mergee  # type: ignore[attr-defined]

__all__ = ["mergee"]
