"""The tree of errors."""

from __future__ import annotations

import copy
import inspect
import json
import multiprocessing
import pickle
import re
import traceback
from concurrent.futures import ProcessPoolExecutor
from typing import Any, NoReturn

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


def test_every_kind_of_error_has_a_code_of_its_own() -> None:
    codes = {kind.__name__: vars(kind).get("code", "") for kind in _KINDS}
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in codes.values()), codes
    assert len(set(codes.values())) == len(_KINDS)


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


#: A value for each parameter that an error takes by name.
_FIELDS: dict[str, Any] = {
    "hint": "try again",
    "digests": ("sha256:a", "sha256:b"),
    "missing": ("reg.test/app:1",),
    "moved": ("latest",),
    "failed": ("1.0", "1"),
    "lost": ("linux/s390x",),
    "label": "org.opencontainers.image.revision",
    "changed": ("reg.test/app:1.0",),
    "digest": "sha256:a",
    "status": 418,
    "method": "PUT",
    "url": "https://reg.test/v2/",
    "user": "ci (from the caller)",
    "details": (ErrorDetail("DENIED", "no", "sha256:a"),),
}


def _fields(kind: type[OciMergeError]) -> dict[str, Any]:
    """Return the arguments that a kind of error takes by name; a new one has to be known here."""
    names = [name for name in inspect.signature(kind).parameters if name != "message"]
    return {name: _FIELDS[name] for name in names}


def _made(kind: type[OciMergeError]) -> OciMergeError:
    return kind("it went wrong", **_fields(kind))


def _assert_same(error: BaseException, kind: type[OciMergeError]) -> None:
    assert type(error) is kind
    assert (str(error), error.message) == ("it went wrong", "it went wrong")
    assert {name: getattr(error, name) for name in _fields(kind)} == _fields(kind)
    assert error.__notes__ == ["hint: try again"]


@pytest.mark.parametrize("kind", _KINDS)
def test_an_error_as_json_has_all_that_its_class_knows(kind: type[OciMergeError]) -> None:
    document = _made(kind).to_dict()
    assert json.loads(json.dumps(document)) == document
    assert list(document)[:4] == ["code", "kind", "message", "hint"]
    assert (document["code"], document["kind"]) == (kind.code, kind.__name__)
    # Of an answer, its status and the registry's codes say enough; the message has the rest.
    told = set(_fields(kind)) - {"method", "url", "user", "details"}
    codes = {"codes"} if issubclass(kind, RegistryError) else set()
    assert set(document) == {"code", "kind", "message", *told, *codes}
    lists = {name: value for name, value in _fields(kind).items() if isinstance(value, tuple)}
    for name in lists.keys() & told:
        assert document[name] == list(lists[name])


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("kind", _KINDS)
def test_an_error_can_be_pickled_with_its_hint_and_all_its_fields(
    kind: type[OciMergeError], protocol: int
) -> None:
    _assert_same(pickle.loads(pickle.dumps(_made(kind), protocol)), kind)


@pytest.mark.parametrize("kind", _KINDS)
def test_an_error_can_be_copied(kind: type[OciMergeError]) -> None:
    _assert_same(copy.copy(_made(kind)), kind)
    _assert_same(copy.deepcopy(_made(kind)), kind)


def _fail(error: OciMergeError) -> NoReturn:
    raise error


def test_every_error_comes_back_from_a_process_pool() -> None:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        for kind in _KINDS:
            error = pool.submit(_fail, _made(kind)).exception()
            assert error is not None
            _assert_same(error, kind)


def test_a_traceback_shows_the_hint_once() -> None:
    error = UsageError("it is wrong", hint="do it right")
    assert "".join(traceback.format_exception(error)).splitlines() == [
        "oci_merge.errors.UsageError: it is wrong",
        "hint: do it right",
    ]


def test_a_traceback_shows_the_last_hint_beside_the_notes_of_others() -> None:
    error = UsageError("it is wrong", hint="do it right")
    error.add_note("while building app")
    error.hint = "do it otherwise"
    assert error.__notes__ == ["while building app", "hint: do it otherwise"]
    error.hint = ""
    assert error.__notes__ == ["while building app"]
    assert str(error) == "it is wrong"


def test_an_error_without_a_hint_has_no_note() -> None:
    assert traceback.format_exception(UsageError("no")) == ["oci_merge.errors.UsageError: no\n"]


def test_a_copy_and_its_original_have_hints_of_their_own() -> None:
    error = UsageError("it is wrong", hint="do it right")
    other = copy.copy(error)
    other.hint = "do it otherwise"
    assert (error.hint, error.__notes__) == ("do it right", ["hint: do it right"])
