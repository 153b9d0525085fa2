"""Writes the pages that are made of the commands and of the library: ``make reference``."""

from __future__ import annotations

from pathlib import Path

from typer.main import get_command

from oci_merge import __version__
from oci_merge_cli.app import SHARED_OPTIONS, app
from oci_merge_cli.reference.markdown import reference_page
from oci_merge_cli.reference.pages import page_of
from oci_merge_cli.reference.roff import man_page
from tools.library_page import library_page

DOCS = Path(__file__).parents[1] / "docs"


def documents() -> dict[Path, str]:
    """Return the text of each page by its file."""
    program = get_command(app)
    root = page_of(program.make_context("oci-merge", [], resilient_parsing=True), SHARED_OPTIONS)
    return {
        DOCS / "reference.md": reference_page(root),
        DOCS / "library-reference.md": library_page(),
        DOCS / "oci-merge.1": man_page(root, __version__),
    }


if __name__ == "__main__":
    for file, text in documents().items():
        file.write_text(text, encoding="utf-8")
