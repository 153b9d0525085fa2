"""The public names, and what it costs to import them."""

from __future__ import annotations

import ast
import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import oci_merge

_ROOT = Path(oci_merge.__file__).parents[1]
#: The public names; mypy does not see how they are made.
_NAMES: list[str] = vars(oci_merge)["__all__"]

#: Notes what happens while the package is imported, beside the importing itself.
_IMPORT = """
import sys
sys.path.insert(0, sys.argv[1])
own = ("import", "marshal.loads", "compile", "exec", "os.listdir", "object.", "sys._getframe")
seen = []
sys.addaudithook(lambda event, args: event.startswith(own) or seen.append((event, repr(args))))
import oci_merge
events = list(seen)
import json
print(json.dumps({"events": events, "modules": sorted(sys.modules)}))
"""
_HEAVY = {"httpx", "pydantic", "asyncio", "ssl", "socket", "rich", "typer", "cryptography", "yaml"}


class _Imported(NamedTuple):
    """What importing the package did: audit events with their arguments, and loaded modules."""

    events: list[tuple[str, str]]
    modules: list[str]


@pytest.fixture(scope="module")
def imported() -> _Imported:
    """What importing the package does in an interpreter of its own."""
    command = [sys.executable, "-I", "-B", "-c", _IMPORT, str(_ROOT)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return _Imported(**json.loads(run.stdout))


def test_the_public_names_are_sorted_and_each_stands_once() -> None:
    assert sorted(set(_NAMES)) == _NAMES


@pytest.mark.parametrize("name", _NAMES)
def test_every_public_name_loads(name: str) -> None:
    assert getattr(oci_merge, name) is not None
    assert name in dir(oci_merge)


@pytest.mark.parametrize("name", [name for name in _NAMES if name != "__version__"])
def test_every_public_name_says_what_it_is(name: str) -> None:
    assert inspect.getdoc(getattr(oci_merge, name))


def test_a_name_is_loaded_once() -> None:
    assert oci_merge.Platform is oci_merge.Platform
    assert "Platform" in vars(oci_merge)


def test_every_error_is_public() -> None:
    from oci_merge import errors

    kinds = {
        name
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.OciMergeError)
    }
    assert kinds <= set(_NAMES)


def test_type_checkers_see_the_names_that_run_time_has() -> None:
    """Each is imported as itself, as type checkers want it of a name that is handed on."""
    tree = ast.parse(Path(oci_merge.__file__).read_text())
    seen = [
        (f"{each.module}".removeprefix("oci_merge."), name.name, name.asname)
        for each in ast.walk(tree)
        if isinstance(each, ast.ImportFrom) and f"{each.module}".startswith("oci_merge.")
        for name in each.names
    ]
    modules: dict[str, str] = vars(oci_merge)["_MODULES"]
    at_run_time = [(module, name, name) for name, module in modules.items()]
    assert sorted(seen) == sorted([*at_run_time, ("_version", "__version__", "__version__")])


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        oci_merge.nonsense  # type: ignore[attr-defined] # noqa: B018
    assert not hasattr(oci_merge, "__wrapped__")


def test_a_star_import_brings_the_public_names() -> None:
    names: dict[str, object] = {}
    exec("from oci_merge import *", names)
    assert set(_NAMES) <= set(names)


def test_blocking_and_asynchronous_verbs_have_the_same_parameters() -> None:
    for name in ("merge", "push", "inspect"):
        blocking, waiting = getattr(oci_merge, name), getattr(oci_merge, f"{name}_async")
        assert inspect.signature(blocking) == inspect.signature(waiting)
        assert inspect.iscoroutinefunction(waiting)
        assert not inspect.iscoroutinefunction(blocking)


def test_importing_the_package_loads_nothing_heavy(imported: _Imported) -> None:
    assert not _HEAVY & {module.partition(".")[0] for module in imported.modules}
    assert [module for module in imported.modules if module.startswith("oci_merge")] == [
        "oci_merge",
        "oci_merge._version",
    ]


def test_importing_the_package_opens_nothing_but_its_own_code(
    imported: _Imported,
) -> None:
    unexpected = [
        event
        for event, arguments in imported.events
        if event != "open" or not arguments.split("'")[1].endswith((".py", ".pyc"))
    ]
    assert unexpected == []
