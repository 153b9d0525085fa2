"""No silent loss and no step back, on a real distribution; its access log tells what was put."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

import oci_merge
from fixtures.distribution import AccessRecord, Distribution
from fixtures.images import BuiltImage, build_image
from tests.registry.team import push_team

_PREFIX = "org.opencontainers.image."


def built(version: str, *architectures: str, **labels: str) -> dict[str, BuiltImage]:
    """Return images of a version, by the suffix of their repository."""
    named = {f"{_PREFIX}{name}": value for name, value in {"version": version, **labels}.items()}
    return {
        name: build_image("linux", name, text=version, labels=named)
        for name in architectures or ("amd64", "arm64")
    }


def merge(
    registry: Distribution, team: str, images: dict[str, BuiltImage], *tags: str, **options: Any
) -> oci_merge.MergeResult:
    """Push images and join them as tags of the team's image."""
    push_team(registry, images, name=team.partition("/")[2])
    first, *others = tags or ("latest",)
    return oci_merge.merge(
        f"{team}/img:{first}",
        sources=[f"{team}/img-{name}:1.0" for name in images],
        tags=others,
        **options,
    )


def puts(records: list[AccessRecord]) -> list[str]:
    """Return the tags that were put, in alphabetical order."""
    names = [
        record.path.rpartition("/")[2]
        for record in records
        if record.method == "PUT" and "/img/manifests/" in record.path
    ]
    return sorted(name for name in names if not name.startswith("sha256:"))


def raw(skopeo: Path, reference: str) -> dict[str, Any]:
    """Return what stands at a tag, as skopeo reads it."""
    command = [str(skopeo), "inspect", "--raw", "--tls-verify=false", f"docker://{reference}"]
    done = subprocess.run(command, check=True, capture_output=True, timeout=60)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def said_platforms(index: dict[str, Any]) -> list[str]:
    return [entry["platform"]["architecture"] for entry in index["manifests"]]


@pytest.fixture
def team(plain_registry: Distribution) -> str:
    """A name of its own, with ``latest`` as 1.3.0 for amd64, arm64 and s390x."""
    team = push_team(plain_registry, built("0", "amd64"))
    merge(plain_registry, team, built("1.3.0", "amd64", "arm64", "s390x"))
    return team


def test_a_required_platform_that_is_missing_leaves_the_tag_as_it_is(
    plain_registry: Distribution, team: str, skopeo: Path
) -> None:
    with pytest.raises(oci_merge.RequiredPlatformError, match="no image for linux/s390x"):
        merge(plain_registry, team, built("1.4.0"), require=["linux/amd64", "linux/s390x"])
    assert said_platforms(raw(skopeo, f"{team}/img:latest")) == ["amd64", "arm64", "s390x"]


def test_images_of_two_commits_are_not_joined(
    plain_registry: Distribution, team: str, skopeo: Path
) -> None:
    label = f"{_PREFIX}revision"
    images = built("1.4.0", "amd64", revision="c0ffee") | built("1.4.0", "arm64", revision="decaf")
    with pytest.raises(oci_merge.LabelMismatchError, match=r"'c0ffee' and .* has 'decaf'"):
        merge(plain_registry, team, images, "1.4.0", require_same=[label])

    merge(plain_registry, team, built("1.4.0", revision="c0ffee"), "1.4.0", require_same=[label])
    assert said_platforms(raw(skopeo, f"{team}/img:1.4.0")) == ["amd64", "arm64"]


def test_a_platform_is_lost_with_a_line_and_not_at_all_where_that_is_asked(
    plain_registry: Distribution, team: str, skopeo: Path
) -> None:
    with pytest.raises(oci_merge.PlatformLossError, match="latest would lose linux/s390x"):
        merge(plain_registry, team, built("1.4.0"), "1.4.0", "latest", no_shrink=True)
    assert said_platforms(raw(skopeo, f"{team}/img:latest")) == ["amd64", "arm64", "s390x"]

    result = merge(plain_registry, team, built("1.4.0"))
    assert result.warnings == (f"{team}/img:latest loses linux/s390x, which it has now",)
    assert said_platforms(raw(skopeo, f"{team}/img:latest")) == ["amd64", "arm64"]


def test_a_slow_old_pipeline_does_not_set_latest_back(
    plain_registry: Distribution, team: str, skopeo: Path
) -> None:
    stands = raw(skopeo, f"{team}/img:latest")
    with plain_registry.watch() as records:
        result = merge(
            plain_registry,
            team,
            built("1.2.9"),
            "1.2.9",
            "latest",
            only_newer="version",
            no_shrink=True,
        )
    assert [(tag.name, tag.kept) for tag in result.tags] == [("1.2.9", False), ("latest", True)]
    assert puts(records) == ["1.2.9"]
    assert raw(skopeo, f"{team}/img:latest") == stands

    merge(plain_registry, team, built("1.10.0"), "1.10.0", "latest", only_newer="version")
    assert raw(skopeo, f"{team}/img:latest") == raw(skopeo, f"{team}/img:1.10.0")


def test_where_every_tag_is_kept_nothing_is_written(
    plain_registry: Distribution, team: str
) -> None:
    images = built("1.2.9")
    push_team(plain_registry, images, name=team.partition("/")[2])
    with plain_registry.watch() as records:
        result = oci_merge.merge(
            f"{team}/img:latest",
            sources=[f"{team}/img-{name}:1.0" for name in images],
            only_newer="version",
        )
    assert result.tags[0].kept
    assert {record.method for record in records} <= {"GET", "HEAD"}


def test_an_unchanged_tag_is_put_by_force_alone(plain_registry: Distribution, team: str) -> None:
    images = built("1.3.0", "amd64", "arm64", "s390x")
    for force, expected in ((False, []), (True, ["latest"])):
        with plain_registry.watch() as records:
            result = merge(plain_registry, team, images, force=force)
        assert result.changed is False
        assert puts(records) == expected


def test_labels_annotate_the_index(plain_registry: Distribution, team: str, skopeo: Path) -> None:
    labels = {"description": "Joins images.", "source": "https://git.example/app"}
    images = built("1.4.0", "amd64", created="2026-01-01T00:00:00Z", **labels)
    images |= built("1.4.0", "arm64", created="2026-01-01T00:00:09Z", **labels)
    result = merge(plain_registry, team, images, "1.4.0", annotations_from_labels=True)
    assert raw(skopeo, f"{team}/img:1.4.0")["annotations"] == {
        f"{_PREFIX}description": "Joins images.",
        f"{_PREFIX}source": "https://git.example/app",
        f"{_PREFIX}version": "1.4.0",
    }
    assert len(result.warnings) == 1
    assert f"label {_PREFIX}created" in result.warnings[0]
