"""Platforms: text form, normal form and comparison."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oci_merge.errors import InvalidPlatformError
from oci_merge.model.platform import (
    Platform,
    agrees,
    fill_gaps,
    findable,
    has_gap,
    impossible_part,
    normalize,
    parse_platform,
    possible,
    resolve_platform,
    resolve_platform_as_written,
    says_variant,
    unknown_platform,
)

_WORDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,8}", fullmatch=True)
_OSES = st.one_of(st.sampled_from(["linux", "Linux", "windows", "macos", "darwin"]), _WORDS)
_ARCHITECTURES = st.one_of(
    st.sampled_from(
        ["amd64", "x86_64", "x86-64", "AMD64", "arm64", "aarch64", "arm", "armhf", "armel", "i386"]
    ),
    _WORDS,
)
_VARIANTS = st.one_of(
    st.sampled_from(["", "v1", "v2", "5", "v5", "6", "7", "v7", "8", "v8", "v8.0", "9", "V9.0"]),
    _WORDS,
)
_PLATFORMS = st.builds(
    Platform,
    _OSES,
    _ARCHITECTURES,
    _VARIANTS,
    st.sampled_from(["", "10.0.17763.1", "10.0.20348.2227"]),
    st.sampled_from([(), ("win32k",)]),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("linux/amd64", Platform("linux", "amd64")),
        ("linux/arm/v7", Platform("linux", "arm", "v7")),
        ("Linux/X86_64", Platform("Linux", "X86_64")),
        ("wasip1/wasm", Platform("wasip1", "wasm")),
        ("linux/amd64/v3", Platform("linux", "amd64", "v3")),
    ],
)
def test_a_platform_is_kept_as_it_is_written(text: str, expected: Platform) -> None:
    assert parse_platform(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "linux",
        "/",
        "linux/",
        "/amd64",
        "linux//v7",
        "linux/arm/v7/x",
        "linux/arm/",
        "linux /arm",
        "linux/arm v7",
        "linux/amd64,linux/arm64",
        "linux/amd64\n",
        "linux/-",
        "linux/ärm",
        "windows/amd64:10.0",
        "windows(10.0.17763)/amd64",
    ],
)
def test_text_that_is_not_a_platform_is_refused_and_the_hint_shows_the_form(text: str) -> None:
    with pytest.raises(InvalidPlatformError) as caught:
        parse_platform(text)
    assert "os/architecture/variant" in caught.value.hint


@given(st.tuples(_WORDS, _WORDS, st.one_of(st.just(""), _WORDS)))
def test_what_is_printed_reads_back_the_same(parts: tuple[str, str, str]) -> None:
    platform = Platform(*parts)
    assert parse_platform(str(platform)) == platform


@given(st.one_of(st.text(), st.text("linuxarm64v7/._-"), st.text(st.characters(codec=None))))
def test_arbitrary_text_is_a_platform_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidPlatformError):
        assert str(parse_platform(text)) == text


def test_the_version_of_windows_is_shown() -> None:
    assert (
        str(Platform("windows", "amd64", os_version="10.0.20348")) == "windows/amd64 (10.0.20348)"
    )


# The table of containerd's normalizeOS and normalizeArch, entry by entry.
@pytest.mark.parametrize(
    ("architecture", "variant", "expected"),
    [
        ("i386", "", ("386", "")),
        ("i386", "v1", ("386", "")),
        ("386", "", ("386", "")),
        ("386", "softfloat", ("386", "softfloat")),
        ("amd64", "", ("amd64", "")),
        ("amd64", "v1", ("amd64", "")),
        ("amd64", "v2", ("amd64", "v2")),
        ("amd64", "v3", ("amd64", "v3")),
        ("x86_64", "", ("amd64", "")),
        ("x86_64", "v1", ("amd64", "")),
        ("x86-64", "", ("amd64", "")),
        ("x86-64", "v3", ("amd64", "v3")),
        ("arm64", "", ("arm64", "")),
        ("arm64", "8", ("arm64", "")),
        ("arm64", "v8", ("arm64", "")),
        ("arm64", "v8.0", ("arm64", "")),
        ("arm64", "v8.1", ("arm64", "v8.1")),
        ("arm64", "9", ("arm64", "v9")),
        ("arm64", "9.0", ("arm64", "v9")),
        ("arm64", "v9.0", ("arm64", "v9")),
        ("arm64", "v9", ("arm64", "v9")),
        ("aarch64", "", ("arm64", "")),
        ("aarch64", "v8", ("arm64", "")),
        ("aarch64", "v9", ("arm64", "v9")),
        ("armhf", "", ("arm", "v7")),
        ("armhf", "v6", ("arm", "v7")),
        ("armel", "", ("arm", "v6")),
        ("armel", "v7", ("arm", "v6")),
        ("arm", "", ("arm", "v7")),
        ("arm", "7", ("arm", "v7")),
        ("arm", "v7", ("arm", "v7")),
        ("arm", "5", ("arm", "v5")),
        ("arm", "6", ("arm", "v6")),
        ("arm", "8", ("arm", "v8")),
        ("arm", "v5", ("arm", "v5")),
        ("arm", "v9", ("arm", "v9")),
        ("riscv64", "", ("riscv64", "")),
        ("ppc64le", "power9", ("ppc64le", "power9")),
        ("AMD64", "V1", ("amd64", "")),
        ("AArch64", "V8", ("arm64", "")),
        ("ARM", "V6", ("arm", "v6")),
    ],
)
def test_architecture_and_variant_have_containerds_normal_form(
    architecture: str, variant: str, expected: tuple[str, str]
) -> None:
    normal = normalize(Platform("linux", architecture, variant))
    assert (normal.architecture, normal.variant) == expected


@pytest.mark.parametrize(
    ("os", "expected"),
    [
        ("linux", "linux"),
        ("Linux", "linux"),
        ("macos", "darwin"),
        ("macOS", "darwin"),
        ("windows", "windows"),
        ("darwin", "darwin"),
    ],
)
def test_the_os_has_containerds_normal_form(os: str, expected: str) -> None:
    assert normalize(Platform(os, "amd64")).os == expected


@given(_PLATFORMS)
@example(Platform("Linux", "ARMHF", "V6"))
def test_a_normal_form_is_its_own_normal_form(platform: Platform) -> None:
    normal = normalize(platform)
    assert normalize(normal) == normal


@given(_PLATFORMS)
def test_normalizing_keeps_version_and_features(platform: Platform) -> None:
    normal = normalize(platform)
    assert normal.os_version == platform.os_version
    assert normal.os_features == platform.os_features


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("linux/arm", "linux/arm/v7"),
        ("linux/arm/v7", "linux/arm"),
        ("linux/arm64", "linux/arm64/v8"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/aarch64", "linux/arm64/v8"),
        ("linux/x86_64", "linux/amd64"),
        ("linux/armhf", "linux/arm/v7"),
        ("linux/armel", "linux/arm/v6"),
        ("linux/i386", "linux/386"),
        ("macos/arm64", "darwin/arm64/v8"),
        ("Linux/AMD64", "linux/amd64/v1"),
        ("linux/arm", "linux/arm/v6"),
        ("linux/amd64", "linux/amd64/v3"),
    ],
)
def test_names_of_one_platform_agree_and_an_open_variant_fits_any(asked: str, found: str) -> None:
    assert agrees(parse_platform(asked), parse_platform(found))


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("linux/amd64", "linux/arm64"),
        ("linux/amd64", "windows/amd64"),
        ("linux/arm/v7", "linux/arm/v6"),
        ("linux/arm/v6", "linux/arm"),
        ("linux/armhf", "linux/arm/v6"),
        ("linux/armel", "linux/arm/v7"),
        ("linux/arm64/v9", "linux/arm64"),
        ("linux/amd64/v3", "linux/amd64"),
    ],
)
def test_another_os_architecture_or_named_variant_does_not_agree(asked: str, found: str) -> None:
    assert not agrees(parse_platform(asked), parse_platform(found))


@given(_PLATFORMS)
def test_every_platform_agrees_with_itself_and_with_its_normal_form(platform: Platform) -> None:
    assert agrees(platform, platform)
    assert agrees(platform, normalize(platform))
    assert agrees(normalize(platform), platform)


def test_the_version_of_windows_is_not_compared() -> None:
    assert agrees(
        Platform("windows", "amd64", os_version="10.0.1"),
        Platform("windows", "amd64", os_version="10.0.2"),
    )


@pytest.mark.parametrize(
    ("asked", "found", "published"),
    [
        (Platform("linux", "arm64"), Platform("linux", "arm64", "v8"), "linux/arm64"),
        (Platform("linux", "arm64"), Platform("linux", "arm64", "v9"), "linux/arm64/v9"),
        (Platform("linux", "arm"), Platform("linux", "arm", "v6"), "linux/arm/v6"),
        (Platform("linux", "arm"), Platform("linux", "arm"), "linux/arm/v7"),
        (Platform("linux", "arm", "v6"), Platform("linux", "arm"), "linux/arm/v6"),
        (Platform("linux", "armhf"), Platform("linux", "arm", "v6"), "linux/arm/v7"),
        (Platform("linux", "amd64"), Platform("linux", "amd64", "v3"), "linux/amd64/v3"),
        (Platform("linux", "s390x"), Platform("linux", "amd64", "v3"), "linux/s390x"),
        (Platform("linux", "arm"), Platform("", ""), "linux/arm/v7"),
        (Platform("Linux", "x86_64"), Platform("", ""), "linux/amd64"),
    ],
)
def test_the_requested_platform_is_kept_and_its_gaps_are_filled(
    asked: Platform, found: Platform, published: str
) -> None:
    assert str(resolve_platform(asked, found)) == published


def test_version_and_features_of_windows_come_from_the_image() -> None:
    found = Platform("windows", "amd64", "", "10.0.20348.2227", ("win32k",))
    assert resolve_platform(Platform("windows", "amd64"), found) == found


def test_requested_version_and_features_are_kept() -> None:
    asked = Platform("windows", "amd64", "", "10.0.1", ("x",))
    found = Platform("windows", "amd64", "", "10.0.2", ("win32k",))
    assert resolve_platform(asked, found) == resolve_platform_as_written(asked, found) == asked


def test_nothing_is_filled_from_an_image_of_another_os() -> None:
    found = Platform("windows", "amd64", "v3", "10.0.20348.2227", ("win32k",))
    assert resolve_platform(Platform("linux", "amd64"), found) == Platform("linux", "amd64")


@given(_PLATFORMS, _PLATFORMS)
def test_the_published_platform_is_normal_and_agrees_with_the_requested_one(
    asked: Platform, found: Platform
) -> None:
    published = resolve_platform(asked, found)
    assert published == normalize(published)
    assert agrees(asked, published)


@pytest.mark.parametrize("text", ["linux/arm/v7", "linux/armhf", "linux/ARMEL", "linux/arm64/v8"])
def test_a_variant_is_named_by_itself_or_by_an_architecture(text: str) -> None:
    assert says_variant(parse_platform(text))


@pytest.mark.parametrize("text", ["linux/arm", "linux/arm64", "linux/x86_64"])
def test_a_variant_that_normalizing_adds_does_not_count_as_named(text: str) -> None:
    assert not says_variant(parse_platform(text))


@pytest.mark.parametrize("platform", [Platform("", ""), Platform("linux", ""), Platform("", "arm")])
def test_a_platform_is_known_by_both_its_halves(platform: Platform) -> None:
    assert not platform.is_known
    assert Platform("linux", "arm").is_known


@pytest.mark.parametrize(
    ("asked", "found", "published"),
    [
        (
            Platform("", ""),
            Platform("Linux", "aarch64", "v8", "1", ("x",)),
            Platform("Linux", "aarch64", "v8", "1", ("x",)),
        ),
        (
            Platform("linux", "arm64"),
            Platform("linux", "arm64", "v8"),
            Platform("linux", "arm64", "v8"),
        ),
        (
            Platform("linux", "aarch64"),
            Platform("linux", "arm64", "v8"),
            Platform("linux", "aarch64", "v8"),
        ),
        (
            Platform("linux", "arm", "6"),
            Platform("linux", "arm", "v7"),
            Platform("linux", "arm", "6"),
        ),
        (Platform("linux", "s390x"), Platform("linux", "arm", "v7"), Platform("linux", "s390x")),
        (
            Platform("windows", "amd64", "", "10.0.1"),
            Platform("windows", "amd64", "", "10.0.2", ("win32k",)),
            Platform("windows", "amd64", "", "10.0.1", ("win32k",)),
        ),
        (Platform("linux", "arm"), Platform("", ""), Platform("linux", "arm")),
    ],
)
def test_as_written_nothing_is_put_into_normal_form(
    asked: Platform, found: Platform, published: Platform
) -> None:
    assert resolve_platform_as_written(asked, found) == published


@given(_PLATFORMS, _PLATFORMS)
def test_as_written_and_in_normal_form_a_variant_is_taken_from_the_same_images(
    asked: Platform, found: Platform
) -> None:
    written = resolve_platform_as_written(asked, found)
    assert (written.os, written.architecture) == (asked.os, asked.architecture)
    if agrees(asked, found):
        assert agrees(asked, written)


# What manifest-tool takes, which is what Go calls them, and other names of the same.
_SYSTEMS = """
    aix android darwin dragonfly freebsd illumos ios js linux netbsd openbsd plan9 solaris wasip1
    windows Linux macOS
"""
_NAMED_ARCHITECTURES = """
    386 amd64 arm arm64 loong64 mips mips64 mips64le mipsle ppc64 ppc64le riscv64 s390x wasm
    x86_64 aarch64 armhf i386
"""


def test_known_names_are_not_warned_of() -> None:
    for os in _SYSTEMS.split():
        for architecture in _NAMED_ARCHITECTURES.split():
            assert unknown_platform(Platform(os, architecture, "v99")) == ""


@pytest.mark.parametrize("platform", [Platform("unknown", "unknown"), Platform("", "")])
def test_there_is_no_warning_without_a_platform(platform: Platform) -> None:
    assert unknown_platform(platform) == ""


@pytest.mark.parametrize(
    ("platform", "warning"),
    [
        (
            Platform("linux", "amd46"),
            "linux/amd46 is not a platform that is known; did you mean amd64?",
        ),
        (
            Platform("linx", "arn64"),
            "linx/arn64 is not a platform that is known; did you mean linux and arm64?",
        ),
        (Platform("linux", "zzz"), "linux/zzz is not a platform that is known"),
        (Platform("unknown", "amd64"), "unknown/amd64 is not a platform that is known"),
        (Platform("\x1b", "amd64"), r"\x1b/amd64 is not a platform that is known"),
    ],
)
def test_an_unknown_name_is_warned_of_and_a_close_one_suggested(
    platform: Platform, warning: str
) -> None:
    assert unknown_platform(platform) == warning


# Go's names and variants, with what uname, Debian, Docker's image names, goreleaser and the configs
# of builders call the same; then whether a part of it is one that no platform has.
_SPELLINGS = [
    ("linux", "amd64", "v8", "linux/amd64", "variant 'v8'"),
    ("linux", "arm64", "armv8", "linux/arm64", "variant 'armv8'"),
    ("linux", "386", "v7", "linux/386", "variant 'v7'"),
    ("linux", "i386", "v7", "linux/386", "variant 'v7'"),
    ("linux", "s390x", "v8", "linux/s390x", "variant 'v8'"),
    ("linux", "loong64", "v1", "linux/loong64", "variant 'v1'"),
    ("linux", "ppc64le", "v8", "linux/ppc64le", "variant 'v8'"),
    ("linux", "riscv64", "v1", "linux/riscv64", "variant 'v1'"),
    ("linux", "arm", "v9", "linux/arm/v7", "variant 'v9'"),
    ("linux", "arm64", "v7", "linux/arm64", "variant 'v7'"),
    ("linux", "arm", "armv7hf", "linux/arm/v7", "variant 'armv7hf'"),
    ("linux", "arm/v7", "", "linux/arm/v7", "architecture 'arm/v7'"),
    ("linux", "arm64/v8", "", "linux/arm64", "architecture 'arm64/v8'"),
    ("linux", "linux/amd64", "", "linux/amd64", "architecture 'linux/amd64'"),
    ("", "linux/arm/v6", "", "linux/arm/v6", "architecture 'linux/arm/v6'"),
    ("linux", "armv7hf", "", "linux/arm/v7", ""),
    ("linux", "armv7l", "", "linux/arm/v7", ""),
    ("linux", "armv6l", "", "linux/arm/v6", ""),
    ("linux", "armv5tel", "", "linux/arm/v5", ""),
    ("linux", "armv8l", "", "linux/arm/v8", ""),
    ("linux", "arm32v7", "", "linux/arm/v7", ""),
    ("linux", "arm64v8", "", "linux/arm64", ""),
    ("linux", "aarch64", "v8", "linux/arm64", ""),
    ("linux", "i686", "", "linux/386", ""),
    ("linux", "x86", "", "linux/386", ""),
    ("linux", "x64", "", "linux/amd64", ""),
    ("linux", "amd64_v1", "", "linux/amd64", ""),
    ("linux", "amd64v3", "", "linux/amd64/v3", ""),
    ("linux", "ppc64el", "", "linux/ppc64le", ""),
    ("linux", "mips64el", "", "linux/mips64le", ""),
    ("linux", "loongarch64", "", "linux/loong64", ""),
    ("Linux", "AMD64", "v1", "linux/amd64", ""),
    ("linux", "amd64", "v4", "linux/amd64/v4", ""),
    ("linux", "arm", "7", "linux/arm/v7", ""),
    ("linux", "arm64", "v8.2", "linux/arm64/v8.2", ""),
    ("linux", "arm64", "v9.0", "linux/arm64/v9", ""),
    ("linux", "ppc64le", "power9", "linux/ppc64le/power9", ""),
    ("linux", "riscv64", "rva22u64", "linux/riscv64/rva22u64", ""),
    ("linux", "386", "softfloat", "linux/386/softfloat", ""),
    ("linux", "mips", "hardfloat", "linux/mips/hardfloat", ""),
    ("linux", "armv8", "", "linux/armv8", ""),
    ("hurd", "lisp64", "v3", "hurd/lisp64/v3", ""),
    ("windows", "linux/amd64", "", "windows/linux/amd64", "architecture 'linux/amd64'"),
    ("unknown", "unknown", "", "unknown/unknown", ""),
]


@pytest.mark.parametrize(("os", "architecture", "variant", "expected", "wrong"), _SPELLINGS)
def test_whatever_the_spelling_the_platform_is_one_that_clients_find(
    os: str, architecture: str, variant: str, expected: str, wrong: str
) -> None:
    platform = Platform(os, architecture, variant)
    assert str(possible(platform)) == expected
    assert impossible_part(platform) == wrong


@given(_PLATFORMS)
def test_a_possible_platform_is_normal_and_has_no_impossible_part(platform: Platform) -> None:
    made = possible(platform)
    assert made == normalize(made) == possible(made)


@pytest.mark.parametrize(
    ("os", "architecture", "variant", "expected"),
    [
        ("linux", "arm64", "v8", "linux/arm64/v8"),
        ("linux", "aarch64", "v8", "linux/arm64/v8"),
        ("linux", "arm64", "8", "linux/arm64"),
        ("linux", "arm", "", "linux/arm"),
        ("linux", "arm", "7", "linux/arm/v7"),
        ("linux", "armhf", "", "linux/arm/v7"),
        ("Linux", "AMD64", "", "linux/amd64"),
        ("linux", "amd64", "v1", "linux/amd64"),
        ("linux", "amd64", "v8", "linux/amd64"),
        ("linux", "OS", "", "linux/OS"),
        ("Hurd", "amd64", "", "Hurd/amd64"),
    ],
)
def test_as_it_is_written_stays_what_clients_find_or_nobody_knows(
    os: str, architecture: str, variant: str, expected: str
) -> None:
    assert str(findable(Platform(os, architecture, variant))) == expected


_WINDOWS = Platform("windows", "amd64", os_version="10.0.20348.1", os_features=("win32k",))


@pytest.mark.parametrize(
    ("entry", "config", "filled"),
    [
        (
            Platform("linux", "arm"),
            Platform("linux", "arm", "v6"),
            Platform("linux", "arm", "v6"),
        ),
        (Platform("linux", "arm"), Platform("linux", "armel"), Platform("linux", "arm", "v6")),
        (Platform("linux", "arm"), Platform("linux", "arm64", "v8"), Platform("linux", "arm")),
        (Platform("linux", "arm"), Platform("linux", "arm"), Platform("linux", "arm")),
        (Platform("windows", "amd64"), _WINDOWS, _WINDOWS),
        (
            Platform("windows", "amd64", os_version="10.0.1"),
            _WINDOWS,
            Platform("windows", "amd64", os_version="10.0.1", os_features=("win32k",)),
        ),
        (
            Platform("windows", "amd64", os_features=("x",)),
            _WINDOWS,
            Platform("windows", "amd64", os_version="10.0.20348.1", os_features=("x",)),
        ),
        (Platform("windows", "amd64"), Platform("", ""), Platform("windows", "amd64")),
        (Platform("windows", "amd64"), Platform("linux", "amd64"), Platform("windows", "amd64")),
    ],
)
def test_gaps_of_an_entry_are_filled_and_nothing_is_replaced(
    entry: Platform, config: Platform, filled: Platform
) -> None:
    assert has_gap(entry)
    assert fill_gaps(entry, config) == filled


@pytest.mark.parametrize(
    "text", ["linux/amd64", "linux/arm64", "linux/arm/v5", "linux/armhf", "linux/s390x"]
)
def test_an_entry_without_a_gap_needs_no_config(text: str) -> None:
    assert not has_gap(parse_platform(text))
