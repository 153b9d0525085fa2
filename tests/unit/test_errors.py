"""The tree of errors."""

from __future__ import annotations

import inspect

import pytest

from oci_merge import errors
from oci_merge.errors import (
    ErrorDetail,
    MountRefusedError,
    OciMergeError,
    PublishError,
    RegistryError,
    UsageError,
)

_KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, OciMergeError)
]


def test_the_docstring_draws_the_tree_as_it_is() -> None:
    assert errors.__doc__ is not None
    drawn: dict[str, str] = {}
    path: list[tuple[int, str]] = []
    for line in errors.__doc__.splitlines():
        if not line.startswith("    "):
            continue
        name, indent = line.split()[0], len(line) - len(line.lstrip())
        path = [(depth, parent) for depth, parent in path if depth < indent]
        drawn[name] = path[-1][1] if path else "Exception"
        path.append((indent, name))
    assert drawn == {kind.__name__: kind.__bases__[0].__name__ for kind in _KINDS}


@pytest.mark.parametrize("kind", _KINDS)
def test_every_error_has_a_docstring_and_is_caught_as_the_root(kind: type[Exception]) -> None:
    assert kind.__doc__
    assert kind.__name__.endswith("Error")
    assert issubclass(kind, OciMergeError)


def test_an_error_is_its_message_and_has_a_hint() -> None:
    error = UsageError("it is wrong", hint="do it right")
    assert (str(error), error.message, error.hint) == ("it is wrong", "it is wrong", "do it right")
    assert UsageError("it is wrong").hint == ""


def test_a_registrys_codes_are_in_its_order_without_empty_ones() -> None:
    details = [ErrorDetail("B", ""), ErrorDetail("", "text"), ErrorDetail("A", "")]
    error = RegistryError("no", status=400, method="PUT", url="https://r/v2/", details=details)
    assert error.codes == ("B", "A")
    assert (error.status, error.method, error.url) == (400, "PUT", "https://r/v2/")


def test_errors_keep_what_they_are_about_as_tuples() -> None:
    assert MountRefusedError("no", digests=["a"]).digests == ("a",)
    partial = PublishError("half", moved=["a"], failed=["b"], hint="again")
    assert (partial.moved, partial.failed, partial.hint) == (("a",), ("b",), "again")
