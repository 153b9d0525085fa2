"""What the build adds to pyproject.toml: the README as an index shows it, and the project's URLs.

``OCI_MERGE_PROJECT_URL`` is the project's address at GitHub. The job that releases sets it; without
it the package names no URL.
"""

from __future__ import annotations

import os
import runpy
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


class ProjectMetadataHook(MetadataHookInterface):
    """Fills in ``readme`` and ``urls``."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set both fields.

        Raises:
            ValueError: the address is no https URL.
        """
        root = Path(self.root)
        tools = root / "tools" / "release"
        url = os.environ.get("OCI_MERGE_PROJECT_URL", "").rstrip("/")
        if url and not url.startswith("https://"):
            raise ValueError(f"OCI_MERGE_PROJECT_URL must be an https URL, and is {url!r}")
        tag = "v" + runpy.run_path(str(tools / "version.py"))["read_version"](root)
        for_index = runpy.run_path(str(tools / "readme.py"))["for_index"]
        readme = (root / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": for_index(readme, url, tag),
        }
        if url:
            metadata["urls"] = {
                "Repository": url,
                "Documentation": f"{url}/tree/{tag}/docs",
                "Changelog": f"{url}/blob/{tag}/CHANGELOG.md",
                "Issues": f"{url}/issues",
            }
