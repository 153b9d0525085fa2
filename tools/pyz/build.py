"""Build the single file for this Python and platform.

It is an archive that Python runs (PEP 441). shiv and pex make such archives too, but these unpack
themselves at the first start, and compile then: seconds, which docs/benchmarks/cold.md has.

The same packages, built by the same Python, give the same bytes. SOURCE_DATE_EPOCH is heeded.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import py_compile
import subprocess
import sys
import sysconfig
import time
import warnings
import zipfile
from collections.abc import Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from tempfile import TemporaryDirectory

_HERE = Path(__file__).parent
_ROOT = _HERE.parents[1]
_SHEBANG = b"#!/usr/bin/env python3\n"
_EARLIEST = 315532800  # 1980-01-01, the first day that a zip archive can name

# rich imports these two of Pygments' lexers, and the others, a fifth of all bytes, only to colour
# source text, which oci-merge does not show.
_LEXERS = ("pygments", "lexers")
_KEPT_LEXERS = {"__init__.py", "_mapping.py"}


def build(output: Path, requirements: list[str]) -> Path:
    """Build the single file, with its checksum beside it.

    Args:
        output: the folder for both.
        requirements: what pip installs: oci-merge, and how it is found.

    Returns:
        The file's path.

    Raises:
        subprocess.CalledProcessError: pip failed.
        py_compile.PyCompileError: a module is not of this Python.
    """
    output.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="oci-merge-pyz-") as folder:
        packages = Path(folder)
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile"]
        subprocess.run([*command, "--target", folder, *requirements], check=True)
        built = output / file_name(packages)
        with built.open("wb") as file:
            file.write(_SHEBANG)
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
                for name, content in [*_start(), *_members(packages)]:
                    archive.writestr(_entry(name), content, zipfile.ZIP_DEFLATED)
    built.chmod(0o755)
    digest = hashlib.sha256(built.read_bytes()).hexdigest()
    built.with_name(f"{built.name}.sha256").write_text(f"{digest}  {built.name}\n")
    return built


def file_name(packages: Path) -> str:
    """Return what the file is called, such as ``oci-merge-0.1.0-cp311-linux_x86_64.pyz``.

    Args:
        packages: the folder that oci-merge is installed in.
    """
    (metadata,) = packages.glob("oci_merge-*.dist-info")
    version = metadata.name.split("-")[1].removesuffix(".dist")
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    libc = "musl" if "musl" in EXTENSION_SUFFIXES[0] else ""
    return f"oci-merge-{version}-{python}-{libc}{platform}.pyz"


def is_shipped(path: Path) -> bool:
    """Say whether a file is needed to run a command, or has to go with those that are.

    Args:
        path: the file, from the folder of the packages on.
    """
    if path.parts[0] in ("bin", "share") or "tests" in path.parts or "__pycache__" in path.parts:
        return False
    if path.suffix == ".pyi" or path.name == "py.typed":
        return False
    if path.parts[0].endswith(".dist-info"):
        # The licenses ask for it that they come along.
        return path.name.startswith(("METADATA", "LICEN", "COPYING", "NOTICE", "AUTHORS")) or (
            "licenses" in path.parts
        )
    return path.parts[:2] != _LEXERS or path.name in _KEPT_LEXERS


def _start() -> Iterator[tuple[str, bytes]]:
    """Yield what starts the program: names in the archive, and contents."""
    text = (_HERE / "main.py").read_text()
    text = text.replace("@TAG@", EXTENSION_SUFFIXES[0].split(".")[1])
    text = text.replace("@PYTHON@", f"{sys.version_info.major}.{sys.version_info.minor}")
    yield "__main__.py", text.encode()
    yield "oci_merge_pyz.pyc", _compiled(_HERE / "start.py", "oci_merge_pyz.py")


def _members(packages: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the files of packages, modules as bytecode: names in the archive, and contents."""
    for path in sorted(packages.rglob("*")):
        inner = path.relative_to(packages)
        if path.is_dir() or not is_shipped(inner):
            continue
        if path.suffix == ".py":
            yield f"{inner.as_posix()}c", _compiled(path, inner.as_posix())
        else:
            yield inner.as_posix(), path.read_bytes()


def _compiled(path: Path, shown: str) -> bytes:
    """Return a module's bytecode, which counts whatever time stamps there are.

    Args:
        path: the source.
        shown: what tracebacks call it.
    """
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = py_compile.compile(
            str(path),
            cfile=str(Path(folder, "module.pyc")),
            dfile=shown,
            doraise=True,
            optimize=0,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
        assert made is not None
        return Path(made).read_bytes()


def _entry(name: str) -> zipfile.ZipInfo:
    seconds = max(_EARLIEST, int(os.environ.get("SOURCE_DATE_EPOCH", _EARLIEST)))
    entry = zipfile.ZipInfo(name, time.gmtime(seconds)[:6])
    entry.external_attr = 0o100644 << 16
    return entry


def main() -> None:
    """Build the file that the arguments ask for, and print its path."""
    parser = argparse.ArgumentParser(description="Build the single file of oci-merge.")
    parser.add_argument("--output", type=Path, default=_ROOT / "dist", help="the folder (dist)")
    options, requirements = parser.parse_known_args()
    built = build(options.output, requirements or [str(_ROOT)])
    sys.stdout.write(f"{built}\n")


if __name__ == "__main__":
    main()
