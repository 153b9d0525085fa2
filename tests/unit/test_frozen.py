"""Frozen classes are to everybody what frozen dataclasses with slots are."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable
from dataclasses import InitVar, asdict, dataclass, field, fields, is_dataclass, replace
from typing import Any, ClassVar, get_type_hints

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

    def __post_init__(self) -> None:
        if self.name == "?":
            raise ValueError("a name is missing")


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


def test_a_subclass_adds_fields_and_checks_them() -> None:
    value = Named(1, 3, name="abc")
    assert (value.x, value.y, value.name, value.sum) == (1, 3, "abc", 4)
    with pytest.raises(ValueError, match="a name is missing"):
        Named(1, name="?")
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


@BOTH
def test_a_frozen_dataclass_can_inherit_from_it(kind: Any) -> None:
    @dataclass(frozen=True)
    class Further(kind):  # type: ignore[misc]
        z: int = 3

    assert Further(1, z=4) == Further(1, 2, z=4)
    assert asdict(Further(1)) == {"x": 1, "y": 2, "seen": [], "secret": "", "z": 3}
    with pytest.raises(TypeError, match="frozen"):
        dataclass(type("Loose", (kind,), {}))


def test_it_cannot_inherit_from_a_dataclass_that_changes() -> None:
    @dataclass
    class Loose:
        x: int

    with pytest.raises(TypeError, match="frozen"):
        frozen(type("Strict", (Loose,), {}))


def test_it_inherits_from_a_frozen_dataclass() -> None:
    @frozen
    class Further(Usual):
        z: int = 3

    assert repr(Further(1)) == f"{Further.__qualname__}(x=1, y=2, seen=[], z=3)"
    with pytest.raises(AttributeError):
        Further(1).z = 4  # type: ignore[misc]


def test_its_parameters_say_what_is_true() -> None:
    def said(kind: Any) -> tuple[bool, ...]:
        params = kind.__dataclass_params__
        return params.init, params.repr, params.eq, params.frozen

    assert said(Point) == said(Named) == said(Usual) == (True, True, True, True)
    assert said(Same) == (True, True, False, True)
    assert said(Shown) == (True, False, True, True)


@BOTH
def test_the_types_in_its_signature_can_be_looked_up(kind: Any) -> None:
    hints = {"x": int, "y": int, "seen": list[int], "secret": str, "return": type(None)}
    assert get_type_hints(kind.__init__) == hints
    shown = inspect.signature(kind, eval_str=True).parameters
    assert shown["seen"].annotation == list[int]
    assert kind.__init__.__module__ == __name__
    assert kind.__init__.__globals__ is globals()


def test_a_type_of_its_own_module_can_be_looked_up() -> None:
    @frozen
    class Line:
        start: Point

    assert get_type_hints(Line.__init__)["start"] is Point
    assert inspect.signature(Line, eval_str=True).parameters["start"].annotation is Point
    assert "make" not in globals()


def test_a_class_of_no_module_can_be_made() -> None:
    lost: Any = type("Lost", (), {"__module__": "nowhere", "__annotations__": {"x": int}})
    assert frozen(lost)(1).x == 1


@BOTH
def test_its_signature_says_which_default_is_made(kind: Callable[..., Any]) -> None:
    assert "seen: 'list[int]' = <factory>" in str(inspect.signature(kind))


@pytest.mark.parametrize("decorate", [frozen, dataclass(frozen=True, slots=True)])
def test_one_with_its_own_comparison_has_a_hash(decorate: Callable[[Any], Any]) -> None:
    class Loose:
        x: int

        def __eq__(self, other: object) -> bool:
            return True

    class Unhashed(Loose):
        __hash__ = None  # type: ignore[assignment]

    made = decorate(Loose)
    assert made(1) == made(2)
    assert hash(made(1)) == hash(made(1))
    assert decorate(Unhashed).__hash__ is None


def test_a_field_may_be_named_self() -> None:
    @frozen
    class Odd:
        self: int

    assert Odd(self=1).self == 1


@pytest.mark.parametrize(
    ("kind", "content", "wrong"),
    [
        ("int", {"x": field(init=False)}, r"field\(init=False\) is"),
        ("int", {"x": field(default=1, init=False)}, r"field\(init=False\) is"),
        ("int", {"x": field(hash=True)}, r"field\(hash=...\) is"),
        ("int", {"x": field(hash=False)}, r"field\(hash=...\) is"),
        (ClassVar[int], {"x": 1}, "ClassVar and InitVar are"),
        (InitVar[int], {}, "ClassVar and InitVar are"),
    ],
)
def test_what_is_not_supported_is_refused(kind: Any, content: dict[str, Any], wrong: str) -> None:
    space = {"__annotations__": {"x": kind}, **content}
    with pytest.raises(TypeError, match=rf"^Wrong\.x: {wrong} not supported by frozen$"):
        frozen(type("Wrong", (), space))
