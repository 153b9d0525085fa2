"""Batch files: what an image may have, what it takes from the defaults, and what is refused."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from oci_merge._text import has_controls
from oci_merge.errors import SpecError, UsageError
from oci_merge.model.platform import Platform
from oci_merge.planning.batch import BatchImage, batch_jobs
from oci_merge.planning.batch_file import MAX_BATCH, parse_batch
from oci_merge.planning.spec import SpecImage


def images(text: str, **variables: str) -> tuple[BatchImage, ...]:
    return parse_batch(text, name="images.yml", variables=variables)


def one(text: str, **variables: str) -> dict[str, Any]:
    """Return the keywords of the only image of a file."""
    (image,) = images(text, **variables)
    return dict(image.keywords)


def refused(text: str, **variables: str) -> SpecError:
    with pytest.raises(SpecError) as raised:
        images(text, **variables)
    return raised.value


def test_an_image_has_the_keywords_of_a_merge() -> None:
    assert one(
        """
        images:
          - template: reg.example/app-ARCH:1.0
            platforms: [linux/amd64, linux/arm64]
            arch_aliases: {amd64: x86_64}
            target: reg.example/app:1.0
            targets: [reg.example/other:1.0]
            tags: [1, 1.10, latest]
            annotations: {a: 1.10}
            optional: [linux/arm64]
            require: [linux/amd64]
            require_same: [org.opencontainers.image.revision]
            format: oci
            platform_check: error
            copy_layers: true
            no_shrink: false
            wait: 1h30m
            only_newer: version
        """
    ) == {
        "template": "reg.example/app-ARCH:1.0",
        "platforms": ["linux/amd64", "linux/arm64"],
        "arch_aliases": {"amd64": "x86_64"},
        "target": "reg.example/app:1.0",
        "targets": ["reg.example/other:1.0"],
        "tags": ["1", "1.10", "latest"],
        "annotations": {"a": "1.10"},
        "optional": ["linux/arm64"],
        "require": ["linux/amd64"],
        "require_same": ["org.opencontainers.image.revision"],
        "format": "oci",
        "platform_check": "error",
        "copy_layers": True,
        "no_shrink": False,
        "wait": 5400.0,
        "only_newer": "version",
    }


@pytest.mark.parametrize("key", ["sources", "manifests"])
def test_images_to_join_are_texts_or_what_manifest_tool_writes(key: str) -> None:
    found = one(
        f"""
        images:
          - target: reg.example/app:1.0
            {key}:
              - reg.example/app:a
              - reg.example/app:b=linux/arm64
              - image: reg.example/app:c
              - image: reg.example/app:d
                platform: linux/arm/v7
              - image: reg.example/app:e
                platform: {{os: windows, architecture: amd64, osversion: 10.0.17763.1}}
        """
    )
    assert found["sources"] == [
        "reg.example/app:a",
        "reg.example/app:b=linux/arm64",
        "reg.example/app:c",
        ("reg.example/app:d", Platform("linux", "arm", "v7")),
        ("reg.example/app:e", Platform("windows", "amd64", "", "10.0.17763.1")),
    ]


def test_defaults_are_for_every_image_that_says_nothing_else() -> None:
    first, second, third = images(
        """
        defaults:
          template: reg.example/${name}-ARCH:1.0
          arch_aliases: {amd64: x86_64}
          target: reg.example/${name}:1.0
          platforms: [linux/amd64]
          annotations: {vendor: Example, title: none}
        images:
          - name: app
          - name: web
            platforms: [linux/arm64]
            annotations: {title: web}
          - name: tool
            targets: [other.example/tool:1.0]
            sources: [reg.example/tool:a]
        """
    )
    assert first.keywords == {
        "template": "reg.example/app-ARCH:1.0",
        "arch_aliases": {"amd64": "x86_64"},
        "target": "reg.example/app:1.0",
        "platforms": ["linux/amd64"],
        "annotations": {"vendor": "Example", "title": "none"},
    }
    assert second.keywords["platforms"] == ["linux/arm64"]
    assert second.keywords["annotations"] == {"vendor": "Example", "title": "web"}
    assert third.keywords == {
        "targets": ["other.example/tool:1.0"],
        "sources": ["reg.example/tool:a"],
        "platforms": ["linux/amd64"],
        "annotations": {"vendor": "Example", "title": "none"},
    }


def test_values_are_substituted_after_parsing_and_keys_are_not() -> None:
    found = one(
        """
        images:
          - template: "${REGISTRY}/app-ARCH:${VERSION:-edge}"
            target: ${REGISTRY}/app:${VERSION:-edge}
            annotations:
              ${KEY}: "${TEXT} for $$5"
        """,
        REGISTRY="reg.example",
        TEXT="a: [b]\n# c",
    )
    assert found == {
        "template": "reg.example/app-ARCH:edge",
        "target": "reg.example/app:edge",
        "annotations": {"${KEY}": "a: [b]\n# c for $5"},
    }


@pytest.mark.parametrize(
    ("written", "value", "result"),
    [
        ("linux/amd64,linux/arm64", "", ["linux/amd64", "linux/arm64"]),
        ("${P}", "linux/amd64, linux/arm64", ["linux/amd64", "linux/arm64"]),
        ("${P}", "linux/amd64\nlinux/arm64\n", ["linux/amd64", "linux/arm64"]),
        ("${P:-}", "", []),
        ("[]", "", []),
    ],
)
def test_a_list_may_be_one_text(written: str, value: str, result: list[str]) -> None:
    text = f"images: [{{template: a-ARCH, target: a, platforms: {written!r}}}]"
    assert one(text.replace("'[]'", "[]"), P=value)["platforms"] == result


def test_a_variable_that_is_empty_makes_no_list_empty() -> None:
    error = refused("images:\n  - {template: a-ARCH, target: a, platforms: '${P}'}", P="")
    assert error.message == "images.yml, line 2: 'platforms' is empty"


def test_anchors_merge_keys_and_extensions_work() -> None:
    first, second = images(
        """
        x-common: &common
          platforms: &two [linux/amd64, linux/arm64]
          template: reg.example/a-ARCH:1
        images:
          - <<: *common
            target: reg.example/a:1
          - {template: reg.example/b-ARCH:1, target: reg.example/b:1, platforms: *two}
        """
    )
    assert first.keywords["platforms"] == second.keywords["platforms"]
    assert first.keywords["template"] == "reg.example/a-ARCH:1"


def test_a_spec_of_manifest_tool_is_an_image() -> None:
    (image,) = images(
        """
        defaults: {annotations: {a: b}, platforms: [linux/amd64]}
        images:
          - image: ${REGISTRY}/app:1.0
            tags: [latest, 1.10]
            type: oci
            ignore_missing: true
            manifests:
              - image: ${REGISTRY}/app-amd64:1.0
              - image: ${REGISTRY}/app-armv7:1.0
                platform: {os: linux, architecture: arm, variant: v7}
        """,
        REGISTRY="reg.example",
    )
    assert image.keywords == {"list_type": "oci", "ignore_missing": True}
    assert image.spec is not None
    assert image.spec.image == "reg.example/app:1.0"
    assert image.spec.tags == ("latest", "1.10")
    assert image.spec.annotations == {"a": "b"}
    assert image.spec.warnings == ()
    assert image.spec.manifests == (
        SpecImage("reg.example/app-amd64:1.0"),
        SpecImage("reg.example/app-armv7:1.0", Platform("linux", "arm", "v7")),
    )


def test_a_file_that_is_a_spec_of_manifest_tool_is_a_batch_of_one() -> None:
    (image,) = images("image: reg.example/app:1.0\nmanifests:\n  - image: reg.example/app:a\n")
    assert image.spec is not None
    assert image.spec.manifests == (SpecImage("reg.example/app:a"),)
    assert image.place == "images.yml, line 1"


def test_specs_of_a_loop_are_documents_of_one_file() -> None:
    text = "---\nimage: ${NAME:-a}:1\nmanifests:\n  - image: a:amd64\n---\n"
    first, second = images(text + text.replace(":1", ":2"))
    assert first.spec is not None
    assert second.spec is not None
    assert (first.spec.image, second.spec.image) == ("a:1", "a:2")
    assert second.place == "images.yml, line 7"


def test_a_default_that_a_spec_cannot_have_is_a_warning() -> None:
    (image,) = images(
        """defaults: {require: [linux/amd64]}
images:
  - image: reg.example/app:1.0
    manifests: [{image: 'reg.example/app:a'}]
"""
    )
    assert image.spec is not None
    assert image.spec.warnings == (
        "images.yml, line 3: a spec of manifest-tool takes no require; the defaults' are left out",
    )


def test_json_with_tabs_and_a_schema_is_a_batch_file() -> None:
    document = {"$schema": "batch.schema.json", "images": [{"template": "a-ARCH", "target": "a"}]}
    assert one(json.dumps(document, indent="\t")) == {"template": "a-ARCH", "target": "a"}


def test_a_byte_order_mark_is_read_over() -> None:
    assert one("\ufeffimages: [{template: a-ARCH, target: a}]")["target"] == "a"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("images:\n- {tamplate: a}", "line 2: 'tamplate' is not a key of an image", "'template'"),
        ("images:\n- {copy-layers: true}", "line 2: 'copy-layers' is not", "'copy_layers'"),
        ("image: [a]", "line 1: a spec of manifest-tool has no 'manifests'", ""),
        ("imagse: []", "line 1: 'imagse' is not a key of a batch file", "'images'"),
        ("defaults: {name: a}\nimages: [{}]", "line 1: 'name' is not a key of 'defaults'", ""),
        ("images:\n- {dry_run: true}", "line 2: 'dry_run' is not a key of an image", ""),
        ("images: []", "lists no image under 'images'", ""),
        ("defaults: {}", "has no 'images'", ""),
        ("", "is empty", ""),
        ("[]", "line 1: the batch file has to be a mapping", ""),
        ("images: 3", "line 1: 'images' has to be a list", ""),
        ("images:\n- 3", "line 2: an image has to be a mapping", ""),
        ("images:\n- target: a", "line 2: the image has neither a 'template' nor", "template:"),
        ("images:\n- template: a-ARCH", "line 2: the image has no 'target'", "target:"),
        ("images:\n- target: a\n  target: b", "line 3: the key 'target' stands here twice", ""),
        ("images:\n- {template: a-ARCH, target: ['a']}", "line 2: 'target' has to be text", ""),
        ("images:\n- {sources: [a], manifests: [{image: a}], target: a}", "are the same", ""),
        (
            "images:\n- {image: a, manifests: [{image: a}], target: a}",
            "line 2: an image with 'image' is a spec of manifest-tool, which has no 'target'",
            "'target' in place of 'image'",
        ),
        ("images:\n- {target: a, template: a-ARCH, format: oic}", "'oic' is not a format", "auto"),
        ("images:\n- {target: a, template: a-ARCH, wait: soon}", "takes a duration", "10m"),
        ("images:\n- {target: a, template: a-ARCH, force: 1}", "has to be true or false", ""),
        ("images:\n- target: a\n  template: $A-ARCH", "line 3: '$A' is a variable without", "${A}"),
        ("images:\n- target: a\n  template: ${A}", "line 3: the variable A is not set", "${A:-"),
        (
            "images:\n- {template: a-ARCH, target: '${name}'}",
            "the variable name is not set",
            "give the image a 'na",
        ),
        (
            "images:\n- {template: a-ARCH, target: {{ A }}}",
            "line 2: nobody filled the placeholder '{{ A }}'",
            "",
        ),
        (
            "images:\n- {template: a-ARCH, target: '{{ A }}:1'}",
            "line 2: nobody filled the placeholder",
            "",
        ),
        ("images:\n- {target: ${A}}", "is not YAML", "quote values that hold ${...}"),
        ("images:\n\t- target: a", "is not YAML", "indent by spaces"),
        ("images: [{template: a-ARCH, target: a}]\n---\n- a", "line 3: the batch file has", ""),
        ("---\n---\n# nothing", "is empty", ""),
        ("images: [{target: \ud800}]", "has half a surrogate pair", ""),
        ("a: \x07", "is not YAML", ""),
        ("[" * 100_000, "the batch file", ""),
    ],
)
def test_mistakes_are_named_with_their_lines(text: str, message: str, hint: str) -> None:
    error = refused(text)
    assert message in error.message
    assert "images.yml" in error.message
    assert hint in error.hint


def test_an_image_that_cannot_be_merged_is_named_with_its_line() -> None:
    with pytest.raises(UsageError) as raised:
        batch_jobs(images("images:\n- {target: 'a:1', template: 'a:1'}"), None, lambda asked: ())
    assert raised.value.message.startswith("images.yml, line 2: the template 'a:1' has none of")
    assert raised.value.hint


def test_thousands_of_images_are_read_and_checked_in_seconds() -> None:
    entries = "".join(
        f"  - name: app-{number}\n    tags: [latest, '1']\n    annotations: {{title: {number}}}\n"
        for number in range(3000)
    )
    text = (
        "defaults:\n  template: r.example/${name}-ARCH:1\n  target: r.example/${name}:1\n"
        f"  platforms: [linux/amd64, linux/arm64]\nimages:\n{entries}"
    )
    began = time.process_time()
    jobs = batch_jobs(images(text), None, lambda asked: ())
    assert len(jobs) == 3000
    assert jobs[-1].target == "r.example/app-2999:1"
    # It takes a second; the bound only tells a wrong order of growth.
    assert time.process_time() - began < 20


@pytest.mark.skipif(not yaml.__with_libyaml__, reason="PyYAML was built without libyaml")
def test_aliases_cannot_multiply_values_without_bounds() -> None:
    tags = ", ".join(f"t{number}" for number in range(20_000))
    entries = "\n".join(
        f"- {{template: a-ARCH, target: 'a{number}:1', tags: *t}}" for number in range(60)
    )
    error = refused(f"x-tags: &t [{tags}]\nimages:\n{entries}")
    assert "more than 1000000 values" in error.message


def test_aliases_cannot_multiply_a_long_value_without_bounds() -> None:
    entries = "\n".join(f"- {{template: a-ARCH, target: *t, name: n{n}}}" for n in range(5000))
    error = refused(f"x-target: &t '${{A:-b}}{'c' * 50_000}'\nimages:\n{entries}")
    assert "characters, together" in error.message


def test_many_extensions_take_no_time_by_the_square() -> None:
    extensions = "".join(f"x-{number}: 1\n" for number in range(20_000))
    began = time.process_time()
    assert one(f"{extensions}images: [{{template: a-ARCH, target: a}}]")["target"] == "a"
    assert "'images'" in refused(f"{extensions}imagse: []").hint
    # A second; the bound only tells a wrong order of growth.
    assert time.process_time() - began < 30


_WORDS = st.sampled_from(
    [
        *("images", "defaults", "name", "target", "targets", "template", "sources", "manifests"),
        *("image", "platform", "platforms", "tags", "annotations", "wait", "force", "format"),
        *("type", "a:1", "a-ARCH:1", "reg.example/${name}:1", "${A}", "${B:-b}", "$$", "linux/arm"),
        *("", "10m", "true", "x-y", "<<", "null", "1.10", "\u202e", "{{ a }}"),
    ]
)
_VALUES = st.recursive(
    _WORDS | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=4),
    max_leaves=12,
)
_IMAGE = st.dictionaries(_WORDS, _VALUES, max_size=5)
_FILES = _VALUES | st.fixed_dictionaries({"images": st.lists(_IMAGE, max_size=3)})


def said(text: str) -> str:
    """Return what is wrong with a file, or an empty string."""
    try:
        batch_jobs(images(text, A="a"), None, lambda asked: ())
    except UsageError as error:
        return error.message
    return ""


@given(_FILES)
def test_whatever_a_file_says_it_is_read_or_refused(document: object) -> None:
    assert not has_controls(said(yaml.safe_dump(document)))


@given(st.text())
def test_whatever_a_text_is_it_is_read_or_refused(text: str) -> None:
    assert not has_controls(said(text))


def test_a_file_without_bounds_is_refused() -> None:
    assert f"more than {MAX_BATCH} characters" in refused("#" * (MAX_BATCH + 1)).message
