"""Variables in text: what is substituted, and what is refused."""

from __future__ import annotations

import pytest

from oci_merge.errors import SpecError
from oci_merge.planning.variables import substituted

VALUES = {"VERSION": "1.0", "EMPTY": "", "DOLLAR": "${VERSION}"}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("plain", "plain"),
        ("${VERSION}", "1.0"),
        ("a-${VERSION}-b-${VERSION}", "a-1.0-b-1.0"),
        ("${VERSION:-2}", "1.0"),
        ("${MISSING:-2}", "2"),
        ("${MISSING:-}", ""),
        ("${EMPTY}", ""),
        ("${EMPTY:-2}", "2"),
        ("${MISSING:-${ALSO:-3}}", "3"),
        ("${MISSING:-v${VERSION}}!", "v1.0!"),
        ("${VERSION:-${UNUSED_AND_NOT_SET}}", "1.0"),
        ("$${VERSION}", "${VERSION}"),
        ("$$$$", "$$"),
        ("costs 5$", "costs 5$"),
        ("$5", "$5"),
        ("${MISSING:-$$}", "$"),
        ("${DOLLAR}", "${VERSION}"),
    ],
)
def test_variables_give_their_values_once(text: str, result: str) -> None:
    assert substituted(text, VALUES) == result


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${MISSING}", "the variable MISSING is not set"),
        ("${MISSING:-${ALSO}}", "the variable ALSO is not set"),
        ("$VERSION", "'$VERSION' is a variable without braces"),
        ("${VERSION", "'${VERSION}' is not a variable"),
        ("${VERSION:?needed}", "'${VERSION:?needed}' is not a variable"),
        ("${VERSION-2}", "'${VERSION-2}' is not a variable"),
        ("${}", "'${}' is not a variable"),
        ("${1}", "'${1}' is not a variable"),
        ("${ VERSION }", "'${ VERSION }' is not a variable"),
        ("${MISSING:-2", "'${MISSING:-2' lacks a closing brace"),
        ("${OCI_MERGE_PASSWORD}", "the variable OCI_MERGE_PASSWORD is a password"),
    ],
)
def test_what_is_no_variable_is_refused(text: str, message: str) -> None:
    with pytest.raises(SpecError) as raised:
        substituted(text, {**VALUES, "OCI_MERGE_PASSWORD": "secret"})
    assert raised.value.message.startswith(message)
    assert "secret" not in str(raised.value)


def test_defaults_may_not_stand_without_end_in_each_other() -> None:
    deep = "${A:-" * 5000 + "}" * 5000
    with pytest.raises(SpecError, match="too deep"):
        substituted(deep, {})


def test_variables_cannot_make_a_text_without_bounds() -> None:
    with pytest.raises(SpecError, match="65536 characters"):
        substituted("${BIG}" * 100, {"BIG": "x" * 10_000})
