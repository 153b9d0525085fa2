"""Spec files as people wrote them for manifest-tool, and text that is no spec at all."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oci_merge._keywords import checked
from oci_merge.errors import SpecError
from oci_merge.model.platform import Platform
from oci_merge.options import PushKeywords
from oci_merge.planning.request import spec_job
from oci_merge.planning.spec import Spec
from oci_merge.planning.spec_file import parse_spec
from oci_merge.planning.spec_yaml import MAX_SPEC

#: The example that stood in manifest-tool's README for years.
_README = """
image: myprivreg:5000/someimage:latest
manifests:
  -
    image: myprivreg:5000/someimage:ppc64le
    platform:
      architecture: ppc64le
      os: linux
  -
    image: myprivreg:5000/someimage:amd64
    platform:
      architecture: amd64
      features:
        - sse
      os: linux
"""
#: A template for Windows, filled.
_WINDOWS = """
image: plugins/git:1
manifests:
  - image: plugins/git:1-linux-amd64
    platform: {architecture: amd64, os: linux}
  - image: plugins/git:1-windows-1809
    platform:
      architecture: amd64
      os: windows
      version: 1809
  - image: plugins/git:1-windows-ltsc2022
    platform: {architecture: amd64, os: windows, version: ltsc2022}
  - image: plugins/git:1-windows-20H2
    platform: {architecture: amd64, os: windows, version: 20H2, osversion: 10.0.19042.1889}
"""
_DRONE = """
image: jakolehm/cfssl:{{#if build.tag}}{{trimPrefix "v" build.tag}}{{else}}latest{{/if}}
{{#if build.tags}}
tags:
{{#each build.tags}}
  - {{this}}
{{/each}}
{{/if}}
manifests:
  -
    image: jakolehm/cfssl-amd64:{{#if build.tag}}{{trimPrefix "v" build.tag}}{{/if}}
    platform:
      architecture: amd64
      os: linux
"""
_PLAIN = "image: reg.example/app:1\nmanifests:\n  - image: reg.example/app-amd64:1\n"


def _parse(text: str) -> Spec:
    return parse_spec(text, name="spec.yml")


def _refused(text: str) -> SpecError:
    with pytest.raises(SpecError) as caught:
        _parse(text)
    return caught.value


def test_features_are_left_out_with_a_warning_as_manifest_tool_leaves_them_out() -> None:
    spec = _parse(_README)
    assert [image.platform for image in spec.manifests] == [
        Platform("linux", "ppc64le"),
        Platform("linux", "amd64"),
    ]
    (warning,) = spec.warnings
    assert warning.startswith(
        "spec.yml, line 12: myprivreg:5000/someimage:amd64 is published without its 'features'"
    )


def test_a_release_of_windows_is_no_os_version_so_it_is_left_out_with_a_warning() -> None:
    spec = _parse(_WINDOWS)
    assert [image.platform for image in spec.manifests] == [
        Platform("linux", "amd64"),
        Platform("windows", "amd64"),
        Platform("windows", "amd64"),
        Platform("windows", "amd64", "", "10.0.19042.1889"),
    ]
    assert [warning.partition(":")[0] for warning in spec.warnings] == [
        "spec.yml, line 8",
        "spec.yml, line 12",
        "spec.yml, line 14",
    ]
    assert "plugins/git:1-windows-1809 is published without its 'version: 1809'" in str(
        spec.warnings
    )


@pytest.mark.parametrize("version", ["10.0.17763.1999", "10.0.20348"])
def test_a_build_of_windows_under_version_is_taken_as_its_os_version(version: str) -> None:
    spec = _parse(
        f"{_PLAIN}    platform: {{os: windows, architecture: amd64, version: {version}}}\n"
    )
    assert spec.manifests[0].platform == Platform("windows", "amd64", "", version)
    assert "is taken as its osversion" in spec.warnings[0]


def test_what_a_spec_is_warned_of_is_passed_on_by_its_job() -> None:
    spec = _parse(_WINDOWS)
    asked = checked(PushKeywords, {})
    assert set(spec.warnings) <= set(spec_job(spec, asked).warnings)


@pytest.mark.parametrize(
    "text",
    [
        "image:\treg.example/app:1\nmanifests:\t\n  - image:\treg.example/app-amd64:1\n",
        "image: reg.example/app:1\t\nmanifests: # all\n  - image: reg.example/app-amd64:1\t# one\n",
        "image: \t reg.example/app:1\nmanifests: [{image:\treg.example/app-amd64:1,\t}]\n",
        '"image"\t:\treg.example/app:1\nmanifests: [\n\t{image: reg.example/app-amd64:1}\n\t]\n',
        "\ufeff---\n" + _PLAIN,
        _PLAIN + "---\n",
        _PLAIN + "...\n",
        _PLAIN.replace("\n", "\r\n"),
    ],
)
def test_tabs_that_indent_nothing_and_empty_documents_are_read_over(text: str) -> None:
    assert _parse(text) == _parse(_PLAIN)


def test_a_tab_that_indents_is_an_error_that_says_so() -> None:
    error = _refused("image: reg.example/app:1\nmanifests:\n\t- image: reg.example/a:1\n")
    assert error.message == (
        r"the spec spec.yml is not YAML: found character '\t' that cannot start any token in line 3"
    )
    assert error.hint == "indent by spaces; YAML takes a tab only between a key and its value"


@pytest.mark.parametrize("second", [_PLAIN, "# the next\nimage: x\n", "text"])
def test_several_documents_are_an_error_that_says_just_that(second: str) -> None:
    error = _refused(f"{_PLAIN}---\n{second}")
    assert "a second document starts here, after the one of line 1" in error.message
    assert error.hint.startswith("a spec is one document")


@pytest.mark.parametrize(
    ("text", "line", "placeholder"),
    [
        (_DRONE, 2, "{{#if build.tag}}"),
        (_DRONE.partition("\n{{")[0] + "\nmanifests: [{image: a}]", 2, "{{#if build.tag}}"),
        ("{{#if build.tags}}\ntags: [1]\n{{/if}}\nimage: a", 1, "{{#if build.tags}}"),
        ("image: app:{{.Tag}}\nmanifests: [{image: a}]", 1, "{{.Tag}}"),
        ("image: {{.Tag}}\nmanifests: [{image: a}]", 1, "{{.Tag}}"),
        ("image: {{ .Tag }}-x\nmanifests: [{image: a}]", 1, "{{ .Tag }}"),
        ("image: app:${VERSION}\nmanifests: [{image: a}]", 1, "${VERSION}"),
        ("image: app:$VERSION\nmanifests: [{image: a}]", 1, "$VERSION"),
        ("image: app:$(Build.BuildId)\nmanifests: [{image: a}]", 1, "$(Build.BuildId)"),
        ("image: app:$${VERSION:-1}\nmanifests: [{image: a}]", 1, "$${VERSION:-1}"),
        ("image: app:#{Octopus.Release}\nmanifests: [{image: a}]", 1, "#{Octopus.Release}"),
        ("image: app:<VERSION>\nmanifests: [{image: a}]", 1, "<VERSION>"),
        ("image: app:<your version>\nmanifests: [{image: a}]", 1, "<your version>"),
        ("image: app:@VERSION@\nmanifests: [{image: a}]", 1, "@VERSION@"),
        ("image: @IMAGE@\nmanifests: [{image: a}]", 1, "@IMAGE@"),
        ("image: app:%TAG%\nmanifests: [{image: a}]", 1, "%TAG%"),
        ("image: %IMAGE%\nmanifests: [{image: a}]", 1, "%IMAGE%"),
        ("image: app:<%= version %>\nmanifests: [{image: a}]", 1, "<%= version %>"),
        ("{% if x %}\nimage: a\n{% endif %}\n", 1, "{% if x %}"),
        ("image: [[image]]\nmanifests: [{image: a}]", 1, "[[image]]"),
        ("image: a\nmanifests: {{images}}\n", 2, "{{images}}"),
        ("image: a\nmanifests:\n- image: app:${TAG}-amd64\n", 3, "${TAG}"),
        ("image: a\nmanifests:\n- image: b\n  platform: {os: linux, architecture: $ARCH}", 4, "$A"),
        (_PLAIN + "tags:\n  - {{this}}\n", 5, "{{this}}"),
        (_PLAIN + "tags: ['${TAG}']\n", 4, "${TAG}"),
    ],
)
def test_a_placeholder_that_nobody_filled_is_an_error_that_says_just_that(
    text: str, line: int, placeholder: str
) -> None:
    error = _refused(text)
    assert error.message.startswith(
        f"spec.yml, line {line}: nobody filled the placeholder '{placeholder}"
    )
    assert error.hint == "fill the template first, and give the file that comes of it"


@pytest.mark.parametrize(
    "text",
    [
        "# {{ filled by CI }} @VERSION@\n" + _PLAIN,
        _PLAIN + "annotations: {note: 'costs $5 <b> ${x}', mail: a@b.example}\n",
        "image: reg.example/app@sha256:0\nmanifests: [{image: reg.example/a__b:1.0-x_y}]\n",
    ],
)
def test_what_only_looks_like_a_placeholder_is_taken(text: str) -> None:
    assert _parse(text).manifests


def test_a_comment_is_not_blamed_for_text_that_is_no_yaml() -> None:
    assert "is not YAML" in _refused("# {{ filled by CI }}\nimage: [\n").message


@pytest.mark.parametrize(
    "text",
    [
        'image: "\\UFFFFFFFF"',
        'image: "\\U00110000"',
        "image: !<%FF%FE> x",
        'image: "\\ud800"\nmanifests: [{image: a}]',
        _PLAIN + 'annotations: {a: "\\udfff"}',
        _PLAIN + f"retries: {10**400}",
        "!!python/object/apply:os.system ['true']",
        _PLAIN + "platform: !!timestamp 2024-99-99",
        "? {a: b}\n: c",
        "%TAG ! tag:x,2000:\n--- !x\na: b",
        "&a [*a]",
        "a: &a [*a]\nimage: *a",
        "<<: x",
        "<<: [x]",
        "- " * 40_000,
        "[" * 100_000,
        "{a: " * 50_000,
        "? " * 50_000,
    ],
)
def test_odd_text_is_a_spec_error(text: str) -> None:
    assert isinstance(_refused(text), SpecError)


def test_a_text_longer_than_a_spec_is_not_read() -> None:
    began = time.process_time()
    error = _refused("image: x\n" + "# no\n" * 1_000_000)
    assert error.message == "the spec spec.yml has more than 524288 characters"
    assert time.process_time() - began < 1


_OPENINGS = ["{{", "{%", "<%", "<a", "@a", "%a", "${", "$(", "#{", "[["]


@pytest.mark.parametrize(
    ("once", "often"),
    [
        *(("", opening) for opening in _OPENINGS),
        *((opening, "a") for opening in _OPENINGS),
        *(
            ("", often)
            for often in ("@", "%", "<", "$", "{{ ", "[[ ", "{{a}", "{{{% <%", "#", " #")
        ),
    ],
)
@pytest.mark.parametrize("end", ["", "'"], ids=["no YAML", "a value"])
def test_placeholders_that_begin_and_never_end_are_read_in_bounded_time(
    once: str, often: str, end: str
) -> None:
    begin = "manifests: [{image: a}]\nimage: '" + once
    text = begin + often * ((MAX_SPEC - len(begin) - 1) // len(often)) + end
    began = time.process_time()
    with contextlib.suppress(SpecError):
        assert _parse(text).manifests
    assert time.process_time() - began < 20  # without the bound, a quarter of an hour


@pytest.mark.parametrize("sign", ["{", "a"])
def test_a_long_value_that_is_used_often_is_read_in_bounded_time(sign: str) -> None:
    often = "- {image: *a, platform: {os: *a, architecture: *a}}\n" * 5_000
    text = f"image: &a '{sign * 250_000}'\nmanifests:\n{often}"
    began = time.process_time()
    with contextlib.suppress(SpecError):
        assert _parse(text).manifests
    assert time.process_time() - began < 20


def _merging(levels: int, *, each: str) -> str:
    lines = ["image: a", "manifests:", "- &m0 {image: a}"]
    lines += [f"- &m{n} {{<<: {each.format(n - 1)}, k{n}: v}}" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        "annotations: {<<: [" + "*a, " * 90_000 + "]}\nx: &a {}",
        "x: &a {" + ", ".join(f"k{n}: v" for n in range(2_000)) + "}\n"
        "image: a\nmanifests: []\nannotations: {<<: [" + "*a, " * 90_000 + "]}",
        _merging(8_000, each="*m{0}"),
        _merging(8_000, each="[*m{0}, *m{0}, *m{0}]"),
    ],
)
def test_what_merge_keys_multiply_is_bounded(text: str) -> None:
    began = time.process_time()
    assert isinstance(_refused(text), SpecError)
    assert time.process_time() - began < 60  # without the bound, hours


_WORDS = st.sampled_from(
    ["image", "manifests", "platform", "tags", "annotations", "os", "<<", "&a", "*a", "!!int", "|"]
)
_SIGNS = st.text("{}[]:,-?!%@`'\"#&*|>~ \n\t\\Uudx0\x00\x85\ufeff\ud800", max_size=8)


@given(st.lists(st.one_of(_WORDS, _SIGNS), max_size=40).map("".join))
@example('"\\U99999999"')
def test_whatever_text_comes_it_is_a_spec_or_a_spec_error(text: str) -> None:
    with contextlib.suppress(SpecError):
        assert _parse(text).manifests


@given(st.binary(max_size=200).map(lambda content: content.decode("latin-1")))
def test_whatever_bytes_come_they_are_a_spec_or_a_spec_error(text: str) -> None:
    with contextlib.suppress(SpecError):
        assert _parse(text).manifests
