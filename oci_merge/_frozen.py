"""Frozen classes: fields that are set once, compared and shown.

They are dataclasses to those who ask (``dataclasses.fields``, ``replace``, ``asdict``, a frozen
dataclass that inherits from them), and quicker to define: a frozen dataclass compiles six methods,
which for the classes of a merge took a tenth of its start. Here one method is compiled, and all
classes share the others; only a class that inherits from a dataclass has dataclasses compile the
two that refuse a change too.

What a field may not be here is refused where the class is defined (see ``frozen``). Unlike with
dataclasses, a subclass that is no dataclass cannot set attributes of its own either.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform, overload

_T = TypeVar("_T")


class _Made:
    """Stands for the default of a field whose default is made for each value."""

    def __repr__(self) -> str:
        """Return what the signature shows, as for a dataclass."""
        return "<factory>"


_MADE = _Made()


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

    Methods that the class defines itself stay. One that defines ``__eq__`` without ``__hash__``
    gets the hash of its fields, as a frozen dataclass does.

    Not supported are ``field(init=False)``, ``field(hash=...)``, ``ClassVar`` and ``InitVar``.

    Args:
        cls: a class with annotated fields, as ``dataclasses.dataclass`` takes it.
        kw_only: whether the fields are given by name alone.
        eq: whether values are equal where their fields are; otherwise each equals itself alone.
        repr: whether the text of a value shows its fields, but for those with ``repr=False``.

    Raises:
        TypeError: a field, also an inherited one, is of a kind that is not supported.
    """

    def make(cls: type[Any]) -> type[Any]:
        own = set(cls.__dict__)
        if "__eq__" in own and cls.__dict__.get("__hash__") is None:
            own.discard("__hash__")  # Python added it
        # Among dataclasses, a frozen one may be inherited by a frozen one alone. Without a base it
        # is said afterwards, since saying it here compiles two methods.
        inherits = hasattr(cls, "__dataclass_params__")
        made = dataclass(
            cls, init=False, repr=False, eq=False, frozen=inherits, kw_only=kw_only, slots=True
        )
        _check(made)
        said = made.__dataclass_params__
        said.init, said.repr, said.eq, said.frozen = True, repr, eq, True
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


def _check(made: type[Any]) -> None:
    """Refuse fields of a kind that is not supported."""
    every, real = _fields(made), fields(made)
    if len(every) == len(real) and all(each.init and each.hash is None for each in every):
        return
    for each in every:
        if each not in real:
            wrong = "ClassVar and InitVar are"
        elif not each.init:
            wrong = "field(init=False) is"
        elif each.hash is not None:
            wrong = "field(hash=...) is"
        else:
            continue
        raise TypeError(f"{made.__qualname__}.{each.name}: {wrong} not supported by frozen")


def _init(made: type[Any]) -> object:
    """Compile ``__init__``, which sets the fields by the descriptors of their slots."""
    space: dict[str, Any] = {"__made__": _MADE}
    this = "__self__" if "self" in made.__dataclass_fields__ else "self"
    by_place: list[str] = []
    by_name: list[str] = []
    body: list[str] = []
    for each in _fields(made):
        name = each.name
        space[f"__set_{name}__"] = getattr(made, name).__set__
        shown = parameter = name
        if each.default_factory is not MISSING:
            space[f"__make_{name}__"] = each.default_factory
            parameter = f"{name}=__made__"
            shown = f"__make_{name}__() if {name} is __made__ else {name}"
        elif each.default is not MISSING:
            space[f"__default_{name}__"] = each.default
            parameter = f"{name}=__default_{name}__"
        (by_name if each.kw_only else by_place).append(parameter)
        body.append(f"__set_{name}__({this}, {shown})")
    if hasattr(made, "__post_init__"):
        body.append(f"{this}.__post_init__()")
    parameters = ", ".join([this, *by_place, *(["*", *by_name] if by_name else [])])
    source = (
        f"def make({', '.join(space)}):\n def __init__({parameters}):\n  "
        + "\n  ".join(body or ["pass"])
        + "\n return __init__"
    )
    # The globals are the module's, where the names in the annotations are looked up.
    module = sys.modules.get(made.__module__)
    defined: dict[str, Any] = {}
    exec(source, {} if module is None else module.__dict__, defined)  # noqa: S102 - names of fields
    made_init: Any = defined["make"](**space)
    made_init.__module__ = made.__module__
    made_init.__qualname__ = f"{made.__qualname__}.__init__"
    made_init.__annotations__ = {each.name: each.type for each in _fields(made)} | {"return": None}
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
