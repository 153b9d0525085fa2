"""Which key of a file is used for a registry or a repository."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_merge.credentials.keys import Place, find_key, find_near
from tests.unit.credentials.support import auth, keyed, user, write

_ENTRY = {"auth": auth("right")}
_HUB = "docker.io"


@pytest.fixture(params=["docker", "containers"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A docker config, and an auth file of the containers tools: both take the same keys."""
    if request.param == "docker":
        return tmp_path / "home" / ".docker" / "config.json"
    return tmp_path / "run" / "containers" / "auth.json"


@pytest.mark.parametrize(
    ("registry", "key"),
    [
        ("reg.example", "reg.example"),
        ("reg.example", "https://reg.example"),
        ("reg.example", "http://reg.example"),
        ("reg.example", "https://reg.example/v2/"),
        ("reg.example", "reg.example/"),
        ("reg.example", "reg.example/v1/"),
        ("reg.example", "REG.Example"),
        ("reg.example:5000", "reg.example:5000"),
        ("reg.example:5000", "https://reg.example:5000/v1/"),
        ("[::1]:5000", "https://[::1]:5000/v2/"),
        ("Foo", "foo"),
        (_HUB, "https://index.docker.io/v1/"),
        (_HUB, "index.docker.io"),
        (_HUB, "docker.io"),
        (_HUB, "registry-1.docker.io"),
        (_HUB, "https://registry-1.docker.io/v2/"),
        (_HUB, "https://docker.io"),
    ],
)
def test_a_registry_is_found_by_its_key_or_by_one_that_reduces_to_it(
    file: Path, registry: str, key: str, environ: dict[str, str]
) -> None:
    write(file, {"auths": {"other.example": {"auth": auth("wrong")}, key: _ENTRY}})
    assert user(environ, registry) == "right"


@pytest.mark.parametrize(
    ("registry", "key"),
    [
        ("reg.example", "reg.example:5000"),
        ("reg.example:5000", "reg.example"),
        ("reg.example", "sub.reg.example"),
        ("reg.example", "ftp://reg.example"),
        ("reg.example", "https://index.docker.io/v1/"),
        (_HUB, "hub.docker.io"),
    ],
)
def test_another_places_credential_is_not_used(
    file: Path, registry: str, key: str, environ: dict[str, str]
) -> None:
    write(file, {"auths": {key: _ENTRY}})
    assert user(environ, registry, "team/app") is None


_WITH_PATHS = [
    ("reg.example", "reg.example/other"),
    ("reg.example", "reg.example/team/app/more"),
    ("reg.example", "reg.example/tea"),
    ("reg.example", "reg.example/team/app:1.0"),
    ("reg.example", "reg.example/other:latest"),
    ("reg.example:5000", "reg.example:5000/v2/other"),
    (_HUB, "docker.io/other"),
]


@pytest.mark.parametrize(("registry", "key"), _WITH_PATHS)
def test_a_key_with_a_path_stands_for_its_host_in_dockers_own_file_alone(
    registry: str, key: str, tmp_path: Path, environ: dict[str, str]
) -> None:
    config = {"auths": {key: _ENTRY}}
    containers = write(tmp_path / "run" / "containers" / "auth.json", config)
    assert user(environ, registry, "team/app") is None
    assert user(environ | {"DOCKER_AUTH_CONFIG": json.dumps(config)}, registry) == "right"
    assert user(environ | {"REGISTRY_AUTH_FILE": str(containers)}, registry) is None
    write(tmp_path / "home" / ".docker" / "config.json", config)
    assert user(environ, registry, "team/app") == "right"


def test_a_key_that_fits_goes_before_one_that_only_has_the_host(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    keys = {"reg.example/other": "first", "reg.example/team": "team", "reg.example": "host"}
    file = write(tmp_path / "home" / ".docker" / "config.json", keyed(keys))
    assert user(environ, "reg.example", "team/app") == "team"
    assert user(environ, "reg.example", "free/app") == "host"
    del keys["reg.example"]
    write(file, keyed(keys))
    assert user(environ, "reg.example", "free/app") == "first"


def test_the_exact_key_is_preferred_then_the_first_that_reduces_to_it(
    file: Path, environ: dict[str, str]
) -> None:
    reduced = {"https://reg.example/v1/": "first", "https://reg.example/v2/": "second"}
    write(file, keyed(reduced))
    assert user(environ) == "first"
    write(file, keyed(reduced | {"reg.example": "exact"}))
    assert user(environ) == "exact"


@pytest.mark.parametrize(
    "markers",
    [
        ["https://index.docker.io/v1/"],
        ["https://index.docker.io/v1/", "registry-1.docker.io"],
        ["https://index.docker.io/v2/", "index.docker.io"],
        ["https://index.docker.io/v1/access-token", "https://index.docker.io/v1/refresh-token"],
    ],
)
def test_a_key_of_docker_hub_with_a_secret_goes_before_those_without(
    markers: list[str], file: Path, environ: dict[str, str]
) -> None:
    for key in ("docker.io", "https://docker.io/v1/", "registry-1.docker.io/v2/"):
        write(file, {"auths": {marker: {} for marker in markers} | {key: _ENTRY}})
        assert user(environ, _HUB, "library/busybox") == "right"


def test_docker_hubs_usual_key_is_preferred(file: Path, environ: dict[str, str]) -> None:
    write(file, keyed({"docker.io": "short", "https://index.docker.io/v1/": "usual"}))
    assert user(environ, _HUB, "library/busybox") == "usual"


@pytest.mark.parametrize(
    ("repository", "expected"),
    [
        ("team/app", "app"),
        ("team/app/debug", "app"),
        ("team/app-amd64", "team"),
        ("team", "team"),
        ("team2/app", "host"),
        ("other", "host"),
    ],
)
def test_the_longest_path_that_leads_to_the_repository_holds(
    repository: str, expected: str, file: Path, environ: dict[str, str]
) -> None:
    write(
        file,
        keyed({"reg.example": "host", "reg.example/team/app": "app", "reg.example/team": "team"}),
    )
    assert user(environ, "reg.example", repository) == expected


def test_docker_hubs_namespaces_have_credentials_of_their_own(
    file: Path, environ: dict[str, str]
) -> None:
    write(
        file,
        keyed({"https://index.docker.io/v1/": "hub", "docker.io/acme": "acme"}),
    )
    assert user(environ, _HUB, "acme/app") == "acme"
    assert user(environ, _HUB, "library/busybox") == "hub"


@pytest.mark.parametrize("marker", [{}, {"auth": ""}, {"auth": None}, {"username": "x"}, None])
def test_a_marker_of_a_credential_helper_is_passed_over(
    marker: Any, file: Path, environ: dict[str, str]
) -> None:
    for key, other in (
        ("reg.example", "https://reg.example/v2/"),
        ("https://reg.example/v1/", "reg.example/"),
        ("reg.example/team/app", "reg.example"),
    ):
        write(file, {"auths": {key: marker}})
        assert user(environ) is None
        write(file, {"auths": {key: marker, other: _ENTRY}})
        assert user(environ) == "right"


@pytest.mark.parametrize(
    "config", [{}, {"auths": None}, {"auths": {}}, {"auths": {"other.example": None}}, b"", b"\n"]
)
def test_a_file_without_entries_is_an_anonymous_run(
    config: Any, file: Path, environ: dict[str, str]
) -> None:
    write(file, config)
    assert user(environ) is None


@given(
    st.lists(st.text("ab/.:htps", max_size=12)),
    st.text("ab", min_size=1, max_size=2),
    st.lists(st.text("ab", min_size=1, max_size=2), min_size=1, max_size=4),
)
def test_a_key_that_is_chosen_names_the_registry_itself(
    keys: list[str], registry: str, path: list[str]
) -> None:
    key = find_key(keys, Place(registry, "/".join(path)))
    if key is not None:
        bare = key.removeprefix("https://").removeprefix("http://")
        assert bare.partition("/")[0] == registry


@pytest.mark.parametrize(
    ("registry", "key"),
    [
        ("reg.example:5000", "reg.example"),
        ("reg.example", "https://reg.example:5000/v2/"),
        ("reg.example:5000", "reg.example:5001"),
        ("registry.gitlab.example", "gitlab.example"),
        ("reg.example", "reg.example/team"),
        ("reg.example", " reg.example"),
        (_HUB, "https://hub.docker.com"),
    ],
)
def test_a_key_of_the_same_host_or_of_its_domain_is_near(registry: str, key: str) -> None:
    assert find_near(["other.example", key], registry) == key


@pytest.mark.parametrize("key", ["other.example", "example", "notreg.example", "quay.io", ""])
def test_a_key_of_another_host_is_not_near(key: str) -> None:
    assert find_near([key], "reg.example") is None
