"""Starts the single file: ``__main__.py`` in it, which any Python reads, so old ones have to.

``build.py`` puts the words between at signs in.
"""

import sys

_TAG = "@TAG@"
_PYTHON = "@PYTHON@"


def _tag():
    """Return what native modules of this Python are called, as ``cpython-311-x86_64-linux-gnu``."""
    try:
        from importlib.machinery import EXTENSION_SUFFIXES
    except ImportError:  # Python 2
        return "unknown"
    return EXTENSION_SUFFIXES[0].split(".")[1]


def _main():
    if _tag() != _TAG:
        words = (sys.argv[0], _PYTHON, _TAG, sys.version_info[0], sys.version_info[1], _tag())
        text = (
            "error: {0} is for Python {1} ({2}), and this is Python {3}.{4} ({5})\n"
            "hint: start it with python{1}, or take the file that is for this Python\n"
        )
        sys.stderr.write(text.format(*words))
        sys.exit(1)
    from oci_merge_pyz import start

    start(__file__)


_main()
