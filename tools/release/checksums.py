"""Writes the checksums of a release, as ``sha256sum --check`` reads them."""

from __future__ import annotations

import hashlib
from pathlib import Path

FILE = "SHA256SUMS"


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_checksums(folder: Path) -> Path:
    """Write ``SHA256SUMS`` over all other files of a folder, and return its path."""
    files = sorted(path for path in folder.iterdir() if path.name != FILE)
    written = folder / FILE
    written.write_text("".join(f"{checksum(path)}  {path.name}\n" for path in files))
    return written


def read_checksums(text: str) -> dict[str, str]:
    """Return the checksums of such a file by the names of the files.

    Raises:
        ValueError: a line is of another form.
    """
    found = {}
    for line in text.splitlines():
        digest, separator, name = line.partition("  ")
        if not separator or len(digest) != 64:
            raise ValueError(f"not a line of checksums: {line!r}")
        found[name] = digest
    return found
