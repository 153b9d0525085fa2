"""Starts the single file: ``__main__.py`` in it, which any Python reads, so old ones have to.

``build.py`` puts the words between at signs in.
"""

import os
import sys

_TAG = "@TAG@"
_PYTHON = "@PYTHON@"
#: Folders of Python's own native modules; some systems have two.
_NATIVE = ("lib-dynload", "DLLs")


def _tag():
    """Return what native modules of this Python are called, as ``cpython-311-x86_64-linux-gnu``."""
    try:
        from importlib.machinery import EXTENSION_SUFFIXES
    except ImportError:  # Python 2
        return "unknown"
    return EXTENSION_SUFFIXES[0].split(".")[1]


def _own_path():
    """Return the folders to load modules from: this file, and Python's own.

    What is installed beside Python, and what PYTHONPATH and ``.pth`` files add, could be another
    version of a package, or one more that httpx loads where it is there.
    """
    library = os.path.dirname(os.__file__)
    own = [path for path in sys.path if path == library or os.path.basename(path) in _NATIVE]
    return [os.path.dirname(__file__)] + own  # noqa: RUF005 - any Python reads it


def _main():
    if _tag() != _TAG:
        words = (sys.argv[0], _PYTHON, _TAG, sys.version_info[0], sys.version_info[1], _tag())
        text = (
            "error: {0} is for Python {1} ({2}), and this is Python {3}.{4} ({5})\n"
            "hint: start it with python{1}, or take the file that is for this Python\n"
        )
        sys.stderr.write(text.format(*words))
        sys.exit(1)
    # Before anything else is imported: only os and sys are there by now.
    sys.path[:] = _own_path()
    from oci_merge_pyz import start

    start(__file__)


_main()
