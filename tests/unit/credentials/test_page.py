"""The page about credentials agrees with the search."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from oci_merge.credentials import CredentialSearch
from oci_merge.credentials.documents import parse_auth_file

_PAGE = (Path(__file__).parents[3] / "docs" / "credentials.md").read_text()


@pytest.mark.parametrize("example", re.findall(r"```json\n(.*?)```", _PAGE, re.DOTALL))
def test_every_file_on_the_page_can_be_read(example: str) -> None:
    assert parse_auth_file(example.encode(), what="the page", hint="").helpers


def test_the_page_names_the_sources_in_the_order_of_the_search() -> None:
    order = _PAGE[_PAGE.index("## The order") :]
    search = CredentialSearch("reg.example", environ={"HOME": "~", "XDG_RUNTIME_DIR": "/run"})
    names = " ".join(source.name for source in search.sources())
    variables = re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", names)
    places = [order.index(f"`{variable}`") for variable in variables]
    assert len(variables) == 9
    assert places == sorted(places)


def test_the_page_names_the_files_in_the_order_of_the_search() -> None:
    order = _PAGE[_PAGE.index("The files, of which") :]
    search = CredentialSearch("reg.example", environ={"HOME": "~", "XDG_RUNTIME_DIR": "/run"})
    files = [source.name for source in search.sources() if "/" in source.name]
    shown = [
        "$XDG_RUNTIME_DIR/containers/auth.json",
        "$XDG_CONFIG_HOME",
        "$DOCKER_CONFIG",
        "~/.dockercfg",
        "/kaniko/.docker/config.json",
    ]
    places = [order.index(f"`{name}`") for name in shown]
    assert len(files) == len(shown)
    assert places == sorted(places)
