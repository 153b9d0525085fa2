"""Images are appended beside others while guards hold, and other jobs append at the same time."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from fixtures.embedded import EmbeddedRegistry
from fixtures.images import (
    BuiltImage,
    BuiltIndex,
    Child,
    build_attestation,
    build_index,
    build_referrer,
)
from fixtures.server import RunningServer
from oci_merge import LabelMismatchError, MergeResult, PlatformLossError
from tests.edge.operations.guarded import VERSION, Does, build, merge, of_version, put_tags
from tests.edge.support import REPOSITORY, asks, tags, writes

_EARLY, _LATE = "2026-02-01T00:05:00Z", "2026-02-01T00:10:00Z"
_OLD_AMD64, _OLD_ARM64 = of_version("1.0.0", "2026-01-01T00:00:00Z")
_AMD64 = build("amd64", "2.0.0", _LATE)
_ARM64 = build("arm64", "2.0.0", _EARLY)
_S390X = build("s390x", "1.0.0")

#: Every guard that looks at what a tag points to, and none.
_GUARDS: dict[str, dict[str, Any]] = {
    "none": {},
    "no_shrink": {"no_shrink": True},
    "only_newer": {"only_newer": "version"},
}


def _append(
    server: RunningServer, registry: EmbeddedRegistry, *images: BuiltImage, **options: Any
) -> MergeResult:
    return merge(server, registry, images, append=True, **options)


def _put(registry: EmbeddedRegistry, *images: BuiltImage, **options: Any) -> str:
    return registry.add_image(REPOSITORY, "1.0", build_index([*images], **options))


def _listed(registry: EmbeddedRegistry, tag: str = "1.0") -> set[str]:
    held = registry.storage.manifest(REPOSITORY, tag)
    assert held is not None
    return {entry["digest"] for entry in json.loads(held.content)["manifests"]}


def _digests(*images: BuiltImage) -> set[str]:
    return {image.digest for image in images}


def _putting(registry: EmbeddedRegistry, index: BuiltIndex) -> Callable[[], str]:
    return lambda: registry.add_image(REPOSITORY, "1.0", index)


def test_each_job_of_a_build_matrix_replaces_its_own_image(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    # The image of the second job was built before that of the first, and is no older version.
    _put(registry, _OLD_AMD64, _OLD_ARM64)
    for image in (_AMD64, _ARM64):
        assert not _append(server, registry, image, only_newer="version").tags[0].kept
    assert _listed(registry) == _digests(_AMD64, _ARM64)


def test_an_older_image_is_kept_out_by_the_one_that_it_would_replace(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    stands = _put(registry, _AMD64, _OLD_ARM64)
    result = _append(server, registry, _OLD_AMD64, only_newer="version")
    assert result.tags[0].kept
    assert not writes(registry.requests)
    assert tags(registry)["1.0"] == stands


@pytest.mark.parametrize("by", ["version", VERSION])
def test_an_annotation_that_is_inherited_says_nothing_of_the_new_image(
    server: RunningServer, registry: EmbeddedRegistry, by: str
) -> None:
    stands = _put(registry, _AMD64, _ARM64, annotations={VERSION: "2.0.0"})
    assert _append(server, registry, _OLD_AMD64, only_newer=by).tags[0].kept
    assert tags(registry)["1.0"] == stands


def test_an_image_of_a_new_platform_is_compared_with_nothing(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    _put(registry, _AMD64)
    assert not _append(server, registry, _S390X, only_newer="version").tags[0].kept
    assert _listed(registry) == _digests(_AMD64, _S390X)


@pytest.mark.parametrize("guard", _GUARDS.values(), ids=_GUARDS)
class TestAnotherJob:
    """What another job appends meanwhile stays."""

    def test_before_the_put(
        self,
        server: RunningServer,
        registry: EmbeddedRegistry,
        waits: list[float],
        guard: dict[str, Any],
    ) -> None:
        _put(registry, _OLD_AMD64)
        theirs = build_index([_OLD_AMD64, _S390X])
        moves = Does(asks("HEAD", "/manifests/1.0"), _putting(registry, theirs))
        registry.hooks.append(moves)
        result = _append(server, registry, _AMD64, **guard)
        assert moves.count == 1
        assert _listed(registry) == _digests(_AMD64, _S390X)
        assert put_tags(registry) == ["1.0"]
        assert (result.changed, result.digest) == (True, tags(registry)["1.0"])

    def test_over_the_put(
        self,
        server: RunningServer,
        registry: EmbeddedRegistry,
        waits: list[float],
        guard: dict[str, Any],
    ) -> None:
        _put(registry, _OLD_AMD64)
        theirs = build_index([_OLD_AMD64, _S390X])
        registry.hooks.append(
            Does(asks("PUT", "/manifests/1.0"), _putting(registry, theirs), after=True)
        )
        result = _append(server, registry, _AMD64, **guard)
        assert _listed(registry) == _digests(_AMD64, _S390X)
        assert put_tags(registry) == ["1.0", "1.0"]
        assert (result.changed, result.digest) == (True, tags(registry)["1.0"])

    def test_before_the_put_of_an_index_that_stood_already(
        self,
        server: RunningServer,
        registry: EmbeddedRegistry,
        waits: list[float],
        guard: dict[str, Any],
    ) -> None:
        _put(registry, _AMD64)
        theirs = build_index([_AMD64, _S390X])
        moves = Does(asks("HEAD", "/manifests/1.0"), _putting(registry, theirs))
        registry.hooks.append(moves)
        _append(server, registry, _AMD64, force=True, **guard)
        assert moves.count == 1
        assert _listed(registry) == _digests(_AMD64, _S390X)


def test_a_newer_image_that_another_job_appends_meanwhile_keeps_ours_out(
    server: RunningServer, registry: EmbeddedRegistry, waits: list[float]
) -> None:
    _put(registry, _OLD_AMD64)
    newer = build_index([build("amd64", "3.0.0"), _S390X])
    registry.hooks.append(Does(asks("HEAD", "/manifests/1.0"), _putting(registry, newer)))
    assert _append(server, registry, _AMD64, only_newer="version").tags[0].kept
    assert tags(registry)["1.0"] == newer.digest
    assert not put_tags(registry)


class TestLosses:
    """Every target gets the index of the first one, so that another may lose platforms."""

    @staticmethod
    def _targets(server: RunningServer, registry: EmbeddedRegistry) -> list[str]:
        registry.add_image("team/one", "1.0", build_index([_OLD_ARM64]))
        registry.add_image("team/two", "1.0", build_index([_OLD_AMD64, _OLD_ARM64, _S390X]))
        return [f"{server.host}/team/{name}:1.0" for name in ("one", "two")]

    @pytest.mark.parametrize("dry_run", [False, True])
    def test_a_line_says_what_a_target_loses(
        self, server: RunningServer, registry: EmbeddedRegistry, dry_run: bool
    ) -> None:
        targets = self._targets(server, registry)
        result = _append(server, registry, _AMD64, targets=targets, dry_run=dry_run)
        lines = [warning for warning in result.warnings if "loses" in warning]
        assert len(lines) == 1
        assert lines[0].startswith(f"{targets[1]} loses linux/s390x")

    def test_where_nothing_may_be_lost_it_is_refused(
        self, server: RunningServer, registry: EmbeddedRegistry
    ) -> None:
        targets = self._targets(server, registry)
        with pytest.raises(PlatformLossError, match=r"team/two:1\.0 would lose linux/s390x"):
            _append(server, registry, _AMD64, targets=targets, no_shrink=True)
        assert not put_tags(registry)


class TestLabels:
    """The images that stay have to agree with the new one on a label."""

    def test_one_that_says_another_value_is_an_error_that_names_it(
        self, server: RunningServer, registry: EmbeddedRegistry
    ) -> None:
        _put(registry, _AMD64, _OLD_ARM64)
        with pytest.raises(LabelMismatchError) as raised:
            _append(server, registry, _S390X, require_same=[VERSION])
        kept = f"{server.host}/{REPOSITORY}@{_AMD64.digest} has '2.0.0'"
        assert kept in raised.value.message
        assert f"{server.host}/team/part-0:new has '1.0.0'" in raised.value.message
        assert not writes(registry.requests)

    def test_one_that_is_replaced_is_not_asked(
        self, server: RunningServer, registry: EmbeddedRegistry
    ) -> None:
        attestation = build_attestation(_AMD64)
        registry.add_image(REPOSITORY, "1.0", build_index([_AMD64, _OLD_ARM64, attestation]))
        _append(server, registry, _ARM64, require_same=[VERSION])
        assert _listed(registry) == {*_digests(_AMD64, _ARM64), attestation.digest}

    def test_one_without_a_config_agrees_with_none(
        self, server: RunningServer, registry: EmbeddedRegistry
    ) -> None:
        artifact = Child(build_referrer(_AMD64), {"os": "linux", "architecture": "arm64"})
        registry.add_image(REPOSITORY, "1.0", build_index([artifact]))
        with pytest.raises(LabelMismatchError, match="has no config that could be read"):
            _append(server, registry, _AMD64, require_same=[VERSION])

    def test_what_another_job_appends_meanwhile_is_asked_too(
        self, server: RunningServer, registry: EmbeddedRegistry, waits: list[float]
    ) -> None:
        _put(registry, _AMD64)
        theirs = build_index([_AMD64, _S390X])
        registry.hooks.append(Does(asks("HEAD", "/manifests/1.0"), _putting(registry, theirs)))
        with pytest.raises(LabelMismatchError):
            _append(server, registry, _ARM64, require_same=[VERSION])
        assert tags(registry)["1.0"] == theirs.digest


def test_a_rerun_that_keeps_the_own_tag_writes_nothing(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.add_image(REPOSITORY, "1.0", build_index([_AMD64, _ARM64]))
    options: dict[str, Any] = {"tags": ["old"], "only_newer": "version"}
    images = [_OLD_AMD64, _OLD_ARM64]
    assert merge(server, registry, images, **options).changed
    assert put_tags(registry) == ["old"]
    again = merge(server, registry, images, **options)
    assert [(tag.name, tag.changed, tag.kept) for tag in again.tags] == [
        ("1.0", False, True),
        ("old", False, False),
    ]
    assert not writes(registry.requests)
