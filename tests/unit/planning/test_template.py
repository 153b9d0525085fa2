"""Templates: one reference for each platform."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_merge.errors import InvalidReferenceError, TemplateError
from oci_merge.model.platform import Platform, parse_platform
from oci_merge.model.reference import parse_reference
from oci_merge.planning.template import candidates, check_template, expand

_AMD64 = Platform("linux", "amd64")
_LOWER = st.from_regex(r"[a-z][a-z0-9]{0,6}", fullmatch=True)
_PLATFORMS = st.builds(Platform, _LOWER, _LOWER, _LOWER)
#: Pieces of a tag; in one, placeholders and capitals may stand side by side.
_PIECES = st.sampled_from(["ARCH", "OS", "VARIANT", "A", "V", "1.0", "-", "_", "x", "AR", "CH"])
_TAGS = st.lists(_PIECES, min_size=1, max_size=8).map(lambda pieces: f"1{''.join(pieces)}")


@pytest.mark.parametrize(
    ("template", "platform", "expected"),
    [
        ("reg.example/app-ARCH:1.0", "linux/amd64", "reg.example/app-amd64:1.0"),
        ("reg.example/app:1.0-ARCH", "linux/amd64", "reg.example/app:1.0-amd64"),
        ("reg.example/app:ARCH", "linux/amd64", "reg.example/app:amd64"),
        ("reg.example/OS/ARCH/app:1", "linux/amd64", "reg.example/linux/amd64/app:1"),
        ("reg.example/app-ARCHVARIANT:1", "linux/arm/v7", "reg.example/app-armv7:1"),
        ("reg.example/app-ARCHVARIANT:1", "linux/amd64", "reg.example/app-amd64:1"),
        ("reg.example/app-ARCH-VARIANT:1", "linux/arm/v7", "reg.example/app-arm-v7:1"),
        ("reg.example/ARCH/app:1-ARCH", "linux/amd64", "reg.example/amd64/app:1-amd64"),
        ("localhost:5000/app-ARCH:1", "linux/amd64", "localhost:5000/app-amd64:1"),
        ("localhost/app-ARCH", "linux/amd64", "localhost/app-amd64"),
        ("team/app-ARCH:1", "linux/amd64", "docker.io/team/app-amd64:1"),
        ("app:1-ARCH", "linux/amd64", "docker.io/library/app:1-amd64"),
        ("ARCH/app:1", "linux/amd64", "docker.io/amd64/app:1"),
        ("[::1]:5000/app-ARCH:1", "linux/amd64", "[::1]:5000/app-amd64:1"),
        ("reg.example/app:1.0-OS_ARCH-rc", "linux/amd64", "reg.example/app:1.0-linux_amd64-rc"),
    ],
)
def test_every_placeholder_is_replaced(template: str, platform: str, expected: str) -> None:
    assert str(expand(template, parse_platform(platform), {})) == expected


def test_placeholders_in_the_registry_are_not_replaced() -> None:
    reference = expand("OS.ARCH.example:5000/app-ARCH:1", _AMD64, {})
    assert str(reference) == "os.arch.example:5000/app-amd64:1"


def test_an_inserted_value_is_not_replaced_again() -> None:
    platform = Platform("OS", "VARIANT", "ARCH")
    assert expand("reg.example/app:OS-ARCH-VARIANT", platform, {}).tag == "OS-VARIANT-ARCH"


def test_an_architecture_may_have_another_name_in_the_template() -> None:
    aliases = {"amd64": "x86_64", "arm64": "OS"}
    assert expand("reg.example/app:ARCH", _AMD64, aliases).tag == "x86_64"
    assert expand("reg.example/app:ARCH", Platform("linux", "arm64"), aliases).tag == "OS"
    assert expand("reg.example/app:ARCH", Platform("linux", "arm"), aliases).tag == "arm"


@given(_TAGS, _PLATFORMS)
def test_a_template_is_expanded_in_one_pass_from_left_to_right(
    tag: str, platform: Platform
) -> None:
    parts = re.split("(ARCH|OS|VARIANT)", tag)
    values = {"ARCH": platform.architecture, "OS": platform.os, "VARIANT": platform.variant}
    expected = "".join(values.get(part, part) for part in parts)
    if len(parts) == 1:
        with pytest.raises(TemplateError):
            expand(f"reg.example/app:{tag}", platform, {})
    else:
        assert expand(f"reg.example/app:{tag}", platform, {}).tag == expected


@given(st.one_of(st.text(), st.text("ARCHOSVINT/:@.ab1-_")), _PLATFORMS)
def test_arbitrary_text_gives_a_reference_or_a_template_error(
    text: str, platform: Platform
) -> None:
    try:
        reference = expand(text, platform, {})
    except TemplateError:
        return
    assert parse_reference(str(reference)) == reference


@pytest.mark.parametrize(
    "template",
    [
        "",
        "reg.example/app:1.0",
        "ARCH.example/app:1",
        "reg.example/app-arch:1",
        "localhost/os:1",
        "reg.example/app-AR-CH:1",
    ],
)
def test_a_template_without_a_placeholder_is_refused(template: str) -> None:
    for use in (
        lambda: check_template(template),
        lambda: expand(template, _AMD64, {}),
        lambda: candidates(template, {}),
    ):
        with pytest.raises(TemplateError, match="none of the placeholders ARCH, OS and VARIANT"):
            use()


@pytest.mark.parametrize(
    "template",
    [
        "reg.example/app-ARCH-VARIANT:1",
        "reg.example/app-VARIANT:ARCH",
        "reg.example/app:1.0-ARCH_VARIANT",
        "reg.example/ARCH:VARIANT",
        "reg.example/ARCH/VARIANT:1",
        "VARIANT/ARCH:1",
    ],
)
def test_an_empty_variant_must_not_leave_a_separator_behind(template: str) -> None:
    with pytest.raises(TemplateError, match="leaves a separator behind") as caught:
        expand(template, _AMD64, {})
    assert "ARCHVARIANT" in caught.value.hint
    expand(template, Platform("linux", "arm", "v7"), {})


def test_an_invalid_result_names_template_result_and_platform() -> None:
    with pytest.raises(TemplateError) as caught:
        expand("reg.example/app-FOO-ARCH:1", _AMD64, {})
    for part in ("app-FOO-ARCH:1", "app-FOO-amd64:1", "linux/amd64"):
        assert part in caught.value.message
    assert "lower case" in caught.value.hint
    assert isinstance(caught.value.__cause__, InvalidReferenceError)


def _names(template: str, aliases: Mapping[str, str] | None = None) -> dict[str, list[str]]:
    return {
        str(candidate.reference): [str(platform) for platform in candidate.platforms]
        for candidate in candidates(template, aliases or {})
    }


def test_the_known_platforms_are_looked_for_each_under_its_own_name() -> None:
    assert _names("reg.example/app:ARCHVARIANT") == {
        "reg.example/app:amd64": ["linux/amd64"],
        "reg.example/app:arm64": ["linux/arm64"],
        "reg.example/app:armv7": ["linux/arm/v7"],
        "reg.example/app:armv6": ["linux/arm/v6"],
        "reg.example/app:armv5": ["linux/arm/v5"],
        "reg.example/app:386": ["linux/386"],
        "reg.example/app:ppc64le": ["linux/ppc64le"],
        "reg.example/app:s390x": ["linux/s390x"],
        "reg.example/app:riscv64": ["linux/riscv64"],
        "reg.example/app:loong64": ["linux/loong64"],
        "reg.example/app:mips64le": ["linux/mips64le"],
    }


def test_a_reference_that_several_platforms_give_is_looked_for_once() -> None:
    names = _names("reg.example/app:ARCH")
    assert names["reg.example/app:arm"] == ["linux/arm/v7", "linux/arm/v6", "linux/arm/v5"]
    assert len(names) == 9


def test_windows_is_looked_for_only_where_the_template_says_os() -> None:
    assert not [name for name in _names("reg.example/os:ARCH") if "windows" in name]
    with_os = _names("reg.example/app:OS-ARCH")
    assert with_os["reg.example/app:windows-amd64"] == ["windows/amd64"]
    assert with_os["reg.example/app:windows-arm64"] == ["windows/arm64"]


def test_candidates_have_the_aliases_names() -> None:
    assert "reg.example/app:x86_64" in _names("reg.example/app:ARCH", {"amd64": "x86_64"})


def test_a_template_that_needs_a_variant_cannot_be_looked_for() -> None:
    with pytest.raises(TemplateError, match="linux/amd64 has no variant"):
        candidates("reg.example/app-ARCH-VARIANT:1", {})


@pytest.mark.parametrize(
    "template", ["app-VARIANTARCH:1", "app:VARIANTARCH", "app-VARIANTARCH-OS:1"]
)
def test_an_empty_variant_is_fine_if_it_leaves_no_separator_behind(template: str) -> None:
    assert "amd64" in str(expand(template, Platform("linux", "amd64"), {}))


@pytest.mark.parametrize("template", ["app-VARIANT-ARCH:1", "app-ARCH:VARIANT", "ARCH-VARIANT:1"])
def test_the_hint_for_a_separator_left_behind_names_archvariant(template: str) -> None:
    with pytest.raises(TemplateError) as caught:
        expand(template, Platform("linux", "amd64"), {})
    assert "ARCHVARIANT" in caught.value.hint
