"""`push from-spec`: the YAML that no recorded case tries, and files that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.embedded import EmbeddedRegistry
from fixtures.images import build_image, build_index
from tests.parity.cases import TARGET, Case, Entry, Index, check, check_stderr
from tests.parity.running import run_here

FROM_SPEC = "push from-spec $DIR/spec.yml"
AMD64 = Entry("team/app-amd64:1.0", "linux/amd64")
ARM64 = Entry("team/app-arm64:1.0", "linux/arm64")
UNKNOWN = {"os": "unknown", "architecture": "unknown"}


def spec(*manifests: str, more: str = "", target: str = f"{TARGET}:1.0") -> str:
    """Return a spec; each image is the rest of its line, and what follows that."""
    entries = "".join(f"  - image: $REG/{manifest}\n" for manifest in manifests)
    return f"image: $REG/{target}\nmanifests:\n{entries}{more}"


PLATFORMS = [
    Case(
        name="an architecture that YAML takes for a number",
        source="observed",
        there="386 without quotes is an architecture",
        argv=FROM_SPEC,
        spec=spec("team/app-386:1.0\n    platform: {os: linux, architecture: 386}"),
        index=Index([Entry("team/app-386:1.0", "linux/386")]),
    ),
    Case(
        name="the platform of a spec is filled from the config",
        source="observed",
        there="variant, os.version and os.features come from the config where the spec is silent",
        argv=FROM_SPEC,
        spec=spec("team/app-armv7:1.0\n    platform: {os: linux, architecture: arm}"),
        index=Index([Entry("team/app-armv7:1.0", "linux/arm/v7")]),
    ),
    Case(
        name="the platform of a spec wins over the config",
        source="observed",
        there="os and architecture of the spec are published",
        argv=FROM_SPEC,
        spec=spec(
            "team/app-arm64:1.0\n    platform: {os: linux, architecture: arm64, variant: v9}"
        ),
        index=Index([Entry("team/app-arm64:1.0", "linux/arm64/v9")]),
        says=("warning:", "says that it is linux/arm64", "published as linux/arm64/v9, as asked"),
        relation="different",
    ),
    Case(
        name="features and version of the operating system in lower case",
        source="observed",
        there="osversion and osfeatures are its names for them",
        argv=FROM_SPEC,
        spec=spec(
            "team/win-ltsc2022:1.0\n"
            "    platform: {os: windows, architecture: amd64, osversion: 10.0.1,"
            " osfeatures: [a, b]}"
        ),
        index=Index([Entry("team/win-ltsc2022:1.0", "windows/amd64", "10.0.1", ("a", "b"))]),
    ),
    Case(
        name="os.version, as the image spec writes it",
        source="observed",
        there="os.version is dropped silently",
        argv=FROM_SPEC,
        spec=spec(
            "team/win-ltsc2022:1.0\n"
            "    platform: {os: windows, architecture: amd64, os.version: 10.0.1}"
        ),
        index=Index([Entry("team/win-ltsc2022:1.0", "windows/amd64", "10.0.1", ("win32k",))]),
        relation="better",
    ),
    Case(
        name="an empty platform",
        source="code",
        there="a platform without os and architecture is the config's",
        argv=FROM_SPEC,
        spec=spec("team/app-amd64:1.0\n    platform: {}", "team/app-arm64:1.0\n    platform:"),
        index=Index([AMD64, ARM64]),
    ),
    Case(
        name="a variant alone",
        source="code",
        there="os and architecture come from the config if both are left out",
        argv=FROM_SPEC,
        spec=spec("team/app-arm64:1.0\n    platform: {variant: v8}"),
        index=Index([Entry("team/app-arm64:1.0", "linux/arm64/v8")]),
    ),
    Case(
        name="an architecture without its os",
        source="observed",
        there="one without the other is refused",
        argv=FROM_SPEC,
        spec=spec("team/app-amd64:1.0\n    platform: {architecture: amd64}"),
        exit=1,
        says=("line 4", "both 'os' and 'architecture'"),
        requests=0,
    ),
    Case(
        name="a config without a platform, and none in the spec",
        source="observed",
        there="what has no os and architecture is refused",
        argv=FROM_SPEC,
        spec=spec("team/noplat-amd64:1.0"),
        exit=1,
        says=("does not say which os and architecture it is for",),
    ),
    Case(
        name="two images of one os.version, and two of different ones",
        source="observed",
        there="platforms that differ in os.version alone are two platforms",
        argv=FROM_SPEC,
        spec=spec("team/w:1", "team/w:2"),
        images={
            "team/w:1": build_image("windows", "amd64", os_version="10.0.1"),
            "team/w:2": build_image("windows", "amd64", os_version="10.0.2"),
        },
        index=Index(
            [
                Entry("team/w:1", "windows/amd64", "10.0.1"),
                Entry("team/w:2", "windows/amd64", "10.0.2"),
            ]
        ),
    ),
    Case(
        name="two children that say unknown and are no attestations",
        source="code",
        there="they are images, and so two of one platform",
        argv=FROM_SPEC,
        spec=spec("team/odd:1.0"),
        images={
            "team/odd:1.0": build_index(
                [build_image("unknown", "unknown"), build_image("unknown", "unknown", text="b")]
            )
        },
        exit=1,
        says=("is an index that lists no image",),
    ),
]

WRITTEN = [
    Case(
        name="tags that YAML takes for numbers",
        source="code",
        there="a scalar is taken as it is written",
        argv=FROM_SPEC,
        spec=spec("team/app-amd64:1.0", more="tags: [1.10, 2, latest]\n"),
        index=Index([AMD64], tags=("1.0", "1.10", "2", "latest")),
    ),
    Case(
        name="an image by its digest",
        source="code",
        there="any reference with a tag or a digest will do",
        argv=FROM_SPEC,
        spec=spec(f"team/pinned@{build_image('linux', 'amd64').digest}"),
        images={"team/pinned:1.0": build_image("linux", "amd64")},
        index=Index([Entry("team/pinned:1.0", "linux/amd64")]),
    ),
    Case(
        name="anchors, aliases and merged keys",
        source="code",
        there="its YAML parser knows them",
        argv=FROM_SPEC,
        spec=spec(
            "team/app-amd64:1.0\n    platform: &p {os: linux, architecture: amd64}",
            "team/app-arm64:1.0\n    platform: {<<: *p, architecture: arm64}",
        ),
        index=Index([AMD64, ARM64]),
    ),
    Case(
        name="annotations of an OCI index",
        source="observed",
        there="they are written in the order of their keys",
        argv="push from-spec $DIR/spec.yml --type oci",
        spec=spec("team/app-amd64:1.0", more="annotations: {b: 'yes', a: 1.0, c: <&>}\n"),
        index=Index([AMD64], oci=True, annotations={"a": "1.0", "b": "yes", "c": "<&>"}),
    ),
    Case(
        name="annotations of a Docker list",
        source="observed",
        there="they are refused before the first request",
        argv=FROM_SPEC,
        spec=spec("team/app-amd64:1.0", more="annotations: {a: b}\n"),
        exit=1,
        says=("cannot carry annotations", "--type oci"),
        requests=0,
    ),
    Case(
        name="a key that stands twice",
        source="code",
        there="its YAML parser refuses it",
        argv=FROM_SPEC,
        spec=spec("team/app-amd64:1.0", more="image: $REG/team/other:1.0\n"),
        exit=1,
        says=("line 4", "'image' stands here twice"),
        requests=0,
    ),
    Case(
        name="no images",
        source="observed",
        there="an index without images is published, and the exit status is 0",
        argv=FROM_SPEC,
        spec=f"image: $REG/{TARGET}:1.0\nmanifests: []\n",
        exit=1,
        says=("lists no image",),
        requests=0,
        relation="better",
    ),
    Case(
        name="a key that nobody knows",
        source="observed",
        there="it is ignored silently",
        argv=FROM_SPEC,
        spec=spec("team/app-amd64:1.0\n    platfrom: {os: linux}"),
        exit=1,
        says=("line 4", "'platfrom' is not a key of an image"),
        requests=0,
        relation="better",
    ),
    Case(
        name="a tag that is none",
        source="observed",
        there="it fails when the target is published already",
        argv=FROM_SPEC,
        spec=spec("team/app-amd64:1.0", more="tags: [latest, 'not a tag']\n"),
        exit=1,
        says=("'not a tag' is not a tag",),
        requests=0,
        relation="better",
    ),
    Case(
        name="an image without a tag",
        source="observed",
        there="it says only: object required",
        argv=FROM_SPEC,
        spec=spec("team/app-amd64"),
        exit=1,
        says=("has neither a tag nor a digest",),
        requests=0,
        relation="better",
    ),
    Case(
        name="a target without a tag",
        source="observed",
        there="nothing is tagged, and the exit status is 0",
        argv=FROM_SPEC,
        spec=spec("team/app-amd64:1.0", target=TARGET),
        exit=1,
        says=("has no tag", ":latest"),
        requests=0,
        relation="better",
    ),
    Case(
        name="what is no YAML",
        source="code",
        there="it cannot be unmarshalled",
        argv=FROM_SPEC,
        spec="image: [\n",
        exit=1,
        says=("is not YAML",),
        requests=0,
    ),
    Case(
        name="an empty file",
        source="code",
        there="an empty target is no reference",
        argv=FROM_SPEC,
        spec="",
        exit=1,
        says=("is empty",),
        requests=0,
    ),
]

FILES = [
    Case(
        name="no file at all",
        source="observed",
        there="it reads the current folder and fails",
        argv="push from-spec",
        exit=1,
        says=("missing argument 'FILE'",),
        requests=0,
    ),
    Case(
        name="a folder",
        source="observed",
        there="it cannot be read",
        argv="push from-spec $DIR",
        exit=1,
        says=("cannot be read: Is a directory",),
        requests=0,
    ),
    Case(
        name="a dash is no standard input",
        source="observed",
        there="a dash is the name of a file",
        argv="push from-spec -",
        exit=1,
        says=("the spec - cannot be read: No such file",),
        requests=0,
    ),
    Case(
        name="two files",
        source="code",
        there="all but the first are ignored silently",
        argv="push from-spec $DIR/spec.yml $DIR/other.yml",
        spec=spec("team/app-amd64:1.0"),
        exit=1,
        says=("other.yml",),
        requests=0,
        relation="different",
    ),
]


@pytest.mark.parametrize("case", [*PLATFORMS, *WRITTEN, *FILES], ids=str)
def test_from_spec(case: Case, registry: EmbeddedRegistry, host: str, tmp_path: Path) -> None:
    check(case, registry, host, tmp_path)


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    """Code: there, what is not UTF-8 is no YAML."""
    file = tmp_path / "spec.yml"
    file.write_bytes(b"image: caf\xe9\n")

    outcome = run_here("push", "from-spec", str(file))

    assert outcome.status == 1
    assert outcome.errors[0] == f"error: the spec {file} is not UTF-8 text"


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Code: there, it cannot be read."""

    def refuse(path: Path, mode: str) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)  # root may read everything

    outcome = run_here("push", "from-spec", str(tmp_path))

    check_stderr(outcome, [f"error: the spec {tmp_path} cannot be read: Permission denied"])
    assert outcome.status == 1
