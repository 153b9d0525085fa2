"""Media types."""

from __future__ import annotations

import pytest

from oci_merge.model import media_types


def test_all_four_kinds_are_asked_for_in_one_header() -> None:
    assert media_types.ACCEPT_MANIFESTS.split(", ") == [
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    ]
    assert set(media_types.ACCEPT_MANIFESTS.split(", ")) == (
        media_types.INDEXES | media_types.MANIFESTS
    )


@pytest.mark.parametrize(
    ("media_type", "has_urls", "foreign"),
    [
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", True, True),
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", False, True),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", True, True),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar", True, True),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", False, False),
        ("application/vnd.oci.image.layer.v1.tar+gzip", True, False),
        ("application/vnd.docker.image.rootfs.diff.tar.gzip", False, False),
        ("", True, False),
    ],
)
def test_foreign_layers_are_those_that_may_not_be_handed_on(
    media_type: str, has_urls: bool, foreign: bool
) -> None:
    assert media_types.is_foreign_layer(media_type, has_urls=has_urls) is foreign
