"""What the merge job of a pipeline asks for, on real distributions."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

import pytest

import oci_merge
from fixtures.distribution import Distribution
from oci_merge import Event, MissingComponentError, Waiting
from oci_merge.client import AsyncClient
from oci_merge.http.timings import Timings
from tests.registry.team import THREE, THREE_PLATFORMS, push_team, seeder
from tests.registry.test_copy_layers import assert_skopeo_reads, docker_config
from tests.registry.test_merge import standing


def test_a_merge_waits_for_the_image_that_is_pushed_last(
    plain_registry: Distribution, skopeo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AsyncClient, "_timings", Timings(polling=0.1))
    early = {name: image for name, image in THREE.items() if name != "armv7"}
    team = push_team(plain_registry, early)
    is_waiting = threading.Event()

    def push_late() -> None:
        assert is_waiting.wait(30)
        push_team(plain_registry, {"armv7": THREE["armv7"]}, name=team.rpartition("/")[2])

    def note(event: Event) -> None:
        if isinstance(event, Waiting):
            is_waiting.set()

    pushing = threading.Thread(target=push_late)
    pushing.start()
    result = oci_merge.merge(
        f"{team}/img:1.0",
        template=f"{team}/img-ARCHVARIANT:1.0",
        platforms=THREE_PLATFORMS,
        wait=60,
        on_event=note,
    )
    pushing.join()
    assert len(result.platforms) == 3
    assert standing(plain_registry, f"{team}/img:1.0") == (200, result.digest)
    assert_skopeo_reads(skopeo, plain_registry, f"{team}/img:1.0", tmp_path / "copy")


def test_what_never_comes_is_named_and_nothing_is_published(
    plain_registry: Distribution, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AsyncClient, "_timings", Timings(polling=0.05))
    team = push_team(plain_registry, {"amd64": THREE["amd64"]})
    with pytest.raises(MissingComponentError) as caught:
        oci_merge.merge(
            f"{team}/img:1.0",
            template=f"{team}/img-ARCH:1.0",
            platforms=["linux/amd64", "linux/arm64"],
            wait=0.3,
        )
    assert caught.value.missing == (f"{team}/img-arm64:1.0",)
    assert standing(plain_registry, f"{team}/img:1.0")[0] == 404


def test_an_optional_platform_is_left_out_where_it_is_missing(
    plain_registry: Distribution, skopeo: Path
) -> None:
    team = push_team(plain_registry)
    result = oci_merge.merge(
        f"{team}/img:1.0",
        template=f"{team}/img-ARCHVARIANT:1.0",
        platforms=THREE_PLATFORMS,
        optional=["linux/riscv64", "linux/arm/v7"],
    )
    assert [str(image.platform) for image in result.platforms] == list(THREE_PLATFORMS)
    [warning] = result.warnings
    assert warning.startswith("linux/riscv64 is left out: it is optional")
    raw = subprocess.run(
        [skopeo, "inspect", "--raw", "--tls-verify=false", f"docker://{team}/img:1.0"],
        check=True,
        capture_output=True,
        timeout=60,
    )
    assert raw.stdout == result.plan.index.content


def test_targets_in_two_registries_each_have_a_login_and_all_of_the_image(
    plain_registry: Distribution,
    tls_registry: Distribution,
    skopeo: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", docker_config(tmp_path, tls_registry))
    monkeypatch.setenv("SSL_CERT_FILE", str(tls_registry.ca_pem))
    team = push_team(plain_registry)
    name = team.rpartition("/")[2]
    targets = [
        f"{team}/img:1.0",
        f"{plain_registry.host}/mirror-{name}/img:1.0",
        f"{tls_registry.host}/{name}/img:1.0",
    ]
    result = oci_merge.merge(
        targets=targets,
        template=f"{team}/img-ARCHVARIANT:1.0",
        platforms=THREE_PLATFORMS,
        tags=["latest"],
        copy_layers=True,
    )
    assert [target.reference for target in result.targets] == targets
    for number, reference in enumerate(targets):
        registry = tls_registry if number == 2 else plain_registry
        for tag in ("1.0", "latest"):
            where = reference.removesuffix("1.0") + tag
            assert standing(registry, where) == (200, result.digest)
        assert_skopeo_reads(skopeo, registry, reference, tmp_path / f"copy-{number}")
    again = oci_merge.merge(
        targets=targets,
        template=f"{team}/img-ARCHVARIANT:1.0",
        platforms=THREE_PLATFORMS,
        tags=["latest"],
        copy_layers=True,
    )
    assert not again.changed


def test_no_target_has_a_tag_where_one_of_them_may_not_be_written(
    plain_registry: Distribution, tls_registry: Distribution, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tls_registry.ca_pem))
    team = push_team(plain_registry)
    name = team.rpartition("/")[2]
    with pytest.raises(oci_merge.OciMergeError):
        oci_merge.merge(
            f"{team}/img:1.0",
            targets=[f"{tls_registry.host}/{name}/img:1.0"],
            template=f"{team}/img-ARCHVARIANT:1.0",
            platforms=THREE_PLATFORMS,
            copy_layers=True,
        )
    with seeder(plain_registry) as reader:
        assert reader.get_manifest(f"{name}/img", "1.0").status == 404
