"""Frozen classes: fields that are set once, compared and shown.

They are dataclasses to everybody (``dataclasses.fields``, ``replace``, ``asdict``), and quicker to
define: a frozen dataclass compiles six methods, which for the classes of a merge took a tenth of
its start. Here one method is compiled, and all classes share the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform, overload

_T = TypeVar("_T")
#: Stands for the default of a field whose default is made for each value.
_MADE = object()


@overload
def frozen(cls: type[_T], /) -> type[_T]: ...
@overload
def frozen(
    *, kw_only: bool = False, eq: bool = True, repr: bool = True
) -> Callable[[type[_T]], type[_T]]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(
    cls: type[Any] | None = None, /, *, kw_only: bool = False, eq: bool = True, repr: bool = True
) -> Any:
    """Make a class of fields that nobody changes, with slots.

    Methods that the class defines itself stay.

    Args:
        cls: a class with annotated fields, as ``dataclasses.dataclass`` takes it.
        kw_only: whether the fields are given by name alone.
        eq: whether values are equal where their fields are; otherwise each equals itself alone.
        repr: whether the text of a value shows its fields, but for those with ``repr=False``.
    """

    def make(cls: type[Any]) -> type[Any]:
        own = cls.__dict__.keys()
        made = dataclass(cls, init=False, repr=False, eq=False, kw_only=kw_only, slots=True)
        methods: dict[str, object] = {
            "__setattr__": _refuse,
            "__delattr__": _refuse,
            "__getstate__": _get_state,
            "__setstate__": _set_state,
        }
        if eq:
            methods |= {"__eq__": _equals, "__hash__": _hash}
            made._compared = _compared(made)
        if repr:
            methods["__repr__"] = _repr
        if "__init__" not in own:
            methods["__init__"] = _init(made)
        for name in methods.keys() - own:
            setattr(made, name, methods[name])
        return made

    return make if cls is None else make(cls)


def _init(made: type[Any]) -> object:
    """Compile ``__init__``, which sets the fields by the descriptors of their slots."""
    space: dict[str, Any] = {"_MADE": _MADE}
    by_place: list[str] = []
    by_name: list[str] = []
    body: list[str] = []
    for each in _fields(made):
        name = each.name
        space[f"_set_{name}"] = getattr(made, name).__set__
        space[f"_default_{name}"] = each.default
        shown, default = name, f"{name}=_default_{name}"
        if each.default_factory is not MISSING:
            space[f"_make_{name}"] = each.default_factory
            default = f"{name}=_MADE"
            shown = f"_make_{name}() if {name} is _MADE else {name}"
        elif each.default is MISSING:
            default = name
        if each.init:
            (by_name if each.kw_only else by_place).append(default)
            body.append(f"_set_{name}(self, {shown})")
    if hasattr(made, "__post_init__"):
        body.append("self.__post_init__()")
    parameters = ", ".join(["self", *by_place, *(["*", *by_name] if by_name else [])])
    source = f"def __init__({parameters}):\n " + "\n ".join(body or ["pass"])
    exec(source, space)  # noqa: S102 - of names of fields alone, as dataclasses does
    made_init: Any = space["__init__"]
    made_init.__qualname__ = f"{made.__qualname__}.__init__"
    made_init.__annotations__ = {each.name: each.type for each in _fields(made) if each.init} | {
        "return": None
    }
    return made_init


def _fields(made: type[Any]) -> list[Field[Any]]:
    return list(made.__dataclass_fields__.values())


def _compared(made: type[Any]) -> staticmethod[[Any], object]:
    """Return what gives the values of the fields that count in a comparison."""
    names = [each.name for each in _fields(made) if each.compare]
    return staticmethod(attrgetter(*names) if names else _nothing)


def _nothing(value: object) -> None:
    """Return what values without fields have in common."""


def _refuse(self: Any, name: str, *new: object) -> None:
    raise FrozenInstanceError(f"{name!r} of {type(self).__qualname__} cannot be changed")


def _get_state(self: Any) -> list[object]:
    """Return the fields, for a copy or a pickle."""
    return [getattr(self, each.name) for each in _fields(type(self))]


def _set_state(self: Any, state: list[object]) -> None:
    """Take the fields of a copy or a pickle."""
    for each, content in zip(_fields(type(self)), state, strict=True):
        object.__setattr__(self, each.name, content)


def _equals(self: Any, other: Any) -> object:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return self._compared(self) == self._compared(other)


def _hash(self: Any) -> int:
    return hash(self._compared(self))


def _repr(self: Any) -> str:
    shown = ", ".join(
        f"{each.name}={getattr(self, each.name)!r}" for each in _fields(type(self)) if each.repr
    )
    return f"{type(self).__qualname__}({shown})"
