"""Signatures that must be there: what the program says of them, and its exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fixtures.embedded import EmbeddedRegistry
from fixtures.images import build_image
from fixtures.seed import Seeder
from fixtures.trust import load_cases, load_keys, push_signed
from tests.cli.running import Program
from tests.edge.operations.signed import add_classic, key_file

_ARM64 = build_image("linux", "arm64")
_IMAGES = {
    "amd64": build_image("linux", "amd64"),
    "arm64": _ARM64,
    "armv7": build_image("linux", "arm", "v7"),
}


@pytest.fixture
def ours(tmp_path: Path) -> str:
    """The file of our public key."""
    return key_file(tmp_path)


def test_one_image_of_three_without_a_signature_is_named(
    program: Program,
    registry: EmbeddedRegistry,
    host: str,
    merge_arguments: list[str],
    ours: str,
) -> None:
    for name in ("amd64", "armv7"):
        add_classic(registry, f"team/img-{name}", _IMAGES[name])
    outcome = program(*merge_arguments, "--verify-key", ours)
    assert outcome.status == 1
    assert outcome.stdout == ""
    assert outcome.errors == [
        f"error: not signed by {ours}: {host}/team/img-arm64:1.0: no signature was found",
        "hint: sign the images in their own jobs, or name the key that they are signed by",
    ]
    assert {record.method for record in registry.requests} <= {"GET", "HEAD"}


def test_json_names_the_images_without_a_signature(
    program: Program, host: str, merge_arguments: list[str], ours: str
) -> None:
    outcome = program(*merge_arguments, "--verify-key", ours, "--output", "json")
    assert outcome.status == 1
    error = json.loads(outcome.stdout)["error"]
    assert (error["code"], error["kind"]) == ("not_signed", "SignatureError")
    assert error["missing"] == [f"{host}/team/img-{name}:1.0" for name in _IMAGES]


def test_json_of_a_merge_has_the_signatures_that_were_found(
    program: Program,
    registry: EmbeddedRegistry,
    host: str,
    merge_arguments: list[str],
    ours: str,
) -> None:
    for name, image in _IMAGES.items():
        add_classic(registry, f"team/img-{name}", image)
    outcome = program(*merge_arguments, "--verify-key", ours, "--output", "json")
    assert outcome.status == 0
    found = json.loads(outcome.stdout)["verifiedSignatures"]
    assert {each["digest"] for each in found} == {image.digest for image in _IMAGES.values()}
    assert {(each["format"], each["key"]) for each in found} == {("classic", ours)}


def test_what_cosign_signed_is_shown_with_its_key(
    program: Program, registry: EmbeddedRegistry, host: str, tmp_path: Path
) -> None:
    case = load_cases()[0]
    with Seeder(f"http://{host}") as seeder:
        push_signed(seeder, case.items)
    reference = f"{host}/{case.repository}:{case.tag}"
    keys = {name: tmp_path / f"{name}.pub" for name in load_keys()}
    for name, path in keys.items():
        path.write_bytes(load_keys()[name])
    outcome = program("verify", reference, "--key", str(keys[case.key]))
    assert outcome.status == 0
    assert outcome.errors == []
    first, *lines = outcome.stdout.splitlines()
    assert first.startswith(f"{reference}@{case.digest} is complete: ")
    assert [line.split()[0] for line in lines] == [case.digest, *case.images]
    assert all(f"by {keys[case.key]}" in line for line in lines)
    shown = program("verify", reference, "--key", str(keys[case.key]), "--output", "json")
    signatures = json.loads(shown.stdout)["signatures"]
    assert [each["digest"] for each in signatures] == [case.digest, *case.images]
    other = program("verify", reference, "--key", str(keys["rsa3072"]), "--output", "json")
    assert other.status == 1
    assert json.loads(other.stdout)["error"]["code"] == "not_signed"
    assert "it is signed by another key" in other.errors[0]


def test_without_a_key_no_signature_is_looked_for(
    program: Program, registry: EmbeddedRegistry, host: str
) -> None:
    outcome = program("verify", f"{host}/team/img-amd64:1.0", "--output", "json")
    assert outcome.status == 0
    assert json.loads(outcome.stdout)["signatures"] == []
    assert not [record for record in registry.requests if "referrers" in record.path]
