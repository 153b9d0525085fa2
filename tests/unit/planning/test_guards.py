"""Platforms that an index must have or keep, and labels on which images must agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from oci_merge import LabelMismatchError, RequiredPlatformError
from oci_merge.model.labels import ImageLabels
from oci_merge.model.manifest import Descriptor, ImageIndex
from oci_merge.model.platform import Platform, parse_platform
from oci_merge.model.reference import parse_reference
from oci_merge.planning.component import Component
from oci_merge.planning.guards import (
    check_required,
    check_same,
    image_platforms,
    loss,
    lost_platforms,
    parsed_index,
)
from oci_merge.planning.plan import plan_index
from tests.unit.planning.components import UNKNOWN, attestation, component, images, listed

_TARGET = parse_reference("reg.example/app:1.0")
_LABEL = "org.opencontainers.image.revision"
_AMD64, _ARM64 = images("linux/amd64", "linux/arm64")


def parsed(*texts: str) -> list[Platform]:
    return [parse_platform(text) for text in texts]


def windows(version: str = "", *features: str) -> Platform:
    return Platform("windows", "amd64", os_version=version, os_features=features)


@pytest.mark.parametrize(
    ("required", "platforms"),
    [
        (parsed("linux/arm"), parsed("linux/arm/v6")),
        (parsed("linux/arm64"), parsed("linux/arm64/v8")),
        (parsed("linux/arm64/v8"), parsed("linux/arm64")),
        (parsed("linux/x86_64", "linux/aarch64"), parsed("linux/amd64", "linux/arm64")),
        (parsed("windows/amd64"), [windows("10.0.20348.1")]),
        ([windows("10.0.20348")], [windows("10.0.17763.1"), windows("10.0.20348.1")]),
        ([], []),
    ],
)
def test_an_image_is_there_for_each_required_platform(
    required: Sequence[Platform], platforms: Sequence[Platform]
) -> None:
    check_required(required, platforms, _TARGET)


@pytest.mark.parametrize(
    ("required", "platforms", "missing"),
    [
        (
            parsed("linux/amd64", "linux/s390x", "linux/riscv64"),
            parsed("linux/amd64"),
            ("linux/s390x", "linux/riscv64"),
        ),
        (parsed("linux/arm/v7"), parsed("linux/arm/v6", "linux/arm64"), ("linux/arm/v7",)),
        (parsed("linux/amd64/v3"), parsed("linux/amd64"), ("linux/amd64/v3",)),
        (parsed("linux/amd46"), parsed("linux/amd64"), ("linux/amd46",)),
        ([windows("10.0.2034")], [windows("10.0.20348.1")], ("windows/amd64 (10.0.2034)",)),
    ],
)
def test_every_required_platform_without_an_image_is_named(
    required: Sequence[Platform], platforms: Sequence[Platform], missing: tuple[str, ...]
) -> None:
    with pytest.raises(RequiredPlatformError) as raised:
        check_required(required, platforms, _TARGET)
    assert raised.value.missing == missing
    for name in (*missing, *map(str, platforms)):
        assert name in raised.value.message


@pytest.mark.parametrize(
    ("present", "new", "lost"),
    [
        (parsed("linux/amd64", "linux/s390x"), parsed("linux/amd64"), ["linux/s390x"]),
        (parsed("linux/amd64"), parsed("linux/amd64", "linux/arm64"), []),
        (parsed("linux/arm64/v8"), parsed("linux/arm64"), []),
        (parsed("linux/arm64"), parsed("linux/arm64/v8"), []),
        (parsed("linux/arm"), parsed("linux/arm/v7"), []),
        (parsed("linux/arm/v6", "linux/arm/v7"), parsed("linux/arm/v7"), ["linux/arm/v6"]),
        (parsed("linux/amd64", "linux/amd64/v3"), parsed("linux/amd64"), ["linux/amd64/v3"]),
        (parsed("linux/x86_64"), parsed("linux/amd64"), []),
        # Two images of one platform are one platform.
        (parsed("linux/s390x", "linux/s390x"), [], ["linux/s390x"]),
        # An update of Windows raises the revision; another build is another Windows.
        ([windows("10.0.20348.1")], [windows("10.0.20348.2227")], []),
        (
            [windows("10.0.17763.1", "win32k"), windows("10.0.20348.1")],
            [windows("10.0.20348.9")],
            ["windows/amd64 (10.0.17763.1)"],
        ),
        ([windows()], [windows("10.0.20348.1")], []),
        ([windows("10.0.20348.1")], [windows()], []),
    ],
)
def test_lost_is_a_platform_for_which_no_image_is_left(
    present: Sequence[Platform], new: Sequence[Platform], lost: list[str]
) -> None:
    assert [str(platform) for platform in lost_platforms(present, new)] == lost


def test_a_loss_is_said_of_the_tag() -> None:
    assert (
        loss(_TARGET, parsed("linux/s390x", "linux/386"))
        == "reg.example/app:1.0 loses linux/s390x and linux/386, which it has now"
    )


def test_attestations_and_other_companions_have_no_platform() -> None:
    decided = [
        (listed(_AMD64, "app:1", "linux/amd64"), Platform("linux", "amd64")),
        (attestation(_AMD64, "app:1"), UNKNOWN),
    ]
    made = plan_index(decided, list_format="oci", annotations={})
    assert image_platforms(parsed_index(made)) == parsed("linux/amd64")


def test_entries_without_a_platform_count_as_none() -> None:
    entry = Descriptor(media_type="", digest="sha256:" + "0" * 64, size=1)
    assert image_platforms(ImageIndex(manifests=[entry])) == []


def labelled(**values: str | None) -> list[tuple[Component, Platform]]:
    """Return an image for each value of the label; None is an image without a config."""
    return [
        (
            replace(
                component(built, f"app-{name}:1"),
                labels=None if value is None else ImageLabels({_LABEL: value} if value else {}),
            ),
            Platform("linux", name),
        )
        for (name, value), built in zip(values.items(), (_AMD64, _ARM64), strict=False)
    ]


def test_images_with_one_value_agree_and_their_attestations_are_not_asked() -> None:
    check_same(
        [_LABEL], [*labelled(amd64="c0ffee", arm64="c0ffee"), (attestation(_AMD64, "x"), UNKNOWN)]
    )
    check_same([], labelled(amd64="1", arm64=None))


@pytest.mark.parametrize(
    ("arm64", "said"),
    [
        ("decaf", "reg.example/app-amd64:1 has 'c0ffee' and reg.example/app-arm64:1 has 'decaf'"),
        ("", "app-arm64:1 has no such label"),
        (None, "app-arm64:1 has no config that could be read"),
        ("\x1b[31mred", r"'\x1b[31mred'"),
    ],
)
def test_each_image_is_named_with_its_value_where_they_do_not_agree(
    arm64: str | None, said: str
) -> None:
    with pytest.raises(LabelMismatchError) as raised:
        check_same([_LABEL], labelled(amd64="c0ffee", arm64=arm64))
    assert said.replace("\\\\", "\\") in raised.value.message.replace("\\\\", "\\")
    assert raised.value.label == _LABEL


def test_a_label_that_no_image_has_is_no_agreement() -> None:
    with pytest.raises(LabelMismatchError, match="app-amd64:1 has no such label and"):
        check_same([_LABEL], labelled(amd64="", arm64=""))
