"""`push from-args`: templates, platforms, tags and annotations that no recorded case tries."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.embedded import EmbeddedRegistry
from fixtures.images import Child, build_attestation, build_image, build_index
from tests.parity.cases import Case, Entry, Index, check, from_args

AMD64 = Entry("team/app-amd64:1.0", "linux/amd64")
ARM64 = Entry("team/app-arm64:1.0", "linux/arm64")
LINUX_AMD64 = build_image("linux", "amd64")
SPARC = build_image("linux", "sparc64")
FOREIGN = build_image("windows", "amd64", docker=True, foreign_layer=True, os_version="10.0.1")
SOURCES = build_index([build_image("linux", "amd64"), build_image("linux", "arm64")])
PROVENANCE = build_attestation(LINUX_AMD64)
PROVENANCE_NOTES = {
    "vnd.docker.reference.digest": LINUX_AMD64.digest,
    "vnd.docker.reference.type": "attestation-manifest",
}

TEMPLATES = [
    Case(
        name="only the first ARCH is replaced",
        source="observed",
        there="of ARCH-ARCH it makes amd64-ARCH",
        argv=from_args("linux/amd64", "team/twice:1.0-ARCH-ARCH"),
        images={"team/twice:1.0-amd64-ARCH": LINUX_AMD64},
        index=Index([Entry(LINUX_AMD64, "linux/amd64")]),
    ),
    Case(
        name="what was put in for ARCH is searched for OS",
        source="observed",
        there="the platform linux/OS makes app-linux of app-ARCH",
        argv=from_args("linux/OS", "team/app-ARCH:1.0"),
        images={"team/app-linux:1.0": build_image("linux", "OS")},
        index=Index([Entry("team/app-linux:1.0", "linux/OS")]),
        says=("warning: linux/OS is not a platform that is known",),
        relation="different",
    ),
    Case(
        name="placeholders are upper case",
        source="observed",
        there="arch is left as it is",
        argv=from_args("linux/amd64", "team/app-arch:1.0"),
        images={"team/app-arch:1.0": LINUX_AMD64},
        index=Index([Entry(LINUX_AMD64, "linux/amd64")]),
    ),
    Case(
        name="an unknown placeholder in the repository is no reference",
        source="observed",
        there="a repository name must be lower case",
        argv=from_args("linux/amd64", "team/app-FOO:1.0"),
        exit=1,
        says=("a repository name is lower case",),
        requests=0,
    ),
    Case(
        name="all three placeholders in one template",
        source="code",
        there="ARCH, OS and VARIANT are replaced one after the other",
        argv=from_args("linux/arm/v7", "team/OS-ARCH:1.0-VARIANT"),
        images={"team/linux-arm:1.0-v7": build_image("linux", "arm", "v7")},
        index=Index([Entry("team/linux-arm:1.0-v7", "linux/arm/v7")]),
    ),
    Case(
        name="an empty VARIANT leaves its separator behind",
        source="observed",
        there="ARCH-VARIANT makes amd64- of a platform without a variant",
        argv=from_args("linux/amd64", "team/sep:1.0-ARCH-VARIANT"),
        images={"team/sep:1.0-amd64-": LINUX_AMD64},
        index=Index([Entry(LINUX_AMD64, "linux/amd64")]),
    ),
    Case(
        name="a separator at the end of a repository is no reference",
        source="observed",
        there="amd64- is refused at the end of a repository",
        argv=from_args("linux/amd64", "team/app-ARCH-VARIANT:1.0"),
        exit=1,
        says=("is not an image reference",),
        requests=0,
    ),
    Case(
        name="a version of the operating system is no part of a platform",
        source="observed",
        there="windows/amd64:10.0.17763 makes a reference of bad format",
        argv=from_args("windows/amd64:10.0.17763", "team/win-ARCH:1.0"),
        exit=1,
        requests=0,
    ),
    Case(
        name="version and features of the operating system come from the config",
        source="observed",
        there="os.version and os.features come from the config alone",
        argv=from_args("windows/amd64", "team/win-ltsc2022:1.0"),
        index=Index(
            [Entry("team/win-ltsc2022:1.0", "windows/amd64", "10.0.20348.3091", ("win32k",))]
        ),
    ),
    Case(
        name="a template may name a digest",
        source="code",
        there="any reference with a tag or a digest will do",
        argv=from_args("linux/amd64", f"team/pinned@{LINUX_AMD64.digest}"),
        images={"team/pinned:1.0": LINUX_AMD64},
        index=Index([Entry(LINUX_AMD64, "linux/amd64")]),
    ),
    Case(
        name="a template without a tag",
        source="observed",
        there="it says only: object required",
        argv=from_args("linux/amd64", "team/app-ARCH"),
        exit=1,
        says=("has neither a tag nor a digest", "for example"),
        requests=0,
        relation="better",
    ),
    Case(
        name="several platforms and no placeholder",
        source="observed",
        there="both platforms get one image, and the exit status is 0",
        argv=from_args("linux/amd64,linux/arm64", "team/app-amd64:1.0"),
        exit=1,
        says=("has none of ARCH, OS and VARIANT",),
        requests=0,
        relation="better",
    ),
]

PLATFORMS = [
    Case(
        name="images are listed in the order of the platforms",
        source="observed",
        there="the order is that of the input",
        argv=from_args("linux/arm64,linux/amd64", "team/app-ARCH:1.0"),
        index=Index([ARM64, AMD64]),
    ),
    Case(
        name="platforms in lists and repeated",
        source="code",
        there="a list may be written with commas, by repetition, or both",
        argv=from_args(
            "linux/amd64 ,linux/arm64", "team/app-ARCHVARIANT:1.0", "--platforms=linux/arm/v7"
        ),
        index=Index([AMD64, ARM64, Entry("team/app-armv7:1.0", "linux/arm/v7")]),
    ),
    Case(
        name="a platform of four parts",
        source="observed",
        there="a platform has two or three parts",
        argv=from_args("linux/arm/v7/x", "team/app-ARCH:1.0"),
        exit=1,
        says=("is not a platform",),
        requests=0,
    ),
    Case(
        name="one platform twice",
        source="observed",
        there="two manifests of one platform are refused",
        argv=from_args("linux/amd64,linux/amd64", "team/app-ARCH:1.0"),
        exit=1,
    ),
    Case(
        name="an empty entry in the list of platforms",
        source="code",
        there="an empty word is no platform of the form os/arch",
        argv=from_args("linux/amd64,", "team/app-ARCH:1.0"),
        exit=1,
        requests=0,
    ),
    Case(
        name="a variant that no list of platforms has",
        source="observed",
        there="linux/amd64/v3 is refused as unsupported",
        argv=from_args("linux/amd64/v3", "team/app-ARCH:1.0"),
        images={"team/app-amd64:1.0": build_image("linux", "amd64", "v3")},
        index=Index([Entry("team/app-amd64:1.0", "linux/amd64/v3")]),
        relation="better",
    ),
    Case(
        name="an architecture that no list of platforms has",
        source="issue",
        there="what its fixed list lacks is refused until there is another release",
        argv=from_args("linux/sparc64", "team/new-ARCH:1.0"),
        images={"team/new-sparc64:1.0": SPARC},
        index=Index([Entry(SPARC, "linux/sparc64")]),
        says=("warning: linux/sparc64 is not a platform that is known",),
        relation="better",
    ),
    Case(
        name="a platform is published as it was written",
        source="code",
        there="no name of an architecture is put into another form",
        argv=from_args("linux/arm64/v8", "team/v8-ARCH:1.0"),
        index=Index([Entry("team/v8-arm64:1.0", "linux/arm64/v8")]),
    ),
    Case(
        name="arm without a variant stays without one",
        source="code",
        there="a variant comes from the platform or the config, or there is none",
        argv=from_args("linux/arm", "team/arm-ARCH:1.0"),
        index=Index([Entry("team/arm-arm:1.0", "linux/arm")]),
    ),
    Case(
        name="a config without a platform takes the one that is asked for",
        source="observed",
        there="os and architecture of the platform win over the config's",
        argv=from_args("linux/amd64", "team/noplat-ARCH:1.0"),
        index=Index([Entry("team/noplat-amd64:1.0", "linux/amd64")]),
    ),
]

TAGS_AND_ANNOTATIONS = [
    Case(
        name="spaces after the commas of a list of tags",
        source="code",
        there="spaces around the entries of a list are taken away",
        argv=from_args("linux/amd64", "team/app-ARCH:1.0", "--tags", "latest, 1 "),
        index=Index([AMD64], tags=("1.0", "latest", "1")),
    ),
    Case(
        name="a tag that is the target's own",
        source="code",
        there="it is pushed once more, to the same end",
        argv=from_args("linux/amd64", "team/app-ARCH:1.0", "--tags", "1.0,latest"),
        index=Index([AMD64], tags=("1.0", "latest")),
    ),
    Case(
        name="annotations by repetition",
        source="code",
        there="a list may be repeated",
        argv=from_args(
            *("linux/amd64", "team/app-ARCH:1.0", "--type", "oci"),
            *("--annotations", "b=2", "--annotations", " a=1 "),
        ),
        index=Index([AMD64], oci=True, annotations={"a": "1", "b": "2"}),
    ),
    Case(
        name="a comma in the value of an annotation",
        source="observed",
        there="the part behind the comma is taken for another annotation and refused",
        argv=from_args(
            *("linux/amd64", "team/app-ARCH:1.0", "--type", "oci"),
            *("--annotations", "a=hello, world,b=2"),
        ),
        index=Index([AMD64], oci=True, annotations={"a": "hello, world", "b": "2"}),
        relation="better",
    ),
    Case(
        name="an equals sign in the value of an annotation",
        source="observed",
        there="a=b=c is refused",
        argv=from_args(
            *("linux/amd64", "team/app-ARCH:1.0", "--type", "oci"),
            *("--annotations", "url=https://x.example/?q=1&r=<2>"),
        ),
        index=Index([AMD64], oci=True, annotations={"url": "https://x.example/?q=1&r=<2>"}),
        relation="better",
    ),
    Case(
        name="one annotation with two values",
        source="code",
        there="the last value wins, silently",
        argv=from_args(
            *("linux/amd64", "team/app-ARCH:1.0", "--type", "oci"),
            *("--annotations", "a=1,a=2"),
        ),
        exit=1,
        says=("'a' is given twice",),
        requests=0,
        relation="different",
    ),
]

INDEXES = [
    Case(
        name="the annotations of a source index are not taken over",
        source="code",
        there="only its children come into the new index",
        argv=from_args("linux/amd64", "team/noted:1.0", "--type", "oci"),
        images={"team/noted:1.0": build_index([LINUX_AMD64], annotations={"a": "b"})},
        index=Index([Entry(LINUX_AMD64, "linux/amd64")], oci=True),
    ),
    Case(
        name="the annotations of its children are",
        source="observed",
        there="a child is listed with its annotations",
        argv=from_args("linux/amd64", "team/noted:1.0"),
        images={
            "team/noted:1.0": build_index(
                [Child(LINUX_AMD64, LINUX_AMD64.platform, {"b": "<2>", "a": "1"})]
            )
        },
        index=Index([Entry(LINUX_AMD64, "linux/amd64", annotations={"b": "<2>", "a": "1"})]),
    ),
    Case(
        name="attestations are last, whatever stood before them",
        source="observed",
        there="all images come first, then all attestations",
        argv=from_args("linux/amd64,linux/arm64", "team/late-ARCH:1.0"),
        images={
            "team/late-amd64:1.0": build_index([PROVENANCE, LINUX_AMD64]),
            "team/late-arm64:1.0": build_image("linux", "arm64"),
        },
        index=Index(
            [
                Entry(LINUX_AMD64, "linux/amd64"),
                Entry("team/late-arm64:1.0", "linux/arm64"),
                Entry(PROVENANCE, "unknown/unknown", annotations=PROVENANCE_NOTES),
            ]
        ),
    ),
    Case(
        name="a Docker list as a component",
        source="observed",
        there="a component may be an index of either kind",
        argv=from_args("linux/amd64", "team/listed:1.0"),
        images={"team/listed:1.0": build_index([LINUX_AMD64], docker=True)},
        index=Index([Entry(LINUX_AMD64, "linux/amd64")]),
    ),
    Case(
        name="layers that live outside the registry are left there",
        source="code",
        there="foreign and nondistributable layers are neither mounted nor missed",
        argv=from_args("windows/amd64", "team/foreign-ARCH:1.0"),
        images={"team/foreign-amd64:1.0": FOREIGN},
        index=Index([Entry(FOREIGN, "windows/amd64", "10.0.1")]),
    ),
    Case(
        name="the platform picks an image out of an index of several",
        source="observed",
        there="all its images are listed, whatever platform is asked for",
        argv=from_args("linux/arm64", "team/several:1.0"),
        images={"team/several:1.0": SOURCES},
        index=Index([Entry(build_image("linux", "arm64"), "linux/arm64")]),
        relation="better",
    ),
    Case(
        name="a platform that an index of several does not have",
        source="observed",
        there="linux/s390x lists amd64 and arm64, and the exit status is 0",
        argv=from_args("linux/s390x", "team/several:1.0"),
        images={"team/several:1.0": SOURCES},
        exit=1,
        says=("an index without linux/s390x; it has linux/amd64 and linux/arm64",),
        relation="better",
    ),
    Case(
        name="a child without a platform",
        source="observed",
        there="it panics, with exit status 2",
        argv=from_args("linux/amd64", "team/bare:1.0"),
        images={"team/bare:1.0": build_index([Child(LINUX_AMD64)])},
        index=Index([Entry(LINUX_AMD64, "linux/amd64")]),
        relation="better",
    ),
    Case(
        name="an index within an index",
        source="observed",
        there="it panics, or the registry refuses what it pushes",
        argv=from_args("linux/amd64", "team/nested:1.0"),
        images={"team/nested:1.0": build_index([build_index([LINUX_AMD64])])},
        index=Index([Entry(LINUX_AMD64, "linux/amd64")]),
        relation="better",
    ),
]


@pytest.mark.parametrize("case", [*TEMPLATES, *PLATFORMS, *TAGS_AND_ANNOTATIONS, *INDEXES], ids=str)
def test_from_args(case: Case, registry: EmbeddedRegistry, host: str, tmp_path: Path) -> None:
    check(case, registry, host, tmp_path)


def test_a_repeat_publishes_nothing_again(
    registry: EmbeddedRegistry, host: str, tmp_path: Path
) -> None:
    """Observed: there, a tag that stands on the digest already is not pushed again."""
    case = Case(
        name="a repeat",
        source="observed",
        there="no PUT is sent where the tag has that digest",
        argv=from_args("linux/amd64", "team/app-ARCH:1.0"),
        index=Index([AMD64]),
    )
    first = check(case, registry, host, tmp_path)
    registry.requests.clear()

    assert check(case, registry, host, tmp_path) == first
    assert {request.method for request in registry.requests} <= {"GET", "HEAD"}
