"""Spec files, and specs made of a template."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oci_merge.errors import InvalidPlatformError, SpecError, TemplateError, UsageError
from oci_merge.model.platform import Platform
from oci_merge.planning.spec import Spec, SpecImage, spec_from_template
from oci_merge.planning.spec_file import parse_spec


def _parse(text: str) -> Spec:
    return parse_spec(text, name="spec.yml")


def test_a_spec_is_a_target_with_its_images() -> None:
    text = """
        image: reg.example/app:1.0
        tags: ["1", latest]
        annotations: {org.example.title: app}
        manifests:
          - image: reg.example/app-amd64:1.0
          - image: reg.example/app-arm:1.0
            platform: {os: linux, architecture: arm, variant: v7}
          - image: reg.example/app-win:1.0
            platform:
              os: windows
              architecture: amd64
              osversion: "10.0.1"
              osfeatures: [win32k, x]
    """
    assert _parse(text) == Spec(
        image="reg.example/app:1.0",
        tags=("1", "latest"),
        annotations={"org.example.title": "app"},
        manifests=(
            SpecImage("reg.example/app-amd64:1.0"),
            SpecImage("reg.example/app-arm:1.0", Platform("linux", "arm", "v7")),
            SpecImage(
                "reg.example/app-win:1.0",
                Platform("windows", "amd64", "", "10.0.1", ("win32k", "x")),
            ),
        ),
    )


_HEAD = "image: reg.example/app:1\nmanifests:\n- image: reg.example/a:1\n"


def test_scalars_are_taken_as_they_are_written() -> None:
    text = _HEAD + "  platform: {os: linux, architecture: 386, variant: 1_0}\n"
    text += "tags: [1.10, 0x1F, yes, 2024-01-31, 1e3, ~x]\nannotations: {1: on}\n"
    spec = _parse(text)
    assert spec.tags == ("1.10", "0x1F", "yes", "2024-01-31", "1e3", "~x")
    assert spec.annotations == {"1": "on"}
    assert spec.manifests[0].platform == Platform("linux", "386", "1_0")


def test_the_dotted_names_of_windows_fields_are_understood_too() -> None:
    text = _HEAD + "  platform: {os: w, architecture: a, os.version: 1.0, os.features: [x]}\n"
    assert _parse(text).manifests[0].platform == Platform("w", "a", "", "1.0", ("x",))


@pytest.mark.parametrize("platform", ["", "{}", "~", "{os: }", "{os: '', architecture: ''}"])
def test_an_empty_platform_is_none(platform: str) -> None:
    assert _parse(f"{_HEAD}  platform: {platform}\n").manifests[0].platform is None


def test_a_platform_may_add_to_what_the_config_says() -> None:
    spec = _parse(_HEAD + "  platform: {variant: v7}\n")
    assert spec.manifests[0].platform == Platform("", "", "v7")


def test_a_merged_key_may_be_overridden() -> None:
    text = """
        image: reg.example/app:1
        manifests:
          - image: reg.example/a:1
            platform: &six {os: linux, architecture: arm, variant: v6}
          - image: reg.example/b:1
            platform: &seven {<<: *six, variant: v7}
          - {image: reg.example/c:1, platform: *seven}
    """
    assert [entry.platform for entry in _parse(text).manifests] == [
        Platform("linux", "arm", "v6"),
        Platform("linux", "arm", "v7"),
        Platform("linux", "arm", "v7"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the spec spec.yml is empty"),
        ("# nothing\n", "the spec spec.yml is empty"),
        ("image: a: b", "is not YAML"),
        ("image: [", "is not YAML"),
        ("image: x\ntags: *none", "is not YAML: found undefined alias 'none' in line 2"),
        ("~", "has no 'image'"),
        ("a: b\n--- \nc: d", "line 3: a second document starts here, after the one of line 1"),
        ("a: *missing", "is not YAML"),
        ("image: a\x00b", "is not YAML"),
        ("image: a\ud800b", "is not YAML"),
        ("[" * 5_000, "nested too deeply"),
        ("- image: x", "line 1: the spec has to be a mapping"),
        ("text", "line 1: the spec has to be a mapping"),
        ("manifests: [{image: x}]", "has no 'image'"),
        ("image: reg.example/app:1", "has no 'manifests'"),
        ("image: x\nmanifests: []", "lists no image"),
        ("image: x\nmanifests: {}", "line 2: 'manifests' has to be a list"),
        ("image: x\nmanifests: [x]", "line 2: an image has to be a mapping"),
        ("image: x\nmanifests: [{platform: {}}]", "line 2: an entry of 'manifests' has no 'image'"),
        ("image: [x]\nmanifests: [{image: x}]", "line 1: 'image' has to be text"),
        (_HEAD + "tags: latest", "line 4: 'tags' has to be a list"),
        (_HEAD + "tags: [[x]]", "line 4: 'tags' has to be text"),
        (_HEAD + "annotations: [a]", "line 4: this has to be a mapping"),
        (_HEAD + "annotations: {a: {b: c}}", "line 4: 'a' has to be text"),
        (_HEAD + "target: x", "line 4: 'target' is not a key of the spec"),
        (_HEAD + "  platfrom: x", "line 4: 'platfrom' is not a key of an image"),
        (_HEAD + "  platform: {arch: x}", "line 4: 'arch' is not a key of a platform"),
        (_HEAD + "  platform: {features: x}", "line 4: 'features' has to be a list"),
        (_HEAD + "  platform: linux/amd64", "line 4: a platform has to be a mapping"),
        (_HEAD + "  platform: {os: linux}", "line 4: a platform needs both"),
        (_HEAD + "  platform: {architecture: arm}", "line 4: a platform needs both"),
        (_HEAD + "  platform: {osversion: 1, os.version: 1}", "are the same key"),
        (_HEAD + "  platform: {osfeatures: [], os.features: []}", "are the same key"),
        (_HEAD + "  platform: {osfeatures: x}", "line 4: 'osfeatures' has to be a list"),
        (_HEAD + "image: y", "line 4: the key 'image' stands here twice"),
        (_HEAD + "annotations: {a: 1, a: 1}", "line 4: the key 'a' stands here twice"),
        (_HEAD + "? [a]\n: b", "line 4: 'a key' has to be text"),
        (_HEAD + "tags: [!!binary aGk=]", "line 4: 'tags' has to be text"),
        ("!!python/object/apply:os.system [true]", "line 1: the spec has to be a mapping"),
        ("&a {<<: *a}", "has no 'image'"),
    ],
)
def test_an_invalid_spec_is_refused_and_the_line_is_named(text: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        _parse(text)
    assert message in caught.value.message
    assert "spec.yml" in caught.value.message


def test_the_name_of_the_file_is_escaped() -> None:
    for text in ("", "[", "- x", "image: x"):
        with pytest.raises(SpecError) as caught:
            parse_spec(text, name="\x1b.yml")
        assert r"\x1b.yml" in caught.value.message
        assert "\x1b" not in caught.value.message


def test_a_misspelt_key_is_shown_with_the_known_ones() -> None:
    with pytest.raises(SpecError) as caught:
        _parse(_HEAD + '  platform: {"\\e[31m": x}')
    assert "\x1b" not in caught.value.message
    assert "architecture, variant" in caught.value.hint


@given(st.one_of(st.text(), st.text("image:manfets tagplorm{}[]&*!<?-~#'\"\n %|>,")))
@example("a: &a\n  <<: [*a, *a]\n")
@example("%YAML 9.9\n---\na: b")
def test_arbitrary_text_is_a_spec_or_a_spec_error(text: str) -> None:
    with contextlib.suppress(SpecError):
        assert _parse(text).manifests


@pytest.mark.parametrize(
    ("template", "platform", "image"),
    [
        ("reg.example/app-ARCH:1.0", "linux/amd64", "reg.example/app-amd64:1.0"),
        ("reg.example/app-ARCHVARIANT:1", "linux/arm/v7", "reg.example/app-armv7:1"),
        ("reg.example/app-ARCHVARIANT:1", "linux/amd64", "reg.example/app-amd64:1"),
        ("reg.example/app:ARCH-VARIANT", "linux/amd64", "reg.example/app:amd64-"),
        ("reg.example/app:1.0-ARCH-ARCH", "linux/amd64", "reg.example/app:1.0-amd64-ARCH"),
        ("reg.example/app-ARCH:1", "linux/OS", "reg.example/app-linux:1"),
        ("reg.example/app:OS-ARCH", " linux/amd64 ", "reg.example/app:linux-amd64"),
        ("reg.example/app:OS-OS", "linux/amd64", "reg.example/app:linux-OS"),
        ("reg.example/app:VARIANT-VARIANT", "linux/arm/v7", "reg.example/app:v7-VARIANT"),
        ("ARCH.example/app-ARCH:1", "linux/amd64", "amd64.example/app-ARCH:1"),
        ("reg.example/app:1", "linux/amd64", "reg.example/app:1"),
    ],
)
def test_a_template_is_filled_as_manifest_tool_fills_it(
    template: str, platform: str, image: str
) -> None:
    spec = spec_from_template(
        platforms=[platform], template=template, target="reg.example/app:1", tags=["2"]
    )
    assert [entry.image for entry in spec.manifests] == [image]
    assert (spec.image, spec.tags) == ("reg.example/app:1", ("2",))


def test_the_platforms_of_a_template_are_as_they_are_written() -> None:
    spec = spec_from_template(
        platforms=["Linux/x86_64", "linux/arm/v7"],
        template="reg.example/app:ARCH",
        target="reg.example/app:1",
        annotations={"a": "b"},
    )
    assert [entry.platform for entry in spec.manifests] == [
        Platform("Linux", "x86_64"),
        Platform("linux", "arm", "v7"),
    ]
    assert spec.annotations == {"a": "b"}


@pytest.mark.parametrize("platform", ["", "linux", "linux/", "/amd64", "linux/arm/v7/x"])
def test_a_platform_of_another_shape_is_refused(platform: str) -> None:
    with pytest.raises(InvalidPlatformError, match="is not a platform"):
        spec_from_template(platforms=[platform], template="app:ARCH", target="app:1")


def test_a_template_without_a_placeholder_would_give_all_platforms_one_image() -> None:
    with pytest.raises(TemplateError, match="all platforms would get one image"):
        spec_from_template(
            platforms=["linux/amd64", "linux/arm64"], template="app:1", target="app:1"
        )


@pytest.mark.parametrize("placeholder", ["ARCH", "OS", "VARIANT"])
def test_one_placeholder_is_enough(placeholder: str) -> None:
    spec = spec_from_template(
        platforms=["linux/arm/v7", "windows/amd64/v3"],
        template=f"app:{placeholder}",
        target="app:1",
    )
    assert len({entry.image for entry in spec.manifests}) == 2


def test_a_bomb_of_merge_keys_is_read_quickly_and_correctly() -> None:
    levels = [f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}, *a{n - 1}]}}" for n in range(1, 40)]
    text = "\n".join(["x: &a0 {os: linux, architecture: arm}", *levels, "image: b:1"])

    with pytest.raises(SpecError, match="'x' is not a key of the spec"):
        parse_spec(text, name="spec.yml")
    inner = ["manifests:", "  - image: a:1", "    platform: &p {os: linux, architecture: arm}"]
    inner += [f"  - &m{n} {{image: a:{n}, platform: {{<<: [*p, *p]}}}}" for n in range(2, 4)]

    spec = parse_spec("\n".join(["image: b:1", *inner]), name="spec.yml")

    assert {image.platform for image in spec.manifests} == {Platform("linux", "arm")}


@pytest.mark.parametrize("arguments", [(None, "spec.yml"), ("image: a", None), (b"image: a", "x")])
def test_a_spec_that_is_no_text_is_wrong_usage(arguments: tuple[Any, Any]) -> None:
    text, name = arguments
    with pytest.raises(UsageError, match="must be text"):
        parse_spec(text, name=name)
