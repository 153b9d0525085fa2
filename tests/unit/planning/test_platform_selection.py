"""Which images of a source are selected, and under which platform they are published."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fixtures.images import BuiltImage, build_attestation, build_image
from oci_merge.errors import ManifestError, PlatformMismatchError, PlatformNotFoundError
from oci_merge.model.platform import Platform, normalize, parse_platform
from oci_merge.model.reference import parse_reference
from oci_merge.options import PlatformCheck
from oci_merge.planning.job import Source
from oci_merge.planning.platform_decision import decide_platform
from oci_merge.planning.platform_selection import select
from tests.unit.planning.components import attestation, component, images, listed, source

_AMD64, _ARM64, _ARMV7, _ARMV6 = images(
    "linux/amd64", "linux/arm64", "linux/arm/v7", "linux/arm/v6"
)


def _select(requested: str, *entries: tuple[BuiltImage, str]) -> list[str]:
    """Return the digests of what is chosen from an index of ``entries``."""
    where = source("app:1", requested)
    chosen = select(where, [listed(image, where, platform) for image, platform in entries])
    return [part.manifest.digest for part in chosen]


_FULL = (
    (_ARMV6, "linux/arm/v6"),
    (_AMD64, "linux/amd64"),
    (_ARMV7, "linux/arm/v7"),
    (_ARM64, "linux/arm64/v8"),
)


@pytest.mark.parametrize(
    ("requested", "image"),
    [
        ("linux/amd64", _AMD64),
        ("linux/x86_64", _AMD64),
        ("linux/arm64", _ARM64),
        ("linux/arm64/v8", _ARM64),
        ("linux/aarch64", _ARM64),
        ("linux/arm/v6", _ARMV6),
        ("linux/arm/v7", _ARMV7),
        ("linux/arm", _ARMV7),
        ("linux/armhf", _ARMV7),
        ("linux/armel", _ARMV6),
    ],
)
def test_of_several_images_the_one_asked_for_is_chosen(requested: str, image: BuiltImage) -> None:
    assert _select(requested, *_FULL) == [image.digest]


def test_everything_is_chosen_where_no_platform_was_asked_for() -> None:
    assert _select("", *_FULL) == [image.digest for image, _ in _FULL]


def test_a_variant_that_is_the_usual_one_is_preferred_to_others_that_fit() -> None:
    plain, third = build_image(text="v1"), build_image(text="v3")
    entries = ((third, "linux/amd64/v3"), (plain, "linux/amd64"), (_ARM64, "linux/arm64"))
    assert _select("linux/amd64", *entries) == [plain.digest]
    assert _select("linux/amd64/v3", *entries) == [third.digest]


def test_the_usual_variant_is_known_by_all_its_names() -> None:
    eighth, ninth = build_image(text="v8"), build_image(text="v9")
    for name in ("linux/arm64", "linux/arm64/v8", "linux/aarch64/8"):
        entries = ((ninth, "linux/arm64/v9"), (eighth, name))
        assert _select("linux/arm64", *entries) == [eighth.digest]


def test_where_only_others_fit_all_of_them_are_chosen() -> None:
    second, third = build_image(text="v2"), build_image(text="v3")
    entries = ((third, "linux/amd64/v3"), (_ARM64, "linux/arm64"), (second, "linux/amd64/v2"))
    assert _select("linux/amd64", *entries) == [third.digest, second.digest]


def test_every_version_of_windows_is_chosen() -> None:
    where = source("app:1", "windows/amd64")
    builds = [build_image("windows", os_version=version) for version in ("10.0.1", "10.0.2")]
    parts = [
        component(image, where, declared=Platform("windows", "amd64", os_version=f"10.0.{n}"))
        for n, image in enumerate(builds, 1)
    ]
    assert list(select(where, [*parts, listed(_AMD64, where, "linux/amd64")])) == parts


def test_an_index_without_the_platform_is_refused_and_says_what_it_has() -> None:
    with pytest.raises(PlatformNotFoundError) as caught:
        _select("linux/s390x", *_FULL)
    assert caught.value.message == (
        "reg.example/app:1 is an index without linux/s390x; it has "
        "linux/arm/v6, linux/amd64, linux/arm/v7 and linux/arm64/v8"
    )


def test_what_an_index_says_is_escaped_in_the_message() -> None:
    where = source("app:1", "linux/s390x")
    odd = component(_AMD64, where, declared=Platform("\x1b[31m", "amd64"))
    with pytest.raises(PlatformNotFoundError) as caught:
        select(where, [odd, listed(_ARM64, where, "linux/arm64")])
    assert "\x1b" not in caught.value.message


def test_an_index_of_one_image_is_compared_later_like_an_image() -> None:
    assert _select("linux/s390x", (_AMD64, "linux/amd64")) == [_AMD64.digest]


def test_an_index_of_one_image_and_its_attestation_counts_as_one_image() -> None:
    where = source("app:1", "linux/s390x")
    parts = [listed(_AMD64, where, "linux/amd64"), attestation(_AMD64, where)]
    assert list(select(where, parts)) == parts


@pytest.mark.parametrize("requested", ["", "linux/arm64"])
def test_attestations_follow_their_images_and_go_with_them(requested: str) -> None:
    where = source("app:1", requested)
    parts = [
        attestation(_AMD64, where),
        listed(_AMD64, where, "linux/amd64"),
        listed(_ARM64, where, "linux/arm64"),
        attestation(_ARM64, where),
    ]
    expected = [
        _AMD64.digest,
        _ARM64.digest,
        build_attestation(_AMD64).digest,
        build_attestation(_ARM64).digest,
    ]
    if requested:
        expected = [_ARM64.digest, build_attestation(_ARM64).digest]
    assert [part.manifest.digest for part in select(where, parts)] == expected


def test_an_attestation_of_an_image_that_is_not_listed_stays_in_the_whole_index_alone() -> None:
    where, picked = source("app:1"), source("app:1", "linux/amd64")
    parts = [listed(_AMD64, where, "linux/amd64"), attestation(_ARM64, where)]
    assert list(select(where, parts)) == parts
    parts.append(listed(_ARMV7, where, "linux/arm/v7"))
    assert list(select(picked, parts)) == parts[:1]


def test_a_companion_follows_its_image_into_the_index_of_another_source() -> None:
    where = source("app:1", "linux/amd64")
    proof = attestation(_ARM64, where)
    parts = [listed(_AMD64, where, "linux/amd64"), listed(_ARMV7, where, "linux/arm/v7"), proof]
    assert proof not in select(where, parts)
    assert select(where, parts, published={_ARM64.digest}) == (parts[0], proof)


@pytest.mark.parametrize("requested", ["", "linux/amd64"])
@pytest.mark.parametrize("attested", [0, 1, 2])
def test_an_index_of_attestations_alone_is_refused(requested: str, attested: int) -> None:
    where = source("app:1", requested)
    parts = [attestation(image, where) for image in (_AMD64, _ARM64)[:attested]]
    with pytest.raises(ManifestError, match="lists no image"):
        select(where, parts)


def test_an_image_by_itself_is_chosen() -> None:
    part = component(_AMD64, source("app:1", "linux/s390x"))
    assert select(part.source, [part]) == (part,)


def test_a_variant_without_os_and_architecture_selects_everything() -> None:
    where = Source(parse_reference("reg.example/app:1"), Platform("", "", "v7"))
    parts = [listed(_AMD64, where, "linux/amd64"), listed(_ARM64, where, "linux/arm64")]
    assert list(select(where, parts)) == parts


def _decide(
    requested: str, declared: Platform | str, check: PlatformCheck = "warn"
) -> tuple[str, str]:
    part = component(_AMD64, source("app:1", requested))
    parsed = parse_platform(declared) if isinstance(declared, str) else declared
    published, warning = decide_platform(part, parsed, check)
    return str(published), warning


@pytest.mark.parametrize(
    ("declared", "published"),
    [
        ("linux/amd64", "linux/amd64"),
        ("linux/amd64/v1", "linux/amd64"),
        ("Linux/X86_64", "linux/amd64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/arm/v6", "linux/arm/v6"),
        ("linux/armel", "linux/arm/v6"),
        ("linux/armhf", "linux/arm/v7"),
        ("macos/arm64", "darwin/arm64"),
    ],
)
def test_an_image_is_published_as_it_says_in_the_normal_form(declared: str, published: str) -> None:
    assert _decide("", declared) == (published, "")


def test_an_image_for_unknown_platforms_is_an_error_unless_a_platform_is_asked_for() -> None:
    with pytest.raises(ManifestError, match="unknown/unknown, as an attestation does"):
        _decide("", "unknown/unknown")
    published, _ = _decide("linux/amd64", "unknown/unknown")
    assert published == "linux/amd64"


@pytest.mark.parametrize("requested", ["", "linux/arm"])
@pytest.mark.parametrize("declared", ["linux/arm", "linux/ARM"])
def test_an_arm_image_that_says_no_variant_is_published_as_v7_with_a_warning(
    requested: str, declared: str
) -> None:
    published, warning = _decide(requested, declared)
    assert published == "linux/arm/v7"
    assert "reg.example/app:1 is for linux/arm and does not say which variant" in warning
    assert "v7" in warning


@pytest.mark.parametrize("requested", ["linux/arm/v7", "linux/armhf"])
def test_there_is_no_warning_if_the_variant_was_requested(requested: str) -> None:
    assert _decide(requested, "linux/arm") == ("linux/arm/v7", "")


def test_a_warning_is_safe_to_print() -> None:
    for requested in ("", "linux/amd64"):
        _, warning = _decide(requested, Platform("\x1b[31m\n", "arm"))
        assert warning
        assert "\x1b" not in warning
        assert "\n" not in warning


@pytest.mark.parametrize(
    "declared", [Platform("", ""), Platform("linux", ""), Platform("", "amd64")]
)
def test_an_image_without_a_platform_is_published_as_requested_or_refused(
    declared: Platform,
) -> None:
    checks: list[PlatformCheck] = ["warn", "error", "off"]
    for check in checks:
        assert _decide("linux/arm64", declared, check) == ("linux/arm64", "")
        with pytest.raises(ManifestError, match="does not say which os and architecture") as caught:
            _decide("", declared, check)
        assert "give its platform with --template" in caught.value.hint


@pytest.mark.parametrize(
    ("requested", "declared", "published"),
    [
        ("linux/arm64", "linux/arm64/v8", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64", "linux/arm64"),
        ("linux/arm64", "linux/arm64/v9", "linux/arm64/v9"),
        ("linux/arm", "linux/arm/v7", "linux/arm/v7"),
        ("linux/arm/v7", "linux/arm/v7", "linux/arm/v7"),
        ("linux/arm", "linux/arm/v6", "linux/arm/v6"),
        ("linux/amd64", "linux/amd64/v3", "linux/amd64/v3"),
        ("linux/x86_64", "linux/amd64", "linux/amd64"),
    ],
)
@pytest.mark.parametrize("check", ["warn", "error", "off"])
def test_names_of_one_platform_are_no_contradiction_and_gaps_are_filled_from_the_config(
    requested: str, declared: str, published: str, check: PlatformCheck
) -> None:
    assert _decide(requested, declared, check) == (published, "")


def test_version_and_features_are_filled_from_the_config() -> None:
    declared = Platform("windows", "amd64", "", "10.0.20348.2227", ("win32k",))
    part = component(_AMD64, source("app:1", "windows/amd64"))
    assert decide_platform(part, declared, "error") == (declared, "")


_DIFFERENCES = [
    ("linux/s390x", "linux/amd64", "linux/s390x"),
    ("windows/amd64", "linux/amd64", "windows/amd64"),
    ("linux/arm/v7", "linux/arm/v6", "linux/arm/v7"),
    ("linux/arm/v6", "linux/arm", "linux/arm/v6"),
    ("linux/arm64/v9", "linux/arm64", "linux/arm64/v9"),
]


@pytest.mark.parametrize(("requested", "declared", "published"), _DIFFERENCES)
def test_a_contradiction_is_published_as_asked_with_a_warning(
    requested: str, declared: str, published: str
) -> None:
    assert _decide(requested, declared, "warn") == (
        published,
        f"reg.example/app:1 says that it is {declared}; it is published as {requested}, as asked",
    )


@pytest.mark.parametrize(("requested", "declared", "published"), _DIFFERENCES)
def test_a_contradiction_is_not_reported_if_the_check_is_off(
    requested: str, declared: str, published: str
) -> None:
    assert _decide(requested, declared, "off") == (published, "")


@pytest.mark.parametrize(("requested", "declared", "published"), _DIFFERENCES)
def test_a_contradiction_is_an_error_if_the_check_says_so(
    requested: str, declared: str, published: str
) -> None:
    with pytest.raises(PlatformMismatchError) as caught:
        _decide(requested, declared, "error")
    for part in ("reg.example/app:1", requested, declared):
        assert part in caught.value.message
    assert "--platform-check=warn" in caught.value.hint


@pytest.mark.parametrize(
    ("declared", "warned"),
    [
        (Platform("linux", "amd46"), "did you mean amd64?"),
        (Platform("linux\x1b", "amd64"), r"linux\x1b/amd64 is not a platform that is known"),
        (Platform("linux", "armv9000x"), "linux/armv9000x is not a platform that is known"),
    ],
)
def test_a_name_that_only_the_image_uses_is_warned_of(declared: Platform, warned: str) -> None:
    published, warning = _decide("", declared)
    assert published == str(declared)
    assert warning.startswith("reg.example/app:1: ")
    assert warned in warning


def _decide_as_written(requested: Platform | None, declared: Platform) -> tuple[Platform, str]:
    where = Source(parse_reference("reg.example/app:1"), requested)
    return decide_platform(component(_AMD64, where), declared, "warn", as_written=True)


@pytest.mark.parametrize(
    ("requested", "declared", "published"),
    [
        (None, Platform("linux", "arm64", "v8"), Platform("linux", "arm64", "v8")),
        (None, Platform("linux", "arm"), Platform("linux", "arm")),
        (None, Platform("linux", "amd64", "v3"), Platform("linux", "amd64", "v3")),
        (None, Platform("linux", "arm64", "v8.1"), Platform("linux", "arm64", "v8.1")),
        (
            Platform("linux", "arm64"),
            Platform("linux", "arm64", "v8"),
            Platform("linux", "arm64", "v8"),
        ),
        (
            Platform("", "", "v7", "10.0.1"),
            Platform("linux", "arm"),
            Platform("linux", "arm", "v7", "10.0.1"),
        ),
        (Platform("linux", "arm"), Platform("", ""), Platform("linux", "arm")),
    ],
)
def test_where_platforms_are_published_as_written_what_clients_find_stays_without_a_warning(
    requested: Platform | None, declared: Platform, published: Platform
) -> None:
    assert _decide_as_written(requested, declared) == (published, "")


def test_a_contradiction_is_warned_of_however_platforms_are_written() -> None:
    published, warning = _decide_as_written(Platform("linux", "s390x"), Platform("linux", "amd64"))
    assert published == Platform("linux", "s390x")
    assert "it is published as linux/s390x, as asked" in warning


def test_a_variant_alone_does_not_say_what_an_image_is_for() -> None:
    with pytest.raises(ManifestError, match="does not say which os and architecture"):
        _decide_as_written(Platform("", "", "v7"), Platform("", ""))


def test_a_name_that_was_asked_for_is_not_warned_of_here() -> None:
    assert _decide("linux/amd46", "linux/amd46") == ("linux/amd46", "")


def test_what_an_image_says_is_escaped_in_every_message() -> None:
    odd = Platform("\x1b[31m", "amd64")
    _, warning = _decide("linux/amd64", odd)
    with pytest.raises(PlatformMismatchError) as caught:
        _decide("linux/amd64", odd, "error")
    for text in (warning, caught.value.message):
        assert r"\x1b[31m/amd64" in text
        assert "\x1b" not in text


def test_an_entry_of_an_index_is_named_with_its_digest() -> None:
    where = source("app:1", "linux/s390x")
    part = listed(_AMD64, where, "linux/amd64")
    _, warning = decide_platform(part, Platform("linux", "amd64"), "warn")
    assert warning.startswith(f"reg.example/app:1 ({_AMD64.digest}) says")


_IMPOSSIBLE = [
    ("", Platform("linux", "amd64", "v8"), "linux/amd64", "the config of {} says variant 'v8'"),
    ("", Platform("linux", "arm64", "armv8"), "linux/arm64", "says variant 'armv8'"),
    ("", Platform("linux", "386", "v7"), "linux/386", "which no 386 has"),
    ("", Platform("linux", "s390x", "v8"), "linux/s390x", "which no s390x has"),
    ("", Platform("linux", "arm/v7"), "linux/arm/v7", "says architecture 'arm/v7'"),
    ("", Platform("", "linux/amd64"), "linux/amd64", "says architecture 'linux/amd64'"),
    ("linux/amd64", Platform("linux", "amd64", "v8"), "linux/amd64", "says variant 'v8'"),
    ("linux/arm64/v8", Platform("linux", "arm64", "armv8"), "linux/arm64", "'armv8'"),
    ("linux/arm/v7", Platform("linux", "arm/v7"), "linux/arm/v7", "architecture 'arm/v7'"),
    ("linux/amd64/v8", Platform("", ""), "linux/amd64", "{} was asked for with variant 'v8'"),
]


@pytest.mark.parametrize("as_written", [False, True])
@pytest.mark.parametrize("check", ["warn", "off"])
@pytest.mark.parametrize(("requested", "declared", "published", "words"), _IMPOSSIBLE)
def test_a_part_that_no_platform_has_is_put_right_with_a_warning(
    requested: str,
    declared: Platform,
    published: str,
    words: str,
    check: PlatformCheck,
    as_written: bool,
) -> None:
    part = component(_AMD64, source("app:1", requested))
    platform, warning = decide_platform(part, declared, check, as_written=as_written)
    assert normalize(platform) == parse_platform(published)
    assert words.format("reg.example/app:1") in warning
    assert "reg.example/app:1" in warning
    assert warning.endswith(f"; it is published as {platform}")


@pytest.mark.parametrize(("requested", "declared", "published", "words"), _IMPOSSIBLE)
def test_a_part_that_no_platform_has_is_refused_where_the_check_says_so(
    requested: str, declared: Platform, published: str, words: str
) -> None:
    with pytest.raises(PlatformMismatchError) as caught:
        _decide(requested, declared, "error")
    assert words.format("reg.example/app:1") in caught.value.message


def test_what_is_asked_for_is_published_where_the_image_says_an_impossible_other() -> None:
    assert _decide("linux/arm64", Platform("linux", "amd64", "v8")) == (
        "linux/arm64",
        "reg.example/app:1 says that it is linux/amd64/v8; "
        "it is published as linux/arm64, as asked",
    )
    published, warning = _decide("linux/amd64/v8", Platform("linux", "arm64"))
    assert published == "linux/amd64"
    assert warning.endswith("it is published as linux/amd64 (asked for as linux/amd64/v8)")


@pytest.mark.parametrize(
    ("requested", "declared", "published", "read"),
    [
        (None, Platform("linux", "x86_64"), "linux/amd64", "linux/x86_64"),
        (None, Platform("linux", "aarch64"), "linux/arm64", "linux/aarch64"),
        (None, Platform("linux", "i386"), "linux/386", "linux/i386"),
        (None, Platform("Linux", "AMD64"), "linux/amd64", "Linux/AMD64"),
        (None, Platform("linux", "amd64", "v1"), "linux/amd64", "linux/amd64/v1"),
        (None, Platform("linux", "arm", "7"), "linux/arm/v7", "linux/arm/7"),
        (None, Platform("linux", "armv7hf"), "linux/arm/v7", "linux/armv7hf"),
        (Platform("linux", "x86_64"), Platform("linux", "amd64"), "linux/amd64", "linux/x86_64"),
        (Platform("linux", "arm", "6"), Platform("", ""), "linux/arm/v6", "linux/arm/6"),
    ],
)
def test_in_the_push_form_another_spelling_is_published_in_normal_form_with_a_warning(
    requested: Platform | None, declared: Platform, published: str, read: str
) -> None:
    platform, warning = _decide_as_written(requested, declared)
    assert str(platform) == published
    assert warning == (
        f"reg.example/app:1 is published as {published}, since as {read} no client finds it"
    )


@pytest.mark.parametrize(
    ("named", "declared", "published", "warned"),
    [
        (Platform("", "arm64"), "linux/amd64", "linux/arm64", True),
        (Platform("linux", "arm64"), "linux/amd64", "linux/arm64", True),
        (Platform("", "arm"), "linux/arm/v6", "linux/arm/v6", False),
        (Platform("", "amd64"), "windows/amd64", "windows/amd64", False),
        (Platform("", "arm", "v7"), "linux/arm64", "linux/arm/v7", True),
    ],
)
def test_an_image_that_was_found_by_its_name_is_published_as_that(
    named: Platform, declared: str, published: str, warned: bool
) -> None:
    part = component(_AMD64, source("app:1"))
    platform, warning = decide_platform(part, parse_platform(declared), "warn", found_as=named)
    assert str(platform) == published
    assert warning == (
        f"reg.example/app:1 says that it is {declared}; "
        f"it is published as {published}, as it is named"
        if warned
        else ""
    )
    if warned:
        with pytest.raises(PlatformMismatchError):
            decide_platform(part, parse_platform(declared), "error", found_as=named)


def test_several_platforms_select_from_an_index() -> None:
    where = replace(source("app:1"), among=(Platform("linux", "arm"), Platform("linux", "s390x")))
    parts = [
        listed(_AMD64, where, text)
        for text in ("linux/amd64", "linux/s390x", "linux/arm/v6", "linux/arm/v7")
    ]
    assert select(where, parts) == (parts[1], parts[3])
    nothing = replace(where, among=(Platform("linux", "riscv64"),))
    assert select(nothing, parts) == ()
