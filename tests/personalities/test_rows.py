"""What docs/registries.md says of each registry, tried in a merge of two images with two tags."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from fixtures.embedded.personalities import (
    NAMES,
    Personality,
    acr,
    artifactory,
    distribution_2,
    distribution_3,
    docker_hub,
    ecr,
    gar,
    ghcr,
    gitlab,
    harbor,
    nexus,
    personality,
    quay,
    zot,
)
from fixtures.images import build_image
from oci_merge import (
    AccessDeniedError,
    AuthenticationError,
    MountRefusedError,
    NotFoundError,
    OciMergeError,
    RateLimitedError,
    RegistryError,
)
from tests.edge.rows import AMD64, ARM64, OLD, PLATFORMS, Row, row

#: Mount nothing as they are usually set up.
_WITHOUT_MOUNTS = ("ghcr", "ecr")
#: Quay takes one push of a manifest at a time, which tests/personalities/test_quirks.py is about.
_QUAY = "quay"


def _tags(name: str) -> list[str]:
    return [] if name == _QUAY else ["1.0"]


def _joined(at: Row, digest: str, tags: list[str]) -> bool:
    return at.tags == dict.fromkeys(["latest", *tags], digest)


def _fails(at: Row, kind: type[OciMergeError], **options: object) -> OciMergeError:
    """Merge in vain; the tags are as they were, no upload is open, no secret is told."""
    before = at.tags
    with pytest.raises(kind) as caught:
        at.merge(**options)
    assert at.tags == before
    assert not at.kind.registry.open_uploads
    said = f"{caught.value} {caught.value!r} {caught.value.hint}"
    assert at.kind.login is None or at.kind.login[1] not in said
    return caught.value


@pytest.mark.parametrize("name", [name for name in NAMES if name not in _WITHOUT_MOUNTS])
def test_two_images_of_other_repositories_become_one_and_a_rerun_changes_nothing(
    name: str, home: Path
) -> None:
    with row(personality(name), home) as at:
        result = at.merge(tags=_tags(name))
        assert _joined(at, result.digest, _tags(name))
        assert [str(image.platform) for image in result.platforms] == PLATFORMS
        at.kind.registry.requests.clear()
        again = at.merge(tags=_tags(name))
    assert again.digest == result.digest
    assert not any(tag.changed for tag in again.tags)
    assert at.writes() == []


@pytest.mark.parametrize("name", NAMES)
def test_images_of_the_target_s_own_repository_become_one_everywhere(name: str, home: Path) -> None:
    with row(personality(name), home) as at:
        sources = at.add_to_target()
        result = at.merge(sources=sources, tags=_tags(name))
        assert {tag: at.tags[tag] for tag in ("latest", *_tags(name))} == dict.fromkeys(
            ("latest", *_tags(name)), result.digest
        )
        assert not any("mount=" in written for written in at.writes())
        at.kind.registry.requests.clear()
        again = at.merge(sources=sources, tags=_tags(name))
    assert not any(tag.changed for tag in again.tags)
    assert at.writes() == []


@pytest.mark.parametrize("name", _WITHOUT_MOUNTS)
def test_mounts_that_are_refused_are_named_with_what_to_do(name: str, home: Path) -> None:
    with row(personality(name), home) as at:
        error = _fails(at, MountRefusedError)
    assert isinstance(error, MountRefusedError)
    layers = {layer.digest for image in (AMD64, ARM64) for layer in image.layers}
    configs = {image.config.digest for image in (AMD64, ARM64)}
    assert layers <= set(error.digests) <= layers | configs
    assert f"{at.repository}-amd64" in str(error)
    assert "the target's own repository" in error.hint


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_password_is_an_error_that_names_the_login(name: str, home: Path) -> None:
    kind = personality(name)
    assert kind.login is not None
    wrong = replace(kind, login=(kind.login[0], "wr0ng-pass"), identity_token="")
    with row(wrong, home) as at:
        error = _fails(at, AuthenticationError)
    assert "docker config" in str(error) or "refused" in str(error)
    assert "wr0ng-pass" not in f"{error!r} {error.hint}"


@pytest.mark.parametrize("name", [name for name in NAMES if name not in (*_WITHOUT_MOUNTS, _QUAY)])
def test_tags_move_where_nothing_is_set_to_keep_them(name: str, home: Path) -> None:
    with row(personality(name), home) as at:
        at.add_old("latest", "1.0")
        result = at.merge()
        assert _joined(at, result.digest, ["1.0"])
    assert all(tag.changed for tag in result.tags)


def test_docker_hub_s_pull_limit_is_an_error_at_once_that_says_what_to_do(home: Path) -> None:
    with row(docker_hub(pulls=1), home) as at:
        began = time.monotonic()
        error = _fails(at, RateLimitedError)
        assert time.monotonic() - began < 5
    refused = [record.path for record in at.requests if record.status == 429]
    assert len(refused) == len(set(refused))
    assert str(error).startswith(f"pull rate limit reached at {at.host} for shipper (from ")
    assert ") while reading " in str(error)
    assert "6 hours" in error.hint
    assert "docker login" in error.hint


def test_docker_hub_counts_as_pulls_only_the_images_and_the_target_s_tags(home: Path) -> None:
    with row(docker_hub(pulls=4), home) as at:
        at.merge()
    gets = [r for r in at.requests if r.method == "GET" and "/manifests/" in r.path]
    assert len([record for record in gets if record.status == 200]) <= 4


def test_docker_hub_denies_a_mount_from_what_the_login_may_not_pull(home: Path) -> None:
    mine = frozenset({"pull", "push"})
    hub = docker_hub(grants={"team/app": mine, "team/app-amd64": mine})
    hub.tokens.anonymous = {"team/*": frozenset({"pull"})}
    with row(hub, home) as at:
        error = _fails(at, OciMergeError)
    assert "team/app-arm64" in str(error)


def test_docker_hub_has_no_names_of_three_parts(home: Path) -> None:
    with row(docker_hub(), home) as at:
        at.repository = "team/group/app"
        sources = [f"{at.host}/team/app-{name}:1.0" for name in ("amd64", "arm64")]
        _fails(at, RegistryError, sources=sources)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (docker_hub(immutable="1.*"), 403),
        (quay(immutable="1.*"), 409),
        (ecr(immutable="1.*", blob_mounting=True), 400),
        (gar(immutable="1.*"), 400),
        (acr(locked="1.*"), 405),
        (harbor(immutable="1.*"), 412),
        (artifactory(overwrites=False), 400),
        (nexus(overwrites=False), 400),
    ],
    ids=lambda value: value.name if isinstance(value, Personality) else None,
)
def test_an_immutable_tag_that_stands_elsewhere_is_an_error_and_one_in_its_place_is_none(
    kind: Personality, status: int, home: Path
) -> None:
    with row(kind, home) as at:
        first = at.merge(tags=[])
        at.kind.registry.requests.clear()
        assert not at.merge(tags=[]).tags[0].changed
        assert at.writes() == []
        at.kind.registry.add_image(at.repository, "1.0", OLD)
        with pytest.raises(OciMergeError, match=r"1\.0"):
            at.merge()
        assert at.tags == {"latest": first.digest, "1.0": OLD.digest}
    assert status in {record.status for record in at.requests}


def test_ghcr_denies_a_package_that_grants_the_repository_nothing(home: Path) -> None:
    with row(ghcr(read_only=["team/app"]), home) as at:
        sources = at.add_to_target()
        error = _fails(at, AccessDeniedError, sources=sources)
    assert "permission_denied: write_package" in str(error)
    assert "credentials that may pull and push" in error.hint


def test_ghcr_is_not_asked_for_referrers(home: Path) -> None:
    with row(ghcr(), home) as at:
        at.merge(sources=at.add_to_target())
    assert not [record for record in at.requests if "/referrers/" in record.path]


def test_ecr_mounts_where_the_account_is_set_so(home: Path) -> None:
    with row(ecr(blob_mounting=True), home) as at:
        result = at.merge()
        assert _joined(at, result.digest, ["1.0"])


def test_ecr_may_answer_a_head_with_400(home: Path) -> None:
    with row(ecr(blob_mounting=True, heads=False), home) as at:
        template = f"{at.host}/{at.repository}-ARCH:1.0"
        result = at.merge(sources=[], template=template)
        assert _joined(at, result.digest, ["1.0"])
        assert 400 in {record.status for record in at.requests if record.method == "HEAD"}
    assert [str(image.platform) for image in result.platforms] == PLATFORMS


def test_ecr_makes_no_repository(home: Path) -> None:
    with row(ecr(blob_mounting=True), home) as at:
        del at.kind.registry.storage.repositories[at.repository]
        error = _fails(at, OciMergeError)
    assert at.repository in str(error)
    assert "does not exist" in str(error)


def test_ecr_may_hang_up_in_the_place_of_that_error(home: Path) -> None:
    with row(ecr(blob_mounting=True, hang_up=True), home) as at:
        del at.kind.registry.storage.repositories[at.repository]
        error = _fails(at, OciMergeError)
    assert at.host in str(error)
    assert error.hint


@pytest.mark.parametrize("username", ["_json_key", "_json_key_base64"])
def test_google_takes_a_key_as_a_password(username: str, home: Path) -> None:
    kind = gar()
    assert kind.login is not None
    with row(replace(kind, login=(username, kind.login[1])), home) as at:
        assert _joined(at, at.merge().digest, ["1.0"])


@pytest.mark.parametrize("repository", ["project/app", "project/elsewhere/app"])
def test_google_refuses_what_is_no_image_of_a_repository_that_is_there(
    repository: str, home: Path
) -> None:
    with row(gar(), home) as at:
        sources = [f"{at.host}/{at.repository}-{name}:1.0" for name in ("amd64", "arm64")]
        at.repository = repository
        error = _fails(at, OciMergeError, sources=sources)
    assert repository in str(error)


def test_azure_takes_the_identity_token_of_a_login_and_the_refresh_token_as_a_password(
    home: Path,
) -> None:
    with row(acr(), home) as at:
        result = at.merge()
        posted = {request.grant_type for request in at.kind.tokens.requests}
        assert posted == {"refresh_token"}
        (home / ".docker" / "config.json").unlink()
        assert at.kind.login is not None
        username, password = at.kind.login
        again = at.merge(username=username, password=password)
    assert again.digest == result.digest
    assert not any(tag.changed for tag in again.tags)


def test_a_gitlab_job_may_not_push_to_another_project(home: Path) -> None:
    job = {"group/project/*": frozenset({"pull", "push"}), "group/*": frozenset({"pull"})}
    with row(gitlab(grants=job), home) as at:
        at.repository = "group/other/app"
        sources = [f"{at.host}/group/project/app-{name}:1.0" for name in ("amd64", "arm64")]
        error = _fails(at, OciMergeError, sources=sources)
    assert "group/other/app" in str(error)


def test_a_gitlab_job_names_the_source_that_its_token_is_not_for(home: Path) -> None:
    job = {"group/project/*": frozenset({"pull", "push"})}
    kind = gitlab(grants=job)
    kind.tokens.anonymous = {"group/other/*": frozenset({"pull"})}
    kind.registry.add_image("group/other/app-amd64", "1.0", AMD64)
    with row(kind, home) as at:
        sources = [
            f"{at.host}/group/other/app-amd64:1.0",
            f"{at.host}/group/project/app-arm64:1.0",
        ]
        error = _fails(at, OciMergeError, sources=sources)
    assert "group/other/app-amd64" in str(error)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (gitlab(manifest_limit=200), "payload size limit exceeded"),
        (gitlab(reference_limit=1), "reference"),
    ],
    ids=["size", "references"],
)
def test_gitlab_s_limits_are_told_in_its_words(kind: Personality, words: str, home: Path) -> None:
    with row(kind, home) as at:
        at.add_old("latest")
        error = _fails(at, RegistryError)
    assert words in str(error)


def test_quay_s_tokens_come_by_get_alone(home: Path) -> None:
    with row(quay(), home) as at:
        at.merge(tags=[])
    assert {request.method for request in at.kind.tokens.requests} == {"GET"}


def test_quay_is_told_where_to_mount_from(home: Path) -> None:
    with row(quay(), home) as at:
        at.merge(tags=[])
    mounts = [record for record in at.requests if "mount=" in record.path]
    assert mounts
    assert all("from=" in record.path and record.status == 201 for record in mounts)


def test_quay_offers_an_upload_for_what_the_robot_may_not_read(home: Path) -> None:
    robot = {"team/app": frozenset({"pull", "push"}), "team/app-amd64": frozenset({"pull"})}
    kind = quay(grants=robot)
    kind.tokens.anonymous = {"team/*": frozenset({"pull"})}
    with row(kind, home) as at:
        error = _fails(at, OciMergeError, tags=[])
    assert "team/app-arm64" in str(error)


def test_a_harbor_without_the_target_s_project_says_so(home: Path) -> None:
    with row(harbor(), home) as at:
        sources = [f"{at.host}/{at.repository}-{name}:1.0" for name in ("amd64", "arm64")]
        at.repository = "nowhere/app"
        error = _fails(at, OciMergeError, sources=sources)
    assert "project nowhere not found" in str(error)


def test_a_harbor_without_a_source_s_project_says_so(home: Path) -> None:
    with row(harbor(), home) as at:
        at.add_old("latest")
        sources = [f"{at.host}/nowhere/app:1.0", f"{at.host}/{at.repository}-arm64:1.0"]
        error = _fails(at, OciMergeError, sources=sources)
    assert "nowhere/app" in str(error)


def test_a_harbor_s_robot_has_a_dollar_in_its_name(home: Path) -> None:
    with row(harbor(), home) as at:
        at.merge()
    assert {request.account for request in at.kind.tokens.requests if request.account} == {
        "robot$ci"
    }


def test_artifactory_s_bad_moments_pass(home: Path) -> None:
    with row(artifactory(bursts=True), home) as at:
        result = at.merge()
        assert _joined(at, result.digest, ["1.0"])
        assert not at.merge().tags[0].changed
    assert {0, 502} <= {record.status for record in at.requests}


def test_an_artifactory_without_mounts_names_them(home: Path) -> None:
    with row(artifactory(mounts=False), home) as at:
        _fails(at, MountRefusedError)


def test_a_virtual_artifactory_says_403_of_platforms_that_are_not_there(home: Path) -> None:
    with row(artifactory(is_virtual=True), home) as at:
        at.add_old("latest", "1.0")
        template = f"{at.host}/{at.repository}-ARCH:1.0"
        result = at.merge(sources=[], template=template, platforms=PLATFORMS)
        assert _joined(at, result.digest, ["1.0"])


@pytest.mark.parametrize("status", [400, 404, 405])
def test_a_nexus_that_refuses_mounts_in_odd_ways_names_them(status: int, home: Path) -> None:
    with row(nexus(mount_refusal=status), home) as at:
        _fails(at, MountRefusedError)


@pytest.mark.parametrize("access", ["none", "basic", "token"])
@pytest.mark.parametrize("version", [2, 3])
def test_distribution_lets_in_as_it_is_set_up(version: int, access: str, home: Path) -> None:
    build = {2: distribution_2, 3: distribution_3}[version]
    with row(build(access=access), home) as at:  # type: ignore[arg-type]
        result = at.merge()
        assert _joined(at, result.digest, ["1.0"])


@pytest.mark.parametrize("platforms", ["none", "list"])
def test_distribution_3_may_check_fewer_children(platforms: str, home: Path) -> None:
    with row(distribution_3(platforms=platforms), home) as at:  # type: ignore[arg-type]
        assert _joined(at, at.merge().digest, ["1.0"])


def _add_docker(kind: Personality) -> None:
    for name in ("amd64", "arm64"):
        image = build_image("linux", name, docker=True)
        kind.registry.add_image(f"{kind.namespace}/app-{name}", "1.0", image)


def test_a_zot_takes_docker_s_types_only_where_it_is_set_so(home: Path) -> None:
    strict, lax = zot(), zot(docker2s2=True)
    with row(strict, home) as at:
        _add_docker(strict)
        _fails(at, RegistryError)
    with row(lax, home) as at:
        _add_docker(lax)
        assert _joined(at, at.merge().digest, ["1.0"])


@pytest.mark.parametrize("name", NAMES)
def test_a_source_that_is_not_there_is_named(name: str, home: Path) -> None:
    with row(personality(name), home) as at:
        sources = [f"{at.host}/{at.repository}-amd64:1.0", f"{at.host}/{at.repository}-arm64:9"]
        error = _fails(at, OciMergeError, sources=sources)
    assert f"{at.repository}-arm64:9" in str(error)
    if isinstance(error, RegistryError):
        assert isinstance(error, NotFoundError)
