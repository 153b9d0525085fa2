"""Options that are declared once, in dataclasses, and what the library is told of them."""

from dataclasses import dataclass
from inspect import signature
from typing import Annotated, Any, get_origin

import pytest
import typer

from oci_merge import RegistryOptions, UsageError
from oci_merge_cli.options.expand import expand_options, option_names
from oci_merge_cli.options.library import merge_keywords, registry_keywords
from oci_merge_cli.options.registry import ACCESS_NAMES, RegistryAccess, SourcesAccess


@dataclass(frozen=True, kw_only=True)
class Base:
    """A group of options with a field that is none."""

    name: Annotated[str, typer.Option("--name")] = "usual"
    hidden: bool = False
    last: Annotated[bool, typer.Option("--last")] = False


@dataclass(frozen=True, kw_only=True)
class Extended(Base):
    """The same group, with that field as an option too."""

    hidden: Annotated[bool, typer.Option("--hidden")] = False


def test_a_command_has_the_options_of_its_group_in_the_place_of_the_group() -> None:
    @expand_options
    def command(ctx: typer.Context, group: Base, other: int = 3) -> None:
        """Do it."""

    parameters = signature(command).parameters
    assert list(parameters) == ["ctx", "name", "last", "other"]
    assert parameters["name"].default == "usual"
    assert command.__annotations__["name"] is parameters["name"].annotation
    assert get_origin(parameters["name"].annotation) is Annotated
    assert (command.__name__, command.__doc__) == ("command", "Do it.")


def test_a_command_gets_its_group_as_one_object() -> None:
    got: list[Any] = []

    @expand_options
    def command(group: Base, other: int = 3) -> None:
        got.extend((group, other))

    command(name="mine", last=True, other=4)
    assert got == [Base(name="mine", last=True), 4]


def test_a_field_becomes_an_option_in_its_old_place_where_a_subclass_declares_it() -> None:
    assert option_names(Base) == ("name", "last")
    assert option_names(Extended) == ("name", "hidden", "last")


def test_an_option_that_is_not_given_comes_from_before_the_word() -> None:
    before = SourcesAccess(username="u", retries=3, timeout=1.5, insecure=True)
    assert RegistryAccess(retries=0, plain_http=True).after(before) == RegistryAccess(
        username="u", retries=0, timeout=1.5, insecure=True, plain_http=True
    )
    assert {"username", "debug"} < set(ACCESS_NAMES)
    assert not {"source_plain_http", "source_insecure"} & set(ACCESS_NAMES)


def test_the_library_is_told_how_to_reach_the_registry() -> None:
    access = RegistryAccess(
        username="u",
        password="p",
        docker_cfg="config.json",
        insecure=True,
        timeout=2.5,
        rate=4,
        ca_file="ca.pem",
    )
    assert RegistryOptions(**registry_keywords(access)) == RegistryOptions(
        username="u",
        password="p",
        docker_config="config.json",
        insecure=True,
        timeout=2.5,
        rate=4,
        ca_file="ca.pem",
    )


def test_other_registries_are_reached_as_usual_where_no_option_says_how() -> None:
    access = SourcesAccess(username="u", insecure=True)
    assert merge_keywords(access) == registry_keywords(access)


def test_other_registries_get_no_credential_and_no_certificate_of_the_target() -> None:
    access = SourcesAccess(
        username="u",
        password="p",
        docker_cfg="config.json",
        plain_http=True,
        retries=2,
        timeout=2.5,
        deadline=9,
        rate=4,
        ca_file="ca.pem",
        source_insecure=True,
    )
    assert merge_keywords(access)["source_registry"] == RegistryOptions(
        docker_config="config.json", insecure=True, retries=2, timeout=2.5, rate=4
    )


def test_a_value_that_cannot_be_is_refused_before_the_library_is_called() -> None:
    with pytest.raises(UsageError):
        registry_keywords(RegistryAccess(retries=-1))


def test_a_password_is_in_no_repr() -> None:
    assert "s3cret" not in repr(SourcesAccess(username="u", password="s3cret"))
