"""Puts variables into text: ``${NAME}`` and ``${NAME:-default}``; ``$$`` is a dollar sign. Pure.

A default may hold variables itself, as in ``${CI_COMMIT_TAG:-${CI_COMMIT_SHORT_SHA}}``. It counts
where the variable is not set, or empty, as in a shell.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from oci_merge._text import printable
from oci_merge.errors import SpecError

#: How deep defaults may stand in each other.
_DEEPEST = 16
#: The longest text that variables may give, in characters; an image's references fit many times.
_LONGEST = 1 << 16
_OPENING = re.compile(r"\$(?:\$|\{|[A-Za-z_]\w*|\()")
_IN_DEFAULT = re.compile(r"\}|\$(?:\$|\{|[A-Za-z_]\w*|\()")
_NAME = re.compile(r"[A-Za-z_]\w*")
_FORMS = "write ${NAME} or ${NAME:-default}, and $$ for a dollar sign"
#: Its value would be published, or shown in an error.
_SECRET = "OCI_MERGE_PASSWORD"  # noqa: S105 - the name of a variable


def substituted(text: str, values: Mapping[str, str]) -> str:
    """Return a text with the values of its variables.

    What a value holds is not substituted again.

    Args:
        text: the text.
        values: the variables by name.

    Raises:
        SpecError: a variable is not set, or a dollar sign begins something else.
    """
    if "$" not in text:
        return text
    return _filled(text, 0, values, 0)[0]


def has_default(text: str) -> bool:
    """Say whether a text has a variable with a default."""
    return "${" in text and ":-" in text


def _filled(text: str, start: int, values: Mapping[str, str] | None, depth: int) -> tuple[str, int]:
    """Return the text from ``start`` on and where it ends; a default ends at its ``}``.

    Args:
        text: the whole text.
        start: where to begin.
        values: the variables; None where the result is not used, so that none has to be set.
        depth: how many defaults this stands in.
    """
    if depth > _DEEPEST:
        raise SpecError("defaults of variables stand too deep in each other", hint=_FORMS)
    pieces: list[str] = []
    opening = _IN_DEFAULT if depth else _OPENING
    while found := opening.search(text, start):
        pieces.append(text[start : found.start()])
        if found[0] == "}":
            return "".join(pieces), found.end()
        if found[0] == "$$":
            value, start = "$", found.end()
        elif found[0] == "${":
            value, start = _variable(text, found.end(), values, depth)
        elif found[0] == "$(":
            value, start = "$(", found.end()
        else:
            raise SpecError(
                f"{printable(found[0], limit=60)!r} is a variable without braces",
                hint=f"write ${{{found[0][1:]}}} for its value, or ${found[0]} for the text",
            )
        pieces.append(value)
    if depth:
        raise SpecError(f"{printable(text, limit=60)!r} lacks a closing brace", hint=_FORMS)
    whole = "".join([*pieces, text[start:]])
    if len(whole) > _LONGEST:
        raise SpecError(f"variables make a text of more than {_LONGEST} characters")
    return whole, len(text)


def _variable(
    text: str, start: int, values: Mapping[str, str] | None, depth: int
) -> tuple[str, int]:
    """Return the value of the variable whose name begins at ``start``, and where its brace ends."""
    name = _NAME.match(text, start)
    end = name.end() if name else start
    if name and text.startswith("}", end):
        return _value(name[0], values), end + 1
    if not name or not text.startswith(":-", end):
        shown = printable(text[start - 2 :].partition("}")[0], limit=60)
        raise SpecError(f"{shown + '}'!r} is not a variable", hint=_FORMS)
    is_set = values is not None and bool(values.get(name[0]))
    default, end = _filled(text, end + 2, None if is_set else values, depth + 1)
    return (_value(name[0], values) if is_set else default), end


def _value(name: str, values: Mapping[str, str] | None) -> str:
    if values is None:
        return ""
    if name == _SECRET:
        raise SpecError(
            f"the variable {name} is a password, which is no part of an image",
            hint="leave it out; oci-merge finds the login itself",
        )
    if name not in values:
        raise SpecError(
            f"the variable {name} is not set",
            hint=f"set it, or write ${{{name}:-default}}",
        )
    return values[name]
