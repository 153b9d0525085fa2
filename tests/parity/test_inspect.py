"""`inspect --raw`, and what no recorded case inspects."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest

from fixtures import media_types
from fixtures.embedded import EmbeddedRegistry
from fixtures.images import (
    Blob,
    BuiltImage,
    Child,
    build_attestation,
    build_image,
    build_index,
)
from tests.cli.running import Outcome
from tests.parity.running import run_here

AMD64 = build_image("linux", "amd64", layers=1)
ATTESTATION = build_attestation(AMD64)


def inspected(host: str, line: str) -> Outcome:
    """Run `inspect` with arguments in which `$REG` is the registry."""
    return run_here("inspect", *shlex.split(line.replace("$REG", host)))


def image_with(config: dict[str, Any], config_type: str = media_types.OCI_CONFIG) -> BuiltImage:
    """Return an image without layers, with a config of one's own."""
    blob = Blob(config_type, json.dumps(config).encode())
    manifest = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "config": blob.descriptor(),
        "layers": [],
    }
    return BuiltImage(json.dumps(manifest).encode(), media_types.OCI_MANIFEST, blob, ())


def indented(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=4, ensure_ascii=False) + "\n"


def test_raw_shows_the_manifests_of_an_index_its_attestations_and_annotations(
    registry: EmbeddedRegistry, host: str
) -> None:
    """Observed: the children's bodies are shown, without their digests and platforms."""
    index = build_index([AMD64, ATTESTATION], annotations={"b": "2", "a": "1"})
    registry.add_image("team/x", "1", index)

    outcome = inspected(host, "--raw $REG/team/x:1")

    assert outcome == (
        0,
        indented(
            {
                "name": f"{host}/team/x:1",
                "digest": index.digest,
                "schemaVersion": 2,
                "mediaType": media_types.OCI_INDEX,
                "manifests": [json.loads(AMD64.manifest), json.loads(ATTESTATION.manifest)],
                "annotations": {"a": "1", "b": "2"},
            }
        ),
        "",
    )


def test_expand_config_changes_nothing_of_an_index(host: str) -> None:
    """Observed: it has no effect on lists."""
    plain = inspected(host, "--raw $REG/team/prov-amd64:1.0")
    assert plain.status == 0
    assert inspected(host, "--raw --expand-config $REG/team/prov-amd64:1.0") == plain


def test_raw_of_a_digest_has_the_name_as_it_was_given(
    registry: EmbeddedRegistry, host: str
) -> None:
    """Code: the name is the argument itself."""
    registry.add_image("team/x", "1", AMD64)
    document = json.loads(inspected(host, f"--raw $REG/team/x@{AMD64.digest}").stdout)
    assert document["name"] == f"{host}/team/x@{AMD64.digest}"
    assert document["digest"] == AMD64.digest


def test_raw_may_stand_behind_the_reference(host: str) -> None:
    """Observed: there, what stands behind the reference is ignored silently."""
    before = inspected(host, "--raw --expand-config $REG/team/app-armv7:1.0")
    assert before.stdout.startswith("{\n")
    assert inspected(host, "$REG/team/app-armv7:1.0 -raw -expand-config=true") == before


def test_expand_config_without_raw_is_an_error(registry: EmbeddedRegistry, host: str) -> None:
    """Observed: it goes with --raw only."""
    outcome = inspected(host, "--expand-config $REG/team/app-amd64:1.0")
    assert outcome.status == 1
    assert outcome.errors[0] == "error: --expand-config is given without --raw"
    assert not registry.requests


@pytest.mark.parametrize("output", ["json", "table", "manifest"])
def test_raw_and_another_form_are_an_error(
    registry: EmbeddedRegistry, host: str, output: str
) -> None:
    outcome = inspected(host, f"--raw --output {output} $REG/team/app-amd64:1.0")
    assert outcome.status == 1
    assert outcome.errors[0] == f"error: --raw and --output {output} are both given"
    assert not registry.requests


def test_raw_of_an_index_within_an_index_is_an_error(registry: EmbeddedRegistry, host: str) -> None:
    """Observed: there, it is an unknown media type for further display."""
    registry.add_image("team/x", "1", build_index([build_index([AMD64])]))
    outcome = inspected(host, "--raw $REG/team/x:1")
    assert outcome.status == 1
    assert outcome.stdout == ""
    assert "which is application/vnd.oci.image.index.v1+json and not an image" in outcome.errors[0]
    assert "--output manifest" in outcome.errors[1]
    assert inspected(host, "$REG/team/x:1").status == 0


def test_a_child_without_a_platform_is_shown(host: str) -> None:
    """Observed: there, it panics with exit status 2."""
    outcome = inspected(host, "$REG/team/bare:1.0")
    assert outcome.status == 0
    assert "[1]    -      OS: linux" in outcome.stdout.splitlines()
    assert inspected(host, "--raw $REG/team/bare:1.0").status == 0


def test_raw_leaves_out_the_platform_that_a_config_does_not_say(host: str) -> None:
    """Code: empty fields for os and architecture are omitted."""
    document = json.loads(inspected(host, "--raw $REG/team/noplat-amd64:1.0").stdout)
    assert list(document) == ["name", "digest", "schemaVersion", "mediaType", "config", "layers"]


def test_an_expanded_config_forgets_what_the_image_spec_does_not_know(
    registry: EmbeddedRegistry, host: str
) -> None:
    """Code: the config is read into the image spec's structure and written from it."""
    config = {
        "os": "linux",
        "docker_version": "27.0",
        "container_config": {"Cmd": ["x"]},
        "created": "2024-01-01T00:00:00.100Z",
        "config": {"Labels": {"b": "<b>", "a": ""}, "Hostname": "h", "Env": ["A=1"]},
        "architecture": "amd64",
    }
    registry.add_image("team/x", "1", image_with(config))
    outcome = inspected(host, "--raw --expand-config $REG/team/x:1")
    assert r'"b": "\u003cb\u003e"' in outcome.stdout
    assert list(json.loads(outcome.stdout)["config"].items()) == [
        ("created", "2024-01-01T00:00:00.1Z"),
        ("architecture", "amd64"),
        ("os", "linux"),
        ("config", {"Env": ["A=1"], "Labels": {"a": "", "b": "<b>"}}),
        ("rootfs", {"type": "", "diff_ids": None}),
    ]


def test_a_config_of_other_types_is_one_clear_error(registry: EmbeddedRegistry, host: str) -> None:
    """Code: there, it cannot be unmarshalled."""
    registry.add_image("team/x", "1", image_with({"config": {"Env": "A=1"}}))
    assert inspected(host, "--raw $REG/team/x:1").status == 0
    outcome = inspected(host, "--raw --expand-config $REG/team/x:1")
    assert outcome.status == 1
    assert outcome.errors == [
        f"error: --raw cannot show the config of {host}/team/x:1: config: Env: must be a list",
        "hint: leave out --raw, or use --output manifest, "
        "which shows the exact bytes of the manifest",
    ]


def test_what_is_no_container_image_has_a_raw_form_too(
    registry: EmbeddedRegistry, host: str
) -> None:
    """Code: a config is read as that of an image whatever its type."""
    empty = image_with({}, "application/vnd.oci.empty.v1+json")
    registry.add_image("team/x", "1", empty)
    document = json.loads(inspected(host, "--raw --expand-config $REG/team/x:1").stdout)
    assert document["config"] == {
        "architecture": "",
        "os": "",
        "config": {},
        "rootfs": {"type": "", "diff_ids": None},
    }


def test_the_counts_of_an_index_have_the_plurals_that_they_have_there(
    registry: EmbeddedRegistry, host: str
) -> None:
    """Code: an s comes with more than one, and not with nought."""
    registry.add_image("team/x", "1", build_index([AMD64]))
    registry.add_image("team/x", "2", build_index([Child(AMD64), ATTESTATION]))
    lines = [inspected(host, f"$REG/team/x:{tag}").stdout.splitlines()[2] for tag in (1, 2)]
    assert lines == [
        " * Contains 1 manifest references (1 image, 0 attestation):",
        " * Contains 2 manifest references (1 image, 1 attestation):",
    ]
