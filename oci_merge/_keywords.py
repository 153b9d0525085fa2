"""Keywords that are declared in TypedDicts: checks of their values, signatures and docs. Pure.

A ``TypedDict`` names the keywords of a function for type checkers and editors (PEP 692). Each is
annotated with a ``Keyword``, which holds what run time needs: ``checked`` checks the values of a
call, ``documented`` writes the keywords into the function's signature and docstring.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar, cast, get_args

from oci_merge._text import listed, printable
from oci_merge.errors import UsageError
from oci_merge.model.platform import Platform
from oci_merge.model.reference import Reference

#: Checks a value: called with the keyword's name and the value, it returns what to use.
Take = Callable[[str, Any], Any]

#: Numbers above it cannot be told from an infinite one.
_LARGEST = 1e300

_T = TypeVar("_T")
_Documented = TypeVar("_Documented", bound=Callable[..., Any])


class Keyword(NamedTuple):
    """What is known of a keyword beside its name and type.

    Attributes:
        take: checks a value and returns it as the library uses it, or raises UsageError.
        meaning: what the value means, for the documentation.
        default: the value where none is given; where it is None, None may be given as well.
    """

    take: Take
    meaning: str
    default: Any = None

    def taken(self, name: str, value: Any) -> Any:
        """Return a value that was given for this keyword, checked.

        Raises:
            UsageError: it is of a wrong type or out of range.
        """
        return None if value is None and self.default is None else self.take(name, value)


def keywords_of(kind: type) -> dict[str, Keyword]:
    """Return the keywords that a TypedDict declares, its bases' first."""
    return {name: hint.__metadata__[0] for name, hint in kind.__annotations__.items()}


def checked(kind: type[_T], given: Mapping[str, Any]) -> _T:
    """Return the keywords of a TypedDict, their values checked, and defaults where none is given.

    Raises:
        UsageError: a value is of a wrong type or out of range.
    """
    values = {
        name: keyword.taken(name, given[name]) if name in given else keyword.default
        for name, keyword in keywords_of(kind).items()
    }
    return cast(_T, values)


def check_names(taker: str, kind: type, given: Iterable[str]) -> None:
    """Check that what was given are keywords of a TypedDict, as Python does for parameters.

    Args:
        taker: the function or class that takes them, to be named in the error.
        kind: the TypedDict.
        given: the names that were given.

    Raises:
        TypeError: one is not.
    """
    known = kind.__annotations__
    for name in given:
        if name not in known:
            from difflib import get_close_matches  # only to say what went wrong

            close = get_close_matches(name, known, n=1)
            known_words = f"did you mean {close[0]!r}?" if close else f"it takes {listed([*known])}"
            raise TypeError(f"{taker}() got an unexpected keyword argument {name!r}; {known_words}")


def divided(kind: type[_T], given: Mapping[str, Any]) -> tuple[_T, dict[str, Any]]:
    """Divide keywords into those that a TypedDict declares and the others."""
    own = {name: value for name, value in given.items() if name in kind.__annotations__}
    others = {name: value for name, value in given.items() if name not in own}
    return cast(_T, own), others


def documented(kind: type) -> Callable[[_Documented], _Documented]:
    """Return a decorator that shows a TypedDict's keywords in a signature and a docstring.

    What it decorates takes ``**keywords: Unpack[kind]``. ``inspect.signature`` and ``help`` then
    show each of them, and in the docstring they replace the line that starts with ``**``.
    """

    def decorate(target: _Documented) -> _Documented:
        function: Any = target.__init__ if isinstance(target, type) else target  # type: ignore[misc]
        signature = inspect.signature(function, eval_str=True)
        own = [one for one in signature.parameters.values() if one.kind is not one.VAR_KEYWORD]
        function.__signature__ = signature.replace(parameters=[*own, *_parameters(kind)])
        if target.__doc__:
            target.__doc__ = _with_meanings(target.__doc__, kind)
        return target

    return decorate


def _parameters(kind: type) -> list[inspect.Parameter]:
    return [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=keyword.default,
            annotation=kind.__annotations__[name].__origin__,
        )
        for name, keyword in keywords_of(kind).items()
    ]


def _with_meanings(text: str, kind: type) -> str:
    """Replace the line of a docstring that stands for all the keywords."""
    lines: list[str] = []
    for line in inspect.cleandoc(text).splitlines():
        start = line.lstrip()
        if not start.startswith("**"):
            lines.append(line)
            continue
        indent = line[: -len(start)]
        for name, keyword in keywords_of(kind).items():
            first, *more = keyword.meaning.splitlines()
            lines.append(f"{indent}{name}: {first.strip()}")
            lines += (f"{indent}    {each.strip()}" for each in more)
    return "\n".join(lines)


def mistyped(name: str, wanted: str, value: object, hint: str) -> UsageError:
    """Return the error of a value of a wrong type; the value may be secret and is not shown."""
    kind = "None" if value is None else type(value).__name__
    return UsageError(f"{name} must be {wanted}, got {kind}", hint=hint)


def text(name: str, value: object) -> str:
    """Take text."""
    if isinstance(value, str):
        return value
    raise mistyped(name, "text", value, f'write {name}="..."')


def flag(name: str, value: object) -> bool:
    """Take True or False."""
    if isinstance(value, bool):
        return value
    raise mistyped(name, "True or False", value, f"write {name}=True, or leave it out")


def function(name: str, value: object) -> Callable[..., Any]:
    """Take what can be called."""
    if callable(value):
        return value
    raise mistyped(name, "a function", value, "give a function that takes one event")


def path(name: str, value: object) -> str:
    """Take a path, as text or as ``pathlib.Path``, and return it as text."""
    # What os.fspath does; os is for modules that do I/O.
    as_path = getattr(type(value), "__fspath__", None)
    made = as_path(value) if as_path else value
    if not isinstance(made, str):
        raise mistyped(name, "a path", value, "give text or a pathlib.Path")
    if "\0" in made or not _can_be_written(made, "surrogateescape"):
        raise UsageError(
            f"{name} must be a path, got {printable(made)!r}",
            hint="no file's name has such a character in it",
        )
    return made


def whole_number(least: int, words: str, hint: str) -> Take:
    """Return a taker of whole numbers from ``least`` on; ``words`` says that in the error."""

    def take(name: str, value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise mistyped(name, "a whole number", value, hint)
        if value < least:
            raise UsageError(f"{name} must be {words}, got {_shown(value)}", hint=hint)
        return value

    return take


def positive(unit: str, hint: str) -> Take:
    """Return a taker of numbers above 0; ``unit`` says what is counted."""

    def take(name: str, value: object) -> float:
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise mistyped(name, f"a number of {unit}", value, hint)
        if not 0 < value < _LARGEST:
            raise UsageError(f"{name} must be more than 0 {unit}, got {_shown(value)}", hint=hint)
        return value

    return take


def choice(choices: Any, what: str) -> Take:
    """Return a taker of the words that a ``Literal`` allows; ``what`` names one in the error."""
    words = get_args(choices)

    def take(name: str, value: object) -> str:
        hint = f"choose one of {', '.join(words)}"
        if not isinstance(value, str):
            raise mistyped(name, "text", value, hint)
        if value not in words:
            raise UsageError(f"{printable(value)!r} is not a {what}", hint=hint)
        return value

    return take


def reference(name: str, value: object) -> str:
    """Take a reference, as text or parsed, and return it as text."""
    if isinstance(value, Reference):
        return str(value)
    if isinstance(value, str):
        return value
    raise mistyped(name, "text or a Reference", value, 'write it like "reg.example/app:1.0"')


def tag(name: str, value: object) -> str:
    """Take a tag as text, or as a reference, and return it as text."""
    return str(value) if isinstance(value, Reference) else text(name, value)


def platform(name: str, value: object) -> str | Platform:
    """Take a platform, as text or as a value."""
    if isinstance(value, str):
        return value
    if not isinstance(value, Platform):
        raise mistyped(name, "text or a Platform", value, 'write it like "linux/arm64"')
    features: object = value.os_features
    words = (value.os, value.architecture, value.variant, value.os_version)
    if not isinstance(features, tuple) or not all(isinstance(it, str) for it in words + features):
        raise UsageError(
            f"{name} has a Platform whose fields are not text", hint='write it like "linux/arm64"'
        )
    return value


def source(name: str, value: object) -> tuple[str, str | Platform | None]:
    """Take a reference, or a pair of a reference and a platform; without one, that is None."""
    if isinstance(value, tuple):
        if len(value) != 2:
            hint = 'write it like ("reg.example/app:1.0", "linux/arm64")'
            raise mistyped(name, "a reference, or one with its platform", value, hint)
        return reference(name, value[0]), platform(name, value[1])
    return reference(name, value), None


def several(take_each: Take) -> Take:
    """Return a taker of several values; it returns them in a tuple.

    One text is refused, since it would be taken letter by letter. A set has no order, but the
    index has one, and so its digest would change from run to run: a set is sorted.
    """

    def take(name: str, value: object) -> tuple[Any, ...]:
        if isinstance(value, str):
            shown = printable(value)
            raise UsageError(
                f"the {name} are the text {shown!r} rather than a list of texts",
                hint=f"write [{shown!r}]",
            )
        if isinstance(value, (bytes, bytearray, Mapping)) or not isinstance(value, Iterable):
            raise mistyped(name, "a list", value, f'write {name}=["..."]')
        taken = [take_each(f"each of {name}", item) for item in value]
        return tuple(sorted(taken, key=str) if isinstance(value, (set, frozenset)) else taken)

    return take


def source_file(name: str, value: object) -> object:
    """Take a path as text, or an open file as it is."""
    return value if _is_open(value) else path(name, value)


def source_files(name: str, value: object) -> tuple[Any, ...]:
    """Take several files; one that is open is refused, since its lines would be taken for paths."""
    if _is_open(value):
        raise mistyped(name, "a list", value, f"write {name}=[file]")
    taken: tuple[Any, ...] = several(source_file)(name, value)
    return taken


def _is_open(value: object) -> bool:
    # Some kinds of paths have a read method as well.
    return hasattr(value, "read") and not hasattr(type(value), "__fspath__")


def pairs(what: str) -> Take:
    """Return a taker of a mapping of texts; ``what`` names one pair in the error."""

    def take(name: str, value: object) -> dict[str, str]:
        hint = f'write {name}={{"key": "value"}}'
        if not isinstance(value, Mapping):
            raise mistyped(name, "a mapping of texts", value, hint)
        taken: dict[str, str] = {}
        for key, content in value.items():
            if not _is_text(key) or not _is_text(content):
                raise UsageError(f"the {what} {_word(key)!r} is not text", hint=hint)
            taken[key] = content
        return taken

    return take


def _is_text(value: object) -> bool:
    return isinstance(value, str) and _can_be_written(value)


def _can_be_written(value: str, errors: str = "strict") -> bool:
    """Say whether text can be written as UTF-8: half of a surrogate pair cannot."""
    try:
        value.encode(errors=errors)
    except UnicodeEncodeError:
        return False
    return True


def _word(key: object) -> str:
    return printable(str(key)) if isinstance(key, (str, int, float, bool)) else type(key).__name__


def _shown(value: float) -> str:
    """Return a number as it was given, as far as it can be written."""
    try:
        return f"{value:g}"
    except OverflowError:
        return "a number without bounds"
