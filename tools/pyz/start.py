"""Runs oci-merge from the single file: the module ``oci_merge_pyz`` in it.

Modules are loaded from the archive as they stand in it. Nothing is unpacked, so there is no folder
that has to be writable, that jobs share, or that another user could have filled before.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    BuiltinImporter,
    ExtensionFileLoader,
    FrozenImporter,
    ModuleSpec,
    PathFinder,
)
from importlib.util import spec_from_loader
from types import ModuleType
from typing import NoReturn
from zipimport import zipimporter


def start(main: str) -> NoReturn:
    """Run the program, and end the process with its status.

    Args:
        main: the path of ``__main__.py`` in the archive.
    """
    prepare(os.path.dirname(main))
    from oci_merge_cli.__main__ import main as run

    run()


def prepare(archive: str) -> None:
    """Let native modules come from the archive, too, and no module from anywhere else.

    Args:
        archive: the path of the single file.
    """
    sys.meta_path[:] = [BuiltinImporter, FrozenImporter, PathFinder, _NativeFinder(archive)]


class _NativeFinder:
    """Finds native modules in the archive, which zipimport leaves out.

    Args:
        archive: the path of the single file.
    """

    def __init__(self, archive: str) -> None:
        self._archive = zipimporter(archive)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where a module is, as the import system asks it, or None."""
        for suffix in EXTENSION_SUFFIXES:
            member = name.replace(".", os.sep) + suffix
            try:
                content = self._archive.get_data(member)
            except OSError:
                continue
            return spec_from_loader(name, _NativeLoader(name, member, content))
        return None


class _NativeLoader(ExtensionFileLoader):
    """Loads a native module from memory, or where the system does not allow it, from a file.

    Args:
        name: the module.
        member: its path in the archive.
        content: the shared library.
    """

    def __init__(self, name: str, member: str, content: bytes) -> None:
        super().__init__(name, member)
        self._content = content

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module, not yet run, as the import system asks for it."""
        ways: list[Callable[[bytes], AbstractContextManager[str]]] = [_in_file]
        if hasattr(os, "memfd_create"):
            ways.insert(0, _in_memory)
        for way in ways[:-1]:
            try:
                return self._load(spec.name, way)
            except (ImportError, OSError):
                pass  # such as no /proc, or a policy that forbids it
        return self._load(spec.name, ways[-1])

    def _load(self, name: str, way: Callable[[bytes], AbstractContextManager[str]]) -> ModuleType:
        with way(self._content) as path:
            return super().create_module(ModuleSpec(name, self, origin=path))


@contextmanager
def _in_memory(content: bytes) -> Iterator[str]:
    # It stays open: the system's loader takes two libraries of one path for the same one, and the
    # next would get this number. Programs that are started do not inherit it.
    descriptor = os.memfd_create("oci-merge")
    with open(descriptor, "wb", closefd=False) as file:
        file.write(content)
    yield f"/proc/self/fd/{descriptor}"


@contextmanager
def _in_file(content: bytes) -> Iterator[str]:
    from tempfile import TemporaryDirectory

    # No other user may enter the folder or guess its name. A loaded file may be removed, save on
    # Windows.
    with TemporaryDirectory(prefix="oci-merge-", ignore_cleanup_errors=True) as folder:
        path = os.path.join(folder, "module")
        with open(path, "wb") as file:
            file.write(content)
        yield path
