"""Lets a command take a dataclass in place of the options that the dataclass declares."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Any


def expand_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that the dataclasses among its parameters declare.

    A field declares an option where its type is ``Annotated[..., typer.Option(...)]``. typer sees
    these fields in place of the parameter, and the command gets an instance of the dataclass.

    Args:
        command: the body of the command. Neither its module nor those of the dataclasses import
            ``annotations`` from ``__future__``: types are read here as they are, not as text.

    Returns:
        The command for typer; all its parameters are given by name.
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
    # typer reads both.
    call.__signature__ = Signature(expanded)  # type: ignore[attr-defined]
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in expanded}
    return call


def option_names(group: type[Any]) -> tuple[str, ...]:
    """Return the names of a dataclass's fields that declare options."""
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
