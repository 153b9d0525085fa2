"""Frozen classes are to everybody what frozen dataclasses with slots are."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from typing import Any

import pytest

from oci_merge._frozen import frozen


@frozen
class Point:
    """A point."""

    x: int
    y: int = 2
    seen: list[int] = field(default_factory=list, compare=False)
    secret: str = field(default="", repr=False)

    @property
    def sum(self) -> int:
        """Both."""
        return self.x + self.y


@dataclass(frozen=True, slots=True)
class Usual:
    """The same, made by dataclasses."""

    x: int
    y: int = 2
    seen: list[int] = field(default_factory=list, compare=False)
    secret: str = field(default="", repr=False)


@frozen(kw_only=True)
class Named(Point):
    """A point with a name."""

    name: str
    length: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "length", len(self.name))


@frozen(eq=False)
class Same:
    """Equal to itself alone."""

    x: int


@frozen(repr=False)
class Shown:
    """Says what it is by itself."""

    x: int

    def __repr__(self) -> str:
        return f"<{self.x}>"


@frozen
class Nothing:
    """Has no field."""


BOTH = pytest.mark.parametrize("kind", [Point, Usual])


@BOTH
def test_its_text_shows_the_fields_that_may_be_shown(kind: Callable[..., object]) -> None:
    assert repr(kind(1, secret="s3cret")) == f"{kind.__name__}(x=1, y=2, seen=[])"


@BOTH
def test_values_are_equal_where_the_fields_that_count_are(kind: Callable[..., object]) -> None:
    assert kind(1, seen=[1]) == kind(1, 2, [3])
    assert hash(kind(1, seen=[1])) == hash(kind(1, 2, [3]))
    assert kind(1) != kind(2)
    assert kind(1) != "another"


def test_another_class_with_the_same_fields_is_not_equal() -> None:
    assert Point(1) != Named(1, name="")


@BOTH
def test_each_value_has_its_own_default_where_that_is_made(kind: Callable[..., Any]) -> None:
    assert kind(1).seen is not kind(1).seen


@pytest.mark.parametrize("name", ["x", "y", "sum", "other"])
def test_nothing_can_be_set_or_deleted(name: str) -> None:
    value = Point(1)
    with pytest.raises(AttributeError):
        setattr(value, name, 3)
    with pytest.raises(AttributeError):
        delattr(value, name)
    assert not hasattr(value, "__dict__")


@BOTH
def test_dataclasses_know_it(kind: Any) -> None:
    value = replace(kind(1), y=5)
    assert asdict(value) == {"x": 1, "y": 5, "seen": [], "secret": ""}
    assert is_dataclass(kind)
    assert [each.name for each in fields(kind)] == ["x", "y", "seen", "secret"]


@BOTH
def test_its_signature_has_the_fields_in_order_with_their_types(kind: Callable[..., Any]) -> None:
    shown = inspect.signature(kind).parameters
    assert [(each.name, each.annotation) for each in shown.values()] == [
        ("x", "int"),
        ("y", "int"),
        ("seen", "list[int]"),
        ("secret", "str"),
    ]
    assert shown["y"].default == 2
    with pytest.raises(TypeError):
        kind()
    with pytest.raises(TypeError):
        kind(1, z=2)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_can_be_pickled_and_copied(protocol: int) -> None:
    value = Named(1, seen=[1], name="abc")
    assert pickle.loads(pickle.dumps(value, protocol)) == value
    copied = copy.deepcopy(value)
    assert copied == value
    assert copied.seen is not value.seen


def test_a_subclass_adds_fields_and_computes_some() -> None:
    value = Named(1, 3, name="abc")
    assert (value.x, value.y, value.name, value.length, value.sum) == (1, 3, "abc", 3, 4)
    with pytest.raises(TypeError):
        Named(1, 2, [], "", "abc")  # type: ignore[call-arg]


def test_one_without_comparison_equals_itself_alone() -> None:
    value = Same(1)
    assert value == value
    assert value != Same(1)
    assert len({value, Same(1)}) == 2


def test_its_own_methods_stay() -> None:
    assert repr(Shown(1)) == "<1>"


def test_values_without_fields_are_equal() -> None:
    assert Nothing() == Nothing()
    assert hash(Nothing()) == hash(Nothing())
