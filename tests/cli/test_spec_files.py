"""Spec files as `push from-spec` reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.embedded import EmbeddedRegistry
from tests.cli.running import Program


def _spec(host: str, platform: str = "") -> str:
    return (
        f"image:\t{host}/team/img:1.0\nmanifests:\t\n"
        f"  - image: {host}/team/img-amd64:1.0\n{platform}"
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_a_spec_is_read_in_the_encodings_that_yaml_has(
    encoding: str, program: Program, host: str, tmp_path: Path
) -> None:
    file = tmp_path / "spec.yml"
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    file.write_bytes((mark + _spec(host)).encode(encoding))
    outcome = program("push", "from-spec", str(file))
    assert (outcome.status, outcome.stderr) == (0, "")


def test_old_keys_of_a_platform_are_warned_of_and_change_nothing(
    program: Program, registry: EmbeddedRegistry, host: str, tmp_path: Path
) -> None:
    file = tmp_path / "spec.yml"
    platform = "    platform: {os: linux, architecture: amd64}\n"
    file.write_text(_spec(host, platform))
    without = program("push", "from-spec", str(file))
    file.write_text(_spec(host, platform.replace("}", ", version: 1809, features: [sse]}")))
    outcome = program("push", "from-spec", str(file))
    image = f"{file}, line 4: {host}/team/img-amd64:1.0"
    assert (outcome.status, outcome.stdout) == (0, without.stdout)
    assert outcome.errors == [
        f"warning: {image} is published without its 'version: 1809': "
        "the image itself says its os.version; write osversion for another",
        f"warning: {image} is published without its 'features', "
        "which no client reads; write osfeatures for what Windows has to have",
    ]


def test_an_endless_file_is_no_spec(program: Program) -> None:
    outcome = program("push", "from-spec", "/dev/zero")
    assert outcome.status == 1
    assert outcome.errors[0] == "error: the spec /dev/zero has more than 4194304 bytes"


def test_a_template_that_nobody_filled_is_called_that_before_any_request(
    program: Program, registry: EmbeddedRegistry, tmp_path: Path
) -> None:
    file = tmp_path / "manifest.tmpl"
    file.write_text("image: a/b:{{#if build.tag}}1{{/if}}\n{{#if build.tags}}\ntags: []\n{{/if}}\n")
    outcome = program("push", "from-spec", str(file))
    assert outcome.status == 1
    assert outcome.errors == [
        f"error: {file}, line 1: nobody filled the placeholder '{{{{#if build.tag}}}}'",
        "hint: fill the template first, and give the file that comes of it",
    ]
    assert not registry.requests
