"""Lets a command declare its options in a dataclass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Any


def expand_options(command: Callable[..., None]) -> Callable[..., None]:
    """Replace each parameter that is a dataclass by the options that the dataclass declares.

    A field declares an option if its type is ``Annotated[..., typer.Option(...)]``. typer sees
    the options; the command gets an instance of the dataclass.

    Args:
        command: the command. Its module and those of the dataclasses must not import
            ``annotations`` from ``__future__``: types are read as objects, not as text.

    Returns:
        The command for typer, which takes its parameters by name.
    """
    parameters = signature(command).parameters
    groups: dict[str, type[Any]] = {
        name: parameter.annotation
        for name, parameter in parameters.items()
        if isinstance(parameter.annotation, type) and is_dataclass(parameter.annotation)
    }

    @wraps(command)
    def call(**values: Any) -> None:
        for name, group in groups.items():
            values[name] = group(**{option: values.pop(option) for option in option_names(group)})
        command(**values)

    expanded = [
        shown
        for name, parameter in parameters.items()
        for shown in (
            _parameters(groups[name])
            if name in groups
            else [parameter.replace(kind=Parameter.KEYWORD_ONLY)]
        )
    ]
    # typer reads the signature and the annotations.
    call.__signature__ = Signature(expanded)  # type: ignore[attr-defined]
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in expanded}
    return call


def option_names(group: type[Any]) -> tuple[str, ...]:
    """Return the names of the fields of a dataclass that declare options."""
    return tuple(parameter.name for parameter in _parameters(group))


def _parameters(group: type[Any]) -> Iterator[Parameter]:
    for field in fields(group):
        if hasattr(field.type, "__metadata__"):
            yield Parameter(
                field.name,
                Parameter.KEYWORD_ONLY,
                default=Parameter.empty if field.default is MISSING else field.default,
                annotation=field.type,
            )
