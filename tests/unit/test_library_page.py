"""The page about the library: its examples call what there is, with keywords that there are."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import oci_merge

_PAGE = (Path(oci_merge.__file__).parents[1] / "docs" / "library.md").read_text()
_EXAMPLES = re.findall(r"```python\n(.*?)```", _PAGE, re.DOTALL)
#: What the examples call the clients that they open.
_CLIENTS = {"client": oci_merge.AsyncClient}


def _called(function: ast.expr) -> Any:
    """Return what an expression names in the library, or None if it names something else."""
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        if function.value.id == "oci_merge":
            return getattr(oci_merge, function.attr)
        if function.value.id in _CLIENTS:
            return getattr(_CLIENTS[function.value.id], function.attr)
    return None


@pytest.mark.parametrize("example", _EXAMPLES)
def test_an_example_calls_what_there_is(example: str) -> None:
    calls = [node for node in ast.walk(ast.parse(example)) if isinstance(node, ast.Call)]
    found = [(called, call) for call in calls if (called := _called(call.func)) is not None]
    for called, call in found:
        known = inspect.signature(called).parameters
        assert {keyword.arg for keyword in call.keywords} <= set(known), ast.unparse(call)
    assert found


@pytest.mark.parametrize("name", sorted(set(re.findall(r"oci_merge\.(\w+)", _PAGE))))
def test_a_name_on_the_page_is_public(name: str) -> None:
    assert hasattr(oci_merge, name)
