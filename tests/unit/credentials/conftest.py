"""An environment that has only the credentials of the test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from oci_merge.credentials import files


@pytest.fixture(autouse=True)
def kaniko_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where kaniko's image would have its config; nothing is there."""
    path = tmp_path / "kaniko" / ".docker" / "config.json"
    monkeypatch.setattr(files, "KANIKO_CONFIG", path)
    return path


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment with an empty home and an empty folder for what lasts a session."""
    return {
        "HOME": str(tmp_path / "home"),
        "XDG_RUNTIME_DIR": str(tmp_path / "run"),
        "PATH": os.environ["PATH"],
    }
