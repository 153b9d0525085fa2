"""Platforms are the right ones, or it is said that they are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.embedded import EmbeddedRegistry
from fixtures.images import Child, build_attestation, build_image, build_index
from tests.parity.cases import TARGET, Case, Entry, Index, check, from_args

INNER = build_index(
    [
        build_image("linux", "arm64"),
        build_attestation(build_image("linux", "arm64")),
        build_image("linux", "s390x"),
    ]
)
NESTED = build_index([build_image("linux", "amd64"), INNER])
PROVENANCE = Entry(
    build_attestation(build_image("linux", "arm64")),
    "unknown/unknown",
    annotations={
        "vnd.docker.reference.digest": build_image("linux", "arm64").digest,
        "vnd.docker.reference.type": "attestation-manifest",
    },
)
PLATFORMS = [
    Case(
        name="nested indexes are flattened",
        source="observed",
        there="it panics, or the registry refuses what it pushes",
        relation="better",
        argv="push from-spec $DIR/spec.yml",
        spec=f"image: $REG/{TARGET}:1.0\nmanifests: [{{image: '$REG/team/nested:1.0'}}]\n",
        images={"team/nested:1.0": NESTED},
        index=Index(
            [
                Entry(build_image("linux", "amd64"), "linux/amd64"),
                Entry(build_image("linux", "arm64"), "linux/arm64"),
                Entry(build_image("linux", "s390x"), "linux/s390x"),
                PROVENANCE,
            ]
        ),
    ),
    Case(
        name="the platform picks an image and its attestation out of nested indexes",
        source="observed",
        there="all that an index lists is taken, whatever platform is asked for",
        relation="better",
        argv=from_args("linux/arm64", "team/nested:1.0"),
        images={"team/nested:1.0": NESTED},
        index=Index([Entry(build_image("linux", "arm64"), "linux/arm64"), PROVENANCE]),
    ),
    Case(
        name="the platform of a spec picks, too",
        source="observed",
        there="all that an index lists is taken, whatever platform is asked for",
        relation="better",
        argv="push from-spec $DIR/spec.yml",
        spec=f"image: $REG/{TARGET}:1.0\nmanifests:\n"
        "- {image: '$REG/team/nested:1.0', platform: {os: linux, architecture: amd64}}\n",
        images={"team/nested:1.0": NESTED},
        index=Index([Entry(build_image("linux", "amd64"), "linux/amd64")]),
    ),
    Case(
        name="a child without a platform, from its config",
        source="observed",
        there="it panics, with exit status 2",
        relation="better",
        argv="push from-spec $DIR/spec.yml",
        spec=f"image: $REG/{TARGET}:1.0\nmanifests: [{{image: '$REG/team/bare:1.0'}}]\n",
        images={"team/bare:1.0": build_index([Child(build_image("linux", "arm", "v7"))])},
        index=Index([Entry(build_image("linux", "arm", "v7"), "linux/arm/v7")]),
    ),
    Case(
        name="a platform that the config contradicts",
        source="observed",
        there="it is never looked at: amd64 is published as arm64, in silence",
        relation="better",
        argv=from_args("linux/amd64,linux/arm64", "team/wrong-ARCH:1.0"),
        index=Index(
            [
                Entry("team/wrong-amd64:1.0", "linux/amd64"),
                Entry("team/wrong-arm64:1.0", "linux/arm64"),
            ]
        ),
        says=(
            "team/wrong-arm64:1.0 says that it is linux/amd64; "
            "it is published as linux/arm64, as asked",
        ),
    ),
    Case(
        name="a platform that the config contradicts, unchecked",
        source="observed",
        there="it is never looked at",
        relation="better",
        argv=from_args("linux/arm64", "team/wrong-ARCH:1.0", "--platform-check=off"),
        index=Index([Entry("team/wrong-arm64:1.0", "linux/arm64")]),
    ),
    Case(
        name="a platform that the config contradicts, refused",
        source="observed",
        there="it is never looked at",
        relation="better",
        argv=from_args("linux/arm64", "team/wrong-ARCH:1.0", "--platform-check", "error"),
        exit=1,
        says=("team/wrong-arm64:1.0 was asked for as linux/arm64",),
    ),
    Case(
        name="a platform of a spec that the config contradicts, refused",
        source="observed",
        there="it is never looked at",
        relation="better",
        argv="push from-spec $DIR/spec.yml -platform-check=error",
        spec=f"image: $REG/{TARGET}:1.0\nmanifests:\n"
        "- {image: '$REG/team/wrong-arm64:1.0', platform: {os: linux, architecture: arm64}}\n",
        exit=1,
        says=("team/wrong-arm64:1.0 was asked for as linux/arm64",),
    ),
    Case(
        name="an unknown platform out of the config",
        source="issue",
        there="a platform that its list lacks waits for a release",
        relation="better",
        argv="push from-spec $DIR/spec.yml",
        spec=f"image: $REG/{TARGET}:1.0\nmanifests: [{{image: '$REG/team/new:1.0'}}]\n",
        images={"team/new:1.0": build_image("hurd", "lisp64")},
        index=Index([Entry("team/new:1.0", "hurd/lisp64")]),
        says=("hurd/lisp64 is not a platform that is known",),
    ),
    Case(
        name="a platform that is asked for and looks misspelt",
        source="observed",
        there="linux/amd46 is unsupported, and no more is said",
        relation="better",
        argv=from_args("linux/amd46", "team/app-amd64:1.0"),
        index=Index([Entry("team/app-amd64:1.0", "linux/amd46")]),
        says=("linux/amd46 is not a platform that is known; did you mean amd64?",),
    ),
]


@pytest.mark.parametrize("case", PLATFORMS, ids=str)
def test_platforms(case: Case, registry: EmbeddedRegistry, host: str, tmp_path: Path) -> None:
    check(case, registry, host, tmp_path)
