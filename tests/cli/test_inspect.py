"""``inspect``: manifest-tool's text, and the forms that are new."""

from __future__ import annotations

import json

import pytest

from fixtures.embedded import EmbeddedRegistry
from fixtures.embedded.storage import StoredManifest
from fixtures.images import (
    BuiltImage,
    Child,
    build_attestation,
    build_image,
    build_index,
    digest_of,
)
from fixtures.parity import ParityCase, load_cases, load_images
from tests.cli.running import Program, run_on_terminal, run_process

CASES = {case.name: case for case in load_cases()}
RECORDED = ["inspect a list", "inspect an image", "inspect a list with attestations"]
EVIL = "\x1b[2Jevil\u202e"


@pytest.fixture
def recorded(registry: EmbeddedRegistry) -> None:
    """All images of the corpus, and what manifest-tool made of them."""
    pushed = {
        target: found
        for case in CASES.values()
        for target, found in case.pushed.items()
        if found.status == 200
    }
    repositories = {target.partition(":")[0] for target in pushed}
    for image in load_images():
        manifest = StoredManifest(image.digest, image.media_type, image.manifest)
        tags = [] if image.reference == image.digest else [image.reference]
        for blob in image.blobs:
            registry.storage.put_blob(image.repository, digest_of(blob), blob)
        registry.storage.put_manifest(image.repository, manifest, tags)
        for repository in repositories:
            registry.storage.put_manifest(repository, manifest)
    for target, found in pushed.items():
        repository, _, tag = target.partition(":")
        manifest = StoredManifest(found.digest, found.media_type, found.body)
        registry.storage.put_manifest(repository, manifest, [tag])


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize("case", [CASES[name] for name in RECORDED], ids=RECORDED)
def test_text_is_what_manifest_tool_prints_in_a_pipe_and_on_a_terminal(
    case: ParityCase, host: str
) -> None:
    arguments = [argument.replace("$REG", host) for argument in case.argv]
    piped = run_process(*arguments)
    assert piped.status == case.exit == 0
    assert piped.stdout == case.output(host)
    assert piped.stderr == ""
    assert run_on_terminal(*arguments, stdout_too=True) == piped


@pytest.mark.parametrize("name", ["inspect nothing there", "inspect without a tag"])
def test_what_manifest_tool_refuses_is_refused(program: Program, host: str, name: str) -> None:
    case = CASES[name]
    outcome = program(*(argument.replace("$REG", host) for argument in case.argv))
    assert outcome.status == case.exit == 1
    assert outcome.stdout == case.stdout == ""


def test_text_has_the_version_and_the_features_of_the_operating_system(
    program: Program, registry: EmbeddedRegistry, host: str
) -> None:
    image = build_image(
        "windows", "amd64", os_version="10.0.20348.2227", os_features=["win32k", "other"], layers=1
    )
    registry.add_image("team/win", "1.0", build_index([image], docker=True))
    lines = program("inspect", f"{host}/team/win:1.0").stdout.splitlines()
    assert lines[2] == " * Contains 1 manifest references (1 image, 0 attestation):"
    assert lines[6:12] == [
        "[1] Platform:",
        "[1]    -      OS: windows",
        "[1]    - OS Vers: 10.0.20348.2227",
        "[1]    - OS Feat: [win32k other]",
        "[1]    -    Arch: amd64",
        "[1] # Layers: 1",
    ]


def test_an_index_without_platforms_is_shown_with_those_of_its_images(
    program: Program, registry: EmbeddedRegistry, host: str
) -> None:
    index = build_index([Child(build_image("linux", "arm", "v7"))])
    registry.add_image("team/bare", "1.0", index)
    lines = program("inspect", f"{host}/team/bare:1.0").stdout.splitlines()
    assert lines[7:10] == [
        "[1]    -      OS: linux",
        "[1]    -    Arch: arm",
        "[1]    - Variant: v7",
    ]


def test_an_index_in_an_index_is_shown_without_its_insides(
    program: Program, registry: EmbeddedRegistry, host: str
) -> None:
    inner = build_index([build_image("linux", "amd64")])
    registry.add_image("team/nested", "1.0", build_index([inner]))
    outcome = program("inspect", f"{host}/team/nested:1.0")
    assert outcome.status == 0
    assert outcome.stdout.splitlines()[-1] == (
        f"Unknown media type for further display: {inner.media_type}"
    )


def test_a_table_has_a_line_for_each_entry_with_aligned_columns(
    program: Program, registry: EmbeddedRegistry, host: str
) -> None:
    image = build_image("linux", "arm64", "v8")
    attestation = build_attestation(image)
    registry.add_image("team/prov", "1.0", build_index([image, attestation]))
    heading, *rows = program(
        "inspect", "--output", "table", f"{host}/team/prov:1.0"
    ).stdout.splitlines()
    assert heading.split("  ")[0] == "PLATFORM"
    assert [row.split() for row in rows] == [
        ["linux/arm64/v8", image.digest, str(image.size), image.media_type],
        [
            "unknown/unknown",
            attestation.digest,
            str(attestation.size),
            attestation.media_type,
            image.digest,
        ],
    ]
    assert {line.index("sha256:") for line in rows} == {heading.index("DIGEST")}
    assert rows[1].rindex("sha256:") == heading.index("ATTESTATION OF")


def test_a_table_is_the_same_on_a_terminal(host: str) -> None:
    arguments = ["inspect", "--output", "table", f"{host}/team/img-amd64:1.0"]
    assert run_on_terminal(*arguments, stdout_too=True) == run_process(*arguments)


def test_json_says_what_the_text_says(
    program: Program, registry: EmbeddedRegistry, host: str
) -> None:
    image = build_image("linux", "arm", "v7")
    attestation = build_attestation(image)
    index = build_index([image, attestation])
    registry.add_image("team/prov", "1.0", index)
    reference = f"{host}/team/prov:1.0"
    document = json.loads(program("inspect", "--output", "json", reference).stdout)
    assert document["reference"] == reference
    assert document["digest"] == index.digest
    assert document["size"] == index.size
    assert [entry["platform"] for entry in document["images"]] == [
        "linux/arm/v7",
        "unknown/unknown",
    ]
    assert [entry["attests"] for entry in document["images"]] == [None, image.digest]
    assert [layer["digest"] for layer in document["images"][0]["layers"]] == [
        layer.digest for layer in image.layers
    ]


def test_manifest_is_the_exact_bytes(registry: EmbeddedRegistry, host: str) -> None:
    image = build_image("linux", "amd64")
    odd = image.manifest.replace(b"\n", b"\r\n") + b"\n\n \t"
    registry.add_image(
        "team/odd", "1.0", BuiltImage(odd, image.media_type, image.config, image.layers)
    )
    for outcome in (
        run_process("inspect", "--output", "manifest", f"{host}/team/odd:1.0"),
        run_process("inspect", f"{host}/team/odd:1.0", "--output=manifest"),
    ):
        assert outcome.stdout.encode() == odd


def test_a_digest_is_as_good_as_a_tag(program: Program, host: str) -> None:
    digest = build_image("linux", "amd64").digest
    reference = f"{host}/team/img-amd64@{digest}"
    lines = program("inspect", reference).stdout.splitlines()
    assert lines[0].startswith(f"Name: {reference} (Type: ")
    assert lines[1] == f"      Digest: {digest}"


def test_a_reference_without_tag_and_digest_is_an_error_with_advice(program: Program) -> None:
    outcome = program("inspect", "reg.example/a")
    assert outcome.status == 1
    assert outcome.errors == [
        "error: 'reg.example/a' has neither a tag nor a digest",
        "hint: add the one to inspect, for example reg.example/a:latest",
    ]


@pytest.mark.parametrize("output", ["text", "table", "json"])
def test_what_a_registry_says_cannot_steer_the_terminal(
    program: Program, registry: EmbeddedRegistry, host: str, output: str
) -> None:
    image = build_image("linux", "amd64")
    platform = {"os": EVIL, "architecture": EVIL, "variant": EVIL, "os.version": EVIL}
    registry.add_image("team/evil", "1.0", build_index([Child(image, platform)]))
    text = program("inspect", "--output", output, f"{host}/team/evil:1.0").stdout
    assert "evil" in text
    assert text.isascii()
    assert "\x1b" not in text


def test_the_exact_bytes_of_an_index_take_one_request(
    registry: EmbeddedRegistry, host: str
) -> None:
    index = build_index([build_image("linux", "amd64"), build_image("linux", "arm64")])
    registry.add_image("team/bytes", "1.0", index)
    before = len(registry.requests)
    outcome = run_process("inspect", "--output", "manifest", f"{host}/team/bytes:1.0")
    assert outcome.stdout.encode() == index.manifest
    assert [record.path for record in registry.requests[before:]] == [
        "/v2/team/bytes/manifests/1.0"
    ]
