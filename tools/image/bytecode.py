"""Compiles to bytecode what oci-merge may load: ``python bytecode.py FOLDER``, in its environment.

The official ``python`` images have no bytecode of Python's own modules, and nobody may write it
when the image is used. Packages are compiled where they are. The bytecode of Python's own modules
is put below FOLDER, under the paths that it has in the image.
"""

from __future__ import annotations

import compileall
import os
import py_compile
import re
import sys
import sysconfig
from collections.abc import Iterator
from importlib.util import cache_from_source
from pathlib import Path

# What no program loads that is not made for it, half of all bytes.
_FOLDERS_LEFT_OUT = re.compile(
    r"__pycache__|config-.*|distutils|(dist|site)-packages|ensurepip|idlelib|lib2to3|pydoc_data"
    r"|tests?|tkinter|turtledemo|unittest"
)
# Of Pygments' many lexers and styles none is loaded.
_PACKAGES_LEFT_OUT = re.compile(r"/pygments/(lexers|styles)/(?!__init__|_mapping)")


def own_modules(library: str) -> Iterator[str]:
    """Yield the source files of Python's own modules."""
    for folder, folders, files in os.walk(library):
        folders[:] = [name for name in folders if not _FOLDERS_LEFT_OUT.fullmatch(name)]
        yield from (os.path.join(folder, name) for name in files if name.endswith(".py"))


def main() -> int:
    """Compile everything; return the exit status."""
    target = Path(sys.argv[1])
    sys.pycache_prefix = None  # where the build keeps what it compiles for itself
    # Where a folder is a link, builders would put the link in the place of the base's folder.
    for source in own_modules(os.path.realpath(sysconfig.get_path("stdlib"))):
        # Compared with the source's time, since a later layer may bring another Python.
        py_compile.compile(
            source,
            f"{target}{cache_from_source(source)}",
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.TIMESTAMP,
        )
    # Compared with nothing, since a builder may give the files of its own layers other times.
    done = compileall.compile_dir(
        sysconfig.get_path("purelib"),
        quiet=1,
        rx=_PACKAGES_LEFT_OUT,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    return 0 if done else 1


if __name__ == "__main__":
    sys.exit(main())
