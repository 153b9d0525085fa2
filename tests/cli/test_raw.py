"""`raw_json`: what Go's structures make of manifests and configs, field by field."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fixtures import media_types
from oci_merge import InspectedImage, Inspection, ManifestError, Platform
from oci_merge_cli.compat.raw import raw_json

DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64
REFERENCE = "reg.example/app:1.0"
CONFIG = {"mediaType": media_types.OCI_CONFIG, "digest": DIGEST, "size": 2}
MANIFEST = {"schemaVersion": 2, "config": CONFIG, "layers": []}


def image(
    manifest: dict[str, Any] | None = None,
    config: dict[str, Any] | None = None,
    platform: Platform | None = None,
) -> Inspection:
    """Return the inspection of an image."""
    content = json.dumps(MANIFEST | (manifest or {})).encode()
    found = InspectedImage(
        DIGEST, len(content), media_types.OCI_MANIFEST, content, platform or Platform("", "")
    )
    return Inspection(
        REFERENCE,
        DIGEST,
        len(content),
        media_types.OCI_MANIFEST,
        content,
        is_index=False,
        images=(found,),
        config=json.dumps(config or {}).encode(),
    )


def index(document: dict[str, Any], *children: tuple[str, dict[str, Any]]) -> Inspection:
    """Return the inspection of an index, with each child's media type and manifest."""
    images = tuple(
        InspectedImage(OTHER, 1, kind, json.dumps(manifest).encode(), Platform("linux", "amd64"))
        for kind, manifest in children
    )
    content = json.dumps({"schemaVersion": 2, "manifests": []} | document).encode()
    return Inspection(
        REFERENCE,
        DIGEST,
        len(content),
        media_types.OCI_INDEX,
        content,
        is_index=True,
        images=images,
    )


def shown(found: Inspection, *, expand_config: bool = False) -> dict[str, Any]:
    """Return what is printed, as a document whose order counts."""
    document: dict[str, Any] = json.loads(raw_json(found, expand_config=expand_config))
    return document


def shown_config(config: dict[str, Any]) -> dict[str, Any]:
    """Return what is printed of a config."""
    document: dict[str, Any] = shown(image(config=config), expand_config=True)["config"]
    return document


def assert_same(shown: dict[str, Any], expected: dict[str, Any]) -> None:
    """Check that two documents are equal, the order of their fields included."""
    assert json.dumps(shown, indent=1) == json.dumps(expected, indent=1)


def test_an_image_has_its_name_its_platform_and_its_manifest() -> None:
    assert (
        raw_json(image(platform=Platform("linux", "arm", "v7")))
        == f"""\
{{
    "name": "{REFERENCE}",
    "digest": "{DIGEST}",
    "os": "linux",
    "architecture": "arm",
    "schemaVersion": 2,
    "config": {{
        "mediaType": "{media_types.OCI_CONFIG}",
        "digest": "{DIGEST}",
        "size": 2
    }},
    "layers": []
}}
"""
    )


def test_the_fields_of_a_manifest_are_in_the_order_of_the_structure() -> None:
    descriptor = {
        "artifactType": "application/x",
        "platform": {
            "variant": "v7",
            "os.features": ["x"],
            "os.version": "1",
            "os": "linux",
            "architecture": "arm",
        },
        "data": "aGk=",
        "annotations": {"b": "2", "a": "1"},
        "urls": ["https://x.example"],
        "size": 5,
        "digest": OTHER,
        "mediaType": "text/plain",
    }
    in_order = {
        "mediaType": "text/plain",
        "digest": OTHER,
        "size": 5,
        "urls": ["https://x.example"],
        "annotations": {"a": "1", "b": "2"},
        "data": "aGk=",
        "platform": {
            "architecture": "arm",
            "os": "linux",
            "os.version": "1",
            "os.features": ["x"],
            "variant": "v7",
        },
        "artifactType": "application/x",
    }
    manifest = {
        "annotations": {"ü": "3", "b": "2", "A": "1"},
        "subject": descriptor,
        "layers": [descriptor],
        "artifactType": "application/y",
        "mediaType": media_types.OCI_MANIFEST,
    }
    assert_same(
        shown(image(manifest)),
        {
            "name": REFERENCE,
            "digest": DIGEST,
            "schemaVersion": 2,
            "mediaType": media_types.OCI_MANIFEST,
            "artifactType": "application/y",
            "config": CONFIG,
            "layers": [in_order],
            "subject": in_order,
            "annotations": {"A": "1", "b": "2", "ü": "3"},
        },
    )


@pytest.mark.parametrize(
    "empty",
    [
        {"annotations": {}},
        {"annotations": None},
        {"subject": None},
        {"artifactType": ""},
        {"mediaType": ""},
        {"unknown": 1, "reserved": {"a": []}},
    ],
)
def test_what_is_empty_or_unknown_is_left_out(empty: dict[str, Any]) -> None:
    assert raw_json(image(empty)) == raw_json(image())


def test_an_empty_platform_of_a_descriptor_is_shown() -> None:
    layer = CONFIG | {"platform": {}}
    assert shown(image({"layers": [layer]}))["layers"] == [
        CONFIG | {"platform": {"architecture": "", "os": ""}}
    ]


def test_a_manifest_without_a_schema_version_has_nought() -> None:
    assert shown(image({"schemaVersion": None}))["schemaVersion"] == 0


def test_an_expanded_image_has_the_config_in_place_of_its_descriptor() -> None:
    manifest = {
        "mediaType": media_types.OCI_MANIFEST,
        "artifactType": "application/x",
        "subject": CONFIG,
        "annotations": {"a": "b"},
    }
    assert_same(
        shown(image(manifest, platform=Platform("linux", "arm64")), expand_config=True),
        {
            "schemaVersion": 2,
            "name": REFERENCE,
            "digest": DIGEST,
            "os": "linux",
            "architecture": "arm64",
            "mediaType": media_types.OCI_MANIFEST,
            "config": {
                "architecture": "",
                "os": "",
                "config": {},
                "rootfs": {"type": "", "diff_ids": None},
            },
            "layers": [],
            "subject": CONFIG,
            "annotations": {"a": "b"},
        },
    )


def test_the_fields_of_a_config_are_in_the_order_of_the_structure() -> None:
    run = {
        "ArgsEscaped": True,
        "StopSignal": "SIGTERM",
        "Labels": {"z": "<&>", "a": ""},
        "WorkingDir": "/srv",
        "Volumes": {"/b": {}, "/a": {"x": 1}},
        "Cmd": ["-c"],
        "Entrypoint": ["sh"],
        "Env": ["A=1"],
        "ExposedPorts": {"80/tcp": {}},
        "User": "nobody",
        "Hostname": "is forgotten",
        "Healthcheck": {"Test": ["is forgotten"]},
    }
    config = {
        "history": [
            {
                "empty_layer": True,
                "comment": "c",
                "author": "a",
                "created_by": "b",
                "created": "2024-01-01T00:00:00Z",
            },
            {},
        ],
        "rootfs": {"diff_ids": [DIGEST], "type": "layers"},
        "config": run,
        "container_config": {"is": "forgotten"},
        "variant": "v8",
        "os.features": ["x"],
        "os.version": "1",
        "os": "linux",
        "architecture": "arm64",
        "author": "somebody",
        "created": "2024-01-01T00:00:00Z",
    }
    assert_same(
        shown_config(config),
        {
            "created": "2024-01-01T00:00:00Z",
            "author": "somebody",
            "architecture": "arm64",
            "os": "linux",
            "os.version": "1",
            "os.features": ["x"],
            "variant": "v8",
            "config": {
                "User": "nobody",
                "ExposedPorts": {"80/tcp": {}},
                "Env": ["A=1"],
                "Entrypoint": ["sh"],
                "Cmd": ["-c"],
                "Volumes": {"/a": {}, "/b": {}},
                "WorkingDir": "/srv",
                "Labels": {"a": "", "z": "<&>"},
                "StopSignal": "SIGTERM",
                "ArgsEscaped": True,
            },
            "rootfs": {"type": "layers", "diff_ids": [DIGEST]},
            "history": [
                {
                    "created": "2024-01-01T00:00:00Z",
                    "created_by": "b",
                    "author": "a",
                    "comment": "c",
                    "empty_layer": True,
                },
                {},
            ],
        },
    )


@pytest.mark.parametrize("name", ["User", "ExposedPorts", "Env", "Cmd", "Labels", "ArgsEscaped"])
def test_null_in_a_config_is_as_nothing(name: str) -> None:
    assert shown_config({"config": {name: None}})["config"] == {}


def test_null_within_a_list_or_a_map_is_an_empty_value() -> None:
    config = {"config": {"Env": [None], "Labels": {"a": None}}, "history": [None]}
    found = shown_config(config)
    assert found["config"] == {"Env": [""], "Labels": {"a": ""}}
    assert found["history"] == [{}]


def test_the_names_of_fields_may_be_in_any_case() -> None:
    assert shown_config({"OS": "linux", "Config": {"user": "x"}}) == (
        shown_config({"os": "linux", "config": {"User": "x"}})
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2024-02-29T23:59:59Z", "2024-02-29T23:59:59Z"),
        ("2024-02-29T23:59:59.120Z", "2024-02-29T23:59:59.12Z"),
        ("2024-02-29T23:59:59.000000000Z", "2024-02-29T23:59:59Z"),
        ("2024-02-29T23:59:59.1234567891Z", "2024-02-29T23:59:59.123456789Z"),
        ("2024-02-29T23:59:59.5+02:00", "2024-02-29T23:59:59.5+02:00"),
        ("2024-02-29T23:59:59+00:00", "2024-02-29T23:59:59Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
    ],
)
def test_times_are_written_as_go_writes_them(given: str, expected: str) -> None:
    assert shown_config({"created": given})["created"] == expected


@pytest.mark.parametrize(
    "config",
    [
        {"created": "yesterday"},
        {"created": "2024-13-01T00:00:00Z"},
        {"created": 5},
        {"config": []},
        {"config": {"Env": "A=1"}},
        {"config": {"Labels": {"a": 1}}},
        {"config": {"ArgsEscaped": "yes"}},
        {"rootfs": {"diff_ids": [1]}},
        {"history": [{"empty_layer": 1}]},
    ],
)
def test_a_config_of_other_types_has_no_raw_form(config: dict[str, Any]) -> None:
    with pytest.raises(ManifestError, match=f"--raw cannot show the config of {REFERENCE}: ") as e:
        raw_json(image(config=config), expand_config=True)
    assert "--output manifest" in e.value.hint


@pytest.mark.parametrize(
    "subject",
    [
        [],
        {"size": "2"},
        {"size": 2.5},
        {"size": True},
        {"data": "?"},
        {"data": "aGk"},
        {"platform": "linux"},
    ],
)
def test_a_manifest_of_other_types_has_no_raw_form(subject: Any) -> None:
    with pytest.raises(ManifestError, match=f"--raw cannot show {REFERENCE}: subject: "):
        raw_json(image({"subject": subject}))


def test_an_index_has_the_manifests_that_it_lists() -> None:
    found = index(
        {"mediaType": media_types.OCI_INDEX, "annotations": {"b": "2", "a": "1"}},
        (media_types.OCI_MANIFEST, MANIFEST),
        (media_types.DOCKER_MANIFEST, MANIFEST | {"annotations": {"x": "y"}}),
    )
    assert_same(
        shown(found),
        {
            "name": REFERENCE,
            "digest": DIGEST,
            "schemaVersion": 2,
            "mediaType": media_types.OCI_INDEX,
            "manifests": [MANIFEST, MANIFEST | {"annotations": {"x": "y"}}],
            "annotations": {"a": "1", "b": "2"},
        },
    )
    assert raw_json(found, expand_config=True) == raw_json(found)


def test_an_index_of_nothing_has_null() -> None:
    assert shown(index({}))["manifests"] is None


def test_an_index_that_lists_an_index_has_no_raw_form() -> None:
    with pytest.raises(ManifestError, match=r"which is .*index.* and not an image"):
        raw_json(index({}, (media_types.OCI_INDEX, {"schemaVersion": 2, "manifests": []})))


def test_strings_are_escaped_as_go_escapes_them() -> None:
    text = raw_json(image({"annotations": {"a": '<b> & "c" \\ \n\t\b\f\x00 ü € \u2028'}}))
    assert r'"\u003cb\u003e \u0026 \"c\" \\ \n\t\b\f\u0000 ü € \u2028"' in text


def test_what_a_terminal_might_obey_is_escaped_too() -> None:
    text = raw_json(image({"annotations": {"\x7f": "\x9b\u202e\ud800\U000e0001"}}))
    assert r'"\u007f": "\u009b\u202e\ud800\udb40\udc01"' in text
