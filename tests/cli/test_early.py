"""Which registries a command line names, found before it is parsed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import oci_merge
from oci_merge_cli.runtime import early


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """Return the images to whose registries a command line makes connections."""

    def ask(line: str) -> list[str]:
        images: list[str] = []

        def note(image: str, *, plain_http: bool) -> None:
            images.append(f"http://{image}" if plain_http else image)

        monkeypatch.setattr(oci_merge, "connect_early", note)
        early.connect_to_registries(line.split())
        return images

    return ask


@pytest.mark.parametrize(
    "line",
    [
        "--target reg.example/app:1",
        "--target=reg.example/app:1",
        "-target reg.example/app:1",
        "-t reg.example/app:1",
        "-t=reg.example/app:1 --dry-run",
        "push from-args --platforms linux/amd64 --target reg.example/app:1",
        "inspect reg.example/app:1",
        "inspect --output=json reg.example/app:1",
        "--source sha256:aa --source sha512:bb --source-repository reg.example/app:1",
        "--source-repository=reg.example/app:1",
        "--source img.tar -t reg.example/app:1",
        "--insecure=true inspect reg.example/app:1",
        "remove reg.example/app:1 --platform linux/amd64",
        "annotate reg.example/app:1 --annotation a=b",
    ],
)
def test_the_registry_of_an_image_is_named(named: Callable[[str], list[str]], line: str) -> None:
    assert named(line) == ["reg.example/app:1"]


@pytest.mark.parametrize("image", ["docker.io/library/alpine", "user/app"])
def test_docker_hub_is_named_by_a_slash(named: Callable[[str], list[str]], image: str) -> None:
    assert named(f"--source {image}") == [image]


def test_each_registry_is_named_once(named: Callable[[str], list[str]]) -> None:
    line = "--template a.example/x-ARCH:1 --target b.example/x:1 --source a.example/y:1"
    assert named(line) == ["a.example/x-ARCH:1", "b.example/x:1"]


def test_plain_http_is_passed_on(named: Callable[[str], list[str]]) -> None:
    assert named("--plain-http -t a.example/x:1") == ["http://a.example/x:1"]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "--help",
        "-t reg.example/app:1 --help",
        "help inspect",
        "credentials reg.example/app:1",
        "batch images.yml",
        "--source sha256:aa --source sha512:bb",
        "--source sha256:aa/bb",
        "--source img.tar",
        "--template nonsense",
        "inspect alpine",
        "--source ./x/y",
        "--source /abs/x",
        "--source=../x",
        "--source ~/x",
        "inspect --ca-file conf.d/ca.pem",
        "--ca-file conf.d/ca.pem --tags reg.example/app:1",
    ],
)
def test_what_names_no_image_names_no_registry(
    named: Callable[[str], list[str]], line: str
) -> None:
    assert named(line) == []
